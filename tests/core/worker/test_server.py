"""The server on its pipes: reading never waits for working, and every end is an end."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from gossamer.errors import CancelledError, ModelError
from gossamer.worker import files, jobs, server
from gossamer_bridge.answers import Hello, Status
from gossamer_bridge.errors import WireClosedError
from gossamer_bridge.protocol import Event, Failure, Reply, Request, from_header
from gossamer_bridge.wire import MAGIC, read_frame
from tests.core.worker.conftest import WAIT, Host

JOB = {"job": {"schema": 1, "plate": "/p"}}


class SlowWork:
    """Stands for a job that goes on until it is let go or cancelled."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.go = threading.Event()
        self.error: Exception | None = None
        self.count = 0

    def matte(
        self, values: Mapping[str, Any], networks: object, emit: object, cancelled: Callable[[], bool]
    ) -> dict[str, Any]:
        self.count += 1
        self.running.set()
        while not self.go.wait(0.01):
            if cancelled():
                raise CancelledError("Cancelled. 1 of 2 frames are finished and stay.")
        if self.error is not None:
            raise self.error
        return {"plate": values["plate"]}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowWork]:
    slow = SlowWork()
    monkeypatch.setattr(jobs, "matte", slow.matte)
    yield slow
    slow.go.set()


def test_hello_tells_who_the_worker_is(host: Host) -> None:
    reply = host.ask(1, "hello", {"protocol": 1, "bridge": "0.1.0", "host": "a test"})
    hello = Hello.from_values(reply.values)
    assert "gossamer-s" in [model.name for model in hello.models]
    assert hello.devices[0].name == "cpu"
    assert hello.memory_total > hello.memory_free > 0


@pytest.mark.parametrize(
    ("protocol", "remedy"), [(0, "install-hosts"), (2, "pip install --upgrade"), (None, "install-hosts")]
)
def test_hello_of_another_protocol_is_refused_with_what_to_run(host: Host, protocol: int | None, remedy: str) -> None:
    answer = host.ask(1, "hello", {"protocol": protocol, "bridge": "0.7"})
    assert answer.kind == "VersionError"
    assert f"the add-on is 0.7 and wants protocol {protocol}." in answer.message
    assert remedy in answer.message


def test_an_unknown_verb_is_answered_with_those_there_are(host: Host) -> None:
    answer = host.ask(1, "solve")
    assert answer.kind == "ProtocolError"
    assert "knows no verb 'solve', only hello, prepare, matte" in answer.message


def test_a_number_in_use_is_refused(host: Host, work: SlowWork) -> None:
    host.send(Request(5, "matte", JOB))
    assert work.running.wait(WAIT)
    host.send(Request(5, "release"))
    answer = host.answer(5)
    assert isinstance(answer, Failure)
    assert "id 5 is in use already" in answer.message


