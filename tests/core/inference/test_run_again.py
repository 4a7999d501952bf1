"""A job that is stopped, killed or asked again: finished frames stay, the others are done."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gossamer.config import Job
from gossamer.errors import CancelledError, ImageWriteError, SequenceError
from gossamer.image.image import Image
from gossamer.image.io import read_image, write_image
from gossamer.inference.plan import prepare
from gossamer.inference.run import Progress, execute, run, start_report
from tests.core.inference.jobs import MakeShot, frames_in, job_for, truncate, write_config, written


def test_existing_outputs_are_not_touched_unless_asked(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    run(job_for(folder, tiny_weights, tmp_path / "out", frames="1002"))
    before = written(tmp_path / "out")
    with pytest.raises(SequenceError, match=r"plate_alpha\.1002\.exr exists already\. Give --skip-existing"):
        run(job_for(folder, tiny_weights, tmp_path / "out"))
    assert written(tmp_path / "out") == before
    report = run(job_for(folder, tiny_weights, tmp_path / "out", outputs={"existing": "overwrite"}))
    assert len(report.frames) == 3
    assert {name: data for name, data in written(tmp_path / "out").items() if name in before} == before


def test_finished_frames_are_kept_and_only_the_others_done(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    run(job_for(folder, tiny_weights, tmp_path / "out", frames="1001-1002"))
    stamp = (tmp_path / "out" / "plate_alpha.1001.exr").stat().st_mtime_ns
    report = run(job_for(folder, tiny_weights, tmp_path / "out", outputs={"existing": "skip"}))
    assert report.finished_before == (1001, 1002)
    assert [frame.frame for frame in report.frames] == [1003]
    assert (tmp_path / "out" / "plate_alpha.1001.exr").stat().st_mtime_ns == stamp


def _make_older(path: Path) -> None:
    os.utime(path, (1, 1))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, _make_older, _empty])
def test_a_frame_that_is_broken_or_older_than_its_inputs_is_done_again(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder, _ = make_shot()
    run(job_for(folder, tiny_weights, tmp_path / "out"))
    whole = written(tmp_path / "out")
    damage(tmp_path / "out" / "plate_alpha.1002.exr")
    report = run(job_for(folder, tiny_weights, tmp_path / "out", outputs={"existing": "skip"}))
    assert [frame.frame for frame in report.frames] == [1002]
    assert written(tmp_path / "out") == whole


def test_frames_of_another_job_or_size_are_done_again(
    make_shot: MakeShot, tiny_weights: Path, make_tiny_weights: Callable[..., Path], tmp_path: Path
) -> None:
    folder, _ = make_shot()
    run(job_for(folder, make_tiny_weights("other", gain=0.3), tmp_path / "out"))
    report = run(job_for(folder, tiny_weights, tmp_path / "out", outputs={"existing": "skip"}))
    assert len(report.frames) == 3


def test_a_frame_without_its_preview_is_done_again(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    run(job_for(folder, tiny_weights, tmp_path / "out"))
    outputs = {"existing": "skip", "comp": "checker"}
    assert len(run(job_for(folder, tiny_weights, tmp_path / "out", outputs=outputs)).frames) == 3
    assert len(run(job_for(folder, tiny_weights, tmp_path / "out", outputs=outputs)).frames) == 0


def test_a_frame_whose_preview_has_another_backdrop_is_done_again(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1001,))

    def solved(comp: str) -> int:
        outputs = {"existing": "skip", "comp": comp}
        return len(run(job_for(folder, tiny_weights, tmp_path / "out", outputs=outputs)).frames)

    backdrop = tmp_path / "behind.png"
    write_image(backdrop, Image.from_pixels(np.zeros((48, 64, 3), np.float32), ("R", "G", "B")), data_type="uint8")
    assert [solved("black"), solved("white"), solved("white")] == [1, 1, 0]
    assert [solved(str(backdrop)), solved(str(backdrop))] == [1, 0]
    later = (tmp_path / "out" / "plate_comp.1001.png").stat().st_mtime + 5
    os.utime(backdrop, (later, later))
    assert solved(str(backdrop)) == 1


def _solved(job: Job) -> list[int]:
    return [frame.frame for frame in run(replace(job, outputs=replace(job.outputs, existing="skip"))).frames]


@pytest.mark.parametrize("ending", ["exr", "png", "tif"])
def test_a_still_that_gets_another_number_is_done_again(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, ending: str
) -> None:
    folder, _ = make_shot()
    for kind in ("plate", "trimap"):
        (tmp_path / kind).mkdir()

    def put(name: str, frame: int) -> None:
        for kind in ("plate", "trimap"):
            copy = tmp_path / kind / f"{name}.exr"
            copy.write_bytes((folder / f"{kind}.{frame}.exr").read_bytes())
            os.utime(copy, (1, 1))

    put("ant", 1001)
    put("cat", 1002)
    out = tmp_path / "out" / f"m.####.{ending}"
    job = job_for(folder, tiny_weights, out, plate=str(tmp_path / "plate"), trimap=str(tmp_path / "trimap"))
    assert [_solved(job), _solved(job)] == [[1, 2], []]
    put("bee", 1003)
    assert [_solved(job), _solved(job)] == [[2, 3], []]


def _point_anew(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


def _rename_old_link(link: Path, target: str) -> None:
    other = link.with_name("other")
    other.symlink_to(target)
    os.utime(other, (1, 1), follow_symlinks=False)
    other.replace(link)


def _point_at_a_link(link: Path, target: str) -> None:
    between = link.with_name("between")
    between.symlink_to(target)
    link.unlink()
    link.symlink_to("between")
    os.utime(link, (1, 1), follow_symlinks=False)


@pytest.mark.parametrize("move", [_point_anew, _rename_old_link, _point_at_a_link])
def test_a_link_that_now_leads_to_other_pictures_makes_frames_out_of_date(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, move: Callable[[Path, str], None]
) -> None:
    for version in ("v001", "v002"):
        folder, _ = make_shot(version, frames=(1001, 1002))
        for path in folder.iterdir():
            os.utime(path, (1, 1))
    latest = tmp_path / "latest"
    latest.symlink_to("v001")
    job = job_for(latest, tiny_weights, tmp_path / "out")
    assert [_solved(job), _solved(job)] == [[1001, 1002], []]
    time.sleep(0.05)  # file systems count in steps of some milliseconds
    move(latest, "v002")
    assert [_solved(job), _solved(job)] == [[1001, 1002], []]


def test_a_link_that_is_made_anew_and_leads_where_it_led_changes_nothing(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot("v001", frames=(1001, 1002))
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    latest = tmp_path / "latest"
    latest.symlink_to("v001")
    job = job_for(latest, tiny_weights, tmp_path / "out")
    assert _solved(job) == [1001, 1002]
    time.sleep(0.05)
    _point_anew(latest, "v001")
    assert _solved(job) == []


def test_a_link_to_one_frame_counts_for_that_frame(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    other, _ = make_shot("other")
    for path in (*folder.iterdir(), *other.iterdir()):
        os.utime(path, (1, 1))
    job = job_for(folder, tiny_weights, tmp_path / "out")
    assert len(_solved(job)) == 3
    time.sleep(0.05)
    _point_anew(folder / "trimap.1002.exr", str(other / "trimap.1002.exr"))
    assert _solved(job) == [1002]


def test_another_configuration_with_the_same_names_is_another_job(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1001,))
    job = job_for(folder, tiny_weights, tmp_path / "out", plate_space="show_plate")

    def solved(config: Path) -> list[int]:
        monkeypatch.setenv("OCIO", str(config))
        return _solved(job)

    first, copy = write_config(tmp_path / "a", gamma=1.8), write_config(tmp_path / "b", gamma=1.8)
    other = write_config(tmp_path / "c", gamma=2.6)
    assert [solved(first), solved(copy), solved(other), solved(other)] == [[1001], [], [1001], []]


def test_a_configuration_that_means_the_same_changes_nothing(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1001,))
    job = job_for(folder, tiny_weights, tmp_path / "out")
    monkeypatch.delenv("OCIO", raising=False)
    assert _solved(job) == [1001]
    monkeypatch.setenv("OCIO", str(write_config(tmp_path / "a", gamma=1.8)))
    assert _solved(job) == []


def test_each_still_of_a_folder_has_a_space_of_its_own(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1001, 1002))
    for kind in ("plate", "trimap"):
        (tmp_path / kind).mkdir()
        for name, frame in (("ant.exr", 1001), ("bee.png", 1002)):
            image = read_image(folder / f"{kind}.{frame}.exr")
            write_image(tmp_path / kind / name, image, data_type="half" if name.endswith("exr") else "uint8")
    job = job_for(
        folder, tiny_weights, tmp_path / "out", plate=str(tmp_path / "plate"), trimap=str(tmp_path / "trimap")
    )
    monkeypatch.setenv("OCIO", str(write_config(tmp_path / "a", gamma=1.8)))
    assert [_solved(job), _solved(replace(job, frames="2")), _solved(job)] == [[1, 2], [], []]


def test_outputs_in_a_closed_folder_are_told(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot()
    exists = Path.exists

    def closed(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(
        ImageWriteError, match=r"frame 1001: .*closed/plate_alpha\.1001\.exr: Permission denied\. Correct"
    ):
        prepare(job_for(folder, tiny_weights, tmp_path / "closed"))


def test_other_processes_may_finish_frames_while_the_folder_is_looked_at(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1001,))
    out = tmp_path / "out"
    out.mkdir()
    (out / ".gossamer-abc.tmp.exr").symlink_to(out / "renamed.exr")  # listed, and gone when it is looked at
    assert len(run(job_for(folder, tiny_weights, out)).frames) == 1


def test_cancelling_keeps_finished_frames_and_leaves_nothing_half_done(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=tuple(range(1001, 1009)))
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    report = start_report(plan)
    stop = threading.Event()

    def watch(progress: Progress) -> None:
        if progress.done == 2:
            stop.set()

    with pytest.raises(CancelledError):
        execute(plan, report, progress=watch, cancelled=stop.is_set)
    assert report.state == "cancelled"
    done = [frame.frame for frame in report.frames]
    assert 2 <= len(done) < 8
    assert sorted(written(tmp_path / "out")) == [f"plate_alpha.{frame}.exr" for frame in done]
    rest = run(job_for(folder, tiny_weights, tmp_path / "out", outputs={"existing": "skip"}))
    assert [frame.frame for frame in rest.frames] == [frame for frame in range(1001, 1009) if frame not in done]
    run(job_for(folder, tiny_weights, tmp_path / "whole"))
    assert written(tmp_path / "out") == written(tmp_path / "whole")


def test_cancelling_before_the_first_frame_writes_nothing(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    with pytest.raises(CancelledError):
        run(job_for(folder, tiny_weights, tmp_path / "out"), cancelled=lambda: True)
    assert written(tmp_path / "out") == {}


SLOW_RUN = """
import sys, time
from gossamer.config import load_job
from gossamer.inference.run import run
from pathlib import Path

def wait(progress):
    if progress.done == 2:
        print("ready", flush=True)
        time.sleep(60)

run(load_job(Path(sys.argv[1])), progress=wait)
"""


def test_a_killed_run_is_continued_and_gives_the_same_bytes(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    from gossamer.config import save_job

    folder, _ = make_shot(frames=(1, 2, 3, 4, 5))
    out = tmp_path / "out"
    save_job(job_for(folder, tiny_weights, out), tmp_path / "job.json")
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, str(tmp_path / "job.json")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    truncate(out / "plate_alpha.0002.exr")
    leftover = out / ".gossamer-abcdefghijkl.tmp.exr"
    leftover.write_bytes(b"half a frame")
    os.utime(leftover, (time.time() - 7200,) * 2)
    report = run(job_for(folder, tiny_weights, out, outputs={"existing": "skip"}))
    assert 1 in report.finished_before
    assert 2 in [frame.frame for frame in report.frames]
    run(job_for(folder, tiny_weights, tmp_path / "whole"))
    assert frames_in(out) == written(tmp_path / "whole")
    assert not leftover.exists()
