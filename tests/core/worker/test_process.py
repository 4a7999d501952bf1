"""The real worker as a process: it works, stops when told, and never outlives its host."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gossamer.image.io import read_image
from gossamer_bridge.client import WorkerClient, WorkerSettings
from gossamer_bridge.errors import BridgeError, JobCancelledError, JobError, WorkerDiedError
from gossamer_bridge.host import JobProgress
from gossamer_bridge.job import JobResult, WorkerKeeper, run_job
from gossamer_bridge.pixels import BOTTOM_UP, TOP_DOWN, Pixels
from gossamer_bridge.protocol import Event
from gossamer_bridge.settings import Knobs, frames_text
from tests.core.worker.conftest import ROOT, WAIT, worker_program
from tests.fakes.fake_host import FakeHost

MakeWorker = Callable[..., WorkerClient]
MakeJob = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process numbers of POSIX")

SLOW = (
    "import time, gossamer.inference.backends.onnx_runtime as b; infer = b.OnnxBackend.infer; "
    "b.OnnxBackend.infer = lambda *a: (time.sleep(0.3), infer(*a))[1]; "
)
"""A network that needs longer for a tile than a message needs for its way."""


def is_running(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    """Whether the process is gone within WAIT seconds."""
    deadline = time.monotonic() + WAIT
    while is_running(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.05)
    return True


def mattes(folder: Path) -> list[Path]:
    """What a sequence reader finds; a hidden temporary file of a killed worker is none, and goes with a later job."""
    return sorted(path for path in folder.glob("*.exr") if not path.name.startswith("."))


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerClient]:
    """One real worker for the tests that leave it as it was."""
    with WorkerClient(WorkerSettings(command=worker_program())) as client:
        yield client


def test_a_shot_goes_through_host_bridge_and_worker(make_job: MakeJob, tiny_weights: Path, tmp_path: Path) -> None:
    job = make_job()
    keeper = WorkerKeeper(WorkerSettings(command=worker_program(), host="a test"))
    knobs = Knobs(
        plate=job["plate"], trimap="trimap.####.exr", model=str(tiny_weights), output="result/", frames="1001-1002"
    )
    host = FakeHost()
    try:
        result = run_job(knobs, host, keeper, base_folder=str(Path(job["plate"]).parent))
        assert [frame.frame for frame in result.frames] == [1001, 1002]
        assert (result.done["device"], result.asked["device"]) == ("cpu", "auto")
        path = result.frames[0].outputs[0]
        fetched = keeper.client().fetch(path, ("A",), rows=BOTTOM_UP)
        expected = read_image(Path(path)).channel("A")[::-1]
        np.testing.assert_array_equal(np.frombuffer(fetched.data, "<f4").reshape(expected.shape), expected)
        assert host.reports[-1].fraction == 1
    finally:
        keeper.close()


def test_a_picture_that_exists_in_memory_only_is_matted_the_right_way_up(tiny_weights: Path, tmp_path: Path) -> None:
    plate = np.random.default_rng(1).random((40, 60, 3), np.float32)
    trimap = np.zeros((40, 60, 1), np.float32)
    trimap[:10], trimap[10:16] = 1, 0.5  # foreground at the first rows in memory: the lowest of the picture
    keeper = WorkerKeeper(WorkerSettings(command=worker_program()))
    pictures = {
        "plate": lambda: Pixels(60, 40, ("R", "G", "B"), plate.tobytes(), rows=BOTTOM_UP, color_space="srgb_tx"),
        "trimap": lambda: Pixels(60, 40, ("A",), trimap.tobytes(), rows=BOTTOM_UP),
    }
    knobs = Knobs(model=str(tiny_weights), output=str(tmp_path / "matte.exr"))
    try:
        result = run_job(knobs, FakeHost(), keeper, pictures=pictures)
    finally:
        keeper.close()
    alpha = read_image(tmp_path / "matte.exr").channel("A")
    assert (alpha[-10:] == 1).all()
    assert (alpha[:24] == 0).all()
    assert "sRGB" in result.notes[0]


def test_the_readmes_example_of_pictures_in_memory_runs_as_it_stands(tiny_weights: Path, tmp_path: Path) -> None:
    text = (ROOT / "core" / "gossamer_bridge" / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    chosen = re.search(r"^knobs = Knobs\(.*?^\)\n", first, re.DOTALL | re.MULTILINE)
    assert chosen is not None
    seen: list[float] = []
    keeper = WorkerKeeper(WorkerSettings(command=worker_program()))
    names: dict[str, Any] = {
        "Knobs": partial(Knobs, model=str(tiny_weights)),
        "frames_text": frames_text,
        "run_job": run_job,
        "Port": FakeHost,
        "keeper": keeper,
        "width": 60,
        "height": 40,
        "float32_bytes": np.full((40, 60, 4), 0.5, np.float32).tobytes(),
        "image": SimpleNamespace(pixels=SimpleNamespace(foreach_set=seen.extend)),
    }
    # The trimap has one channel, and the example gives both inputs the bytes of that name.
    example = second.replace('("A",), float32_bytes', '("A",), float32_bytes[: 40 * 60 * 4]')
    try:
        exec((chosen[0] + example).replace('"/shot/', f'"{tmp_path}/'), names)
    finally:
        keeper.close()
    assert len(seen) == 40 * 60
    assert (tmp_path / "matte" / "plate_alpha.exr").is_file()


def test_prints_of_libraries_do_not_reach_the_wire(make_worker: MakeWorker, make_job: MakeJob) -> None:
    noise = (
        "import os, gossamer.worker.jobs as jobs; old = jobs.matte\n"
        "def noisy(*arguments):\n"
        "    print('hello', flush=True); os.write(1, b'from C'); os.system('echo child')\n"
        "    return old(*arguments)\n"
        "jobs.matte = noisy\n"
    )
    worker = make_worker(noise)
    assert len(worker.matte(make_job()).frames) == 3
    worker.close()
    for text in ("hello", "from C", "child"):
        assert text in worker.log_tail()


def test_cancelling_in_the_middle_of_a_frame_leaves_whole_frames_and_a_warm_worker(
    make_worker: MakeWorker, make_job: MakeJob, tmp_path: Path
) -> None:
    worker = make_worker(SLOW)
    progress = threading.Event()

    def listen(event: Event) -> None:
        if event.name == "progress":
            progress.set()

    with pytest.raises(JobCancelledError, match=r"Cancelled\. \d of 3 frames are finished and stay"):
        worker.matte(make_job(tile=64), on_event=listen, cancelled=progress.is_set)
    for path in mattes(tmp_path / "out"):
        assert read_image(path).channel("A").shape == (48, 64)
    assert worker.matte(make_job()).was_loaded


def test_a_cancelled_range_goes_on_where_it_stopped(make_job: MakeJob, tiny_weights: Path, tmp_path: Path) -> None:
    job = make_job()
    knobs = Knobs(
        plate=job["plate"],
        trimap=job["trimap"],
        model=str(tiny_weights),
        output=job["outputs"]["path"],
        existing="skip",
    )
    keeper = WorkerKeeper(WorkerSettings(command=worker_program(SLOW)))

    def first_frame_is_there(progress: JobProgress) -> bool:
        return bool(progress.finished)

    try:
        with pytest.raises(JobCancelledError):
            run_job(knobs, FakeHost(cancel_when=first_frame_is_there), keeper)
        finished = len(mattes(tmp_path / "out"))
        result = run_job(knobs, FakeHost(), keeper)
    finally:
        keeper.close()
    assert finished >= 1
    assert len(result.frames) == 3 - finished
    assert result.finished_before.startswith("1001")
    assert len(mattes(tmp_path / "out")) == 3


def test_a_worker_killed_while_it_writes_leaves_no_half_file_and_is_replaced(
    make_job: MakeJob, tiny_weights: Path, tmp_path: Path
) -> None:
    job = make_job()
    # The encoder writes half of the second frame, then the process is shot; only once.
    shot = (
        "import os, pathlib, gossamer.image.writing as w; old = w._write; calls = []; "
        f"once = pathlib.Path({str(tmp_path / 'once')!r})\n"
        "def shoot(temporary, path, spec, samples):\n"
        "    calls.append(path)\n"
        "    if len(calls) == 2 and not once.exists():\n"
        "        once.touch(); temporary.write_bytes(b'half'); os.kill(os.getpid(), 9)\n"
        "    return old(temporary, path, spec, samples)\n"
        "w._write = shoot\n"
    )
    keeper = WorkerKeeper(WorkerSettings(command=worker_program(shot)))
    knobs = Knobs(plate=job["plate"], trimap=job["trimap"], model=str(tiny_weights), output=job["outputs"]["path"])
    host = FakeHost()
    try:
        result = run_job(knobs, host, keeper)
    finally:
        keeper.close()
    assert result.restarts == 1
    assert "was killed" in host.messages[0]
    assert sorted(frame.frame for frame in result.frames) == [1001, 1002, 1003]
    for path in mattes(tmp_path / "out"):
        assert read_image(path).channel("A").shape == (48, 64)
    assert len(mattes(tmp_path / "out")) == 3


@pytest.mark.parametrize("where", ["open_source", "create_solver"])
def test_a_worker_killed_while_it_prepares_is_an_error_with_a_reason(
    make_worker: MakeWorker, make_job: MakeJob, where: str, tmp_path: Path
) -> None:
    shot = f"import os, gossamer.inference.plan as p; p.{where} = lambda *a, **k: os.kill(os.getpid(), 9); "
    worker = make_worker(shot)
    with pytest.raises(WorkerDiedError, match="The worker was killed"):
        worker.matte(make_job())
    assert mattes(tmp_path / "out") == []


def test_what_is_wrong_with_a_job_is_said_in_the_workers_own_words(worker: WorkerClient, make_job: MakeJob) -> None:
    with pytest.raises(JobError, match=r"1 of 4 frames are missing: 1004") as caught:
        worker.matte(make_job(frames="1001-1004"))
    assert caught.value.kind == "SequenceError"
    with pytest.raises(JobError, match="No weights named 'nobody'"):
        worker.matte(make_job(model="nobody"))
    with pytest.raises(JobError):
        worker.matte(make_job(plate="/" + "x" * 1_000_000))
    assert worker.matte(make_job()).frames[0].frame == 1001


def test_released_memory_is_loaded_again_when_it_is_needed(worker: WorkerClient, tiny_weights: Path) -> None:
    assert not worker.prepare(str(tiny_weights)).was_loaded
    assert worker.status().loaded == ("tiny",)
    assert worker.release() == 1
    assert worker.status().loaded == ()
    assert not worker.prepare(str(tiny_weights)).was_loaded


def test_pixels_in_memory_survive_the_way_to_a_file_and_back(worker: WorkerClient, tmp_path: Path) -> None:
    pixels = Pixels(3, 2, ("R", "G", "B"), np.arange(18, dtype="<f4").tobytes(), rows=BOTTOM_UP)
    path = worker.store(pixels, str(tmp_path), "plate")
    assert worker.fetch(path, ("R", "G", "B"), rows=BOTTOM_UP) == pixels
    assert worker.fetch(path, ("R", "G", "B"), rows=TOP_DOWN) == pixels.with_rows(TOP_DOWN)


# Ends


def test_an_idle_worker_ends_by_itself_and_the_next_job_starts_another(make_job: MakeJob) -> None:
    keeper = WorkerKeeper(WorkerSettings(command=worker_program("", "--idle-timeout", "1")))
    try:
        first = keeper.client()
        assert first.pid is not None
        assert ends(first.pid)
        assert len(keeper.client().matte(make_job()).frames) == 3
    finally:
        keeper.close()


def test_a_signal_ends_the_worker_politely(make_worker: MakeWorker) -> None:
    worker = make_worker()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGTERM)
    assert ends(worker.pid)
    assert "a signal asked for it" in worker.log_tail()


class Queued:
    """Two jobs for one worker: the second waits behind the first. Each frame takes a moment and gives nothing."""

    FRAMES = """
