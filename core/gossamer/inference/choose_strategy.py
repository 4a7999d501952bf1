"""Which strategy a network takes, and which it cannot."""

from __future__ import annotations

from gossamer.errors import SettingError
from gossamer.inference.backends import Backend
from gossamer.inference.backends.pytorch import TorchBackend
from gossamer.inference.strategies import Strategy, TilesStrategy
from gossamer.inference.whole_pictures import HybridStrategy, ResizeStrategy, WholeStrategy
from gossamer.models.gfm_sizes import FOCUS_RATIO, GLANCE_RATIO
from gossamer.models.weights import Manifest

__all__ = ["choose_strategy", "create_strategy"]


def choose_strategy(strategy: str, manifest: Manifest, *, backend: str, tile: int) -> str:
    """What ``auto`` means for these weights, or ``strategy`` itself if they can be run so.

    ``auto``: GFM takes ``hybrid`` (``resize`` for RIM, and for ONNX files and other backends than torch, which give no
    glance of their own), ViTMatte without a trimap the ``whole`` picture, every other network ``tiles``.

    Raises:
        SettingError: these weights, this backend or ``tile`` do not go with ``strategy``.
    """
    is_gfm, is_rim = manifest.family == "gfm", manifest.architecture.endswith("-rim")
    # A file made by `gossamer export` is the whole network: it has no weights for torch.
    has_torch = backend == "torch" or (backend == "auto" and "safetensors" in manifest.files)
    if strategy == "auto":
        if is_gfm:
            chosen = "hybrid" if has_torch and not is_rim else "resize"
        else:
            chosen = "tiles" if manifest.needs_trimap or manifest.family != "vitmatte" else "whole"
        chosen = "tiles" if tile else chosen
    else:
        chosen = strategy
    if chosen in ("hybrid", "resize") and not is_gfm:
        raise SettingError(
            f"--strategy {chosen} is for GFM; {manifest.name} is {manifest.architecture}. Use tiles or whole."
        )
    if chosen == "hybrid" and is_rim:
        raise SettingError(f"--strategy hybrid is not for RIM networks such as {manifest.architecture}; use resize.")
    if chosen == "hybrid" and not has_torch:
        lacking = (
            f"--backend {backend} does not give" if backend != "auto" else f"the file of {manifest.name} does not give"
        )
        raise SettingError(
            f"--strategy hybrid needs glance and focus apart, which {lacking}; use weights with --backend torch, or "
            "--strategy resize."
        )
    if tile and chosen != "tiles":
        raise SettingError(f"--tile is for --strategy tiles; {chosen} looks at the whole picture. Leave one out.")
    return chosen


def create_strategy(name: str, manifest: Manifest, backend: Backend, *, tile: int = 0) -> Strategy:
    """The strategy that :func:`choose_strategy` named."""
    if name == "whole":
        return WholeStrategy(manifest, backend)
    if name == "resize":
        return ResizeStrategy(backend, ratio=GLANCE_RATIO if manifest.architecture.endswith("-rim") else FOCUS_RATIO)
    if name == "hybrid":
        assert isinstance(backend, TorchBackend)
        return HybridStrategy(backend)
    return TilesStrategy(manifest, backend, tile=tile)
