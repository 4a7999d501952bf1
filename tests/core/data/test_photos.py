from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from gossamer.data import photos
from gossamer.data.photos import (
    CutoutLibrary,
    PhotoLibrary,
    RenderLibrary,
    list_pictures,
    picture_folders,
    read_picture,
)
from gossamer.data.pool import ELEMENT_KINDS, ElementPool
from gossamer.errors import DataError, MissingDependencyError


def write_pair(root: Path, *, alpha_size: tuple[int, int] = (60, 80)) -> None:
    (root / "image").mkdir(parents=True)
    (root / "alpha").mkdir()
    plate = np.zeros((60, 80, 3), np.uint8)
    plate[:, :40] = (0, 0, 200)
    plate[:, 40:] = (200, 0, 0)
    alpha = np.zeros(alpha_size, np.uint8)
    alpha[:, : alpha_size[1] // 2] = 255
    cv2.imwrite(str(root / "image" / "a.png"), plate)
    cv2.imwrite(str(root / "alpha" / "a.png"), alpha)


def pool(cutouts: CutoutLibrary, share: float, *, cache_bytes: int = 10_000_000) -> ElementPool:
    return ElementPool(seed=1, size=128, cutouts=cutouts, cutout_share=share, cache_bytes=cache_bytes)


def test_a_folder_of_folders_stands_for_those_that_hold_pictures(tmp_path: Path) -> None:
    write_pair(tmp_path / "set")
    assert picture_folders(tmp_path) == [tmp_path / "set" / "alpha", tmp_path / "set" / "image"]
    assert picture_folders(tmp_path / "set" / "image") == [tmp_path / "set" / "image"]


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone does not exist"):
        list_pictures(tmp_path / "gone")
    with pytest.raises(DataError, match=r"holds no picture \(\.jpeg"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_broken_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.png cannot be decoded"):
        PhotoLibrary([str(tmp_path)]).draw(np.random.default_rng(0))


def test_pictures_come_as_rgb_and_reduced(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((50, 200, 3), (0, 0, 255), np.uint8))
    picture = read_picture(tmp_path / "red.png", longest=100)
    assert picture.shape == (25, 100, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]


def test_a_cutout_without_alpha_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "opaque.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"opaque\.png has no alpha channel"):
        CutoutLibrary([], [str(tmp_path)]).draw(np.random.default_rng(0))


def test_a_cutout_of_16_bits_is_the_one_of_8_bits(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    cv2.imwrite(str(tmp_path / "8.png"), pixels)
    cv2.imwrite(str(tmp_path / "16.png"), pixels.astype(np.uint16) * 257)
    one, other = (read_picture(tmp_path / name, longest=30, channels=4) for name in ("8.png", "16.png"))
    np.testing.assert_array_equal(one, other)
    assert one[0, 0].tolist() == pixels[0, 0, [2, 1, 0, 3]].tolist()


def test_a_cutout_of_floats_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.tif"), np.zeros((8, 8, 4), np.float32))
    with pytest.raises(DataError, match=r"deep\.tif holds float32; convert it to 8 or 16 bits"):
        read_picture(tmp_path / "deep.tif", longest=8, channels=4)


def test_a_photograph_that_is_stored_rotated_is_turned_as_a_background(
    tmp_path: Path, store_rotated: Callable[[Path], None]
) -> None:
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:8] = 255
    cv2.imwrite(str(tmp_path / "a.jpg"), picture)
    store_rotated(tmp_path / "a.jpg")
    upright = PhotoLibrary([str(tmp_path)]).draw(np.random.default_rng(0))
    assert upright[2].min() > 200
    assert upright[-2].max() < 50


def test_a_photograph_that_is_stored_rotated_beside_its_alpha_is_named(
    tmp_path: Path, store_rotated: Callable[[Path], None]
) -> None:
    write_pair(tmp_path)
    (tmp_path / "image" / "a.png").unlink()
    cv2.imwrite(str(tmp_path / "image" / "a.jpg"), np.zeros((60, 80, 3), np.uint8))
    store_rotated(tmp_path / "image" / "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg is stored rotated differently \(Orientation 3\)"):
        CutoutLibrary([str(tmp_path)], [], cache=str(tmp_path / "cache")).draw(np.random.default_rng(0))


def test_a_missing_alpha_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / "alpha" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png has no alpha at"):
        CutoutLibrary([str(tmp_path)], [])


def test_sizes_that_differ_are_named(tmp_path: Path) -> None:
    write_pair(tmp_path, alpha_size=(30, 30))
    with pytest.raises(DataError, match=r"a\.png is 80x60, but .* differs; sizes must agree"):
        CutoutLibrary([str(tmp_path)], [], cache=str(tmp_path / "cache")).draw(np.random.default_rng(0))


def test_estimated_colors_are_kept_for_the_next_time(tmp_path: Path) -> None:
    write_pair(tmp_path)
    cache = tmp_path / "cache"
    first = CutoutLibrary([str(tmp_path)], [], cache=str(cache)).draw(np.random.default_rng(0))
    assert len(list(cache.iterdir())) == 1
    again = CutoutLibrary([str(tmp_path)], [], cache=str(cache)).draw(np.random.default_rng(0))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (60, 80, 4)
    assert first[30, 20].tolist() == [200, 0, 0, 255]


def test_pymatting_is_asked_for_when_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pair(tmp_path)
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "gossamer-matting\[classical\]"'):
        CutoutLibrary([str(tmp_path)], [], cache=str(tmp_path / "cache")).draw(np.random.default_rng(0))


def test_elements_do_not_depend_on_what_was_drawn_before() -> None:
    nothing = CutoutLibrary([], [])
    forwards, single = pool(nothing, 0), pool(nothing, 0, cache_bytes=1)
    layers = [forwards[number].layers for number in range(12)]
    for number in (11, 3, 0, 11):
        np.testing.assert_array_equal(single[number].layers, layers[number])


def test_cutouts_become_elements_with_their_own_color(tmp_path: Path) -> None:
    write_pair(tmp_path)
    cutouts = CutoutLibrary([str(tmp_path)], [], cache=str(tmp_path / "cache"))
    element = pool(cutouts, 1)[0]
    assert element.has_color
    assert element.kind == "photograph"
    assert element.layers.shape == (128, 128, 4)


@pytest.mark.parametrize("kind", sorted(ELEMENT_KINDS))
def test_every_kind_of_element_has_an_object_and_mixed_alpha(kind: str) -> None:
    render = ELEMENT_KINDS[kind][1]
    mixed = 0
    for seed in range(3):
        layers = render(np.random.default_rng(seed), 128).layers
        assert layers.shape == (128, 128, 3)
        alpha = layers[..., 2]
        mixed += int(((alpha > 0) & (alpha < 255)).sum())
        again = render(np.random.default_rng(seed), 128).layers
        np.testing.assert_array_equal(again, layers)
    assert mixed > 100


def test_memory_holds_the_last_pictures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((10, 10, 3), index, np.uint8))
    read: list[int] = []

    def decode(path: Path, **_values: int) -> np.ndarray:
        read.append(int(path.stem))
        return np.full((10, 10, 3), int(path.stem), np.uint8)

    monkeypatch.setattr(photos, "read_picture", decode)
    monkeypatch.setattr(photos, "_CACHE_BYTES", 700)  # two pictures
    library = PhotoLibrary([str(tmp_path)])
    expected: list[int] = []
    kept: list[int] = []
    for seed in range(40):
        drawn = int(library.draw(np.random.default_rng(seed))[0, 0, 0])
        if drawn not in kept:
            expected.append(drawn)
        kept = [*(index for index in kept if index != drawn), drawn][-2:]
    assert read == expected
    assert set(read) == {0, 1, 2, 3}


def write_render(folder: Path, name: str, *, side: int = 40) -> Path:
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[:, : side // 2] = (30, 60, 200, 255)
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), rgba)
    return folder


