"""`gossamer export --to nuke`: the artifact, and the script that has Nuke make a .cat of it."""

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from torch import nn

from gossamer.errors import ModelError
from gossamer_export.artifact import artifact_of
from gossamer_export.export import export, verify_artifact
from gossamer_export.settings import ExportSettings
from gossamer_export.verify import Limits

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


class _Knob:
    def __init__(self, name: str, label: str = "") -> None:
        self.name, self.label, self.value, self.tooltip = name, label, None, ""
        self.action: Callable[[], None] = lambda: None

    def setValue(self, value: Any) -> None:  # noqa: N802 - Nuke's own name
        self.value = value

    def setTooltip(self, text: str) -> None:  # noqa: N802
        self.tooltip = text

    def execute(self) -> None:
        self.action()


class _Creator:
    """The CatFileCreator node: the knobs that Foundry documents and no others."""

    NAMES = ("torchScriptFile", "catFile", "channelsIn", "channelsOut", "modelId", "outputScale", "createCat")

    def __init__(self, *, writes: bool) -> None:
        self.knobs = {name: _Knob(name) for name in self.NAMES}
        if writes:
            self.knobs["createCat"].action = lambda: Path(str(self.knobs["catFile"].value)).touch()

    def __getitem__(self, name: str) -> _Knob:
        return self.knobs[name]

    def addKnob(self, knob: _Knob) -> None:  # noqa: N802
        self.knobs[knob.name] = knob


@pytest.fixture
def nuke(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The three names of the module that the script uses."""
    module = ModuleType("nuke")
    module.created = []  # type: ignore[attr-defined]
    module.writes = True  # type: ignore[attr-defined]

    def create_node(name: str, *, inpanel: bool) -> _Creator:
        assert (name, inpanel) == ("CatFileCreator", False)
        module.created.append(_Creator(writes=module.writes))
        return module.created[-1]  # type: ignore[no-any-return]

    module.createNode, module.Int_Knob = create_node, _Knob  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nuke", module)
    return module


@pytest.fixture
def artifact(make_weights: Callable[..., Path], tiny: nn.Module, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    export(ExportSettings(str(make_weights(tiny)), "nuke"), folder)
    return folder / "mine-fp32.pt"


def test_a_refusal_does_not_speak_of_onnx_which_takes_no_part(
    make_weights: Callable[..., Path], tiny: nn.Module, tmp_path: Path
) -> None:
    settings = ExportSettings(str(make_weights(tiny, graph_of=tiny)), "nuke")
    limits = Limits(max=-1.0)  # met by none
    with pytest.raises(ModelError, match=r"mine-fp32\.pt answers differently .*--force keeps it") as caught:
        export(settings, tmp_path / "out", limits=limits)
    assert not re.search("ONNX|--retrace|compiler|--diagnose", str(caught.value))


def _make_cat(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("make_cat", folder / "make_cat.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_artifact_is_certified_and_its_companions_are_vouched_for(artifact: Path) -> None:
    results = verify_artifact(artifact, model=str(artifact.parent.parent / "weights"))
    assert results.max < 1e-4
    manifest = json.loads((artifact.parent / "mine-fp32.pt.json").read_text(encoding="utf-8"))
    assert {entry["path"] for entry in manifest["files"].values()} == {
        "mine-fp32.pt",
        "make_cat.py",
        "GossamerNative.gizmo",
    }
    assert manifest["artifact"]["options"]["channels_in"] == ["rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"]
    assert any(name.startswith("aten::_convolution") for name in manifest["artifact"]["options"]["operators"])


def test_a_trimap_free_network_takes_rgb_alone(make_weights: Callable[..., Path], tmp_path: Path) -> None:
    from gossamer.models.registry import model_entry

    weights = make_weights(model_entry("tiny-free").build(), "tiny-free")
    options = artifact_of(export(ExportSettings(str(weights), "nuke"), tmp_path / "out")).options
    assert options["channels_in"] == ["rgba.red", "rgba.green", "rgba.blue"]
    assert options["knobs"]["tile"]["value"] == 0


def test_the_script_sets_the_documented_knobs_and_names_the_file(nuke: Any, artifact: Path) -> None:
    written = _make_cat(artifact.parent).make_cat(artifact)
    assert written == artifact.with_suffix(".cat")
    values = {name: knob.value for name, knob in nuke.created[0].knobs.items()}
    assert values == {
        "torchScriptFile": artifact.as_posix(),
        "catFile": artifact.with_suffix(".cat").as_posix(),
        "channelsIn": "rgba.red, rgba.green, rgba.blue, rgba.alpha",
        "channelsOut": "rgba.alpha",
        "modelId": "mine",
        "outputScale": 1,
        "createCat": None,
        "scene_linear": 1,
        "tile": 1024,
    }


def test_the_script_says_when_nuke_wrote_nothing(nuke: Any, artifact: Path) -> None:
    nuke.writes = False
    with pytest.raises(RuntimeError, match="wrote no"):
        _make_cat(artifact.parent).make_cat(artifact)


def test_the_script_finds_the_only_file_and_asks_where_there_are_two(nuke: Any, artifact: Path) -> None:
    script = _make_cat(artifact.parent)
    assert script.find_file([]) == artifact
    (artifact.parent / "other.pt").touch()
    with pytest.raises(RuntimeError, match=r"holds 2 \.pt files; name the one to use"):
        script.find_file([])
    with pytest.raises(RuntimeError, match="side by side"):
        script.read_options(artifact.parent / "other.pt")


def test_the_gizmo_shows_the_trimap_to_the_network_and_puts_the_matte_into_the_plate(artifact: Path) -> None:
    text = (artifact.parent / "GossamerNative.gizmo").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    stack: list[str] = []
    inputs: dict[str, list[str]] = {}
    saved = ""
    for part in re.split(r"\n(?= ?[A-Za-z]+ [{\[]|set |push |end_group)", text)[1:]:
        if part.startswith("set "):
            saved = stack[-1]
        elif part.startswith("push "):
            stack.append(saved)
        elif part.strip().startswith(("Input", "Copy", "Inference", "Output")):
            found = re.search(r"\n  name (\w+)", part)
            assert found is not None
            count = re.search(r"\n  inputs (\d)", part)
            inputs[found[1]] = [stack.pop() for _ in range(int(count[1]) if count else 1)]
            stack.append(found[1])
    assert inputs == {
        "trimap": [],
        "plate": [],
        "TrimapIntoAlpha": ["plate", "trimap"],
        "Inference1": ["TrimapIntoAlpha"],
        "MatteIntoAlpha": ["plate", "Inference1"],
        "Output1": ["MatteIntoAlpha"],
    }
