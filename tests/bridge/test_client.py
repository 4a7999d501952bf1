"""A client against workers that die, hang, lie and babble: an answer or a readable error, and no process left."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossamer_bridge import __version__
from gossamer_bridge.client import WorkerClient
from gossamer_bridge.errors import (
    BridgeError,
    JobCancelledError,
    JobError,
    WireFormatError,
    WireSizeError,
    WorkerDiedError,
    WorkerNotFoundError,
    WorkerStartError,
    WorkerTimeoutError,
    WorkerVersionError,
)
from gossamer_bridge.pixels import TOP_DOWN, Pixels
from gossamer_bridge.protocol import Event
from tests.bridge.conftest import QUICK
from tests.fakes.fake_worker import HELLO

Make = Callable[..., WorkerClient]
JOB = {"schema": 1, "plate": "/p"}


def is_running(pid: int) -> bool:
    """Whether a process of that number is there (and no zombie: the client has to reap its child)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# Start and hello


def test_hello_says_who_the_worker_is(make_client: Make) -> None:
    client = make_client()
    assert client.start().models[0].name == "gossamer-s"
    assert client.hello.describe() == "Gossamer 0.1.0, Python 3.11.0, cpu (a fake); models: gossamer-s"
    assert client.is_alive


def test_closing_leaves_no_process(make_client: Make) -> None:
    client = make_client()
    client.start()
    pid = client.pid
    client.close()
    client.close()
    assert pid is not None
    assert not is_running(pid)


def test_a_program_that_does_not_exist_is_named(make_client: Make) -> None:
    with pytest.raises(WorkerStartError, match=r"/nowhere/python cannot be started.*gossamer doctor"):
        make_client(command=("/nowhere/python",)).start()


def test_a_python_without_gossamer_is_told_what_to_install(make_client: Make) -> None:
    client = make_client(command=(sys.executable, "-I", "-S", "-m", "gossamer", "worker"))
    with pytest.raises(
        WorkerStartError, match=r"exit code 1.*No module named gossamer.*-m pip install gossamer-matting"
    ):
        client.start()


def test_no_python_at_all_says_what_to_run(make_client: Make, tmp_path: Path) -> None:
    client = make_client(command=(), environment={"HOME": str(tmp_path)})
    with pytest.raises(WorkerNotFoundError, match="gossamer install-hosts"):
        client.start()


@pytest.mark.parametrize("action", [["exit", 3], ["crash"]])
@pytest.mark.parametrize("when", ["start", "hello"])
def test_a_worker_that_dies_while_it_starts(make_client: Make, when: str, action: list[Any]) -> None:
    client = make_client({when: [["log", "CUDA is gone"], action]})
    with pytest.raises(WorkerStartError, match=r"ended before it answered.*Its last words: CUDA is gone"):
        client.start()
    assert not client.is_alive


def test_a_worker_that_never_says_hello_is_ended(make_client: Make) -> None:
    client = make_client({"hello": [["hang"]]}, start_timeout=0.5)
    with pytest.raises(WorkerTimeoutError, match=r"did not answer 'hello' within 0.5 s and was ended"):
        client.start()
    assert client.pid is not None
    assert not is_running(client.pid)


def test_starting_can_be_cancelled(make_client: Make) -> None:
    client = make_client({"hello": [["hang"]]})
    with pytest.raises(JobCancelledError, match="Cancelled"):
        client.start(cancelled=lambda: True)
    assert not client.is_alive


@pytest.mark.parametrize(
    ("theirs", "remedy"), [(0, "pip install --upgrade gossamer-matting"), (2, "gossamer install-hosts")]
)
def test_another_protocol_names_both_versions_and_what_to_run(make_client: Make, theirs: int, remedy: str) -> None:
    client = make_client({"hello": [["reply", {**HELLO, "protocol": theirs, "version": "0.7"}]]})
    with pytest.raises(WorkerVersionError, match=f"worker is Gossamer 0.7 with protocol {theirs}") as caught:
        client.start()
    assert f"add-on is {__version__} and wants protocol 1" in str(caught.value)
    assert remedy in str(caught.value)
    assert not client.is_alive


def test_a_worker_that_refuses_the_version_is_quoted(make_client: Make) -> None:
    client = make_client({"hello": [["fail", "VersionError", "Too old; update."]]})
    with pytest.raises(WorkerVersionError, match=r"^Too old; update\.$"):
        client.start()


