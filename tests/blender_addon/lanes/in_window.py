"""Inside Blender's window, for ``window.py``: install the zip, show the sample shot, then do what files ask for.

``window.py`` writes Python into ``ask.py`` of the exchange folder; what it leaves in ``answer`` is written, as JSON, to
``answer.json``. Blender's own timer looks for it, so that the interface is alive all the time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import installing

HOME = installing.use_folders_of_its_own()

import bpy  # noqa: E402 - after the folders are set

EXCHANGE = Path(os.environ["GOSSAMER_EXCHANGE"])
SAMPLE = installing.ROOT / "core" / "sample"
FRAMES = 24
NAMES: dict[str, Any] = {"bpy": bpy, "HOME": HOME}


def area() -> Any:
    """The editor that fills the window."""
    return max(bpy.context.window_manager.windows[0].screen.areas, key=lambda item: item.width * item.height)


def prepare() -> None:
    """The Image Editor with the sample shot and its sidebar; trimaps chosen in the panel."""
    package = installing.install(installing.build(HOME / "dist"))
    NAMES.update(package=package, session=installing.module(package, "session").session, area=area)
    editor = area()
    editor.type = "IMAGE_EDITOR"
    space = editor.spaces.active
    shot = HOME / "shot"  # the sample thrice over, long enough to be cancelled
    shot.mkdir()
    for number in range(FRAMES):
        for name in ("fur.{}.exr", "trimap.{}.png"):
            shutil.copyfile(SAMPLE / name.format(1001 + number % 8), shot / name.format(1001 + number))
    plate = bpy.data.images.load(str(shot / "fur.1001.exr"))
    plate.source = "SEQUENCE"
    trimap = bpy.data.images.load(str(shot / "trimap.1001.png"))
    trimap.source = "SEQUENCE"
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.frame_set(4)
    space.image = plate
    user = space.image_user
    user.frame_start, user.frame_offset, user.frame_duration, user.use_auto_refresh = 1, 1000, FRAMES, True
    space.show_region_ui = True
    scene.gossamer.trimap = trimap
    scene.gossamer.output_folder = str(HOME / "mattes") + "/"


def listen() -> float:
    """Blender's timer: answer what is asked."""
    ask = EXCHANGE / "ask.py"
    if ask.is_file():
        text = ask.read_text(encoding="utf-8")
        ask.unlink()
        NAMES["answer"] = None
        try:
            exec(text, NAMES)
            said = {"answer": NAMES["answer"]}
        except Exception:
            said = {"error": traceback.format_exc()}
        temporary = EXCHANGE / "answer.tmp"
        temporary.write_text(json.dumps(said, default=str), encoding="utf-8")
        temporary.replace(EXCHANGE / "answer.json")
    return 0.05


def begin() -> None:
    """Once the window is there."""
    prepare()
    bpy.app.timers.register(listen, first_interval=1.0)


bpy.app.timers.register(begin, first_interval=1.0)
