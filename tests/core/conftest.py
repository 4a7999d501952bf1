"""Fixtures that more than one room's tests use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gossamer.image.image import FloatArray, Image
from gossamer.image.io import write_image
from gossamer.models.weights import Manifest, WeightsFile, file_sha256, write_manifest

TINY_RADIUS = 12
"""Pixels around a pixel that the tiny network sees: two 3x3 convolutions, one of them at a quarter of the size."""


def _tiny_graph(gain: float) -> onnx.ModelProto:
    """A network of the shipped one's convention: stride 4, finite reach, weights from a seed, no training."""
    random = np.random.default_rng(7)
    weights = {
        "w1": random.normal(0, gain, (6, 4, 3, 3)),
        "w2": random.normal(0, gain, (6, 6, 3, 3)),
        "w3": random.normal(0, gain, (1, 10, 1, 1)),
        "scales": np.array([1, 1, 4, 4]),
    }
    nodes = [
        helper.make_node("Concat", ["plate", "trimap"], ["x"], axis=1),
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("AveragePool", ["b"], ["c"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["c", "w2"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["d", "", "scales"], ["e"], mode="nearest"),
        helper.make_node("Concat", ["e", "x"], ["f"], axis=1),
        helper.make_node("Conv", ["f", "w3"], ["g"]),
        helper.make_node("Sigmoid", ["g"], ["alpha"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("plate", TensorProto.FLOAT, ["n", 3, "h", "w"]),
            helper.make_tensor_value_info("trimap", TensorProto.FLOAT, ["n", 1, "h", "w"]),
        ],
        [helper.make_tensor_value_info("alpha", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def make_tiny_weights(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder with the tiny network as ONNX and its manifest; returns the folder."""

    def make(name: str = "tiny", *, gain: float = 0.4, margin: int = TINY_RADIUS, multiple_of: int = 4) -> Path:
        folder = tmp_path / f"weights-{name}"
        folder.mkdir()
        path = folder / f"{name}.onnx"
        onnx.save(_tiny_graph(gain), path)
        manifest = Manifest(
            name=name,
            architecture="tiny",
            family="test",
            license="Apache-2.0",
            parameters=600,
            needs_trimap=True,
            multiple_of=multiple_of,
            margin=margin,
            files={"onnx": WeightsFile(path.name, file_sha256(path), path.stat().st_size)},
        )
        write_manifest(manifest, folder)
        return folder

    return make


@pytest.fixture
def tiny_weights(make_tiny_weights: Callable[..., Path]) -> Path:
    """Folder of the tiny network's weights, to be given as ``--model``."""
    return make_tiny_weights()


Shot = tuple[Path, list[FloatArray]]
"""Folder with ``plate.####.exr`` and ``trimap.####.exr``, and the plates' pixels."""


def disc_trimap(height: int, width: int, band: float = 6) -> FloatArray:
    """A disc of foreground with a ring of unknown pixels."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - width / 2, y - height / 2) - min(height, width) / 3
    return np.where(np.abs(distance) <= band, 0.5, np.where(distance < 0, 1.0, 0.0)).astype(np.float32)


@pytest.fixture
def make_shot(tmp_path: Path) -> Callable[..., Shot]:
    """Writes a small scene-linear shot with trimaps."""

    def make(
        name: str = "shot", *, frames: tuple[int, ...] = (1001, 1002, 1003), height: int = 48, width: int = 64
    ) -> Shot:
        folder = tmp_path / name
        folder.mkdir()
        random = np.random.default_rng(3)
        plates = []
        for frame in frames:
            pixels = random.random((height, width, 3), np.float32).astype(np.float16).astype(np.float32)
            plates.append(pixels)
            write_image(folder / f"plate.{frame:04d}.exr", Image.from_pixels(pixels, ("R", "G", "B")), data_type="half")
            trimap = Image.from_pixels(disc_trimap(height, width)[..., None], ("A",))
            write_image(folder / f"trimap.{frame:04d}.exr", trimap, data_type="half")
        return folder, plates

    return make
