"""From a text to a source of frames."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.errors import ImageReadError, SequenceError
from gossamer.image.frames import FrameRange
from gossamer.image.sequence import FrameSource, ImageSequence, open_source, output_path


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


def _open(path: Path, frames: str = "") -> ImageSequence:
    source = open_source(str(path), frames=FrameRange.parse(frames) if frames else None)
    assert isinstance(source, ImageSequence)
    assert isinstance(source, FrameSource)
    return source


@pytest.mark.parametrize("pattern", ["shot.####.exr", "shot.#.exr", "shot.%04d.exr", "shot.%d.exr", "shot.$F4.exr"])
def test_every_way_to_write_a_pattern_finds_the_frames(tmp_path: Path, pattern: str) -> None:
    _touch(tmp_path, "shot.0998.exr", "shot.0999.exr", "shot.1001.exr", "shot_alpha.0998.exr", "shot.txt")
    source = _open(tmp_path / pattern)
    assert source.frames == (998, 999, 1001)
    assert not source.is_still
    assert source.missing(range(998, 1003)) == (1000, 1002)
    assert source.path(999) == tmp_path / "shot.0999.exr"
    assert source.path(1000) == tmp_path / "shot.1000.exr"
    assert source.describe() == f"{tmp_path}/shot.####.exr: frames 998-999,1001. 1 missing in between."


def test_a_pattern_takes_any_padding_but_prefers_its_own(tmp_path: Path) -> None:
    _touch(tmp_path, "a.1.exr", "a.0001.exr", "a.01.exr", "a.2.exr", "a.0010.exr")
    assert _open(tmp_path / "a.####.exr").path(1).name == "a.0001.exr"
    assert _open(tmp_path / "a.#.exr").path(1).name == "a.1.exr"
    assert _open(tmp_path / "a.%02d.exr").path(1).name == "a.01.exr"
    assert _open(tmp_path / "a.####.exr").frames == (1, 2, 10)


def test_the_case_of_the_ending_does_not_matter(tmp_path: Path) -> None:
    _touch(tmp_path, "a.1.EXR", "a.2.exr", "A.3.exr")
    assert _open(tmp_path / "a.#.Exr").frames == (1, 2)


def test_negative_frames_are_found(tmp_path: Path) -> None:
    _touch(tmp_path, "a.-002.exr", "a.-001.exr", "a.0000.exr", "a.0001.exr")
    source = _open(tmp_path / "a.####.exr")
    assert source.frames == (-2, -1, 0, 1)
    assert source.path(-3).name == "a.-003.exr"
    assert _open(tmp_path).frames == (-2, -1, 0, 1)


def test_a_dash_in_front_of_the_number_is_no_sign(tmp_path: Path) -> None:
    _touch(tmp_path, "shot-0001.exr", "shot-0002.exr")
    assert _open(tmp_path).frames == (1, 2)
    assert _open(tmp_path / "shot-####.exr").frames == (1, 2)
    assert _open(tmp_path / "shot-0001.exr").frames == (1,)


def test_names_with_signs_that_mean_something_elsewhere_are_taken_literally(tmp_path: Path) -> None:
    folder = tmp_path / "a [b] (c) é"
    folder.mkdir()
    _touch(folder, "s+o[1].x.0001.exr", "s+o[1].x.0002.exr")
    assert _open(folder / "s+o[1].x.####.exr").frames == (1, 2)


def test_an_evenly_stepped_sequence_has_no_gaps(tmp_path: Path) -> None:
    _touch(tmp_path, "a.1.exr", "a.3.exr", "a.5.exr")
    assert "missing" not in _open(tmp_path).describe()


def test_a_file_with_neighbours_is_a_still_that_tells_of_them(tmp_path: Path) -> None:
    _touch(tmp_path, *(f"shot.{n}.exr" for n in range(1001, 1005)))
    source = _open(tmp_path / "shot.1002.exr")
    assert (source.frames, source.is_still) == ((1002,), True)
    assert "4 frames of this name lie beside it; take them with --frames 1001-1004" in source.describe()
    assert source.path(7) == tmp_path / "shot.1002.exr"
    assert source.missing([1, 2]) == ()


def test_a_file_with_neighbours_is_a_sequence_when_frames_are_asked_for(tmp_path: Path) -> None:
    _touch(tmp_path, *(f"shot.{n}.exr" for n in range(1001, 1005)))
    source = _open(tmp_path / "shot.1002.exr", "1001-1006")
    assert (source.frames, source.is_still) == ((1001, 1002, 1003, 1004), False)
    assert source.missing(range(1001, 1007)) == (1005, 1006)


def test_a_numbered_file_alone_is_a_still_even_when_frames_are_asked_for(tmp_path: Path) -> None:
    _touch(tmp_path, "trimap.1001.png")
    source = _open(tmp_path / "trimap.1001.png", "1001-1006")
    assert (source.frames, source.is_still) == ((1001,), True)


def test_frames_with_gaps_are_named_as_they_can_be_asked_for(tmp_path: Path) -> None:
    _touch(tmp_path, *(f"shot.{n}.exr" for n in (1, 5, 13)))
    assert "take them with --frames 1,5,13" in _open(tmp_path / "shot.5.exr").describe()


@pytest.mark.parametrize("name", ["portrait_v2.png", "GT05.png", "take 3.png"])
def test_a_still_is_called_by_its_whole_name_whoever_lies_beside_it(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, name)
    wanted = f"{Path(name).stem}_alpha"
    source = _open(tmp_path / name)
    assert output_path(f"{tmp_path}/out/", source, source.frames[0], "alpha").stem == wanted
    _touch(tmp_path, name.replace("2", "3").replace("05", "07").replace(" 3", " 4"))
    source = _open(tmp_path / name)
    assert source.is_still
    assert output_path(f"{tmp_path}/out/", source, source.frames[0], "alpha").stem == wanted


@pytest.mark.parametrize("name", ["shot.*.exr", "shot.@@@@.exr"])
def test_another_way_to_write_frame_numbers_is_told(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, "shot.1001.exr")
    with pytest.raises(SequenceError, match=r"Frame numbers are written ####, %04d or \$F4, not [*@]\."):
        _open(tmp_path / name)


def test_a_digit_that_belongs_to_the_name_is_no_frame(tmp_path: Path) -> None:
    _touch(tmp_path, "hero_v2.exr")
    source = _open(tmp_path / "hero_v2.exr")
    assert (source.frames, source.stem) == ((1,), "hero_v2")


def test_a_name_without_number_is_frame_one(tmp_path: Path) -> None:
    _touch(tmp_path, "cat.png")
    source = _open(tmp_path / "cat.png")
    assert (source.frames, source.is_still, source.describe()) == ((1,), True, f"{tmp_path}/cat.png (still).")


def test_a_folder_with_one_sequence_is_that_sequence(tmp_path: Path) -> None:
    _touch(tmp_path, "shot.0001.exr", "shot.0002.exr", "notes.txt", ".shot.0003.exr", ".gossamer-abc.tmp.exr")
    source = _open(tmp_path)
    assert (source.frames, source.stem, source.padding) == ((1, 2), "shot", 4)


def test_a_folder_of_unlike_names_is_numbered_in_the_order_of_names(tmp_path: Path) -> None:
    _touch(tmp_path, "dog.png", "cat10.jpg", "Bird.PNG", "cow.tif")
    source = _open(tmp_path)
    assert source.is_set
    assert [source.path(frame).name for frame in source.frames] == ["Bird.PNG", "cat10.jpg", "cow.tif", "dog.png"]
    assert source.describe() == f"{tmp_path}: 4 stills, Bird.PNG to dog.png."


def test_numbers_in_names_sort_by_value(tmp_path: Path) -> None:
    _touch(tmp_path, "a2x.png", "a10x.png", "a1x.png")
    source = _open(tmp_path)
    assert [source.path(frame).name for frame in source.frames] == ["a1x.png", "a2x.png", "a10x.png"]


def test_a_folder_with_several_things_is_an_error_that_lists_them(tmp_path: Path) -> None:
    _touch(tmp_path, "a.001.exr", "a.002.exr", "b.1.png", "b.2.png", "b.3.png", "still.jpg")
    with pytest.raises(SequenceError, match=r"several things: a\.###\.exr \(2 files\), b\.#\.png \(3 files\), 1 other"):
        _open(tmp_path)


def test_one_number_with_two_paddings_in_a_folder_is_ambiguous(tmp_path: Path) -> None:
    _touch(tmp_path, "a.1.exr", "a.0001.exr", "a.2.exr")
    with pytest.raises(SequenceError, match="holds several things"):
        _open(tmp_path)


def test_stills_of_one_name_with_two_endings_are_an_error(tmp_path: Path) -> None:
    _touch(tmp_path, "cat.png", "cat.jpg", "dog.jpg")
    with pytest.raises(SequenceError, match="several pictures named cat with different endings"):
        _open(tmp_path)


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    _touch(tmp_path, "notes.txt")
    with pytest.raises(SequenceError, match="holds no pictures"):
        _open(tmp_path)
    _touch(tmp_path, "clip.mov")
    with pytest.raises(SequenceError, match=r"It holds the movie clip\.mov; name that file"):
        _open(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other.####.exr", r"No file matches .*other\.####\.exr\.$"),
        ("shot_v2.####.exr", "No file matches"),
        ("shot.9999.exr", r"There is no file .*shot\.9999\.exr\. In that folder: shot\.0001\.exr, .* and 2 more"),
        ("nowhere/shot.####.exr", "There is no folder .*nowhere"),
        ("nowhere/shot.0001.exr", "There is no folder .*nowhere"),
        ("shot.##.##.exr", "give the frame number once"),
        ("v_####/shot.####.exr", "the frame number belongs in the file name"),
    ],
)
def test_what_is_not_there_is_explained(tmp_path: Path, name: str, message: str) -> None:
    _touch(tmp_path, *(f"shot.{n:04d}.exr" for n in range(1, 6)))
    with pytest.raises(SequenceError, match=message):
        open_source(str(tmp_path / name))


def test_an_empty_text_is_an_error() -> None:
    with pytest.raises(SequenceError, match="No file, pattern or folder given"):
        open_source("  ")


def test_folders_with_the_name_of_a_frame_are_not_frames(tmp_path: Path) -> None:
    _touch(tmp_path, "a.1.exr")
    (tmp_path / "a.2.exr").mkdir()
    assert _open(tmp_path / "a.#.exr").frames == (1,)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(SequenceError, match=r"Cannot list the folder .*: Permission denied"):
        open_source(str(tmp_path))


def test_frames_are_read_by_number(tmp_path: Path, save: Callable[..., Path]) -> None:
    save(tmp_path / "a.0001.exr", width=3, channels="RGBA")
    save(tmp_path / "a.0002.exr", width=5, channels="RGB")
    source = open_source(str(tmp_path))
    assert source.read(2).width == 5
    assert source.read(1).channels == ("R", "G", "B", "A")


def test_a_still_is_read_for_every_frame(tmp_path: Path, save: Callable[..., Path]) -> None:
    source = open_source(str(save(tmp_path / "t.png", width=3)))
    assert source.read(1001).width == source.read(5).width == 3


def test_a_missing_frame_is_named_with_its_file(tmp_path: Path) -> None:
    _touch(tmp_path, "a.0001.exr", "a.0003.exr")
    with pytest.raises(SequenceError, match=r"There is no frame 2 \(no file a\.0002\.exr\)\. .*frames 1,3"):
        open_source(str(tmp_path)).read(2)
    stills = ImageSequence({1: tmp_path / "x.png"}, is_set=True)
    with pytest.raises(SequenceError, match=r"There is no frame 2 \(no file \(picture 2\)\)"):
        stills.read(2)


def test_a_broken_frame_names_its_file(tmp_path: Path) -> None:
    _touch(tmp_path, "a.0001.exr", "a.0002.exr")
    with pytest.raises(ImageReadError, match=r"a\.0002\.exr cannot be opened; it may be truncated or damaged"):
        open_source(str(tmp_path)).read(2)


def test_one_numbered_picture_in_a_folder_is_a_sequence_of_one_frame(tmp_path: Path) -> None:
    _touch(tmp_path, "plate.1001.png", "notes.txt")
    source = _open(tmp_path)
    assert (source.frames, source.is_still, source.is_set) == ((1001,), False, False)
    assert (source.stem, source.separator, source.padding) == ("plate", ".", 4)


@pytest.mark.parametrize("names", [("hero_v2.png",), ("cat.png",), ("cat_1.png", "dog_2.png")])
def test_pictures_without_a_frame_number_stay_stills(tmp_path: Path, names: tuple[str, ...]) -> None:
    _touch(tmp_path, *names)
    source = _open(tmp_path)
    assert (source.is_set, source.frames) == (True, tuple(range(1, len(names) + 1)))


def _close(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str = "") -> None:
    """Let nothing below a folder, or one entry of it, be reached: as ``chmod a-x``, which does not bind root."""
    stat = Path.stat

    def refuse(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self != folder and self.is_relative_to(folder / name):
            raise PermissionError(13, "Permission denied", str(self))
        return stat(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)


@pytest.mark.parametrize("name", ["shot.####.exr", "shot.1001.exr", "clip.mov", "in", "in/shot.####.exr"])
def test_a_folder_that_is_closed_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _touch(tmp_path, "shot.1001.exr")
    _close(monkeypatch, tmp_path)
    with pytest.raises(SequenceError, match=rf"Cannot reach {re.escape(str(tmp_path / name))}: Permission denied"):
        open_source(str(tmp_path / name))


def test_a_folder_of_files_that_cannot_be_reached_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, "shot.1001.exr")
    _close(monkeypatch, tmp_path)
    with pytest.raises(SequenceError, match=r"Cannot reach .*shot\.1001\.exr: Permission denied"):
        open_source(str(tmp_path))


def test_one_entry_out_of_reach_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _touch(tmp_path, "a.1.exr", "a.2.exr", "old.exr")
    _close(monkeypatch, tmp_path, "old.exr")
    assert _open(tmp_path).frames == _open(tmp_path / "a.#.exr").frames == (1, 2)
    assert f"Cannot reach {tmp_path}/old.exr: Permission denied. It is left out." in caplog.text


def test_a_file_is_read_from_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    _touch(tmp_path, "shot.1001.exr", "shot.1002.exr")
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert _open(tmp_path / "shot.1001.exr").frames == (1001,)
    for name, frames in (("shot.1001.exr", "1001-1002"), ("shot.####.exr", "")):
        with pytest.raises(SequenceError, match=r"Cannot list the folder .*: Permission denied"):
            _open(tmp_path / name, frames)
    with pytest.raises(SequenceError, match=r"There is no file .*shot\.7\.exr\.$"):
        _open(tmp_path / "shot.7.exr")


def test_a_name_that_begins_with_a_tilde_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "~plate.png")
    monkeypatch.chdir(tmp_path)
    source = open_source("~plate.png")
    assert source.path(1) == Path("~plate.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_source("~/~plate.png").path(1) == tmp_path / "~plate.png"
