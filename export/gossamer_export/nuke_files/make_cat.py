"""Makes a .cat file for Nuke's Inference node of the TorchScript file beside this script.

In a terminal (NukeX or Nuke Studio, 14 or later):

    nuke --nukex -t make_cat.py [gossamer-s-fp16.pt]

It drives the CatFileCreator node with its documented knobs and writes NAME.cat beside NAME.pt. Without an argument it
takes the only .pt file in its folder. Python 3.9 and later; only Nuke's own modules and the standard library.
"""

import json
import os
import sys

import nuke

HERE = os.path.dirname(os.path.abspath(__file__))


def find_file(arguments):
    """The TorchScript file: the argument, or the only one here."""
    if arguments:
        return os.path.abspath(arguments[0])
    found = sorted(name for name in os.listdir(HERE) if name.endswith(".pt"))
    if len(found) != 1:
        raise RuntimeError("{} holds {} .pt files; name the one to use.".format(HERE, len(found)))
    return os.path.join(HERE, found[0])


def read_options(path):
    """Channels and knobs from the manifest that was written with the file."""
    manifest = path + ".json"
    if not os.path.isfile(path) or not os.path.isfile(manifest):
        raise RuntimeError("{} and its manifest {} have to lie side by side.".format(path, os.path.basename(manifest)))
    with open(manifest, encoding="utf-8") as stream:
        content = json.load(stream)
    return content["name"], content["artifact"]["options"]


def make_cat(path):
    """Write the .cat file and return its path.

    Raises:
        RuntimeError: the licence has no CatFileCreator, or it wrote nothing.
    """
    name, options = read_options(path)
    cat = os.path.splitext(path)[0] + ".cat"
    try:
        node = nuke.createNode("CatFileCreator", inpanel=False)
    except RuntimeError as error:
        raise RuntimeError("CatFileCreator needs NukeX or Nuke Studio (start with --nukex): {}".format(error))
    # A knob of this name on the creator becomes a knob of the Inference node and sets the attribute of that name.
    for knob, meaning in options["knobs"].items():
        added = nuke.Int_Knob(knob, knob.replace("_", " "))
        added.setTooltip(meaning["tooltip"])
        node.addKnob(added)
        added.setValue(meaning["value"])
    node["torchScriptFile"].setValue(path.replace("\\", "/"))
    node["catFile"].setValue(cat.replace("\\", "/"))
    node["channelsIn"].setValue(", ".join(options["channels_in"]))
    node["channelsOut"].setValue(", ".join(options["channels_out"]))
    node["modelId"].setValue(name)
    node["outputScale"].setValue(1)
    node["createCat"].execute()
    if not os.path.isfile(cat):
        raise RuntimeError("CatFileCreator wrote no {}; its error stands above.".format(cat))
    return cat


if __name__ == "__main__":
    sys.stdout.write("{}\n".format(make_cat(find_file(sys.argv[1:]))))
