"""Both sides on the golden inputs: what is measured, what is refused."""

import dataclasses

import numpy as np
import pytest
from torch import Tensor, nn

from gossamer.errors import ModelError
from gossamer.image.image import FloatArray
from gossamer_export.golden import golden_cases
from gossamer_export.verify import (
    LIMITS,
    Limits,
    Results,
    compare,
    over_limits,
    reference,
    reference_any_size,
    time_artifact,
)


class TinyFree(nn.Module):
    """Trimap-free, with an answer that is never at an end of its range."""

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        return plate.mean(1, keepdim=True) * 0.4 + 0.2


def measure(infer: object, network: nn.Module) -> Results:
    return compare(infer, network, multiple_of=32, needs_trimap=True)  # type: ignore[arg-type]


def test_the_network_itself_is_without_error(tiny: nn.Module) -> None:
    results = measure(lambda plate, trimap: reference(tiny, plate, trimap), tiny)
    assert (results.max, results.mean, results.p999, results.sad_difference) == (0, 0, 0, 0)
    assert results.sad_network == results.sad_artifact > 0
    assert results.inputs == 20
    assert results.region == "unknown"
    assert results.compared_pixels == sum(int((case.trimap == 0.5).sum()) for case in golden_cases(32)) > 100_000
    assert results.disobeyed_pixels == 0


def test_an_error_is_measured_in_the_unknown_region_and_its_input_named(tiny: nn.Module) -> None:
    case = next(case for case in golden_cases(32) if case.name == "curls")
    place = tuple(np.argwhere(case.trimap == 0.5)[100])

    def infer(plate: FloatArray, trimap: FloatArray) -> FloatArray:
        alpha = reference(tiny, plate, trimap)
        if plate.shape == case.plate.shape and (plate == case.plate).all():
            alpha[place] += 0.25
        return alpha

    results = measure(infer, tiny)
    assert results.max == pytest.approx(0.25, abs=1e-6)
    assert results.worst_input == "'curls' (192x192)"
    assert results.mean < 1e-4
    assert results.sad_difference > 0
    assert over_limits(results, Limits(max=1)) == []


@pytest.mark.parametrize("any_size", [False, True])
def test_known_pixels_are_exactly_the_trimaps_or_it_is_a_fault(tiny: nn.Module, any_size: bool) -> None:
    case = next(case for case in golden_cases(32) if case.name == "curls")
    place = tuple(np.argwhere(case.trimap == 1)[100])

    def infer(plate: FloatArray, trimap: FloatArray) -> FloatArray:
        alpha = reference_any_size(tiny, plate, trimap, multiple_of=32) if any_size else reference(tiny, plate, trimap)
        if plate.shape == case.plate.shape and (plate == case.plate).all():
            alpha[place] = np.float32(1 - 6e-8)
        return alpha

    results = compare(infer, tiny, multiple_of=32, needs_trimap=True, any_size=any_size)  # type: ignore[arg-type]
    assert (results.max, results.disobeyed_pixels) == (0, 1)
    assert over_limits(results, LIMITS["fp16"]) == [
        "known pixels that are not exactly the trimap's 0 or 1: 1, first on 'curls' (192x192)"
    ]


