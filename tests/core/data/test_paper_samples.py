"""The papers' pipelines: what a sample holds, and what each step is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.data.crops import LayerSample, cut_square, place_square
from gossamer.data.ddc_samples import DdcPipeline, DdcSamples
from gossamer.data.gfm_samples import GfmCrop, GfmPipeline, GfmSamples
from gossamer.data.jitter import jitter_color, jitter_hsv
from gossamer.data.layer_source import LayerSource
from gossamer.data.lsa_samples import LsaOnlineSamples, LsaPipeline, LsaSamples
from gossamer.data.rssn import Composition, Route, RssnSettings, compose_rssn
from gossamer.data.vitmatte_samples import ViTMattePipeline, ViTMatteSamples
from gossamer.errors import SettingError
from gossamer.image.image import FloatArray

SIZE = 48
QUIET = LsaSamples(crop=(40, 60), rotation=0, gamma=0, color=0, radius=4)


class Scene(LayerSource):
    """One disc with a soft edge, reddish; backgrounds of one blue, numbered by their green."""

    def __init__(self, height: int = 70, width: int = 90) -> None:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.alpha = np.clip((22 - np.hypot(x - width / 2, y - height / 2)) / 8 + 0.5, 0, 1).astype(np.float32)
        self.color = np.broadcast_to(np.array([0.8, 0.2, 0.1], np.float32), (height, width, 3)).copy()
        self.asked: list[int] = []

    def foreground(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        return self.color, self.alpha

    def background(self, rng: np.random.Generator, index: int) -> FloatArray:
        self.asked.append(index)
        return np.broadcast_to(np.array([0.0, index / 10, 0.9], np.float32), (30, 40, 3)).copy()

    def composition(
        self, rng: np.random.Generator, index: int, *, route: Route, settings: RssnSettings
    ) -> tuple[Composition, FloatArray]:
        return compose_rssn(rng, self.color, self.background(rng, index), self.alpha, settings=settings), self.alpha

    def picture_with_trimap(self, index: int, seed: int) -> tuple[FloatArray, FloatArray]:
        trimap = np.where(self.alpha <= 0, 0.0, np.where(self.alpha >= 1, 1.0, 0.5)).astype(np.float32)
        return self.color * self.alpha[..., None], trimap


def pipelines() -> list[tuple[str, LsaPipeline | ViTMattePipeline]]:
    return [
        ("lsa", LsaPipeline(Scene(), LsaSamples(crop=(40, 60), radius=4), size=SIZE, seed=1)),
        ("lsa-online", LsaPipeline(Scene(), LsaOnlineSamples(crop=(40, 60), radius=4), size=SIZE, seed=1)),
        ("vitmatte", ViTMattePipeline(Scene(), ViTMatteSamples(shrunk=64, turned_from=1), size=SIZE, seed=1)),
    ]


@pytest.mark.parametrize(("name", "pipeline"), pipelines(), ids=[name for name, _ in pipelines()])
def test_a_sample_is_the_composition_of_its_layers(name: str, pipeline: LsaPipeline | ViTMattePipeline) -> None:
    for index in range(8):
        sample = pipeline.sample(index)
        assert {plane.shape[:2] for plane in sample} == {(SIZE, SIZE)}
        assert {plane.dtype for plane in sample} == {np.dtype(np.float32)}
        assert all(plane.min() >= 0 and plane.max() <= 1 for plane in sample)
        cover = sample.alpha[..., None]
        expected = cover * sample.foreground + (1 - cover) * sample.background
        np.testing.assert_allclose(sample.plate, expected, atol=1e-5)


@pytest.mark.parametrize(("name", "pipeline"), pipelines(), ids=[name for name, _ in pipelines()])
def test_what_the_trimap_knows_is_true(name: str, pipeline: LsaPipeline | ViTMattePipeline) -> None:
    for index in range(8):
        sample = pipeline.sample(index)
        assert set(np.unique(sample.trimap)) <= {0, 0.5, 1}
        known = sample.trimap != 0.5
        # ViTMatte's is made at 640 x 640 and brought back by the nearest pixel, which may be half a pixel off.
        limit = 1 / 255 if name != "vitmatte" else 0.35
        assert np.abs(sample.alpha - sample.trimap)[known].max(initial=0) <= limit


@pytest.mark.parametrize(("name", "pipeline"), pipelines(), ids=[name for name, _ in pipelines()])
def test_a_sample_depends_on_its_number_alone(name: str, pipeline: LsaPipeline | ViTMattePipeline) -> None:
    first = pipeline.sample(3)
    pipeline.sample(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, pipeline.sample(3), strict=True))
    assert not np.array_equal(first.plate, pipeline.sample(4).plate)


def test_backgrounds_are_gone_through_one_by_one() -> None:
    scene = Scene()
    pipeline = LsaPipeline(scene, QUIET, size=SIZE, seed=1)
    for index in (0, 1, 5):
        pipeline.sample(index)
    assert scene.asked == [0, 1, 5]


def test_without_any_augmentation_colours_stay() -> None:
    sample = LsaPipeline(Scene(), QUIET, size=SIZE, seed=1).sample(0)
    np.testing.assert_allclose(sample.foreground[SIZE // 2, SIZE // 2], [0.8, 0.2, 0.1], atol=1e-3)


def colors(settings: LsaSamples, count: int = 40) -> FloatArray:
    """The foreground's colour in the middle of each sample."""
    pipeline = LsaPipeline(Scene(), settings, size=SIZE, seed=2)
    return np.stack([pipeline.sample(index).foreground[SIZE // 2, SIZE // 2] for index in range(count)])


def test_colour_augmentation_changes_some_foregrounds_and_leaves_others() -> None:
    changed = np.abs(colors(replace(QUIET, color=0.3)) - [0.8, 0.2, 0.1]).max(axis=1) > 0.01
    # Three changes of 0.3 each leave 0.7 ** 3 = 34 %.
    assert 0.4 < changed.mean() < 0.9


def test_the_second_profile_never_mixes_with_a_colour() -> None:
    found = colors(replace(LsaOnlineSamples(), crop=(40, 60), rotation=0, gamma=0, blur=0, rescale=0, jitter=0))
    base = np.sort(np.array([0.8, 0.2, 0.1]))
    for color in np.sort(found, axis=1):
        assert min(np.abs(color - base).max(), np.abs(color - np.sort(1 - base)).max()) < 1e-3


def test_gamma_changes_alpha_but_not_what_is_known() -> None:
    plain = LsaPipeline(Scene(), QUIET, size=SIZE, seed=1).sample(0)
    bent = LsaPipeline(Scene(), replace(QUIET, gamma=1.0), size=SIZE, seed=1).sample(0)
    assert np.abs(plain.alpha - bent.alpha).max() > 0.02
    assert np.array_equal(plain.alpha == 1, bent.alpha == 1)


def test_a_small_foreground_is_padded_and_enlarged_to_the_crop() -> None:
    sample = LsaPipeline(Scene(20, 16), replace(QUIET, crop=(100, 100)), size=SIZE, seed=1).sample(0)
    assert isinstance(sample, LayerSample)
    assert sample.alpha.shape == (SIZE, SIZE)


def test_two_foregrounds_cover_more_than_one() -> None:
    settings = ViTMatteSamples(second=0, shrink=0, scale=(1, 1), shear=0, rotation=0, jitter=False)
    single = ViTMattePipeline(Scene(), settings, size=SIZE, seed=1)
    double = ViTMattePipeline(Scene(), replace(settings, second=1.0), size=SIZE, seed=1)
    means = [np.mean([p.sample(index).alpha.mean() for index in range(6)]) for p in (single, double)]
    assert means[1] > means[0]


def test_a_crop_of_ddc_shows_the_picture_and_its_trimap() -> None:
    sample = DdcPipeline(Scene(), DdcSamples(), size=32, seed=1).sample(0)
    assert sample._fields == ("plate", "trimap")
    assert sample.plate.shape == (32, 32, 3)
    assert np.abs(sample.plate[sample.trimap == 0]).max() == 0
    np.testing.assert_allclose(sample.plate[sample.trimap == 1][:, 0], 0.8, atol=1e-5)


def test_a_crop_of_ddc_is_centred_on_an_unknown_pixel() -> None:
    pipeline = DdcPipeline(Scene(200, 200), DdcSamples(), size=32, seed=1)
    assert all((pipeline.sample(index).trimap[15:18, 15:18] == 0.5).any() for index in range(10))


def test_a_picture_that_ddc_cannot_crop_is_enlarged() -> None:
    sample = DdcPipeline(Scene(), DdcSamples(), size=96, seed=1).sample(0)
    assert sample.trimap.shape == (96, 96)
    assert set(np.unique(sample.trimap)) <= {0, 0.5, 1}


def test_gfm_samples_follow_their_number() -> None:
    settings = GfmSamples(crop=GfmCrop(sides=(40, 60), fallback=32, trimap_kernel=5, rosta_kernel=9))
    pipeline = GfmPipeline(Scene(), settings, size=32, seed=1)
    first = pipeline.sample(2)
    pipeline.sample(3)
    assert all(np.array_equal(a, b) for a, b in zip(first, pipeline.sample(2), strict=True))
    assert {plane.shape[:2] for plane in first} == {(32, 32)}


def test_the_kernel_decides_how_wide_the_transition_is() -> None:
    widths = []
    for kernel in (3, 21):
        settings = GfmSamples(crop=GfmCrop(sides=(60,), fallback=60, transition=0.0, trimap_kernel=kernel))
        trimap = GfmPipeline(Scene(), settings, size=64, seed=1).sample(0).trimap
        widths.append((trimap == 0.5).mean())
    assert widths[1] > 1.5 * widths[0]


def test_a_square_stays_inside_the_picture() -> None:
    rng = np.random.default_rng(0)
    places = np.zeros((40, 50), np.float32)
    places[0, 49] = 1
    assert place_square(rng, places, 20) == (0, 30)
    assert cut_square(places, (0, 30), 20)[0, 19] == 1


def test_jitter_keeps_colours_in_range() -> None:
    rng = np.random.default_rng(0)
    color = rng.random((16, 16, 3), np.float32)
    for _ in range(10):
        for changed in (jitter_color(rng, color, 0.2), jitter_hsv(rng, color, color[..., 0])):
            assert changed.min() >= 0
            assert changed.max() <= 1
            assert np.abs(changed - color).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LsaSamples(color=2), "samples.color is 2; give 0 to 1"),
        (lambda: LsaSamples(crop=(50, 40)), r"samples.crop is \[50, 40\]; give two rising sides"),
        (lambda: LsaSamples(radius=0), "samples.radius is 0; give at least 1"),
        (lambda: ViTMatteSamples(second=-1), "samples.second is -1; give 0 to 1"),
        (lambda: ViTMatteSamples(scale=(2, 1)), r"samples.scale is \[2, 1\]; give two rising factors"),
        (lambda: ViTMatteSamples(shrunk=4), "samples.shrunk is 4; give at least 32"),
        (lambda: DdcSamples(enlarge=0.5), "samples.enlarge is 0.5; give 1 to 4"),
        (lambda: GfmSamples(route="guess"), "samples.route is 'guess'; use files"),  # type: ignore[arg-type]
        (lambda: GfmCrop(transition=7.0), "samples.crop.transition is 7.0; give a probability"),
        (lambda: GfmCrop(anchor="left"), "samples.crop.anchor is 'left'; use centre"),  # type: ignore[arg-type]
    ],
)
def test_a_setting_out_of_range_is_named(make: object, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()  # type: ignore[operator]
