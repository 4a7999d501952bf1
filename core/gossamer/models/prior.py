"""The smoothness prior in front of ``gossamer-s``: what the known colours around the unknown band say about alpha.

LSA argues that foreground and background colours vary slowly in a neighbourhood. Three steps use that, none of them
learned:

1. *Candidates*: for every unknown pixel the nearest known foreground and background colours in the four axis
   directions, and their diffused averages. The pair is kept that explains the pixel's own colour best, with a
   preference for near samples and for the alpha that the distances suggest; then neighbours share their pairs (after
   Gastal and Oliveira, "Shared Sampling for Real-Time Alpha Matting", 2010).
2. *Projection*: alpha is where the pixel's colour lies on the line between the two.
3. *Guided filtering* (He, Sun and Tang, "Guided Image Filtering", 2010) of that alpha by the plate, weighted by how
   certain each pixel is: alpha becomes locally linear in colour, as closed-form matting demands it, and what is
   certain spreads to what is not; each round pulls a pixel back a little by its own certainty.

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
_SHARING = (20, 8, 3, 1, 20, 8, 3, 1)
"""How far pairs are handed on to the eight neighbours. Far ones first: a good pair crosses the band in one step, and
the near ones settle who keeps it. Twice: what was found last may be what a far pixel lacks."""
_RADIUS = 3
"""Guided filter, in samples of the half-resolution grid; :func:`_box_sum` is written for 3."""
_ROUNDS = 8
_PULL = 0.15
"""Part of the way back to the projected alpha, in every round, of a pixel whose pair is certain."""
_EPS = 2e-6
_CONTRAST = 1.04
"""Projected alpha falls short of 0 and 1 by the noise of the colours."""
_KEEP = 0.99
"""Another pair has to be better by this factor, and of the first ones each by as much as it comes later, or rounding
would decide between equals."""
_NO_RESIDUAL = 1e-4
"""Squared distance of a pixel's colour from the pair's line, of which no pair is better for having less."""
_IN_RANGE = 64.0
"""Factor of the residual, whose eighth power must neither vanish nor overflow in float32."""
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
    evidence: Tensor
    """N 5 h w, what the network may doubt the pair by: alpha that the distances to known pixels suggest, mean and
    deviation of alpha over all candidate pairs, distance of the pixel's colour from what the pair can be mixed to, and
    alpha projected in linear light (gamma 2). Meaningless, but finite, where the trimap knows."""


MAP_CHANNELS = (3, 3, 1, 1, 5)
"""Channels of the maps of :class:`ColorPrior` after the first, in their order."""


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


class _Moments(NamedTuple):
    """Of the guide in windows of some size."""

    weight: Tensor
    """N 1 h w."""
    mean: Tensor
    """N 3 h w."""
    scatter: Tensor
    """N 6 h w: weighted sums of products of deviations from the mean; rr rg rb gg gb bb."""

    def part(self, dim: int, start: int, stop: int | None) -> _Moments:
        """Those of some rows (dim 2) or columns (dim 3)."""
        along = (..., slice(start, stop), slice(None)) if dim == 2 else (..., slice(start, stop))
        return _Moments(*(plane[along] for plane in self))

    def join(self, other: _Moments) -> _Moments:
        """Of both windows together (Chan, Golub and LeVeque, "Updating Formulae", 1982)."""
        weight = self.weight + other.weight
        share = other.weight / weight.clamp(min=1e-6)  # no weight but outside the picture
        apart = other.mean - self.mean
        scatter = self.scatter + other.scatter + _products(apart) * (self.weight * share)
        return _Moments(weight, self.mean + share * apart, scatter)


def _products(x: Tensor) -> Tensor:
    red, green, blue = torch.split(x, 1, dim=1)
    return torch.cat([red * red, red * green, red * blue, green * green, green * blue, blue * blue], dim=1)


def _window_moments(guide: Tensor, weight: Tensor) -> _Moments:
    """Moments over the square window of the guided filter, windows at the border cut.

    Halves are joined by the distance of their means: the mean of squares less the square of the mean would leave
    nothing of a variance of 1e-6, as in the dark of a night plate, to float32.
    """
    border = (_RADIUS, _RADIUS, _RADIUS, _RADIUS)
    x = _Moments(F.pad(weight, border), F.pad(guide, border), F.pad(torch.zeros_like(_products(guide)), border))
    for dim in (2, 3):
        two = x.part(dim, 0, -1).join(x.part(dim, 1, None))
        four = two.part(dim, 0, -2).join(two.part(dim, 2, None))
        x = four.part(dim, 0, -3).join(two.part(dim, 4, -1)).join(x.part(dim, 6, None))
    return x


def _select(choice: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """``new`` where ``choice`` is 1, ``old`` where it is 0, between them where it is between; all finite.

    ONNX Runtime takes ten times as long for Where.
    """
    return choice * new + (1 - choice) * old


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


def _mix_in_light(plate: Tensor, foreground: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    """Alpha projected in linear light (gamma 2), and how far the plate is, encoded, from what the two mix to there."""
    f, b = foreground.square(), background.square()
    alpha = project_alpha(plate.square(), f, b)
    mixed = (b + alpha * (f - b)).clamp(min=0).sqrt()
    return alpha, ((plate - mixed).square().sum(1, keepdim=True) + _NO_RESIDUAL).sqrt()


class _Colors(NamedTuple):
    """Colours and the places they were taken from, each N 1 h w, or K N 1 h w for K candidates of every pixel.

    Plane by plane: sums over a channel axis of three are what ONNX Runtime is slow at.
    """

    red: Tensor
    green: Tensor
    blue: Tensor
    row: Tensor
    column: Tensor


def _planes(x: Tensor) -> _Colors:
    return _Colors(*torch.split(x, 1, dim=-3))


def _unpack(state: Tensor) -> tuple[_Colors, _Colors, Tensor]:
    """Foreground, background and existence of the pairs in N 11 h w."""
    planes = torch.split(state, 1, dim=1)
    return _Colors(*planes[:5]), _Colors(*planes[5:10]), planes[10]


def _choose(candidates: _Colors, number: Tensor) -> _Colors:
    """Of every pixel the candidate of that number (1 N 1 h w)."""
    return _Colors(*(torch.gather(plane, 0, number).squeeze(0) for plane in candidates))


class _Judge:
    """What speaks against a pair of colours: energy after Gastal and Oliveira, section 4, squared.

    Colour residual, alpha that the distances suggest, distances. Only its order counts, so factors that are the same
    for all pairs of a pixel are left out.
    """

    def __init__(self, plate: Tensor, position: Tensor, foregrounds: _Colors, backgrounds: _Colors) -> None:
        self._plate = torch.split(plate, 1, dim=1)
        self._position = torch.split(position, 1, dim=1)
        near_f = self.square_distance(foregrounds).amin(0).sqrt()
        near_b = self.square_distance(backgrounds).amin(0).sqrt()
        self.expected = near_b / (near_f + near_b)
        self._slope = 1 - 2 * self.expected
        self._start = self.expected + 0.25

    def square_distance(self, colors: _Colors) -> Tensor:
        rows, columns = colors.row - self._position[0], colors.column - self._position[1]
        return rows * rows + columns * columns + 1

    def offset(self, b: _Colors) -> tuple[Tensor, Tensor, Tensor]:
        """From the background's colour to the pixel's."""
        return self._plate[0] - b.red, self._plate[1] - b.green, self._plate[2] - b.blue

    def __call__(
        self, f: _Colors, b: _Colors, offset: tuple[Tensor, Tensor, Tensor], distance_b: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Energy, alpha and squared colour residual of every pair."""
        red, green, blue = f.red - b.red, f.green - b.green, f.blue - b.blue
        length = red * red + green * green + blue * blue
        along = offset[0] * red + offset[1] * green + offset[2] * blue
        alpha = (along / (length + _SAME_COLOR)).clamp(0, 1)
        red, green, blue = offset[0] - alpha * red, offset[1] - alpha * green, offset[2] - alpha * blue
        residual = red * red + green * green + blue * blue + _NO_RESIDUAL
        weight = (residual * _IN_RANGE).square().square() * (self._start + self._slope * alpha).square()
        return weight * weight * self.square_distance(f) * distance_b, alpha, residual


