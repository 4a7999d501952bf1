"""A job from files to files: frames, guides, headers, reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gossamer.config import Band, Job, Outputs
from gossamer.errors import SequenceError, SettingError
from gossamer.image.image import Image
from gossamer.image.io import read_header, read_image, write_image
from gossamer.inference.report import write_report
from gossamer.inference.run import Progress, run
from tests.core.inference.jobs import MakeShot, job_for, written


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


def test_a_part_of_a_job_uses_the_trimaps_of_the_whole_job(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    """One numbered trimap is a still for the run of all frames, and so it is for a farm's chunk."""
    folder, _ = make_shot()
    other = Image.from_pixels(np.zeros((48, 64, 1), np.float32), ("A",))
    write_image(folder / "trimap.1003.exr", other, data_type="half")
    trimap = str(folder / "trimap.1001.exr")
    run(job_for(folder, tiny_weights, tmp_path / "whole", trimap=trimap))
    run(job_for(folder, tiny_weights, tmp_path / "part", trimap=trimap, frames="1002-1003"))
    whole, part = written(tmp_path / "whole"), written(tmp_path / "part")
    assert sorted(part) == ["plate_alpha.1002.exr", "plate_alpha.1003.exr"]
    assert all(whole[name] == data for name, data in part.items())


def test_one_numbered_plate_takes_its_trimap_along_to_the_sequence(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    names = {"plate": str(folder / "plate.1001.exr"), "trimap": str(folder / "trimap.1001.exr")}
    report = run(job_for(folder, tiny_weights, tmp_path / "out", **names, frames="1001-1003"))
    assert len(report.frames) == 3
    assert report.notes == []


def test_a_folder_with_a_hash_in_its_name_is_a_folder(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot("shot #3")
    run(job_for(folder, tiny_weights, tmp_path / "take #2" / "m.####.exr"))
    assert sorted(written(tmp_path / "take #2")) == ["m.1001.exr", "m.1002.exr", "m.1003.exr"]


def test_photographs_named_by_the_time_of_day_are_no_shot(tiny_weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    for time in (101500123, 114512345, 182233444):
        (folder / f"PXL_20240101_{time}.jpg").write_bytes(b"not looked at")
    with pytest.raises(SequenceError, match=r"would be [\d,]+ frames, of which 3 exist: these numbers seem to be no"):
        run(Job(plate=str(folder), trimap=str(folder), model=str(tiny_weights), outputs=Outputs(path=str(tmp_path))))


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


def _write_movie(path: Path) -> None:
    """Three grey frames."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        for value in (40, 120, 200):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_movie_counts_its_frames_from_one(tiny_weights: Path, tmp_path: Path) -> None:
    _write_movie(tmp_path / "plate.mkv")
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


def test_a_guide_that_is_numbered_otherwise_is_told_with_its_frames(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    for frame in (1001, 1002, 1003):
        (folder / f"trimap.{frame}.exr").rename(folder / f"trimap.{frame - 1000}.exr")
    job = job_for(folder, tiny_weights, tmp_path / "out", trimap=str(folder / "trimap.#.exr"))
    with pytest.raises(SequenceError, match=r"the trimap has the frames 1-3\)\. Number plate and guides alike, choose"):
        run(job)


def test_a_movie_that_lacks_frames_is_told_with_those_it_has(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    _write_movie(tmp_path / "trimap.mkv")
    job = job_for(folder, tiny_weights, tmp_path / "out", trimap=str(tmp_path / "trimap.mkv"))
    with pytest.raises(SequenceError) as caught:
        run(job)
    assert str(caught.value) == (
        f"3 of 3 frames are missing: 1001-1003 ({tmp_path / 'trimap.mkv'} has the frames 1-3). Give numbered pictures "
        "in place of the movie, which counts from 1, choose --frames, or leave these frames out with --missing skip."
    )
    with pytest.raises(
        SequenceError, match=r"1001-1004 \(\S*plate\.1004\.exr; \S*mkv has .*\. Provide the files, give num"
    ):
        run(replace(job, frames="1001-1004"))
