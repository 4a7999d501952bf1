"""Raw pixels to a file and back: rows, names and values stay what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.errors import ColorError, ImageReadError, ImageWriteError, SettingError
from gossamer.image.color import resolve_space
from gossamer.image.image import Image, Window
from gossamer.image.io import read_image, write_image
from gossamer.worker import files
from gossamer.worker.files import fetch, store

PIXELS = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
"""Two rows that differ, unlike their mirror images; values far above 1."""


def request(place: Path, pixels: NDArray[np.float32] = PIXELS, **changes: Any) -> dict[str, Any]:
    height, width, count = pixels.shape
    arguments = {"width": width, "height": height, "channels": list("RGB"[:count]), "rows": "top-down"}
    return {**arguments, "color_space": "", "folder": str(place), "name": "plate", **changes}


def test_bottom_up_rows_are_turned_and_top_down_ones_are_not(tmp_path: Path) -> None:
    for rows, expected in (("top-down", PIXELS), ("bottom-up", PIXELS[::-1])):
        path = store(request(tmp_path, rows=rows), PIXELS.tobytes())["path"]
        np.testing.assert_array_equal(read_image(Path(path)).pixels, expected)


def test_every_bit_is_kept(tmp_path: Path) -> None:
    odd = np.array([[[np.nan, -0.0, 1e-42]], [[np.inf, -3.5, 7e8]]], np.float32)
    path = store(request(tmp_path / "made", odd), odd.tobytes())["path"]
    assert path == str(tmp_path / "made" / "plate.exr")
    values, body = fetch({"path": path, "channels": ["R", "G", "B"], "rows": "top-down", "window": "data"})
    assert body == odd.tobytes()
    assert (values["width"], values["height"]) == (1, 2)


def test_a_colour_space_is_found_and_the_file_states_it(tmp_path: Path) -> None:
    answer = store(request(tmp_path, color_space="srgb_tx"), PIXELS.tobytes())
    image = read_image(Path(answer["path"]))
    assert resolve_space(image, "").name == answer["color_space"]
    assert resolve_space(image, "").name != resolve_space(image, "lin_rec709").name
    with pytest.raises(ColorError, match="There is no colour space, alias or role 'sRGBish'"):
        store(request(tmp_path, color_space="sRGBish"), PIXELS.tobytes())


def test_one_channel_comes_back_bottom_up(tmp_path: Path) -> None:
    write_image(tmp_path / "a.exr", Image.from_pixels(PIXELS[..., :1], ("A",)), data_type="float")
    values, body = fetch({"path": str(tmp_path / "a.exr"), "channels": ["A"], "rows": "bottom-up", "window": "display"})
    assert values == {"width": 4, "height": 2, "channels": ["A"], "rows": "bottom-up", "color_space": ""}
    np.testing.assert_array_equal(np.frombuffer(body, "<f4").reshape(2, 4), PIXELS[::-1, :, 0])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (Window(-1, 0, 4, 2), [[1, 2, 3], [5, 6, 7]]),  # overscan is cut off
        (Window(1, 1, 4, 2), [[0, 0, 0], [0, 0, 1]]),  # nothing is where no pixels are
        (Window(5, 5, 4, 2), [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_the_display_window_is_what_a_host_shows(tmp_path: Path, data: Window, expected: list[list[float]]) -> None:
    pixels = np.arange(8, dtype=np.float32).reshape(2, 4, 1)
    write_image(tmp_path / "a.exr", Image(pixels, ("A",), data, Window(0, 0, 3, 2)), data_type="float")
    arguments = {"path": str(tmp_path / "a.exr"), "channels": ["A"], "rows": "top-down", "window": "display"}
    _, body = fetch(arguments)
    np.testing.assert_array_equal(np.frombuffer(body, "<f4").reshape(2, 3), expected)
    values, _ = fetch({**arguments, "window": "data"})
    assert (values["width"], values["height"]) == (4, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 5}, "plate has 96 bytes of pixels; 5x2 of 3 channels are 120"),
        ({"width": "4"}, "width is '4'; give a whole number"),
        ({"height": 0}, "height is 0; give a whole number"),
        ({"height": True}, "height is True"),
        ({"channels": []}, "channels is .*give a list of names"),
        ({"channels": ["R", "R", "B"]}, "names one channel twice"),
        ({"rows": "up"}, "rows is 'up'; use bottom-up or top-down"),
        ({"folder": "out"}, "folder 'out' is relative; give an absolute path"),
        ({"name": "../plate"}, "'../plate' is no file name; leave out folders"),
        ({"name": ""}, "'' is no file name"),
        ({"name": 3}, "name is 3; give text"),
    ],
)
def test_arguments_that_do_not_fit_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        store(request(tmp_path, **changes), PIXELS.tobytes())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ImageWriteError, match=r"Cannot make the folder .*file"):
        store(request(tmp_path / "file" / "sub"), PIXELS.tobytes())


def test_a_missing_channel_or_file_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "a.exr", Image.from_pixels(PIXELS[..., :1], ("A",)), data_type="float")
    arguments = {"path": str(tmp_path / "a.exr"), "channels": ["Z"], "rows": "top-down", "window": "data"}
    with pytest.raises(ImageReadError, match="has no channel Z"):
        fetch(arguments)
    with pytest.raises(SettingError, match="window is 'x'; use display or data"):
        fetch({**arguments, "window": "x"})
    with pytest.raises(ImageReadError, match=r"gone\.exr"):
        fetch({**arguments, "path": str(tmp_path / "gone.exr")})


def test_a_path_of_a_million_characters_is_an_error_and_no_crash() -> None:
    arguments = {"path": "/" + "x" * 1_000_000, "channels": ["A"], "rows": "top-down", "window": "data"}
    with pytest.raises(ImageReadError):
        fetch(arguments)


def test_a_picture_larger_than_a_message_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.exr", Image.from_pixels(PIXELS[..., :1], ("A",)), data_type="float")
    monkeypatch.setattr(files, "BODY_LIMIT", 31)
    with pytest.raises(SettingError, match=r"a\.exr has 32 bytes of pixels; 31 can travel at once"):
        fetch({"path": str(tmp_path / "a.exr"), "channels": ["A"], "rows": "top-down", "window": "data"})
