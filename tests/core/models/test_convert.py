"""Checkpoints laid out exactly as the official files: the recorded names and shapes, values of the test's own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from gossamer.cli import convert as command
from gossamer.errors import DataError, GossamerError, MissingDependencyError, ModelError, SettingError
from gossamer.models.convert import convert_checkpoint, fit_state, fitting_architectures, read_checkpoint
from gossamer.models.registry import create_model
from gossamer.models.weights import find_manifest, load_weights

State = dict[str, Tensor]
Folder = Callable[[str], Any]

OFFICIAL = [
    ("gfm_r34_tt", "gfm-r34-tt"),
    ("gfm_r34_ft", "gfm-r34-ft"),
    ("gfm_r34_bt", "gfm-r34-bt"),
    ("gfm_r34_2b_tt", "gfm-r34-2b-tt"),
    ("gfm_d121_tt", "gfm-d121-tt"),
    ("gfm_d121_rim", "gfm-d121-rim"),
    ("gfm_r101_tt", "gfm-r101-tt"),
    ("lsa", "lsa-r50d"),
    ("vitmatte_s", "vitmatte-s"),
    ("vitmatte_b", "vitmatte-b"),
    ("vitmatte_s_rgb3", "vitmatte-s-rgb"),
]


def _official(folder: Any) -> State:
    """Every tensor of the official file, filled with its own number and stored as that one number."""
    state: State = {}
    numbers = {entry["key"]: index for index, entry in enumerate(folder.keys)}
    for entry in folder.keys:
        number = numbers[entry.get("alias_of", entry["key"])]
        kind = torch.int64 if entry["rule"] == "count" else torch.float32
        state[entry["key"]] = torch.tensor(number, dtype=kind).expand(entry["shape"])
    return state


def _to_transformers(key: str) -> str:
    """The name of a ViTMatte tensor in the Transformers library."""
    if key == "backbone.pos_embed":
        return "backbone.embeddings.position_embeddings"
    if key.startswith("backbone.patch_embed.proj."):
        return "backbone.embeddings.projection." + key.rpartition(".")[2]
    key = key.replace("backbone.blocks.", "backbone.encoder.layer.").replace(".attn.", ".attention.")
    return key.replace("fusion_blks", "fusion_blocks").replace(".bn.", ".batch_norm.")


@pytest.fixture
def rgb(recorded: Folder) -> State:
    """The smallest official file."""
    return _official(recorded("vitmatte_s_rgb3"))


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        path = tmp_path / "official.pth"
        torch.save(content, path)
        return path

    return write


# --- official layouts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "name"),
    [pytest.param(*case, marks=[pytest.mark.slow] if "r101" in case[0] else []) for case in OFFICIAL],
)
def test_an_official_file_fits_its_network(
    recorded: Folder, save: Callable[[Any], Path], fixture: str, name: str
) -> None:
    official = _official(recorded(fixture))
    fitted = fit_state(read_checkpoint(save(official)), name)
    for key, value in fitted.items():
        assert value.shape == official[key].shape
        assert value.flatten()[0] == official[key].flatten()[0], key


@pytest.mark.parametrize(
    "pack",
    [
        lambda state: {"epoch": 100, "state_dict": {f"module.{key}": value for key, value in state.items()}},
        lambda state: {"model": state, "optimizer": {"state": {}}, "scheduler": {}, "iteration": 5625},
        lambda state: {f"module.module.{key}": value for key, value in state.items()},
        lambda state: {"model": {"state_dict": state}},
    ],
    ids=["lsa", "training loop", "prefixed twice", "nested"],
)
def test_containers_and_prefixes_are_unpacked(
    rgb: State, save: Callable[[Any], Path], pack: Callable[[State], Any]
) -> None:
    assert sorted(read_checkpoint(save(pack(rgb)))) == sorted(rgb)


def test_a_file_of_the_old_torch_format_is_read(rgb: State, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save(rgb, path, _use_new_zipfile_serialization=False)
    assert sorted(read_checkpoint(path)) == sorted(rgb)


def test_the_names_of_transformers_are_understood(recorded: Folder, tmp_path: Path) -> None:
    official = _official(recorded("vitmatte_s"))
    path = tmp_path / "model.safetensors"
    save_file({_to_transformers(key): value.contiguous() for key, value in official.items()}, path)
    fitted = fit_state(read_checkpoint(path), "vitmatte-s")
    assert {key: float(value.flatten()[0]) for key, value in fitted.items()} == {
        key: float(value.flatten()[0]) for key, value in official.items()
    }


def test_half_precision_is_widened(rgb: State) -> None:
    halved = {key: value.sign().half() if value.is_floating_point() else value for key, value in rgb.items()}
    fitted = fit_state(halved, "vitmatte-s-rgb")
    assert fitted["backbone.pos_embed"].dtype == torch.float32


def test_what_official_files_hold_twice_or_never_use_may_be_absent(recorded: Folder) -> None:
    official = _official(recorded("gfm_r34_tt"))
    bare = {key: value for key, value in official.items() if not key.startswith("resnet.")}
    assert fit_state(bare, "gfm-r34-tt").keys() == fit_state(official, "gfm-r34-tt").keys()


# --- from file to weights ---------------------------------------------------------------------------------------------


def test_converted_weights_load_by_their_manifest(rgb: State, save: Callable[[Any], Path], tmp_path: Path) -> None:
    output = tmp_path / "ddc" / "ddc-s.safetensors"
    manifest = convert_checkpoint(save(rgb), output, license_text="CC0-1.0")
    found = find_manifest(str(output.parent))
    assert found == manifest
    assert (found.name, found.architecture, found.family) == ("ddc-s", "vitmatte-s-rgb", "vitmatte")
    assert (found.license, found.needs_trimap, found.parameters) == ("CC0-1.0", False, 25_715_729)
    assert found.training["converted_from"] == "official.pth"
    network = create_model(found.architecture)
    load_weights(network, found)
    assert network.state_dict()["backbone.pos_embed"].flatten()[0] == rgb["backbone.pos_embed"].flatten()[0]


def test_the_command_converts_and_says_how_to_go_on(rgb: State, save: Callable[[Any], Path], tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    output = tmp_path / "ddc" / "ddc-s.safetensors"
    arguments = ["convert", str(save(rgb)), "--architecture", "vitmatte-s-rgb", "-o", str(output)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "vitmatte-s-rgb" in result.output
    assert "gossamer matte --model" in result.output
    assert (output.parent / "manifest.json").is_file()


def test_the_command_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "gossamer.models.convert", None)
    with pytest.raises(MissingDependencyError, match=r"pip install \"gossamer-matting\[torch\]\""):
        command.convert(tmp_path / "a.pth", tmp_path / "a.safetensors")


def test_ft_is_told_from_bt_by_asking(recorded: Folder, save: Callable[[Any], Path], tmp_path: Path) -> None:
    path = save(_official(recorded("gfm_r34_ft")))
    with pytest.raises(SettingError, match=r"gfm-r34-bt and gfm-r34-ft.*--architecture"):
        convert_checkpoint(path, tmp_path / "out" / "a.safetensors")


def test_every_other_network_is_found_out(recorded: Folder) -> None:
    for fixture, name in OFFICIAL:
        fitting = fitting_architectures(_official(recorded(fixture)))
        assert fitting == (["gfm-r34-bt", "gfm-r34-ft"] if name in ("gfm-r34-ft", "gfm-r34-bt") else [name])


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_every_missing_and_every_unused_tensor_is_named(rgb: State) -> None:
    for gone in ("backbone.pos_embed", "decoder.matting_head.matting_convs.3.bias"):
        del rgb[gone]
    rgb["decoder.extra"] = torch.zeros(1)
    rgb["backbone.cls_token"] = torch.zeros(1)
    with pytest.raises(ModelError) as caught:
        fit_state(rgb, "vitmatte-s-rgb")
    message = str(caught.value)
    assert "2 missing: backbone.pos_embed, decoder.matting_head.matting_convs.3.bias." in message
    assert "2 unused: backbone.cls_token, decoder.extra." in message


def test_a_file_for_another_network_says_for_which(rgb: State) -> None:
    with pytest.raises(ModelError) as caught:
        fit_state(rgb, "vitmatte-s")
    assert "does not fit vitmatte-s. It fits vitmatte-s-rgb." in str(caught.value)
    assert "backbone.patch_embed.proj.weight is (384, 3, 16, 16) instead of (384, 4, 16, 16)" in str(caught.value)


def test_a_counter_in_place_of_weights_is_refused(rgb: State) -> None:
    rgb["backbone.pos_embed"] = rgb["backbone.pos_embed"].long()
    with pytest.raises(ModelError, match=r"1 other types: backbone.pos_embed is torch.int64 instead of torch.float32"):
        fit_state(rgb, "vitmatte-s-rgb")


def test_a_copy_that_differs_is_refused(recorded: Folder) -> None:
    official = _official(recorded("gfm_r34_tt"))
    official["resnet.conv1.weight"] = official["resnet.conv1.weight"] + 1
    with pytest.raises(ModelError, match=r"contradicts itself: resnet.conv1.weight differs from its copy encoder0.0"):
        fit_state(official, "gfm-r34-tt")


def test_values_that_are_not_numbers_are_refused(rgb: State) -> None:
    rgb["backbone.pos_embed"] = torch.full_like(rgb["backbone.pos_embed"], torch.nan)
    with pytest.raises(ModelError, match=r"not finite numbers in backbone.pos_embed"):
        fit_state(rgb, "vitmatte-s-rgb")


def test_a_file_that_fits_nothing_is_refused(save: Callable[[Any], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fits no network that is registered here"):
        convert_checkpoint(save({"weight": torch.zeros(3)}), tmp_path / "out" / "a.safetensors")


class _Runs:
    """A pickle that would run code when it is loaded the unsafe way."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this must never be printed",))


