"""A job inside the worker, with a tiny network and a small shot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.errors import CancelledError, GossamerError, SettingError
from gossamer.image.io import read_image
from gossamer.worker import jobs
from gossamer.worker.jobs import matte, prepare_model
from gossamer.worker.networks import KeptNetworks
from gossamer_bridge.answers import Prepared

MakeJob = Callable[..., dict[str, Any]]


class Told:
    """Keeps the events that a job emits."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, name: str, values: Mapping[str, Any]) -> None:
        self.events.append((name, values))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def values(self, name: str) -> list[Mapping[str, Any]]:
        return [values for found, values in self.events if found == name]


def never() -> bool:
    return False


def test_a_job_tells_what_it_does_and_writes_its_frames(make_job: MakeJob, tmp_path: Path) -> None:
    told = Told()
    answer = matte(make_job(tile=64, device="auto"), KeptNetworks(), told, never)
    assert told.names[0] == "started"
    (started,) = told.values("started")
    assert (started["frames"], started["total"]) == ("1001-1003", 3)
    assert (answer["asked"]["device"], answer["asked"]["tile"]) == ("auto", 64)
    assert (answer["done"]["device"], answer["done"]["precision"]) == ("cpu", "fp32")
    assert answer["done"]["backend"].startswith("onnxruntime ")
    assert answer["done"]["tile"] == told.values("frame")[0]["done"]["largest_tile"]
    assert "scene-linear Rec.709" in answer["notes"][-1]
    frames = told.values("frame")
    assert [values["frame"] for values in frames] == [1001, 1002, 1003]
    assert Path(frames[0]["outputs"][0]) == tmp_path / "out" / "plate_alpha.1001.exr"
    assert "trimap" in frames[0]["notes"][0]
    alpha = read_image(tmp_path / "out" / "plate_alpha.1002.exr").channel("A")
    assert 0 < alpha.mean() < 1


def test_a_warm_worker_does_not_load_the_network_again(make_job: MakeJob) -> None:
    networks = KeptNetworks()
    assert not matte(make_job(), networks, Told(), never)["was_loaded"]
    assert matte(make_job(tile=128, outputs={"channels": "rgba"}), networks, Told(), never)["was_loaded"]


def test_a_warm_network_gives_the_same_matte_as_a_cold_one(make_job: MakeJob, tmp_path: Path) -> None:
    networks = KeptNetworks()
    pictures = []
    for _ in range(2):
        matte(make_job(frames="1001"), networks, Told(), never)
        pictures.append(read_image(tmp_path / "out" / "plate_alpha.1001.exr").pixels)
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_a_cancelled_job_says_how_much_is_finished(make_job: MakeJob, tmp_path: Path) -> None:
    told = Told()
    with pytest.raises(CancelledError, match=r"Cancelled\. [12] of 3 frames are finished and stay\."):
        matte(make_job(), KeptNetworks(), told, lambda: "frame" in told.names)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [f"plate_alpha.{1001 + number}.exr" for number in range(len(written))]
    assert 1 <= len(written) < 3


def test_a_job_that_is_cancelled_within_a_tile_stops_there_and_the_network_goes_on_to_serve(
    make_job: MakeJob, tmp_path: Path
) -> None:
    networks = KeptNetworks()
    stopped: list[bool] = []

    def stop_within_the_first_tile(name: str, values: Mapping[str, Any]) -> None:
        if name == "progress" and not stopped:
            stopped.append(True)
            networks.interrupt()

    with pytest.raises(CancelledError, match=r"Cancelled\. 0 of 3 frames"):
        matte(make_job(), networks, stop_within_the_first_tile, lambda: bool(stopped))
    assert list((tmp_path / "out").iterdir()) == []
    assert matte(make_job(), networks, Told(), never)["was_loaded"]


def test_a_job_that_is_cancelled_before_it_begins_opens_nothing(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(CancelledError, match="before it began"):
        matte(make_job(), KeptNetworks(), Told(), lambda: True)
    assert not (tmp_path / "out").exists()


def test_an_error_in_the_middle_says_how_much_is_finished(make_job: MakeJob) -> None:
    job = make_job()
    Path(job["plate"].replace("####", "1003")).write_bytes(b"no picture")
    with pytest.raises(GossamerError, match=r"1003.*2 of 3 frames are finished and stay\."):
        matte(job, KeptNetworks(), Told(), never)


def test_settings_that_do_not_exist_are_refused_by_name(make_job: MakeJob) -> None:
    with pytest.raises(SettingError, match=r"the job: unknown settings hair; known are"):
        matte(make_job(hair=1), KeptNetworks(), Told(), never)
    with pytest.raises(SettingError, match="the job has job schema None"):
        matte({"plate": "/p"}, KeptNetworks(), Told(), never)


def test_progress_is_told_a_few_times_a_second_only(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for seconds in (0.0, 1000.0):
        monkeypatch.setattr(jobs, "BETWEEN_PROGRESS", seconds)
        told = Told()
        matte(make_job(), KeptNetworks(), told, never)
        counts.append(told.names.count("progress"))
    assert counts[0] >= 3
    assert counts[1] <= 1


def test_preparing_loads_and_warms_up_once(tiny_weights: Path) -> None:
    networks = KeptNetworks()
    first, second = (
        Prepared.from_values(prepare_model({"model": str(tiny_weights)}, networks, Told(), never)) for _ in range(2)
    )
    assert (first.was_loaded, second.was_loaded) == (False, True)
    assert (first.model, first.needs_trimap, len(first.identity)) == ("tiny", True, 64)
    assert first.asked["device"] == "auto"
    assert first.done["device"] == "cpu"
    assert list(networks.names) == ["tiny"]


def test_preparing_can_be_cancelled(tiny_weights: Path) -> None:
    networks = KeptNetworks()
    with pytest.raises(CancelledError, match="before it began"):
        prepare_model({"model": str(tiny_weights)}, networks, Told(), lambda: True)
    assert not networks.names
    with pytest.raises(CancelledError, match="The model is loaded and stays"):
        prepare_model({"model": str(tiny_weights)}, networks, Told(), lambda: bool(networks.names))
    assert list(networks.names) == ["tiny"]


def test_what_was_prepared_serves_the_job(make_job: MakeJob, tiny_weights: Path) -> None:
    networks = KeptNetworks()
    prepare_model({"model": str(tiny_weights)}, networks, Told(), never)
    assert matte(make_job(), networks, Told(), never)["was_loaded"]


def test_preparing_refuses_what_a_job_would_refuse() -> None:
    with pytest.raises(SettingError, match=r"prepare takes model, backend.*hair is unknown"):
        prepare_model({"model": "gossamer-s", "hair": 1}, KeptNetworks(), Told(), never)
    with pytest.raises(SettingError, match="tile is 'big'; expected int"):
        prepare_model({"model": "gossamer-s", "tile": "big"}, KeptNetworks(), Told(), never)


def test_facts_become_what_json_can_hold() -> None:
    facts = {"a": np.float32(0.5), "b": float("nan"), "c": (np.int64(3), {"d": True}), "e": "x"}
    assert jobs.plain(facts) == {"a": 0.5, "b": None, "c": [3, {"d": True}], "e": "x"}
