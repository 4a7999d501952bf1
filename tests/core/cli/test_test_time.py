"""``--tta``, ``--strategy``, ``--refine`` and ``--nonlocal`` as they are typed, in ``matte`` and ``evaluate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gossamer.cli import main
from gossamer.cli.evaluate import _variants
from gossamer.config import Job, load_job
from gossamer.errors import SettingError
from gossamer.image.io import read_header, read_image

MakeShot = Callable[..., tuple[Path, list[Any]]]
Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    def run(*arguments: object) -> int:
        # Every call registers the commands, as a fresh process does.
        monkeypatch.setattr("gossamer.cli.app.registered_commands", [])
        monkeypatch.setattr(sys, "argv", ["gossamer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture with known alpha, 48x32."""
    alpha = np.broadcast_to(np.clip((np.arange(48) - 12) / 24, 0, 1), (32, 48))
    plate = alpha[..., None] * np.array([0.9, 0.5, 0.2]) + (1 - alpha[..., None]) * np.array([0.1, 0.3, 0.4])
    guide = np.where((alpha > 0) & (alpha < 1), 128 / 255, alpha)
    for name, values in (("image", plate), ("trimap", guide), ("alpha", alpha)):
        (tmp_path / "set" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / name / "one.png"), np.rint(values * 255).astype(np.uint8))
    return tmp_path / "set"


def test_a_matte_is_averaged_over_views_and_says_so(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shot, _ = make_shot(frames=(1001,))
    arguments = ("matte", shot / "plate.1001.exr", "-t", shot / "trimap.1001.exr", "-m", tiny_weights)
    report = tmp_path / "report.json"
    assert call(*arguments, "-o", tmp_path / "plain.exr") == 0
    assert "views" not in capsys.readouterr().out
    assert call(*arguments, "-o", tmp_path / "views.exr", "--tta", "views", "--report", report) == 0
    assert "mean of 8 views at 3 scales" in capsys.readouterr().out
    values = json.loads(report.read_text(encoding="utf-8"))
    assert values["asked"]["tta"] == values["effective"]["tta"] == "views"
    assert values["frames"][0]["effective"]["passes"] == 24
    assert read_header(tmp_path / "views.exr").metadata["gossamer:tta"] == "views"
    assert "gossamer:tta" not in read_header(tmp_path / "plain.exr").metadata
    plain, views = (read_image(tmp_path / name).pixels for name in ("plain.exr", "views.exr"))
    assert not np.array_equal(plain, views)


def test_the_networks_own_matte_is_to_be_had_and_says_so(call: Call, make_shot: MakeShot, tmp_path: Path) -> None:
    shot, _ = make_shot(frames=(1001,))
    report = tmp_path / "report.json"
    arguments = ("matte", shot / "plate.1001.exr", "-t", shot / "trimap.1001.exr", "--threads", "1", "--report", report)
    told = []
    for name, more in (("mean.exr", ()), ("own.exr", ("--nonlocal", "off"))):
        assert call(*arguments, "-o", tmp_path / name, *more) == 0
        values = json.loads(report.read_text(encoding="utf-8"))
        told.append((values["asked"]["nonlocal_mean"], values["effective"]["nonlocal_mean"]))
        assert ("nonlocal" in values["frames"][0]["seconds"]) is (not more)
    assert told == [("auto", True), ("off", False)]
    assert read_header(tmp_path / "mean.exr").metadata["gossamer:nonlocal_mean"] == 1
    assert "gossamer:nonlocal_mean" not in read_header(tmp_path / "own.exr").metadata
    mean, own = (read_image(tmp_path / name).pixels for name in ("mean.exr", "own.exr"))
    assert not np.array_equal(mean, own)


def test_the_settings_travel_in_a_saved_job(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    shot, _ = make_shot(frames=(1001,))
    arguments = ("matte", shot / "plate.1001.exr", "-t", shot / "trimap.1001.exr", "-m", tiny_weights, "-o")
    assert call(*arguments, tmp_path / "a", "--tta", "flips", "--strategy", "whole", "--save-job", tmp_path / "j") == 0
    job = load_job(tmp_path / "j")
    assert (job.tta, job.strategy, job.refine, job.refine_carry) == ("flips", "whole", 0, False)
    assert call("run", tmp_path / "j", "-o", tmp_path / "b") == 0
    files = [tmp_path / name / "plate_alpha.1001.exr" for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        {"tta": "flips"},
        {"strategy": "whole"},
        {"refine": 10},
        {"refine": 10, "refine_carry": True},
        {"nonlocal_mean": "off"},
    ],
)
def test_frames_of_other_test_time_settings_are_other_frames(other: dict[str, Any]) -> None:
    hashes = {Job("a.exr").hash(), Job("a.exr", refine=10).hash(), Job("a.exr", **other).hash()}
    assert len(hashes) == (2 if other == {"refine": 10} else 3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"tta": "all"}, "--tta is 'all'; use one of none, flips, fine, views"),
        ({"strategy": "half"}, "--strategy is 'half'; use one of auto, tiles, whole, resize, hybrid"),
        ({"refine": -1}, "--refine is -1; use 0 .off. or a number of steps"),
        ({"nonlocal_mean": "some"}, "--nonlocal is 'some'; use auto, on, off"),
        ({"refine_carry": True}, "--refine-carry says where refinement begins, and --refine is 0"),
    ],
)
def test_unusable_settings_of_a_job_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Job("a.exr", **setting)