def _positions(like: Tensor) -> Tensor:
    """N 2 h w: row and column of every pixel."""
    ones = torch.ones_like(like[:, :1])
    return torch.cat([ones.cumsum(2), ones.cumsum(3)], dim=1)


class _Chosen(NamedTuple):
    """The pair of every pixel, known pixels with their own colour, and what the candidates say together."""

    foreground: Tensor
    background: Tensor
    evidence: Tensor
    """N 4 h w; see :class:`ColorPrior`."""


def _sample_colors(plate: Tensor, foreground: Tensor, known_f: Tensor, background: Tensor, known_b: Tensor) -> _Chosen:
    position = _positions(plate)

    def candidates(color: Tensor, known: Tensor) -> _Colors:
        located = torch.cat([color, position], dim=1)
        diffused = diffuse_colors(located, known)
        found = [nearest_colors(located, known, dy, dx) for dy, dx in _AXES]
        samples = [diffused, *(_select(state[:, 5:], state[:, :5], diffused) for state in found)]
        return _planes(torch.stack(samples))

    foregrounds, backgrounds = candidates(foreground, known_f), candidates(background, known_b)
    judge = _Judge(plate, position, foregrounds, backgrounds)
    offset, distance_b = judge.offset(backgrounds), judge.square_distance(backgrounds)
    pairs = [
        judge(_Colors(*(plane[k : k + 1] for plane in foregrounds)), backgrounds, offset, distance_b)
        for k in range(len(_AXES) + 1)
    ]
    costs, alphas = torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])
    # Where many pairs are about as good and say different things, the pixel is ambiguous.
    votes = costs.clamp(min=1e-30).sqrt().rsqrt()
    votes = votes / votes.sum(0, keepdim=True)
    mean = (votes * alphas).sum(0)
    spread = (votes * (alphas - mean).square()).sum(0)
    count = len(_AXES) + 1
    order = torch.ones_like(costs[:, :1, :, :1, :1]).cumsum(0)  # made from a tensor: traced graphs keep no device
    best = (costs * (1 + (1 - _KEEP) * order)).argmin(0, keepdim=True)
    f = _choose(foregrounds, torch.div(best, count, rounding_mode="floor"))
    b = _choose(backgrounds, best % count)
    cost = torch.gather(costs, 0, best).squeeze(0)
    state = torch.cat([*f, *b, torch.ones_like(known_f)], dim=1)
    for distance in _SHARING:
        for dy, dx in _NEIGHBOURS:
            moved = _shift(state, dy * distance, dx * distance)
            other_f, other_b, exists = _unpack(moved)
            other, _, _ = judge(other_f, other_b, judge.offset(other_b), judge.square_distance(other_b))
            better = (other < _KEEP * cost).to(cost.dtype) * exists
            cost, state = _select(better, other, cost), _select(better, moved, state)
    f, b, _ = _unpack(state)
    _, _, residual = judge(f, b, judge.offset(b), judge.square_distance(b))
    return _Chosen(
        torch.where(known_f > 0, foreground, state[:, :3]),
        torch.where(known_b > 0, background, state[:, 5:8]),
        torch.cat([judge.expected, mean, spread.sqrt(), residual.sqrt()], dim=1),
    )


