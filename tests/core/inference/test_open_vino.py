"""OpenVINO, for real where it is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gossamer.errors import MissingDependencyError, ModelError
from gossamer.inference.backends import open_backend, open_vino
from gossamer.models.weights import Manifest, WeightsFile, file_sha256, find_manifest

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")


def inputs(height: int = 48, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    plate = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    return plate, np.full((1, 1, height, width), 0.5, np.float32)


@needs_openvino
def test_openvino_answers_as_onnxruntime_does(tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))
    opened = open_backend(manifest, backend="openvino", threads=1)
    expected = open_backend(manifest, backend="onnxruntime", threads=1)
    for size in ((48, 64), (32, 20)):
        assert np.abs(opened.infer(*inputs(*size)) - expected.infer(*inputs(*size))).max() < 1e-5
    assert opened.effective["precision"] == "fp32"
    assert opened.effective["threads"] == 1


@needs_openvino
def test_code_that_reports_usage_is_not_even_loaded() -> None:
    script = (
        "import sys; from gossamer.inference.backends.open_vino import _import_openvino as load; load(); "
        "sys.exit(any('telemetry' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def sharp_weights(folder: Path) -> Manifest:
    """Arithmetic that bf16 would ruin, ``(plate + 4096) - 4096``, before a 1x1 convolution that it would not."""
    weight = np.ones((1, 4, 1, 1), np.float32) / 4
    nodes = [
        helper.make_node("Add", ["plate", "far"], ["a"]),
        helper.make_node("Sub", ["a", "far"], ["b"]),
        helper.make_node("Concat", ["b", "trimap"], ["c"], axis=1),
        helper.make_node("Conv", ["c", "w"], ["alpha"]),
    ]
    floats = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("plate", 3), ("trimap", 1), ("alpha", 1))
    ]
    constants = [numpy_helper.from_array(np.array(4096, np.float32), "far"), numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph(nodes, "sharp", floats[:2], floats[2:], constants)
    path = folder / "sharp.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    files = {"onnx": WeightsFile(path.name, file_sha256(path), path.stat().st_size)}
    return Manifest("sharp", "sharp", "test", "Apache-2.0", 4, True, 4, 4, files, folder=folder)


@needs_openvino
def test_what_comes_before_the_weights_stays_in_full_precision(tmp_path: Path) -> None:
    if "BF16" not in open_vino._import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16")
    opened = open_backend(sharp_weights(tmp_path), backend="openvino", precision="bf16", threads=1)
    assert opened.effective["precision"] == "bf16"
    plate, trimap = inputs()
    expected = np.concatenate([plate, trimap], axis=1).mean(axis=1, keepdims=True)
    assert np.abs(opened.infer(plate, trimap) - expected).max() < 0.01  # all in bf16 it is off by 1


@needs_openvino
def test_a_failing_run_names_the_tile(tiny_weights: Path) -> None:
    opened = open_backend(find_manifest(str(tiny_weights)), backend="openvino", threads=1)
    with pytest.raises(ModelError, match="OpenVINO failed on a tile of 16x16 pixels: the trimap is 8x8"):
        opened.infer(np.zeros((1, 3, 16, 16), np.float32), np.zeros((1, 1, 8, 8), np.float32))


@needs_openvino
def test_a_file_that_openvino_cannot_read_is_named(make_tiny_weights: Callable[..., Path]) -> None:
    folder = make_tiny_weights()
    path = folder / "tiny.onnx"
    path.write_bytes(b"not a network")
    files = {"onnx": WeightsFile(path.name, file_sha256(path), path.stat().st_size)}
    manifest = Manifest("tiny", "tiny", "test", "Apache-2.0", 4, True, 4, 4, files, folder=folder)
    with pytest.raises(ModelError, match=r"OpenVINO cannot load .*tiny\.onnx"):
        open_backend(manifest, backend="openvino")


def test_openvino_that_is_not_installed_names_its_extra(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .gossamer-matting\[openvino\]"):
        open_backend(find_manifest(str(tiny_weights)), backend="openvino")


def test_a_processor_without_bf16_is_told(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SimpleNamespace(Core=lambda: SimpleNamespace(get_property=lambda *_: ["FP32", "INT8"]))
    monkeypatch.setattr(open_vino, "_import_openvino", lambda: plain)
    with pytest.raises(ModelError, match=r"no bf16 instructions. Use --precision fp32"):
        open_backend(find_manifest(str(tiny_weights)), backend="openvino", precision="bf16")