def test_a_network_that_cannot_be_refined_is_refused_before_anything_is_made(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shot, _ = make_shot(frames=(1001,))
    arguments = ("matte", shot / "plate.1001.exr", "-t", shot / "trimap.1001.exr", "-o", tmp_path / "out")
    assert call(*arguments, "-m", tiny_weights, "--refine", "5") == 2
    assert "tiny is tiny, whose decoder --refine cannot steer" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_shot_is_refined_with_the_shipped_network(
    call: Call, make_shot: MakeShot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shot, _ = make_shot(frames=(1001, 1002))
    report = tmp_path / "report.json"
    arguments = ("matte", shot / "plate.####.exr", "-t", shot / "trimap.####.exr", "-o", tmp_path / "out")
    assert call(*arguments, "--refine", "2", "--refine-carry", "--threads", "1", "--report", report) == 0
    assert "refined in 2 steps a tile; each frame begins where the one before ended" in capsys.readouterr().out
    frames = [frame["effective"] for frame in json.loads(report.read_text(encoding="utf-8"))["frames"]]
    assert [frame["refine_started"] for frame in frames] == [0, frames[1]["tiles"]]
    assert all(frame["refine_steps"] == 2 * frame["tiles"] for frame in frames)
    assert read_header(tmp_path / "out" / "plate_alpha.1002.exr").metadata["gossamer:refine"] == 2


# --- evaluate ---------------------------------------------------------------------------------------------------------


def test_averages_are_compared_with_each_other(call: Call, folder: Path, tiny_weights: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "n.json"
    assert call("evaluate", folder, "--model", tiny_weights, "--tta", "none,flips", "--json", numbers) == 0
    values = json.loads(numbers.read_text(encoding="utf-8"))
    assert list(values["mean"]) == [f"{tiny_weights}, tta none", f"{tiny_weights}, tta flips"]
    assert [model["passes"] for model in values["models"].values()] == [1, 2]


def test_steps_are_compared_with_each_other_and_counted(call: Call, folder: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "n.json"
    arguments = ("evaluate", folder, "--backend", "torch", "--threads", "1", "--refine", "0,2", "--json", numbers)
    assert call(*arguments) == 0
    models = json.loads(numbers.read_text(encoding="utf-8"))["models"]
    assert list(models) == ["gossamer-s, refine 0", "gossamer-s, refine 2"]
    assert "refine_steps" not in models["gossamer-s, refine 0"]
    assert models["gossamer-s, refine 2"]["refine_steps"] == 2


def test_labels_name_only_what_differs() -> None:
    def settings(tta: str, refine: int, nonlocal_mean: str) -> dict[str, object]:
        return {"tta": tta, "refine": refine, "nonlocal_mean": nonlocal_mean}

    assert list(_variants(["a", "knn"], "none", "0", "auto")) == ["a", "knn"]
    assert _variants(["a", "knn"], "none,views", "0,10", "auto") == {
        "a, tta none, refine 0": ("a", settings("none", 0, "auto")),
        "a, tta none, refine 10": ("a", settings("none", 10, "auto")),
        "a, tta views, refine 0": ("a", settings("views", 0, "auto")),
        "a, tta views, refine 10": ("a", settings("views", 10, "auto")),
        "knn": ("knn", {}),
    }
    assert _variants(["a"], "none", "0", "on,off") == {
        "a, nonlocal on": ("a", settings("none", 0, "on")),
        "a, nonlocal off": ("a", settings("none", 0, "off")),
    }


@pytest.mark.parametrize(
    "words",
    [
        ("all", "0", "auto"), ("none,none", "0", "auto"), ("", "0", "auto"), ("none", "ten", "auto"),
        ("none", "3,3", "auto"), ("none", "0", "some"), ("none", "0", "on,on"), ("none", "0", ""),
    ],
)  # fmt: skip
def test_unusable_lists_are_refused(words: tuple[str, str, str]) -> None:
    expected = r"--(tta|refine|nonlocal) is '.*'; use .*, or several .*with commas, each once"
    with pytest.raises(SettingError, match=expected):
        _variants(["a"], *words)
