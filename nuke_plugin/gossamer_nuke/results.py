"""Puts what was done into the node: its Read is pointed at the mattes, the status says what happened."""

from __future__ import annotations

from pathlib import Path

from gossamer_bridge.settings import frames_text
from gossamer_nuke import __version__
from gossamer_nuke.host import is_still, nuke, version_text
from gossamer_nuke.knobs import put, show_status
from gossamer_nuke.paths import report_path, write_whole
from gossamer_nuke.plan import Plan
from gossamer_nuke.work import Outcome

__all__ = ["show_result", "summary", "write_report"]


def show_result(plan: Plan, outcome: Outcome, text: str) -> None:
    """Point the node at its mattes and show ``text``. On the main thread; one step for undo.

    Nothing is changed but the status if no matte is there.
    """
    node = plan.group
    if not is_still(node, plan.node):
        nuke.tprint(f"{plan.node} is gone or has another name now; its mattes are {plan.pattern}")
        return
    show_status(node, text)
    _note_report(node, plan)
    there = _in_every_view(plan, outcome)
    if not there:
        return
    first, last = there[0], there[-1]
    if str(node["result_file"].value()) == plan.pattern:  # the range grows with each frame that is matted
        first, last = min(first, int(node["result_first"].value())), max(last, int(node["result_last"].value()))
    nuke.Undo.begin("Gossamer matte")
    try:
        put(
            node,
            has_result=True,
            result_file=plan.pattern,
            result_first=first,
            result_last=last,
            has_foreground=plan.settings.wants_foreground,
            has_confidence=plan.settings.write_confidence,
        )
    finally:
        nuke.Undo.end()
    read = node.node("Result")
    reload = read.knob("reload") if read is not None else None
    if isinstance(reload, nuke.Script_Knob):
        reload.execute()  # Nuke does not look whether a file it has read was replaced


def _note_report(node: nuke.Group, plan: Plan) -> None:
    """Where the report is, also of a run that made nothing. No step for undo, as the status is none."""
    path = report_path(plan.pattern)
    if path.is_file():
        nuke.Undo.disable()
        try:
            put(node, report_file=path.as_posix())
        finally:
            nuke.Undo.enable()


def _in_every_view(plan: Plan, outcome: Outcome) -> list[int]:
    """Frames that this run made or found current, rising."""
    found = {(done.view, done.frame) for done in outcome.frames} | set(outcome.kept)
    return [frame for frame in plan.frames if all((view, frame) in found for view in plan.views)]


def summary(outcome: Outcome, error: str) -> str:
    """One line for the status."""
    done = frames_text({entry.frame for entry in outcome.frames})
    parts = [f"frames {done} matted in {outcome.seconds:.1f} s" if done else "no frame matted"]
    if outcome.engine:
        parts.append(outcome.engine)
    if outcome.kept:
        parts.append(f"{len(outcome.kept)} kept")
    if done and outcome.others:
        parts.append(f"mattes of the script {', '.join(sorted(outcome.others))} replaced")
    if outcome.restarts:
        parts.append("the worker had to be started again")
    text = ", ".join(parts)
    return f"{error} ({text})" if error else text


def write_report(plan: Plan, outcome: Outcome, state: str, error: str) -> Path:
    """What was asked and what was done, as JSON beside the mattes.

    Raises:
        NukeError: it cannot be written.
    """
    path = report_path(plan.pattern)
    settings = {name: value for name, value in vars(plan.settings).items() if name not in ("node", "view")}
    values = {
        "schema": "gossamer.nuke.report",
        "version": 1,
        "gossamer_nuke": __version__,
        "host": version_text(),
        "node": plan.node,
        "state": state,
        "error": error,
        "settings": settings,
        "bands": _bands(plan),
        "color": vars(plan.color),
        "asked": outcome.asked,
        "done": outcome.done,
        "seconds": round(outcome.seconds, 3),
        "restarts": outcome.restarts,
        "frames": frames_text(plan.frames),
        "kept": {view: frames_text({frame for kept, frame in outcome.kept if kept == view}) for view in plan.views},
        "matted": [vars(entry) for entry in outcome.frames],
        "notes": outcome.notes,
    }
    write_whole(path, values, plan.node)
    return path


def _bands(plan: Plan) -> list[dict[str, object]]:
    """Which frames have which bands; one entry as long as no band is animated."""
    found: dict[tuple[float, float], set[int]] = {}
    for frame, bands in plan.bands.items():
        found.setdefault(bands, set()).add(frame)
    return [
        {"frames": frames_text(frames), "band_in": inside, "band_out": outside}
        for (inside, outside), frames in found.items()
    ]