import time
import gossamer.worker.jobs as jobs
from gossamer.errors import CancelledError
from gossamer_bridge.settings import parse_frames

def matte(values, networks, emit, cancelled):
    emit("started", {"frames": values["frames"], "total": 1, "done": {}})
    for frame in parse_frames(values["frames"]):
        deadline = time.monotonic() + float(values["plate_space"])
        while time.monotonic() < deadline:
            if cancelled() and values["outputs"]["layer"] != "deaf":
                raise CancelledError("Cancelled.")
            time.sleep(0.02)
        emit("frame", {"frame": frame, "outputs": ["/m.exr"]})
    return {"asked": {}, "done": {}, "seconds": 1.0}

jobs.matte = matte
"""

    def __init__(self, **settings: Any) -> None:
        self.keeper = WorkerKeeper(WorkerSettings(command=worker_program(self.FRAMES), **settings))
        self.results: dict[str, JobResult | BridgeError] = {}
        self.threads: list[threading.Thread] = []

    def begin(self, name: str, host: FakeHost, *, frames: str, seconds: float = 0.2, layer: str = "") -> None:
        """Give the job to the worker, in a thread, and wait until the worker has it."""
        knobs = Knobs(plate="/p", output="/o", frames=frames, plate_space=str(seconds), layer=layer)

        def run() -> None:
            try:
                self.results[name] = run_job(knobs, host, self.keeper)
            except BridgeError as error:
                self.results[name] = error

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        client = self.keeper.client()
        while (status := client.status()).state == "idle" or status.queued + 1 < len(self.threads):
            time.sleep(0.02)

    def end(self) -> None:
        """Wait for every job."""
        for thread in self.threads:
            thread.join(WAIT)
            assert not thread.is_alive()

    def frames_of(self, name: str) -> list[int]:
        result = self.results[name]
        assert isinstance(result, JobResult), result
        return [frame.frame for frame in result.frames]


@pytest.fixture
def queued() -> Iterator[Callable[..., Queued]]:
    made: list[Queued] = []

    def make(**settings: Any) -> Queued:
        made.append(Queued(**settings))
        return made[-1]

    yield make
    for entry in made:
        entry.keeper.close()


def test_cancelling_a_job_that_waits_leaves_the_one_before_it_alone(queued: Callable[..., Queued]) -> None:
    both = queued(cancel_timeout=1.0)
    waiting = FakeHost()
    both.begin("first", FakeHost(), frames="1,2", seconds=1.5)
    both.begin("second", waiting, frames="1")
    waiting.cancel()
    both.end()
    assert isinstance(both.results["second"], JobCancelledError)
    assert both.frames_of("first") == [1, 2]
    first = both.results["first"]
    assert isinstance(first, JobResult)
    assert first.restarts == 0


def test_a_job_whose_worker_gets_a_signal_from_elsewhere_goes_on_with_another(queued: Callable[..., Queued]) -> None:
    both = queued()
    host, waiting = FakeHost(), FakeHost()
    both.begin("first", host, frames="1,2,3", seconds=0.4)
    both.begin("second", waiting, frames="7")
    while not any(report.finished for report in host.reports):
        time.sleep(0.02)
    pid = both.keeper.client().pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    both.end()
    assert both.frames_of("first") == [1, 2, 3]
    assert both.frames_of("second") == [7]
    assert [len(entry.messages) for entry in (host, waiting)] == [1, 1]
    assert "told to end from outside of the host" in host.messages[0]


def test_a_job_whose_worker_is_ended_for_another_jobs_sake_goes_on_with_another(
    queued: Callable[..., Queued],
) -> None:
    both = queued(cancel_timeout=0.3)
    deaf, waiting = FakeHost(), FakeHost()
    both.begin("deaf", deaf, frames="1", seconds=60.0, layer="deaf")
    both.begin("waiting", waiting, frames="7")
    deaf.cancel()
    both.end()
    assert "did not stop by itself" in str(both.results["deaf"])
    assert both.frames_of("waiting") == [7]
    assert "because another job was cancelled and did not stop in time" in waiting.messages[0]


def test_a_worker_that_its_own_host_closes_is_not_started_again_for_the_jobs_it_had(
    queued: Callable[..., Queued],
) -> None:
    both = queued()
    hosts = FakeHost(), FakeHost()
    both.begin("first", hosts[0], frames="1", seconds=60.0)
    both.begin("second", hosts[1], frames="1")
    both.keeper.close()
    both.end()
    assert [type(both.results[name]) for name in ("first", "second")] == [JobCancelledError] * 2
    assert [host.messages for host in hosts] == [[], []]
    assert both.keeper.current is None


HOST_PROGRAM = """
import json, os, sys, time
sys.path[:0] = [{root!r} + "/core", {root!r}]
from gossamer_bridge.client import WorkerClient, WorkerSettings
client = WorkerClient(WorkerSettings(command=tuple(json.loads(sys.argv[1]))))
client.start()
print(client.pid, flush=True)
time.sleep(600)
"""


def test_a_host_that_is_killed_leaves_no_orphan() -> None:
    command = [sys.executable, "-c", HOST_PROGRAM.format(root=str(ROOT)), json.dumps(worker_program())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        worker = int(host.stdout.readline())
        assert is_running(worker)
        host.kill()
    assert ends(worker)


PIPE_KEEPER = """
import json, os, subprocess, sys, time
worker = subprocess.Popen(json.loads(sys.argv[1]), stdin=int(sys.argv[2]), stdout=subprocess.DEVNULL)
print(worker.pid, flush=True)
time.sleep(600)
"""


def test_a_host_that_is_killed_leaves_no_orphan_though_its_pipe_stays_open() -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-c", PIPE_KEEPER, json.dumps(worker_program()), str(reading)]
    try:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, pass_fds=(reading,), **pipes) as host:
            assert host.stdout is not None
            assert host.stderr is not None
            worker = int(host.stdout.readline())
            assert f"worker {worker} serves process {host.pid}" in host.stderr.readline()
            host.kill()
            assert ends(worker)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_worker_whose_work_cannot_be_stopped_ends_all_the_same(make_job: MakeJob) -> None:
    stuck = (
        "import time, gossamer.worker.jobs as jobs, gossamer.worker.watch as w\n"
        "jobs.matte = lambda *a: time.sleep(600)\n"
        "w.watch_parent.__kwdefaults__['grace'] = 0.5\n"
    )
    client = WorkerClient(WorkerSettings(command=worker_program(stuck), close_timeout=WAIT))
    client.start()

    def ask() -> None:
        with pytest.raises(JobCancelledError, match="because the worker was closed"):
            client.matte(make_job())

    thread = threading.Thread(target=ask)
    thread.start()
    while client.status().state == "idle":
        time.sleep(0.05)
    client.close()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert "stops where it is" in client.log_tail()
