"""The port and the thread behind it, against workers that misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gossamer_blender.host import BlenderHost, MainThreadBusyError
from gossamer_blender.run import Order, Run
from gossamer_bridge.client import WorkerSettings
from gossamer_bridge.errors import JobCancelledError
from gossamer_bridge.job import WorkerKeeper
from gossamer_bridge.pixels import Pixels
from gossamer_bridge.settings import Knobs
from tests.blender_addon.conftest import matte_life
from tests.fakes.fake_worker import Life, fake_worker

STORED: Life = {"store": [["reply", {"path": "/stored.exr"}]]}


@pytest.fixture
def keep() -> Iterator[Callable[..., WorkerKeeper]]:
    keepers: list[WorkerKeeper] = []

    def make(*lives: Life, counter: Path | None = None) -> WorkerKeeper:
        keepers.append(WorkerKeeper(WorkerSettings(command=fake_worker(*lives, counter=counter))))
        return keepers[-1]

    yield make
    for keeper in keepers:
        keeper.close()


def finish(run: Run) -> None:
    run.start()
    end = time.monotonic() + 30
    while not run.is_finished:
        assert time.monotonic() < end
        run.tend(0.01)
        time.sleep(0.005)


def order(tmp_path: Path, **more: object) -> Order:
    return Order(Knobs(plate="/p.exr", output=str(tmp_path / "m.exr")), cache=tmp_path / "cache", **more)  # type: ignore[arg-type]


def test_calls_are_made_on_the_thread_that_tends_and_errors_come_back() -> None:
    host, seen = BlenderHost(), []

    def work() -> None:
        seen.append(host.run_on_main_thread(threading.get_ident))
        with pytest.raises(ZeroDivisionError):
            host.run_on_main_thread(lambda: 1 // 0)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        host.make_calls()
    assert seen == [threading.get_ident()]


def test_a_main_thread_that_never_comes_is_given_up() -> None:
    with pytest.raises(MainThreadBusyError, match=r"busy with something else for 0.1 seconds. Wait until the render"):
        BlenderHost(deadline=0.1).run_on_main_thread(lambda: None)


def test_cancelling_frees_a_thread_that_waits_for_the_main_thread_and_its_call_is_not_made() -> None:
    host, made = BlenderHost(), []
    host.cancel()
    with pytest.raises(JobCancelledError):
        host.run_on_main_thread(lambda: made.append(1))
    host.make_calls()
    assert made == []


def test_steps_come_before_the_job_and_pictures_are_stored_under_their_content(
    tmp_path: Path, keep: Callable[..., WorkerKeeper]
) -> None:
    done: list[str] = []
    pixels = Pixels(1, 1, ("Y",), bytes(4))
    run = Run(
        order(tmp_path, steps=(lambda: done.append("step"),), pictures={"trimap": lambda: pixels}),
        keep({**STORED, **matte_life(tmp_path / "m.exr")}),
    )
    finish(run)
    assert run.error is None
    assert done == ["step"]
    assert run.host.finished == {1: (str(tmp_path / "m.exr"),)}


def test_a_worker_that_dies_while_a_picture_is_stored_is_replaced_once(
    tmp_path: Path, keep: Callable[..., WorkerKeeper]
) -> None:
    pixels = Pixels(1, 1, ("Y",), bytes(4))
    lives = ({"store": [["crash"]]}, {**STORED, **matte_life(tmp_path / "m.exr")})
    run = Run(order(tmp_path, pictures={"trimap": lambda: pixels}), keep(*lives, counter=tmp_path / "n"))
    finish(run)
    assert run.error is None
    assert run.result is not None


def test_a_worker_that_dies_twice_is_an_error_that_carries_its_last_words(
    tmp_path: Path, keep: Callable[..., WorkerKeeper]
) -> None:
    run = Run(order(tmp_path), keep({"matte": [["log", "out of everything"], ["crash"]]}))
    finish(run)
    assert "died twice" in str(run.error)
    assert "out of everything" in str(run.error)


def test_a_bug_in_a_step_becomes_a_message_and_not_a_job_that_never_ends(
    tmp_path: Path, keep: Callable[..., WorkerKeeper]
) -> None:
    run = Run(order(tmp_path, steps=(lambda: [][0],)), keep({}))
    finish(run)
    assert "IndexError: list index out of range The console has the details" in str(run.error)


def test_stopping_ends_a_job_whose_main_thread_is_the_one_that_stops(
    tmp_path: Path, keep: Callable[..., WorkerKeeper]
) -> None:
    run = Run(order(tmp_path, steps=(lambda: None,)), keep({}))
    run.start()
    assert run.stop(timeout=10)
    assert run.is_cancelled


def test_a_job_is_cancelled_while_the_worker_works(tmp_path: Path, keep: Callable[..., WorkerKeeper]) -> None:
    run = Run(order(tmp_path), keep({"matte": [["event", "progress", {"frame": 1, "part": 0.1}], ["await_cancel"]]}))
    run.start()
    end = time.monotonic() + 30
    while run.host.progress.frame is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert run.stop(timeout=20)
    assert run.is_cancelled
    assert run.error is None
