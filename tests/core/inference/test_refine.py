"""Backpropagating refinement: the recorded run on the published network, and its promises on a tiny one."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import CancelledError, ModelError, SettingError
from gossamer.inference.refine import Modulation, RefinableNetwork, RefineSettings, refine
from gossamer.models.gossamer_s import GossamerS, GossamerSConfig
from gossamer.models.lsa import Lsa, LsaFeatures

PARITY = Path(__file__).parents[2] / "data" / "parity"
REFINED_ABSOLUTE = 5e-4
"""Six steps in float32 differ from float64 by 6e-5 already."""


class TinyNetwork(nn.Module):
    """Two stages, as small as a steerable decoder can be."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(4, 6, 3, 4, 1)
        self.deep = nn.Conv2d(6, 5, 3, 1, 1)
        self.fine = nn.Conv2d(5, 4, 3, 1, 1)
        self.head = nn.Conv2d(4, 1, 3, 1, 1)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for value in self.parameters():
                value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
            self.head.bias.fill_(0.5)  # type: ignore[union-attr]

    def encode(self, plate: Tensor, trimap: Tensor) -> Tensor:
        features: Tensor = self.encoder(torch.cat([plate, trimap], dim=1)).relu()
        return features

    def decode(self, features: Tensor, modulation: Modulation | None = None) -> Tensor:
        def modulate(x: Tensor, stage: int) -> Tensor:
            if not modulation or stage not in modulation:
                return x
            scale, shift = (F.interpolate(v, size=x.shape[-2:], mode="bicubic") for v in modulation[stage])
            return x * scale.exp() + shift

        x = modulate(self.deep(features).relu(), 2)
        x = modulate(self.fine(F.interpolate(x, scale_factor=2)).relu(), 1)
        raw: Tensor = self.head(F.interpolate(x, scale_factor=2))
        return raw

    def modulation_shapes(self) -> Mapping[int, tuple[int, int, int]]:
        return {2: (5, 4, 4), 1: (4, 8, 8)}


def tiny() -> TinyNetwork:
    return TinyNetwork().eval()


def scene(batch: int = 2, side: int = 32) -> tuple[Tensor, Tensor]:
    """Plates of noise; foreground on the left, background on the right, 8 unknown columns between them."""
    plate = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(4))
    trimap = torch.zeros(batch, 1, side, side)
    trimap[..., : side // 2 - 4] = 1
    trimap[..., side // 2 - 4 : side // 2 + 4] = 0.5
    return plate, trimap


SOME = RefineSettings(steps=8, rate=2.0)


def recipe(entry: dict[str, Any]) -> Tensor:
    """A synthetic weight by the rule of its entry; the same numbers the record was made with."""
    shape = entry["shape"]
    random = np.random.default_rng(zlib.crc32(entry["key"].encode()))
    draw = {
        "he": lambda: random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:])),
        "gamma": lambda: random.uniform(0.8, 1.2, shape),
        "bias": lambda: 0.05 * random.standard_normal(shape),
        "mean": lambda: 0.1 * random.standard_normal(shape),
        "var": lambda: random.uniform(0.5, 1.5, shape),
    }
    if entry["rule"] == "count":
        return torch.zeros((), dtype=torch.int64)
    value = draw[entry["rule"]]() * entry.get("mul", 1) + np.asarray(entry.get("add", 0))
    return torch.from_numpy(value.astype(np.float32))


