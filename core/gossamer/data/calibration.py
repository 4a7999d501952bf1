"""Compare the generator with photographs: band, alpha, colour and how hard classical solvers find the crops.

A gain on synthetic samples that does not show on photographs is no gain; these numbers say how alike the two are.
Photographs come as crops around unknown pixels, as large as the samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.photos import list_pictures, read_picture
from gossamer.data.synthetic import SampleGenerator
from gossamer.data.trimaps import BACKGROUND, FOREGROUND, UNKNOWN
from gossamer.errors import DataError
from gossamer.image.image import FloatArray
from gossamer.image.load_pymatting import load_pymatting

__all__ = [
    "Crop",
    "comparison_table",
    "crop_statistics",
    "folder_crops",
    "generator_crops",
    "solver_errors",
    "summarize",
]


@dataclass(frozen=True, eq=False)
class Crop:
    """Plate, trimap and true alpha of one square."""

    plate: FloatArray
    """S x S x 3, encoded 0..1."""
    trimap: NDArray[np.uint8]
    """0, 128, 255."""
    alpha: FloatArray
    """0..1."""


def generator_crops(generator: SampleGenerator, count: int, *, first: int = 0) -> Iterator[Crop]:
    """Samples ``first`` to ``first + count - 1``."""
    for index in range(first, first + count):
        sample = generator.sample(index)
        yield Crop(sample.plate.astype(np.float32) / np.float32(255), sample.trimap, sample.alpha)


def folder_crops(folder: Path, trimap: str, *, size: int, count: int, seed: int) -> Iterator[Crop]:
    """Squares of a folder with ``image/``, ``alpha/`` and a trimap folder, placed at random around unknown pixels.

    Args:
        folder: evaluation data with equal stems.
        trimap: name of the trimap folder.
        size: side of the squares.
        count: how many; the pictures take turns.
        seed: places them.

    Raises:
        DataError: a folder or file is missing, or sizes differ.
    """
    rng = np.random.default_rng(seed)
    images = list_pictures(folder / "image")
    for number in range(count):
        image = images[number % len(images)]
        plate = read_picture(image, longest=1 << 16)
        planes = []
        for part in ("alpha", trimap):
            path = folder / part / f"{image.stem}.png"
            if not path.is_file():
                raise DataError(f"{path} is missing beside {image}.")
            planes.append(read_picture(path, longest=1 << 16, channels=1))
            if planes[-1].shape != plate.shape[:2]:
                raise DataError(f"{path} and {image} differ in size.")
        height, width = plate.shape[:2]
        unknown = np.flatnonzero(planes[1] == UNKNOWN)
        y, x = np.divmod(int(rng.choice(unknown)) if len(unknown) else 0, width)
        jitter = rng.integers(-size // 3, size // 3 + 1, 2)
        top = int(np.clip(y - size // 2 + jitter[0], 0, max(height - size, 0)))
        left = int(np.clip(x - size // 2 + jitter[1], 0, max(width - size, 0)))
        part_of = np.s_[top : top + size, left : left + size]
        yield Crop(
            plate[part_of].astype(np.float32) / np.float32(255),
            planes[1][part_of],
            planes[0][part_of].astype(np.float32) / np.float32(255),
        )


def _spread(color: FloatArray, where: NDArray[np.bool_]) -> float:
    """How much colour varies within 9 x 9 pixels, averaged over a region: root of the mean local variance."""
    weight = where.astype(np.float32)
    total = cv2.boxFilter(weight, -1, (9, 9), normalize=False)
    first = cv2.boxFilter(color * weight[..., None], -1, (9, 9), normalize=False)
    second = cv2.boxFilter(color * color * weight[..., None], -1, (9, 9), normalize=False)
    enough = where & (total >= 40)
    if not enough.any():
        return float("nan")
    count = total[enough][:, None]
    variance = second[enough] / count - (first[enough] / count) ** 2
    return float(np.sqrt(np.maximum(variance, 0).mean()))


def crop_statistics(crop: Crop) -> dict[str, float]:
    """Numbers of one crop; not-a-number where they are undefined.

    Shares inside the unknown band: ``opaque`` (alpha = 1), ``clear`` (alpha = 0), ``mixed`` (0.02 < alpha < 0.98), and
    of the mixed ones ``low``, ``middle``, ``high`` (below 0.25, between, above 0.75). ``depth``: mean distance of
    unknown pixels to the nearest known one. ``slope``: mean alpha gradient of mixed pixels per pixel. ``f_spread``,
    ``b_spread``: local colour variation of the known sides within 24 pixels of the band. ``contrast``: distance of
    their mean colours there. ``brightness`` and ``warmth`` (red minus blue) of the plate.
    """
    unknown = crop.trimap == UNKNOWN
    inside = crop.alpha[unknown]
    mixed = unknown & (crop.alpha > 0.02) & (crop.alpha < 0.98)
    values = crop.alpha[mixed]
    result = {
        "unknown": float(unknown.mean()),
        "opaque": float((inside >= 0.999).mean()) if inside.size else float("nan"),
        "clear": float((inside <= 0.001).mean()) if inside.size else float("nan"),
        "mixed": float(mixed.sum() / max(inside.size, 1)),
        "low": float((values < 0.25).mean()) if values.size else float("nan"),
        "middle": float(((values >= 0.25) & (values <= 0.75)).mean()) if values.size else float("nan"),
        "high": float((values > 0.75).mean()) if values.size else float("nan"),
    }
    if unknown.any() and not unknown.all():
        distance = cv2.distanceTransform(unknown.astype(np.uint8), cv2.DIST_L2, 5)
        result["depth"] = float(distance[unknown].mean())
    dx = cv2.Sobel(crop.alpha, cv2.CV_32F, 1, 0, scale=0.125)
    dy = cv2.Sobel(crop.alpha, cv2.CV_32F, 0, 1, scale=0.125)
    result["slope"] = float(np.hypot(dx, dy)[mixed].mean()) if mixed.any() else float("nan")
    near = cv2.distanceTransform((~unknown).astype(np.uint8), cv2.DIST_L2, 5) <= 24
    sides = {"f": near & (crop.trimap == FOREGROUND), "b": near & (crop.trimap == BACKGROUND)}
    for name, where in sides.items():
        result[f"{name}_spread"] = _spread(crop.plate, where)
    if all(where.sum() > 50 for where in sides.values()):
        means = [crop.plate[where].mean(0) for where in sides.values()]
        result["contrast"] = float(np.linalg.norm(means[0] - means[1]))
    result["brightness"] = float(crop.plate.mean())
    result["warmth"] = float((crop.plate[..., 0] - crop.plate[..., 2]).mean())
    return result


def solver_errors(crop: Crop, solvers: Sequence[str] = ("closed-form", "shared")) -> dict[str, float]:
    """Mean absolute error inside the band of PyMatting's solvers; empty if one side or the band is missing.

    Raises:
        MissingDependencyError: PyMatting is not installed.
    """
    library = load_pymatting("Measuring classical solvers")
    unknown = crop.trimap == UNKNOWN
    if not unknown.any() or not (crop.trimap == FOREGROUND).any() or not (crop.trimap == BACKGROUND).any():
        return {}
    plate = crop.plate.astype(np.float64)
    trimap = np.where(unknown, 0.5, crop.trimap / 255).astype(np.float64)
    estimates = {"closed-form": library.estimate_alpha_cf, "shared": library.estimate_alpha_sm}
    errors = {}
    for name in solvers:
        kwargs = {"cg_kwargs": {"maxiter": 1000}} if name == "closed-form" else {}
        alpha = np.clip(estimates[name](plate, trimap, **kwargs), 0, 1)
        errors[name] = float(np.abs(alpha - crop.alpha)[unknown].mean())
    return errors


def summarize(rows: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float, float, float]]:
    """Mean, 25th, 50th and 75th percentile of every number, without undefined ones."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    result = {}
    for name in names:
        values = np.array([row[name] for row in rows if name in row and np.isfinite(row[name])])
        if values.size:
            low, middle, high = np.percentile(values, [25, 50, 75])
            result[name] = (float(values.mean()), float(low), float(middle), float(high))
    return result


def comparison_table(columns: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Markdown: one row a number, one column a set of crops; each cell is ``mean (25 % / 50 % / 75 %)``."""
    summaries = {title: summarize(rows) for title, rows in columns.items()}
    names = list(dict.fromkeys(name for summary in summaries.values() for name in summary))
    lines = ["| number | " + " | ".join(summaries) + " |", "| --- |" + " --- |" * len(summaries)]
    for name in names:
        cells = []
        for summary in summaries.values():
            mean, *rest = summary.get(name, (float("nan"),) * 4)
            cells.append(f"{mean:.3f} ({' / '.join(f'{value:.3f}' for value in rest)})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
