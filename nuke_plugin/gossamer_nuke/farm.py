"""Renders: before a frame is rendered, the mattes that it needs are there, or the render fails with a sentence."""

from __future__ import annotations

from gossamer_nuke.errors import NukeError
from gossamer_nuke.frames import own_frames, parse_frames
from gossamer_nuke.host import node_by_name, nuke
from gossamer_nuke.knobs import OUTPUTS, VIEWS, is_inside_gossamer
from gossamer_nuke.paths import Stamps, at_frame
from gossamer_nuke.session import matte
from gossamer_nuke.upper import forget_mattes
from gossamer_nuke.upstream import Needed, needed_by

__all__ = [
    "before_frame_render",
    "before_render",
    "matte_script",
    "needed_frames",
    "render_script",
    "script_loaded",
]


def before_render() -> None:
    """Refuse a render that would silently come out wrong, and do at once what cannot be done frame by frame.

    Which mattes a TimeOffset or a FrameHold will ask for is not known, so a node above one gets its whole range.
    """
    found = _needed(nuke.thisNode())
    if found:  # the Writes inside of a node are rendered in the middle of it
        forget_mattes()
    for needed in found:
        name, view = needed.node.fullName(), str(needed.node["view"].value())
        if view != VIEWS[0]:
            raise NukeError(f"{name}: view is {view}, so the picture would be rendered instead. Set view to matte.")
    for needed in found:
        if needed.at_others:
            _prepare(needed.node, own_frames(needed.node), is_known=False)


def before_frame_render() -> None:
    """Matte the frame that is about to be rendered, as far as its mattes are missing or out of date.

    What is current is kept whatever ``skip existing`` says: it may have been made a moment ago, by ``-x`` or
    ``render.py`` for all frames at once.
    """
    frame = nuke.frame()
    for needed in _needed(nuke.thisNode()):
        if needed.at_its_frames:
            shown = needed.node["result_file"].value()
            _prepare(needed.node, (frame,), is_known=True)
            if needed.at_others and needed.node["result_file"].value() != shown:
                _prepare(needed.node, own_frames(needed.node), is_known=False)  # those from before are shown no more


def script_loaded() -> None:
    """``nuke -x`` and ``-X``: matte the whole range of this process before the render begins.

    One job for all frames keeps the worker busy; frame by frame it would wait for Nuke in between. A render of Nuke
    that is started otherwise comes to :func:`before_frame_render`.
    """
    arguments = [str(argument) for argument in nuke.rawArgs]
    if nuke.GUI or not any(argument in ("-x", "-X", "-ix", "-xi") for argument in arguments):
        return
    matte_script(needed_frames(arguments), _named_writes(arguments) or active_writes())


def active_writes() -> list[nuke.Node]:
    """Every Write of the script that is switched on, wherever it lies, in the order of rendering."""
    everywhere = nuke.allNodes("Write", group=nuke.root(), recurseGroups=True)
    found = [write for write in everywhere if not write["disable"].value()]
    return sorted(found, key=lambda write: float(write["render_order"].value()))


def matte_script(frames: tuple[int, ...], writes: list[nuke.Node]) -> None:
    """Matte ``frames`` of every Gossamer node above ``writes``, or its whole range where time is changed below it.

    Of such a range what is current is kept in any case: each chunk of a farm would do all of it again.
    """
    forget_mattes()
    for needed in needed_by(*writes):
        node = needed.node
        if node["matte_in_render"].value() and not node["disable"].value():
            wanted = set(frames) if needed.at_its_frames else set()
            if needed.at_others:
                wanted.update(own_frames(node))
            matte(node, tuple(sorted(wanted)), keep=True if needed.at_others else None, is_render=True)


def render_script(script: str, frames: str, names: list[str]) -> None:
    """Open ``script``, matte ``frames`` of what its Writes need, and render them.

    Args:
        script: path of a ``.nk``.
        frames: ``1001-1010``.
        names: full names of Writes; none means all that are switched on.

    Raises:
        NukeError: a name is no Write, or something above it is wrong.
        BridgeError: the worker cannot do it.
        RuntimeError: Nuke's own.
    """
    nuke.scriptOpen(script)
    wanted = parse_frames(frames, script)
    writes = _writes(script, names)
    matte_script(wanted, writes)
    for write in writes:
        for first, last in _runs(wanted):
            nuke.execute(write, first, last)


