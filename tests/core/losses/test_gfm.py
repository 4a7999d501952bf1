"""GFM's losses against the recorded ones, and its totals on networks' outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
import torch
from torch import Tensor

from gossamer.errors import SettingError
from gossamer.losses import (
    CrossEntropy,
    GfmLoss,
    GfmTerms,
    GfmTruth,
    GlanceLoss,
    RimLoss,
    Rosta,
    UnknownAlphaLoss,
    WholeAlphaLoss,
    composition_loss,
    gfm_laplacian_loss,
    gfm_loss,
    glance_labels,
    glance_loss,
    rim_loss,
    rosta_targets,
    unknown_alpha_loss,
    whole_alpha_loss,
)
from gossamer.models.gfm import GfmOutput, GfmRimOutput

Record = Callable[[str], Any]
SIDE = 32
ROSTAS: list[Rosta] = ["tt", "ft", "bt"]


class Head(NamedTuple):
    glance_logits: Tensor
    focus: Tensor
    fusion: Tensor


class Integrated(NamedTuple):
    tt: Head
    ft: Head
    bt: Head
    fusion: Tensor


def truth() -> GfmTruth:
    """A soft disc: a hard middle, a transition, and maps that are farther out and farther in."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    distance = ((y - SIDE / 2).square() + (x - SIDE / 2).square()).sqrt().expand(2, 1, SIDE, SIDE)
    alpha = ((13 - distance) / 6).clamp(0, 1)
    trimap = torch.where(distance < 6, 1.0, torch.where(distance > 14, 0.0, 0.5))
    colors = torch.rand(2, 2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    plate = alpha * colors[0] + (1 - alpha) * colors[1]
    return GfmTruth(alpha, trimap, (distance < 15).float(), (distance < 5).float(), plate, colors[0], colors[1])


def head(rosta: Rosta, seed: int) -> Head:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3 if rosta == "tt" else 2, SIDE, SIDE, generator=generator)
    focus, fusion = torch.rand(2, 2, 1, SIDE, SIDE, generator=generator)
    return Head(logits.requires_grad_(), focus.requires_grad_(), fusion.requires_grad_())


def integrated() -> Integrated:
    return Integrated(head("tt", 1), head("ft", 2), head("bt", 3), head("tt", 4).fusion)


def test_unknown_alpha_loss_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_gfm_losses")
    alpha, trimap = case.plane("alpha"), case.trimap(case.outputs["trimap25"])
    case.check(
        lambda p: unknown_alpha_loss(p, alpha, trimap), case.plane("pred"), "alpha_unknown", "grad_alpha_unknown"
    )


def test_whole_alpha_loss_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_gfm_losses")
    alpha = case.plane("alpha")
    case.check(lambda p: whole_alpha_loss(p, alpha), case.plane("pred"), "alpha_whole", "grad_alpha_whole")


@pytest.mark.parametrize(
    ("value", "glance", "classes", "map_name"),
    [
        ("ce3", "glance3", 3, "trimap25"),
        ("ce2_dilation", "glance2", 2, "dilation50"),
        ("ce2_erosion", "glance2", 2, "erosion50"),
    ],
)
def test_compatible_cross_entropy_is_the_recorded_one(
    recorded: Record, value: str, glance: str, classes: int, map_name: str
) -> None:
    case = recorded("ops_gfm_losses")
    labels = glance_labels(case.outputs[map_name][None, None] / 255, classes)
    # The record holds sigmoids; in float64 their logits can be told again.
    case.check(
        lambda p: glance_loss(p, labels, "compat"), torch.logit(case.inputs[glance].double(), eps=1e-12), value, None
    )


def test_logits_can_be_learned_to_certainty_where_sigmoids_cannot() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    sure = torch.zeros(1, 3, 4, 4)
    sure[:, 0] = 20
    assert glance_loss(sure, labels) < 1e-6
    assert glance_loss(sure, labels, "compat") > 0.5


def test_labels_survive_resized_maps() -> None:
    values = torch.tensor([0.0, 0.1, 0.4, 0.5, 0.9, 1.0]).view(1, 1, 1, 6)
    assert glance_labels(values, 3).flatten().tolist() == [0, 0, 1, 1, 2, 2]
    assert glance_labels(values, 2).flatten().tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("rosta", ROSTAS)
