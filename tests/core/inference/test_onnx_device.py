"""ONNX Runtime's GPU providers on a hand-written session: no GPU has run this yet."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from gossamer.errors import ModelError
from gossamer.inference.backends import open_backend
from gossamer.inference.backends.onnx_device import OnnxDeviceBackend
from gossamer.models.weights import find_manifest


class Binding:
    """What ``InferenceSession.io_binding`` gives."""

    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.output = ("", "")

    def bind_cpu_input(self, name: str, values: Any) -> None:
        self.inputs[name] = values

    def bind_output(self, name: str, device: str) -> None:
        self.output = name, device

    def copy_outputs_to_cpu(self) -> list[Any]:
        assert self.output == ("alpha", "cuda")
        return [self.inputs["plate"].mean(axis=1, keepdims=True)]


class Value:
    def __init__(self, name: str) -> None:
        self.name = name


class Session:
    """An ``InferenceSession`` that takes the first provider it is offered."""

    takes = True
    offered: list[Any] = []  # noqa: RUF012 - one list for the class is what the tests look at

    def __init__(self, path: str, options: Any, *, providers: list[Any]) -> None:
        Session.offered = providers
        self.ran = 0

    def get_providers(self) -> list[str]:
        names = [provider if isinstance(provider, str) else provider[0] for provider in Session.offered]
        return names if Session.takes else names[-1:]

    def get_inputs(self) -> list[Value]:
        return [Value("plate"), Value("trimap")]

    def get_outputs(self) -> list[Value]:
        return [Value("alpha")]

    def io_binding(self) -> Binding:
        return Binding()

    def run_with_iobinding(self, binding: Binding, options: object) -> None:
        if binding.inputs["plate"].shape != (
            *binding.inputs["trimap"].shape[:1],
            3,
            *binding.inputs["trimap"].shape[2:],
        ):
            raise RuntimeError("shapes do not fit")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An ONNX Runtime for GPUs, and a folder for engines."""
    names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(Session, "takes", True)
    monkeypatch.setenv("GOSSAMER_ENGINES", str(tmp_path / "engines"))


@pytest.mark.parametrize(
    ("backend", "provider"),
    [("onnxruntime", "CUDAExecutionProvider"), ("onnxruntime-tensorrt", "TensorrtExecutionProvider")],
)
def test_pictures_go_through_bound_buffers(gpu: None, tiny_weights: Path, backend: str, provider: str) -> None:
    opened = open_backend(find_manifest(str(tiny_weights)), backend=backend, device="cuda")
    assert Session.offered[0][0] == provider
    assert opened.effective["device"] == "cuda"
    assert str(opened.effective["backend"]).startswith(f"{backend} ")
    plate = np.random.default_rng(0).random((1, 3, 8, 12), np.float32)
    alpha = opened.infer(plate, np.full((1, 1, 8, 12), 0.5, np.float32))
    assert np.array_equal(alpha, plate.mean(axis=1, keepdims=True))
    with pytest.raises(ModelError, match="ONNX Runtime failed on a tile of 12x8 pixels: shapes do not fit"):
        opened.infer(plate, np.full((1, 1, 4, 4), 0.5, np.float32))


def test_the_precision_told_is_that_of_the_file(gpu: None, tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))
    exported = dataclasses.replace(manifest, artifact={"precision": "fp16"})
    for weights, precision in ((manifest, "fp32"), (exported, "fp16")):
        opened = OnnxDeviceBackend(weights, provider="cuda", precision="auto")
        assert opened.effective["precision"] == precision


def test_engines_compiled_by_onnxruntime_are_kept_apart_for_each_file(gpu: None, tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))
    open_backend(manifest, backend="onnxruntime-tensorrt", device="cuda")
    folder = Path(Session.offered[0][1]["trt_engine_cache_path"])
    assert folder.is_dir()
    assert manifest.files["onnx"].sha256[:12] in folder.name


def test_a_folder_of_engines_that_cannot_be_made_is_named(
    gpu: None, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setenv("GOSSAMER_ENGINES", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"Cannot make the folder .* Name another one in GOSSAMER_ENGINES"):
        open_backend(find_manifest(str(tiny_weights)), backend="onnxruntime-tensorrt", device="cuda")


def test_a_tensorrt_provider_that_fell_back_is_noticed(
    gpu: None, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "takes", False)
    with pytest.raises(ModelError, match="cannot use the TensorRT provider: driver, TensorRT, CUDA"):
        open_backend(find_manifest(str(tiny_weights)), backend="onnxruntime-tensorrt", device="cuda")