def test_a_worker_that_refuses_to_talk_is_quoted(make_client: Make) -> None:
    client = make_client({"hello": [["fail", "ModelError", "The manifest is damaged."]]})
    with pytest.raises(WorkerStartError, match=r"refused the first question: The manifest is damaged\..*doctor"):
        client.start()


def test_an_answer_that_is_no_hello_is_refused(make_client: Make) -> None:
    client = make_client({"hello": [["reply", {"protocol": 1}]]})
    with pytest.raises(WireFormatError, match="is no Hello"):
        client.start()


def test_nothing_can_be_asked_before_the_start(make_client: Make) -> None:
    with pytest.raises(WorkerStartError, match="has not been started"):
        make_client().status()


# A job


def test_a_job_reports_and_ends(make_client: Make) -> None:
    client = make_client(
        {
            "matte": [
                ["event", "started", {"frames": "7"}],
                ["event", "alive", {}],
                ["event", "frame", {"frame": 7, "outputs": ["/o/a.exr"], "notes": ["odd"]}],
                ["reply", {"asked": {"device": "cuda"}, "done": {"device": "cpu"}, "seconds": 1}],
            ]
        }
    )
    client.start()
    told: list[Event] = []
    done = client.matte(JOB, on_event=told.append)
    assert (done.asked, done.done) == ({"device": "cuda"}, {"device": "cpu"})
    assert (done.frames[0].frame, done.frames[0].outputs, done.frames[0].notes) == (7, ("/o/a.exr",), ("odd",))
    assert [event.name for event in told] == ["started", "frame"]


def test_what_the_worker_refuses_keeps_its_kind_and_words(make_client: Make) -> None:
    client = make_client({"matte": [["fail", "TrimapError", "The trimap is black."]]})
    client.start()
    with pytest.raises(JobError, match=r"^The trimap is black\.$") as caught:
        client.matte(JOB)
    assert caught.value.kind == "TrimapError"
    assert client.is_alive


def test_what_the_worker_refuses_is_said_in_the_hosts_words(make_client: Make) -> None:
    said = "Give --tile a smaller number, or choose another --model. --layer is empty."
    client = make_client(
        {"matte": [["fail", "MemoryError", said]]}, knob_names={"--tile": "Tile Size", "--model": "Model"}
    )
    client.start()
    with pytest.raises(JobError) as caught:
        client.matte(JOB)
    assert str(caught.value) == "Give Tile Size a smaller number, or choose another Model. --layer is empty."


@pytest.mark.parametrize(
    "before", [[], [["event", "started", {}]], [["event", "started", {}], ["event", "progress", {"part": 0.5}]]]
)
def test_a_worker_that_dies_in_a_job_leaves_its_last_words(make_client: Make, before: list[Any]) -> None:
    client = make_client({"matte": [*before, ["log", "Segmentation fault, probably"], ["exit", 139]]})
    client.start()
    with pytest.raises(WorkerDiedError, match=r"exit code 139.*Segmentation fault, probably"):
        client.matte(JOB)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_a_worker_that_was_shot_hints_at_memory(make_client: Make) -> None:
    client = make_client({"matte": [["crash"]]})
    client.start()
    with pytest.raises(WorkerDiedError, match=r"was killed.*memory runs out.*smaller tile"):
        client.matte(JOB)


def test_a_job_that_is_cancelled_ends_with_the_workers_word(make_client: Make) -> None:
    client = make_client({"matte": [["event", "started", {}], ["await_cancel"]]})
    client.start()
    started = threading.Event()
    with pytest.raises(JobCancelledError, match="Cancelled"):
        client.matte(JOB, on_event=lambda event: started.set(), cancelled=started.is_set)
    assert client.is_alive


def test_cancelling_works_before_the_first_answer(make_client: Make) -> None:
    client = make_client({"matte": [["await_cancel"]]})
    client.start()
    with pytest.raises(JobCancelledError):
        client.matte(JOB, cancelled=lambda: True)


def test_a_cancel_that_nobody_sent_is_the_workers_end(make_client: Make) -> None:
    client = make_client({"matte": [["fail", "CancelledError", "Cancelled."], ["log", "SIGTERM"], ["exit", 0]]})
    client.start()
    with pytest.raises(WorkerDiedError, match=r"told to end from outside of the host.*SIGTERM.*smaller tile"):
        client.matte(JOB, cancelled=lambda: False)
    assert not client.is_alive


