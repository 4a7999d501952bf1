"""Folders that can and cannot be evaluated."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.errors import DataError
from gossamer.evaluation.cases import find_cases, load_case
from gossamer.image.io import read_image, write_image

MakeFolder = Callable[..., Path]
Save = Callable[[Path, Any], Path]


def test_pictures_are_paired_by_stem_in_order(make_folder: MakeFolder) -> None:
    folder = make_folder("b", "a", "c d")
    cases = find_cases(folder, "trimap")
    assert [case.stem for case in cases] == ["a", "b", "c d"]
    assert all(case.trimap == folder / "trimap" / f"{case.stem}.png" for case in cases)


def test_extensions_may_differ(make_folder: MakeFolder, save_picture: Save) -> None:
    folder = make_folder("a")
    (folder / "alpha" / "a.png").unlink()
    save_picture(folder / "alpha" / "a.tif", np.full((16, 24), 0.5))
    assert find_cases(folder, "trimap")[0].truth.name == "a.tif"


def test_another_trimap_folder_can_be_chosen(make_folder: MakeFolder) -> None:
    folder = make_folder("a", trimap="trimap_wide")
    assert find_cases(folder, "trimap_wide")[0].trimap.parent.name == "trimap_wide"


def test_texts_and_hidden_files_are_passed_over(make_folder: MakeFolder) -> None:
    folder = make_folder("a")
    (folder / "image" / "notes.txt").write_text("shot in Bonn")
    (folder / "alpha" / ".DS_Store.png").write_bytes(b"x")
    assert len(find_cases(folder, "trimap")) == 1


def test_pixels_come_as_a_solver_wants_them(make_folder: MakeFolder) -> None:
    case = find_cases(make_folder("a"), "trimap")[0]
    pixels = load_case(case)
    assert pixels.plate.shape == (16, 24, 3)
    assert pixels.plate.dtype == np.float32
    np.testing.assert_allclose(pixels.plate[0, 0], np.rint([25.5, 51, 76.5]) / 255, atol=2e-3)
    assert set(np.unique(pixels.trimap)) == {0.0, 0.5, 1.0}
    assert pixels.truth.shape == (16, 24)
    assert any("sRGB" in note for note in pixels.notes)


def test_a_grey_plate_gets_three_channels(make_folder: MakeFolder, save_picture: Save) -> None:
    folder = make_folder("a")
    save_picture(folder / "image" / "a.png", np.full((16, 24), 0.4))
    assert load_case(find_cases(folder, "trimap")[0]).plate.shape == (16, 24, 3)


def test_every_fault_is_listed_at_once(make_folder: MakeFolder, save_picture: Save) -> None:
    folder = make_folder("fine", "no_trimap", "no_alpha", "small", "known", "broken")
    (folder / "trimap" / "no_trimap.png").unlink()
    (folder / "alpha" / "no_alpha.png").unlink()
    save_picture(folder / "alpha" / "small.png", np.zeros((8, 12)))
    save_picture(folder / "trimap" / "known.png", np.eye(16, 24))
    (folder / "alpha" / "broken.png").write_bytes(b"")
    save_picture(folder / "alpha" / "left_over.png", np.zeros((16, 24)))
    with pytest.raises(DataError) as caught:
        find_cases(folder, "trimap")
    message = str(caught.value)
    assert "no_trimap: nothing in trimap/" in message
    assert "no_alpha: nothing in alpha/" in message
    assert "left_over: nothing in image/ and trimap/" in message
    assert "small: image/ is 24x16, trimap/ is 24x16, alpha/ is 12x8" in message
    assert "known: the trimap has no unknown pixel" in message
    assert "broken.png is empty" in message
    assert "fine" not in message


def test_a_plate_stored_rotated_beside_upright_mattes_is_a_fault(make_folder: MakeFolder) -> None:
    folder = make_folder("a")
    plate = read_image(folder / "image" / "a.png")
    (folder / "image" / "a.png").unlink()
    turned = replace(plate, metadata={**plate.metadata, "Orientation": 3})
    write_image(folder / "image" / "a.tif", turned, data_type="uint8")
    with pytest.raises(DataError, match=r"a: some are stored rotated, .* \(image/ has Orientation 3, trim"):
        find_cases(folder, "trimap")


def test_two_files_of_one_stem_are_a_fault(make_folder: MakeFolder, save_picture: Save) -> None:
    folder = make_folder("a")
    save_picture(folder / "image" / "a.jpg", np.zeros((16, 24, 3)))
    with pytest.raises(DataError, match=r"a: both a\.jpg and a\.png in image/"):
        find_cases(folder, "trimap")


def test_a_missing_trimap_folder_is_named_with_those_there_are(make_folder: MakeFolder) -> None:
    folder = make_folder("a", trimap="trimap_wide")
    with pytest.raises(DataError, match=r"has no folder trimap/\. Trimap folders there: trimap_wide"):
        find_cases(folder, "trimap")


def test_all_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder image/, trimap/, alpha/"):
        find_cases(tmp_path, "trimap")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is no folder"):
        find_cases(tmp_path / "nowhere", "trimap")


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    for name in ("image", "trimap", "alpha"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        find_cases(tmp_path, "trimap")
