"""What the default recipe minimises."""

import torch
from torch import Tensor

from gossamer.training.objectives.matting import matting_losses
from gossamer.training.recipe import LossWeights
from gossamer.training.samples import Batch


def make_batch() -> Batch:
    random = torch.Generator().manual_seed(2)
    foreground, background = torch.rand(2, 2, 3, 64, 64, generator=random)
    alpha = torch.linspace(-0.5, 1.5, 64).clamp(0, 1).expand(2, 1, 64, 64)
    trimap = torch.where(alpha <= 0, 0.0, torch.where(alpha >= 1, 1.0, 0.5))
    return Batch(alpha * foreground + (1 - alpha) * background, trimap, alpha, foreground, background)


def total(alpha: Tensor, batch: Batch) -> float:
    return float(matting_losses(alpha, batch, LossWeights())["total"])


def test_the_truth_costs_nothing_but_the_smoothness_of_the_distance() -> None:
    batch = make_batch()
    assert total(batch.alpha, batch) < 1e-2
    assert total(batch.alpha * 0.5, batch) > 10 * total(batch.alpha, batch)


def test_nothing_is_learned_where_the_trimap_is_known() -> None:
    batch = make_batch()
    alpha = batch.alpha.clone().requires_grad_()
    other = torch.where(batch.trimap == 0.5, alpha, alpha + 0.3)
    matting_losses(other, batch, LossWeights())["total"].backward()  # type: ignore[no-untyped-call]
    assert alpha.grad is not None
    assert alpha.grad[batch.trimap != 0.5].abs().max() == 0


def test_a_term_without_weight_is_not_computed() -> None:
    batch = make_batch()
    terms = matting_losses(batch.alpha, batch, LossWeights(composition=0, gradient=0))
    assert set(terms) == {"alpha", "laplacian", "total"}


def test_the_squared_term_is_the_mean_squared_error_of_the_unknown_region() -> None:
    batch = make_batch()
    wrong = torch.where(batch.trimap == 0.5, batch.alpha + 0.2, batch.alpha + 0.9)
    terms = matting_losses(wrong, batch, LossWeights(alpha=0, laplacian=0, gradient=0, composition=0, squared=3.0))
    assert set(terms) == {"squared", "total"}
    torch.testing.assert_close(terms["squared"], torch.tensor(3.0 * 0.2**2))


def test_the_squared_term_forgives_what_lies_beyond_an_opaque_or_empty_pixel() -> None:
    batch = make_batch()
    batch = batch._replace(alpha=batch.alpha.round(), trimap=torch.full_like(batch.trimap, 0.5))
    beyond = batch.alpha * 1.4 - 0.2
    assert matting_losses(beyond, batch, LossWeights(squared=1.0))["squared"] == 0


def test_an_all_known_crop_has_no_squared_error() -> None:
    batch = make_batch()
    batch = batch._replace(trimap=batch.alpha.round())
    assert matting_losses(batch.alpha + 0.5, batch, LossWeights(squared=1.0))["squared"] == 0


def test_the_total_is_the_weighted_sum() -> None:
    batch = make_batch()
    single = matting_losses(batch.alpha * 0.7, batch, LossWeights())
    double = matting_losses(batch.alpha * 0.7, batch, LossWeights(alpha=2.0))
    torch.testing.assert_close(double["total"] - single["total"], single["alpha"])
