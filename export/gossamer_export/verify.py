"""Both sides on the golden inputs: the network in torch and float32, the artifact as users load it.

An artifact is opened by its manifest with ``gossamer.inference.backends``, hash check included, so what is certified is
what ``gossamer matte`` will run.
"""

from __future__ import annotations

import dataclasses
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from gossamer.errors import GossamerError, ModelError
from gossamer.evaluation.machine import cores
from gossamer.image.image import FloatArray, Window
from gossamer.image.trimap import KNOWN_TOLERANCE
from gossamer.inference.merging import read_window
from gossamer.metrics.regions import Region
from gossamer.metrics.sad import sad
from gossamer_export.golden import GoldenCase, any_size_cases, fit_cases, golden_cases
from gossamer_export.self_contained import padding_before

__all__ = ["LIMITS", "Infer", "Limits", "Results", "Sizes", "compare", "over_limits", "reference", "time_artifact"]

Infer = Callable[[FloatArray, FloatArray | None], FloatArray]
"""Plate N 3 H W and trimap N 1 H W (None for trimap-free networks) to alpha N 1 H W."""
Ask = Callable[[nn.Module, FloatArray, FloatArray | None], FloatArray]
"""What a network is asked of a plate and its trimap, N 1 H W."""
Sizes = tuple[tuple[int, int], tuple[int, int]]
"""The smallest and the largest picture (height, width) that an engine takes."""
TIMED_SIZE = 512
"""Side of the picture that :func:`time_artifact` solves."""
TIES: Mapping[str, float] = {"fp32": 1e-4, "fp16": 1e-3}
"""By precision: what it may change in alpha (fp16: on average) it may change in a network's own choice between classes
as well. Pixels whose two likeliest classes are no further apart are not compared."""


