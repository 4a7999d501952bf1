"""LSA's training set refinement: the recorded numbers, and the folder it writes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.data import derived_files
from gossamer.data.derived_files import require_own_folder
from gossamer.data.refine_foregrounds import (
    find_pairs,
    jacobi_sweeps,
    reestimate_foreground,
    refine_foregrounds,
    resolve_device,
)
from gossamer.errors import DataError, MissingDependencyError, SettingError
from gossamer.image.image import FloatArray

PARITY = Path(__file__).parents[2] / "data" / "parity" / "ops_lsa_foreground"
ONE_GREY_LEVEL = 1.0
SWEEP_ABSOLUTE = 1e-6

Paint = Callable[..., Path]


def stored(path: Path) -> NDArray[Any]:
    """The samples of a file; colours blue first."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return np.asarray(pixels)


@pytest.fixture(scope="module")
def recorded() -> tuple[FloatArray, FloatArray, dict[str, NDArray[Any]]]:
    with np.load(PARITY / "input.npz") as file:
        foreground = file["fg"].transpose(1, 2, 0).astype(np.float32) / 255
        alpha = file["alpha"].astype(np.float32) / 255
    with np.load(PARITY / "output.npz") as file:
        return foreground, alpha, {key: file[key].transpose(1, 2, 0) for key in file}


@pytest.fixture
def folders(tmp_path: Path, paint: Paint) -> tuple[Path, Path, Path]:
    """Two foregrounds with their alphas, and the name of a folder that is not there."""
    for name in ("one", "two"):
        paint(tmp_path / "fg" / f"{name}.png")
        paint(tmp_path / "alpha" / f"{name}.jpg", channels=1)
    return tmp_path / "fg", tmp_path / "alpha", tmp_path / "out"


@pytest.mark.parametrize(("sweeps", "name"), [(1, "one_iteration"), (10, "ten_iterations")])
@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_sweeps_are_the_recorded_ones(
    recorded: tuple[FloatArray, FloatArray, dict[str, NDArray[Any]]], sweeps: int, name: str, device: str
) -> None:
    """``cpu`` computes with numpy, ``cpu:0`` with torch, as a CUDA device would."""
    foreground, alpha, outputs = recorded
    result = jacobi_sweeps(foreground, foreground * alpha[..., None], alpha, sweeps, device=device)
    np.testing.assert_allclose(result, outputs[name], rtol=0, atol=SWEEP_ABSOLUTE)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_the_whole_solve_is_the_recorded_one(
    recorded: tuple[FloatArray, FloatArray, dict[str, NDArray[Any]]], device: str
) -> None:
    foreground, alpha, outputs = recorded
    result = reestimate_foreground(foreground, alpha, device=device) * 255
    assert np.abs(np.rint(result) - outputs["final_uint8"]).max() <= ONE_GREY_LEVEL
    # Truncated as upstream, all but a few pixels on the edge between two levels are equal.
    assert (np.floor(result) != outputs["final_uint8"]).mean() < 1e-3


def test_what_alpha_shows_stays_and_the_rest_becomes_smooth() -> None:
    random = np.random.default_rng(0)
    foreground = random.random((24, 24, 3), np.float32)
    alpha = np.zeros((24, 24), np.float32)
    alpha[:, :12] = 1
    result = reestimate_foreground(foreground, alpha)
    np.testing.assert_allclose(result[:, :11], foreground[:, :11], atol=1e-5)
    assert np.abs(np.diff(result[:, 14:], axis=1)).max() < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (3, 40)])
def test_tiny_pictures_are_solved_at_the_sizes_they_allow(shape: tuple[int, int]) -> None:
    foreground = np.random.default_rng(0).random((*shape, 3), np.float32)
    result = reestimate_foreground(foreground, np.full(shape, 0.5, np.float32))
    assert result.shape == (*shape, 3)
    assert np.isfinite(result).all()


def test_kappa_has_to_be_above_zero() -> None:
    with pytest.raises(SettingError, match="kappa has to be above 0, not 0"):
        reestimate_foreground(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.float32), kappa=0)


def test_a_folder_is_refined_and_then_left_alone(folders: tuple[Path, Path, Path]) -> None:
    fg, alpha, out = folders
    told: list[tuple[int, int, str]] = []
    first = refine_foregrounds(find_pairs(fg, alpha), out, progress=lambda *words: told.append(words))
    assert (first.written, first.kept) == (2, 0)
    assert told == [(0, 2, "one"), (1, 2, "two"), (2, 2, "")]
    stamps = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert sorted(stamps) == ["one.png", "two.png"]
    second = refine_foregrounds(find_pairs(fg, alpha), out)
    assert (second.written, second.kept) == (0, 2)
    assert stamps == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}


