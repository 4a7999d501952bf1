"""Knobs become a job whose paths mean the same in any process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer_bridge.errors import KnobError
from gossamer_bridge.settings import Knobs, absolute_path, frames_text, job_values, parse_frames

KNOBS = Knobs(plate="/s/plate.####.exr", trimap="/s/trimap.####.exr", output="/s/out/")


def test_knobs_become_a_job_with_absolute_paths() -> None:
    job = job_values(
        Knobs(plate="plate.%04d.exr", mask="../roto/", output="out/", frames=" 1-3 "), base_folder="/s/shot"
    )
    assert job["plate"] == "/s/shot/plate.%04d.exr"
    assert job["mask"] == "/s/roto/"
    assert job["outputs"]["path"] == "/s/shot/out/"
    assert (job["trimap"], job["frames"]) == ("", "1-3")


def test_settings_of_a_newer_worker_are_sent_only_when_they_are_used() -> None:
    assert not {"refine", "tta", "nonlocal_mean"} & set(job_values(KNOBS))
    knobs = Knobs(plate="/p.exr", output="/o/", refine=30, tta="flips", nonlocal_mean="off", backend="openvino")
    job = job_values(knobs)
    assert (job["refine"], job["tta"], job["nonlocal_mean"], job["backend"]) == (30, "flips", "off", "openvino")


def test_a_model_by_name_is_no_path_and_one_by_path_is() -> None:
    assert job_values(KNOBS)["model"] == "gossamer-s"
    assert job_values(Knobs(plate="/p", output="/o", model="mine/best"), base_folder="/s")["model"] == "/s/mine/best"


def test_a_backdrop_by_name_is_no_path_and_a_picture_is() -> None:
    assert job_values(Knobs(plate="/p", output="/o", comp="checker"))["outputs"]["comp"] == "checker"
    comp = job_values(Knobs(plate="/p", output="/o", comp="bg.exr"), base_folder="/s")["outputs"]["comp"]
    assert comp == "/s/bg.exr"


def test_a_home_folder_is_expanded() -> None:
    assert absolute_path("~/shot/") == str(Path.home() / "shot") + "/"


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (Knobs(output="/o"), "No plate is chosen.*Choose the plate"),
        (Knobs(plate="/p"), "No output is chosen.*Choose the folder"),
        (Knobs(plate="p.exr", output="/o"), r"plate is the relative path 'p.exr'.*Save the script or scene first"),
        (Knobs(plate="/p\0", output="/o"), "plate holds a NUL.*Type the path again"),
        (Knobs(plate="/p", output="/o", frames="1..3"), r"frames is '1..3'.*1001-1100x2"),
        (Knobs(plate="/p", output="/o", frames="1,"), r"frames is '1,'"),
    ],
)
def test_a_knob_that_cannot_be_used_is_named(knobs: Knobs, message: str) -> None:
    with pytest.raises(KnobError, match=message):
        job_values(knobs)


@given(st.sets(st.integers(-30, 60), max_size=25))
def test_frame_numbers_survive_being_written(frames: set[int]) -> None:
    assert parse_frames(frames_text(frames)) == tuple(sorted(frames))


def test_frames_are_written_as_runs() -> None:
    assert frames_text([1, 2, 3, 5, 7, 9, 20, -5]) == "-5,1-3,5-9x2,20"


def test_a_text_that_is_no_range_is_refused() -> None:
    with pytest.raises(KnobError, match="frames is 'a'"):
        parse_frames("a")
