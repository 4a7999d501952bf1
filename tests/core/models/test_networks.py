"""What the papers' networks promise beyond the contract of all networks."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gossamer.errors import ModelError
from gossamer.models.gfm import (
    Gfm,
    GfmConfig,
    _AveragePool,
    collaborative_matting,
    glance_from_trimap,
)
from gossamer.models.lsa import BORDER, Lsa, compat_pad
from gossamer.models.registry import create_model
from gossamer.models.vitmatte import ViTMatte, ViTMatteConfig

TINY = ViTMatteConfig(width=48, heads=2, depth=6)


def _trimap(height: int, width: int) -> Tensor:
    return (torch.arange(width) * 3 // width / 2).expand(1, 1, height, width).clone()


@pytest.fixture(scope="module")
def gfm() -> Any:
    torch.manual_seed(0)
    return create_model("gfm-r34-tt").eval()


@pytest.fixture(scope="module")
def lsa() -> Lsa:
    torch.manual_seed(0)
    return Lsa().eval()


@pytest.fixture
def vitmatte() -> ViTMatte:
    """Six blocks, random tables: half a million parameters."""
    torch.manual_seed(0)
    network = ViTMatte(TINY).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


# --- any size ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(65, 71), (33, 100), (7, 5), (1, 1)])
@torch.no_grad()
def test_any_size_is_taken_and_given_back(gfm: Gfm, lsa: Lsa, vitmatte: ViTMatte, size: tuple[int, int]) -> None:
    plate, trimap = torch.rand(1, 3, *size), torch.full((1, 1, *size), 0.5)
    for network in (gfm, lsa, vitmatte):
        alpha = network.forward_matte(plate, trimap)
        assert alpha.shape == (1, 1, *size)
        assert alpha.isfinite().all()


@pytest.mark.parametrize("name", ["lsa-r50d", "vitmatte-s"])
def test_a_network_that_needs_a_trimap_says_so(name: str) -> None:
    with torch.device("meta"):
        network: Any = create_model(name)
        plate = torch.zeros(1, 3, 64, 64)
    with pytest.raises(ModelError, match="needs a trimap; give one, or use a network that needs none"):
        network.forward_matte(plate)


# --- GFM --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backbone", "rosta", "message"),
    [("r50", "tt", "no backbone 'r50'; there are r34, r34-2b"), ("r34", "tf", "no RoSTa 'tf'; there are tt, ft, bt")],
)
def test_a_gfm_that_does_not_exist_is_named_with_those_that_do(backbone: str, rosta: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GfmConfig(backbone, rosta)


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (1, 3), (17, 30)])
@pytest.mark.parametrize("bins", [1, 3, 5])
def test_the_exportable_pooling_is_adaptive_pooling(bins: int, size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    torch.testing.assert_close(_AveragePool(bins)(x), F.adaptive_avg_pool2d(x, bins))


def _glance(classes: list[int], channels: int) -> Tensor:
    return F.one_hot(torch.tensor(classes), channels).T.reshape(1, channels, 1, -1).float()


def test_tt_takes_details_in_the_transition_only() -> None:
    alpha = collaborative_matting(_glance([0, 1, 2], 3), torch.full((1, 1, 1, 3), 0.3), "tt")
    torch.testing.assert_close(alpha.flatten(), torch.tensor([0.0, 0.3, 1.0]))


def test_ft_adds_details_and_bt_takes_them_away() -> None:
    focus = torch.full((1, 1, 1, 2), 0.3)
    torch.testing.assert_close(collaborative_matting(_glance([0, 1], 2), focus, "ft").flatten(), torch.tensor([0.3, 1]))
    torch.testing.assert_close(collaborative_matting(_glance([0, 1], 2), focus, "bt").flatten(), torch.tensor([0, 0.7]))


def test_a_trimap_overrules_the_glance_of_tt_everywhere() -> None:
    trimap = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    focus = torch.full((1, 1, 1, 3), 0.3)
    alpha = collaborative_matting(_glance([2, 0, 0], 3), focus, "tt", trimap)
    torch.testing.assert_close(alpha.flatten(), torch.tensor([0.0, 0.3, 1.0]))


@pytest.mark.parametrize(("rosta", "unknown"), [("ft", [0.3, 1.0]), ("bt", [0.0, 0.7])])
def test_a_trimap_leaves_the_glance_of_ft_and_bt_where_it_is_unknown(rosta: str, unknown: list[float]) -> None:
    trimap = torch.tensor([0.0, 0.5, 0.5, 1.0]).reshape(1, 1, 1, 4)
    focus = torch.full((1, 1, 1, 4), 0.3)
    alpha = collaborative_matting(_glance([1, 0, 1, 0], 2), focus, rosta, trimap)
    torch.testing.assert_close(alpha.flatten(), torch.tensor([0.0, *unknown, 1.0]))


def test_the_overruled_glance_has_the_classes_of_its_rosta() -> None:
    trimap = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3)
    glance = torch.tensor([1, 1, 0]).reshape(1, 1, 1, 3)
    assert glance_from_trimap(glance, trimap, "tt").flatten().tolist() == [0, 1, 2]
    assert glance_from_trimap(glance, trimap, "ft").flatten().tolist() == [0, 1, 1]


def test_fusion_trains_the_focus_and_not_the_glance() -> None:
    glance = torch.rand(1, 3, 8, 8, requires_grad=True)
    focus = torch.rand(1, 1, 8, 8, requires_grad=True)
    collaborative_matting(glance, focus, "tt").sum().backward()  # type: ignore[no-untyped-call]
    assert glance.grad is None
    assert focus.grad is not None


@torch.no_grad()
def test_the_glance_of_gfm_stays_its_own_beside_a_trimap(gfm: Gfm) -> None:
    plate = torch.rand(1, 3, 64, 64)
    with_trimap, without = gfm(plate, _trimap(64, 64)), gfm(plate)
    assert torch.equal(with_trimap.glance, without.glance)
    assert not torch.equal(with_trimap.fusion, without.fusion)


@pytest.mark.parametrize("name", ["gfm-light-tt", "gfm-light-ft", "gfm-light-rim"])
def test_a_gfm_tells_where_rounding_decides_its_class(name: str) -> None:
    torch.manual_seed(0)
    network: Any = create_model(name).eval()
    plate = torch.rand(1, 3, 70, 90)
    with torch.no_grad():
        answer = network(plate)
        ranked = [
            output.glance.sort(dim=1, descending=True).values
            for output in ((answer.tt, answer.ft, answer.bt) if name.endswith("rim") else (answer,))
        ]
        lead = torch.stack([values[:, 0] - values[:, 1] for values in ranked], dim=1).amin(dim=1)
        margin = float(lead.median())
        told = network.undecided(plate, margin)
    assert told.shape == (1, 1, 70, 90)
    assert told.equal((lead <= margin)[:, None])
    assert 0.4 < told.float().mean() < 0.6


# --- LSA --------------------------------------------------------------------------------------------------------------


def test_the_compatible_padding_of_lsa_is_the_published_one() -> None:
    x = torch.rand(1, 1, 50, 70)
    padded = compat_pad(x)
    assert padded.shape == (1, 1, 64 + 64, 128 + 64)
    assert torch.equal(padded[..., BORDER : BORDER + 50, BORDER : BORDER + 70], x)
    assert padded[..., :16, :].abs().max() == 0
    assert torch.equal(padded[..., BORDER - 1, BORDER : BORDER + 70], x[..., 1, :])
    assert torch.equal(padded[..., BORDER + 50, BORDER : BORDER + 70], x[..., 48, :])


@torch.no_grad()
def test_the_compatible_padding_of_lsa_is_cropped_off(lsa: Lsa) -> None:
    plate, trimap = torch.rand(1, 3, 50, 70), _trimap(50, 70)
    alpha = lsa.forward_matte(plate, trimap, compat_padding=True)
    assert alpha.shape == (1, 1, 50, 70)
    assert (alpha[trimap == 1] == 1).all()


@torch.no_grad()
def test_modulation_by_zeros_changes_nothing_and_by_others_something(lsa: Lsa) -> None:
    features = lsa.encode(torch.rand(1, 3, 64, 64), _trimap(64, 64))
    zeros = {
        stage: (torch.zeros(1, channels, 2, 2), torch.zeros(1, channels, 2, 2))
        for stage, channels in lsa.decoder_stages.items()
    }
    plain = lsa.decode(features)
    torch.testing.assert_close(lsa.decode(features, zeros), plain)
    assert not torch.allclose(lsa.decode(features, {**zeros, 2: (zeros[2][0] + 1, zeros[2][1])}), plain)


# --- ViTMatte ---------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_padding_of_vitmatte_is_the_published_one_only_on_request(vitmatte: ViTMatte) -> None:
    """A side that fits gains 32 upstream: 96 x 100 becomes 128 x 128 there and 96 x 128 here."""
    seen = []
    vitmatte.backbone.patch_embed.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[2:])))
    plate, trimap = torch.rand(1, 3, 96, 100), _trimap(96, 100)
    ours = vitmatte(plate, trimap)
    theirs = vitmatte(plate, trimap, compat_padding=True)
    assert seen == [(96, 128), (128, 128)]
    assert ours.shape == theirs.shape == (1, 1, 96, 100)
    vitmatte(plate[..., :96], trimap[..., :96], compat_padding=True)
    assert seen[-1] == (96, 96)


@torch.no_grad()
def test_vitmatte_itself_does_not_enforce_known_pixels(vitmatte: ViTMatte) -> None:
    plate, trimap = torch.rand(1, 3, 64, 64), _trimap(64, 64)
    assert (vitmatte(plate, trimap)[trimap == 1] < 1).any()
    assert (vitmatte.forward_matte(plate, trimap)[trimap == 1] == 1).all()


@torch.no_grad()
def test_a_vitmatte_of_three_channels_reads_no_trimap() -> None:
    torch.manual_seed(0)
    network = ViTMatte(ViTMatteConfig(width=48, heads=2, depth=3, inputs=3)).eval()
    plate = torch.rand(1, 3, 64, 64)
    assert torch.equal(network(plate), network(plate, _trimap(64, 64)))


def test_a_new_convolution_block_of_vitmatte_is_the_identity() -> None:
    network = ViTMatte(TINY)
    x = torch.rand(1, 4, 4, 48)
    assert torch.equal(network.backbone.blocks[2].residual(x), x)  # type: ignore[operator]


# --- one file an architecture -----------------------------------------------------------------------------------------


def test_no_network_knows_a_device() -> None:
    folder = Path(__file__).parents[3] / "core" / "gossamer" / "models"
    for name in ("convention", "resnet", "densenet", "gfm", "lsa", "vitmatte"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        assert ".cuda(" not in text
        assert ".cpu(" not in text
