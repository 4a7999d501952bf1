"""The smoothness prior in front of ``gossamer-s``: what the known colours around the unknown band say about alpha.

LSA argues that foreground and background colours vary slowly in a neighbourhood. Three steps use that, none of them
learned:

1. *Candidates*: for every unknown pixel the nearest known foreground and background colours in the four axis
   directions, and their diffused averages. The pair is kept that explains the pixel's own colour best, with a
   preference for near samples and for the alpha that the distances suggest; then neighbours share their pairs (after
   Gastal and Oliveira, "Shared Sampling for Real-Time Alpha Matting", 2010).
2. *Projection*: alpha is where the pixel's colour lies on the line between the two.
3. *Guided filtering* (He, Sun and Tang, "Guided Image Filtering", 2010) of that alpha by the plate, weighted by how far
   the two colours are apart: alpha becomes locally linear in colour, as closed-form matting demands it.

Only shifts, pooling, resizing and elementwise operations: it exports to ONNX and TorchScript, runs on any device, and
is equivariant to shifts by 32 pixels, so that tiles agree with the whole picture. It has no parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ColorPrior", "color_prior", "diffuse_colors", "nearest_colors", "project_alpha"]

_AXES = ((0, 1), (0, -1), (1, 0), (-1, 0))
_NEIGHBOURS = (*_AXES, (1, 1), (1, -1), (-1, 1), (-1, -1))
_REACH = 6
"""Doubling steps of the directional search: 2**6 - 1 = 63 samples, 126 pixels of the plate."""
_SHARING_DISTANCES = (8, 3, 1)
"""Far neighbours first: a good pair crosses the band in one step, and the near ones settle who keeps it."""
_RADIUS = 3
"""Guided filter, in samples of the half-resolution grid; :func:`_box_sum` is written for 3."""
_ROUNDS = 4
_EPS = 1e-5
_SAME_COLOR = 1e-4
"""Squared distance of two colours that counts as none."""


class ColorPrior(NamedTuple):
    """The prior's maps. The first is at the plate's resolution, the others at half of it."""

    alpha: Tensor
    """N 1 H W: guided alpha, 0..1."""
    foreground: Tensor
    """N 3 h w, encoded like the plate."""
    background: Tensor
    """N 3 h w."""
    projected: Tensor
    """N 1 h w: alpha before the guided filter."""
    trust: Tensor
    """N 1 h w in 0..1: how far the two colours are apart; 1 where the trimap knows."""


def _shift(x: Tensor, dy: int, dx: int) -> Tensor:
    """``out[y, x] = x[y - dy, x - dx]``, zero where that lies outside."""
    padded = F.pad(x, (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)))
    # Cut off at the far side what was added at the near one: exporters need not know the size for that.
    rows = slice(None, -dy) if dy > 0 else slice(-dy, None)
    columns = slice(None, -dx) if dx > 0 else slice(-dx, None)
    return padded[..., rows, columns]


def _box_sum(x: Tensor) -> Tensor:
    """Sum over the square window of the guided filter, zeros outside; every use divides by another such sum.

    Written as doubling additions: a mean over a 7x7 window costs several times as much in torch and in ONNX Runtime.
    """
    x = F.pad(x, (_RADIUS, _RADIUS, _RADIUS, _RADIUS))
    two = x[..., 1:, :] + x[..., :-1, :]
    four = two[..., 2:, :] + two[..., :-2, :]
    x = four[..., :-3, :] + two[..., 4:-1, :] + x[..., 6:, :]
    two = x[..., 1:] + x[..., :-1]
    four = two[..., 2:] + two[..., :-2]
    return four[..., :-3] + two[..., 4:-1] + x[..., 6:]


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def nearest_colors(color: Tensor, known: Tensor, dy: int, dx: int) -> Tensor:
    """Values of the nearest known pixel in one direction.

    Args:
        color: N C h w; read only where ``known`` is 1.
        known: N 1 h w, 0 or 1.
        dy: Direction in which the values travel, -1, 0 or 1.
        dx: The same, horizontally.

    Returns:
        N (C+1) h w: the values (0 where none was found), then 1 where one was found within the reach.
    """
    state = torch.cat([color * known, known], dim=1)
    for step in range(_REACH):
        moved = _shift(state, dy * 2**step, dx * 2**step)
        state = state + (1 - state[:, -1:]) * moved
    return state


def diffuse_colors(color: Tensor, known: Tensor, *, levels: int = 4, rounds: int = 12) -> Tensor:
    """Average of the known values around every pixel, by a pull-push pyramid.

    Args:
        color: N C h w; h and w multiples of ``2**levels``.
        known: N 1 h w in 0..1, the weight of each pixel.
        levels: Halvings. At the coarsest one, ``rounds`` of 3x3 averaging carry the values on, which keeps the result
            equivariant to shifts by ``2**levels`` pixels, as more halvings would not.
        rounds: Reach of that, in coarsest pixels.

    Returns:
        N C h w; 0 where nothing is known within reach.
    """
    sums, weights = [color * known], [known]
    for _ in range(levels):
        sums.append(F.avg_pool2d(sums[-1], 2))
        weights.append(F.avg_pool2d(weights[-1], 2))
    # At the coarsest level each round fills the empty samples that touch a filled one, with their mean.
    filled = (weights[-1] > 0).to(known.dtype)
    estimate = sums[-1] / (weights[-1] + 1e-6) * filled
    for _ in range(rounds):
        around = F.avg_pool2d(filled, 3, 1, 1)
        spread = F.avg_pool2d(estimate, 3, 1, 1) / (around + 1e-6)
        estimate = estimate + (1 - filled) * spread
        filled = (around > 0).to(known.dtype)
    for level in range(levels - 1, -1, -1):
        # A quarter of known pixels is evidence enough to prefer this level to the coarser one.
        trust = (weights[level] * 4).clamp(max=1)
        local = sums[level] / (weights[level] + 1e-6)
        estimate = trust * local + (1 - trust) * _double(estimate)
    return estimate


def project_alpha(plate: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """Alpha of the point on the line from background to foreground that is nearest to the plate's colour.

    All N 3 h w in the same encoding. Returns N 1 h w, clamped to 0..1.
    """
    line = foreground - background
    length = (line * line).sum(1, keepdim=True)
    return (((plate - background) * line).sum(1, keepdim=True) / (length + _SAME_COLOR)).clamp(0, 1)


_Sample = tuple[Tensor, ...]
"""Red, green, blue, row and column of a candidate, each N 1 h w.

