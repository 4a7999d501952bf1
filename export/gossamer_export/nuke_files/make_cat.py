"""Makes a .cat file for Nuke's Inference node of the TorchScript file beside this script.

In a terminal (NukeX or Nuke Studio, 14 or later):

    nuke --nukex -t make_cat.py [gossamer-s-fp16.pt]

It drives the CatFileCreator node with its documented knobs and writes NAME.cat beside NAME.pt. Without an argument it
takes the only .pt file in its folder. Python 3.9 and later; only Nuke's own module and the standard library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nuke

HERE = Path(__file__).resolve().parent


def find_file(arguments: list[str]) -> Path:
    """The TorchScript file: the argument, or the only one here."""
    if arguments:
        return Path(arguments[0]).resolve()
    found = sorted(HERE.glob("*.pt"))
    if len(found) != 1:
        raise RuntimeError(f"{HERE} holds {len(found)} .pt files; name the one to use.")
    return found[0]


def read_options(path: Path) -> tuple[str, dict[str, Any]]:
    """The model's name, and channels and knobs from the manifest that was written with the file."""
    manifest = path.with_name(path.name + ".json")
    if not path.is_file() or not manifest.is_file():
        raise RuntimeError(f"{path} and its manifest {manifest.name} have to lie side by side.")
    content = json.loads(manifest.read_text(encoding="utf-8"))
    return content["name"], content["artifact"]["options"]


def make_cat(path: Path) -> Path:
    """Write the .cat file and return its path.

    Raises:
        RuntimeError: the licence has no CatFileCreator, or it wrote nothing.
    """
    name, options = read_options(path)
    cat = path.with_suffix(".cat")
    try:
        node: Any = nuke.createNode("CatFileCreator", inpanel=False)
    except RuntimeError as error:
        raise RuntimeError(f"CatFileCreator needs NukeX or Nuke Studio (start with --nukex): {error}") from error
    # A knob of this name on the creator becomes a knob of the Inference node and sets the attribute of that name.
    for knob, meaning in options["knobs"].items():
        added = nuke.Int_Knob(knob, knob.replace("_", " "))
        added.setTooltip(meaning["tooltip"])
        node.addKnob(added)
        added.setValue(meaning["value"])
    node["torchScriptFile"].setValue(path.as_posix())
    node["catFile"].setValue(cat.as_posix())
    node["channelsIn"].setValue(", ".join(options["channels_in"]))
    node["channelsOut"].setValue(", ".join(options["channels_out"]))
    node["modelId"].setValue(name)
    node["outputScale"].setValue(1)
    node["createCat"].execute()
    if not cat.is_file():
        raise RuntimeError(f"CatFileCreator wrote no {cat}; its error stands above.")
    return cat


if __name__ == "__main__":
    sys.stdout.write(f"{make_cat(find_file(sys.argv[1:]))}\n")
