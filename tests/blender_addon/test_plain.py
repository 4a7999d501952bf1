"""What needs no Blender: frames, pixels, wishes, words, the cache, the bundled bridge."""

from __future__ import annotations

import os
import sys
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.image.color import resolve_space
from gossamer.image.image import Image
from gossamer_blender import bundled, cache, colours, frames, pixels, status, wishes
from gossamer_bridge.errors import KnobError
from gossamer_bridge.host import JobProgress


@pytest.mark.parametrize(
    ("path", "number", "pattern"),
    [
        ("/s/fur.1001.exr", 1001, "/s/fur.####.exr"),
        ("/s2/fur_v003_0007.png", 7, "/s2/fur_v003_####.png"),
        ("C:\\shot1\\a.12.exr", 12, "C:\\shot1\\a.##.exr"),
        ("/s2/fur.exr", None, "/s2/fur.exr"),
    ],
)
def test_the_last_digits_of_a_file_name_are_the_frame(path: str, number: int | None, pattern: str) -> None:
    assert frames.file_number(path) == number
    assert frames.sequence_pattern(path) == pattern


def test_a_folders_name_is_no_pattern() -> None:
    assert frames.at_frame("/Shot #3/fur_alpha.####.exr", 7) == "/Shot #3/fur_alpha.0007.exr"
    assert frames.at_frame("C:\\#\\a.##.exr", 101) == "C:\\#\\a.101.exr"
    assert frames.frame_padding("/Shot #12/fur.01001.exr") == 5
    assert frames.frame_padding("/Shot #12/fur.exr") == 0


def test_a_sequence_is_what_lies_on_disk(tmp_path: Path) -> None:
    for name in ("fur.0998.exr", "fur.1001.exr", "fur.10000.exr", "fur.12.exr", "fur.1002.png", "xfur.1003.exr"):
        (tmp_path / name).touch()
    assert frames.sequence_numbers(str(tmp_path / "fur.1001.exr")) == [998, 1001, 10000]
    assert frames.sequence_numbers(str(tmp_path / "fur.exr")) == []
    assert frames.sequence_numbers(str(tmp_path / "nothing" / "fur.1001.exr")) == []


def test_scene_frames_and_file_numbers_are_each_others_inverse() -> None:
    lies = frames.FrameMap(start=11, offset=1000)
    assert lies.number(11) == 1001
    assert lies.scene_frame(lies.number(37)) == 37


@pytest.mark.parametrize(
    ("name", "numbered", "expected"),
    [
        ("fur.1001.exr", True, "fur"),
        ("fur.1001.exr.001", True, "fur_001"),
        ("Image.001", False, "Image.001"),
        ("a/b:c?.png", False, "a_b_c_"),
        ("0001.png", True, "0001"),
        ("   ", False, "plate"),
    ],
)
def test_results_are_called_after_the_datablock(name: str, numbered: bool, expected: str) -> None:
    assert frames.element_name(name, numbered=numbered) == expected


def test_straight_colours_keep_their_bits_under_a_new_alpha() -> None:
    buffer = array("f", [0.1, 0.2, 0.3, 1.0, 0.4, 0.5, 0.6, 0.5])
    found = pixels.with_alpha(buffer, array("f", [0.25, 0.75]), premultiplied=False)
    assert found.tolist() == array("f", [0.1, 0.2, 0.3, 0.25, 0.4, 0.5, 0.6, 0.75]).tolist()


def test_premultiplied_colours_follow_the_new_alpha() -> None:
    buffer = array("f", [0.5, 0.5, 0.5, 1.0, 0.2, 0.2, 0.2, 0.5, 0.0, 0.0, 0.0, 0.0])
    found = pixels.with_alpha(buffer, array("f", [0.5, 0.25, 1.0]), premultiplied=True)
    assert found.tolist() == pytest.approx([0.25, 0.25, 0.25, 0.5, 0.1, 0.1, 0.1, 0.25, 0.0, 0.0, 0.0, 1.0])


def test_channels_are_taken_in_the_order_that_is_asked_for() -> None:
    assert pixels.channels_of(array("f", range(8)), (2, 0)).tolist() == [2, 0, 6, 4]


@pytest.mark.parametrize(
    ("text", "expected"), [("1-3", (1, 2, 3)), ("1-7x3,2", (1, 2, 4, 7)), ("-2-0", (-2, -1, 0)), ("5", (5,))]
)
def test_frames_are_read_as_written(text: str, expected: tuple[int, ...]) -> None:
    assert wishes.parse_frames(text) == expected


@pytest.mark.parametrize(
    ("text", "message"), [("1-x", r"Write it like 1-8"), ("9-1", "counts backwards"), ("1-9x0", "counts backwards")]
)
def test_frames_that_cannot_be_read_are_refused(text: str, message: str) -> None:
    with pytest.raises(KnobError, match=message):
        wishes.parse_frames(text)


def test_a_smaller_memory_limit_gives_smaller_tiles_and_none_leaves_it_open() -> None:
    assert [wishes.tile_for_memory(limit) for limit in (0, 600, 900, 1400, 4000)] == [0, 256, 512, 1024, 0]


def test_the_status_names_frame_time_and_engine() -> None:
    progress = JobProgress("solving", 3, 8, 1004, 0.5, 75.0, "onnxruntime on cpu, fp32")
    assert status.progress_lines(progress, 7.0) == [
        "Frame 1004, 3 of 8 done",
        "0:07 so far, 1:15 left",
        "onnxruntime on cpu, fp32",
    ]
    assert status.clock(3725) == "1:02:05"