def test_questions_are_answered_while_a_job_runs(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    status = Status.from_values(host.ask(2, "status").values)
    assert (status.state, status.queued) == ("working", 0)
    assert status.memory_used > 0
    work.go.set()
    assert host.answer(1) == Reply(1, {"plate": "/p"})


def test_jobs_are_done_one_after_the_other(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.send(Request(2, "matte", JOB))
    assert host.read() == Event(2, "queued", {"before": 1})
    assert work.count == 1
    work.go.set()
    assert isinstance(host.answer(1), Reply)
    assert isinstance(host.answer(2), Reply)


def test_a_job_that_runs_can_be_cancelled(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    assert host.ask(2, "cancel", {"id": 1}).values == {"found": True}
    assert host.answer(1) == Failure(1, "CancelledError", "Cancelled. 1 of 2 frames are finished and stay.", 130)


def test_a_job_that_waits_can_be_cancelled(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.send(Request(2, "matte", JOB))
    assert host.ask(3, "cancel", {"id": 2}).values == {"found": True}
    work.go.set()
    assert host.answer(2) == Failure(2, "CancelledError", "Cancelled before it began.", 130)
    assert work.count == 1


def test_jobs_that_wait_are_answered_while_the_one_before_them_goes_on(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    for identifier in (2, 3, 4):
        host.send(Request(identifier, "matte", JOB))
    assert host.ask(5, "cancel", {"id": 3}).values == {"found": True}
    assert host.ask(6, "cancel", {"id": 2}).values == {"found": True}
    assert host.ask(7, "cancel", {"id": 2}).values == {"found": False}  # what is answered is no longer there
    assert Status.from_values(host.ask(8, "status").values).queued == 1
    assert [host.has_answered(identifier) for identifier in (1, 2, 3, 4)] == [False, True, True, False]
    work.go.set()
    assert isinstance(host.answer(1), Reply)
    assert isinstance(host.answer(4), Reply)
    assert work.count == 2


def test_a_number_that_was_cancelled_while_it_waited_is_free_again(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.send(Request(2, "matte", JOB))
    host.ask(3, "cancel", {"id": 2})
    host.send(Request(2, "matte", JOB))
    assert host.ask(4, "status").values["queued"] == 1
    assert isinstance(host.answer(2), Failure)
    work.go.set()
    assert isinstance(host.answer(2), Reply)
    assert work.count == 2


def test_a_cancel_between_the_queue_and_the_beginning_is_answered_once(
    make_host: Callable[..., Host], work: SlowWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_taken, go_on = threading.Event(), threading.Event()
    do = server.Server._do

    def hesitate(*arguments: Any) -> None:
        is_taken.set()
        assert go_on.wait(WAIT)
        do(*arguments)

    monkeypatch.setattr(server.Server, "_do", hesitate)
    host = make_host()
    host.send(Request(1, "matte", JOB))
    assert is_taken.wait(WAIT)
    host.ask(2, "cancel", {"id": 1})
    host.ask(3, "status")
    was_answered = host.has_answered(1)
    go_on.set()
    work.go.set()
    assert was_answered
    assert isinstance(host.answer(1), Failure)
    assert isinstance(host.ask(4, "matte", JOB), Reply)
    assert not host.has_answered(1)
    assert work.count == 1


def test_a_picture_that_waits_to_be_stored_can_be_cancelled(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    is_stored, go_on = threading.Event(), threading.Event()
    names: list[str] = []

    def store(arguments: Mapping[str, Any], body: bytes) -> dict[str, Any]:
        names.append(arguments["name"])
        is_stored.set()
        assert go_on.wait(WAIT)
        return {}

    monkeypatch.setattr(files, "store", store)
    host.send(Request(1, "store", {"name": "first"}))
    assert is_stored.wait(WAIT)
    host.send(Request(2, "store", {"name": "second"}))
    host.ask(3, "cancel", {"id": 2})
    host.ask(4, "status")
    was_answered = host.has_answered(2)
    go_on.set()
    assert was_answered
    assert isinstance(host.ask(5, "store", {"name": "third"}), Reply)
    assert names == ["first", "third"]


def test_the_end_of_a_job_keeps_its_cancel_from_stopping_the_next_one(host: Host, work: SlowWork) -> None:
    """The pass that is stopped is the network's, whoever uses it by then."""
    stopping, go_on = threading.Event(), threading.Event()

    def interrupt() -> None:
        stopping.set()
        assert go_on.wait(WAIT)

    host.server.networks.interrupt = interrupt  # type: ignore[method-assign]
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.send(Request(2, "matte", JOB))
    host.send(Request(3, "cancel", {"id": 1}))
    assert stopping.wait(WAIT)
    assert isinstance(host.answer(1), Failure)
    work.running.clear()
    is_too_early = work.running.wait(0.3)
    go_on.set()
    assert not is_too_early
    assert work.running.wait(WAIT)
    work.go.set()
    assert isinstance(host.answer(2), Reply)


def test_cancelling_what_is_not_there_is_no_error(host: Host) -> None:
    assert host.ask(1, "cancel", {"id": 9}).values == {"found": False}


def test_too_many_jobs_are_refused(host: Host, work: SlowWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_QUEUED", 1)
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    answer = host.ask(2, "matte", JOB)
    assert "1 requests wait already. Wait for them, or cancel some." in answer.message


def test_an_error_of_the_project_is_answered_with_its_name(host: Host, work: SlowWork) -> None:
    work.error = ModelError("The card is full.")
    work.go.set()
    assert host.ask(1, "matte", JOB) == Failure(1, "ModelError", "The card is full.", 6)


def test_an_error_nobody_thought_of_is_answered_and_survived(host: Host, work: SlowWork) -> None:
    work.error = ZeroDivisionError("by zero")
    work.go.set()
    answer = host.ask(1, "matte", JOB)
    assert (answer.kind, answer.exit_code) == ("InternalError", 1)
    assert "ZeroDivisionError: by zero. Its log says where" in answer.message
    work.error = None
    assert isinstance(host.ask(2, "matte", JOB), Reply)


def test_an_argument_of_the_wrong_type_is_survived(host: Host) -> None:
    assert host.ask(1, "cancel", {"id": [1]}).kind == "InternalError"
    assert "argument job, an object" in host.ask(2, "matte", {"job": "x"}).message
    assert (
        host.ask(3, "fetch", {"path": 7, "channels": ["A"], "rows": "top-down", "window": "data"}).kind
        == "SettingError"
    )


def test_release_without_a_network_frees_nothing(host: Host) -> None:
    assert host.ask(1, "release").values == {"released": 0}


# Ends


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1"),
        (struct.pack(">4sIQ", MAGIC, 2**31, 0), "header of 2147483648 bytes"),
        (struct.pack(">4sIQ", MAGIC, 2, 2**40), "body of 1099511627776 bytes"),
        (struct.pack(">4sIQ", MAGIC, 2, 0) + b"{}", "id is NoneType"),
        (struct.pack(">4sIQ", MAGIC, 51, 0) + b'{"id": 1, "type": "event", "name": "x", "values":{}}'[:51], "not JSON"),
        (struct.pack(">4sIQ", MAGIC, 52, 0) + b'{"id": 1, "type": "event", "name": "x", "values":{}}', "not a Event"),
    ],
)
def test_what_is_no_request_is_answered_once_and_ends_the_worker(host: Host, data: bytes, message: str) -> None:
    host.stdin.write(data)
    answer = host.read()
    assert isinstance(answer, Failure)
    assert (answer.identifier, answer.kind) == (0, "ProtocolError")
    assert message in answer.message
    assert host.has_ended()


def test_a_request_that_is_cut_off_ends_the_worker(host: Host) -> None:
    host.stdin.write(MAGIC + b"\0\0\0\x40")
    host.stdin.close()
    answer = host.read()
    assert isinstance(answer, Failure)
    assert "ended inside a message's prefix" in answer.message
    assert host.has_ended()


def test_a_host_that_goes_away_ends_the_worker_and_its_job(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.stdin.close()
    assert host.has_ended()


def test_shutdown_is_answered_before_the_end(host: Host) -> None:
    assert host.ask(1, "shutdown") == Reply(1, {})
    assert host.has_ended()
    with pytest.raises(WireClosedError):
        host.read()


def test_shutdown_cancels_the_job_that_runs(host: Host, work: SlowWork) -> None:
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.send(Request(2, "shutdown"))
    assert isinstance(host.answer(1), Failure)
    assert host.has_ended()


def test_a_worker_that_nobody_asks_ends(make_host: Callable[..., Host]) -> None:
    assert make_host(idle_timeout=0.05).has_ended()


def test_a_worker_that_works_is_not_idle(make_host: Callable[..., Host], work: SlowWork) -> None:
    host = make_host(idle_timeout=0.3)
    host.send(Request(1, "matte", JOB))
    assert work.running.wait(WAIT)
    host.thread.join(1.0)
    assert host.thread.is_alive()


def test_signs_of_life_come_while_a_job_runs(
    work: SlowWork, monkeypatch: pytest.MonkeyPatch, make_host: Callable[..., Host]
) -> None:
    monkeypatch.setattr(server, "ALIVE", 0.05)
    host = make_host()
    host.send(Request(1, "matte", JOB))
    assert from_header(*read_frame(host.stdout)) == Event(1, "alive")


def test_a_host_that_does_not_read_does_not_keep_the_worker(
    host: Host, work: SlowWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FLUSH", 0.2)
    for identifier in range(1, 400):  # about 200 kB of answers: more than a pipe holds
        host.send(Request(identifier, "x" * 400))
    host.send(Request(1000, "matte", JOB))
    assert work.running.wait(WAIT)  # reading and working go on
    work.go.set()
    host.stdin.close()
    assert host.has_ended()
