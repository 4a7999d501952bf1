"""Numbers for the README, in a Python with the ``bpy`` wheel: from button to alpha, a long range, its memory.

``PYTHON measure.py [FRAMES]``; ``GOSSAMER_PYTHON`` names the worker's Python. The range is cancelled in the middle and
goes on from there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import installing

HOME = installing.use_folders_of_its_own()

import bpy  # noqa: E402 - after the folders are set
import scene  # noqa: E402

HD = (1920, 1080)
SMALL = (640, 360)
PRESSES = 5


def resident(pid: int) -> float:
    """Memory that a process holds, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"/proc/{pid}/status has no VmRSS")


def from_button_to_alpha(package: str) -> None:
    """A 1080p frame of a sequence, and one that exists in memory only; the worker is warm after the first press."""
    first, trimap = scene.shot(HOME / "hd", range(1001, 1002), HD)
    for name, file in (("plate", first), ("trimap", trimap)):
        image = bpy.data.images.load(str(file))
        image.name, image.source = f"{name} 1080p", "SEQUENCE"
    alpha = scene.alpha_of(1, HD)
    scene.new_image("painted 1080p", scene.encode(scene.plate_of(alpha)), is_float=False)
    scene.new_image("painted trimap", scene.trimap_of(alpha), is_float=False)
    unknown = float((scene.trimap_of(alpha) == 0.5).mean())
    print(f"1920x1080, {unknown:.1%} of it unknown; median of {PRESSES} presses with a warm worker, seconds")
    print("| plate | press to datablock | network | rest of the worker | Blender and pipe |")
    print("|---|---|---|---|---|")
    for plate, guide in (("plate 1080p", "trimap 1080p"), ("painted 1080p", "painted trimap")):
        press(package, plate, guide)
        rows = sorted(press(package, plate, guide) for _ in range(PRESSES))
        total, network, work = rows[len(rows) // 2]
        rest = total - network - work
        print(f"| {plate} | {total:.2f} | {network:.2f} ({network / total:.0%}) | {work:.2f} | {rest:.2f} |")


def press(package: str, plate: str, guide: str) -> tuple[float, float, float]:
    """Seconds of one press: all of it, the network's, the worker's other parts of the frame."""
    runs = installing.module(package, "session").session()
    kept: list[object] = []
    begin = type(runs).begin
    type(runs).begin = lambda self, *given: kept.append(begin(self, *given)) or kept[-1]
    begun = time.monotonic()
    try:
        bpy.ops.gossamer.matte(plate=plate, trimap=guide, output=str(HOME / "mattes") + "/")
    finally:
        type(runs).begin = begin
    total = time.monotonic() - begun
    seconds = kept[0].result.frames[0].seconds
    network = seconds.get("network", seconds["solve"])
    return total, network, seconds["read"] + seconds["color"] + seconds["solve"] + seconds["write"] - network


def long_range(package: str, count: int) -> None:
    """Cancelled in the middle, gone on with; memory of Blender and worker every tenth of the way."""
    first, trimap = scene.shot(HOME / "long", range(1001, 1001 + count), SMALL)
    for name, file in (("plate", first), ("trimap", trimap)):
        image = bpy.data.images.load(str(file))
        image.name, image.source = f"{name} long", "SEQUENCE"
    runs = installing.module(package, "session").session()
    seen: list[tuple[int, float, float]] = []
    tend = installing.module(package, "run").Run.tend

    def watched(self: object, budget: float = 0.05) -> None:
        done = len(self.host.finished)
        worker = runs.keeper.current
        is_due = done > 0 and done % max(1, count // 10) == 0 and (not seen or seen[-1][0] != done)
        if is_due and worker is not None and worker.pid is not None:
            seen.append((done, resident(os.getpid()), resident(worker.pid)))
        if CANCEL_AT[0] and done >= CANCEL_AT[0]:
            self.cancel()
        tend(self, budget)

    installing.module(package, "run").Run.tend = watched
    out = HOME / "long mattes"
    frames, begun = f"1-{count}", time.monotonic()
    stated = {"plate": "plate long", "trimap": "trimap long", "frames": frames, "output": f"{out}/"}
    CANCEL_AT[0] = count // 2
    bpy.ops.gossamer.matte(**stated)
    half = time.monotonic() - begun
    kept = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    leftovers = [name for name in kept if name.startswith(".")]
    print(f"{count} frames of {SMALL[0]}x{SMALL[1]}, cancelled after {count // 2}: {runs.last[0]}, {half:.0f} s")
    memory("before the cancel", seen)
    seen.clear()
    CANCEL_AT[0], begun = 0, time.monotonic()
    bpy.ops.gossamer.matte(**stated)
    whole = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    again = [name for name in kept if whole.get(name) != kept[name]]
    print(f"gone on with: {', '.join(runs.last[:2])}, {time.monotonic() - begun:.0f} s")
    memory("after it", seen)
    apart = [
        scene.read(out / f"plate long_alpha.{1000 + n}.exr")[..., 0] - scene.alpha_of(n, SMALL) for n in (1, 2, count)
    ]
    worst = max(float(abs(difference).mean()) for difference in apart)
    print(f"files {len(whole)}, done twice {len(again)}, half files {len(leftovers)}")
    print(f"mean difference to the known alpha {worst:.4f}")
    assert (len(whole), again, leftovers) == (count, [], [])
    assert worst < 0.03


CANCEL_AT = [0]


def memory(when: str, seen: list[tuple[int, float, float]]) -> None:
    """First, last and largest."""
    for name, index in (("Blender", 1), ("worker", 2)):
        values = [row[index] for row in seen]
        print(
            f"memory {when}, {name}: " + ", ".join(f"{row[0]}: {row[index]:.0f}" for row in seen) + " MB; "
            f"largest less smallest {max(values) - min(values):.0f} MB"
        )


if __name__ == "__main__":
    installed = installing.install(installing.build(HOME / "dist"))
    bpy.ops.gossamer.test_worker()
    print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores")
    from_button_to_alpha(installed)
    long_range(installed, int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    bpy.ops.preferences.addon_disable(module=installed)
    sys.stdout.flush()
    os._exit(0)