class RecordedInput(Lsa):
    """The published network, fed with the recorded tensor in place of a plate and a trimap."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x

    def encode(self, plate: Tensor, trimap: Tensor) -> LsaFeatures:
        features: LsaFeatures = self.backbone(self.x)
        return features


@pytest.fixture(scope="module")
def recorded() -> tuple[RecordedInput, Tensor, dict[str, Tensor], Any]:
    folder = PARITY / "ops_lsa_refine"
    with np.load(folder / "input.npz") as file:
        x, trimap = torch.from_numpy(file["x"]), torch.from_numpy(file["trimap"])[None, None]
    with np.load(folder / "output.npz") as file:
        outputs = {key: torch.from_numpy(np.asarray(file[key])) for key in file}
    network = RecordedInput(x)
    entries = json.loads(gzip.decompress((PARITY / "lsa" / "keys.json.gz").read_bytes()))
    network.load_state_dict({entry["key"]: recipe(entry) for entry in entries})
    levels = torch.where(trimap == 255, 1.0, torch.where(trimap == 0, 0.0, 0.5))
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return network.eval(), levels, outputs, meta


def test_the_published_network_refines_as_recorded(
    recorded: tuple[RecordedInput, Tensor, dict[str, Tensor], Any],
) -> None:
    network, trimap, outputs, meta = recorded
    plate = torch.zeros(1, 3, 128, 128)
    # The published code returns the matte before its last update, and the variables after it.
    result = refine(network, plate, trimap, RefineSettings(steps=6, clamp_reference=False))
    earlier = refine(network, plate, trimap, RefineSettings(steps=5, clamp_reference=False))
    unknown = trimap == 0.5
    torch.testing.assert_close(earlier.alpha[unknown], outputs["alpha_refined"][unknown], rtol=0, atol=REFINED_ABSOLUTE)
    for name, value in (
        ("A_stage5", result.modulation[5][0]),
        ("B_stage5", result.modulation[5][1]),
        ("A_stage2_mean", result.modulation[2][0].mean()),
        ("B_stage2_mean", result.modulation[2][1].mean()),
    ):
        torch.testing.assert_close(value, outputs[name], rtol=0, atol=REFINED_ABSOLUTE)
    expected = torch.tensor([[step[key] for key in ("total", "edge", "preserve")] for step in meta["losses_per_step"]])
    torch.testing.assert_close(result.losses[:6, 0], expected, rtol=0, atol=REFINED_ABSOLUTE)
    assert result.halvings.tolist() == [0]


def test_the_loss_falls_and_the_border_comes_closer() -> None:
    plate, trimap = scene()
    result = refine(tiny(), plate, trimap, SOME)
    assert (result.losses[-1, :, 0] < result.losses[0, :, 0]).all()
    before = refine(tiny(), plate, trimap, RefineSettings(steps=0)).alpha
    column = plate.shape[-1] // 2 - 4  # the first unknown column, beside foreground
    assert (result.alpha[..., column] - before[..., column]).mean() > 0


def test_no_steps_leave_the_networks_own_matte() -> None:
    plate, trimap = scene()
    network = tiny()
    result = refine(network, plate, trimap, RefineSettings(steps=0))
    raw = network.decode(network.encode(plate, trimap)).clamp(0, 1)
    assert torch.equal(result.alpha, torch.where(trimap == 0.5, raw, trimap))
    assert not result.modulation


def test_known_pixels_are_obeyed() -> None:
    plate, trimap = scene()
    result = refine(tiny(), plate, trimap, SOME)
    known = trimap != 0.5
    assert torch.equal(result.alpha[known], trimap[known])
    assert 0 <= result.alpha.min() <= result.alpha.max() <= 1


def test_no_gradient_is_left_behind() -> None:
    network = tiny()
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    result = refine(network, *scene(), SOME)
    assert all(value.grad is None for value in network.parameters())
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())
    assert not result.alpha.requires_grad
    assert not any(value.requires_grad for pair in result.modulation.values() for value in pair)


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    plate, trimap = scene(2)
    trimap[1, :, :10] = 0.5
    network = tiny()
    together = refine(network, plate, trimap, SOME).alpha
    for index in range(2):
        alone = refine(network, plate[index : index + 1], trimap[index : index + 1], SOME).alpha
        torch.testing.assert_close(together[index : index + 1], alone)


def test_a_trimap_without_unknown_pixels_is_left_alone() -> None:
    plate, trimap = scene()
    solid = (trimap > 0.25).float()
    result = refine(tiny(), plate, solid, SOME)
    assert torch.equal(result.alpha, solid)
    assert result.losses.numel() == 0


def test_a_known_picture_in_a_batch_does_not_disturb_the_others() -> None:
    plate, trimap = scene()
    trimap[0] = 1
    result = refine(tiny(), plate, trimap, SOME)
    assert torch.isfinite(result.losses).all()
    assert torch.equal(result.alpha[0], trimap[0])
    assert result.losses[-1, 1, 0] < result.losses[0, 1, 0]


@pytest.mark.parametrize("rate", [1e4, 1e38])
def test_a_rate_that_is_too_high_is_halved_and_never_harms(rate: float) -> None:
    plate, trimap = scene()
    network = tiny()
    own = refine(network, plate, trimap, RefineSettings(steps=0)).alpha
    result = refine(network, plate, trimap, RefineSettings(steps=6, rate=rate))
    assert (result.halvings > 0).all()
    assert torch.isfinite(result.alpha).all()
    if rate > 1e30:  # nothing was accepted in six steps
        assert torch.equal(result.alpha, own)


def test_a_guarded_descent_recovers_from_too_high_a_rate() -> None:
    result = refine(tiny(), *scene(), RefineSettings(steps=30, rate=1e4))
    totals = result.losses[..., 0].nan_to_num(nan=torch.inf)
    assert (totals.amin(dim=0) < totals[0]).all()


def test_a_warm_start_goes_on_from_the_earlier_frame() -> None:
    plate, trimap = scene()
    network = tiny()
    first = refine(network, plate, trimap, SOME)
    second = refine(network, plate, trimap, RefineSettings(steps=1, rate=2.0), start=first.modulation)
    torch.testing.assert_close(second.losses[0], first.losses[-1])
    assert (second.losses[-1, :, 0] < first.losses[-1, :, 0]).all()


def test_a_warm_start_that_harms_is_dropped() -> None:
    plate, trimap = scene()
    network = tiny()
    cold = refine(network, plate, trimap, SOME)
    harmful = {
        stage: (torch.full((2, *shape), 3.0), torch.full((2, *shape), -9.0))
        for stage, shape in network.modulation_shapes().items()
    }
    warm = refine(network, plate, trimap, RefineSettings(steps=9, rate=2.0), start=harmful)
    torch.testing.assert_close(warm.losses[2:, ..., 0], cold.losses[1:, ..., 0])
    assert warm.halvings.tolist() == [0, 0]


def test_refinement_works_inside_inference_mode_and_autocast() -> None:
    plate, trimap = scene()
    network = tiny()
    expected = refine(network, plate, trimap, SOME).alpha
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = refine(network, plate.clone(), trimap.clone(), SOME).alpha
    torch.testing.assert_close(inside, expected)


def test_the_default_network_can_be_refined() -> None:
    config = GossamerSConfig(widths=(8, 8, 8, 8, 8), depths=(1, 1, 1, 1), decoder=(8, 8, 8, 8, 8), head=4)
    network = GossamerS(config).eval()
    assert isinstance(network, RefinableNetwork)
    last = network.head[-1]
    assert isinstance(last, nn.Conv2d)
    with torch.no_grad():
        # A fresh network only passes the prior through; let its decoder have something to add.
        last.weight.normal_(0, 0.2, generator=torch.Generator().manual_seed(1))
    plate, trimap = scene(1, 64)
    result = refine(network, plate, trimap, RefineSettings(steps=4))
    assert result.losses[:, 0, 0].min() < result.losses[0, 0, 0]
    assert result.modulation[2][0].shape == (1, 8, 64, 64)


def test_a_network_without_a_steerable_decoder_is_refused() -> None:
    with pytest.raises(ModelError, match=r"Conv2d has no decoder that refinement can steer\. Use gossamer-s"):
        refine(nn.Conv2d(4, 1, 1).eval(), *scene())


def test_a_network_in_train_mode_is_refused() -> None:
    with pytest.raises(ModelError, match=r"eval mode: call eval\(\) first"):
        refine(tiny().train(), *scene())


def test_a_network_that_gives_no_numbers_is_refused() -> None:
    plate, trimap = scene()
    plate[:] = torch.nan
    with pytest.raises(ModelError, match="not numbers; there is nothing to refine"):
        refine(tiny(), plate, trimap)


def test_a_warm_start_of_another_network_is_refused() -> None:
    start = {2: (torch.zeros(2, 5, 4, 4), torch.zeros(2, 5, 4, 4))}
    with pytest.raises(SettingError, match=r"cannot start from.*this network and batch need"):
        refine(tiny(), *scene(), start=start)


def test_a_batch_that_comes_no_closer_is_left_early() -> None:
    plate, trimap = scene()
    impatient = RefineSettings(steps=60, rate=1e-9, patience=3)
    assert len(refine(tiny(), plate, trimap, impatient).losses) == 4
    assert len(refine(tiny(), plate, trimap, RefineSettings(steps=8, rate=2.0, patience=3)).losses) == 9


def test_it_is_cancelled_between_steps() -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(CancelledError, match="Cancelled"):
        refine(tiny(), *scene(), SOME, cancelled=cancelled)
    assert len(asked) == 3


def test_steps_that_the_guard_takes_back_do_not_end_it_early() -> None:
    result = refine(tiny(), *scene(), RefineSettings(steps=30, rate=1e6, patience=2))
    assert (result.halvings > 2).all()
    assert len(result.losses) > 10


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"patience": -1}, "patience has to be 0 or more steps, not -1"),
        ({"steps": -1}, "0 or more steps, not -1"),
        ({"rate": 0}, "above 0, not 0"),
        ({"keep_weight": -1}, "not -1"),
    ],
)
def test_unusable_settings_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        RefineSettings(**setting)
