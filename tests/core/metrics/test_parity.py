"""Each paper's numbers on one pair of mattes, recorded by running its own evaluation script."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.metrics import Region, Variant, connectivity_error, gradient_error, mad, mse, sad

FIXTURE = Path(__file__).parents[2] / "data" / "parity" / "ops_metrics"
METRICS = {"sad": sad, "mse": mse, "mad": mad, "grad": gradient_error, "conn": connectivity_error}
FLOAT64_RELATIVE = 1e-6

Plane = NDArray[np.float64]


@pytest.fixture(scope="module")
def planes() -> dict[str, Plane]:
    with np.load(FIXTURE / "input.npz") as file:
        trimap = np.select([file["trimap"] == 255, file["trimap"] == 0], [1.0, 0.0], 0.5)
        return {
            "truth": file["alpha"] / 255.0,
            "pred": file["pred"].astype(np.float64),
            "pred8": file["pred8"] / 255.0,
            "trimap": trimap,
        }


def recorded(group: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((FIXTURE / "meta.json").read_text(encoding="utf-8"))["values"][group]
    return values


GROUPS: list[tuple[str, str, Variant, Region, tuple[str, ...]]] = [
    ("gfm_trimap", "pred", "gfm", "unknown", ("sad", "mse", "mad")),
    ("gfm_whole", "pred", "gfm", "whole", ("sad", "mse", "mad", "grad", "conn")),
    ("lsa_unknown", "pred", "lsa", "unknown", ("mse", "sad", "grad", "conn")),
    ("dim_unknown", "pred8", "alpha_free", "unknown", ("mse", "sad", "grad", "conn")),
    ("dim_whole", "pred8", "alpha_free", "whole", ("mse", "sad", "grad", "conn")),
]


@pytest.mark.parametrize(("group", "plane", "variant", "region", "names"), GROUPS)
def test_a_variant_repeats_the_numbers_of_its_paper(
    planes: dict[str, Plane], group: str, plane: str, variant: Variant, region: Region, names: tuple[str, ...]
) -> None:
    expected = {name: value for name, value in recorded(group).items() if name != "note"}
    assert set(expected) == set(names)
    measured = {
        name: METRICS[name](planes[plane], planes["truth"], planes["trimap"], region=region, variant=variant)
        for name in names
    }
    assert measured == pytest.approx(expected, rel=FLOAT64_RELATIVE)


@pytest.mark.parametrize("region", ["fg", "bg"])
def test_gfm_counts_known_regions_apart(planes: dict[str, Plane], region: Region) -> None:
    measured = sad(planes["pred"], planes["truth"], planes["trimap"], region=region, variant="gfm")
    assert measured == pytest.approx(recorded("gfm_fg_bg")[f"sad_{region}"], rel=FLOAT64_RELATIVE)


def test_every_recorded_group_is_compared() -> None:
    values = json.loads((FIXTURE / "meta.json").read_text(encoding="utf-8"))["values"]
    assert set(values) == {group for group, *_ in GROUPS} | {"gfm_fg_bg"}


@pytest.mark.parametrize(("region", "group"), [("unknown", "dim_unknown"), ("whole", "dim_whole")])
def test_the_official_definition_agrees_where_the_alpha_free_script_follows_it(
    planes: dict[str, Plane], region: Region, group: str
) -> None:
    for name in ("sad", "mse", "grad"):
        measured = METRICS[name](planes["pred8"], planes["truth"], planes["trimap"], region=region)
        assert measured == pytest.approx(recorded(group)[name], rel=FLOAT64_RELATIVE)
