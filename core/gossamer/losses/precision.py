"""Losses are sums over many pixels: they are computed in float32 at least, whatever the network ran in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import torch
from torch import Tensor

__all__ = ["in_full_precision"]

P = ParamSpec("P")


def _widen(value: Any) -> Any:
    """Half and bfloat16 tensors become float32; everything else stays, float64 included."""
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value


def in_full_precision(loss: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Decorate a loss: autocast is off inside, and half-precision arguments arrive as float32.

    Gradients flow back through the cast, so that the network receives them in its own precision.
    """

    @functools.wraps(loss)
    def widened(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        device = tensors[0].device.type if tensors else "cpu"
        with torch.autocast(device, enabled=False):
            return loss(*map(_widen, args), **{name: _widen(value) for name, value in kwargs.items()})

    return widened
