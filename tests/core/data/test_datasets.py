"""Published folder layouts in miniature, and what is said when they are not complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from gossamer.data.dataset_files import Item, MattingSet, load_item, read_color
from gossamer.data.datasets import (
    Split,
    adobe,
    alphamatting,
    am2k,
    bg20k,
    coco_backgrounds,
    composition1k,
    csv_manifest,
    p3m10k,
    plain_folder,
    with_backgrounds,
)
from gossamer.errors import DataError, ImageReadError, SettingError

Paint = Callable[..., Path]


@pytest.fixture
def fill(tmp_path: Path, paint: Paint) -> Callable[..., Path]:
    """Makes a tree: each ``folder=suffix`` gets a picture of every stem."""

    def make(stems: list[str], **folders: str) -> Path:
        for folder, suffix in folders.items():
            for stem in stems:
                grey = any(word in folder for word in ("mask", "alpha", "trimap", "gt_"))
                paint(tmp_path / folder / f"{stem}{suffix}", channels=1 if grey else 3)
        return tmp_path

    return make


def names(found: MattingSet) -> list[str]:
    return [item.name for item in found.items]


def test_am2k_trains_on_originals_and_masks(fill: Callable[..., Path]) -> None:
    root = fill(["m_1", "m_2"], **{"train/original": ".jpg", "train/mask": ".png"})
    found = am2k(root)
    assert names(found) == ["m_1", "m_2"]
    assert len(found) == 2
    assert found.items[0].image == root / "train/original/m_1.jpg"
    assert found.items[0].foreground is None


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_am2k_takes_backgrounds_as_png_and_as_jpg(fill: Callable[..., Path], suffix: str) -> None:
    folders = {"train/original": ".jpg", "train/mask": ".png", "train/fg": ".png", "train/bg": suffix}
    item = am2k(fill(["m_1"], **folders, **{"train/fg_denoise": ".png"})).items[0]
    assert item.background is not None
    assert item.background.suffix == suffix
    assert item.foreground is not None
    assert item.denoised is not None


def test_am2k_validation_has_trimaps(fill: Callable[..., Path]) -> None:
    root = fill(["m_1"], **{f"validation/{name}": ".png" for name in ("original", "mask", "trimap")})
    assert am2k(root, "validation").items[0].trimap == root / "validation/trimap/m_1.png"


@pytest.mark.parametrize(("read", "picture"), [(am2k, "original"), (p3m10k, "blurred_image")])
def test_training_without_alpha_takes_trimaps_and_needs_no_masks(
    fill: Callable[..., Path], read: Callable[..., MattingSet], picture: str
) -> None:
    root = fill(["m_1"], **{f"train/{picture}": ".jpg", "train/trimap": ".png"})
    item = read(root, unlabelled=True).items[0]
    assert item.trimap == root / "train/trimap/m_1.png"
    assert item.alpha is None
    with pytest.raises(DataError, match="there is no folder train/mask"):
        read(root)


def test_training_without_alpha_draws_trimaps_where_there_are_none(fill: Callable[..., Path]) -> None:
    root = fill(["m_1"], **{"train/original": ".jpg", "train/mask": ".png"})
    item = am2k(root, unlabelled=True).items[0]
    assert item.alpha is not None
    assert item.trimap is None


def test_a_picture_that_is_stored_rotated_beside_its_alpha_is_named(
    fill: Callable[..., Path], store_rotated: Callable[[Path], None]
) -> None:
    root = fill(["m_1"], **{"train/original": ".jpg", "train/mask": ".png"})
    store_rotated(root / "train/original/m_1.jpg")
    with pytest.raises(DataError, match=r"m_1: some are stored rotated, .*\(3: train/original/m_1.jpg; 1: train/mask"):
        am2k(root)


def test_a_foreground_folder_has_to_be_complete(fill: Callable[..., Path], paint: Paint) -> None:
    root = fill(["m_1", "m_2"], **{"train/original": ".jpg", "train/mask": ".png"})
    paint(root / "train/fg/m_2.png")
    with pytest.raises(DataError, match="m_1: nothing in train/fg"):
        am2k(root)


def test_everything_wrong_with_a_set_is_said_at_once(fill: Callable[..., Path], paint: Paint) -> None:
    root = fill(["m_1", "m_2", "m_3", "m_4"], **{"train/original": ".jpg", "train/mask": ".png"})
    (root / "train/mask/m_1.png").unlink()
    (root / "train/original/m_2.jpg").unlink()
    paint(root / "train/mask/m_3.png", width=30, channels=1)
    (root / "train/mask/m_4.png").write_bytes(b"")
    paint(root / "train/original/m_4.png")
    with pytest.raises(DataError) as error:
        am2k(root)
    text = str(error.value)
    assert text.startswith(f"AM-2k in {root} cannot be used; put right or take out:")
    for part in (
        "m_1: nothing in train/mask",
        "m_2: nothing in train/original",
        "m_3: sizes differ (12x10: train/original/m_3.jpg; 30x10: train/mask/m_3.png)",
        "m_4: both m_4.jpg and m_4.png",
        "m_4.png is empty",
    ):
        assert part in text


def test_missing_folders_are_said_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder train/original\n  there is no folder train/mask"):
        am2k(tmp_path)


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"AM-2k: there is no folder .*nowhere"):
        am2k(tmp_path / "nowhere")


def test_empty_folders_are_told(tmp_path: Path) -> None:
    for name in ("original", "mask"):
        (tmp_path / "train" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="there are no pictures"):
        am2k(tmp_path)


@pytest.mark.parametrize(
    "make",
    [
        lambda root: am2k(root, cast(Split, "test")),
        lambda root: p3m10k(root, "test"),
        lambda root: bg20k(root, "test"),
        lambda root: alphamatting(root, "train"),
        lambda root: alphamatting(root, "training", trimap=3),
        lambda root: plain_folder(root, needs=["matte"]),
        lambda root: csv_manifest(root / "list.csv", needs=["matte"]),
    ],
)
def test_an_unknown_choice_lists_the_right_ones(tmp_path: Path, make: Callable[[Path], MattingSet]) -> None:
    with pytest.raises(SettingError, match=r"\w+ is .*, not '(test|train|3)'\.|needs is .*, not 'matte'"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("split", "base", "picture"),
    [
        ("train", "train", "blurred_image"),
        ("P3M-500-P", "validation/P3M-500-P", "blurred_image"),
        ("P3M-500-NP", "validation/P3M-500-NP", "original_image"),
    ],
)
def test_p3m_has_its_three_parts(fill: Callable[..., Path], split: str, base: str, picture: str) -> None:
    root = fill(["p_1"], **{f"{base}/{picture}": ".jpg", f"{base}/mask": ".png", f"{base}/trimap": ".png"})
    item = p3m10k(root, split).items[0]
    assert item.image == root / base / picture / "p_1.jpg"
    assert (item.trimap is None) == (split == "train")


def test_bg20k_gives_backgrounds_and_their_denoised_copies(fill: Callable[..., Path]) -> None:
    root = fill(["h_1", "h_2"], train=".jpg", train_denoise=".png", testval=".jpg")
    found = bg20k(root)
    assert [path.name for path in found.backgrounds] == ["h_1.jpg", "h_2.jpg"]
    assert [path.name for path in found.denoised_backgrounds] == ["h_1.png", "h_2.png"]
    assert bg20k(root, "testval").denoised_backgrounds == ()


def test_a_denoised_copy_that_is_missing_is_told(fill: Callable[..., Path]) -> None:
    root = fill(["h_1", "h_2"], train=".jpg", train_denoise=".png")
    (root / "train_denoise/h_2.png").unlink()
    with pytest.raises(DataError, match="h_2: nothing in train_denoise"):
        bg20k(root)


@pytest.mark.parametrize("folder", ["train", "train_bg"])
def test_coco_lies_in_either_folder(fill: Callable[..., Path], folder: str) -> None:
    assert len(coco_backgrounds(fill(["COCO_train2014_1"], **{folder: ".jpg"})).backgrounds) == 1


def test_coco_without_a_folder_names_both(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder train or train_bg"):
        coco_backgrounds(tmp_path)


@pytest.mark.parametrize("base", ["", "train/"])
def test_adobe_has_foregrounds_alphas_and_backgrounds(fill: Callable[..., Path], base: str) -> None:
    root = fill(["a"], **{f"{base}fg": ".jpg", f"{base}alpha": ".jpg", f"{base}coco_bg": ".jpg"})
    found = adobe(root)
    assert found.items[0].foreground == root / base / "fg/a.jpg"
    assert len(found.backgrounds) == 1


def test_adobe_takes_refined_foregrounds(fill: Callable[..., Path]) -> None:
    root = fill(["a"], **{"train/kappa_fg": ".png", "train/alpha": ".jpg", "train/bg": ".jpg"})
    assert adobe(root, refined=True).items[0].foreground == root / "train/kappa_fg/a.png"


def test_adobe_takes_the_backgrounds_its_list_names(fill: Callable[..., Path]) -> None:
    root = fill(["a", "b"], **{"train/fg": ".jpg", "train/alpha": ".jpg", "train/coco_bg": ".jpg"})
    (root / "training_bg_names.txt").write_text("b.jpg\nb.jpg\n")
    assert [path.name for path in adobe(root).backgrounds] == ["b.jpg"]
    (root / "train/training_bg_names.txt").write_text("b.jpg\ngone.jpg\n")
    with pytest.raises(DataError, match=r"gone\.jpg: named in training_bg_names\.txt, but not in train/coco_bg"):
        adobe(root)


def test_composition1k_joins_its_three_folders(fill: Callable[..., Path]) -> None:
    root = fill(["a_0", "a_1"], merged=".png", trimaps=".png", alpha_copy=".png")
    found = composition1k(root)
    assert names(found) == ["a_0", "a_1"]
    assert found.items[1].trimap == root / "trimaps/a_1.png"


def test_alphamatting_has_alpha_for_training_only(fill: Callable[..., Path]) -> None:
    root = fill(
        ["GT01"],
        **{"input_training_lowres": ".png", "trimap_training_lowres/Trimap2": ".png", "gt_training_lowres": ".png"},
        **{"input_lowres": ".png", "trimap_lowres/Trimap3": ".png"},
    )
    training, test = alphamatting(root, trimap=2), alphamatting(root, "test", trimap=3)
    assert training.items[0].alpha == root / "gt_training_lowres/GT01.png"
    assert test.items[0].alpha is None
    assert test.items[0].trimap == root / "trimap_lowres/Trimap3/GT01.png"


def test_a_plain_folder_takes_what_is_there(fill: Callable[..., Path]) -> None:
    root = fill(["a", "b"], image=".jpg", alpha=".png", trimap=".png", fg=".png", bg=".jpg")
    item = plain_folder(root).items[0]
    assert None not in (item.image, item.alpha, item.trimap, item.foreground, item.background)
    assert plain_folder(root).backgrounds == ()


def test_a_plain_folder_with_other_backgrounds_is_a_pool(fill: Callable[..., Path], paint: Paint) -> None:
    root = fill(["a", "b"], image=".jpg", alpha=".png")
    paint(root / "bg/street.jpg")
    found = plain_folder(root)
    assert [path.name for path in found.backgrounds] == ["street.jpg"]
    assert found.items[0].background is None
    with pytest.raises(DataError, match=r"a: nothing in bg\n"):
        plain_folder(root, needs=["alpha", "background"])


def test_a_plain_folder_for_training_without_alpha_needs_trimaps_only(fill: Callable[..., Path]) -> None:
    root = fill(["a"], image=".jpg", trimap=".png")
    assert plain_folder(root, needs=["trimap"]).items[0].alpha is None
    with pytest.raises(DataError, match="there is no folder alpha"):
        plain_folder(root)


def write_manifest(root: Path, text: str) -> Path:
    path = root / "shots.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_names_files_beside_it(fill: Callable[..., Path]) -> None:
    root = fill(["a", "b"], image=".jpg", alpha=".png", trimap=".png")
    absolute = root / "trimap/b.png"
    path = write_manifest(
        root,
        "\ufeffname,image,alpha,trimap,split\n"
        "hero, image/a.jpg,alpha/a.png,,train\n"
        "b,image/b.jpg,alpha/b.png,,test\n"
        f"c,image/b.jpg,alpha/b.png,{absolute},\n",
    )
    found = csv_manifest(path)
    assert names(found) == ["hero", "c"]  # what is set aside for measuring is not trained on
    assert found.items[0].trimap is None
    assert found.items[1].trimap == absolute
    assert names(csv_manifest(path, split="test")) == ["b"]
    assert found.name == "shots"


def test_a_manifest_lists_all_its_faults_by_line(fill: Callable[..., Path], paint: Paint) -> None:
    root = fill(["a", "b"], image=".jpg", alpha=".png")
    paint(root / "alpha/wide.png", width=40, channels=1)
    path = write_manifest(
        root,
        "image,alpha\nimage/a.jpg,alpha/a.png\nimage/a.jpg,alpha/a.png\nimage/b.jpg\nimage/c.jpg,alpha/a.png\n"
        "image/b.jpg,alpha/wide.png\n",
    )
    with pytest.raises(DataError) as error:
        csv_manifest(path)
    text = str(error.value)
    assert "line 3: the name a stands in line 2 already" in text
    assert "line 4: alpha is empty" in text
    assert f"line 5: there is no image {root / 'image/c.jpg'}" in text
    assert "b: sizes differ (12x10: image/b.jpg; 40x10: alpha/wide.png)" in text


def test_a_manifests_columns_are_checked_first(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "image,matte\nx.jpg,y.png\n")
    with pytest.raises(DataError, match=r"there is no column alpha\n  column 'matte' has no meaning here"):
        csv_manifest(path)


@pytest.mark.parametrize("content", [b'image,alpha\n"x', b"image,alpha\n\xff\xfe\n"])
def test_a_file_that_is_no_csv_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shots.csv").write_bytes(content)
    with pytest.raises(DataError, match="is no CSV file in UTF-8"):
        csv_manifest(tmp_path / "shots.csv")


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no manifest .*Name a CSV file with the columns image, alpha"):
        csv_manifest(tmp_path / "shots.csv")


def test_a_split_without_lines_is_told(fill: Callable[..., Path]) -> None:
    root = fill(["a"], image=".jpg", alpha=".png")
    path = write_manifest(root, "image,alpha,split\nimage/a.jpg,alpha/a.png,train\n")
    with pytest.raises(DataError, match="there are no pictures"):
        csv_manifest(path, split="test")


def test_the_comp_track_joins_two_sets(fill: Callable[..., Path], tmp_path: Path) -> None:
    root = fill(["m_1"], **{"train/original": ".jpg", "train/mask": ".png", "bg/train": ".jpg"})
    found = with_backgrounds(am2k(root), bg20k(root / "bg"))
    assert found.name == "AM-2k train on BG-20k train"
    assert len(found.backgrounds) == len(found.items) == 1
    with pytest.raises(DataError, match="AM-2k train has no backgrounds to compose with"):
        with_backgrounds(found, am2k(root))
    bare = MattingSet("bare", root, (Item("x", alpha=found.items[0].alpha), Item("y", image=found.items[0].image)))
    with pytest.raises(DataError, match=r"these have no alpha or no colours: x, y\."):
        with_backgrounds(bare, found)


def test_an_item_is_read_as_display_values(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "image": np.full((4, 5, 3), (30, 20, 10), np.uint8),
        "alpha": np.full((4, 5), 51, np.uint8),
        "trimap": np.full((4, 5), 128, np.uint8),
        "foreground": np.full((4, 5), 255, np.uint8),
        "background": np.full((9, 9, 4), (0, 0, 255, 7), np.uint8),
    }
    for name, pixels in values.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    layers = load_item(Item("x", **{name: tmp_path / f"{name}.png" for name in values}))
    assert layers.plate is not None
    np.testing.assert_allclose(layers.plate[0, 0], np.array([10, 20, 30]) / 255, atol=1e-4)
    assert layers.alpha is not None
    np.testing.assert_allclose(layers.alpha, 0.2, atol=1e-6)
    assert layers.trimap is not None
    assert (layers.trimap == 0.5).all()
    assert layers.foreground is not None
    assert layers.foreground.shape == (4, 5, 3)  # grey becomes three channels
    assert layers.background is not None
    np.testing.assert_allclose(layers.background[0, 0], [1, 0, 0], atol=1e-4)  # a fourth channel is left out
    assert layers.denoised is None


def test_a_damaged_picture_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageReadError, match=r"x\.png"):
        read_color(tmp_path / "x.png")
