"""Held-out pictures of a run: what the averaged weights make of them, whole and in one pass."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gossamer.data.dataset_files import Layers, MattingSet, load_item
from gossamer.data.datasets import plain_folder
from gossamer.image.image import FloatArray
from gossamer.metrics import Region, mse, sad
from gossamer.models.gfm import GfmOutput
from gossamer.models.registry import model_entry
from gossamer.training.settings import TrainingSettings

__all__ = ["Validation", "open_validation"]

_SHARE = "share of class "


def open_validation(settings: TrainingSettings) -> Validation | None:
    """The folder that ``settings`` names, checked; None if it names none.

    Raises:
        DataError: lists everything that is missing or does not fit.
    """
    if settings.validation is None:
        return None
    return Validation(plain_folder(settings.validation, needs=("alpha", "trimap")))


class Validation:
    """Pictures with trimap and true alpha."""

    def __init__(self, found: MattingSet) -> None:
        """Reads nothing yet."""
        self._set = found

    @torch.no_grad()
    def measure(self, model_name: str, state: dict[str, Tensor]) -> dict[str, float]:
        """Means over the pictures, by the official definitions.

        ``sad_unknown``, ``mse_unknown``, ``sad_whole``, ``mse_whole``; the SAD of alpha 0.5 everywhere, with the known
        region obeyed for networks that read a trimap, as ``half_unknown`` and ``half_whole``; for GFM's single networks
        ``glance``, the share of pixels whose class is right, and ``glance_constant``, what always answering the most
        frequent class of all would reach. Pictures whose trimap leaves nothing unknown count for the whole only.

        A network that needs no trimap is given none.

        Raises:
            FrameError: a file is damaged.
        """
        entry = model_entry(model_name)
        model = entry.build()
        model.load_state_dict({key: value.cpu() for key, value in state.items()})
        model.eval()
        rows = [_scores(model, load_item(item), entry.needs_trimap) for item in self._set.items]
        # A picture without an unknown pixel has no error there.
        names = dict.fromkeys(name for row in rows for name in row)
        means = {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
        shares = [means.pop(name) for name in list(means) if name.startswith(_SHARE)]
        return {**means, "glance_constant": max(shares)} if shares else means


def _scores(model: torch.nn.Module, layers: Layers, needs_trimap: bool) -> dict[str, float]:
    assert layers.plate is not None
    assert layers.alpha is not None
    assert layers.trimap is not None
    plate = torch.from_numpy(np.ascontiguousarray(layers.plate.transpose(2, 0, 1)))[None]
    trimap = torch.from_numpy(layers.trimap)[None, None] if needs_trimap else None
    height, width = layers.alpha.shape
    if trimap is not None:
        # Trimap networks want multiples of 32; GFM and ViTMatte pad on their own, which this leaves alone.
        pad = (0, -width % 32, 0, -height % 32)
        plate = torch.nn.functional.pad(plate, pad, mode="replicate")
        trimap = torch.nn.functional.pad(trimap, pad, mode="replicate")
    answer = model.forward_matte(plate, trimap)[0, 0, :height, :width].numpy()  # type: ignore[operator]
    half = np.full_like(layers.alpha, 0.5)
    if needs_trimap:
        half = np.where(layers.trimap == 0.5, half, layers.trimap)
    scores = {}
    regions: tuple[Region, ...] = ("unknown", "whole") if (layers.trimap == 0.5).any() else ("whole",)
    for region in regions:
        scores[f"sad_{region}"] = sad(answer, layers.alpha, layers.trimap, region=region)
        scores[f"mse_{region}"] = mse(answer, layers.alpha, layers.trimap, region=region)
        scores[f"half_{region}"] = sad(half, layers.alpha, layers.trimap, region=region)
    output = model(plate) if trimap is None else None
    if isinstance(output, GfmOutput):
        scores |= _glance_scores(output, layers.trimap, model.config.rosta)  # type: ignore[union-attr,arg-type]
    return scores


def _glance_scores(output: GfmOutput, trimap: FloatArray, rosta: str) -> dict[str, float]:
    """Against the classes of the folder's trimap, which has to be made with the kernel that was trained."""
    truth = {"tt": np.rint(trimap * 2), "ft": trimap > 0.75, "bt": trimap > 0.25}[rosta].astype(np.int64)
    found = output.glance.argmax(dim=1)[0].numpy()
    shares = np.bincount(truth.ravel(), minlength=3) / truth.size
    return {"glance": float((found == truth).mean()), **{f"{_SHARE}{k}": float(v) for k, v in enumerate(shares)}}