def test_the_written_file_holds_the_solved_colours(folders: tuple[Path, Path, Path]) -> None:
    fg, alpha, out = folders
    refine_foregrounds(find_pairs(fg, alpha), out)
    colors = stored(fg / "one.png")[..., ::-1].astype(np.float32) / np.float32(255)
    matte = stored(alpha / "one.jpg").astype(np.float32) / np.float32(255)
    written = stored(out / "one.png")[..., ::-1]
    assert np.abs(written - reestimate_foreground(colors, matte) * 255).max() <= 0.5 + 1e-3


def test_a_changed_foreground_another_kappa_and_a_cut_off_file_are_made_anew(
    folders: tuple[Path, Path, Path], paint: Paint
) -> None:
    fg, alpha, out = folders
    refine_foregrounds(find_pairs(fg, alpha), out)
    paint(fg / "one.png", value=9)
    assert refine_foregrounds(find_pairs(fg, alpha), out).written == 1
    whole = (out / "two.png").read_bytes()
    (out / "two.png").write_bytes(whole[: len(whole) // 2])
    assert refine_foregrounds(find_pairs(fg, alpha), out).written == 1
    assert refine_foregrounds(find_pairs(fg, alpha), out, kappa=2).written == 2


def test_an_interrupted_run_leaves_whole_files_and_goes_on(folders: tuple[Path, Path, Path]) -> None:
    fg, alpha, out = folders

    def stop_at_the_second(done: int, total: int, name: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine_foregrounds(find_pairs(fg, alpha), out, progress=stop_at_the_second)
    assert [path.name for path in out.iterdir()] == ["one.png"]
    report = refine_foregrounds(find_pairs(fg, alpha), out)
    assert (report.written, report.kept) == (1, 1)


def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path, paint: Paint) -> None:
    (tmp_path / "fg").mkdir()
    pixels = np.random.default_rng(1).integers(0, 65536, (10, 12, 3), np.uint16)
    cv2.imwrite(str(tmp_path / "fg" / "deep.png"), pixels)
    paint(tmp_path / "alpha" / "deep.png", channels=1, value=255)
    refine_foregrounds(find_pairs(tmp_path / "fg", tmp_path / "alpha"), tmp_path / "out")
    written = stored(tmp_path / "out" / "deep.png")
    assert written.dtype == np.uint16
    np.testing.assert_allclose(written.astype(float), pixels, atol=1)


def test_everything_that_does_not_fit_is_listed_at_once(folders: tuple[Path, Path, Path], paint: Paint) -> None:
    fg, alpha, _ = folders
    paint(fg / "alone.png")
    paint(fg / "two.jpg")
    paint(alpha / "one.png", channels=1)
    paint(fg / "large.png", width=20)
    paint(alpha / "large.png", channels=1)
    (fg / "broken.png").write_bytes(b"no picture")
    paint(alpha / "broken.png", channels=1)
    cv2.imwrite(str(fg / "floating.hdr"), np.ones((10, 12, 3), np.float32))
    paint(alpha / "floating.png", channels=1)
    with pytest.raises(DataError) as error:
        find_pairs(fg, alpha)
    text = str(error.value)
    assert f"alone: nothing in {alpha}" in text
    assert "two: both two.jpg and two.png" in text
    assert "one: both one.jpg and one.png" in text
    assert "large: sizes differ (20x10: large.png; 12x10:" in text
    assert "broken: " in text
    assert "floating: floating.hdr holds float; convert it to 8 or 16 bits" in text


def test_an_empty_folder_is_told(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="there are no pictures"):
        find_pairs(tmp_path / "none", folders[1])


def test_a_folder_that_is_not_there_is_told(folders: tuple[Path, Path, Path]) -> None:
    with pytest.raises(DataError, match=r"The foregrounds: there is no folder .*out"):
        find_pairs(folders[2], folders[1])


@pytest.mark.parametrize("which", [0, 1])
def test_the_originals_are_never_written_over(folders: tuple[Path, Path, Path], which: int) -> None:
    pairs = find_pairs(folders[0], folders[1])
    with pytest.raises(SettingError, match="holds the originals; give a folder of its own"):
        refine_foregrounds(pairs, folders[which])


def test_a_file_in_the_outputs_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SettingError, match="is a file; give a folder"):
        require_own_folder(tmp_path / "out", [])


def test_grey_planes_can_be_derived_too(tmp_path: Path, paint: Paint) -> None:
    source = paint(tmp_path / "in" / "a.png")
    report = derived_files.derive(
        [("a", (source,), tmp_path / "a.png")], "test", lambda *_: np.full((10, 12), 0.5, np.float32)
    )
    assert report.written == 1
    assert stored(tmp_path / "a.png").shape == (10, 12)


def test_devices_resolve_to_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert resolve_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(SettingError, match=r"finds no CUDA device\. Use --device cpu"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == "cuda"
    with pytest.raises(SettingError, match="auto, cpu or cuda, not 'tpu'"):
        resolve_device("tpu")


def test_without_torch_the_cpu_does(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_torch(name: str, *rest: Any, **named: Any) -> Any:
        if name == "torch":
            raise ImportError("no torch")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(MissingDependencyError, match=r"gossamer-matting\[torch\]"):
        resolve_device("cuda")
