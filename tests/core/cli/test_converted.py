"""The papers' networks under their names, from a file laid out as the official one to a matte on disk and a number.

The weights are the synthetic ones of ``tests/conftest.py``: what is tested is the way, not the matte's quality.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from gossamer.cli import main
from gossamer.image.io import read_header, read_image
from gossamer.image.trimap import trimap_from_image


def run(*arguments: object) -> int:
    """The command line in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gossamer.cli.app.registered_commands", [])  # registered anew, as by a fresh process
        patch.setattr(sys, "argv", ["gossamer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One noisy picture with known alpha and a trimap, 96x64."""
    alpha = np.broadcast_to(np.clip((np.arange(96) - 30) / 36, 0, 1), (64, 96))
    noise = np.random.default_rng(0).random((64, 96, 3)) * 0.3
    plate = alpha[..., None] * np.array([0.7, 0.5, 0.2]) + (1 - alpha[..., None]) * np.array([0.1, 0.3, 0.4]) + noise
    guide = np.where((alpha > 0) & (alpha < 1), 128 / 255, alpha)
    for name, values in (("image", plate), ("trimap", guide), ("alpha", alpha)):
        (tmp_path / "set" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / name / "one.png"), np.rint(values.clip(0, 1) * 255).astype(np.uint8))
    return tmp_path / "set"


def official(recorded: Any, kind: str, path: Path) -> None:
    """A checkpoint with every tensor of the official file, copies included, in its container."""
    folder = recorded(kind)
    state = {key: torch.from_numpy(value) for key, value in folder.state().items()}
    for entry in folder.keys:
        if "alias_of" in entry:
            state[entry["key"]] = state[entry["alias_of"]]
    if kind == "lsa":
        torch.save({"epoch": 100, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    elif kind.endswith("rgb3"):
        torch.save({"model": state, "iteration": 5625}, path)
    else:
        torch.save(state, path)


@pytest.fixture(scope="module")
def converted(recorded: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The folder of converted weights; each network is converted once."""
    folders: dict[str, Path] = {}

    def convert(kind: str, architecture: str) -> Path:
        if kind not in folders:
            place = tmp_path_factory.mktemp(kind)
            official(recorded, kind, place / "official.pth")
            output = place / architecture / f"{architecture}.safetensors"
            assert run("convert", place / "official.pth", "-a", architecture, "-o", output) == 0
            (place / "official.pth").unlink()
            folders[kind] = output.parent
        return folders[kind]

    return convert


@pytest.mark.parametrize(
    ("kind", "architecture", "strategy", "needs_trimap"),
    [
        ("lsa", "lsa-r50d", "tiles", True),
        ("vitmatte_s", "vitmatte-s", "tiles", True),
        ("vitmatte_s_rgb3", "vitmatte-s-rgb", "whole", False),
        ("gfm_r34_tt", "gfm-r34-tt", "hybrid", False),
        pytest.param("gfm_d121_rim", "gfm-d121-rim", "resize", False, marks=pytest.mark.slow),
    ],
)
def test_an_official_file_becomes_a_matte_and_a_number(
    converted: Callable[[str, str], Path],
    folder: Path,
    tmp_path: Path,
    kind: str,
    architecture: str,
    strategy: str,
    needs_trimap: bool,
) -> None:
    weights = converted(kind, architecture)
    plate, trimap = folder / "image" / "one.png", folder / "trimap" / "one.png"
    levels = trimap_from_image(read_image(trimap)).trimap
    report, guided, free = (tmp_path / name for name in ("report.json", "guided.exr", "free.exr"))
    arguments = ("matte", plate, "-m", weights, "--threads", "1")
    assert run(*arguments, "-t", trimap, "-o", guided, "--report", report) == 0
    effective = json.loads(report.read_text(encoding="utf-8"))["effective"]
    assert (effective["strategy"], effective["backend"].split()[0]) == (strategy, "torch")
    assert read_header(guided).metadata["gossamer:model"] == architecture
    alpha = read_image(guided).pixels[..., 0]
    assert np.array_equal(alpha[levels != 0.5], levels[levels != 0.5])
    assert alpha[levels == 0.5].std() > 0.01

    assert run(*arguments, "-o", free) == (2 if needs_trimap else 0)
    if not needs_trimap:
        alpha = read_image(free).pixels[..., 0]
        assert not np.array_equal(alpha[levels != 0.5], levels[levels != 0.5])

    numbers = tmp_path / "numbers.json"
    for extra in ((), ("--guided",))[: 1 if needs_trimap else 2]:
        assert run("evaluate", folder, "--model", weights, "--threads", "1", "--json", numbers, *extra) == 0
        values = json.loads(numbers.read_text(encoding="utf-8"))
        unknown, whole = (part["mean"][str(weights)]["sad"] for part in (values, values["whole"]))
        assert unknown > 0
        # Without the trimap a network that needs none errs outside of the unknown region as well.
        assert (whole == pytest.approx(unknown)) == (needs_trimap or bool(extra))


def test_the_published_path_of_lsa_runs_by_name(
    converted: Callable[[str, str], Path], folder: Path, tmp_path: Path
) -> None:
    weights, report = converted("lsa", "lsa-r50d"), tmp_path / "report.json"
    plate, trimap = folder / "image" / "one.png", folder / "trimap" / "one.png"
    arguments = ("matte", plate, "-t", trimap, "-m", weights, "--threads", "1", "--report", report, "-o")
    assert run(*arguments, tmp_path / "a.exr", "--strategy", "whole", "--tta", "flips") == 0
    frame = json.loads(report.read_text(encoding="utf-8"))["frames"][0]["effective"]
    assert frame["passes"] == 2
    assert frame["largest_pass"] == "192x128"  # to multiples of 64, and 32 on each side
    assert run(*arguments, tmp_path / "b.exr", "--refine", "1") == 0
    assert json.loads(report.read_text(encoding="utf-8"))["frames"][0]["effective"]["refine_steps"] == 1
