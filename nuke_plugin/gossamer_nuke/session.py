"""The buttons, and the one worker that all nodes of this Nuke share. What a node knows stands in its knobs."""

from __future__ import annotations

import atexit
import dataclasses
import logging
import os
import threading
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gossamer_bridge.client import WorkerSettings
from gossamer_bridge.errors import BridgeError, JobCancelledError
from gossamer_bridge.job import WorkerKeeper
from gossamer_nuke.errors import NukeError
from gossamer_nuke.host import NukePort, is_still, later_on_main_thread, nuke, version_text
from gossamer_nuke.knobs import OPTIONS, show_status
from gossamer_nuke.plan import Plan, make_plan
from gossamer_nuke.results import show_result, summary, write_report
from gossamer_nuke.upper import check_related
from gossamer_nuke.work import Outcome, do_plan

__all__ = [
    "cancel",
    "cancel_all",
    "close_worker",
    "is_running",
    "matte",
    "matte_frame",
    "matte_range",
    "open_report",
    "release_gpu",
]

logger = logging.getLogger(__name__)

_settings = WorkerSettings(host="Nuke", knob_names=OPTIONS)
_keeper = WorkerKeeper(_settings)
_running: dict[str, NukePort] = {}
"""Jobs that run at this moment, by node; nothing that a script would have to keep."""


def matte_frame(node: nuke.Group) -> None:
    """Button: matte the frame that is shown, even if there is a matte."""
    _press(node, (nuke.frame(),), keep=False)


def matte_range(node: nuke.Group) -> None:
    """Button: matte the frame range; frames whose mattes are current are kept if ``skip existing`` is on."""
    _press(node, None, keep=None)


def matte(
    node: nuke.Group,
    frames: tuple[int, ...] | None = None,
    *,
    keep: bool | None = None,
    is_render: bool = False,
) -> Outcome:
    """Matte now and wait: for terminals, farms and scripts. On the main thread.

    Args:
        node: a Gossamer node.
        frames: instead of the knob frame range.
        keep: whether mattes that are current are left as they are, instead of the knob skip existing.
        is_render: whether the mattes that the node shows will do wherever they lie, if all are current.

    Raises:
        NukeError, BridgeError: ``str`` of it is a sentence for the artist; the node's status has it too.
    """
    _refuse_twice(node)
    if not is_render:
        _refuse_related(node)
    plan = make_plan(node, frames, keep=keep, is_render=is_render)
    _use_config(plan)
    port = _port(plan)
    try:
        # A render goes on beside a run of a node above or below as long as all of its own mattes are current.
        return _run(plan, port, before=partial(_refuse_related, node) if is_render else None)
    finally:
        _running.pop(plan.node, None)


def cancel(node: nuke.Group) -> None:
    """Button: stop the job of this node. Frames that are finished stay."""
    port = _running.get(node.fullName())
    if port is None:
        show_status(node, "nothing to cancel")
    else:
        port.cancel()


def cancel_all() -> None:
    """Stop every job; called when the script is closed."""
    for port in list(_running.values()):
        port.cancel()


def is_running(node: nuke.Group) -> bool:
    """Whether the node is being matted."""
    return node.fullName() in _running


def release_gpu(node: nuke.Group) -> None:
    """Button: give back the memory that the worker holds."""
    worker = _keeper.current
    if _running:
        show_status(node, "a job is running; the memory is given back when it is cancelled or done")
    elif worker is None or not worker.is_alive:
        show_status(node, "no worker is running: nothing is held")
    else:
        threading.Thread(target=_release, args=(node, node.fullName()), name="gossamer-release", daemon=True).start()


def _release(node: nuke.Group, name: str) -> None:
    """The worker ends altogether: what a library keeps on the GPU goes with the process only."""
    _keeper.close()
    later_on_main_thread(lambda: _tell(node, name, "memory given back; the worker starts again with the next job"))


def open_report(node: nuke.Group) -> None:
    """Button: show the report of the last run."""
    path = str(node["report_file"].value() or "")
    if not path or not Path(path).is_file():
        _show_error(node, f"{node.fullName()}: there is no report yet. Matte a frame first.")
    elif nuke.GUI:
        webbrowser.open(Path(path).as_uri())
    else:
        nuke.tprint(path)


