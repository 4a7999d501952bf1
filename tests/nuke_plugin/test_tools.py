"""What lies beside the plug-in: the bundle, the farm script, the smoke test, the pictures."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.nuke_plugin.shots import Shot

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "nuke_plugin"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gossamer_{name}_script", PLUGIN / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bundle_is_the_folder_and_the_bridge_and_starts_alone(tmp_path: Path) -> None:
    bundle = load("bundle_nuke")
    target = tmp_path / "gossamer.zip"
    bundle.write_bundle(target)
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path)
    assert {"gossamer/init.py", "gossamer/menu.py", "gossamer/gizmos/Gossamer.gizmo", "gossamer/LICENSE"} <= names
    assert "gossamer/gossamer_bridge/client.py" in names
    assert not any("__pycache__" in name or "pictures" in name for name in names)
    code = (
        "import sys, types\n"
        "nuke = types.ModuleType('nuke')\n"
        "for name in 'pluginAddPath addBeforeRender addBeforeFrameRender addOnScriptLoad addOnScriptClose'.split():\n"
        "    setattr(nuke, name, lambda *a, **k: print('called'))\n"
        "sys.modules['nuke'] = nuke\n"
        "exec(open('init.py').read())\n"
        "import gossamer_bridge.job; print(gossamer_bridge.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = [{str(tmp_path / 'gossamer')!r}]\n{code}"],
        cwd=tmp_path / "gossamer",
        env={"PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("called") == 6
    assert str(tmp_path / "gossamer" / "gossamer_bridge") in done.stdout


def test_the_same_files_make_the_same_bundle(tmp_path: Path) -> None:
    bundle = load("bundle_nuke")
    for name in ("a.zip", "b.zip"):
        bundle.write_bundle(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_every_check_of_the_smoke_test_passes_in_the_double(
    terminal: Any, worker: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    worker()
    smoke = load("smoke")
    code = smoke.main()
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert printed.count("pass  ") == len(smoke.CHECKS)


def test_the_smoke_test_fails_where_something_is_wrong(
    terminal: Any, worker: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    worker()
    terminal.render.licensed = False
    smoke = load("smoke")
    code = smoke.main()
    printed = capsys.readouterr().out
    assert code == 1
    assert "FAIL   7 one frame is matted: " in printed
    assert "pass   1 the node is there" in printed


@pytest.mark.parametrize("skip_existing", [True, False])
def test_the_farm_script_mattes_a_chunk_in_one_job_and_renders_it(
    terminal: Any, shot: Shot, worker: Any, skip_existing: bool
) -> None:
    keeper = worker()
    node = shot.node(terminal, skip_existing=skip_existing)
    terminal.module.nodes.Write(
        inputs=[node],
        file=f"{shot.folder.parent.as_posix()}/out.%04d.exr",
        channels="rgba",
        raw=True,
        metadata="all metadata",
    )
    script = shot.folder.parent / "shot.nk"
    terminal.save_as(script)
    farm = load("render")
    assert farm.main([str(script), "1001-1002,1004", "Write1"]) == 0
    assert [job["frames"] for job in keeper.jobs] == ["1001-1002,1004"]
    assert sorted(path.name for path in shot.folder.parent.glob("out.*")) == [
        "out.1001.exr",
        "out.1002.exr",
        "out.1004.exr",
    ]


def test_the_farm_script_ends_with_a_code_and_a_sentence(
    terminal: Any, shot: Shot, worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    worker()
    shot.node(terminal)
    script = shot.folder.parent / "shot.nk"
    farm = load("render")
    assert farm.main([]) == 2
    assert farm.main([str(script), "1001", "Write7"]) == 1
    assert "has no Write Write7. Give the full name" in caplog.text


def test_the_pictures_can_be_drawn_again(app: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from tests.nuke_plugin.draw_node import draw_graph, draw_icon, draw_knobs

    node = app.module.nodes.Gossamer()
    for draw, name in ((draw_graph, "graph.png"), (draw_knobs, "knobs.png")):
        draw(node, tmp_path / name, dpi=30)
        assert (tmp_path / name).stat().st_size > 5_000
    draw_icon(tmp_path / "icon.png")
    assert (tmp_path / "icon.png").read_bytes() == (PLUGIN / "icons" / "Gossamer.png").read_bytes()


def test_a_report_can_be_read(terminal: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(terminal, frame_range="1001")
    node["matte_range"].execute()
    node["open_report"].execute()
    assert json.loads(Path(terminal.printed[-1]).read_text(encoding="utf-8"))["schema"] == "gossamer.nuke.report"
