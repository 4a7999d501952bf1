"""Blender with its window on a virtual screen: clicks the buttons as an artist does, and takes pictures.

``PYTHON window.py [FOLDER]`` with any Python. Needs ``blender``, ``Xvfb``, ``xdotool`` and ImageMagick's
``import`` on the path (Debian: blender python3-numpy xvfb xdotool imagemagick), and ``GOSSAMER_PYTHON``.
Pictures go to FOLDER.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SIZE = (1280, 800)
DISPLAY = f":{90 + os.getpid() % 9}"
OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="gossamer-window-"))
EXCHANGE = Path(tempfile.mkdtemp(prefix="gossamer-exchange-"))
ENVIRONMENT = {**os.environ, "DISPLAY": DISPLAY, "LIBGL_ALWAYS_SOFTWARE": "1", "GOSSAMER_EXCHANGE": str(EXCHANGE)}


def ask(code: str, timeout: float = 60.0) -> Any:
    """Run Python in Blender; gives what it leaves in ``answer``."""
    answer = EXCHANGE / "answer.json"
    answer.unlink(missing_ok=True)
    temporary = EXCHANGE / "ask.tmp"
    temporary.write_text(code, encoding="utf-8")
    temporary.replace(EXCHANGE / "ask.py")
    end = time.monotonic() + timeout
    while not answer.is_file():
        if time.monotonic() > end:
            raise TimeoutError(f"Blender did not answer within {timeout:g} s to: {code}")
        time.sleep(0.05)
    said = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in said:
        raise AssertionError(said["error"])
    return said["answer"]


def click(x: int, y: int) -> None:
    """The left button, after the pointer has rested: Blender has to have seen it there."""
    for command in (["mousemove", str(x), str(y)], ["mousemove_relative", "1", "1"], ["click", "1"]):
        subprocess.run(["xdotool", *command], env=ENVIRONMENT, check=True)
        time.sleep(0.4)


def press(key: str) -> None:
    """A key, where the pointer is."""
    subprocess.run(["xdotool", "key", key], env=ENVIRONMENT, check=True)
    time.sleep(0.4)


def picture(name: str) -> Path:
    """What is on the screen."""
    time.sleep(0.8)
    file = OUT / f"{name}.png"
    subprocess.run(["import", "-window", "root", str(file)], env=ENVIRONMENT, check=True)
    return file


def wait_until_idle(timeout: float = 120.0) -> float:
    """Seconds until no job runs; meanwhile the interface has to answer at once."""
    begun = time.monotonic()
    slowest = 0.0
    while True:
        asked = time.monotonic()
        busy = ask("answer = session().is_busy", timeout=10.0)
        slowest = max(slowest, time.monotonic() - asked)
        if not busy:
            print(f"        the interface answered within {slowest:.2f} s throughout")
            return time.monotonic() - begun
        if time.monotonic() - begun > timeout:
            raise TimeoutError(f"a job still runs after {timeout:g} s")


BUTTONS = {
    "tab": (1043, 298),
    "Matte Frame": (931, 204),
    "Matte Range": (931, 233),
    "Show Matte": (973, 373),
}
"""Where they are in a window of this size with factory settings, as measured on the pictures."""


def main() -> None:
    if not os.environ.get("GOSSAMER_PYTHON"):
        raise SystemExit("GOSSAMER_PYTHON has to name the worker's Python")
    OUT.mkdir(parents=True, exist_ok=True)
    screen = subprocess.Popen(
        ["Xvfb", DISPLAY, "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "+extension", "GLX"], stderr=subprocess.DEVNULL
    )
    blender = None
    try:
        time.sleep(1.5)
        geometry = ["--window-geometry", "0", "0", *map(str, SIZE)]
        blender = subprocess.Popen(
            ["blender", "--factory-startup", *geometry, "--python", str(HERE / "in_window.py")],
            env=ENVIRONMENT,
            stdout=(OUT / "blender.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        print(ask("answer = bpy.app.version_string", timeout=90.0))
        steps()
    finally:
        for process in (blender, screen):
            if process is not None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


def say(text: str) -> None:
    print(f"ok      {text}", flush=True)


def expect(condition: bool, text: str) -> None:
    """A check that failed ends the lane with its reason; what was said before stands."""
    if not condition:
        picture("failed")
        raise AssertionError(text)


def steps() -> None:
    """What an artist does, in order."""
    press("Escape")
    click(*BUTTONS["tab"])
    picture("1_panel")

    click(*BUTTONS["Matte Frame"])
    expect(ask("answer = session().is_busy or bool(session().last)"), "Matte Frame was not pressed")
    wait_until_idle()
    lines = ask("answer = session().last")
    expect(lines[0].startswith("Done in"), f"Matte Frame: {lines}")
    files = ask("answer = sorted(p.name for p in (HOME / 'mattes').iterdir())")
    expect(files == ["fur_alpha.1004.exr"], f"the scene shows frame 4, file 1004; written: {files}")
    say(f"Matte Frame by a click: {', '.join(lines)}")

    click(*BUTTONS["Show Matte"])
    shown = ask("s = area().spaces.active; answer = [s.image.name, s.image_user.frame_offset]")
    expect(shown == ["fur_alpha", 1000], f"Show Matte shows {shown}")
    picture("2_matte")
    say("Show Matte by a click")

    click(*BUTTONS["Matte Range"])
    picture("3_running")
    press("Escape")
    wait_until_idle()
    lines = ask("answer = session().last")
    kept = ask("answer = len(list((HOME / 'mattes').glob('fur_alpha.*.exr')))")
    expect(lines[0].startswith("Cancelled"), f"Esc: {lines}")
    say(f"Matte Range by a click, Esc: {lines[0]} ({kept} files)")

    click(*BUTTONS["Matte Range"])
    wait_until_idle()
    lines = ask("answer = session().last")
    files = ask("answer = sorted(p.name for p in (HOME / 'mattes').iterdir())")
    expect(len(files) == 24 and files[-1] == "fur_alpha.1024.exr", f"after going on: {files}")
    say(f"Matte Range again goes on: {', '.join(lines[:2])}")

    check_undo()
    check_mask()
    check_button_after_script()

    ask("bpy.ops.gossamer.add_matte_nodes()")
    ask(
        "area().type = 'NODE_EDITOR'; area().ui_type = 'CompositorNodeTree'; area().spaces.active.show_region_ui = True"
    )
    ask(VIEW_ALL)
    picture("4_compositor")
    say("Add Matte Nodes")

    clip = str(HERE.parents[2] / "core" / "sample" / "fur.1001.exr")
    ask(f"area().type = 'CLIP_EDITOR'; area().spaces.active.clip = bpy.data.movieclips.load({clip!r})")
    ask("s = area().spaces.active; s.show_region_ui = True; s.show_region_toolbar = False")
    ask("area().spaces.active.mode = 'MASK'; area().spaces.active.mask = bpy.data.masks['oval']")
    picture("5_clip_editor")
    ask("bpy.ops.screen.userpref_show(); bpy.context.preferences.active_section = 'ADDONS'", timeout=20)
    ask("bpy.context.window_manager.addon_search = 'Gossamer'; bpy.ops.preferences.addon_show(module=package)")
    ask("bpy.ops.gossamer.test_worker()")
    time.sleep(3)
    picture("6_preferences")
    lines = ask("answer = session().test_lines")
    expect(lines[0].startswith("Gossamer"), f"Test: {lines}")
    say(f"Test: {lines[0]}")


VIEW_ALL = """
region = next(region for region in area().regions if region.type == "WINDOW")
with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area(), region=region):
    bpy.ops.node.view_all()