def test_a_worker_that_stops_unasked_and_stays_is_ended(make_client: Make) -> None:
    client = make_client({"matte": [["fail", "CancelledError", "Cancelled."], ["hang"]]}, close_timeout=0.3)
    client.start()
    with pytest.raises(WorkerDiedError, match="told to end"):
        client.matte(JOB)
    assert client.pid is not None
    assert not is_running(client.pid)


@pytest.mark.parametrize("last", [[], [["fail", "CancelledError", "Cancelled."]], [["raw", b"GSMR\0\0\0\x40".hex()]]])
def test_closing_cancels_what_is_open_however_the_worker_goes(make_client: Make, last: list[Any]) -> None:
    client = make_client({"matte": [["event", "started", {}], ["await_shutdown"], *last, ["exit", 0]]})
    client.start()
    errors: list[BridgeError] = []
    has_started = threading.Event()

    def ask() -> None:
        try:
            client.matte(JOB, on_event=lambda event: has_started.set())
        except BridgeError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert has_started.wait(20)
    client.close()
    thread.join(20)
    assert [type(error) for error in errors] == [JobCancelledError]


def test_a_worker_that_does_not_obey_a_cancel_is_ended(make_client: Make) -> None:
    client = make_client({"matte": [["hang", True]]}, cancel_timeout=0.3)
    client.start()
    with pytest.raises(JobCancelledError, match=r"did not stop by itself and was ended; it starts again"):
        client.matte(JOB, cancelled=lambda: True)
    assert client.pid is not None
    assert not is_running(client.pid)


def test_a_worker_that_falls_silent_counts_as_dead(make_client: Make) -> None:
    client = make_client(
        {"matte": [["event", "started", {}], ["log", "deep in a driver"], ["hang"]]}, silence_timeout=1
    )
    client.start()
    with pytest.raises(WorkerDiedError, match=r"no sign of life for 1 s.*deep in a driver"):
        client.matte(JOB)
    assert not client.is_alive


def test_a_job_that_lives_and_does_not_move_is_ended(make_client: Make) -> None:
    beat = [["event", "alive", {}], ["sleep", 0.1]]
    client = make_client({"matte": beat * 100}, stall_timeout=0.7)
    client.start()
    with pytest.raises(WorkerTimeoutError, match=r"no progress for 0.7 s and was ended.*gossamer run"):
        client.matte(JOB)


def test_waiting_behind_another_job_is_no_stall(make_client: Make) -> None:
    beat = [["event", "alive", {}], ["sleep", 0.1]]
    client = make_client({"matte": [["event", "queued", {}], *beat * 10, ["reply", {}]]}, stall_timeout=0.5)
    client.start()
    assert client.matte(JOB).frames == ()


def test_a_host_function_that_fails_ends_the_waiting_and_is_raised(make_client: Make) -> None:
    client = make_client(
        {"matte": [["event", "started", {}], ["sleep", 0.1], ["reply", {}]], "status": [["fail", "X", "x"]]}
    )
    client.start()

    def fail(event: Event) -> None:
        raise ZeroDivisionError("the adapter's own")

    with pytest.raises(ZeroDivisionError, match="the adapter's own"):
        client.matte(JOB, on_event=fail)
    with pytest.raises(JobError, match=r"^x$"):  # and the client still works
        client.status()


# The wire


@pytest.mark.parametrize("where", ["hello", "matte"])
def test_garbage_on_the_pipe_ends_the_worker(make_client: Make, where: str) -> None:
    client = make_client({where: [["raw", b"Traceback (most recent call last)".hex()], ["hang"]]})

    def go() -> None:
        client.start()
        client.matte(JOB)

    with pytest.raises((WorkerDiedError, WorkerStartError), match=r"Traceback \(most.*something else writes"):
        go()
    assert not client.is_alive


def test_a_message_cut_off_by_the_workers_death_is_an_error(make_client: Make) -> None:
    client = make_client({"matte": [["raw", b"GSMR\0\0\0\x40".hex()], ["exit", 0]]})
    client.start()
    with pytest.raises(WorkerDiedError, match="ended inside a message's prefix"):
        client.matte(JOB)


def test_an_oversized_announcement_is_an_error(make_client: Make) -> None:
    client = make_client({"matte": [["raw", (b"GSMR" + b"\xff" * 12).hex()], ["hang"]]})
    client.start()
    with pytest.raises(WorkerDiedError, match="announces a header of 4294967295 bytes"):
        client.matte(JOB)


