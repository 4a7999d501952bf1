"""The catalogue of weights vouches for its files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from gossamer.errors import ModelError
from gossamer.models.weights import (
    Manifest,
    WeightsFile,
    file_sha256,
    find_manifest,
    list_manifests,
    load_weights,
    read_manifest,
    save_weights,
    write_manifest,
)


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 3, 3), nn.Conv2d(3, 1, 1))


def _manifest() -> Manifest:
    return Manifest(
        name="tiny",
        architecture="tiny",
        family="test",
        license="Apache-2.0",
        parameters=115,
        needs_trimap=True,
        multiple_of=32,
        margin=16,
        files={},
    )


def test_saved_weights_come_back_bit_for_bit(tmp_path: Path) -> None:
    saved = _network()
    save_weights(saved, tmp_path, _manifest())
    loaded = nn.Sequential(nn.Conv2d(4, 3, 3), nn.Conv2d(3, 1, 1))
    load_weights(loaded, find_manifest(str(tmp_path)))
    for key, value in saved.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])


def test_weights_are_found_by_folder_manifest_or_file(tmp_path: Path) -> None:
    save_weights(_network(), tmp_path, _manifest())
    for path in (tmp_path, tmp_path / "manifest.json", tmp_path / "tiny.safetensors"):
        assert find_manifest(str(path)).name == "tiny"


def test_a_file_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    save_weights(_network(), tmp_path, _manifest())
    with pytest.raises(ModelError, match=r"does not vouch for other\.safetensors"):
        find_manifest(str(tmp_path / "other.safetensors"))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    save_weights(_network(), tmp_path, _manifest())
    path = tmp_path / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not the file its manifest vouches for"):
        find_manifest(str(tmp_path)).file("safetensors")


def test_a_missing_file_and_a_missing_kind_are_named(tmp_path: Path) -> None:
    manifest = save_weights(_network(), tmp_path, _manifest())
    with pytest.raises(ModelError, match="hold no onnx file, only safetensors"):
        manifest.file("onnx")
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(ModelError, match=r"tiny\.safetensors is missing"):
        manifest.file("safetensors")


def test_weights_of_another_network_name_every_tensor(tmp_path: Path) -> None:
    save_weights(_network(), tmp_path, _manifest())
    other = nn.Sequential(nn.Conv2d(4, 3, 5), nn.Identity(), nn.Conv2d(3, 1, 1))
    with pytest.raises(ModelError, match=r"Missing: 2\.bias, 2\.weight\. Unused: 1\.bias, 1\.weight\.") as caught:
        load_weights(other, find_manifest(str(tmp_path)))
    assert "0.weight (3, 4, 3, 3) instead of (3, 4, 5, 5)" in str(caught.value)


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(ModelError, match=r"No weights named 'nothing-like-it'\. Shipped: .*gossamer-s"):
        find_manifest("nothing-like-it")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a weights manifest"),
        ("[]", "has manifest schema None"),
        ('{"schema": 99}', "has manifest schema 99"),
        ('{"schema": 1, "files": {}}', "is not a complete weights manifest"),
    ],
)
def test_a_broken_manifest_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(ModelError, match=message):
        read_manifest(path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Cannot read the weights' manifest"):
        find_manifest(str(tmp_path))


def test_a_manifest_survives_the_round_trip(tmp_path: Path) -> None:
    manifest = dataclasses.replace(_manifest(), training={"seed": 1}, metrics={"set": {"mean": {}}})
    saved = save_weights(_network(), tmp_path, manifest)
    assert read_manifest(tmp_path / "manifest.json") == saved
    assert "folder" not in json.loads((tmp_path / "manifest.json").read_text())


def test_every_shipped_file_is_the_one_its_manifest_vouches_for() -> None:
    manifests = list_manifests()
    assert "gossamer-s" in {manifest.name for manifest in manifests}
    for manifest in manifests:
        for kind in manifest.files:
            assert manifest.file(kind).is_file()


def _artifact(folder: Path, name: str) -> Manifest:
    (folder / name).write_bytes(name.encode())
    entry = WeightsFile(name, file_sha256(folder / name), len(name))
    manifest = dataclasses.replace(_manifest(), files={"onnx": entry}, artifact={"precision": "fp16"})
    write_manifest(manifest, folder, f"{name}.json")
    return manifest


def test_an_artifact_is_found_by_file_manifest_and_folder(tmp_path: Path) -> None:
    manifest = _artifact(tmp_path, "tiny-fp16.onnx")
    for path in (tmp_path / "tiny-fp16.onnx", tmp_path / "tiny-fp16.onnx.json", tmp_path):
        found = find_manifest(str(path))
        assert found == manifest
        assert found.file("onnx") == tmp_path / "tiny-fp16.onnx"


def test_a_folder_of_two_artifacts_asks_which(tmp_path: Path) -> None:
    _artifact(tmp_path, "a.onnx")
    _artifact(tmp_path, "b.engine")
    with pytest.raises(ModelError, match=r"holds several artifacts: a\.onnx, b\.engine\. Give the path of one"):
        find_manifest(str(tmp_path))


def test_weights_say_nothing_of_artifacts(tmp_path: Path) -> None:
    save_weights(_network(), tmp_path, _manifest())
    assert "artifact" not in json.loads((tmp_path / "manifest.json").read_text())
