"""Where a recipe's pictures come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.dataset_files import MattingSet, load_item
from gossamer.data.datasets import pictures, plain_folder
from gossamer.data.layer_source import SetSource, SyntheticSource
from gossamer.data.paper_trimaps import ellipse_trimap, erosion_for
from gossamer.data.rssn import RssnSettings
from gossamer.data.sources import FolderData, open_set
from gossamer.data.synthetic import SampleGenerator, SyntheticSettings
from gossamer.data.written_samples import FOLDERS, write_samples
from gossamer.errors import DataError, SettingError

Paint = Callable[..., Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four samples of the generator as a plain folder."""
    folder = tmp_path_factory.mktemp("set") / "written"
    generator = SampleGenerator(SyntheticSettings(size=48, element_size=128, window=2), 1)
    write_samples(generator, folder, count=4, trimaps="gfm", kernel=5)
    return folder


def test_written_samples_come_back_as_they_were(written: Path) -> None:
    found = plain_folder(written, needs=("alpha", "trimap", "foreground", "background"))
    assert [item.name for item in found.items] == ["000000", "000001", "000002", "000003"]
    layers = load_item(found.items[1])
    sample = SampleGenerator(SyntheticSettings(size=48, element_size=128, window=2), 1).sample(1)
    assert layers.plate is not None
    np.testing.assert_allclose(layers.plate, sample.plate / 255, atol=1e-6)
    assert layers.alpha is not None
    np.testing.assert_allclose(layers.alpha, sample.alpha, atol=1e-6)


def test_a_folder_with_samples_of_another_seed_is_not_written_to(written: Path) -> None:
    generator = SampleGenerator(SyntheticSettings(size=48, element_size=128), 1)
    with pytest.raises(DataError, match="holds samples that were made in another way: number 3 differs"):
        write_samples(generator, written, count=1)
    with pytest.raises(SettingError, match="count is 0"):
        write_samples(generator, written, count=0)


def open_folder(
    root: Path, *backgrounds: Path, needs: tuple[str, ...] = ("alpha",), composed: bool = False
) -> MattingSet:
    settings = FolderData(source="folder", root=str(root), backgrounds=tuple(str(path) for path in backgrounds))
    return open_set(settings, needs=needs, composed=composed)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "folder", "split": "validation"}, r"data\.split is 'validation', and data\.source 'folder' has no"),
        ({"source": "am2k", "trimap": 2}, r"data\.trimap is 2, and .* only alphamatting; leave it out"),
        ({"source": "composition1k", "refined": True}, r"data\.refined is True, .* only adobe"),
    ],
)
def test_a_setting_that_the_layout_does_not_read_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        FolderData(**values)


def test_all_that_is_missing_is_said_at_once(tmp_path: Path, paint: Paint) -> None:
    for stem in ("one", "two"):
        paint(tmp_path / "set" / "image" / f"{stem}.png")
    paint(tmp_path / "set" / "alpha" / "one.png", channels=1, width=7)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        open_folder(tmp_path / "set", tmp_path / "empty", tmp_path / "nowhere")
    message = str(caught.value)
    assert "two: nothing in alpha" in message
    assert "one: sizes differ" in message
    assert "there are no pictures" in message
    assert f"there is no folder {tmp_path / 'nowhere'}" in message


def test_what_a_pipeline_needs_is_asked_for(tmp_path: Path, paint: Paint) -> None:
    for name in ("image", "alpha"):
        paint(tmp_path / name / "one.png", channels=3 if name == "image" else 1)
    with pytest.raises(DataError, match="there is no folder fg"):
        open_folder(tmp_path, needs=("alpha", "foreground"))
    with pytest.raises(DataError, match="has no backgrounds to compose with; give --backgrounds"):
        open_folder(tmp_path, composed=True)
    with pytest.raises(SettingError, match="names no folder; give it with --data"):
        open_set(FolderData(source="folder"), needs=("alpha",), composed=False)
    with pytest.raises(SettingError, match=r"data.source is 'zip'; use synthetic, am2k"):
        FolderData(source="zip")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"data\.background_layout is 'x'; use pictures"):
        FolderData(source="folder", background_layout="x")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"data\.split is 'x'; AM-2k has"):
        open_set(FolderData(source="am2k", root=str(tmp_path), split="x"), needs=("alpha",), composed=False)