def close_worker() -> None:
    """End the worker; called when Nuke ends."""
    cancel_all()
    _keeper.close()


atexit.register(close_worker)


def _press(node: nuke.Group, frames: tuple[int, ...] | None, *, keep: bool | None) -> None:
    """A button: in a GUI the work goes on in a thread of its own, in a terminal here."""
    name = node.fullName()
    if not nuke.GUI:
        matte(node, frames, keep=keep)
        return
    try:
        _refuse_twice(node)
        _refuse_related(node)
        plan = make_plan(node, frames, keep=keep)
        _use_config(plan)
    except NukeError as error:
        _show_error(node, str(error))
        return
    port = _port(plan)
    show_status(node, "starting")
    threading.Thread(target=_run_quietly, args=(plan, port), name=f"gossamer {name}", daemon=True).start()


def _refuse_twice(node: nuke.Group) -> None:
    if is_running(node):
        raise NukeError(f"{node.fullName()} is being matted already. Press Cancel first, or wait.")


def _refuse_related(node: nuke.Group) -> None:
    check_related(node, sorted(_running.keys() - {node.fullName()}))


def _port(plan: Plan) -> NukePort:
    total = len(plan.frames) * len(plan.views)
    port = NukePort(f"Gossamer {plan.node}", total, lambda text: _tell(plan.group, plan.node, text))
    _running[plan.node] = port
    return port


def _run_quietly(plan: Plan, port: NukePort) -> None:
    """In the thread: errors become messages."""
    try:
        _run(plan, port)
    except JobCancelledError:
        pass
    except (NukeError, BridgeError) as error:
        text = str(error)  # the node's status has it already, with what was done all the same
        later_on_main_thread(lambda: nuke.message(text))
    except Exception as error:
        logger.exception("%s", plan.node)
        text = f"{plan.node}: {type(error).__name__}: {error}. Please report this with the text in the terminal."
        later_on_main_thread(lambda: nuke.message(text))
    finally:
        _running.pop(plan.node, None)


def _run(plan: Plan, port: NukePort, *, before: Callable[[], None] | None = None) -> Outcome:
    outcome = Outcome()
    state, text = "failed", ""
    try:
        do_plan(plan, port, _keeper, outcome, before=before)
        state = "done"
    except JobCancelledError:
        state, text = "cancelled", "Cancelled"
        raise
    except BaseException as error:
        text = str(error) or type(error).__name__
        raise
    finally:
        port.close()
        _conclude(plan, port, outcome, state, text)
    return outcome


def _conclude(plan: Plan, port: NukePort, outcome: Outcome, state: str, error: str) -> None:
    """Report and node, whatever happened. A report that cannot be written spoils no matte and hides no error."""
    line = summary(outcome, error)
    try:
        if outcome.frames or error:
            write_report(plan, outcome, state, error)
    except NukeError as problem:
        port.show_message(f"there is no report. {problem}")
        line = f"{line}, no report"
    later_on_main_thread(lambda: show_result(plan, outcome, line))


def _use_config(plan: Plan) -> None:
    """Give the worker the script's OCIO configuration; another one means another worker. On the main thread.

    Nothing else that changes in Nuke's environment is worth ending a worker that runs: the next one gets it.

    Raises:
        NukeError: the worker is at work with another configuration.
    """
    global _settings
    config, worker = plan.color.config, _keeper.current
    is_other = config != (_settings.environment or {}).get("OCIO", "")
    if not is_other and (_running or (worker is not None and worker.is_alive)):
        return
    if _running:
        raise NukeError(
            f"{plan.node}: the script has another OCIO configuration than the one {', '.join(sorted(_running))} is "
            "being matted with. Wait until that is done, or press Cancel there; then press the button again."
        )
    environment = {**os.environ, "OCIO": config} if config else None
    _settings = dataclasses.replace(_settings, host=version_text(), environment=environment)
    _keeper.change(_settings)


def _tell(node: nuke.Group, name: str, text: str) -> None:
    """A line from a job, while which the node of the name may have gone."""
    if is_still(node, name):
        show_status(node, text)


def _show_error(node: nuke.Group, text: str) -> None:
    """In the node, and in a dialogue if there is somebody to read it."""
    show_status(node, text)
    if nuke.GUI:
        nuke.message(text)
    else:
        raise NukeError(text)
