"""RSSN's compositions, step by step, and the defects of the published code that are mended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gossamer.data.dataset_files import Item, MattingSet
from gossamer.data.rssn import RssnSettings, compose_rssn, draw_layers, estimate_layers
from gossamer.errors import DataError, MissingDependencyError, SettingError
from gossamer.image.image import FloatArray

Paint = Callable[..., Path]

PLAIN = RssnSettings.plain()


def colors(value: float | tuple[float, float, float], height: int = 40, width: int = 50) -> FloatArray:
    return np.full((height, width, 3), value, np.float32)


def ramp(height: int = 40, width: int = 50) -> FloatArray:
    """Alpha from 0 on the left to 1 on the right."""
    return np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width)).copy()


def noisy(seed: int, height: int = 40, width: int = 50) -> FloatArray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def random() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_plate_is_the_matting_equation_truncated_to_8_bits() -> None:
    foreground, background, alpha = noisy(1), noisy(2), ramp()
    composed = compose_rssn(random(), foreground, background, alpha, settings=PLAIN)
    exact = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    below = exact * 255 - composed.plate * 255
    assert below.min() > -0.01
    assert below.max() < 1
    np.testing.assert_allclose(composed.plate * 255, np.rint(composed.plate * 255), atol=1e-3)


def test_whole_8_bit_values_keep_their_level() -> None:
    levels = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(16, 16, 1).repeat(3, axis=2)
    plate = compose_rssn(random(), levels, levels, np.full((16, 16), 0.3, np.float32), settings=PLAIN).plate
    np.testing.assert_allclose(plate, levels, atol=1e-6)


@pytest.mark.parametrize("shape", [(7, 90), (200, 300)])
def test_the_background_is_brought_to_the_foregrounds_size(shape: tuple[int, int]) -> None:
    composed = compose_rssn(random(), colors(1), colors(0.25, *shape), ramp(), settings=PLAIN)
    assert composed.background.shape == (40, 50, 3)
    np.testing.assert_allclose(composed.background, 0.25, atol=1e-6)


def test_denoised_colours_replace_both_or_none() -> None:
    always = replace(PLAIN, denoise=1)
    both = compose_rssn(
        random(),
        colors(1),
        colors(0),
        ramp(),
        denoised_foreground=colors(0.8),
        denoised_background=colors(0.2),
        settings=always,
    )
    assert both.foreground.mean() == pytest.approx(0.8)
    assert both.background.mean() == pytest.approx(0.2)
    one = compose_rssn(random(), colors(1), colors(0), ramp(), denoised_foreground=colors(0.8), settings=always)
    assert one.foreground.mean() == 1


def test_only_the_background_is_blurred() -> None:
    composed = compose_rssn(random(), noisy(1), noisy(2), ramp(), settings=replace(PLAIN, blur=1))
    assert composed.background.std() < 0.1 < composed.foreground.std()


def test_one_field_of_noise_is_added_to_everything_and_clipped() -> None:
    settings = replace(PLAIN, noise=1)
    composed = compose_rssn(random(), colors(0.5), colors(0.5), ramp(), settings=settings)
    np.testing.assert_array_equal(composed.foreground, composed.background)
    noise = composed.foreground - 0.5
    assert noise.std() == pytest.approx(10 / 255, rel=0.05)
    np.testing.assert_allclose(composed.plate - 127 / 255, noise, atol=1e-6)
    # Where the published code wraps around: bright stays bright.
    bright = compose_rssn(random(), colors(250 / 255), colors(250 / 255), ramp(), settings=settings).plate
    assert 0.8 < bright.min() <= bright.max() == 1


def test_the_chances_are_those_of_the_settings() -> None:
    generator = np.random.default_rng(0)
    alpha = ramp(4, 4)
    foreground, background = noisy(1, 4, 4), noisy(2, 4, 4)
    halved = [np.asarray(layer / 2, np.float32) for layer in (foreground, background)]
    counts = np.zeros(2)
    for _ in range(400):
        composed = compose_rssn(
            generator,
            foreground,
            background,
            alpha,
            denoised_foreground=halved[0],
            denoised_background=halved[1],
        )
        is_noisy = composed.foreground.max() not in (foreground.max(), halved[0].max())
        counts += (composed.foreground.mean() < 0.4, is_noisy)
    assert (np.abs(counts / 400 - 0.5) < 0.1).all()


def test_the_same_seed_gives_the_same_composition() -> None:
    first, second = (compose_rssn(np.random.default_rng(9), noisy(1), noisy(2), ramp()) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"blur": 1.5}, r"chance of blur has to lie in 0\.\.1, not 1\.5"),
        ({"denoise": -1}, r"chance of denoise .* not -1"),
        ({"blur_sides": ()}, r"sides of 1 pixel at least, not \[\]"),
        ({"blur_sides": (0,)}, r"not \[0\]"),
        ({"sigma": -0.1}, r"sigma below 0, as -0\.1"),
    ],
)
def test_unusable_settings_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        RssnSettings(**setting)


def save(path: Path, pixels: FloatArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    coded = np.rint(pixels * 255).astype(np.uint8)
    cv2.imwrite(str(path), coded[..., ::-1] if coded.ndim == 3 else coded)
    return path


@pytest.fixture
def item(tmp_path: Path) -> Item:
    """A red foreground over green."""
    alpha = ramp()
    red, green = colors((0.8, 0.1, 0.1)), colors((0.1, 0.6, 0.1))
    plate = alpha[..., None] * red + (1 - alpha[..., None]) * green
    return Item("a", save(tmp_path / "image.png", plate), save(tmp_path / "alpha.png", alpha))


@pytest.fixture
def pool(tmp_path: Path) -> tuple[Path, ...]:
    """Twenty grey backgrounds."""
    return tuple(save(tmp_path / "bg" / f"{k}.png", colors(k / 25, 8, 9)) for k in range(20))


def test_every_item_draws_its_background_anew(item: Item, tmp_path: Path, pool: tuple[Path, ...]) -> None:
    found = MattingSet("set", tmp_path, (item,), pool)
    generator = random()
    drawn = {
        round(float(draw_layers(generator, found, 0, route="plate", settings=PLAIN)[0].background.mean()) * 25)
        for _ in range(40)
    }
    assert len(drawn) > 10


def test_a_photograph_kept_as_it_is_is_not_its_own_foreground_and_background(item: Item, tmp_path: Path) -> None:
    """Every alpha would compose it: the composition loss would learn nothing, in silence."""
    with pytest.raises(SettingError, match=r"set: a: samples.route plate leaves the composition loss .* --backgrounds"):
        draw_layers(random(), MattingSet("set", tmp_path, (item,)), 0, route="plate")


def test_estimated_colours_leave_no_old_background_in_the_composition(
    item: Item, tmp_path: Path, pool: tuple[Path, ...]
) -> None:
    """No dark rim, no green: at half coverage over black the plate is half of red."""
    found = MattingSet("set", tmp_path, (item,), pool[:1])
    composed, alpha = draw_layers(random(), found, 0, route="estimate", settings=PLAIN)
    half = np.abs(alpha - 0.5) < 0.02
    np.testing.assert_allclose(composed.plate[half].mean(axis=0), [0.4, 0.05, 0.05], atol=0.03)


def test_denoised_sets_come_from_files(item: Item, tmp_path: Path, pool: tuple[Path, ...]) -> None:
    quiet = save(tmp_path / "quiet.png", colors(0.6))
    denoised = tuple(save(tmp_path / "quiet_bg" / path.name, colors(0.9, 8, 9)) for path in pool)
    found = MattingSet("set", tmp_path, (replace(item, denoised=quiet),), pool, denoised)
    composed, _ = draw_layers(random(), found, 0, route="plate", settings=replace(PLAIN, denoise=1))
    assert composed.foreground.mean() == pytest.approx(0.6, abs=0.01)
    assert composed.background.mean() == pytest.approx(0.9, abs=0.01)


def test_foregrounds_given_as_files_are_taken(item: Item, tmp_path: Path, pool: tuple[Path, ...]) -> None:
    foreground = save(tmp_path / "fg.png", colors((0.2, 0.3, 0.4)))
    found = MattingSet("set", tmp_path, (replace(item, foreground=foreground),), pool)
    composed, _ = draw_layers(random(), found, 0, settings=PLAIN)
    np.testing.assert_allclose(composed.foreground[0, 0], [0.2, 0.3, 0.4], atol=0.01)


def test_without_a_pool_the_photograph_itself_is_given(item: Item, tmp_path: Path) -> None:
    composed, alpha = draw_layers(random(), MattingSet("set", tmp_path, (item,)), 0)
    mixed = alpha[..., None] * composed.foreground + (1 - alpha[..., None]) * composed.background
    np.testing.assert_allclose(mixed, composed.plate, atol=0.03)
    own = MattingSet(
        "set",
        tmp_path,
        (
            replace(
                item,
                foreground=save(tmp_path / "fg.png", colors(1)),
                background=save(tmp_path / "own.png", colors(0)),
            ),
        ),
    )
    assert draw_layers(random(), own, 0)[0].background.max() == 0


def test_what_an_item_lacks_is_said(item: Item, tmp_path: Path, pool: tuple[Path, ...]) -> None:
    foreground = save(tmp_path / "fg.png", colors(1))
    background = save(tmp_path / "small.png", colors(0, 8, 9))

    def draw(changed: Item, backgrounds: tuple[Path, ...] = (), **named: Any) -> None:
        draw_layers(random(), MattingSet("set", tmp_path, (changed,), backgrounds), 0, **named)

    with pytest.raises(DataError, match="set: a has no alpha; nothing can be composed"):
        draw(replace(item, alpha=None))
    with pytest.raises(DataError, match="set: a has no picture to take colours from"):
        draw(replace(item, image=None), pool)
    with pytest.raises(DataError, match="set: a has no picture, and the set has no backgrounds"):
        draw(replace(item, image=None, foreground=foreground, background=background))
    with pytest.raises(DataError, match="the background of a is not of the size of its picture"):
        draw(replace(item, foreground=foreground, background=background))
    with pytest.raises(SettingError, match="files, estimate or plate, not 'guess'"):
        draw(item, route="guess")


def test_the_closed_form_can_be_asked_for(item: Item) -> None:
    alpha = ramp(12, 14)
    plate = alpha[..., None] * colors((0.8, 0.1, 0.1), 12, 14)
    foreground, background = estimate_layers(plate, alpha, method="cf")
    mixed = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    np.testing.assert_allclose(mixed, plate, atol=0.05)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(MissingDependencyError, match=r"gossamer-matting\[classical\]"):
        estimate_layers(colors(0), ramp())
