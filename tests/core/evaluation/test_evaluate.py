"""What is solved, measured and refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.errors import CancelledError, DataError, ModelError, SettingError, TrimapError
from gossamer.evaluation.evaluate import SolvedCase, evaluate
from gossamer.inference.solver import Solution

MakeFolder = Callable[..., Path]
Fake = Callable[..., Any]


def test_both_regions_are_measured(make_folder: MakeFolder, fake_solver: Fake) -> None:
    found = evaluate(make_folder("a"), {"fake": fake_solver(0.5)})
    errors = np.abs(np.rint((np.arange(8) / 8 + 1 / 16) * 255) / 255 - 0.5)
    unknown = found.scores("a", "fake", "unknown")
    assert unknown.sad == pytest.approx(16 * errors.sum() / 1000, rel=1e-5)
    assert unknown.mad == pytest.approx(errors.mean(), rel=1e-5)
    assert found.scores("a", "fake", "whole").mad == pytest.approx(errors.sum() / 24, rel=1e-5)


def test_the_better_solver_has_the_smaller_errors(make_folder: MakeFolder, fake_solver: Fake) -> None:
    found = evaluate(make_folder("a", "b"), {"grey": fake_solver(0.5), "white": fake_solver(1.0)})
    assert found.models == ("grey", "white")
    for name in ("sad", "mse", "mad"):
        assert getattr(found.mean("grey", "unknown"), name) < getattr(found.mean("white", "unknown"), name)


def test_the_time_of_a_solve_is_measured_after_a_warm_up(make_folder: MakeFolder, fake_solver: Fake) -> None:
    solver = fake_solver()
    found = evaluate(make_folder("a", "b"), {"fake": solver})
    assert [plate.shape for plate, _ in solver.seen] == [(96, 96, 3), (16, 24, 3), (16, 24, 3)]
    assert found.scores("a", "fake", "unknown").seconds >= 0
    assert found.details["fake"]["warm_up_seconds"] >= 0


def test_identity_device_and_versions_are_kept(make_folder: MakeFolder, fake_solver: Fake) -> None:
    found = evaluate(make_folder("a"), {"fake": fake_solver()})
    assert found.details["fake"]["identity"] == "fake weights 1"
    assert found.details["fake"]["device"] == "cpu"
    assert {"python", "numpy"} <= set(found.versions)


def test_a_solver_without_trimap_is_given_none(make_folder: MakeFolder, fake_solver: Fake) -> None:
    solver = fake_solver()
    solver.needs_trimap = False
    evaluate(make_folder("a"), {"fake": solver})
    assert all(trimap is None for _, trimap in solver.seen)


def test_a_trimap_that_was_shown_without_need_leaves_its_trace(make_folder: MakeFolder, fake_solver: Fake) -> None:
    needy, free = fake_solver(), fake_solver()
    free.needs_trimap = False
    found = evaluate(make_folder("a"), {"needy": needy, "free": free}, guided=True)
    assert free.seen[-1][1] is not None
    assert found.guided == ("free",)
    told = {model: details["guided"] for model, details in found.as_dict()["models"].items()}
    assert told == {"needy": False, "free": True}
    assert evaluate(make_folder("a"), {"free": free}).as_dict()["models"]["free"]["guided"] is False


def test_each_picture_is_handed_out_with_every_matte(make_folder: MakeFolder, fake_solver: Fake) -> None:
    seen: list[SolvedCase] = []
    evaluate(make_folder("a", "b"), {"x": fake_solver(0.2), "y": fake_solver(0.7)}, on_picture=seen.append)
    assert [solved.case.stem for solved in seen] == ["a", "b"]
    assert {name: float(matte[0, 12]) for name, matte in seen[0].mattes.items()} == pytest.approx({"x": 0.2, "y": 0.7})


def test_progress_counts_solves(make_folder: MakeFolder, fake_solver: Fake) -> None:
    told: list[tuple[int, int, str]] = []
    evaluate(make_folder("a"), {"x": fake_solver(), "y": fake_solver()}, progress=lambda *step: told.append(step))
    assert told == [(0, 2, "a x"), (1, 2, "a y"), (2, 2, "")]


def test_what_was_decided_for_all_pictures_is_noted_once(make_folder: MakeFolder, fake_solver: Fake) -> None:
    found = evaluate(make_folder("a", "b"), {"fake": fake_solver()})
    assert sum("sRGB" in note for note in found.notes) == 1
    assert any(note.startswith("all pictures: ") for note in found.notes)


def test_nothing_is_solved_in_a_faulty_folder(make_folder: MakeFolder, fake_solver: Fake) -> None:
    folder, solver = make_folder("a", "b"), fake_solver()
    (folder / "alpha" / "b.png").unlink()
    with pytest.raises(DataError, match="b: nothing in alpha/"):
        evaluate(folder, {"fake": solver})
    assert solver.seen == []


def test_a_matte_with_nan_is_refused(make_folder: MakeFolder, fake_solver: Fake) -> None:
    with pytest.raises(ModelError, match=r"fake on .*a\.png: 128 pixels of the matte are not numbers"):
        evaluate(make_folder("a"), {"fake": fake_solver(np.nan)})


def test_a_matte_of_another_size_is_refused(
    make_folder: MakeFolder, fake_solver: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = fake_solver()
    monkeypatch.setattr(solver, "solve", lambda *_, **__: Solution(np.zeros((4, 4), np.float32)))
    with pytest.raises(ModelError, match=r"fake on .*a\.png: the matte has shape \(4, 4\), the plate \(16, 24\)"):
        evaluate(make_folder("a"), {"fake": solver})


def test_a_solvers_own_error_names_model_and_picture(
    make_folder: MakeFolder, fake_solver: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = fake_solver()

    def refuse(plate: Any, trimap: Any, **_: Any) -> Solution:
        if plate.shape[0] == 96:
            return Solution(trimap)
        raise TrimapError("no known colours.")

    monkeypatch.setattr(solver, "solve", refuse)
    with pytest.raises(TrimapError, match=r"fake on .*a\.png: no known colours"):
        evaluate(make_folder("a"), {"fake": solver})


def test_a_picture_that_fails_costs_no_other(
    make_folder: MakeFolder, fake_solver: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, good, bad = make_folder("a", "b", "c"), fake_solver(0.5), fake_solver(0.5)
    solve = bad.solve

    def refuse(plate: Any, trimap: Any, **_: Any) -> Solution:
        if len(bad.seen) == 2:
            bad.seen.append((plate, trimap))
            raise TrimapError("no known colours.")
        return solve(plate, trimap)  # type: ignore[no-any-return]

    monkeypatch.setattr(bad, "solve", refuse)
    (folder / "image" / "c.png").write_bytes((folder / "image" / "c.png").read_bytes()[:-40])
    shown: list[SolvedCase] = []
    found = evaluate(folder, {"good": good, "bad": bad}, on_picture=shown.append)
    assert {stem: set(solved) for stem, solved in found.pictures.items()} == {
        "a": {"good", "bad"},
        "b": {"good"},
        "c": set(),
    }
    assert found.compared == ("a",)
    assert found.mean("good", "unknown").sad == found.scores("a", "good", "unknown").sad
    assert [set(solved.mattes) for solved in shown] == [{"good", "bad"}, {"good"}]
    assert len(found.failures) == 2
    assert found.failures[0] == f"bad on {folder / 'image' / 'b.png'}: no known colours."
    assert found.failures[1].startswith("c: ")
    assert not found.is_complete


def test_a_picture_for_which_memory_is_short_costs_no_other(
    make_folder: MakeFolder, fake_solver: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, solver = make_folder("a", "b"), fake_solver()
    solve = solver.solve

    def fail_on_the_first(plate: Any, trimap: Any, **_: Any) -> Solution:
        solution = solve(plate, trimap)
        if len(solver.seen) == 2:
            raise MemoryError
        return solution  # type: ignore[no-any-return]

    monkeypatch.setattr(solver, "solve", fail_on_the_first)
    found = evaluate(folder, {"fake": solver})
    assert found.compared == ("b",)
    assert found.failures == (f"fake on {folder / 'image' / 'a.png'}: not enough memory; close programs.",)


@pytest.mark.parametrize("error", [CancelledError("Cancelled."), KeyboardInterrupt()])
def test_what_was_done_when_the_user_stopped_it_is_reported(
    make_folder: MakeFolder, fake_solver: Fake, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    solver = fake_solver()
    solve = solver.solve

    def stop_at_the_second(plate: Any, trimap: Any, **_: Any) -> Solution:
        if len(solver.seen) == 2:
            raise error
        return solve(plate, trimap)  # type: ignore[no-any-return]

    monkeypatch.setattr(solver, "solve", stop_at_the_second)
    found = evaluate(make_folder("a", "b", "c"), {"fake": solver})
    assert found.compared == ("a",)
    assert found.extent == "1 of 3 pictures"
    assert found.failures == ()
    assert not found.is_complete


def test_the_user_can_stop_it(make_folder: MakeFolder, fake_solver: Fake) -> None:
    with pytest.raises(CancelledError, match="nothing was reported"):
        evaluate(make_folder("a"), {"fake": fake_solver()}, cancelled=lambda: True)


def test_no_model_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(SettingError, match="No model given"):
        evaluate(make_folder("a"), {})