def test_a_worker_that_could_not_read_is_given_up(make_client: Make) -> None:
    header = b'{"type":"failure","id":0,"kind":"ProtocolError","message":"garbage came","exit_code":2,"values":{}}'
    frame = b"GSMR" + len(header).to_bytes(4, "big") + bytes(8) + header
    client = make_client({"matte": [["raw", frame.hex()], ["hang"]]})
    client.start()
    with pytest.raises(WorkerDiedError, match="could not read a message: garbage came"):
        client.matte(JOB)


def test_a_closed_pipe_of_a_living_process_is_a_death(make_client: Make) -> None:
    client = make_client({"matte": [["mute"], ["hang"]]}, close_timeout=0.3)
    client.start()
    with pytest.raises(WorkerDiedError, match="closed its end of the pipe and was ended"):
        client.matte(JOB)
    assert client.pid is not None
    assert not is_running(client.pid)


def test_a_message_too_large_is_refused_before_it_is_sent(make_client: Make) -> None:
    client = make_client({"matte": [["reply", {}]]})
    client.start()
    with pytest.raises(WireSizeError, match=r"header has \d+ bytes.*shorter paths"):
        client.matte({"plate": "x" * 5_000_000})
    assert client.matte(JOB).frames == ()


def test_a_million_characters_of_path_arrive(make_client: Make) -> None:
    client = make_client({"matte": [["fail", "ImageReadError", "File name too long."]]})
    client.start()
    with pytest.raises(JobError, match="too long"):
        client.matte({"plate": "/" + "x" * 1_000_000})


def test_a_worker_that_does_not_read_is_given_up(make_client: Make) -> None:
    client = make_client({"status": [["reply", {}], ["hang"]]}, silence_timeout=1)
    client.start()
    pixels = Pixels(512, 512, ("R", "G", "B", "A"), bytes(512 * 512 * 16))
    with pytest.raises(WireFormatError, match="is no Status"):
        client.status()  # after this answer the fake reads no more
    with pytest.raises(WorkerTimeoutError, match="did not read a message within 1 s and was ended"):
        client.store(pixels, "/t", "plate")
    assert not client.is_alive


def test_a_flood_of_log_stalls_nothing_and_is_cut(make_client: Make) -> None:
    flood = [["log", "x" * 9000], *[["log", f"line {number}"] for number in range(300)]]
    client = make_client({"matte": [*flood, ["exit", 1]]})
    client.start()
    with pytest.raises(WorkerDiedError, match="line 299") as caught:
        client.matte(JOB)
    assert len(caught.value.log) < 500


# Small questions


def test_a_busy_worker_is_not_ended_for_a_late_status(make_client: Make) -> None:
    client = make_client({"status": [["sleep", 1.5]]}, answer_timeout=0.3)
    client.start()
    with pytest.raises(WorkerTimeoutError, match=r"did not answer within 0.3 s\. It is busy; ask later"):
        client.status()
    assert client.is_alive


def test_pixels_travel_both_ways(make_client: Make) -> None:
    data = bytes(range(24))
    values = {"width": 2, "height": 3, "channels": ["A"], "rows": "top-down"}
    client = make_client({"store": [["reply", {"path": "/t/plate.exr"}]], "fetch": [["reply", values, data.hex()]]})
    client.start()
    pixels = Pixels(2, 3, ("A",), data, rows=TOP_DOWN)
    assert client.store(pixels, "/t", "plate") == "/t/plate.exr"
    assert client.fetch("/t/plate.exr", rows=TOP_DOWN) == pixels


def test_two_threads_get_their_own_answers(make_client: Make) -> None:
    slow = [["event", "started", {}], ["sleep", 0.5], ["reply", {"seconds": 7}]]
    status = {"state": "idle", "queued": 0, "loaded": [], "memory_used": 0, "memory_free": 0}
    client = make_client({"matte": slow, "status": [["reply", status]]})
    client.start()
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(client.matte(JOB).seconds))
    thread.start()
    assert client.status().state == "idle"
    thread.join(20)
    assert found == [7.0]


def test_the_workers_environment_is_clean(make_client: Make, tmp_path: Path) -> None:
    program = "import os, sys; sys.exit('path:' + os.environ.get('PYTHONPATH', 'clean'))"
    environ = {**os.environ, "PYTHONPATH": "/nuke"}
    client = WorkerClient(replace(QUICK, command=(sys.executable, "-c", program), environment=environ))
    with pytest.raises(WorkerStartError, match="path:clean"):
        client.start()