def with_renders(renders: RenderLibrary, share: float) -> ElementPool:
    none = CutoutLibrary([], [])
    return ElementPool(
        seed=1, size=128, cutouts=none, cutout_share=0, cache_bytes=10_000_000, renders=renders, render_share=share
    )


def test_a_render_is_a_whole_element_of_the_kind_that_it_is_called(tmp_path: Path) -> None:
    renders = RenderLibrary([str(write_render(tmp_path / "renders", "000007.basket.png"))], kinds=ELEMENT_KINDS)
    elements = with_renders(renders, 1)
    element = elements[3]
    assert element.kind == "basket"
    assert element.layers.shape == (128, 128, 4)
    assert element.has_color
    assert element.layers[5, 5].tolist() == [200, 60, 30, 255]
    assert (element.layers[:, 64:, 3] > 127).mean() < 0.02
    assert np.abs(element.layers[60, 70, :3].astype(int) - (200, 60, 30)).max() < 12, (
        "colours go on where alpha vanishes"
    )


def test_some_renders_move_or_are_out_of_focus_and_keep_their_colour(tmp_path: Path) -> None:
    renders = RenderLibrary([str(write_render(tmp_path / "renders", "0.solid.png"))], kinds=ELEMENT_KINDS)
    elements = with_renders(renders, 1)
    layers = [elements[number].layers for number in range(60)]
    edges = [int(((alpha > 8) & (alpha < 247)).sum(1).max()) for *_, alpha in (np.moveaxis(x, -1, 0) for x in layers)]
    sharp = min(edges)
    blurred = [number for number, width in enumerate(edges) if width > sharp + 1]
    assert 4 <= len(blurred) <= 24, "a fifth"
    assert max(edges) > 4 * sharp
    for number in blurred:
        assert np.abs(layers[number][60, 40:88, :3].astype(int) - (200, 60, 30)).max() < 16


def test_renders_are_drawn_as_often_as_asked(tmp_path: Path) -> None:
    renders = RenderLibrary([str(write_render(tmp_path / "renders", "0.net.png"))], kinds=ELEMENT_KINDS)
    elements = with_renders(renders, 0.5)
    assert 6 <= sum(elements[number].has_color for number in range(24)) <= 18


@pytest.mark.parametrize("name", ["000007.png", "000007.toaster.png"])
def test_a_render_whose_name_tells_no_kind_is_named(tmp_path: Path, name: str) -> None:
    write_render(tmp_path, name)
    with pytest.raises(
        DataError, match=rf"{name} does not say what it shows; name it 000007\.KIND\.png with one of basket"
    ):
        RenderLibrary([str(tmp_path)], kinds=ELEMENT_KINDS)


def test_a_render_that_is_not_square_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.net.png"), np.full((40, 60, 4), 200, np.uint8))
    with pytest.raises(DataError, match=r"1\.net\.png is 60x40 pixels; renders are square"):
        RenderLibrary([str(tmp_path)], kinds=ELEMENT_KINDS).draw(np.random.default_rng(0))
