"""The worker as a process: true ones, and ones that die or are not there."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gossamer_bridge.client import WorkerSettings
from gossamer_bridge.job import WorkerKeeper
from tests.fakes.fake_worker import fake_worker
from tests.nuke_plugin.shots import Shot, channel, wait_for


def use(monkeypatch: pytest.MonkeyPatch, settings: WorkerSettings) -> WorkerKeeper:
    from gossamer_nuke import session

    keeper = WorkerKeeper(settings)
    monkeypatch.setattr(session, "_keeper", keeper)
    monkeypatch.setattr(session, "_settings", settings)
    monkeypatch.setattr(session, "version_text", lambda: settings.host)
    return keeper


def written(folder: Path, *frames: int) -> list[list[Any]]:
    """A life's actions that leave mattes behind and tell of them."""
    actions: list[list[Any]] = []
    for frame in frames:
        path = f"{folder.as_posix()}/shot.Gossamer1.{frame}.exr"
        actions += [["file", path, "matte"], ["event", "frame", {"frame": frame, "outputs": [path], "notes": []}]]
    return actions


DONE = {"asked": {}, "done": {"backend": "fake", "device": "cpu", "precision": "fp32"}}
REPLY: list[Any] = [
    "reply",
    {**DONE, "finished_before": "", "missing": "", "seconds": 0.1, "was_loaded": True, "notes": []},
]


