"""Blender with its window on a virtual screen: clicks the buttons as an artist does, and takes pictures.

``PYTHON window.py [FOLDER]`` with any Python. Needs ``blender``, ``Xvfb``, ``xdotool`` and ImageMagick's ``import`` on the
path (Debian: blender python3-numpy xvfb xdotool imagemagick), and ``GOSSAMER_PYTHON``. Pictures go to FOLDER.
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


def find_button(text: str) -> tuple[int, int]:
    """Where a button is, as measured on the pictures of this window size with factory settings."""
    return BUTTONS[text]


BUTTONS = {
    "tab": (1043, 298),
    "Matte Frame": (931, 222),
    "Matte Range": (1190, 250),
}


def main() -> None:
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
        STEPS(blender)
    finally:
        for process in (blender, screen):
            if process is not None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


def STEPS(blender: Any) -> None:
    press("Escape")
    click(*BUTTONS["tab"])
    picture("2_panel")
    click(*BUTTONS["Matte Frame"])
    picture("3_running")
    print(wait_until_idle(), ask("answer = list(session().lines())"))
    picture("4_done")


if __name__ == "__main__":
    main()
