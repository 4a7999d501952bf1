"""One job from knobs to result against a FakeHost and workers that misbehave."""

from __future__ import annotations

from gossamer_bridge.client import WorkerSettings
from gossamer_bridge.job import WorkerKeeper, run_job
from gossamer_bridge.settings import Knobs
from tests.fakes.fake_host import FakeHost
from tests.fakes.fake_worker import fake_worker

DONE = {"backend": "onnxruntime 1", "device": "cpu", "precision": "fp32", "tile": 0}
KNOBS = Knobs(plate="/s/plate.####.exr", trimap="/s/t.####.exr", output="/s/out/", frames="1-3")


def test_a_job_runs_to_its_end() -> None:
    life = {
        "matte": [
            ["event", "started", {"frames": "1-1", "done": DONE}],
            ["event", "progress", {"frame": 1, "part": 0.5}],
            ["event", "frame", {"frame": 1, "outputs": ["/s/out/a.exr"], "seconds": {}}],
            ["reply", {"asked": {}, "done": DONE, "seconds": 1.0}],
        ]
    }
    host, keeper = FakeHost(), WorkerKeeper(WorkerSettings(command=fake_worker(life)))
    try:
        result = run_job(KNOBS, host, keeper)
    finally:
        keeper.close()
    assert [frame.outputs for frame in result.frames] == [("/s/out/a.exr",)]
    assert host.states == ["starting", "loading", "solving"]