def test_a_true_worker_mattes_a_frame_and_gives_the_memory_back(
    app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = use(monkeypatch, WorkerSettings(python=sys.executable, host="Nuke"))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")  # what Nuke sets for itself does not reach the worker
    settings = WorkerSettings(host="Nuke", command=_worker_command())
    keeper.change(settings)
    monkeypatch.setattr(sys.modules["gossamer_nuke.session"], "_settings", settings)
    node = shot.node(app, device="cpu")
    node["matte_frame"].execute()
    wait_for(app, node)
    assert app.messages == []
    assert "onnxruntime" in node["status"].value()
    alpha = channel(app, node)
    assert (alpha[16, 16], alpha[0, 47]) == (1, 0)
    assert keeper.current is not None
    assert keeper.current.is_alive
    node["release_gpu"].execute()
    app.idle(lambda: keeper.current is None and not app.calls)
    app.idle(lambda: node["status"].value().startswith("memory given back"))


def _worker_command() -> tuple[str, ...]:
    import gossamer

    root = str(Path(gossamer.__file__).resolve().parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); from gossamer.__main__ import main; main()"
    return (sys.executable, "-c", code, "worker", "--idle-timeout", "60")


def test_a_worker_killed_mid_range_is_replaced_and_the_rest_is_done(
    app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "gossamer"
    started = ["event", "started", {"frames": "1001-1004", "done": {}}]
    first = {"matte": [started, *written(out, 1001, 1002), ["crash"]]}
    second = {"matte": [["event", "started", {"frames": "1003-1004", "done": {}}], *written(out, 1003, 1004), REPLY]}
    use(monkeypatch, WorkerSettings(command=fake_worker(first, second, counter=tmp_path / "lives")))
    node = shot.node(app)
    node["matte_range"].execute()
    wait_for(app, node)
    assert app.messages == []
    assert node["status"].value().startswith("frames 1001-1004 matted")
    assert "the worker had to be started again" in node["status"].value()
    assert (node["result_first"].value(), node["result_last"].value()) == (1001, 1004)


def test_a_worker_that_dies_twice_is_an_error_and_its_frames_are_kept(
    app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = ["event", "started", {"frames": "1001-1004", "done": {}}]
    life = {"matte": [started, *written(tmp_path / "gossamer", 1001), ["log", "out of memory"], ["crash"]]}
    use(monkeypatch, WorkerSettings(command=fake_worker(life)))
    node = shot.node(app)
    node["matte_range"].execute()
    wait_for(app, node)
    assert "died twice" in app.messages[0]
    assert "frames 1001 matted" in node["status"].value()
    assert node["result_last"].value() == 1001
    report = json.loads(Path(node["report_file"].value()).read_text(encoding="utf-8"))
    assert report["state"] == "failed"
    assert "out of memory" in report["error"]


def test_a_worker_that_hangs_can_be_cancelled(app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = WorkerSettings(command=fake_worker({"matte": [["hang"]]}), cancel_timeout=0.2, close_timeout=0.5)
    use(monkeypatch, settings)
    node = shot.node(app, frame_range="1001")
    node["matte_range"].execute()
    threading.Timer(1.0, lambda: setattr(app.progress_tasks[-1], "_cancelled", True)).start()
    wait_for(app, node)
    assert node["status"].value().startswith("Cancelled")


def test_without_a_worker_the_message_says_how_to_get_one(
    app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    use(monkeypatch, WorkerSettings(environment=environment))
    node = shot.node(app)
    node["matte_frame"].execute()
    wait_for(app, node)
    assert "GOSSAMER_PYTHON" in app.messages[0]
    assert "gossamer install-hosts" in app.messages[0]


def test_nuke_goes_on_while_the_worker_works(app: Any, shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = ["event", "started", {"frames": "1001", "done": {}}]
    life: dict[str, list[list[Any]]] = {"matte": [started, ["sleep", 1.0], REPLY]}
    use(monkeypatch, WorkerSettings(command=fake_worker(life)))
    node = shot.node(app, frame_range="1001")
    began = time.monotonic()
    node["matte_range"].execute()
    assert node["frame_range"].value() == "1001"  # the press is over, the graph can be used
    from gossamer_nuke import session

    assert session.is_running(node)
    assert time.monotonic() - began < 1.0
    wait_for(app, node)
    messages = {text for _, text in app.progress_tasks[-1]._history}
    assert "rendering frame 1001" in messages
    assert any("0 of 1 frames" in text for text in messages)


NAME = "fn-nuke_cg-config-v1.0.0"


@pytest.mark.parametrize(
    ("program", "config"),
    [
        ("Nuke15.1v1/Nuke15.1", f"Nuke15.1v1/plugins/OCIOConfigs/configs/{NAME}/config.ocio"),
        ("Nuke15.1v1/Nuke15.1", f"Nuke15.1v1/plugins/OCIOConfigs/configs/{NAME}.ocio"),
        ("Contents/MacOS/Nuke15.1", f"Contents/Resources/OCIOConfigs/configs/{NAME}/config.ocio"),
        ("Contents/MacOS/Nuke15.1", f"Contents/Resources/OCIOConfigs/configs/{NAME}.ocio"),
        ("Nuke15.1v1/Nuke15.1", ""),
    ],
)
def test_a_configuration_that_came_with_nuke_is_given_to_the_worker_or_missed_aloud(
    app: Any, shot: Shot, worker: Any, tmp_path: Path, program: str, config: str
) -> None:
    keeper = worker()
    app.module.EXE_PATH = str(tmp_path / program)
    if config:
        (tmp_path / config).parent.mkdir(parents=True)
        (tmp_path / config).write_text("ocio_profile_version: 2", encoding="utf-8")
    root = app.root_node
    root["colorManagement"].setValue("OCIO")
    root["OCIO_config"].setValue(NAME)
    root["workingSpaceLUT"].setValue("ACEScg")
    node = shot.node(app)
    node["matte_frame"].execute()
    wait_for(app, node)
    assert app.messages == []
    assert keeper.jobs[0]["plate_space"] == "ACEScg"
    report = json.loads(Path(node["report_file"].value()).read_text(encoding="utf-8"))
    sentence = f"The script's OCIO configuration '{NAME}' was not found beside this Nuke: the worker looks up"
    if config:
        assert keeper.settings.environment["OCIO"] == str(tmp_path / config)
    assert any(note.startswith(sentence) for note in report["notes"]) == (not config)
    assert any(sentence in line for line in app.printed) == (not config)


def test_another_ocio_configuration_means_another_worker(
    app: Any, shot: Shot, worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import PyOpenColorIO as ocio  # noqa: N813

    path = tmp_path / "config.ocio"
    path.write_text(ocio.Config.CreateFromBuiltinConfig("cg-config-v1.0.0_aces-v1.3_ocio-v2.1").serialize())
    monkeypatch.setenv("OCIO", str(path))  # the worker in this process reads it here
    keeper = worker()
    root = app.root_node
    root["colorManagement"].setValue("OCIO")
    root["OCIO_config"].setValue("custom")
    root["customOCIOConfigPath"].setValue(str(path))
    root["workingSpaceLUT"].setValue("ACEScg")
    node = shot.node(app)
    node["matte_frame"].execute()
    wait_for(app, node)
    assert app.messages == []
    assert keeper.jobs[0]["plate_space"] == "ACEScg"
    assert keeper.settings.environment["OCIO"] == str(path)


def test_a_changed_environment_ends_no_job_and_another_configuration_waits_for_it(
    app: Any, shot: Shot, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = worker()
    root = app.root_node
    root["colorManagement"].setValue("OCIO")
    root["OCIO_config"].setValue("custom")
    root["customOCIOConfigPath"].setValue("/show/config.ocio")
    root["workingSpaceLUT"].setValue("ACEScg")
    first, second = shot.node(app), shot.node(app)
    reached, go_on = keeper.hold()
    first["matte_frame"].execute()
    app.idle(reached.is_set)
    monkeypatch.setenv("SHOW", "another")
    root["customOCIOConfigPath"].setValue("/other/config.ocio")
    second["matte_frame"].execute()
    assert app.messages[0].startswith(
        "Gossamer2: the script has another OCIO configuration than the one Gossamer1 is being matted with. Wait until"
    )
    root["customOCIOConfigPath"].setValue("/show/config.ocio")
    second["matte_frame"].execute()
    go_on.set()
    for node in (first, second):
        wait_for(app, node)
    assert len(app.messages) == 1
    assert len(keeper.jobs) == 2
    assert keeper.closed == 0
    root["customOCIOConfigPath"].setValue("/other/config.ocio")
    second["matte_frame"].execute()
    wait_for(app, second)
    assert keeper.closed == 1
    assert keeper.settings.environment["SHOW"] == "another"
