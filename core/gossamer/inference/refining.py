"""A refined network as a backend: tile by tile, with a start taken from what steered the tiles beside or before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import ModelError, TrimapError
from gossamer.image.image import FloatArray, Window
from gossamer.inference.refine import Modulation, Refinement, RefineSettings, check_refinable, refine
from gossamer.inference.solution import Cancelled
from gossamer.inference.strategies import Place

__all__ = ["RefiningBackend", "StartMaps"]


class StartMaps:
    """What steered the tiles of the frame before, found again by where a tile lies.

    A and B have a fixed number of cells a tile, whatever its size; they are resampled from the old window to the new
    one. Where the old tiles do not reach, they are 0: no steering.
    """

    def __init__(self) -> None:
        self._before: dict[tuple[float, int], list[tuple[Window, Modulation]]] = {}
        self._now: dict[tuple[float, int], list[tuple[Window, Modulation]]] = {}

    def next_frame(self) -> None:
        """The frame that was being solved becomes the one before."""
        self._before, self._now = self._now, {}

    def keep(self, place: Place, modulation: Modulation) -> None:
        """Remember what steered the tile at ``place``."""
        self._now.setdefault((place.scale, place.view), []).append((place.window, modulation))

    def at(self, place: Place) -> Modulation | None:
        """The start for a tile at ``place``: from the earlier tile that covers most of it; None where none does."""
        candidates = self._before.get((place.scale, place.view), [])
        window, modulation = max(candidates, key=lambda entry: _overlap(entry[0], place.window), default=(None, None))
        if window is None or modulation is None or not _overlap(window, place.window):
            return None
        if window == place.window:
            return modulation
        return {
            stage: (_resample(a, window, place.window), _resample(b, window, place.window))
            for stage, (a, b) in modulation.items()
        }


def _overlap(one: Window, other: Window) -> int:
    """Pixels that two windows share."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(width, 0) * max(height, 0)


def _resample(values: Tensor, old: Window, new: Window) -> Tensor:
    """Cells of ``old`` read at the centres of the cells of ``new``, linearly; 0 outside of ``old``."""
    height, width = values.shape[-2:]
    x = new.x + (torch.arange(width, device=values.device) + 0.5) * (new.width / width)
    y = new.y + (torch.arange(height, device=values.device) + 0.5) * (new.height / height)
    x, y = (2 * (x - old.x) / old.width - 1).to(values), (2 * (y - old.y) / old.height - 1).to(values)
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)[None]
    return F.grid_sample(values, grid.expand(len(values), -1, -1, -1), align_corners=False, padding_mode="zeros")


@dataclass
class _Tally:
    """What refinement did to the tiles of a frame."""

    tiles: int = 0
    steps: int = 0
    guarded: int = 0
    unchanged: int = 0
    started: int = 0
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def count(self, result: Refinement, *, started: bool) -> None:
        """Add one tile."""
        if not result.losses.numel():
            return
        totals = result.losses[..., 0].nan_to_num(nan=torch.inf).amin(dim=0)
        self.tiles += 1
        self.steps += len(result.losses) - 1
        self.started += started
        self.guarded += bool((result.halvings > 0).any())
        self.unchanged += result.is_unchanged
        self.before.append(float(result.first_loss.mean()))
        self.after.append(min(float(totals.mean()), self.before[-1]))


class RefiningBackend:
    """A torch network whose answers are refined, tile by tile: a :class:`gossamer.inference.backends.Backend`.

    Each tile is a picture of its own, so the ramp between two tiles also passes from one refinement to the other.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: RefineSettings,
        *,
        weights_sha256: str,
        device: str = "cpu",
        effective: Mapping[str, Any] | None = None,
        carry: bool = False,
    ) -> None:
        """Take a network that is loaded.

        Args:
            network: in eval mode, on ``device``.
            settings: how far and how fast.
            weights_sha256: of the file that the network was loaded from.
            device: ``cpu`` or ``cuda``.
            effective: what else is known of how it runs.
            carry: begin each frame with what steered the frame before it. Its matte then depends on that frame.

        Raises:
            ModelError: the network cannot be steered, or is in train mode.
        """
        check_refinable(network, None, 1)
        self._network, self._settings, self._device = network, settings, torch.device(device)
        self._starts = StartMaps() if carry else None
        self._tally = _Tally()
        self.weights_sha256 = weights_sha256
        self.effective: Mapping[str, Any] = {
            "backend": f"torch {torch.__version__}",
            "device": device,
            "threads": torch.get_num_threads(),
            **(effective or {}),
            "precision": "fp32",
            "refine": settings.steps,
            **({"refine_carry": True} if carry else {}),
        }

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        """``plate`` N 3 H W (sRGB-encoded, 0..1) and ``trimap`` N 1 H W (0, 0.5, 1) to refined alpha N 1 H W.

        Raises:
            TrimapError: there is no trimap to refine towards.
            ModelError: the network gave no numbers, or the device ran out of memory.
        """
        return self.infer_at(plate, trimap, None)

    def infer_at(
        self, plate: FloatArray, trimap: FloatArray | None, place: Place | None, *, cancelled: Cancelled | None = None
    ) -> FloatArray:
        """The same for a tile of which it is known where it lies, so that an earlier frame's can help it to start.

        Raises:
            CancelledError: ``cancelled``, asked before each step, said so.
        """
        if trimap is None:
            raise TrimapError("Refinement follows a trimap: give --trimap, --mask, or --core and --garbage.")
        plate_tensor, trimap_tensor = (torch.from_numpy(value).to(self._device) for value in (plate, trimap))
        carried = place is not None and self._starts is not None and len(plate) == 1
        start = self._starts.at(place) if carried and self._starts and place else None
        # Set here and restored, because training in the same process may want other settings.
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        try:
            with flags:
                result = refine(
                    self._network, plate_tensor, trimap_tensor, self._settings, start=start, cancelled=cancelled
                )
        except (RuntimeError, MemoryError) as error:
            raise ModelError(
                f"Refinement failed on a tile of {plate.shape[3]}x{plate.shape[2]} pixels ({error}). It needs several "
                "times the network's memory: give --tile a smaller number, for instance 256."
            ) from error
        self._tally.count(result, started=start is not None)
        if carried and self._starts and place and result.modulation:
            self._starts.keep(place, result.modulation)
        alpha: FloatArray = result.alpha.cpu().numpy()
        return alpha

    def end_frame(self) -> Mapping[str, Any]:
        """What was done since the last call, for the report; what follows belongs to another frame.

        ``refine_tiles`` that had something to refine, ``refine_steps`` that were run on all of them together; of the
        tiles ``refine_guarded`` where the guard took steps back, ``refine_unchanged`` where no step was better than the
        network's own matte, and ``refine_started`` that began where the frame before had ended; the mean loss of
        the tiles before and after.
        """
        tally, self._tally = self._tally, _Tally()
        if self._starts is not None:
            self._starts.next_frame()
        facts: dict[str, Any] = {
            "refine_steps": tally.steps,
            "refine_tiles": tally.tiles,
            "refine_guarded": tally.guarded,
            "refine_unchanged": tally.unchanged,
        }
        if self._starts is not None:
            facts["refine_started"] = tally.started
        if tally.tiles:
            facts["refine_loss_before"] = round(sum(tally.before) / tally.tiles, 8)
            facts["refine_loss_after"] = round(sum(tally.after) / tally.tiles, 8)
        return facts
