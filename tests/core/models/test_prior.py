"""The colour prior says what known colours around the band imply."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gossamer.models.prior import color_prior, diffuse_colors, nearest_colors, project_alpha


def _soft_edge(size: int = 128, *, foreground: tuple[float, float, float], background: tuple[float, float, float]):  # type: ignore[no-untyped-def]
    """A vertical ramp of alpha between two flat colours, with its trimap."""
    x = torch.arange(size).float()
    alpha = ((x - size * 0.35) / (size * 0.3)).clamp(0, 1).expand(1, 1, size, size)
    f = torch.tensor(foreground).view(1, 3, 1, 1)
    b = torch.tensor(background).view(1, 3, 1, 1)
    trimap = torch.where(alpha <= 0, 0.0, torch.where(alpha >= 1, 1.0, 0.5))
    return alpha * f + (1 - alpha) * b, trimap, alpha


def test_flat_colours_give_the_exact_alpha() -> None:
    plate, trimap, alpha = _soft_edge(foreground=(0.9, 0.6, 0.2), background=(0.1, 0.2, 0.5))
    prior = color_prior(plate, trimap)
    assert (prior.alpha - alpha).abs().max() < 0.02


def test_known_pixels_are_obeyed() -> None:
    generator = torch.Generator().manual_seed(0)
    plate = torch.rand(2, 3, 64, 96, generator=generator)
    trimap = (torch.rand(2, 1, 64, 96, generator=generator) * 3).floor() / 2
    alpha = color_prior(plate, trimap).alpha
    assert (alpha[trimap == 1] == 1).all()
    assert (alpha[trimap == 0] == 0).all()
    assert ((alpha >= 0) & (alpha <= 1)).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_trimap_of_one_value_gives_finite_maps(value: float) -> None:
    plate = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for maps in color_prior(plate, torch.full((1, 1, 64, 64), value)):
        assert torch.isfinite(maps).all()


def test_a_shift_by_32_pixels_shifts_the_answer() -> None:
    plate, trimap, _ = _soft_edge(foreground=(0.8, 0.7, 0.3), background=(0.2, 0.3, 0.4))
    plate, trimap = plate.repeat(1, 1, 4, 1), trimap.repeat(1, 1, 4, 1)
    generator = torch.Generator().manual_seed(2)
    plate = (plate + 0.05 * torch.randn(plate.shape, generator=generator)).clamp(0, 1)
    whole = color_prior(plate, trimap).alpha
    part = color_prior(plate[..., 32:, :], trimap[..., 32:, :]).alpha
    inner = slice(288, None)  # the border is seen from as far as candidates and sharing reach
    assert (whole[..., 32:, :][..., inner, :] - part[..., inner, :]).abs().max() < 1e-4


def test_the_nearest_colour_is_found_in_its_direction() -> None:
    color = torch.arange(8.0).view(1, 1, 1, 8)
    known = torch.tensor([0.0, 1, 0, 0, 1, 0, 0, 0]).view(1, 1, 1, 8)
    found = nearest_colors(color, known, 0, 1)
    assert found[0, 0, 0].tolist() == [0, 1, 1, 1, 4, 4, 4, 4]
    assert found[0, 1, 0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]


def test_diffusion_reaches_pixels_far_from_anything_known() -> None:
    color = torch.full((1, 3, 128, 128), 0.7)
    known = torch.zeros(1, 1, 128, 128)
    known[..., :4, :4] = 1
    diffused = diffuse_colors(color, known)
    assert (diffused[..., 80:, 80:] - 0.7).abs().max() < 1e-3


def test_alpha_is_the_projection_on_the_line_between_the_colours() -> None:
    def color(*values: float) -> Tensor:
        return torch.tensor(values).view(1, 3, 1, 1)

    alpha = project_alpha(color(0.5, 0.1, 0.9), color(1, 0, 0), color(0, 0, 0))
    assert alpha.item() == pytest.approx(0.5, abs=1e-3)


def test_a_pixel_of_a_colour_that_no_pair_explains_is_less_certain() -> None:
    plate, trimap, _ = _soft_edge(foreground=(0.9, 0.2, 0.2), background=(0.1, 0.2, 0.2))
    plate[..., 60:68, 60:68] = torch.tensor([0.2, 0.9, 0.1]).view(1, 3, 1, 1)
    residual = color_prior(plate, trimap).evidence[0, 3]
    assert residual[31, 31] > 3 * residual[10, 31]


def test_evidence_of_linear_light_is_exact_for_a_plate_mixed_in_it() -> None:
    _, trimap, alpha = _soft_edge(foreground=(0.9, 0.6, 0.2), background=(0.1, 0.2, 0.5))
    f, b = (torch.tensor(color).view(1, 3, 1, 1) for color in ((0.9, 0.6, 0.2), (0.1, 0.2, 0.5)))
    plate = (alpha * f.square() + (1 - alpha) * b.square()).sqrt()
    prior = color_prior(plate, trimap)
    small = torch.nn.functional.avg_pool2d(alpha, 2)
    inside = (small > 0.05) & (small < 0.95)
    linear = (prior.evidence[:, 4:] - small)[inside].abs().mean()
    encoded = (prior.projected - small)[inside].abs().mean()
    assert linear < 0.3 * encoded


def test_a_pair_explains_what_it_mixes_to_in_linear_light() -> None:
    colors = (0.9, 0.5, 0.1), (0.2, 0.5, 0.8)
    _, trimap, alpha = _soft_edge(foreground=colors[0], background=colors[1])
    f, b = (torch.tensor(color).view(1, 3, 1, 1) for color in colors)
    plate = (alpha * f.square() + (1 - alpha) * b.square()).sqrt()
    residual = color_prior(plate, trimap).evidence[:, 3:4]
    # From the straight line between the encoded colours it is up to 0.16.
    assert residual.max() < 0.02
