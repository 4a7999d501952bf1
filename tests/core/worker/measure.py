"""How long a host waits for the worker: ``python -m tests.core.worker.measure`` prints a table. No test."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gossamer.image.image import Image
from gossamer.image.io import write_image
from gossamer_bridge.client import WorkerClient, WorkerSettings
from gossamer_bridge.errors import JobCancelledError
from gossamer_bridge.pixels import BOTTOM_UP, Pixels
from gossamer_bridge.protocol import Event
from gossamer_bridge.settings import Knobs, job_values
from tests.core.worker.conftest import worker_program

HEIGHT, WIDTH = 1080, 1920
JOBS = 30


def say(what: str, value: str) -> None:
    sys.stdout.write(f"| {what} | {value} |\n")
    sys.stdout.flush()


def make_pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    plate = random.random((HEIGHT, WIDTH, 3), np.float32)
    write_image(folder / "plate.exr", Image.from_pixels(plate, ("R", "G", "B")), data_type="half")
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    distance = np.hypot(x - WIDTH / 2, y - HEIGHT / 2) - HEIGHT / 3
    for name, band in (("narrow", 20.0), ("all", 1e9)):
        trimap = np.where(np.abs(distance) <= band, 0.5, (distance < 0).astype(np.float32)).astype(np.float32)
        write_image(folder / f"{name}.exr", Image.from_pixels(trimap[..., None], ("A",)), data_type="half")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder)
        begun = time.monotonic()
        with WorkerClient(WorkerSettings(command=worker_program())) as client:
            say("start to the answer to hello", f"{time.monotonic() - begun:.2f} s")
            prepared = client.prepare()
            say("load and warm up gossamer-s", f"{prepared.seconds:.2f} s")
            say("the same again", f"{1000 * client.prepare().seconds:.1f} ms")
            measure_frames(client, folder)
            measure_cancel(client, folder)
            measure_pixels(client, folder)


def job(folder: Path, trimap: str, output: str) -> dict[str, object]:
    knobs = Knobs(plate="plate.exr", trimap=f"{trimap}.exr", output=output)
    return job_values(knobs, base_folder=str(folder))


def measure_frames(client: WorkerClient, folder: Path) -> None:
    memory = []
    for number in range(JOBS):
        begun = time.monotonic()
        done = client.matte(job(folder, "narrow", "matte.exr"))
        seconds, parts = time.monotonic() - begun, done.frames[0].seconds
        if number == 0:
            text = ", ".join(f"{name} {value:.2f}" for name, value in parts.items())
            say("1920x1080 frame with a warm worker, host to host", f"{seconds:.2f} s ({text})")
        memory.append(client.status().memory_used / 2**20)
    shown = ", ".join(f"{memory[index]:.0f}" for index in (0, 9, 19, JOBS - 1))
    say(f"memory of the worker after job 1, 10, 20, {JOBS}", f"{shown} MiB")


def measure_cancel(client: WorkerClient, folder: Path) -> None:
    pressed: list[float] = []
    seen: list[float] = []

    def listen(event: Event) -> None:
        if event.name == "progress" and not seen:
            seen.append(time.monotonic())

    def cancelled() -> bool:
        if seen and not pressed and time.monotonic() - seen[0] > 1:
            pressed.append(time.monotonic())
        return bool(pressed)

    try:
        client.matte(job(folder, "all", "cancelled.exr"), on_event=listen, cancelled=cancelled)
    except JobCancelledError:
        say("cancel, a second into the first tile of a wholly unknown frame", f"{time.monotonic() - pressed[0]:.2f} s")
    begun = time.monotonic()
    client.matte(job(folder, "narrow", "matte.exr"))
    say("the frame after the cancelled one", f"{time.monotonic() - begun:.2f} s")


def measure_pixels(client: WorkerClient, folder: Path) -> None:
    pixels = Pixels(WIDTH, HEIGHT, ("R", "G", "B", "A"), bytes(WIDTH * HEIGHT * 16), rows=BOTTOM_UP)
    begun = time.monotonic()
    client.store(pixels, str(folder), "stored")
    say("store a 1920x1080 RGBA picture from memory (33 MB)", f"{time.monotonic() - begun:.2f} s")
    begun = time.monotonic()
    client.fetch(str(folder / "matte.exr"), rows=BOTTOM_UP)
    say("fetch its alpha", f"{time.monotonic() - begun:.2f} s")


if __name__ == "__main__":
    main()
