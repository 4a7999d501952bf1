"""The TensorRT loader, the engines' files and the GPU's memory, on hand-written fakes: no GPU has run this yet."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.errors import CancelledError, GossamerError, MissingDependencyError, ModelError
from gossamer.inference.backends import SizedBackend, device_memory, open_backend, tensorrt_engine
from gossamer.inference.backends.base import UnavailableError
from gossamer.inference.backends.device_memory import CudaPythonMemory, TorchMemory, driver_version, open_device_memory
from gossamer.inference.backends.engine_file import (
    EngineKey,
    EngineManifest,
    EngineRequest,
    engines_folder,
    list_engines,
    read_engine_manifest,
    write_engine_manifest,
)
from gossamer.inference.backends.tensorrt_engine import TensorRtBackend
from gossamer.models.weights import WeightsFile, file_sha256, find_manifest
from tests.fakes.fake_cuda import FakeCudaRuntime, FakeMemory, FakeTensorRt, FakeTorch

KEY = EngineKey("Test GPU", "8.9", "10.9.0", "600.1")


@pytest.fixture
def memory() -> FakeMemory:
    return FakeMemory()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, memory: FakeMemory, tmp_path: Path) -> FakeTensorRt:
    """TensorRT and a GPU, with an empty folder of engines."""
    fake = FakeTensorRt(memory)
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    monkeypatch.setattr(tensorrt_engine, "driver_version", lambda: "600.1")
    monkeypatch.setattr(tensorrt_engine, "_builder", lambda: None)
    monkeypatch.setenv("GOSSAMER_ENGINES", str(tmp_path / "engines"))
    return fake


def put_engine(weights: Path, name: str = "one", **changes: Any) -> EngineManifest:
    """An engine for the ONNX file of ``weights`` in the folder of engines."""
    folder = engines_folder() / name
    folder.mkdir(parents=True)
    engine = folder / "model.engine"
    engine.write_bytes(b"compiled")
    values: dict[str, Any] = {
        "model": "tiny",
        "precision": "fp32",
        "key": KEY,
        "smallest": (64, 64),
        "usual": (128, 128),
        "largest": (256, 320),
        "onnx_sha256": find_manifest(str(weights)).files["onnx"].sha256,
        "engine": WeightsFile(engine.name, file_sha256(engine), engine.stat().st_size),
        **changes,
    }
    return read_engine_manifest(write_engine_manifest(EngineManifest(**values), folder))


def load(weights: Path, memory: FakeMemory, **settings: Any) -> TensorRtBackend:
    return TensorRtBackend(find_manifest(str(weights)), precision="auto", memory=lambda: memory, **settings)


def pictures(height: int, width: int, count: int = 1) -> tuple[Any, Any]:
    plate = np.random.default_rng(0).random((count, 3, height, width), np.float32)
    return plate, np.full((count, 1, height, width), 0.5, np.float32)


def test_an_exported_file_of_half_precision_finds_the_engine_that_was_certified_for_it(
    tiny_weights: Path, library: FakeTensorRt, memory: FakeMemory
) -> None:
    put_engine(tiny_weights, precision="fp16")
    exported = dataclasses.replace(find_manifest(str(tiny_weights)), artifact={"precision": "fp16"})
    opened = TensorRtBackend(exported, precision="auto", memory=lambda: memory)
    assert opened.effective["precision"] == "fp16"
    with pytest.raises(UnavailableError, match=r"There is no engine for .* in fp32"):  # the weights' own file
        load(tiny_weights, memory)


@pytest.mark.parametrize("size", [(128, 96), (40, 200)])
def test_an_engine_gets_every_picture_and_small_ones_are_padded(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path, size: tuple[int, int]
) -> None:
    put_engine(tiny_weights)
    opened = load(tiny_weights, memory)
    plate, trimap = pictures(*size, count=2)
    alpha = opened.infer(plate, trimap)
    assert alpha.shape == (2, 1, *size)
    assert np.abs(alpha - plate.mean(axis=1, keepdims=True)).max() < 1e-6
    assert opened.effective["backend"] == "tensorrt 10.9.0"
    assert opened.effective["gpu"] == "Test GPU"
    assert isinstance(opened, SizedBackend)
    assert opened.largest_side == 256
    assert memory.recorded == 0


def test_an_engine_of_one_size_is_recorded_once_and_replayed(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path
) -> None:
    put_engine(tiny_weights, smallest=(128, 128), largest=(128, 128))
    opened = load(tiny_weights, memory)
    for seed in range(4):
        plate = np.random.default_rng(seed).random((1, 3, 128, 128), np.float32)
        alpha = opened.infer(plate, np.full((1, 1, 128, 128), 0.5, np.float32))
        assert np.abs(alpha - plate.mean(axis=1, keepdims=True)).max() < 1e-6
    assert (memory.recorded, memory.replayed) == (1, 3)


def test_a_tile_larger_than_the_engine_says_to_make_tiles_smaller(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path
) -> None:
    put_engine(tiny_weights)
    with pytest.raises(ModelError, match=r"The engine takes pictures up to 320x256, not 512x64. Give --tile a smaller"):
        load(tiny_weights, memory).infer(*pictures(64, 512))


def test_an_engine_for_another_machine_is_not_used_and_the_difference_is_named(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path
) -> None:
    put_engine(tiny_weights, key=dataclasses.replace(KEY, driver="550.2", gpu="Old GPU"))
    with pytest.raises(UnavailableError) as caught:
        load(tiny_weights, memory)
    assert isinstance(caught.value.reason, MissingDependencyError)
    assert "gpu Test GPU instead of Old GPU, driver 600.1 instead of 550.2" in str(caught.value)
    assert 'pip install "gossamer-matting[export]" tensorrt, or use' in str(caught.value)


def test_an_engine_that_is_missing_is_built_with_progress(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_engine(tiny_weights, key=dataclasses.replace(KEY, tensorrt="10.1.0"))
    asked: list[EngineRequest] = []

    def build(
        request: EngineRequest,
        *,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path:
        asked.append(request)
        if cancelled is not None and cancelled():
            raise CancelledError("Cancelled.")
        assert progress is not None
        progress(0.5, "timing layers")
        put_engine(tiny_weights, "two", key=request.key, smallest=request.smallest, largest=request.largest)
        return request.folder / "two" / "model.engine.json"

    monkeypatch.setattr(tensorrt_engine, "_builder", lambda: build)
    told: list[tuple[float, str]] = []
    with pytest.raises(CancelledError):
        load(tiny_weights, memory, building=lambda *words: told.append(words), cancelled=lambda: True)
    opened = load(tiny_weights, memory, building=lambda *words: told.append(words))
    assert told == [(0.5, "timing layers")]
    assert asked[-1].onnx == tiny_weights / "tiny.onnx"
    assert asked[-1].key == KEY
    assert opened.largest_side == 1536
    load(tiny_weights, memory)  # now there is one
    assert len(asked) == 2


def test_a_builder_that_gives_something_else_is_refused(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = put_engine(tiny_weights, key=dataclasses.replace(KEY, gpu="Old GPU"))
    monkeypatch.setattr(tensorrt_engine, "_builder", lambda: lambda *_, **__: made.folder / "model.engine.json")
    with pytest.raises(ModelError, match="was built for something else"):
        load(tiny_weights, memory)


def test_a_changed_engine_is_refused(library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path) -> None:
    path = put_engine(tiny_weights).file()
    path.write_bytes(b"compiled otherwise")
    with pytest.raises(ModelError, match=r"model.engine is not the engine its manifest vouches for"):
        load(tiny_weights, memory)
    path.unlink()
    with pytest.raises(ModelError, match=r"model.engine is missing. Remove its folder"):
        load(tiny_weights, memory)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loads": False}, "TensorRT cannot load .*model.engine"),
        ({"context": None}, "not enough GPU memory to start"),
        ({"dtype": "float16"}, "plate is not float32. Build it from an ONNX file with float32 in and out"),
        ({"names": ("photo", "trimap", "alpha")}, "takes photo, trimap; a matting network takes plate and trimap"),
    ],
)
def test_an_engine_that_does_not_load_says_why(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path, change: dict[str, Any], said: str
) -> None:
    put_engine(tiny_weights)
    vars(library).update(change)
    with pytest.raises(ModelError, match=said):
        load(tiny_weights, memory)


def test_a_pass_that_is_refused_or_fails_is_an_error(
    library: FakeTensorRt, memory: FakeMemory, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_engine(tiny_weights)
    opened = load(tiny_weights, memory)
    assert library.context is not None
    library.context.refuses = True
    with pytest.raises(ModelError, match="TensorRT refused to run the engine"):
        opened.infer(*pictures(64, 64))

    def fail(name: str, values: object) -> None:
        raise RuntimeError("cudaErrorMemoryAllocation: out of memory")

    monkeypatch.setattr(memory, "upload", fail)
    with pytest.raises(ModelError, match="TensorRT ran out of memory on a tile of 64x64 pixels"):
        opened.infer(*pictures(64, 64))


def test_tensorrt_that_is_not_installed_is_named(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match="TensorRT is not installed: pip install tensorrt"):
        open_backend(find_manifest(str(tiny_weights)), backend="tensorrt")


def test_tensorrt_without_a_gpu_says_so(
    library: FakeTensorRt, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(ModelError, match=r"TensorRT needs an NVIDIA GPU, and torch .* finds none. Use --backend onnx"):
        open_backend(find_manifest(str(tiny_weights)), backend="tensorrt")


def test_broken_manifests_of_engines_are_named_and_left_out(library: FakeTensorRt, tiny_weights: Path) -> None:
    made = put_engine(tiny_weights)
    path = made.folder / "model.engine.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    assert list_engines(engines_folder()) == [made]
    for text, said in (
        ("[]", "is not the manifest of an engine"),
        (json.dumps({**values, "schema": 9}), "has engine schema 9; this version reads 2"),
        (json.dumps({**values, "largest": [1]}), "is not the manifest of an engine"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ModelError, match=said):
            read_engine_manifest(path)
    assert list_engines(engines_folder()) == []
    with pytest.raises(ModelError, match="Cannot read the engine's manifest"):
        read_engine_manifest(path.with_name("none.json"))


def test_the_folder_of_engines_can_be_named_and_has_a_place_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOSSAMER_ENGINES", str(tmp_path))
    assert engines_folder() == tmp_path
    monkeypatch.delenv("GOSSAMER_ENGINES")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert engines_folder() == tmp_path / "cache" / "gossamer" / "engines"


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> FakeCudaRuntime:
    """cuda-python, and no torch."""
    fake = FakeCudaRuntime()
    monkeypatch.setitem(sys.modules, "torch", None)
    package = type(sys)("cuda.bindings")
    package.runtime = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cuda", type(sys)("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.bindings", package)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", fake)
    return fake


def test_memory_by_cuda_python_keeps_grows_and_gives_back(runtime: FakeCudaRuntime) -> None:
    opened = open_device_memory()
    assert isinstance(opened, CudaPythonMemory)
    assert opened.describe() == ("Test GPU", "8.9")
    small, large = np.arange(6, dtype=np.float32), np.arange(40, dtype=np.float32)
    first = opened.address("plate", small.nbytes)
    opened.upload("plate", small)
    assert np.array_equal(opened.download("plate", (2, 3)), small.reshape(2, 3))
    assert opened.address("plate", 8) == first
    opened.address("plate", large.nbytes)
    opened.upload("plate", large)
    assert np.array_equal(opened.download("plate", (40,)), large)
    assert len(runtime.live) == 1


def test_work_by_cuda_python_is_recorded_and_replayed(runtime: FakeCudaRuntime) -> None:
    done: list[int] = []
    replay = open_device_memory().record(lambda: done.append(1))
    replay()
    assert runtime.calls == ["begin", "end", "launch ready graph"]
    assert done == [1]


def test_an_error_of_cuda_is_named(runtime: FakeCudaRuntime) -> None:
    opened = open_device_memory()
    runtime.error = 2
    with pytest.raises(ModelError, match="CUDA says 2 in cudaMalloc"):
        opened.address("plate", 100)


def test_cuda_python_without_a_gpu_says_so(runtime: FakeCudaRuntime) -> None:
    runtime.devices = 0
    with pytest.raises(UnavailableError, match="CUDA finds none"):
        open_device_memory()


def test_memory_by_torch_keeps_grows_and_gives_back() -> None:
    torch = FakeTorch()
    opened = TorchMemory(torch)
    assert opened.describe() == ("Test GPU", "9.0")
    small, large = np.arange(6, dtype=np.float32), np.arange(40, dtype=np.float32)
    first = opened.address("plate", small.nbytes)
    opened.upload("plate", small)
    assert np.array_equal(opened.download("plate", (2, 3)), small.reshape(2, 3))
    assert opened.address("plate", 8) == first
    opened.upload("plate", small + 1)  # the same pinned memory again, once the last copy is over
    assert torch.pinned == 1
    opened.address("plate", large.nbytes)
    opened.upload("plate", large)
    assert np.array_equal(opened.download("plate", (40,)), large)
    assert "synchronize" in torch.calls


def test_work_by_torch_is_recorded_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = FakeTorch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    opened = open_device_memory()
    assert isinstance(opened, TorchMemory)
    assert opened.stream == 5
    done: list[int] = []
    replay = opened.record(lambda: done.append(1))
    replay()
    replay()
    assert done == [1]
    assert torch.calls == ["replay", "replay"]


def test_neither_torch_nor_cuda_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(UnavailableError, match="pip install cuda-python") as caught:
        open_device_memory()
    assert isinstance(caught.value.reason, GossamerError)


def test_the_driver_is_asked_for_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(device_memory, "DRIVER_FILE", tmp_path / "version")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert driver_version() == "unknown"
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 601.5\n", encoding="ascii")
    program.chmod(0o755)
    assert driver_version() == "601.5"
    (tmp_path / "version").write_text("602.7\n", encoding="ascii")
    assert driver_version() == "602.7"
