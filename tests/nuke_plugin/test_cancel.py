"""Cancel, in every way there is, and going on afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.nuke_plugin.shots import Shot, wait_for


@pytest.fixture
def one_by_one(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gossamer_nuke import work

    monkeypatch.setattr(work, "BATCH", 1)


def names(shot: Shot) -> list[str]:
    return sorted(path.name.split(".")[2] for path in (shot.folder.parent / "gossamer").glob("*.exr"))


@pytest.mark.usefixtures("one_by_one")
def test_cancel_keeps_finished_frames_and_the_next_press_goes_on(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app)
    from gossamer_nuke import session

    keeper.frame_done = lambda frame: session._running["Gossamer1"].cancel() if frame == 1002 else None
    node["matte_range"].execute()
    wait_for(app, node)
    assert names(shot) == ["1001", "1002"]
    assert node["status"].value().startswith("Cancelled (frames 1001-1002 matted")
    assert app.messages == []
    assert node["result_last"].value() == 1002
    keeper.frame_done = lambda frame: None
    keeper.jobs.clear()
    node["matte_range"].execute()
    wait_for(app, node)
    assert [job["frames"] for job in keeper.jobs] == ["1003", "1004"]
    assert names(shot) == ["1001", "1002", "1003", "1004"]


def test_the_cancel_button_stops_the_job(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    node["matte_range"].execute()
    node["cancel"].execute()
    wait_for(app, node)
    assert names(shot) == []
    assert node["status"].value().startswith("Cancelled")


def test_the_bars_own_button_stops_the_job(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    node["matte_range"].execute()
    app.progress_tasks[-1]._cancelled = True
    wait_for(app, node)
    assert names(shot) == []
    assert node["status"].value().startswith("Cancelled")


def test_cancel_in_nukes_own_render_bar_stops_the_job(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    app.render.cancel_at = 1002
    node["matte_range"].execute()
    wait_for(app, node)
    assert names(shot) == []
    assert node["status"].value().startswith("Cancelled")
    assert app.messages == []


def test_cancel_without_a_job_says_so(app: Any, shot: Shot) -> None:
    node = shot.node(app)
    node["cancel"].execute()
    assert node["status"].value() == "nothing to cancel"


def test_a_second_press_while_it_runs_is_refused(app: Any, shot: Shot, worker: Any) -> None:
    keeper = worker()
    node = shot.node(app)
    node["matte_range"].execute()
    node["matte_range"].execute()
    wait_for(app, node)
    assert app.messages == ["Gossamer1 is being matted already. Press Cancel first, or wait."]
    assert len(keeper.jobs) == 1


def test_a_node_that_is_deleted_while_it_is_matted_ends_its_job(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    node["matte_range"].execute()
    app.module.delete(node)
    from gossamer_nuke import session

    app.idle(lambda: not session._running and not app.calls)
    assert app.messages[0].startswith("Gossamer1 is gone: it was deleted or renamed while it was matted.")


def test_closing_the_script_ends_its_jobs(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    node["matte_range"].execute()
    app.new_script()
    from gossamer_nuke import session

    app.idle(lambda: not session._running and not app.calls)
    assert names(shot) == []
    assert app.messages == []


def close_the_script(app: Any, node: Any) -> None:
    app.new_script()


def delete_the_node(app: Any, node: Any) -> None:
    app.module.delete(node)


@pytest.mark.parametrize("end", [close_the_script, delete_the_node])
def test_what_comes_after_under_the_same_name_gets_nothing_of_the_job(
    app: Any, shot: Shot, worker: Any, end: Callable[[Any, Any], None]
) -> None:
    keeper = worker()
    node = shot.node(app)
    reached, go_on = keeper.hold()
    node["matte_range"].execute()
    app.idle(reached.is_set)
    end(app, node)
    again = shot.node(app)
    go_on.set()
    wait_for(app, again)
    assert names(shot)
    assert again.fullName() == "Gossamer1"
    assert again["status"].value() == "not matted yet"
    assert not again["has_result"].value()
    assert not again["report_file"].value()
    assert any("Gossamer1 is gone or has another name now" in line for line in app.printed)
