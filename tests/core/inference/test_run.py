"""A job from files to files: frames, resuming, stopping, failing, memory."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.config import Band, Job, Outputs
from gossamer.errors import (
    CancelledError,
    FrameError,
    ImageReadError,
    ImageWriteError,
    SequenceError,
    SettingError,
    TrimapError,
)
from gossamer.image.image import Image
from gossamer.image.io import read_header, read_image, write_image
from gossamer.image.sequence import ImageSequence
from gossamer.inference import run as run_module
from gossamer.inference.frame import load_frame
from gossamer.inference.plan import prepare
from gossamer.inference.report import write_report
from gossamer.inference.run import Progress, execute, run, start_report

Shot = tuple[Path, list[Any]]
MakeShot = Callable[..., Shot]


def job_for(folder: Path, weights: Path, out: Path, **changes: Any) -> Job:
    outputs = Outputs(**{"path": str(out), **changes.pop("outputs", {})})
    values = {"plate": str(folder / "plate.####.exr"), "trimap": str(folder / "trimap.####.exr"), **changes}
    return Job(model=str(weights), outputs=outputs, **values)


def written(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def frames_in(out: Path) -> dict[str, bytes]:
    """What a user sees: hidden temporary files of a killed process are not frames."""
    return {name: data for name, data in written(out).items() if not name.startswith(".")}


def test_every_frame_gets_a_matte_that_obeys_its_trimap(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    report = run(job_for(folder, tiny_weights, tmp_path / "out"))
    assert report.state == "done"
    assert [frame.frame for frame in report.frames] == [1001, 1002, 1003]
    for frame in (1001, 1002, 1003):
        matte = read_image(tmp_path / "out" / f"plate_alpha.{frame}.exr")
        trimap = read_image(folder / f"trimap.{frame}.exr").channel("A")
        assert matte.channels == ("A",)
        assert matte.data_type == "half"
        alpha = matte.channel("A")
        assert np.array_equal(alpha[trimap != 0.5], trimap[trimap != 0.5])
        assert alpha[trimap == 0.5].std() > 0


def test_a_frame_alone_is_the_same_bytes_as_in_the_sequence(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    run(job_for(folder, tiny_weights, tmp_path / "all"))
    run(job_for(folder, tiny_weights, tmp_path / "one", frames="1002"))
    run(job_for(folder, tiny_weights, tmp_path / "again", threads=1))
    assert written(tmp_path / "one") == {
        "plate_alpha.1002.exr": (tmp_path / "all" / "plate_alpha.1002.exr").read_bytes()
    }
    assert written(tmp_path / "again") == written(tmp_path / "all")


def test_the_header_says_where_the_matte_comes_from(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    report = run(job_for(folder, tiny_weights, tmp_path / "out", frames="1001"))
    header = read_header(tmp_path / "out" / "plate_alpha.1001.exr").metadata
    assert header["gossamer:jobHash"] == report.job_hash
    assert header["gossamer:model"] == "tiny"
    assert header["gossamer:weights"] == report.model["identity"]
    assert header["gossamer:plate"] == "plate.1001.exr"
    assert header["gossamer:trimap"] == "trimap.1001.exr"
    assert header["gossamer:device"] == "cpu"
    assert str(header["gossamer:plateSpace"]).startswith("Linear Rec.709")


def test_windows_and_header_attributes_of_the_plate_are_kept(tiny_weights: Path, tmp_path: Path) -> None:
    from gossamer.image.image import Window

    pixels = np.random.default_rng(0).random((40, 60, 3), np.float32)
    window = Window(-6, -4, 60, 40)
    plate = Image(
        pixels, ("R", "G", "B"), window, Window(0, 0, 48, 32), metadata={"PixelAspectRatio": 2.0, "shot": "sc010"}
    )
    write_image(tmp_path / "plate.exr", plate, data_type="float")
    trimap = Image(np.full((40, 60, 1), 0.5, np.float32), ("A",), window, Window(0, 0, 48, 32))
    write_image(tmp_path / "trimap.exr", trimap, data_type="half")
    run(
        Job(
            plate=str(tmp_path / "plate.exr"),
            trimap=str(tmp_path / "trimap.exr"),
            model=str(tiny_weights),
            outputs=Outputs(path=str(tmp_path / "matte.exr")),
        )
    )
    header = read_header(tmp_path / "matte.exr")
    assert header.data_window == window
    assert header.display_window == Window(0, 0, 48, 32)
    assert header.metadata["PixelAspectRatio"] == 2.0
    assert header.metadata["shot"] == "sc010"


def test_the_report_says_what_was_asked_and_what_was_done(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    report = run(job_for(folder, tiny_weights, tmp_path / "out"))
    write_report(report, tmp_path / "report.json")
    values = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert values["schema"] == "gossamer.inference.report"
    assert values["version"] == 1
    assert values["state"] == "done"
    assert values["asked"]["backend"] == "auto"
    assert values["effective"]["backend"].startswith("onnxruntime")
    assert values["frames_done"] == values["frames_total"] == 3
    first = values["frames"][0]
    assert first["frame"] == 1001
    assert first["effective"]["tiles"] == 1
    assert first["color_space_reason"] == "half files default to scene-linear Rec.709"
    assert first["notes"] == ["the trimap: read from channel A"]
    assert set(first["seconds"]) == {"read", "color", "solve", "network", "write"}
    assert first["outputs"] == [str(tmp_path / "out" / "plate_alpha.1001.exr")]


def test_progress_tells_each_frame_in_order(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    told: list[Progress] = []
    run(job_for(folder, tiny_weights, tmp_path / "out"), progress=told.append)
    finished = [progress for progress in told if progress.finished is not None]
    assert [progress.frame for progress in finished] == [1001, 1002, 1003]
    assert [progress.done for progress in finished] == [1, 2, 3]
    assert {progress.total for progress in told} == {3}


def test_missing_frames_are_listed_before_anything_is_done(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    (folder / "trimap.1002.exr").unlink()
    with pytest.raises(SequenceError, match=r"2 of 4 frames are missing: 1002,1004 \(.*trimap\.1002\.exr, .*plate"):
        run(job_for(folder, tiny_weights, tmp_path / "out", frames="1001-1004"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("frames", "missing"), [((1, 2, 4), "3"), ((10, 12, 18), "14,16")])
def test_a_hole_in_the_plate_is_a_missing_frame_even_without_a_frame_range(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, frames: tuple[int, ...], missing: str
) -> None:
    folder, _ = make_shot(frames=frames)
    with pytest.raises(SequenceError, match=rf"frames are missing: {missing} \("):
        run(job_for(folder, tiny_weights, tmp_path / "out"))
    assert len(run(job_for(folder, tiny_weights, tmp_path / "out", missing="skip")).frames) == 3


def test_every_second_frame_is_a_sequence_without_holes(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(10, 12, 14))
    assert [frame.frame for frame in run(job_for(folder, tiny_weights, tmp_path / "out")).frames] == [10, 12, 14]


def test_missing_frames_can_be_left_out_and_are_reported(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    (folder / "trimap.1002.exr").unlink()
    report = run(job_for(folder, tiny_weights, tmp_path / "out", missing="skip"))
    assert [frame.frame for frame in report.frames] == [1001, 1003]
    assert report.missing == {1002: (str(folder / "trimap.1002.exr"),)}
    assert report.as_dict()["missing"] == {"1002": [str(folder / "trimap.1002.exr")]}


def test_nothing_left_is_an_error_even_when_missing_frames_are_skipped(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    with pytest.raises(SequenceError, match=r"None of the 2 frames has all its files"):
        run(job_for(folder, tiny_weights, tmp_path / "out", frames="2000-2001", missing="skip"))


def test_a_still_with_another_frame_number_is_refused(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot(frames=(1001,))
    plate = str(folder / "plate.1001.exr")
    with pytest.raises(SequenceError, match=r"--frames 1002: .*plate\.1001\.exr is one still picture"):
        run(job_for(folder, tiny_weights, tmp_path / "out", plate=plate, frames="1002"))


def test_one_trimap_for_a_whole_sequence_is_noted(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    report = run(job_for(folder, tiny_weights, tmp_path / "out", trimap=str(folder / "trimap.1001.exr")))
    assert len(report.frames) == 3
    assert report.notes == ["one trimap is used for every frame: trimap.1001.exr"]


def test_the_trimap_wins_over_the_mask_and_that_is_noted(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    plain = run(job_for(folder, tiny_weights, tmp_path / "plain", frames="1001"))
    both = run(job_for(folder, tiny_weights, tmp_path / "both", frames="1001", mask=str(folder / "plate.####.exr")))
    assert both.notes == ["the mask is not used: the trimap wins"]
    assert plain.job_hash != both.job_hash
    one, two = (read_image(tmp_path / name / "plate_alpha.1001.exr").pixels for name in ("plain", "both"))
    assert np.array_equal(one, two)


def test_a_mask_makes_the_trimap_and_mattes_limit_it(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot(frames=(1001,))
    mask = np.zeros((48, 64, 1), np.float32)
    mask[10:40, 16:48] = 1
    write_image(folder / "mask.exr", Image.from_pixels(mask, ("A",)), data_type="half")
    garbage = np.zeros((48, 64, 1), np.float32)
    garbage[:24] = 1
    write_image(folder / "garbage.exr", Image.from_pixels(garbage, ("A",)), data_type="half")
    run(
        job_for(
            folder,
            tiny_weights,
            tmp_path / "out",
            trimap="",
            mask=str(folder / "mask.exr"),
            garbage_matte=str(folder / "garbage.exr"),
            band=Band(90, 60),
        )
    )
    alpha = read_image(tmp_path / "out" / "plate_alpha.1001.exr").channel("A")
    assert (alpha[:24] == 0).all()
    assert (alpha[28:34, 24:40] == 1).all()
    assert 0 < alpha[39, 32] < 1


def test_no_guide_for_a_network_that_needs_one_is_named(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    with pytest.raises(SettingError, match=r"tiny needs to know where to look: give --trimap, or --mask"):
        run(job_for(folder, tiny_weights, tmp_path / "out", trimap=""))


def test_existing_outputs_are_not_touched_unless_asked(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    run(job_for(folder, tiny_weights, tmp_path / "out", frames="1002"))
    before = written(tmp_path / "out")
    with pytest.raises(SequenceError, match=r"plate_alpha\.1002\.exr exist already\. Give --skip-existing"):
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


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _make_older(path: Path) -> None:
    os.utime(path, (1, 1))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_truncate, _make_older, _empty])
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
    _truncate(out / "plate_alpha.0002.exr")
    leftover = out / ".gossamer-abcdefghijkl.tmp.exr"
    leftover.write_bytes(b"half a frame")
    os.utime(leftover, (time.time() - 7200,) * 2)
    report = run(job_for(folder, tiny_weights, out, outputs={"existing": "skip"}))
    assert 1 in report.finished_before
    assert 2 in [frame.frame for frame in report.frames]
    run(job_for(folder, tiny_weights, tmp_path / "whole"))
    assert frames_in(out) == written(tmp_path / "whole")
    assert not leftover.exists()


def test_a_damaged_plate_stops_the_run_after_the_frames_before_it(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=(1, 2, 3, 4, 5))
    _truncate(folder / "plate.0003.exr")
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


def test_nan_and_infinite_pixels_are_counted_and_do_not_reach_the_matte(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, plates = make_shot(frames=(1,))
    broken = plates[0].copy()
    broken[20:24, 30:34] = np.nan
    broken[5, 5] = np.inf
    write_image(folder / "plate.0001.exr", Image.from_pixels(broken, ("R", "G", "B")), data_type="half")
    report = run(job_for(folder, tiny_weights, tmp_path / "out", outputs={"channels": "rgba"}))
    assert report.frames[0].bad_pixels == 16 * 3 + 3
    image = read_image(tmp_path / "out" / "plate_alpha.0001.exr")
    assert np.isfinite(image.channel("A")).all()
    stored = read_image(folder / "plate.0001.exr").pixels
    rgb = np.stack([image.channel(name) for name in "RGB"], axis=-1)
    assert np.array_equal(rgb.view(np.uint32), stored.view(np.uint32))


def test_a_picture_of_one_pixel_is_solved(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot(frames=(1,), height=1, width=1)
    half = Image.from_pixels(np.full((1, 1, 1), 0.5, np.float32), ("A",))
    write_image(folder / "trimap.0001.exr", half, data_type="half")
    report = run(job_for(folder, tiny_weights, tmp_path / "out"))
    assert report.frames[0].notes == ("the trimap: read from channel A", "the trimap: every pixel is unknown")
    assert read_image(tmp_path / "out" / "plate_alpha.0001.exr").pixels.shape == (1, 1, 1)


def test_paths_with_spaces_and_other_letters_work(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot("Füße 毛 shot")
    out = tmp_path / "Ergebnis für später"
    run(job_for(folder, tiny_weights, out))
    assert sorted(written(out)) == [f"plate_alpha.{frame}.exr" for frame in (1001, 1002, 1003)]


def test_a_movie_counts_its_frames_from_one(tiny_weights: Path, tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "plate.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        for value in (40, 120, 200):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    trimap = Image.from_pixels(np.full((48, 64, 1), 0.5, np.float32), ("A",))
    write_image(tmp_path / "trimap.exr", trimap, data_type="half")
    job = Job(
        plate=str(tmp_path / "plate.mkv"),
        trimap=str(tmp_path / "trimap.exr"),
        model=str(tiny_weights),
        outputs=Outputs(path=str(tmp_path / "out"), existing="skip"),
    )
    assert [frame.frame for frame in run(job).frames] == [1, 2, 3]
    assert sorted(written(tmp_path / "out")) == [f"plate_alpha.000{frame}.exr" for frame in (1, 2, 3)]
    assert run(job).finished_before == (1, 2, 3)


def test_memory_does_not_grow_with_the_shot(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 21)))
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    live: set[int] = set()
    most = [0]
    read = load_frame

    def counted(*arguments: Any) -> Any:
        loaded = read(*arguments)
        live.add(loaded.frame)
        weakref.finalize(loaded.plate, live.discard, loaded.frame)  # which the writer holds too
        most[0] = max(most[0], len(live))
        return loaded

    monkeypatch.setattr(run_module, "load_frame", counted)
    execute(plan, start_report(plan))
    gc.collect()
    assert most[0] <= run_module.MOST_FRAMES
    assert not live


@pytest.mark.parametrize(
    ("width", "height", "slots"), [(1920, 1080, 3), (3840, 2160, 3), (7680, 4320, 2), (16384, 8640, 1)]
)
def test_large_frames_are_held_in_smaller_numbers(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, width: int, height: int, slots: int
) -> None:
    from dataclasses import replace

    folder, _ = make_shot()
    plan = replace(prepare(job_for(folder, tiny_weights, tmp_path / "out")), width=width, height=height)
    pipeline = run_module._Pipeline(plan, start_report(plan), None, None)
    pipeline.close()
    assert pipeline.slots == slots


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_any_number_of_frames_in_memory_gives_the_same_result(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 8)))
    monkeypatch.setattr(run_module, "MOST_FRAMES", slots)
    report = run(job_for(folder, tiny_weights, tmp_path / "out"))
    assert [frame.frame for frame in report.frames] == list(range(1, 8))


def test_reading_overlaps_solving(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1, 2, 3))
    plan = prepare(job_for(folder, tiny_weights, tmp_path / "out"))
    read_while_solving: list[bool] = []
    began = threading.Event()
    read, solve = ImageSequence.read, plan.solver.solve

    def reading(self: ImageSequence, frame: int) -> Image:
        began.set()
        return read(self, frame)

    def solving(*arguments: Any, **named: Any) -> Any:
        if len(read_while_solving) < 2:  # there is a next frame
            read_while_solving.append(began.wait(5))
        began.clear()
        return solve(*arguments, **named)

    monkeypatch.setattr(ImageSequence, "read", reading)
    monkeypatch.setattr(plan.solver, "solve", solving)
    execute(plan, start_report(plan))
    assert read_while_solving == [True, True]