def _named_writes(arguments: list[str]) -> list[nuke.Node]:
    """The nodes of ``-X Write1,Write2``; names that do not exist are left for Nuke to complain about."""
    names = [name for flag, text in zip(arguments, arguments[1:]) if flag == "-X" for name in text.split(",")]
    return [node for node in map(node_by_name, names) if node is not None]


def _writes(script: str, names: list[str]) -> list[nuke.Node]:
    if not names:
        return active_writes()
    writes = []
    for name in names:
        node = node_by_name(name)
        if node is None or node.Class() != "Write":
            raise NukeError(f"{script} has no Write {name}. Give the full name, as in Group1.Write2.")
        writes.append(node)
    return writes


def _runs(frames: tuple[int, ...]) -> list[tuple[int, int]]:
    """First and last of each run of neighbours."""
    runs: list[tuple[int, int]] = []
    for frame in frames:
        if runs and runs[-1][1] == frame - 1:
            runs[-1] = (runs[-1][0], frame)
        else:
            runs.append((frame, frame))
    return runs


def needed_frames(arguments: list[str]) -> tuple[int, ...]:
    """The frames that a command line asks for with ``-F``, else those of the script."""
    texts = [arguments[i + 1] for i, argument in enumerate(arguments[:-1]) if argument == "-F"]
    texts += [argument[2:] for argument in arguments if argument.startswith("-F") and len(argument) > 2]
    if texts:
        return parse_frames(",".join(texts), "nuke -F")
    root = nuke.root()
    return tuple(range(root.firstFrame(), root.lastFrame() + 1))


def _needed(write: nuke.Node) -> list[Needed]:
    """The Gossamer nodes above a Write that is being rendered; none for the Writes inside of one."""
    if is_inside_gossamer(write):
        return []
    return [needed for needed in needed_by(write) if not needed.node["disable"].value()]


def _prepare(node: nuke.Group, frames: tuple[int, ...], *, is_known: bool) -> None:
    """Matte ``frames`` for a render as far as they are missing or out of date, or only look if that is wanted.

    Args:
        node: a Gossamer node.
        frames: of it.
        is_known: whether the render needs each of them. If not, it fails by itself at one that is missing.
    """
    if node["matte_in_render"].value():
        matte(node, frames, keep=True, is_render=True)
    else:
        for frame in frames:
            _check_matte(node, frame, may_be_missing=not is_known)


def _check_matte(node: nuke.Group, frame: int, *, may_be_missing: bool) -> None:
    """Whether the mattes of ``frame`` are there and hold what the node passes on.

    The knobs say what the last run made, which may have been other frames: Nuke would fill up with black.

    Raises:
        NukeError: no.
    """
    name, pattern = node.fullName(), str(node["result_file"].value())
    stamps = Stamps(pattern, name)
    for view in nuke.views():
        if not node["has_result"].value() or not at_frame(pattern, frame, view).is_file():
            if may_be_missing:
                continue
            raise NukeError(
                f"{name}: there is no matte of frame {frame}. Matte the range, or switch on 'matte in renders'."
            )
        for layer in _layers(node):
            if not stamps.holds(frame, view, layer):
                raise NukeError(
                    f"{name}: the matte of frame {frame} was made without {layer} and would be rendered with a black "
                    "one. Matte the range again, or switch on 'matte in renders'."
                )


def _layers(node: nuke.Group) -> list[str]:
    """What the node takes from its mattes beside the alpha."""
    wants_foreground = OUTPUTS[int(node["output"].getValue())] != OUTPUTS[0]
    is_passed_on = {
        "foreground": wants_foreground or node["has_foreground"].value(),
        "confidence": node["has_confidence"].value(),
    }
    return [layer for layer, is_wanted in is_passed_on.items() if is_wanted]
