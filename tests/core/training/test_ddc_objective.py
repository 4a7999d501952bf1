"""Training from trimaps alone: what may teach and what may not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.errors import SettingError
from gossamer.models.registry import create_model
from gossamer.training.loss_settings import DdcLosses
from gossamer.training.objectives import make_objective
from gossamer.training.objectives.ddc import ddc_losses, ddc_terms
from gossamer.training.recipe import recipe_from_dict
from gossamer.training.samples import Batch, TrimapBatch


def batch(alpha_shift: float = 0.0) -> Batch:
    random = torch.Generator().manual_seed(3)
    alpha = torch.linspace(-0.4, 1.4, 64).clamp(0, 1).expand(1, 1, 64, 64)
    plate = alpha * 0.6 + 0.2 + 0.05 * torch.rand(1, 3, 64, 64, generator=random)
    trimap = torch.where(alpha <= 0, 0.0, torch.where(alpha >= 1, 1.0, 0.5))
    other = torch.rand(1, 3, 64, 64, generator=random)
    return Batch(plate, trimap, (alpha + alpha_shift) % 1.0, other, other)


def gradients(model: str, alpha_shift: float) -> list[Tensor]:
    recipe = recipe_from_dict(
        {"name": "t", "model": model, "objective": "ddc", "seed": 1, "steps": 1, "batch": 1, "size": 64,
         "learning_rate": 1.0}, "test",
    )  # fmt: skip
    torch.manual_seed(0)
    network = create_model(model)
    losses = make_objective(recipe).losses(network, batch(alpha_shift))
    losses["total"].backward()  # type: ignore[no-untyped-call]
    return [p.grad for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("model", ["lsa-light", "gossamer-s", "gfm-light-tt"])
def test_the_gradient_knows_no_alpha(model: str) -> None:
    one, other = gradients(model, 0.0), gradients(model, 0.37)
    assert sum(float(g.abs().sum()) for g in one) > 0
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def losses(alpha: Tensor, **settings: Any) -> dict[str, Tensor]:
    made = batch()
    return ddc_losses(alpha, TrimapBatch(made.plate, made.trimap), DdcLosses(**settings))


def test_without_the_distance_only_known_pixels_teach() -> None:
    alpha = torch.full((1, 1, 64, 64), 0.3, requires_grad=True)
    found = losses(alpha, ddc=0)
    assert set(found) == {"known", "total"}
    found["total"].backward()  # type: ignore[no-untyped-call]
    unknown = batch().trimap == 0.5
    assert alpha.grad is not None
    assert alpha.grad[unknown].abs().max() == 0
    assert alpha.grad[~unknown].abs().min() > 0


def test_with_the_distance_unknown_pixels_are_taught_as_well() -> None:
    alpha = (0.3 + 0.3 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))).requires_grad_()
    losses(alpha)["total"].backward()  # type: ignore[no-untyped-call]
    assert alpha.grad is not None
    assert (alpha.grad[batch().trimap == 0.5] != 0).float().mean() > 0.5


@pytest.mark.parametrize("rosta", ["tt", "ft", "bt", "rim"])
def test_a_perfect_gfm_costs_what_a_perfect_alpha_costs(rosta: str) -> None:
    from gossamer.models.gfm import GfmOutput, GfmRimOutput

    made = batch()
    sure, possible = (made.trimap > 0.75).float(), (made.trimap > 0.25).float()

    def head(kind: str) -> GfmOutput:
        focus = {"tt": made.alpha, "ft": made.alpha - sure, "bt": possible - made.alpha}[kind]
        scores = torch.cat([sure * 0, sure], dim=1) if kind == "ft" else torch.cat([possible * 0, possible], dim=1)
        if kind == "tt":
            scores = torch.cat([1 - possible, possible - sure, sure], dim=1)
        return GfmOutput(scores * 40, scores, focus, made.alpha)

    truth = Batch(made.plate, made.trimap, made.alpha, made.plate, made.plate)
    output: Any = GfmRimOutput(head("tt"), head("ft"), head("bt"), truth.alpha) if rosta == "rim" else head(rosta)
    found = ddc_losses(output, TrimapBatch(truth.plate, truth.trimap), DdcLosses(), rosta=rosta)
    expected = losses(truth.alpha)
    torch.testing.assert_close(found["known"], expected["known"])
    torch.testing.assert_close(found["ddc"], expected["ddc"])
    assert found["glance"] < (1e-3 if rosta == "tt" else 1.0)


def test_terms_without_weight_are_not_in_the_log() -> None:
    assert ddc_terms(DdcLosses(), has_glance=False) == ("known", "ddc")
    assert ddc_terms(DdcLosses(ddc=0), has_glance=True) == ("known", "glance")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ddc": -1}, r"losses\.ddc is -1; give 0 or more"),
        ({"known": 0, "ddc": 0}, "nothing to learn from"),
        ({"padding": "mirror"}, r"losses\.padding is 'mirror'; use exclude or zeros"),
        ({"window": 4}, r"losses\.window is 4 and losses\.neighbours 11; give an odd window"),
        ({"neighbours": 1}, "give an odd window"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        DdcLosses(**settings)