def test_trimaps_are_not_asked_for_where_alpha_can_give_them(written: Path, tmp_path: Path, paint: Paint) -> None:
    for name in ("image", "alpha"):
        paint(tmp_path / name / "one.png", channels=3 if name == "image" else 1)
    assert len(open_folder(tmp_path, needs=("trimap",))) == 1
    assert len(open_folder(written, needs=("trimap",))) == 4


def test_a_csv_and_folders_of_backgrounds_are_read(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{written}/image/{n:06d}.png,{written}/alpha/{n:06d}.png" for n in range(2)]
    path.write_text("\n".join(["image,alpha", *rows]), encoding="utf-8")
    settings = FolderData(source="csv", root=str(path), backgrounds=(str(written / "bg"), str(written / "image")))
    found = open_set(settings, needs=("alpha",), composed=True)
    assert (len(found.items), len(found.backgrounds)) == (2, 8)


def test_pictures_of_a_folder_are_backgrounds(written: Path) -> None:
    assert len(pictures(written / "bg").backgrounds) == 4


def test_every_item_comes_once_before_any_comes_again(written: Path) -> None:
    source = SetSource(open_folder(written, needs=("alpha", "trimap")), seed=3)
    shown = [source.picture_with_trimap(index, 0)[0].tobytes() for index in range(8)]
    assert len(set(shown[:4])) == len(set(shown[4:])) == 4


def test_what_was_read_is_kept_within_its_limit(written: Path) -> None:
    found = open_folder(written, needs=("alpha", "foreground"), composed=True)
    generous, mean = SetSource(found, seed=3), SetSource(found, seed=3, cache_bytes=1)
    for index in range(6):
        one, other = (source.background(np.random.default_rng(0), index) for source in (generous, mean))
        assert np.array_equal(one, other)


def test_layers_of_a_set_are_asked_for_by_name(written: Path, tmp_path: Path, paint: Paint) -> None:
    rng = np.random.default_rng(0)
    foreground, alpha = SetSource(open_folder(written), seed=1).foreground(rng)
    assert foreground.shape == (*alpha.shape, 3)
    for name in ("image", "alpha"):
        paint(tmp_path / name / "one.png", channels=3 if name == "image" else 1)
    bare = SetSource(open_folder(tmp_path), seed=1)
    with pytest.raises(DataError, match="one has no alpha or no foreground colours"):
        bare.foreground(rng)
    with pytest.raises(DataError, match=r"has no backgrounds; name some with data\.backgrounds"):
        bare.background(rng, 0)


def test_a_trimap_without_a_file_is_the_same_whenever_it_is_drawn(tmp_path: Path, written: Path) -> None:
    root = tmp_path / "set"
    for name in FOLDERS[:2]:
        (root / name).mkdir(parents=True)
        for path in (written / name).iterdir():
            (root / name / path.name).write_bytes(path.read_bytes())
    found = plain_folder(root)
    plate, trimap = SetSource(found, seed=1).picture_with_trimap(5, 7)
    again = SetSource(found, seed=1).picture_with_trimap(5, 7)[1]
    assert np.array_equal(trimap, again)
    layers = next(layers for layers in map(load_item, found.items) if np.array_equal(layers.plate, plate))  # type: ignore[arg-type]
    assert layers.alpha is not None
    drawn = [ellipse_trimap(layers.alpha, erosion_for(item.name, 7)) for item in found.items]
    assert any(np.array_equal(trimap, one) for one in drawn)


def test_the_generator_answers_all_questions() -> None:
    source = SyntheticSource(SampleGenerator(SyntheticSettings(size=32, element_size=128, window=2), 1))
    rng = np.random.default_rng(0)
    foreground, alpha = source.foreground(rng)
    assert foreground.shape == (*alpha.shape, 3) == (32, 32, 3)
    assert source.background(rng, 2).shape == (32, 32, 3)
    composition, alpha = source.composition(rng, 1, route="files", settings=RssnSettings.plain())
    assert composition.plate.shape == (*alpha.shape, 3)
    plate, trimap = source.picture_with_trimap(1, 0)
    assert plate.max() <= 1
    assert set(np.unique(trimap)) <= {0, 0.5, 1}
