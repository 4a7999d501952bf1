"""The shipped weights through the whole job, on a frame of the sample shot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gossamer.config import Job, Outputs
from gossamer.image.color import LINEAR, SRGB, from_scene_linear, to_scene_linear
from gossamer.image.image import FloatArray, Image
from gossamer.image.io import read_image, write_image
from gossamer.inference.run import run

SAMPLE = Path(__file__).parents[3] / "core" / "sample"
CROP = (slice(40, 168), slice(40, 232))
"""128 x 192 pixels with ear, side and stray hairs: enough to see, quick to solve."""


@pytest.fixture(scope="module")
def scene() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Plate (scene-linear Rec.709, H W 3, highlights below 0.8), trimap and exact alpha (H W)."""
    plate = read_image(SAMPLE / "fur.1001.exr").pixels[CROP][..., :3]
    trimap = read_image(SAMPLE / "trimap.1001.png").pixels[CROP][..., 0]
    alpha = read_image(SAMPLE / "alpha.1001.exr").pixels[CROP][..., 0]
    return np.ascontiguousarray(np.clip(plate, 0, 0.75)), np.ascontiguousarray(trimap), alpha


def _matte(folder: Path, plate: FloatArray, trimap: FloatArray, space: str, **changes: str) -> FloatArray:
    name = space.split()[0]
    write_image(folder / f"{name}.exr", Image.from_pixels(plate, ("R", "G", "B")), data_type="float")
    write_image(folder / "trimap.png", Image.from_pixels(trimap[..., None], ("Y",)), data_type="uint8")
    job = Job(
        plate=str(folder / f"{name}.exr"),
        trimap=str(folder / "trimap.png"),
        plate_space=space,
        outputs=Outputs(path=str(folder / f"{name}_matte.exr"), data_type="float"),
        **changes,  # type: ignore[arg-type]
    )
    run(job)
    return read_image(folder / f"{name}_matte.exr").pixels[..., 0]


def test_three_colour_spaces_of_one_plate_give_the_same_matte(
    scene: tuple[FloatArray, FloatArray, FloatArray], tmp_path: Path
) -> None:
    linear, trimap, _ = scene
    acescg = from_scene_linear(linear, "ACEScg")
    encoded = from_scene_linear(linear, SRGB)
    assert np.abs(to_scene_linear(encoded, SRGB) - linear).max() < 1e-5
    mattes = [
        _matte(tmp_path, pixels, trimap, space)
        for pixels, space in ((linear, LINEAR), (acescg, "ACEScg"), (encoded, SRGB))
    ]
    for matte in mattes[1:]:
        distance = np.abs(matte - mattes[0])
        # A hair's breadth of rounding may choose another colour pair for single pixels; nobody sees that.
        assert distance.mean() < 1e-4
        assert np.quantile(distance, 0.999) < 0.01


def test_the_shipped_matte_is_near_the_exact_alpha(
    scene: tuple[FloatArray, FloatArray, FloatArray], tmp_path: Path
) -> None:
    plate, trimap, alpha = scene
    matte = _matte(tmp_path, plate, trimap, LINEAR)
    unknown = (trimap > 0.1) & (trimap < 0.9)
    error = np.abs(matte - alpha)[unknown].mean()
    # An even grey would be off by this much.
    assert error < 0.35 * np.abs(0.5 - alpha)[unknown].mean()
    assert (matte[trimap > 0.9] == 1).all()
    assert (matte[trimap < 0.1] == 0).all()


def test_onnx_runtime_and_torch_agree_on_the_shipped_weights(
    scene: tuple[FloatArray, FloatArray, FloatArray], tmp_path: Path
) -> None:
    plate, trimap, _ = scene
    (tmp_path / "torch").mkdir()
    by_onnx = _matte(tmp_path, plate, trimap, LINEAR, backend="onnxruntime", device="cpu")
    by_torch = _matte(tmp_path / "torch", plate, trimap, LINEAR, backend="torch", device="cpu")
    distance = np.abs(by_onnx - by_torch)
    assert distance.max() < 2e-4