@dataclass(frozen=True)
class Limits:
    """What an artifact's alpha may differ from the network's, on what is compared of all golden inputs together."""

    max: float | None = None
    mean: float | None = None
    p999: float | None = None
    """Of the 99.9th percentile."""

    def stated(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


LIMITS: Mapping[str, Limits] = {
    "fp32": Limits(max=1e-4),
    "fp16": Limits(mean=1e-3, p999=1e-2),
}
"""By precision."""


@dataclass(frozen=True)
class Results:
    """What was measured. Errors are |alpha of the artifact - alpha of the network| in ``region``."""

    max: float
    mean: float
    p999: float
    """99.9th percentile."""
    worst_input: str
    """The golden input with the largest error."""
    inputs: int
    region: Region
    """What is compared: the unknown pixels; the whole picture of a network that is shown no trimap."""
    compared_pixels: int
    sad_network: float
    """Mean SAD of the network over the truth set, in ``region``, divided by 1000 as usual."""
    sad_artifact: float
    sad_difference: float
    """Largest difference of the two on one picture."""
    undecided_pixels: int = 0
    """Set aside, because rounding decides which class the network sees there (:data:`TIES`; GFM)."""
    disobeyed_pixels: int = 0
    """Known ones where the artifact does not give exactly the trimap's 0 or 1."""
    disobeyed_input: str = ""
    """The first golden input with such pixels."""


def reference(network: nn.Module, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
    """Alpha N 1 H W of the network itself, float32."""
    inputs = [torch.from_numpy(np.ascontiguousarray(value)) for value in (plate, trimap) if value is not None]
    with torch.inference_mode():
        alpha = network.eval().forward_matte(*inputs)  # type: ignore[operator]
    return np.asarray(alpha.numpy(), np.float32)


def undecided(network: nn.Module, plate: FloatArray, _trimap: FloatArray | None, *, margin: float) -> FloatArray:
    """N 1 H W, 1 where two classes of the network are at most ``margin`` apart, else 0; no trimap has a say in that."""
    with torch.inference_mode():
        tied = network.undecided(torch.from_numpy(np.ascontiguousarray(plate)), margin)  # type: ignore[operator]
    return np.asarray(tied.numpy(), np.float32)


def reference_any_size(
    network: nn.Module,
    plate: FloatArray,
    trimap: FloatArray | None,
    *,
    multiple_of: int,
    ask: Ask = reference,
) -> FloatArray:
    """The same, or what ``ask`` answers, for pictures of any size, with the product's own reading of trimaps and its
    padding by reflection."""
    height, width = plate.shape[2:]
    before = padding_before(multiple_of)
    # Up to the next whole step behind the border, which is `before` on this side as well for pictures of whole steps.
    tall, wide = (before + _whole_steps(size, multiple_of) for size in (height, width))
    window = Window(-before, -before, wide, tall)
    clean = np.clip(np.where(np.isnan(plate), 0, plate), 0, 1).astype(np.float32)
    levels = None if trimap is None else read_trimap(trimap)
    answers = []
    for index in range(len(plate)):
        padded = [_padded(value[index], window) for value in (clean, levels) if value is not None]
        alpha = ask(network, padded[0], padded[1] if levels is not None else None)
        answers.append(alpha[..., before : before + height, before : before + width])
    result = np.concatenate(answers).clip(0, 1)
    if levels is None:
        return result
    return np.where(levels == 0.5, result, levels)


def read_trimap(trimap: FloatArray) -> FloatArray:
    """Values as the product reads them (gossamer.image.trimap): 0, 0.5, 1; NaN is unknown."""
    with np.errstate(invalid="ignore"):
        return np.where(
            trimap <= KNOWN_TOLERANCE, 0.0, np.where(trimap >= 1 - np.float32(KNOWN_TOLERANCE), 1.0, 0.5)
        ).astype(np.float32)


def _whole_steps(size: int, multiple_of: int) -> int:
    from gossamer.inference.tiling import BORDER

    return -(-(size + BORDER) // multiple_of) * multiple_of


def _padded(planes: FloatArray, window: Window) -> FloatArray:
    picture = read_window(planes.transpose(1, 2, 0), window)
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)


def compare(
    infer: Infer,
    network: nn.Module,
    *,
    multiple_of: int,
    needs_trimap: bool,
    any_size: bool = False,
    sizes: Sizes | None = None,
    precision: str = "fp32",
) -> Results:
    """Run both sides on every golden input.

    A network that is shown a trimap is compared where that is unknown; elsewhere the artifact has to give what the
    trimap says. A network that is shown none answers for every pixel, so every pixel is compared.

    Args:
        infer: the artifact.
        network: the same in torch.
        multiple_of: of the network.
        needs_trimap: whether the network is shown a trimap.
        any_size: the artifact is self-contained: it is shown odd sizes too and has to pad as the product does.
        sizes: those that an engine takes.
        precision: of the artifact's learned layers, ``fp32`` or ``fp16``.

    Raises:
        SettingError: ``sizes`` leave no golden picture.
        ModelError: the artifact fails on an input, or gives another shape, or values that are not numbers.
    """
    cases: Sequence[GoldenCase] = [*golden_cases(multiple_of), *(any_size_cases() if any_size else ())]
    if sizes is not None:
        cases = fit_cases(cases, *sizes)

    def expect(ask: Ask, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        if any_size:
            return reference_any_size(network, plate, trimap, multiple_of=multiple_of, ask=ask)
        return ask(network, plate, trimap)

    region: Region = "unknown" if needs_trimap else "whole"
    set_aside = 0
    disobeyed: list[int] = []
    errors: list[FloatArray] = []
    sads: list[tuple[float, float]] = []
    for case in cases:
        trimap = case.trimap if needs_trimap else None
        found, expected = _answer(infer, case, trimap), expect(reference, case.plate, trimap)
        _check(found, expected, case)
        if trimap is None:
            compared = np.ones_like(found, bool)
            disobeyed.append(0)
        else:
            levels = read_trimap(trimap)
            compared = levels == 0.5
            disobeyed.append(int((~compared & (found != levels)).sum()))
        if hasattr(network, "undecided"):
            tied = compared & (expect(partial(undecided, margin=TIES[precision]), case.plate, None) > 0)
            set_aside += int(tied.sum())
            compared &= ~tied
        errors.append(np.abs(found - expected)[compared])
        if case.truth is not None:
            sads.append((_sad(expected, case, region), _sad(found, case, region)))
    every = np.concatenate(errors).astype(np.float64)
    if not every.size:
        raise ModelError(
            "Rounding decides between two classes of the network at every pixel: it has learned nothing yet."
        )
    by_network, by_artifact = np.array(sads).T
    labels = [case.label for case in cases]
    return Results(
        max=float(every.max()),
        mean=float(every.mean()),
        p999=float(np.quantile(every, 0.999)),
        worst_input=labels[int(np.argmax([error.max(initial=0) for error in errors]))],
        inputs=len(cases),
        region=region,
        compared_pixels=int(every.size),
        sad_network=float(by_network.mean()),
        sad_artifact=float(by_artifact.mean()),
        sad_difference=float(np.abs(by_network - by_artifact).max()),
        undecided_pixels=set_aside,
        disobeyed_pixels=sum(disobeyed),
        disobeyed_input=next((label for label, pixels in zip(labels, disobeyed, strict=True) if pixels), ""),
    )


def _answer(infer: Infer, case: GoldenCase, trimap: FloatArray | None) -> FloatArray:
    try:
        return infer(case.plate, trimap)
    except GossamerError as error:
        raise ModelError(f"The artifact cannot be run on the golden input {case.label}: {error}") from error


def _check(found: FloatArray, expected: FloatArray, case: GoldenCase) -> None:
    if found.shape != expected.shape:
        raise ModelError(
            f"The artifact answers {found.shape} where the network answers {expected.shape}, on {case.label}."
        )
    if not np.isfinite(found).all():
        raise ModelError(f"The artifact gives values that are not numbers on the golden input {case.label}.")


def _sad(alpha: FloatArray, case: GoldenCase, region: Region) -> float:
    assert case.truth is not None
    return sad(alpha[0, 0], case.truth[0, 0], case.trimap[0, 0], region=region)


def over_limits(results: Results, limits: Limits) -> list[str]:
    """Each limit that is exceeded, and known pixels that differ from the trimap, in words; empty if there are none."""
    measured = {
        "max": ("largest error", results.max),
        "mean": ("mean error", results.mean),
        "p999": ("99.9th percentile of the error", results.p999),
    }
    found = [
        f"{measured[name][0]} {measured[name][1]:.2e}, allowed {limit:.0e}"
        for name, limit in limits.stated().items()
        if not measured[name][1] <= limit  # a NaN is over every limit
    ]
    if results.disobeyed_pixels:
        found.append(
            f"known pixels that are not exactly the trimap's 0 or 1: {results.disobeyed_pixels}, first on "
            f"{results.disobeyed_input}"
        )
    return found


def time_artifact(infer: Infer, *, needs_trimap: bool, sizes: Sizes | None = None) -> dict[str, Any]:
    """Median milliseconds of three passes over a picture of 512 x 512 after one to warm up, and the machine's kind.

    For an engine that takes no such picture, the size of its ``sizes`` that is nearest.

    ``cpu_milliseconds`` is the time of all cores together, which other programs on the machine hardly change.
    """
    random = np.random.default_rng(0)
    least, most = sizes or ((1, 1), (TIMED_SIZE, TIMED_SIZE))
    height, width = (min(max(TIMED_SIZE, low), high) for low, high in zip(least, most, strict=True))
    plate = random.random((1, 3, height, width), np.float32)
    trimap = np.full((1, 1, height, width), 0.5, np.float32) if needs_trimap else None
    spent, worked = [], []
    for _ in range(4):
        begun, busy = time.perf_counter(), time.process_time()
        infer(plate, trimap)
        spent.append((time.perf_counter() - begun) * 1000)
        worked.append((time.process_time() - busy) * 1000)
    return {
        "size": f"{width}x{height}",
        "milliseconds": round(statistics.median(spent[1:]), 1),
        "cpu_milliseconds": round(statistics.median(worked[1:]), 1),
        "machine": f"{platform.system()} {platform.machine()}, {cores()} cores",
    }
