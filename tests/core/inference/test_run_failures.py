"""A job that cannot go on: what it says, and what stays."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from gossamer.config import Job, Outputs
from gossamer.errors import (
    FrameError,
    ImageReadError,
    ImageWriteError,
    TrimapError,
)
from gossamer.image.image import Image
from gossamer.image.io import write_image
from gossamer.inference.plan import prepare
from gossamer.inference.run import execute, run, start_report
from tests.core.inference.jobs import MakeShot, job_for, truncate, written


def test_a_damaged_plate_stops_the_run_after_the_frames_before_it(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1, 2, 3, 4, 5))
    truncate(folder / "plate.0003.exr")
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    report = start_report(plan)
    with pytest.raises(ImageReadError, match=r"^Frame 3: .*plate\.0003\.exr is truncated or damaged"):
        execute(plan, report)
    assert report.state == "failed"
    assert report.error.startswith("Frame 3:")
    assert sorted(written(tmp_path / "out")) == ["plate_alpha.0001.exr", "plate_alpha.0002.exr"]
    assert [frame.frame for frame in report.frames] == [1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gossamer-")]


def test_a_trimap_of_another_size_is_named_with_its_frame(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    small = Image.from_pixels(np.zeros((20, 30, 1), np.float32), ("A",))
    write_image(folder / "trimap.1002.exr", small, data_type="half")
    with pytest.raises(TrimapError, match=r"^Frame 1002: .*30x20.*64x48.*\(trimap trimap\.1002\.exr\)"):
        run(job_for(folder, tiny_weights, tmp_path / "out"))


def test_a_frame_of_another_size_is_named(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    other, _ = make_shot("other", height=30, width=40)
    (other / "plate.1003.exr").replace(folder / "plate.1003.exr")
    with pytest.raises(FrameError, match=r"^Frame 1003: the plate is 40x30, the shot began with 64x48"):
        run(job_for(folder, tiny_weights, tmp_path / "out"))


def test_a_folder_of_unrelated_stills_may_hold_many_sizes(tiny_weights: Path, tmp_path: Path) -> None:
    for name, (height, width) in {"cat": (20, 30), "dog": (25, 21)}.items():
        for kind, channels in (("image", 3), ("trimap", 1)):
            (tmp_path / kind).mkdir(exist_ok=True)
            picture = Image.from_pixels(np.full((height, width, channels), 0.5, np.float32), ("R", "G", "B")[:channels])
            write_image(tmp_path / kind / f"{name}.png", picture, data_type="uint8")
    job = Job(
        plate=str(tmp_path / "image"),
        trimap=str(tmp_path / "trimap"),
        model=str(tiny_weights),
        outputs=Outputs(path=str(tmp_path / "out")),
    )
    run(job)
    assert sorted(written(tmp_path / "out")) == ["cat_alpha.exr", "dog_alpha.exr"]


def test_a_failing_write_stops_the_run_with_its_reason(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 9)))
    replace, count = Path.replace, [0]

    def full(self: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == 3:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    report = start_report(plan)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ImageWriteError, match=r"^Frame 3: Cannot write .*the disk is full"):
        execute(plan, report)
    assert report.state == "failed"
    names = sorted(written(tmp_path / "out"))
    assert names[:2] == ["plate_alpha.0001.exr", "plate_alpha.0002.exr"]
    assert "plate_alpha.0003.exr" not in names
    assert not [name for name in names if name.startswith(".")]


def test_an_output_folder_that_cannot_be_made_is_named(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImageWriteError, match=r"Cannot write into the output folder .*file/out"):
        run(job_for(folder, tiny_weights, tmp_path / "file" / "out"))


def test_running_out_of_memory_names_the_frame_and_a_remedy(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot()
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))

    def too_much(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(plan.solver, "solve", too_much)
    with pytest.raises(FrameError, match=r"Frame 1001: not enough memory\. Give --tile a smaller number"):
        execute(plan, start_report(plan))