def test_targets_fuse_back_to_alpha(rosta: Rosta) -> None:
    """Each division's own fusion rule, given its targets, restores the matte: the rule and the targets fit."""
    case = truth()
    labels, focus = rosta_targets(rosta, case)
    glance = labels[:, None]
    fused = {
        "tt": torch.where(glance == 1, focus, (glance == 2).float()),
        "ft": (glance + focus).clamp(max=1),
        "bt": (glance - focus).clamp(min=0),
    }[rosta]
    torch.testing.assert_close(fused, case.alpha)
    assert focus.min() >= 0


@pytest.mark.parametrize("rosta", ROSTAS)
def test_the_total_is_a_quarter_of_each_term(rosta: Rosta) -> None:
    case, output = truth(), head(rosta, 1)
    terms = gfm_loss(output, case, rosta=rosta)
    labels, target = rosta_targets(rosta, case)
    unknown = case.trimap == 0.5
    expected = (
        glance_loss(output.glance_logits, labels)
        + unknown_alpha_loss(output.focus, target, case.trimap)
        + gfm_laplacian_loss(output.focus, target, unknown)
        + whole_alpha_loss(output.fusion, case.alpha)
        + gfm_laplacian_loss(output.fusion, case.alpha)
        + composition_loss(output.fusion, case.foreground, case.background, case.plate)
    ) / 4
    torch.testing.assert_close(terms.total, expected)
    torch.testing.assert_close(terms.total, (terms.glance + terms.focus + terms.fusion + terms.composition) / 4)


def test_every_head_of_the_integration_learns_from_its_own_terms() -> None:
    output = integrated()
    rim_loss(output, truth()).total.backward()  # type: ignore[no-untyped-call]
    for name in ROSTAS:
        for tensor in getattr(output, name):
            assert tensor.grad is not None
            assert tensor.grad.abs().sum() > 0
    assert output.fusion.grad is not None


def test_the_integration_adds_the_terms_of_all_heads() -> None:
    case, output = truth(), integrated()
    terms = rim_loss(output, case, kind="compat")
    heads = [gfm_loss(getattr(output, name), case, rosta=name, kind="compat") for name in ROSTAS]
    own = (
        whole_alpha_loss(output.fusion, case.alpha)
        + gfm_laplacian_loss(output.fusion, case.alpha)
        + composition_loss(output.fusion, case.foreground, case.background, case.plate)
    )
    torch.testing.assert_close(terms.total, 4 * sum(part.total for part in heads) + own)
    torch.testing.assert_close(terms.total, terms.glance + terms.focus + terms.fusion + terms.composition)


def test_modules_and_functions_agree() -> None:
    case, output = truth(), integrated()
    kind: CrossEntropy = "compat"
    assert GfmLoss("ft", kind)(output.ft, case) == gfm_loss(output.ft, case, rosta="ft", kind=kind)
    assert RimLoss(kind)(output, case) == rim_loss(output, case, kind=kind)
    assert UnknownAlphaLoss()(output.fusion, case.alpha, case.trimap) == unknown_alpha_loss(
        output.fusion, case.alpha, case.trimap
    )
    assert WholeAlphaLoss()(output.fusion, case.alpha) == whole_alpha_loss(output.fusion, case.alpha)
    labels = glance_labels(case.trimap, 3)
    assert GlanceLoss(kind)(output.tt.glance_logits, labels) == glance_loss(output.tt.glance_logits, labels, kind)


def test_the_networks_own_outputs_fit() -> None:
    """The losses do not know the networks; that the outputs' fields agree is seen here."""
    outputs = [GfmOutput(h.glance_logits, h.glance_logits.sigmoid(), h.focus, h.fusion) for h in integrated()[:3]]
    answer = GfmRimOutput(outputs[0], outputs[1], outputs[2], integrated().fusion)
    assert gfm_loss(answer.tt, truth(), rosta="tt") == gfm_loss(integrated().tt, truth(), rosta="tt")
    assert rim_loss(answer, truth()) == rim_loss(integrated(), truth())


def test_half_precision_gives_a_float32_loss() -> None:
    output = Head(*(value.detach().bfloat16() for value in head("tt", 1)))
    terms: GfmTerms = gfm_loss(output, truth(), rosta="tt")
    assert {term.dtype for term in terms} == {torch.float32}


def test_an_unknown_division_of_labour_is_refused() -> None:
    with pytest.raises(SettingError, match="tt, ft or bt, not 'rim'"):
        gfm_loss(head("tt", 1), truth(), rosta=cast(Rosta, "rim"))