def test_code_in_a_checkpoint_is_refused_and_not_run(
    save: Callable[[Any], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = save({"state_dict": {"weight": torch.zeros(1)}, "hook": _Runs()})
    with pytest.raises(ModelError, match=r"print beside tensors\. Gossamer reads plain tensors only"):
        read_checkpoint(path)
    assert "never be printed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("absent.pth", lambda path: None, "There is no checkpoint file"),
        ("text.pth", lambda path: path.write_text("hello"), "is not a checkpoint that torch can read"),
        ("empty.pth", lambda path: path.write_bytes(b""), "is not a checkpoint that torch can read"),
        ("cut.pth", lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "torch can read.*Fetch it again"),
        ("list.pth", lambda path: torch.save([1, 2], path), "holds no tensors by name, neither bare nor under"),
        ("none.pth", lambda path: torch.save({}, path), "holds no tensors by name"),
        ("word.pth", lambda path: torch.save({"a": "b"}, path), "a is str, not a tensor; this is no state dict"),
        ("bad.safetensors", lambda path: path.write_bytes(b"12"), "is not a safetensors file"),
        (
            "twice.pth",
            lambda path: torch.save({"a": torch.zeros(1), "module.a": torch.ones(1)}, path),
            "holds a twice, with and without the prefix module.",
        ),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named_with_its_reason(
    tmp_path: Path, name: str, write: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(ModelError, match=message) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("output", "architecture", "message"),
    [
        ("weights.pth", None, "has to be a .safetensors file"),
        ("taken/b.safetensors", None, "holds weights already.*--overwrite"),
        ("free/b.safetensors", "vitmatte-z", "Unknown network 'vitmatte-z'"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_reading(
    tmp_path: Path, output: str, architecture: str | None, message: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "manifest.json").write_text("{}")
    with pytest.raises(GossamerError, match=message):
        convert_checkpoint(tmp_path / "absent.pth", tmp_path / output, architecture=architecture)


def test_overwrite_replaces_weights(rgb: State, save: Callable[[Any], Path], tmp_path: Path) -> None:
    output = tmp_path / "taken" / "b.safetensors"
    output.parent.mkdir()
    (output.parent / "manifest.json").write_text("{}")
    convert_checkpoint(save(rgb), output, overwrite=True)
    assert find_manifest(str(output)).name == "b"


def test_a_folder_that_cannot_be_written_is_named_and_nothing_half_stays(
    save: Callable[[Any], Path], rgb: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _content: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    source = save(rgb)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"Cannot write the weights to .*out: No space left on device"):
        convert_checkpoint(source, tmp_path / "out" / "mine.safetensors")
    assert list((tmp_path / "out").iterdir()) == []
