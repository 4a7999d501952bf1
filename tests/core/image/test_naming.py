"""Names of result files, and which guide fits which plate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gossamer.errors import SequenceError
from gossamer.image.frames import FrameRange
from gossamer.image.sequence import FrameSource, match_guide, missing_frames, open_source, output_path


def _source(folder: Path, *names: str, take: str = "", frames: str = "") -> FrameSource:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return open_source(str(folder / take), frames=FrameRange.parse(frames) if frames else None)


def test_a_folder_takes_the_plates_name_and_padding(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.01001.exr", "shot.01002.exr")
    out = tmp_path / "out"
    assert output_path(out, plate, 1001, "alpha") == out / "shot_alpha.01001.exr"
    assert output_path(out, plate, 1001, "comp", ending=".png") == out / "shot_comp.01001.png"
    assert output_path(str(out) + "/", plate, 1002, "alpha").name == "shot_alpha.01002.exr"


def test_separators_stay(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot_0001.png", "shot_0002.png")
    assert output_path("out", plate, 2, "alpha").name == "shot_alpha_0002.exr"


def test_names_that_are_only_numbers_work(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "0001.png", "0002.png")
    assert output_path("out", plate, 2, "alpha").name == "alpha.0002.exr"


def test_negative_frames_are_written_as_printf_does(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "a.-002.exr", "a.0001.exr")
    assert output_path("out", plate, -2, "alpha").name == "a_alpha.-002.exr"


def test_stills_keep_their_own_names(tmp_path: Path) -> None:
    stills = _source(tmp_path / "in", "cat.png", "dog v2.jpg")
    assert output_path("out", stills, 2, "alpha").name == "dog v2_alpha.exr"
    one = _source(tmp_path / "one", "cat.png", take="cat.png")
    assert output_path("out", one, 1, "alpha").name == "cat_alpha.exr"
    numbered = _source(tmp_path / "two", "shot.1001.exr", "shot.1002.exr", take="shot.1001.exr")
    assert output_path("out", numbered, 1001, "alpha").name == "shot_alpha.1001.exr"


@pytest.mark.parametrize("pattern", ["m.####.exr", "m.%04d.exr", "m.$F4.exr"])
def test_a_pattern_is_taken_as_written(tmp_path: Path, pattern: str) -> None:
    plate = _source(tmp_path / "in", "shot.1.exr", "shot.2.exr")
    assert output_path(tmp_path / pattern, plate, 2, "alpha") == tmp_path / "m.0002.exr"
    assert output_path(tmp_path / pattern, plate, 2, "comp", ending=".png") == tmp_path / "m_comp.0002.png"


def test_a_folder_may_be_called_like_a_pattern(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    assert output_path(f"{tmp_path}/take #2/", plate, 2, "alpha") == tmp_path / "take #2" / "shot_alpha.0002.exr"
    (tmp_path / "take #3").mkdir()
    assert output_path(tmp_path / "take #3", plate, 2, "alpha") == tmp_path / "take #3" / "shot_alpha.0002.exr"


def test_one_file_is_right_for_one_frame(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "cat.png", take="cat.png")
    assert output_path(tmp_path / "m.exr", plate, 1, "alpha") == tmp_path / "m.exr"
    assert output_path(tmp_path / "m.exr", plate, 1, "comp", ending=".png") == tmp_path / "m_comp.png"


def test_one_file_for_several_frames_is_an_error(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.1.exr", "shot.2.exr")
    with pytest.raises(SequenceError, match=r"names one file for 2 frames. Write m\.####\.exr"):
        output_path(tmp_path / "m.exr", plate, 1, "alpha")


def test_two_places_for_the_number_are_an_error(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.1.exr", "shot.2.exr")
    with pytest.raises(SequenceError, match="give the frame number once"):
        output_path(tmp_path / "m.##.##.exr", plate, 1, "alpha")


def test_a_result_never_takes_the_place_of_an_input(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    guide = _source(tmp_path / "guide", "tri.png", take="tri.png")
    with pytest.raises(SequenceError, match=r"would overwrite an input\. Choose another folder or name"):
        output_path(tmp_path / "in" / "shot.####.exr", plate, 1, "alpha")
    with pytest.raises(SequenceError, match="would overwrite an input"):
        output_path(tmp_path / "guide" / "tri.png", guide, 1, "alpha")
    with pytest.raises(SequenceError, match="would overwrite an input"):
        output_path(tmp_path / "guide" / "t#i.png", plate, 1, "alpha", inputs=[_named(guide, tmp_path)])


def _named(source: FrameSource, folder: Path) -> FrameSource:
    (folder / "guide" / "t1i.png").write_bytes(b"x")
    return open_source(str(folder / "guide" / "t1i.png"))


def test_a_link_to_the_plates_folder_does_not_hide_it(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(SequenceError, match="would overwrite an input"):
        output_path(tmp_path / "link" / "shot.####.exr", plate, 2, "alpha")


def test_a_relative_way_to_the_plate_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(SequenceError, match="would overwrite an input"):
        output_path("../in/shot.####.exr", plate, 2, "alpha")


def test_a_hard_link_to_an_input_is_an_input(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    (tmp_path / "out").mkdir()
    os.link(tmp_path / "in" / "shot.0001.exr", tmp_path / "out" / "shot.0001.exr")
    with pytest.raises(SequenceError, match="would overwrite an input"):
        output_path(tmp_path / "out" / "shot.####.exr", plate, 1, "alpha")


def test_a_still_guide_misses_no_frame(tmp_path: Path) -> None:
    still = _source(tmp_path / "g", "t.png", take="t.png")
    sequence = _source(tmp_path / "s", "a.1.png", "a.3.png")
    assert missing_frames(still, range(5)) == ()
    assert missing_frames(sequence, [1, 2, 3, 4]) == (2, 4)


def test_sequences_and_stills_match_without_change(tmp_path: Path) -> None:
    plate = _source(tmp_path / "p", "a.1.png", "a.2.png")
    sequence = _source(tmp_path / "s", "t.1.png", "t.2.png")
    still = _source(tmp_path / "g", "t.png", take="t.png")
    assert match_guide(plate, sequence) is sequence
    assert match_guide(plate, still) is still


def test_stills_match_by_name(tmp_path: Path) -> None:
    plate = _source(tmp_path / "p", "cat.png", "dog.png", "cow.jpg")
    guide = _source(tmp_path / "g", "dog.png", "cat_trimap.png", "cow.tif", "aardvark.png")
    matched = match_guide(plate, guide)
    names = {plate.path(frame).name: matched.path(frame).name for frame in plate.frames}
    assert names == {"cat.png": "cat_trimap.png", "dog.png": "dog.png", "cow.jpg": "cow.tif"}


def test_a_still_plate_finds_its_guide_in_a_folder_of_stills(tmp_path: Path) -> None:
    plate = _source(tmp_path / "p", "cat.png", take="cat.png")
    guide = _source(tmp_path / "g", "dog.png", "cat.png")
    assert match_guide(plate, guide).path(1).name == "cat.png"


def test_a_still_without_partner_is_an_error(tmp_path: Path) -> None:
    plate = _source(tmp_path / "p", "cat.png", "dog.png")
    guide = _source(tmp_path / "g", "cat.png", "cow.png")
    with pytest.raises(SequenceError, match=r"dog\.png has no partner in .*g\."):
        match_guide(plate, guide)


def test_a_still_with_several_partners_is_an_error(tmp_path: Path) -> None:
    plate = _source(tmp_path / "p", "cat.png", "dog.png")
    guide = _source(tmp_path / "g", "cat_a.png", "cat_b.png", "dog.png")
    with pytest.raises(SequenceError, match=r"cat\.png has several partners"):
        match_guide(plate, guide)


def test_a_sequence_and_a_set_of_stills_do_not_match(tmp_path: Path) -> None:
    plate = _source(tmp_path / "p", "a.1.png", "a.2.png")
    guide = _source(tmp_path / "g", "cat.png", "dog.png")
    with pytest.raises(SequenceError, match="Cannot tell which pictures belong together"):
        match_guide(plate, guide)


@pytest.mark.parametrize("guides", [("trimap.1001.png",), ("trimap.1001.png", "trimap.1002.png")])
def test_a_single_frame_finds_its_guide_by_number(tmp_path: Path, guides: tuple[str, ...]) -> None:
    plate = _source(tmp_path / "p", "plate.1001.png")
    guide = match_guide(plate, _source(tmp_path / "g", *guides))
    assert guide.path(1001).name == "trimap.1001.png"
    assert output_path("out", plate, 1001, "alpha").name == "plate_alpha.1001.exr"
    named = _source(tmp_path / "p", take="plate.1001.png")
    assert match_guide(named, _source(tmp_path / "g")).path(1001).name == "trimap.1001.png"


@pytest.mark.parametrize(
    ("plates", "guides"),
    [
        (("IMG_1234.jpg",), ("IMG_1234_trimap.png",)),
        (("IMG_1234.jpg",), ("IMG_1233.png", "IMG_1234_trimap.png", "cat.png")),
        (("cat.jpg",), ("cat_7.png",)),
    ],
)
@pytest.mark.parametrize("is_file", [False, True])
def test_a_number_in_the_name_of_a_still_does_not_hide_its_partner(
    tmp_path: Path, plates: tuple[str, ...], guides: tuple[str, ...], is_file: bool
) -> None:
    plate = _source(tmp_path / "p", *plates, take=plates[0] if is_file else "")
    matched = match_guide(plate, _source(tmp_path / "g", *guides))
    assert [matched.path(frame).stem for frame in plate.frames] == [
        name.rpartition(".")[0] for name in guides if name.startswith(plates[0].partition(".")[0] + "_")
    ]


def test_an_output_in_a_closed_folder_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *, follow_symlinks: bool = True) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SequenceError, match=r"Cannot reach .*m\.####\.exr: Permission denied"):
        output_path(tmp_path / "m.####.exr", plate, 1, "alpha")


def test_an_output_may_begin_with_a_tilde(tmp_path: Path) -> None:
    plate = _source(tmp_path / "in", "shot.0001.exr", "shot.0002.exr")
    assert output_path("~matte.####.exr", plate, 1, "alpha") == Path("~matte.0001.exr")
