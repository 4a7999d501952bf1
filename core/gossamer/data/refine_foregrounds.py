"""Foregrounds of a training set, made smooth where alpha is small (LSA-Matting, training set refinement).

Cut-out foregrounds often hold arbitrary colours where alpha is near 0. New ones minimise, channel by channel,

    sum_i (alpha_i F_i - alpha_i F0_i)^2 + kappa sum over neighbours i, j of (q_i + q_j) (F_i - F_j)^2,

q = (1 - alpha)^2, over the four neighbours of a pixel, mirrored at the border. Jacobi sweeps solve it, coarse to fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gossamer.data.dataset_files import SetCheck
from gossamer.data.derived_files import DerivedReport, Progress, derive, require_own_folder
from gossamer.errors import MissingDependencyError, SettingError
from gossamer.image.image import FloatArray
from gossamer.image.io import read_image, rgb_channels
from gossamer.image.trimap import matte_from_image

__all__ = [
    "ForegroundPair",
    "find_pairs",
    "jacobi_sweeps",
    "reestimate_foreground",
    "refine_foregrounds",
    "resolve_device",
]

LEVELS = 5
"""The coarsest level is 1/32 of the picture."""
SWEEPS = 20
"""At full size; twice as many for each level down."""
SMALLEST_SIDE = 2
"""A level needs two pixels a side, or a mirrored neighbour is the pixel itself."""


def _to_planes(pixels: FloatArray, device: str) -> Any:
    """H x W or H x W x C to C x H x W on ``device``: an array for the CPU, a tensor for anything else."""
    planes = np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), np.float32)
    if device == "cpu":
        return planes
    import torch

    return torch.from_numpy(planes).to(device)


def _from_planes(planes: Any) -> FloatArray:
    pixels: FloatArray = planes if isinstance(planes, np.ndarray) else planes.cpu().numpy()
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _mirror(padded: Any) -> None:
    """Fill the outermost rows and columns: the edge is the mirror and is not repeated."""
    padded[:, 0], padded[:, -1] = padded[:, 2], padded[:, -3]
    padded[:, :, 0], padded[:, :, -1] = padded[:, :, 2], padded[:, :, -3]


_NEIGHBOURS = (
    (slice(0, -2), slice(1, -1)),
    (slice(2, None), slice(1, -1)),
    (slice(1, -1), slice(0, -2)),
    (slice(1, -1), slice(2, None)),
)
"""Rows and columns of a padded plane that hold each pixel's upper, lower, left and right neighbour."""


def jacobi_sweeps(
    estimate: FloatArray, target: FloatArray, alpha: FloatArray, sweeps: int, *, kappa: float = 1.0, device: str = "cpu"
) -> FloatArray:
    """Improve ``estimate`` by Jacobi sweeps at one size.

    Args:
        estimate: H x W x C, where to start; sides of two pixels at least.
        target: H x W x C, alpha times the given foreground.
        alpha: H x W, 0..1.
        sweeps: how many.
        kappa: weight of smoothness.
        device: ``cpu`` computes with numpy, anything else with torch on that device.
    """
    height, width = alpha.shape
    a, constant = _to_planes(alpha, device), _to_planes(target, device)
    start = np.pad(np.asarray(estimate, np.float32), ((1, 1), (1, 1), (0, 0)))
    colors = _to_planes(start, device)
    roughness = _to_planes(np.pad((1 - np.asarray(alpha, np.float32)) ** 2, 1), device)
    _mirror(roughness)
    centre = roughness[:, 1:-1, 1:-1]
    weights = [kappa * (centre + roughness[:, rows, columns]) for rows, columns in _NEIGHBOURS]
    scale = 1 / (a * a + sum(weights[1:], weights[0]))
    constant = a * constant * scale
    weights = [weight * scale for weight in weights]
    for _ in range(sweeps):
        _mirror(colors)
        total = constant
        for weight, (rows, columns) in zip(weights, _NEIGHBOURS, strict=True):
            total = total + weight * colors[:, rows, columns]
        colors[:, 1 : height + 1, 1 : width + 1] = total
    return _from_planes(colors[:, 1:-1, 1:-1])


