"""Test-time strategies: what holds for any weights (the recorded numbers are in test_parity.py)."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gossamer.errors import ModelError
from gossamer.models.gfm_sizes import reduced_size, resize_picture
from gossamer.models.gfm_strategies import matte_hybrid, resize_antialiased
from gossamer.models.registry import create_model


@pytest.fixture(scope="module", params=["gfm-r34-tt", "gfm-r34-ft", "gfm-r34-bt"])
def network(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return create_model(request.param).eval()


def _trimap(height: int, width: int) -> Tensor:
    return (torch.arange(width) * 3 // width / 2).expand(1, 1, height, width).clone()


# --- GFM --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_hybrid_obeys_a_trimap(network: Any) -> None:
    plate, trimap = torch.rand(1, 3, 100, 130), _trimap(100, 130)
    for compat in (False, True):
        alpha = matte_hybrid(network, plate, trimap, compat=compat).alpha
        assert alpha.shape == (1, 1, 100, 130)
        assert (alpha[trimap == 1] == 1).all()
        assert (alpha[trimap == 0] == 0).all()


@torch.no_grad()
def test_the_tt_matte_takes_the_focus_where_a_trimap_is_unknown() -> None:
    network: Any = create_model("gfm-r34-tt").eval()
    plate, trimap = torch.rand(1, 3, 64, 96), _trimap(64, 96)
    answer = matte_hybrid(network, plate, trimap)
    assert torch.equal(answer.alpha[trimap == 0.5], answer.focus[trimap == 0.5])


def test_a_reduced_plate_keeps_its_shape_unless_compatible() -> None:
    assert reduced_size(1080, 1920, 1 / 2, compat=False) == (540, 960)
    assert reduced_size(1080, 1920, 1 / 2, compat=True) == (512, 960)
    assert reduced_size(2160, 4096, 1 / 2, compat=False) == (844, 1600)
    assert reduced_size(2160, 4096, 1 / 2, compat=True) == (1056, 1600)


def test_a_plate_too_small_for_the_published_sizes_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot reduce a plate of 200x90 pixels to multiples of 32; leave out compat"):
        reduced_size(90, 200, 1 / 3, compat=True)


@pytest.mark.parametrize("size", [(40, 50), (101, 67), (202, 67), (33, 20), (1, 1)])
def test_resizing_keeps_a_constant_and_averages_to_the_mean(size: tuple[int, int]) -> None:
    constant = torch.full((1, 2, 101, 67), 0.7)
    torch.testing.assert_close(resize_antialiased(constant, *size), torch.full((1, 2, *size), 0.7))
    ramp = torch.linspace(0, 1, 67, dtype=torch.float64).expand(1, 1, 101, 67)
    assert float(resize_antialiased(ramp, *size).mean()) == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_allclose(resize_picture(ramp.float().numpy(), *size), resize_antialiased(ramp, *size), atol=1e-6)


def test_a_single_pixel_can_be_resized() -> None:
    assert torch.equal(resize_antialiased(torch.full((1, 1, 1, 1), 0.25), 3, 2), torch.full((1, 1, 3, 2), 0.25))


def test_resizing_keeps_its_digits_where_the_network_has_few() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = resize_antialiased(ramp, 130, 130)
    assert torch.equal(found, resize_antialiased(ramp, 130, 130))
