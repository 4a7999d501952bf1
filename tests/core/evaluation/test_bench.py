"""Timing the parts of a job. Nothing here asserts a speed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gossamer.config import Job, Outputs, save_job
from gossamer.errors import ModelError, SettingError
from gossamer.evaluation import bench_child
from gossamer.evaluation.bench import PARTS, Bench, Measurement, bench, parse_size
from gossamer.evaluation.bench_measurement import difference
from gossamer.evaluation.bench_picture import make_plate, make_trimap

SIZE = 96, 64


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (641, 64)])
@pytest.mark.parametrize("band", [0.05, 0.1, 0.3, 0.8, 1.0])
def test_the_unknown_band_covers_the_part_that_was_asked_for(size: tuple[int, int], band: float) -> None:
    trimap = make_trimap(*size, band)
    assert trimap.shape == size[::-1]
    assert set(np.unique(trimap)) <= {0, np.float32(0.5), 1}
    assert abs(float((trimap == 0.5).mean()) - band) < 0.01


@pytest.mark.parametrize("band", [0.02, 0.5, 0.95])
def test_both_known_regions_remain_below_a_band_of_one(band: float) -> None:
    assert {0, 1} <= set(np.unique(make_trimap(320, 180, band)))


@pytest.mark.parametrize("band", [0.1, 1.0])
def test_the_plate_is_the_same_every_time_and_finite(band: float) -> None:
    plate = make_plate(160, 90, band)
    assert plate.shape == (90, 160, 3)
    assert plate.dtype == np.float32
    assert np.isfinite(plate).all()
    assert plate.min() > 0
    assert np.array_equal(plate, make_plate(160, 90, band))


def test_subject_and_background_of_the_plate_differ() -> None:
    plate, trimap = make_plate(160, 90, 0.1), make_trimap(160, 90, 0.1)
    assert plate[trimap == 1].mean() > 2 * plate[trimap == 0].mean()


def test_every_model_is_measured_on_every_picture_with_all_parts(make_tiny_weights: Callable[..., Path]) -> None:
    models = [str(make_tiny_weights("one")), str(make_tiny_weights("two"))]
    told: list[tuple[int, int, str]] = []
    found = bench(models, sizes=[SIZE], bands=[0.2], frames=2, progress=lambda *words: told.append(words))
    assert [measured.model for measured in found.measurements] == models
    assert [done for done, _, _ in told] == [0, 1, 2]
    for measured in found.measurements:
        assert measured.error == ""
        assert tuple(measured.parts) == PARTS
        assert measured.unknown == pytest.approx(0.2, abs=0.01)
        assert 0 < measured.solve <= measured.total <= measured.total_p95
        assert measured.frames_per_second == pytest.approx(2 / measured.wall)
        assert 0 < measured.network_share <= 1
        assert measured.network_part is not None
        assert measured.peak_memory is None or measured.peak_memory > 10_000_000
        assert measured.runs_on["device"] == "cpu"
    assert found.machine["cores"] >= 1
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["frames"] == 2


def test_settings_reach_networks_and_not_classical_solvers(tiny_weights: Path) -> None:
    settings = {"backend": "onnxruntime", "threads": 1}
    found = bench([str(tiny_weights), "closed-form"], sizes=[SIZE], bands=[0.2], frames=1, settings=settings)
    network, classical = found.measurements
    assert network.runs_on["threads"] == 1
    assert classical.error == ""
    assert classical.network_part is None
    assert classical.solve == classical.parts["network"] > 0
    assert len(found.comparisons()) == 1
    assert "times faster" in found.comparisons()[0]


def test_a_measurement_that_fails_says_why_and_the_others_go_on(tiny_weights: Path) -> None:
    found = bench(["closed-form", str(tiny_weights)], sizes=[SIZE], bands=[1.0], frames=1)
    assert "Every pixel of the trimap is unknown" in found.measurements[0].error
    assert found.measurements[1].error == ""
    assert found.comparisons() == []


def test_a_process_that_dies_is_a_failed_measurement(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    found = bench([str(tiny_weights)], sizes=[SIZE], bands=[0.2], frames=1)
    assert found.measurements[0].error == "ended with code 1: nothing was said"


def test_a_process_that_is_killed_is_a_failed_measurement(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n", encoding="ascii")
    killed.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(killed))
    found = bench([str(tiny_weights)], sizes=[SIZE], bands=[0.2], frames=1)
    assert "killed by signal 9" in found.measurements[0].error


def test_the_child_answers_what_a_job_took(
    make_shot: Callable[..., object], tiny_weights: Path, tmp_path: Path
) -> None:
    make_shot("shot", frames=(1001, 1002))
    job = Job(
        plate=str(tmp_path / "shot" / "plate.####.exr"),
        trimap=str(tmp_path / "shot" / "trimap.####.exr"),
        model=str(tiny_weights),
        outputs=Outputs(path=str(tmp_path / "out")),
    )
    save_job(job, tmp_path / "job.json")
    bench_child.main(tmp_path / "job.json", tmp_path / "answer.json")
    answer = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert len(answer["frames"]) == 2
    assert set(answer["frames"][0]["seconds"]) == {"read", "color", "solve", "network", "write"}
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_size_is_read() -> None:
    assert parse_size(" 1920X1080 ") == (1920, 1080)


@pytest.mark.parametrize("text", ["", "1080", "1920x", "1920*1080", "-1x64", "64.5x64"])
def test_a_size_that_is_none_names_the_flag(text: str) -> None:
    with pytest.raises(SettingError, match=r"--size is '.*'; give width and height in pixels, for instance 1920x1080"):
        parse_size(text)


@pytest.mark.parametrize("text", ["8x64", "64x31", "40000x64"])
def test_a_size_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"--size is .* 32 to 32768 pixels"):
        parse_size(text)


@pytest.mark.parametrize("band", [0.0, -0.1, 1.5, float("nan")])
def test_a_band_out_of_range_names_the_flag(band: float) -> None:
    with pytest.raises(SettingError, match=r"--band is .*above 0 and up to 1"):
        bench(["closed-form"], sizes=[SIZE], bands=[band])


def test_no_frames_are_refused() -> None:
    with pytest.raises(SettingError, match="--frames is 0; measure at least 1"):
        bench(["closed-form"], sizes=[SIZE], bands=[0.1], frames=0)


def test_an_empty_list_names_the_flag() -> None:
    with pytest.raises(SettingError, match="--model names nothing to measure"):
        bench([], sizes=[SIZE], bands=[0.1])


def test_a_value_given_twice_names_the_flag() -> None:
    with pytest.raises(SettingError, match="--size names the same twice"):
        bench(["closed-form"], sizes=[SIZE, SIZE], bands=[0.1])


def test_an_unknown_model_is_found_before_anything_is_timed() -> None:
    with pytest.raises(ModelError, match="no-such-model"):
        bench(["closed-form", "no-such-model"], sizes=[SIZE], bands=[0.1], progress=lambda *_: pytest.fail("began"))


def test_networks_are_compared_with_classical_solvers_on_the_same_picture_only() -> None:
    found = Bench(
        1,
        (
            Measurement("net", 64, 64, 0.1, 0.1, solve=2.0),
            Measurement("knn", 64, 64, 0.1, 0.1, solve=5.0),
            Measurement("knn", 64, 64, 0.3, 0.3, solve=9.0),
        ),
        {},
    )
    assert found.comparisons() == [
        "64x64, band 10%: net 2.00 s (network, merge, non-local mean), knn 5.00 s: 2.5 times faster"
    ]


def test_backends_are_compared_with_torch_in_fp32() -> None:
    found = bench(["gossamer-s", "closed-form"], sizes=[SIZE], bands=[0.3], frames=1, backends=["onnxruntime"])
    network, classical = found.measurements
    assert network.error == ""
    assert network.backend == "onnxruntime"
    assert network.difference is not None
    assert network.difference.mean < 1e-3
    assert network.difference.mean <= network.difference.most <= network.difference.largest
    assert network.cpu > 0
    assert (classical.backend, classical.difference) == ("", None)
    assert "by onnxruntime" in found.comparisons()[0]


def test_without_a_reference_the_times_still_count(tiny_weights: Path) -> None:
    model = str(tiny_weights)
    found = bench([model], sizes=[SIZE], bands=[0.2], frames=1, backends=["onnxruntime"])
    assert found.measurements[0].error == ""
    assert found.measurements[0].difference is None
    assert "hold no safetensors file" in found.machine["no_reference"][model]


def test_only_unknown_pixels_count_in_the_distance_of_two_mattes(tmp_path: Path) -> None:
    trimap = np.array([[0, 0.5, 0.5, 1]], np.float32)
    np.save(tmp_path / "one.npy", np.array([[0.9, 0.5, 0.25, 0]], np.float32))
    np.save(tmp_path / "two.npy", np.array([[0.0, 0.5, 0.50, 1]], np.float32))
    apart = difference(tmp_path / "one.npy", tmp_path / "two.npy", trimap)
    assert apart is not None
    assert (apart.mean, apart.largest) == (0.125, 0.25)
    assert difference(tmp_path / "one.npy", tmp_path / "none.npy", trimap) is None


@pytest.mark.parametrize(
    ("said", "expected"), [("{pid}, 300", 300 * 2**20), ("1, 300", None), ("[N/A]", None), ("", None)]
)
def test_the_memory_on_the_gpu_is_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: int | None
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{said.format(pid=os.getpid())}'\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bench_child.device_memory() == expected
    program.unlink()
    assert bench_child.device_memory() is None
