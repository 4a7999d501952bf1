"""One job from knobs to result, against a FakeHost and workers that die on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossamer_bridge.errors import JobCancelledError, JobError, KnobError, WorkerDiedError, WorkerStartError
from gossamer_bridge.host import JobProgress
from gossamer_bridge.job import WorkerKeeper, run_job
from gossamer_bridge.pixels import Pixels
from gossamer_bridge.settings import Knobs
from tests.bridge.conftest import QUICK
from tests.fakes.fake_host import FakeHost
from tests.fakes.fake_worker import Life, fake_worker

DONE = {"backend": "onnxruntime 1", "device": "cpu", "precision": "fp32", "tile": "512x256"}
KNOBS = Knobs(plate="/s/plate.####.exr", trimap="/s/t.####.exr", output="/s/out/", frames="1-3")
STARTED = ["event", "started", {"frames": "1-3", "done": DONE}]
REPLY = ["reply", {"asked": {"device": "auto"}, "done": DONE, "seconds": 1.0, "notes": ["plate: sRGB"]}]

MakeKeeper = Callable[..., WorkerKeeper]


def frame(number: int) -> list[Any]:
    return ["event", "frame", {"frame": number, "outputs": [f"/s/out/a.{number}.exr"]}]


@pytest.fixture
def make_keeper(tmp_path: Path) -> Iterator[MakeKeeper]:
    """Keepers of fake workers; every request they get is written to ``tmp_path / requests``, one line each."""
    made: list[WorkerKeeper] = []

    def make(*lives: Life) -> WorkerKeeper:
        command = fake_worker(*lives, counter=tmp_path / "starts", requests=tmp_path / "requests")
        made.append(WorkerKeeper(replace(QUICK, command=command)))
        return made[-1]

    yield make
    for keeper in made:
        keeper.close()


@pytest.fixture
def jobs(tmp_path: Path) -> Callable[[], list[Any]]:
    """The jobs that the workers were given."""

    def read() -> list[Any]:
        lines = (tmp_path / "requests").read_text(encoding="utf-8").splitlines()
        requests = [json.loads(line) for line in lines]
        return [request["arguments"]["job"] for request in requests if request["verb"] == "matte"]

    return read


def test_a_job_tells_the_host_how_it_goes(make_keeper: MakeKeeper) -> None:
    progress = ["event", "progress", {"frame": 1, "part": 0.5}]
    keeper = make_keeper({"matte": [STARTED, progress, frame(1), frame(2), frame(3), REPLY]})
    host = FakeHost()
    result = run_job(KNOBS, host, keeper)
    assert [done.outputs for done in result.frames] == [(f"/s/out/a.{number}.exr",) for number in (1, 2, 3)]
    assert result.engine == "onnxruntime 1 on cpu, fp32, tile 512x256"
    assert (result.asked, result.notes, result.restarts) == ({"device": "auto"}, ("plate: sRGB",), 0)
    assert host.states == ["starting", "loading", "solving"]
    assert [round(report.fraction, 2) for report in host.reports] == [0, 0, 0, 0.17, 0.33, 0.67, 1]
    assert [report.frame for report in host.reports if report.finished] == [1, 2, 3]
    assert host.reports[2].seconds_left is None
    assert host.reports[-1].seconds_left == 0


def test_building_an_engine_is_told_before_the_first_frame(make_keeper: MakeKeeper) -> None:
    building = ["event", "building", {"part": 0.5, "text": "TensorRT, once for this card"}]
    host = FakeHost()
    run_job(KNOBS, host, make_keeper({"matte": [building, STARTED, REPLY]}))
    assert host.states == ["starting", "loading", "building", "solving"]
    (report,) = [report for report in host.reports if report.state == "building"]
    assert (report.part, report.notes) == (0.5, ("TensorRT, once for this card",))


def test_one_worker_serves_many_jobs(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper({"matte": [STARTED, REPLY]})
    run_job(KNOBS, FakeHost(), keeper)
    run_job(KNOBS, FakeHost(), keeper)
    assert (tmp_path / "starts").read_text(encoding="utf-8") == "1"


def test_a_wrong_knob_starts_nothing(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper({})
    with pytest.raises(KnobError, match="No plate is chosen"):
        run_job(Knobs(output="/o"), FakeHost(), keeper)
    assert keeper.current is None
    assert not (tmp_path / "starts").exists()


def test_a_host_that_is_cancelled_already_starts_nothing(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper({})
    with pytest.raises(JobCancelledError):
        run_job(KNOBS, FakeHost(cancelled=True), keeper)
    assert keeper.current is None


def test_cancelling_in_the_middle_of_a_frame_stops_the_job(make_keeper: MakeKeeper) -> None:
    progress = ["event", "progress", {"frame": 1, "part": 0.25}]
    keeper = make_keeper({"matte": [STARTED, progress, ["await_cancel"]]})
    host = FakeHost(cancel_when=lambda report: report.part > 0)
    with pytest.raises(JobCancelledError):
        run_job(KNOBS, host, keeper)
    assert keeper.current is not None
    assert keeper.current.is_alive


def test_a_job_goes_on_with_a_new_worker_where_the_old_one_died(
    make_keeper: MakeKeeper, jobs: Callable[[], list[Any]]
) -> None:
    first = {"matte": [STARTED, frame(1), ["log", "out of memory"], ["exit", 1]]}
    second = {"matte": [["event", "started", {"frames": "2-3", "done": DONE}], frame(2), frame(3), REPLY]}
    host = FakeHost()
    result = run_job(KNOBS, host, make_keeper(first, second))
    assert [done.frame for done in result.frames] == [1, 2, 3]
    assert result.restarts == 1
    assert [job["frames"] for job in jobs()] == ["1-3", "2-3"]
    assert host.states == ["starting", "loading", "solving", "restarting", "loading", "solving"]
    assert "out of memory" in host.messages[0]
    assert "started again" in host.messages[0]
    assert host.reports[-1].fraction == 1


def test_a_job_that_the_worker_cancels_unasked_goes_on_with_a_new_one(
    make_keeper: MakeKeeper, jobs: Callable[[], list[Any]]
) -> None:
    first = {"matte": [STARTED, frame(1), ["fail", "CancelledError", "Cancelled."], ["exit", 0]]}
    result = run_job(KNOBS, FakeHost(), make_keeper(first, {"matte": [frame(2), frame(3), REPLY]}))
    assert [done.frame for done in result.frames] == [1, 2, 3]
    assert result.restarts == 1
    assert [job["frames"] for job in jobs()] == ["1-3", "2-3"]


def test_a_worker_that_is_closed_during_a_job_is_not_started_again(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper({"matte": [STARTED, ["await_shutdown"], ["exit", 0]]})
    closing = threading.Thread(target=keeper.close)

    def close(report: JobProgress) -> bool:
        if report.state == "solving":
            closing.start()
        return False

    host = FakeHost(cancel_when=close)
    with pytest.raises(JobCancelledError, match="because the worker was closed"):
        run_job(KNOBS, host, keeper)
    closing.join(20)
    assert (tmp_path / "starts").read_text(encoding="utf-8") == "1"


def test_a_worker_that_dies_before_it_began_is_replaced_with_the_same_job(
    make_keeper: MakeKeeper, jobs: Callable[[], list[Any]]
) -> None:
    result = run_job(KNOBS, FakeHost(), make_keeper({"matte": [["exit", 1]]}, {"matte": [STARTED, REPLY]}))
    assert result.restarts == 1
    first, second = jobs()
    assert first == second


def test_a_frame_that_was_written_and_not_told_is_no_obstacle_after_a_restart(
    make_keeper: MakeKeeper, jobs: Callable[[], list[Any]]
) -> None:
    keeper = make_keeper({"matte": [STARTED, ["exit", 1]]}, {"matte": [STARTED, REPLY]})
    run_job(replace(KNOBS, existing="error"), FakeHost(), keeper)
    assert [job["outputs"]["existing"] for job in jobs()] == ["error", "skip"]


def test_a_worker_that_dies_after_the_last_frame_has_done_the_job(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper({"matte": [STARTED, frame(1), frame(2), frame(3), ["exit", 1]]})
    result = run_job(KNOBS, FakeHost(), keeper)
    assert [done.frame for done in result.frames] == [1, 2, 3]
    assert result.engine == "onnxruntime 1 on cpu, fp32, tile 512x256"


def test_a_worker_that_dies_twice_is_an_error_with_its_last_words(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper({"matte": [STARTED, ["log", "bad driver"], ["exit", 5]]})
    with pytest.raises(
        WorkerDiedError, match=r"died twice on this job.*exit code 5.*bad driver.*smaller tile"
    ) as caught:
        run_job(KNOBS, FakeHost(), keeper)
    assert caught.value.log == "bad driver"
    assert (tmp_path / "starts").read_text(encoding="utf-8") == "2"


def test_a_new_worker_that_does_not_start_is_an_error(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper({"matte": [["exit", 1]]}, {"start": [["log", "no disk"], ["exit", 1]]})
    with pytest.raises(WorkerStartError, match="no disk"):
        run_job(KNOBS, FakeHost(), keeper)


def test_a_host_that_is_cancelled_while_the_worker_dies_gets_no_new_one(
    make_keeper: MakeKeeper, tmp_path: Path
) -> None:
    keeper = make_keeper({"matte": [STARTED, ["exit", 1]]})
    host = FakeHost(cancel_when=lambda report: report.state == "solving")
    with pytest.raises(JobCancelledError):
        run_job(KNOBS, host, keeper)
    assert (tmp_path / "starts").read_text(encoding="utf-8") == "1"


def test_what_the_worker_refuses_is_no_reason_for_a_restart(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    keeper = make_keeper({"matte": [["fail", "SequenceError", "1 of 3 frames is missing."]]})
    with pytest.raises(JobError, match="1 of 3 frames is missing"):
        run_job(KNOBS, FakeHost(), keeper)
    assert (tmp_path / "starts").read_text(encoding="utf-8") == "1"


def test_pictures_in_memory_are_taken_on_the_main_thread_and_stored(
    make_keeper: MakeKeeper, jobs: Callable[[], list[Any]]
) -> None:
    keeper = make_keeper({"store": [["reply", {"path": "ignored"}]], "matte": [STARTED, REPLY]})
    host = FakeHost()
    plate = Pixels(1, 1, ("R", "G", "B"), bytes(12), color_space="ACEScg")
    knobs = replace(KNOBS, plate="", trimap="", frames="")
    run_job(knobs, host, keeper, pictures={"plate": lambda: plate, "trimap": lambda: Pixels(1, 1, ("A",), bytes(4))})
    (job,) = jobs()
    folder = Path(job["plate"]).parent
    assert job["trimap"] == str(folder / "trimap.exr")
    assert job["plate_space"] == "ACEScg"
    assert host.main_thread_calls == 2
    assert not folder.exists()


def test_a_picture_for_an_unknown_knob_is_refused(make_keeper: MakeKeeper) -> None:
    with pytest.raises(KnobError, match="No picture can be given for hair"):
        run_job(KNOBS, FakeHost(), make_keeper({}), pictures={"hair": lambda: Pixels(1, 1, ("A",), bytes(4))})


def test_changed_settings_close_the_worker(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper({})
    client = keeper.client()
    keeper.change(replace(client.settings, host="Nuke 16"))
    assert not client.is_alive
    assert keeper.client() is not client


def test_closing_a_keeper_ends_a_worker_that_is_being_started(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper({"hello": [["hang"]]})
    errors: list[Exception] = []

    def start() -> None:
        try:
            keeper.client()
        except WorkerStartError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    while keeper.starting_pid is None:
        assert thread.is_alive()
        thread.join(0.01)
    keeper.close()
    thread.join(20)
    assert len(errors) == 1
    assert keeper.current is None