def test_an_input_that_did_not_change_keeps_its_time(tmp_path: Path) -> None:
    target, new = tmp_path / "folder" / "a.exr", tmp_path / "new.exr"
    new.write_bytes(b"mask")
    assert cache.replace_if_changed(new, target)
    os.utime(target, (1.0, 1.0))
    new.write_bytes(b"mask")
    assert not cache.replace_if_changed(new, target)
    assert target.stat().st_mtime == 1.0
    assert not new.exists()


MASK, PICTURE = f"masks/roto-{'0f' * 6}/mask.1001.exr", f"pictures/{'a1' * 12}.exr"


def written(file: Path, *, days_ago: float, size: int = 100) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, (time.time() - days_ago * 86400.0,) * 2)
    return file


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_cache_loses_its_oldest_files_but_no_fresh_ones(tmp_path: Path) -> None:
    written(tmp_path / MASK, days_ago=4)
    written(tmp_path / PICTURE, days_ago=3)
    fresh = written(tmp_path / "pictures" / f"{'b' * 24}.exr", days_ago=0)
    assert cache.prune(tmp_path, limit=250) == 100, "masks and pictures have one limit"
    assert files_in(tmp_path) == {PICTURE, fresh.relative_to(tmp_path).as_posix()}
    assert cache.prune(tmp_path, limit=50) == 100
    assert cache.prune(tmp_path, limit=50) == 0
    assert cache.prune(tmp_path / "nothing", limit=0) == 0
    assert cache.clear(tmp_path) == 100
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("empty", [lambda folder: cache.prune(folder, limit=0), cache.clear])
def test_the_artists_own_files_in_the_cache_folder_stay(tmp_path: Path, empty: Callable[[Path], int]) -> None:
    theirs = ("hero.blend", "shot/plate.1001.exr", "masks/roto.exr", "masks/hero/mask.1001.exr", "pictures/sunset.exr")
    for name in theirs:
        written(tmp_path / name, days_ago=300)
    written(tmp_path / MASK, days_ago=3)
    written(tmp_path / PICTURE, days_ago=3)
    assert empty(tmp_path) == 200
    assert files_in(tmp_path) == set(theirs)


@pytest.mark.parametrize("empty", [lambda folder: cache.prune(folder, limit=0), cache.clear])
def test_links_in_the_cache_folder_are_not_followed(tmp_path: Path, empty: Callable[[Path], int]) -> None:
    own, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    kept = [written(elsewhere / name, days_ago=300) for name in (MASK, PICTURE)]
    (own / "masks").mkdir(parents=True)
    (own / Path(MASK).parent).symlink_to(kept[0].parent, target_is_directory=True)
    (own / "pictures").symlink_to(kept[1].parent, target_is_directory=True)
    assert empty(own) == 0
    (own / "pictures").unlink()
    (own / "pictures").mkdir()
    (own / PICTURE).symlink_to(kept[1])
    assert empty(own) == 0
    assert [file.is_file() for file in (*kept, own / PICTURE)] == [True, True, True]


@pytest.mark.parametrize("name", sorted(colours.SPACES))
def test_every_colour_space_of_blender_has_a_name_that_the_worker_knows(name: str) -> None:
    image = Image.from_pixels(__import__("numpy").zeros((1, 1, 3), "float32"), ("R", "G", "B"))
    assert resolve_space(image, colours.worker_space(name, "Linear Rec.709")).name


def test_the_working_space_stands_for_what_the_file_says() -> None:
    assert colours.worker_space("Working Space", "ACEScg") == "ACEScg"
    assert colours.worker_space("a space of $OCIO", "ACEScg") == "a space of $OCIO"


def test_a_classic_add_on_brings_its_own_bridge_and_takes_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "gossamer_bridge"}
    (tmp_path / "wheels").mkdir()
    wheel = tmp_path / "wheels" / "gossamer_bridge-0.1.0-py3-none-any.whl"
    wheel.touch()
    before: list[Any] = list(sys.path)
    try:
        bundled.provide_bridge("bl_ext.user_default.gossamer", tmp_path)
        assert sys.path == before
        bundled.provide_bridge("gossamer_blender", tmp_path)
        bundled.provide_bridge("gossamer_blender", tmp_path)
        assert sys.path == [str(wheel), *before]
        bundled.withdraw_bridge("elsewhere", tmp_path / "checkout")
        assert loaded_bridge(), "a bridge that the add-on did not bring was taken out"
        wheel.rename(wheel.with_name("gossamer_bridge-0.2.0-py3-none-any.whl"))  # an update is there already
        job = threading.Thread(target=(until := threading.Event()).wait, name="gossamer-job")
        job.start()
        bundled.withdraw_bridge("bl_ext.user_default.gossamer", tmp_path)
        until.set()
        job.join()
        assert loaded_bridge(), "a job runs on it"
        bundled.withdraw_bridge("gossamer_blender", tmp_path)
        assert sys.path == before
        assert not loaded_bridge()
        sys.modules.update(kept)
        bundled.withdraw_bridge("bl_ext.user_default.gossamer", tmp_path)
        assert not loaded_bridge(), "an extension's update would run on the old bridge"
    finally:
        sys.modules.update(kept)


def loaded_bridge() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "gossamer_bridge"]
