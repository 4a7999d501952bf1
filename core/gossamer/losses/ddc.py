"""Directional distance consistency: alpha may change between neighbours as much as colour does (DDC).

The loss learns mattes from trimaps alone: nothing in it knows the true alpha. Its gradient is a sum of signs over
chosen pairs, so both are computed together, some rows at a time; a batch of 16 crops of 512 pixels never needs the 6 GB
that its 121 shifted copies would take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gossamer.errors import SettingError
from gossamer.losses.precision import in_full_precision

__all__ = ["DdcLoss", "Padding", "ddc_loss"]

Padding = Literal["exclude", "zeros"]

CHUNK_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 25}
"""Window positions computed at once; a chunk takes about five float32 tensors of this size."""


@dataclass(frozen=True)
class _Settings:
    window: int
    neighbours: int
    padding: Padding
    scale_by_contrast: bool


def _chunk_rows(device: str, width: int, positions: int) -> int:
    return max(1, CHUNK_ELEMENTS.get(device, CHUNK_ELEMENTS["cpu"]) // (positions * width))


def _windows(padded: Tensor, window: int) -> Tensor:
    """C h w to the view C rows columns window^2 of every pixel's neighbourhood (copied, rows are few)."""
    view = padded.unfold(1, window, 1).unfold(2, window, 1)
    return view.reshape(*view.shape[:3], window * window)


def _contrast(colors: Tensor, neighbours: int) -> Tensor:
    """|F - B| of each window, rows x columns: means of the largest and the smallest values of each channel."""
    # What lies outside the picture is infinite and may be neither the brightest nor the darkest.
    outside = colors.isinf()
    darkest = colors.topk(neighbours, dim=-1, largest=False).values
    brightest = colors.masked_fill(outside, -math.inf).topk(neighbours, dim=-1).values
    spread = _finite_mean(brightest) - _finite_mean(darkest)
    return spread.square().sum(dim=0).sqrt()


def _finite_mean(values: Tensor) -> Tensor:
    finite = values.isfinite()
    return values.masked_fill(~finite, 0).sum(dim=-1) / finite.sum(dim=-1)


def _sum_of_picture(
    alpha: Tensor, image: Tensor, settings: _Settings, gradient: Tensor | None
) -> tuple[Tensor, Tensor | int]:
    """Sum of |pair| over one picture and the number of pairs; adds the signs to ``gradient`` (padded, h x w).

    Args:
        alpha: H x W.
        image: 3 x H x W.
        settings: the loss.
        gradient: (H + window - 1) x (W + window - 1), or None.
    """
    height, width = alpha.shape
    half = settings.window // 2
    fill = math.inf if settings.padding == "exclude" else 0.0
    image_padded = F.pad(image, (half, half, half, half), value=fill)
    alpha_padded = F.pad(alpha, (half, half, half, half)).flatten()
    stride = width + 2 * half
    # Flat distance of each window position from the window's first pixel.
    offset = torch.arange(settings.window, device=alpha.device)
    offset = (offset[:, None] * stride + offset[None, :]).flatten()
    total, pairs = alpha.new_zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64, device=alpha.device)
    rows = _chunk_rows(alpha.device.type, width, len(offset))
    for top in range(0, height, rows):
        count = min(rows, height - top)
        colors = _windows(image_padded[:, top : top + count + 2 * half], settings.window)
        distance = alpha.new_zeros(colors.shape[1:])
        for channel, centre in zip(colors, image[:, top : top + count], strict=True):
            distance += (channel - centre[..., None]).square_()
        chosen = distance.topk(settings.neighbours, dim=-1, largest=False, sorted=False)
        distances = chosen.values.sqrt()
        first = torch.arange(top, top + count, device=alpha.device)[:, None] * stride
        first = (first + torch.arange(width, device=alpha.device))[..., None]
        partners = first + offset[chosen.indices]
        difference = alpha[top : top + count, :, None] - alpha_padded[partners]
        scale: Tensor | float = 1.0
        if settings.scale_by_contrast:
            scale = _contrast(colors, settings.neighbours)[..., None]
        counted = distances.isfinite()
        error = torch.where(counted, difference * scale - distances, 0.0)
        total += error.abs().sum(dtype=torch.float64)
        pairs += counted.sum()
        if gradient is not None:
            signs = error.sign() * scale
            centres = first[..., 0] + half * stride + half
            gradient.view(-1).index_add_(0, centres.flatten(), signs.sum(dim=-1).flatten())
            gradient.view(-1).index_add_(0, partners.flatten(), -signs.flatten())
    return total, pairs


