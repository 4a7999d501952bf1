"""The port between the job's thread and Nuke's main thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from gossamer_bridge.errors import JobCancelledError
from gossamer_bridge.host import JobProgress


def in_thread(app: Any, function: Callable[[], Any], *, idle: bool = True) -> Any:
    """What ``function`` gives, or the exception it raises, off the main thread."""
    answer: list[Any] = []

    def run() -> None:
        try:
            answer.append(function())
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    if idle:
        app.idle(lambda: bool(answer))
    thread.join(30)
    return answer[0]


@pytest.fixture
def port(app: Any) -> Any:
    from gossamer_nuke.host import NukePort

    return NukePort("Gossamer Gossamer1", 4, lambda text: None)


def test_the_doubles_graph_refuses_other_threads(app: Any) -> None:
    node = app.module.nodes.Gossamer()
    for touch in (lambda: node["tile"].setValue(1), lambda: node["tile"].value(), lambda: app.module.toNode("x")):
        assert "off the main thread" in str(in_thread(app, touch))


def test_a_call_on_the_main_thread_gives_its_result(app: Any, port: Any) -> None:
    node = app.module.nodes.Gossamer()
    assert in_thread(app, lambda: port.run_on_main_thread(lambda: node["model"].value())) == "gossamer-s"


def test_its_exception_is_raised_where_it_was_asked_for(app: Any, port: Any) -> None:
    def fail() -> None:
        raise ValueError("as it was")

    answer = in_thread(app, lambda: port.run_on_main_thread(fail))
    assert isinstance(answer, ValueError)
    assert str(answer) == "as it was"


def test_once_cancelled_an_exception_there_is_no_news(app: Any, port: Any) -> None:
    def close_and_fail() -> None:
        port.cancel()
        raise ValueError("the node is gone")

    answer = in_thread(app, lambda: port.run_on_main_thread(close_and_fail))
    assert isinstance(answer, JobCancelledError)


def test_on_the_main_thread_it_is_called_at_once(port: Any) -> None:
    assert port.run_on_main_thread(lambda: 7) == 7


def test_a_cancelled_call_that_has_not_begun_is_taken_back(app: Any, port: Any) -> None:
    called: list[int] = []
    port.cancel()
    answer = in_thread(app, lambda: port.run_on_main_thread(lambda: called.append(1)), idle=False)
    assert isinstance(answer, JobCancelledError)
    app.idle(lambda: not app.calls)
    assert called == []


def test_a_main_thread_that_never_comes_round_is_an_error(app: Any, port: Any, monkeypatch: Any) -> None:
    from gossamer_nuke import host

    monkeypatch.setattr(host, "START_DEADLINE", 0.2)
    answer = in_thread(app, lambda: port.run_on_main_thread(lambda: None), idle=False)
    assert str(answer).startswith("Gossamer Gossamer1: Nuke was busy with something else for 0.2 s. Wait until")


def test_a_call_that_never_ends_is_an_error(app: Any, port: Any, monkeypatch: Any) -> None:
    from gossamer_nuke import host

    monkeypatch.setattr(host, "RUN_DEADLINE", 0.1)
    release = threading.Event()
    answer: list[Any] = []

    def ask() -> None:
        try:
            port.run_on_main_thread(lambda: release.wait(10))
        except Exception as error:
            answer.append(error)
            release.set()

    thread = threading.Thread(target=ask)
    thread.start()
    app.idle(lambda: bool(answer))
    thread.join(30)
    assert "did not finish one step within 0.1 s. Render the plate to files first" in str(answer[0])


@pytest.mark.parametrize(
    ("progress", "text", "percent"),
    [
        (JobProgress("starting"), "starting the worker", 0),
        (JobProgress("restarting", 1, 2), "restarting the worker", 25),
        (JobProgress("loading"), "loading the model", 0),
        (JobProgress("building", part=0.4), "building an engine for this card, once: 40 %", 0),
        (JobProgress("cancelling"), "cancelling", 0),
        (
            JobProgress("solving", 1, 4, 1002, 0.5, 12.4, "onnxruntime on cpu, fp32"),
            "frame 1002, 1 of 4 frames, 12 s left in this batch, onnxruntime on cpu, fp32",
            37,
        ),
    ],
)
def test_progress_is_a_line_and_a_whole_number(
    app: Any, port: Any, progress: JobProgress, text: str, percent: int
) -> None:
    port.report_progress(progress)
    task = app.progress_tasks[-1]
    assert (task._message, task._progress) == (text, percent)


def test_a_terminal_has_no_bar(terminal: Any) -> None:
    from gossamer_nuke.host import NukePort

    port = NukePort("Gossamer Gossamer1", 1, lambda text: None)
    port.report_progress(JobProgress("solving", 1, 1, 1001, 1.0, finished=("a.exr",)))
    assert terminal.progress_tasks == []
    assert terminal.printed == ["Gossamer Gossamer1: frame 1001 done, 1 of 1"]


def test_once_closed_what_is_on_its_way_to_the_status_comes_too_late(app: Any, monkeypatch: Any) -> None:
    from gossamer_nuke import host

    monkeypatch.setattr(host, "STATUS_INTERVAL", 0.0)
    said: list[str] = []
    port = host.NukePort("Gossamer Gossamer1", 1, said.append)
    in_thread(app, lambda: port.tell("in time", 0.0))
    app.idle(lambda: not app.calls)
    in_thread(app, lambda: port.tell("too late", 0.5), idle=False)
    port.close()
    app.idle(lambda: not app.calls)
    assert said == ["in time"]