def _certainty(alpha: Tensor, trust: Tensor, evidence: Tensor) -> Tensor:
    """How much a pixel's projected alpha may tell its neighbours, 0.02..1; all N 1 h w.

    Much, where the two colours are far apart, nearly all candidate pairs say the same, the pair explains the pixel's
    colour, and the pixel is plainly one or the other.
    """
    deviation, residual = evidence[:, 2:3] / 0.4, (evidence[:, 3:4] - _NO_RESIDUAL**0.5) / 0.04
    plain = 0.1 + 0.9 * (2 * alpha - 1).square()
    doubt = (1 + deviation.square()) * (1 + residual.square())
    certainty: Tensor = trust.sqrt() * plain / doubt
    return certainty.clamp(min=0.02)


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
    norm, mean, scatter = _window_moments(guide, trust)
    rr, rg, rb, gg, gb, bb = torch.split(scatter / norm, 1, dim=1)
    # Symmetric 3x3 covariance as L D L^T: exports everywhere, unlike a linear solver, and unlike cofactors it keeps its
    # digits where the colours lie on a line, as in every grey picture. No pivot is less than epsilon but by rounding.
    d_red = (rr + _EPS).clamp(min=_EPS)
    g_r, b_r = rg / d_red, rb / d_red
    d_green = (gg + _EPS - g_r * rg).clamp(min=_EPS)
    b_g = (gb - b_r * rg) / d_green
    d_blue = (bb + _EPS - b_r * rb - b_g * b_g * d_green).clamp(min=_EPS)
    smooth_norm = _box_sum(norm)
    projected, pull = alpha, torch.maximum(known, _PULL * trust)
    linear = torch.zeros_like(torch.cat([guide, alpha], dim=1))
    for _ in range(_ROUNDS):
        moments = _box_sum(torch.cat([alpha, alpha * guide], dim=1) * trust) / norm
        c_red, c_green, c_blue = torch.split(moments[:, 1:] - mean * moments[:, :1], 1, dim=1)
        c_green = c_green - g_r * c_red
        c_blue = c_blue - b_r * c_red - b_g * c_green
        s_blue = c_blue / d_blue
        s_green = c_green / d_green - b_g * s_blue
        s_red = c_red / d_red - g_r * s_green - b_r * s_blue
        slope = torch.cat([s_red, s_green, s_blue], dim=1)
        offset = moments[:, :1] - (slope * mean).sum(1, keepdim=True)
        linear = _box_sum(torch.cat([slope, offset], dim=1) * norm) / smooth_norm
        guided = (linear[:, :3] * guide).sum(1, keepdim=True) + linear[:, 3:]
        alpha = _select(pull, projected, guided.clamp(0, 1))
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
    foreground, background, evidence = _sample_colors(small, colors_f, known_f, colors_b, known_b)
    known = torch.maximum(known_f, known_b)
    projected = project_alpha(small, foreground, background)
    projected = torch.where(known > 0, weight_f / (weight_f + weight_b + 1e-6), projected)
    line = foreground - background
    length = (line * line).sum(1, keepdim=True)
    trust = known + (1 - known) * (length / (length + 0.02)).clamp(min=0.02)
    weight = _certainty(projected, trust, evidence)
    crisp = torch.where(known > 0, projected, (projected * _CONTRAST + (1 - _CONTRAST) / 2).clamp(0, 1))
    alpha = _guide_alpha(small, plate, crisp, known, known + (1 - known) * weight)
    alpha = torch.where(trimap > 0.75, 1.0, torch.where(trimap < 0.25, 0.0, alpha.clamp(0, 1)))
    in_light, residual = _mix_in_light(small, foreground, background)
    # A pair explains a colour if either way of mixing does. The certainty above asks for the first alone: it speaks of
    # alpha projected so.
    residual = torch.minimum(evidence[:, 3:4], residual)
    evidence = torch.cat([evidence[:, :3], residual, in_light], dim=1)
    return ColorPrior(alpha, foreground, background, projected, trust, evidence)