class _Ddc(torch.autograd.Function):
    """Value and gradient in one sweep: the pairs are found once and never stored."""

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, image: Tensor, settings: _Settings) -> Tensor:
        batch, _, height, width = prediction.shape
        half = settings.window // 2
        wanted = ctx.needs_input_grad[0]
        total, pairs = prediction.new_zeros((), dtype=torch.float64), prediction.new_zeros((), dtype=torch.float64)
        gradients = []
        for index in range(batch):
            padded = prediction.new_zeros(height + 2 * half, width + 2 * half) if wanted else None
            value, count = _sum_of_picture(prediction[index, 0], image[index], settings, padded)
            total += value
            pairs += count
            if padded is not None:
                gradients.append(padded[half : half + height, half : half + width])
        if wanted:
            ctx.save_for_backward(torch.stack(gradients)[:, None] / pairs.to(prediction.dtype))
        return (total / pairs).to(prediction.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


@in_full_precision
def ddc_loss(
    prediction: Tensor,
    image: Tensor,
    *,
    window: int = 11,
    neighbours: int = 11,
    padding: Padding = "exclude",
    scale_by_contrast: bool = False,
) -> Tensor:
    """Mean over pixels i and their nearest neighbours j in colour of ``|(p_i - p_j) - |I_i - I_j||``.

    Liu et al., "Training Matting Models without Alpha Labels". The difference of alphas is signed: of a pair that chose
    each other, both terms together are flat while alpha changes less than colour. Every pixel counts, known or not.
    Ties among equal distances are broken by the library; pictures of 8 bit have many.

    Args:
        prediction: N 1 H W alpha, after the sigmoid. The gradient is that of one backward pass only.
        image: N 3 H W, sRGB-encoded, 0..1, not normalised. No gradient.
        window: odd side of the neighbourhood.
        neighbours: how many of the window's nearest colours pair with a pixel; the pixel itself is one of them.
        padding: ``exclude`` leaves out what lies outside the picture; ``zeros`` treats it as black with alpha 0, as the
            published code does.
        scale_by_contrast: multiply the difference of alphas by |F - B|, estimated from the ``neighbours`` brightest and
            darkest values of the window (MatAnyone, Yang et al. 2025). The plain loss takes |F - B| for 1, which tends
            to stair-stepped edges where fore- and background are alike.

    Raises:
        SettingError: the window is even, or there are fewer window positions than neighbours.
    """
    if window < 3 or window % 2 == 0:
        raise SettingError(f"The DDC window has to be an odd number of at least 3 pixels, not {window}.")
    if not 2 <= neighbours <= window**2:
        raise SettingError(
            f"DDC pairs a pixel with 2 to {window**2} pixels of a window of {window}, not with {neighbours}."
        )
    if image.shape[-2:] != prediction.shape[-2:] or image.shape[0] != prediction.shape[0]:
        raise SettingError(
            f"DDC needs an image for each matte, of its size: {tuple(image.shape)} for {tuple(prediction.shape)}."
        )
    settings = _Settings(window, neighbours, padding, scale_by_contrast)
    image = image.detach().to(prediction.dtype)
    loss: Tensor = _Ddc.apply(prediction, image, settings)  # type: ignore[no-untyped-call]
    return loss


class DdcLoss(nn.Module):
    """:func:`ddc_loss` with its settings."""

    def __init__(
        self,
        *,
        window: int = 11,
        neighbours: int = 11,
        padding: Padding = "exclude",
        scale_by_contrast: bool = False,
    ) -> None:
        super().__init__()
        self.window = window
        self.neighbours = neighbours
        self.padding: Padding = padding
        self.scale_by_contrast = scale_by_contrast

    def forward(self, prediction: Tensor, image: Tensor) -> Tensor:
        return ddc_loss(
            prediction,
            image,
            window=self.window,
            neighbours=self.neighbours,
            padding=self.padding,
            scale_by_contrast=self.scale_by_contrast,
        )