def _resize(pixels: FloatArray, size: tuple[int, int]) -> FloatArray:
    return np.asarray(cv2.resize(np.asarray(pixels, np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)


def reestimate_foreground(
    foreground: FloatArray, alpha: FloatArray, *, kappa: float = 1.0, device: str = "cpu"
) -> FloatArray:
    """A foreground that keeps ``alpha * foreground`` and is smooth where alpha is small.

    Args:
        foreground: H x W x 3, 0..1, unpremultiplied, in any encoding.
        alpha: H x W, 0..1.
        kappa: weight of smoothness, above 0; 1 in the paper.
        device: ``cpu``, or a torch device.

    Returns:
        H x W x 3 float32, clipped to 0..1. The published code truncates to 8 bits; rounding is left to the writer.

    Raises:
        SettingError: kappa is not above 0.
    """
    if not kappa > 0:
        raise SettingError(f"kappa has to be above 0, not {kappa}: without smoothness, nothing says what F is.")
    height, width = alpha.shape
    target = np.asarray(foreground * alpha[..., None], np.float32)
    estimate = np.asarray(foreground, np.float32)
    for level in range(LEVELS, -1, -1):
        size = (width >> level, height >> level)
        if min(size) < SMALLEST_SIDE:
            continue
        estimate = jacobi_sweeps(
            _resize(estimate, size),
            _resize(target, size),
            _resize(alpha, size),
            SWEEPS << level,
            kappa=kappa,
            device=device,
        )
    return np.asarray(estimate.clip(0, 1), np.float32)


@dataclass(frozen=True)
class ForegroundPair:
    """A foreground and its alpha."""

    name: str
    foreground: Path
    alpha: Path


def find_pairs(foregrounds: Path, alphas: Path) -> tuple[ForegroundPair, ...]:
    """Foregrounds and alphas with equal stems; an alpha without a foreground is left alone.

    Raises:
        DataError: lists every foreground without an alpha, of another size, or of a type PNG cannot hold.
    """
    check, others = SetCheck("The foregrounds", foregrounds), SetCheck("The alphas", alphas)
    colors, mattes = check.files(foregrounds), others.files(alphas)
    pairs = []
    for stem, path in colors.items():
        if stem not in mattes:
            check.problems.append(f"{stem}: nothing in {alphas}")
            continue
        pairs.append(ForegroundPair(stem, path, mattes[stem]))
        check.require_equal_sizes(stem, [path, mattes[stem]])
        check.require_integers(stem, path)
    check.problems += others.problems
    check.finish_pictures(bool(pairs))
    return tuple(pairs)


def resolve_device(device: str) -> str:
    """``cpu`` or ``cuda`` for ``auto``, ``cpu`` or ``cuda``; ``auto`` takes a CUDA device if torch finds one.

    Raises:
        SettingError: no such choice, or there is no CUDA device.
        MissingDependencyError: ``cuda`` without torch.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise SettingError(f"--device is auto, cpu or cuda, not {device!r}.")
    if device == "cpu":
        return "cpu"
    try:
        import torch
    except ImportError as error:
        if device == "auto":
            return "cpu"
        raise MissingDependencyError('--device cuda needs torch: pip install "gossamer-matting[torch]".') from error
    if torch.cuda.is_available():
        return "cuda"
    if device == "auto":
        return "cpu"
    raise SettingError(f"torch {torch.__version__} finds no CUDA device. Use --device cpu.")


def refine_foregrounds(
    pairs: Sequence[ForegroundPair],
    output: Path,
    *,
    kappa: float = 1.0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> DerivedReport:
    """Write a re-estimated foreground of every pair to ``output``, as ``<name>.png`` with the samples' own type.

    A file that an earlier run made from the same two files with the same kappa is left as it is.

    Raises:
        SettingError: ``output`` holds the originals, or kappa is not above 0.
        FrameError: a file cannot be read or written. What was finished stays.
    """
    require_own_folder(output, {path.parent for pair in pairs for path in (pair.foreground, pair.alpha)})

    def make(_name: str, sources: tuple[Path, ...]) -> FloatArray:
        image = read_image(sources[0])
        names = rgb_channels(image.channels, sources[0])
        colors = np.stack([image.channel(name) for name in (names if len(names) == 3 else names * 3)], axis=-1)
        alpha = matte_from_image(read_image(sources[1]), f"the alpha {sources[1]}").matte
        return reestimate_foreground(colors, alpha, kappa=kappa, device=device)

    jobs = [(pair.name, (pair.foreground, pair.alpha), output / f"{pair.name}.png") for pair in pairs]
    return derive(jobs, f"foreground re-estimation 1, kappa {kappa}", make, progress=progress)
