"""What the default network promises beyond the contract of every network."""

from __future__ import annotations

import torch

from gossamer.models.gossamer_s import GossamerS, _unshuffle, _window_mean
from gossamer.models.prior import color_prior


def _inputs(height: int = 96, width: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    plate = torch.rand(1, 3, height, width, generator=generator)
    trimap = torch.full((1, 1, height, width), 0.5)
    trimap[..., :20], trimap[..., -20:] = 1, 0
    return plate, trimap


def test_it_is_small_enough_to_ship() -> None:
    assert sum(parameter.numel() for parameter in GossamerS().parameters()) <= 6_000_000


def test_untrained_it_stays_near_the_prior() -> None:
    plate, trimap = _inputs()
    network = GossamerS().eval()
    with torch.no_grad():
        distance = (network.forward_matte(plate, trimap) - color_prior(plate, trimap).alpha).abs().mean()
    assert distance < 0.15


def test_the_matte_obeys_the_trimap_and_stays_in_range() -> None:
    plate, trimap = _inputs()
    network = GossamerS().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4)))
        alpha = network.forward_matte(plate, trimap)
    assert (alpha[trimap == 1] == 1).all()
    assert (alpha[trimap == 0] == 0).all()
    assert ((alpha >= 0) & (alpha <= 1)).all()


def test_no_modulation_and_a_modulation_of_zeros_are_the_same() -> None:
    plate, trimap = _inputs()
    network = GossamerS().eval()
    with torch.no_grad():
        encoded = network.encode(plate, trimap)
        plain = network.decode(encoded)
        channels = {5: 128, 4: 96, 3: 64, 2: 40}
        zeros = {stage: (torch.zeros(1, count, 4, 4), torch.zeros(1, count, 4, 4)) for stage, count in channels.items()}
        assert torch.equal(plain, network.decode(encoded, zeros))
        ones = {stage: (a, b + 1) for stage, (a, b) in zeros.items()}
        last = network.head[-1]
        assert isinstance(last, torch.nn.Conv2d)
        last.weight.normal_(generator=torch.Generator().manual_seed(5))
        assert not torch.equal(network.decode(encoded), network.decode(encoded, ones))


def test_training_and_use_see_the_same_channel_gates() -> None:
    pixels = torch.rand(2, 5, 9, 12, generator=torch.Generator().manual_seed(4))
    distance = (_window_mean(pixels, training=True) - _window_mean(pixels, training=False)).abs().max()
    assert distance < 1e-5


def test_corners_of_a_block_come_in_the_order_of_pixel_unshuffle() -> None:
    pixels = torch.arange(96.0).view(1, 2, 6, 8)
    assert torch.equal(_unshuffle(pixels), torch.nn.functional.pixel_unshuffle(pixels, 2))


def test_weights_from_before_the_evidence_do_not_look_at_it() -> None:
    network = GossamerS()
    state = network.state_dict()
    name = "stem.0.0.weight"
    old = state[name][:, :29].clone()
    state[name] = old
    network.adapt_state(state)
    assert state[name].shape[1] == 34
    assert torch.equal(state[name][:, :29], old)
    assert (state[name][:, 29:] == 0).all()
