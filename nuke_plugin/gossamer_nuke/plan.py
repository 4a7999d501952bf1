"""From a node to what will be done: everything is read and checked on the main thread before a frame is rendered."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gossamer_bridge.settings import Knobs, frames_text
from gossamer_nuke.color import ScriptColor, script_color
from gossamer_nuke.errors import NukeError
from gossamer_nuke.frames import own_frames
from gossamer_nuke.host import is_still, nuke
from gossamer_nuke.inputs import Transfer, check_inputs, transfers
from gossamer_nuke.knobs import Settings, read_bands, read_settings
from gossamer_nuke.made_from import digest, job_knobs
from gossamer_nuke.paths import Stamps, at_view, output_pattern, script_stem
from gossamer_nuke.upper import mattes_at, mattes_at_other_frames
from gossamer_nuke.upstream import Needed, gossamer_above

__all__ = ["Plan", "check_unchanged", "find_node", "frame_key", "make_plan", "pattern_of"]


@dataclass(frozen=True)
class Plan:
    """What one press of a button does."""

    node: str
    group: nuke.Group
    """The node itself, since another may get its name; see :func:`find_node`."""
    script: str
    """Name of the script without its version; empty if it is not saved."""
    settings: Settings
    pattern: str
    """Of the mattes, with ``%04d`` and perhaps ``%V``."""
    frames: tuple[int, ...]
    """All that were asked for, rising."""
    bands: Mapping[int, tuple[float, float]]
    """Band in and band out of each frame."""
    views: tuple[str, ...]
    keep: bool
    """Whether mattes that are current are left as they are."""
    made_from: str
    """Digest of what is the same for all frames: knobs that decide a matte, the nodes above, Gossamer and weights."""
    upper: tuple[Needed, ...]
    """The Gossamer nodes above, looked for once: another one, or another way to one, changes ``made_from``."""
    retimed: tuple[str, ...]
    """What the mattes of those were made from that arrive at frames of their own."""
    transfers: tuple[Transfer, ...]
    color: ScriptColor

    @property
    def stamps(self) -> Stamps:
        return Stamps(self.pattern, self.node)

    def knobs(self, view: str, frames: tuple[int, ...], scratch: str) -> Knobs:
        """The job of one batch, whose inputs lie in ``scratch`` and whose frames have the same bands."""
        inside, outside = self.bands[frames[0]]
        files: dict[str, Any] = {
            transfer.job_field: f"{scratch}/{transfer.stem}.%04d.exr" for transfer in self.transfers
        }
        return dataclasses.replace(
            job_knobs(self.settings, self.color),
            band_inside=inside,
            band_outside=outside,
            frames=frames_text(frames),
            output=at_view(self.pattern, view),
            **files,
        )


def make_plan(
    node: nuke.Group,
    frames: tuple[int, ...] | None = None,
    *,
    keep: bool | None = None,
    is_render: bool = False,
) -> Plan:
    """Read the knobs of ``node`` and check what has to be right even if no frame is left to do.

    Args:
        node: a Gossamer node.
        frames: instead of the knob frame range.
        keep: whether mattes that are current are left as they are, instead of the knob skip existing.
        is_render: the mattes that the node shows will do wherever they lie, if all are current: a farm may have copied
            the script to another folder.

    Raises:
        NukeError: something is wrong that can be known before the first render.
    """
    settings = read_settings(node)
    name = settings.node
    if frames is None:
        frames = own_frames(node)
    check_inputs(node, settings, frames)
    views = _views(settings)
    script = _script()
    pattern = output_pattern(settings, script, views)
    color = _color(settings)
    upper = tuple(gossamer_above(node))
    plan = Plan(
        node=name,
        group=node,
        script=script_stem(script),
        settings=settings,
        pattern=pattern,
        frames=frames,
        bands=read_bands(node, frames),
        views=views,
        keep=settings.skip_existing if keep is None else keep,
        made_from=digest(node, settings, color),
        upper=upper,
        retimed=tuple(mattes_at_other_frames(upper, views, is_render=is_render)),
        transfers=transfers(node, settings),
        color=color,
    )
    shown = dataclasses.replace(plan, pattern=str(node["result_file"].value()))
    if is_render and plan.keep and shown.pattern != plan.pattern and node["has_result"].value() and _is_done(shown):
        return shown
    return plan


def _is_done(plan: Plan) -> bool:
    """Whether every matte is there and current."""
    return all(
        plan.stamps.is_there(frame, view) and plan.stamps.is_current(frame, view, frame_key(plan, frame, view))
        for frame in plan.frames
        for view in plan.views
    )


def check_unchanged(plan: Plan, frame: int) -> None:
    """Look whether what would be rendered now is still what the plan was made from. On the main thread, right before.

    The node's own knobs may have changed: those of the press hold to the end, and the notes beside the mattes say so.

    Raises:
        NukeError: it is not, and the matte would count as current all the same.
    """
    node = find_node(plan)
    _check_size(plan.node)
    color = _color(plan.settings)
    if digest(node, plan.settings, color) == plan.made_from:
        return
    what = "the nodes above, what they are linked to or the weights" if color == plan.color else "the script's colours"
    raise NukeError(
        f"{plan.node}: {what} changed while it was matted, so frame {frame} would not go with those before. "
        "Finished frames stay. Press Matte range: it does again what is out of date, and goes on."
    )


def frame_key(plan: Plan, frame: int, view: str) -> str:
    """Digest of all that decides one matte: the plan's, the view, the bands, the times of the files that arrive at the
    inputs, and what mattes of Gossamer nodes above were made from.

    On the main thread. Nuke opens a file or two for it, so it is asked for frame by frame, when it is needed.

    Raises:
        NukeError: the node is gone.
    """
    node = find_node(plan)
    files = []
    for index in range(4):
        read = _metadata(node.input(index), frame, view)
        files.append([str(read.get(name, "")) for name in ("input/mtime", "input/filesize")])
    upper = [*mattes_at(plan.upper, frame, view), *plan.retimed]
    text = f"{plan.made_from} {view} {files} {plan.bands[frame]} {upper}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def find_node(plan: Plan) -> nuke.Group:
    """The node of a plan. On the main thread.

    Raises:
        NukeError: it was deleted or renamed meanwhile, or its script was closed.
    """
    if not is_still(plan.group, plan.node):
        raise NukeError(f"{plan.node} is gone: it was deleted or renamed while it was matted. Press the button again.")
    return plan.group


def pattern_of(node: nuke.Node) -> str:
    """Which files a Gossamer node would write.

    Raises:
        NukeError: its knobs name none.
    """
    settings = read_settings(node)
    return output_pattern(settings, _script(), _views(settings))


def _script() -> str:
    """Path of the open script; empty if it is not saved."""
    name = str(nuke.root().name())
    return "" if name == "Root" else name


def _check_size(name: str) -> None:
    if nuke.root()["proxy"].value():
        raise NukeError(
            f"{name}: proxy mode is on, and a matte of a proxy would not fit the plate. Switch proxy mode off "
            "(Ctrl+P), then matte; afterwards proxy mode shows the matte scaled."
        )


def _color(settings: Settings) -> ScriptColor:
    color = script_color()
    if settings.color_space:
        color = dataclasses.replace(color, space=settings.color_space, reason="set on the node")
    return color


def _views(settings: Settings) -> tuple[str, ...]:
    known = list(nuke.views())
    wanted = settings.views.replace(",", " ").split() or known
    unknown = [view for view in wanted if view not in known]
    if unknown:
        raise NukeError(
            f"{settings.node}: the knob views names {', '.join(unknown)}; the script has {', '.join(known)}."
        )
    return tuple(wanted)


def _metadata(above: nuke.Node | None, frame: int, view: str) -> dict[str, Any]:
    """Of what arrives; nothing where a file is missing, which the render of that frame will say."""
    if above is None:
        return {}
    try:
        return above.metadata(time=float(frame), view=view)
    except RuntimeError:
        return {}