def test_a_network_without_a_trimap_is_compared_on_the_whole_picture() -> None:
    case = next(case for case in golden_cases(32) if case.name == "curls")
    network = TinyFree().eval()

    def infer(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        assert trimap is None
        alpha = reference(network, plate, None)
        if plate.shape == case.plate.shape and (plate == case.plate).all():
            alpha[case.trimap != 0.5] = 1 - alpha[case.trimap != 0.5]  # of a trimap that the network never sees
        return alpha

    results = compare(infer, network, multiple_of=32, needs_trimap=False)
    assert results.region == "whole"
    assert results.compared_pixels == sum(case.trimap.size for case in golden_cases(32))
    assert results.worst_input == "'curls' (192x192)"
    assert over_limits(results, LIMITS["fp32"]) != []
    assert results.sad_difference > 0


def test_an_error_on_one_of_two_inputs_of_the_same_name_and_size_counts(tiny: nn.Module) -> None:
    small: list[FloatArray] = []

    def infer(plate: FloatArray, trimap: FloatArray) -> FloatArray:
        alpha = reference_any_size(tiny, plate, trimap, multiple_of=32)
        if plate.shape[2:] == (64, 64) and (trimap == 0.5).all():  # continued to the smallest size of an engine
            small.append(plate)
            alpha += np.float32(0.25 if len(small) == 1 else 0)
        return alpha

    results = compare(
        infer,  # type: ignore[arg-type]
        tiny,
        multiple_of=32,
        needs_trimap=True,
        any_size=True,
        sizes=((64, 64), (512, 512)),
    )
    assert len(small) > 1
    assert results.max == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda plate, trimap: trimap[:, :, :-1], r"answers \(1, 1, 127, 224\) where the network answers \(1, 1, 128"),
        (lambda plate, trimap: trimap * np.float32("nan"), r"not numbers on the golden input 'gradient' \(224x128\)"),
    ],
)
def test_an_answer_that_is_none_is_refused(tiny: nn.Module, answer: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        measure(answer, tiny)


def test_an_input_that_cannot_be_run_is_named(tiny: nn.Module) -> None:
    def infer(plate: FloatArray, trimap: FloatArray) -> FloatArray:
        if len(plate) == 2:
            raise ModelError("no batches")
        return reference(tiny, plate, trimap)

    with pytest.raises(ModelError, match=r"golden input 'gradients' \(64x96, batch of 2\): no batches"):
        measure(infer, tiny)


class _Voting(nn.Module):
    """Sees one of two classes at every pixel, by its red; where red is within ``unsure`` of a half, by a hair."""

    def __init__(self, unsure: float) -> None:
        super().__init__()
        self.unsure = unsure

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None) -> Tensor:
        return (plate[:, :1] > 0.5).float()

    def undecided(self, plate: Tensor, margin: float) -> Tensor:
        assert margin > 0
        return (plate[:, :1] - 0.5).abs() < self.unsure


@pytest.mark.parametrize("any_size", [False, True])
def test_where_rounding_decides_between_two_classes_nothing_is_compared(any_size: bool) -> None:
    network = _Voting(0.05)

    def infer(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        # The other choice at every tie.
        return (np.nan_to_num(plate[:, :1]) > 0.54).astype(np.float32)

    results = compare(infer, network, multiple_of=32, needs_trimap=False, any_size=any_size)
    assert results.max == 0
    assert results.undecided_pixels > 1000
    every = compare(infer, _Voting(0), multiple_of=32, needs_trimap=False, any_size=any_size)
    assert every.max == 1
    assert every.undecided_pixels == 0
    assert every.compared_pixels == results.compared_pixels + results.undecided_pixels


class _Narrow(_Voting):
    """Its two classes are as far apart as red is from a half."""

    def undecided(self, plate: Tensor, margin: float) -> Tensor:
        return (plate[:, :1] - 0.5).abs() <= margin


@pytest.mark.parametrize(("precision", "largest"), [("fp16", 0), ("fp32", 1)])
def test_half_precision_decides_wider_ties(precision: str, largest: int) -> None:
    def infer(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        return (plate[:, :1] > 0.5 + 8e-4).astype(np.float32)

    results = compare(infer, _Narrow(0), multiple_of=32, needs_trimap=False, precision=precision)
    assert results.max == largest


def test_a_network_that_decides_nothing_is_refused() -> None:
    network = _Voting(2)
    with pytest.raises(ModelError, match="at every pixel: it has learned nothing yet"):
        compare(lambda plate, trimap: reference(network, plate, None), network, multiple_of=32, needs_trimap=False)


def test_each_limit_that_is_exceeded_is_told() -> None:
    results = Results(
        max=3e-4, mean=2e-3, p999=0.02, worst_input="'x'", inputs=1, region="unknown", compared_pixels=100,
        sad_network=0, sad_artifact=0, sad_difference=0,
    )  # fmt: skip
    assert over_limits(results, LIMITS["fp16"]) == [
        "mean error 2.00e-03, allowed 1e-03",
        "99.9th percentile of the error 2.00e-02, allowed 1e-02",
    ]
    assert over_limits(results, Limits(max=1e-4)) == ["largest error 3.00e-04, allowed 1e-04"]
    assert over_limits(results, Limits(max=1e-3)) == []
    assert over_limits(dataclasses.replace(results, mean=float("nan")), Limits(mean=1)) != []


def test_the_limits_are_the_products() -> None:
    assert {"fp32": Limits(max=1e-4), "fp16": Limits(mean=1e-3, p999=1e-2)} == LIMITS


def test_time_is_that_of_a_stated_size_and_machine() -> None:
    shapes = []

    def infer(plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        shapes.append((plate.shape, trimap))
        return plate[:, :1]

    timing = time_artifact(infer, needs_trimap=False)
    assert timing["size"] == "512x512"
    assert timing["milliseconds"] >= 0
    assert "cores" in timing["machine"]
    assert shapes == [((1, 3, 512, 512), None)] * 4