"""
IN_EDITOR = """
import array
region = next(region for region in area().regions if region.type == "WINDOW")
context = dict(window=bpy.context.window_manager.windows[0], area=area(), region=region)
def first_alpha(name):
    image = bpy.data.images[name]
    buffer = array.array("f", bytes(16 * image.size[0] * image.size[1]))
    image.pixels.foreach_get(buffer)
    return round(sum(buffer[3::4]) / len(buffer[3::4]), 6)
"""
PAINTED = """
plate = bpy.data.images.load(SAMPLE + "/fur.1001.exr"); plate.name = "still"; plate.pack()
guide = bpy.data.images.load(SAMPLE + "/trimap.1001.png"); guide.name = "still trimap"
with bpy.context.temp_override(**context):
    bpy.ops.ed.undo_push(message="before")
answer = first_alpha("still")
"""
PRESS_ALPHA = """
with bpy.context.temp_override(**context):
    bpy.ops.gossamer.matte("INVOKE_DEFAULT", plate="still", trimap="still trimap", target="ALPHA")
"""
STEP = """
with bpy.context.temp_override(**context):
    bpy.ops.ed.{0}()
answer = first_alpha("still")
"""


def check_undo() -> None:
    """The plate's own alpha: pressed, undone, done again."""
    ask(IN_EDITOR)
    before = ask(f"SAMPLE = {str(HERE.parents[2] / 'core' / 'sample')!r}" + PAINTED)
    ask(PRESS_ALPHA)
    wait_until_idle()
    after = ask("answer = first_alpha('still')")
    expect(after < before - 0.1, f"mean alpha {before} before and {after} after: {ask('answer = session().last')}")
    undone, redone = ask(STEP.format("undo")), ask(STEP.format("redo"))
    expect((undone, redone) == (before, after), f"{before} -> {after}, undo {undone}, redo {redone}")
    say(f"plate's own alpha, mean {before} -> {after}, undo {undone}, redo {redone}")


def check_mask() -> None:
    """A mask as the guide, drawn while the window is alive."""
    ask(
        "m = bpy.data.masks.new('oval'); sp = m.layers.new().splines.new(); sp.points.add(3); sp.use_cyclic = True\n"
        "for p, co in zip(sp.points, ((0.25, 0.5), (0.5, 0.75), (0.75, 0.5), (0.5, 0.25))):\n"
        "    p.handle_type = 'AUTO'; p.co = co\n"
        "with bpy.context.temp_override(**context):\n"
        "    bpy.ops.gossamer.matte('INVOKE_DEFAULT', plate='fur.1001.exr', mask='oval', frames='1-2', band_in=80, "
        "band_out=80, skip_finished=False, output=str(HOME / 'from_mask') + '/')"
    )
    wait_until_idle()
    files = ask("answer = sorted(p.name for p in (HOME / 'from_mask').iterdir())")
    expect(files == ["fur_alpha.1001.exr", "fur_alpha.1002.exr"], f"{files}: {ask('answer = session().last')}")
    say("a mask as the guide")


def check_button_after_script() -> None:
    """A button is about the panel, not about the frames, guide and folder that the script before it stated."""
    times = "answer = {p.parent.name + '/' + p.name: p.stat().st_mtime_ns for p in HOME.glob('*/fur_alpha.*.exr')}"
    before = ask(times)
    click(*BUTTONS["Matte Frame"])
    wait_until_idle()
    after = ask(times)
    changed = sorted(name for name in after if after[name] != before.get(name))
    expect(changed == ["mattes/fur_alpha.1004.exr"], f"Matte Frame after a script wrote {changed}")
    say("Matte Frame after a script that stated more")


if __name__ == "__main__":
    main()
