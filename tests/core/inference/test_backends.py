"""Choosing and opening the library that runs a network, and what is said when it cannot."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from gossamer.errors import MissingDependencyError, ModelError, SettingError
from gossamer.inference.backends import choose, open_backend
from gossamer.inference.backends.base import failure
from gossamer.inference.solver import create_solver
from gossamer.models.weights import Manifest, WeightsFile, file_sha256, find_manifest, write_manifest

_SILENCED = ("ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL", "PYTEST_CURRENT_TEST")
"""What keeps the library quiet without Gossamer's doing: a test runner is not a user."""


def test_auto_takes_onnxruntime_on_a_machine_without_cuda(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_has_nvidia_driver", lambda: False)
    opened = open_backend(find_manifest(str(tiny_weights)))
    assert str(opened.effective["backend"]).startswith("onnxruntime")
    assert "torch" not in str(opened.effective)


def test_onnxruntime_leaves_nothing_to_send_and_no_identifier(tmp_path: Path) -> None:
    private = {name: value for name, value in os.environ.items() if name not in _SILENCED}
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    script = "from gossamer.inference.backends.onnx_runtime import import_onnxruntime as load; load().SessionOptions()"
    subprocess.run([sys.executable, "-c", script], env=private | home, check=True)
    assert list(tmp_path.iterdir()) == []


def test_half_precision_on_the_cpu_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(SettingError, match="--precision fp16 is for CUDA devices"):
        create_solver(str(tiny_weights), device="cpu", precision="fp16")


def test_wishes_that_exclude_each_other_say_what_goes(tiny_weights: Path) -> None:
    with pytest.raises(
        SettingError, match=r"--backend openvino does not go with --device cuda.*openvino on cpu \(fp32"
    ):
        create_solver(str(tiny_weights), backend="openvino", device="cuda")
    with pytest.raises(SettingError, match=r"--backend onnxruntime does not go with .*--precision bf16"):
        create_solver(str(tiny_weights), backend="onnxruntime", precision="bf16")


def test_half_precision_with_onnxruntime_needs_a_file_of_that_precision(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(ModelError, match=r"hold no fp16 ONNX file. Export one .*--precision fp16"):
        create_solver(str(tiny_weights), backend="onnxruntime", precision="fp16")


def test_cuda_asked_by_name_is_never_replaced_by_the_cpu(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"This ONNX Runtime was built without CUDA. Use --device cpu"):
        create_solver(str(tiny_weights), backend="onnxruntime", device="cuda")


def test_a_session_that_fell_back_to_the_cpu_is_noticed(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    class FallenBack:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", FallenBack)
    with pytest.raises(ModelError, match="ONNX Runtime cannot use the CUDA device"):
        create_solver(str(tiny_weights), backend="onnxruntime", device="cuda")


def test_every_reason_is_given_when_nothing_can_run(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"tiny cannot run as asked.*without CUDA.*hold no safetensors file"):
        create_solver(str(tiny_weights), device="cuda")


def test_torch_without_its_weights_file_is_named(tiny_weights: Path) -> None:
    with pytest.raises(ModelError, match="hold no safetensors file; use --backend onnxruntime"):
        create_solver(str(tiny_weights), backend="torch")


def test_onnxruntime_without_its_weights_file_is_named(tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))
    bare = dataclasses.replace(manifest, files={"safetensors": manifest.files["onnx"]})
    with pytest.raises(ModelError, match="hold no ONNX file; use --backend torch"):
        open_backend(bare, backend="onnxruntime")


@pytest.mark.parametrize(
    ("library", "backend", "extra"), [("onnxruntime", "onnxruntime", r"\[cpu\]"), ("torch", "torch", r"\[torch\]")]
)
def test_a_missing_library_names_the_extra_that_installs_it(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, library: str, backend: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=f"pip install .gossamer-matting{extra}"):
        create_solver(str(tiny_weights), backend=backend)


def test_a_damaged_onnx_file_is_named(tiny_weights: Path) -> None:
    (tiny_weights / "tiny.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"tiny.onnx is not the file its manifest vouches for"):
        create_solver(str(tiny_weights))


def _vouch_for(folder: Path, **changes: object) -> Manifest:
    """Write the manifest again for the ONNX file as it is now."""
    path = folder / "tiny.onnx"
    manifest = dataclasses.replace(
        find_manifest(str(folder)),
        files={"onnx": WeightsFile(path.name, file_sha256(path), path.stat().st_size)},
        **changes,  # type: ignore[arg-type]
    )
    write_manifest(manifest, folder)
    return manifest


def test_a_file_that_is_no_onnx_is_named(tiny_weights: Path) -> None:
    (tiny_weights / "tiny.onnx").write_bytes(b"not a network")
    _vouch_for(tiny_weights)
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot load .*tiny\.onnx"):
        create_solver(str(tiny_weights))


def test_a_network_with_other_inputs_is_refused(tiny_weights: Path) -> None:
    model = onnx.load(tiny_weights / "tiny.onnx")
    for node in model.graph.node:
        node.input[:] = ["photo" if name == "plate" else name for name in node.input]
    model.graph.input[0].name = "photo"
    onnx.save(model, tiny_weights / "tiny.onnx")
    _vouch_for(tiny_weights)
    with pytest.raises(ModelError, match="takes photo, trimap; a matting network takes plate and trimap"):
        create_solver(str(tiny_weights))


def test_a_failing_run_names_the_tile(make_tiny_weights: Callable[..., Path]) -> None:
    opened = open_backend(find_manifest(str(make_tiny_weights())))
    with pytest.raises(ModelError, match="ONNX Runtime failed on a tile of 16x16 pixels"):
        opened.infer(np.zeros((1, 3, 16, 16), np.float32), np.zeros((1, 1, 8, 8), np.float32))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("Failed to allocate memory for requested buffer"), RuntimeError("bad_alloc")]
)
def test_lack_of_memory_says_to_make_the_tiles_smaller(error: Exception) -> None:
    message = str(failure("torch", error, (1, 3, 960, 1024)))
    assert (
        message
        == "torch ran out of memory on a tile of 1024x960 pixels. Give --tile a smaller number, for instance 512."
    )


def test_the_same_bytes_with_one_thread_and_with_two(tiny_weights: Path) -> None:
    manifest = find_manifest(str(tiny_weights))
    plate = np.random.default_rng(0).random((1, 3, 256, 320), np.float32)
    trimap = np.full((1, 1, 256, 320), 0.5, np.float32)
    one, two = (open_backend(manifest, threads=count).infer(plate, trimap) for count in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """Folder with the default network's weights as they are before training; no ONNX file."""
    from gossamer.models.registry import create_model, model_entry
    from gossamer.models.weights import save_weights

    entry = model_entry("gossamer-s")
    folder = tmp_path / "untrained"
    manifest = Manifest(
        name="untrained",
        architecture="gossamer-s",
        family=entry.family,
        license="Apache-2.0",
        parameters=0,
        needs_trimap=True,
        multiple_of=entry.multiple_of,
        margin=entry.margin,
        files={},
    )
    save_weights(create_model("gossamer-s"), folder, manifest)
    return folder


def test_torch_runs_a_network_by_its_safetensors_file(untrained: Path) -> None:
    plate = np.random.default_rng(0).random((70, 90, 3), np.float32)
    trimap = np.full((70, 90), 0.5, np.float32)
    trimap[:, :30], trimap[:, -30:] = 0, 1
    solver = create_solver(str(untrained), backend="torch", device="cpu", threads=1)
    alpha = solver.solve(plate, trimap).alpha
    assert np.array_equal(alpha[trimap != 0.5], trimap[trimap != 0.5])
    assert alpha[trimap == 0.5].std() > 0
    assert str(solver.effective["backend"]).startswith("torch ")
    assert np.array_equal(create_solver(str(untrained), backend="torch", threads=1).solve(plate, trimap).alpha, alpha)


def test_auto_falls_back_to_torch_where_there_is_no_onnx_file(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_has_nvidia_driver", lambda: False)
    manifest = find_manifest(str(untrained))
    opened = open_backend(manifest)
    assert str(opened.effective["backend"]).startswith("torch")
    assert opened.weights_sha256 == manifest.files["safetensors"].sha256


def test_a_failing_torch_run_names_the_tile(untrained: Path) -> None:
    opened = open_backend(find_manifest(str(untrained)), backend="torch", device="cpu")
    with pytest.raises(ModelError, match="torch failed on a tile of 33x32 pixels"):
        opened.infer(np.zeros((1, 3, 32, 33), np.float32), np.zeros((1, 1, 32, 33), np.float32))


def test_torch_without_a_cuda_device_says_so(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"torch .* finds no CUDA device\. Use --device cpu"):
        create_solver(str(untrained), backend="torch", device="cuda")


def test_a_cuda_device_is_tried_before_the_cpu_and_onnxruntime_before_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_has_nvidia_driver", lambda: True)
    assert choose._candidates("auto", "auto", "auto") == [
        ("onnxruntime", "cuda"),
        ("torch", "cuda"),
        ("onnxruntime", "cpu"),
        ("openvino", "cpu"),
        ("torch", "cpu"),
    ]
    assert choose._candidates("torch", "auto", "fp16") == [("torch", "cuda")]
    assert choose._candidates("auto", "cpu", "bf16") == [("openvino", "cpu"), ("torch", "cpu")]