Costs are computed plane by plane: sums over a channel axis of three are what ONNX Runtime is slow at.
"""


def _planes(x: Tensor) -> _Sample:
    planes: _Sample = torch.split(x, 1, dim=1)
    return planes


class _Pairs:
    """Chooses, for every pixel, the best of the foreground/background pairs it is shown."""

    def __init__(self, plate: Tensor, position: Tensor, foregrounds: list[_Sample], backgrounds: list[_Sample]) -> None:
        self._plate = _planes(plate)
        self._position = _planes(position)
        near_f = torch.stack([self._square_distance(sample) for sample in foregrounds]).amin(0).sqrt()
        near_b = torch.stack([self._square_distance(sample) for sample in backgrounds]).amin(0).sqrt()
        self._expected = near_b / (near_f + near_b)
        self.foreground, self.background = foregrounds[0], backgrounds[0]
        self.cost = self._cost(self.foreground, self.background)

    def _square_distance(self, sample: _Sample) -> Tensor:
        rows, columns = sample[3] - self._position[0], sample[4] - self._position[1]
        return rows * rows + columns * columns + 1

    def _cost(self, f: _Sample, b: _Sample) -> Tensor:
        """Energy after Gastal and Oliveira, section 4, squared: colour residual, expected alpha, distances.

        Only its order counts, so factors that are the same for all pairs of a pixel are left out.
        """
        line = [f[c] - b[c] for c in range(3)]
        offset = [self._plate[c] - b[c] for c in range(3)]
        length = line[0] * line[0] + line[1] * line[1] + line[2] * line[2]
        along = offset[0] * line[0] + offset[1] * line[1] + offset[2] * line[2]
        alpha = (along / (length + _SAME_COLOR)).clamp(0, 1)
        rest = [offset[c] - alpha * line[c] for c in range(3)]
        residual = rest[0] * rest[0] + rest[1] * rest[1] + rest[2] * rest[2] + 1e-3
        surprise = self._expected + (1 - 2 * self._expected) * alpha + 0.05
        weight = residual * residual * residual * surprise * surprise
        return weight * weight * self._square_distance(f) * self._square_distance(b)

    def offer(self, foreground: _Sample, background: _Sample, exists: Tensor | None = None) -> None:
        """Keep the pair where it is better; ``exists`` (N 1 h w) is 0 where there is none."""
        cost = self._cost(foreground, background)
        better = cost < self.cost
        if exists is not None:
            better = better & (exists > 0.5)
        self.foreground = tuple(
            torch.where(better, new, old) for new, old in zip(foreground, self.foreground, strict=True)
        )
        self.background = tuple(
            torch.where(better, new, old) for new, old in zip(background, self.background, strict=True)
        )
        self.cost = torch.where(better, cost, self.cost)


def _positions(like: Tensor) -> Tensor:
    """N 2 h w: row and column of every pixel."""
    ones = torch.ones_like(like[:, :1])
    return torch.cat([ones.cumsum(2), ones.cumsum(3)], dim=1)


def _sample_colors(
    plate: Tensor, foreground: Tensor, known_f: Tensor, background: Tensor, known_b: Tensor
) -> tuple[Tensor, Tensor]:
    """The chosen foreground and background of every pixel, each N 3 h w; known pixels keep their own."""
    position = _positions(plate)

    def candidates(color: Tensor, known: Tensor) -> list[_Sample]:
        located = torch.cat([color, position], dim=1)
        diffused = diffuse_colors(located, known)
        found = [nearest_colors(located, known, dy, dx) for dy, dx in _AXES]
        samples = [diffused, *(torch.where(state[:, 5:] > 0.5, state[:, :5], diffused) for state in found)]
        return [_planes(sample) for sample in samples]

    foregrounds, backgrounds = candidates(foreground, known_f), candidates(background, known_b)
    pairs = _Pairs(plate, position, foregrounds, backgrounds)
    for f in foregrounds:
        for b in backgrounds:
            pairs.offer(f, b)
    ones = torch.ones_like(known_f)
    for distance in _SHARING_DISTANCES:
        for dy, dx in _NEIGHBOURS:
            state = torch.cat([*pairs.foreground, *pairs.background, ones], dim=1)
            moved = _planes(_shift(state, dy * distance, dx * distance))
            pairs.offer(moved[:5], moved[5:10], moved[10])
    return (
        torch.where(known_f > 0, foreground, torch.cat(pairs.foreground[:3], dim=1)),
        torch.where(known_b > 0, background, torch.cat(pairs.background[:3], dim=1)),
    )


def _guide_alpha(small: Tensor, plate: Tensor, alpha: Tensor, known: Tensor, trust: Tensor) -> Tensor:
    """Weighted colour guided filter on the half grid, applied to the full plate.

    Args:
        small: N 3 h w, the plate at half resolution.
        plate: N 3 H W.
        alpha: N 1 h w, projected alpha, exact where ``known`` is 1.
        known: N 1 h w, 0 or 1.
        trust: N 1 h w, weight of each pixel's alpha.

    Returns:
        N 1 H W, not clamped.
    """
    guide = small - 0.5
    norm = _box_sum(trust)
    mean = _box_sum(guide * trust) / norm
    red, green, blue = guide[:, :1], guide[:, 1:2], guide[:, 2:]
    products = torch.cat([red * guide, green * guide[:, 1:], blue * blue], dim=1)  # rr rg rb gg gb bb
    m_red, m_green, m_blue = mean[:, :1], mean[:, 1:2], mean[:, 2:]
    squares = torch.cat([m_red * mean, m_green * mean[:, 1:], m_blue * m_blue], dim=1)
    rr, rg, rb, gg, gb, bb = torch.split(_box_sum(products * trust) / norm - squares, 1, dim=1)
    rr, gg, bb = rr + _EPS, gg + _EPS, bb + _EPS
    # Inverse of the symmetric 3x3 covariance by cofactors: exports everywhere, unlike a linear solver.
    i_rr, i_rg, i_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    i_gg, i_gb, i_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    scale = 1 / (rr * i_rr + rg * i_rg + rb * i_rb).clamp(min=1e-18)
    smooth_norm = _box_sum(norm)
    linear = torch.zeros_like(torch.cat([guide, alpha], dim=1))
    for _ in range(_ROUNDS):
        moments = _box_sum(torch.cat([alpha, alpha * guide], dim=1) * trust) / norm
        c_red, c_green, c_blue = torch.split(moments[:, 1:] - mean * moments[:, :1], 1, dim=1)
        slope = scale * torch.cat(
            [
                i_rr * c_red + i_rg * c_green + i_rb * c_blue,
                i_rg * c_red + i_gg * c_green + i_gb * c_blue,
                i_rb * c_red + i_gb * c_green + i_bb * c_blue,
            ],
            dim=1,
        )
        offset = moments[:, :1] - (slope * mean).sum(1, keepdim=True)
        linear = _box_sum(torch.cat([slope, offset], dim=1) * norm) / smooth_norm
        guided = (linear[:, :3] * guide).sum(1, keepdim=True) + linear[:, 3:]
        alpha = torch.where(known > 0, alpha, guided.clamp(0, 1))
    linear = _double(linear)
    return (linear[:, :3] * (plate - 0.5)).sum(1, keepdim=True) + linear[:, 3:]


def color_prior(plate: Tensor, trimap: Tensor) -> ColorPrior:
    """Colours and alpha of every pixel as the known colours around it suggest.

    Args:
        plate: N 3 H W float32, sRGB-encoded, 0..1; H and W multiples of 32. Half precision is not enough here.
        trimap: N 1 H W, 0 background, 1 foreground, anything between unknown.

    Returns:
        See :class:`ColorPrior`.
    """
    # Half resolution: the mean of the known pixels of each 2x2 block, so that no unknown colour leaks in.
    small = F.avg_pool2d(plate, 2)
    weight_f = F.avg_pool2d((trimap > 0.75).to(plate.dtype), 2)
    weight_b = F.avg_pool2d((trimap < 0.25).to(plate.dtype), 2)
    colors_f = F.avg_pool2d(plate * (trimap > 0.75).to(plate.dtype), 2) / (weight_f + 1e-6)
    colors_b = F.avg_pool2d(plate * (trimap < 0.25).to(plate.dtype), 2) / (weight_b + 1e-6)
    known_f, known_b = (weight_f > 0).to(plate.dtype), (weight_b > 0).to(plate.dtype)
    foreground, background = _sample_colors(small, colors_f, known_f, colors_b, known_b)
    known = torch.maximum(known_f, known_b)
    projected = project_alpha(small, foreground, background)
    projected = torch.where(known > 0, weight_f / (weight_f + weight_b + 1e-6), projected)
    line = foreground - background
    length = (line * line).sum(1, keepdim=True)
    trust = known + (1 - known) * (length / (length + 0.02)).clamp(min=0.02)
    alpha = _guide_alpha(small, plate, projected, known, trust)
    alpha = torch.where(trimap > 0.75, 1.0, torch.where(trimap < 0.25, 0.0, alpha.clamp(0, 1)))
    return ColorPrior(alpha, foreground, background, projected, trust)
