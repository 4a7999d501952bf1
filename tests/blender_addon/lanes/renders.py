"""Foregrounds for training, rendered by a real Blender: ``PYTHON renders.py`` with a Python that has ``bpy``.

Renders one small picture of every kind as a user would, in processes of its own. Prints a line for each; the exit code
says whether all passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "blender_addon"))

import numpy as np  # noqa: E402

from gossamer_renders.blocks import bpy  # noqa: E402
from gossamer_renders.objects import KINDS  # noqa: E402


def run(folder: Path, photos: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "gossamer_renders",
        str(folder),
        "--size",
        "64",
        "--photos",
        str(photos),
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "blender_addon")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def pixels_of(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    assert image.depth == 32, f"{path.name} has {image.depth} bits a pixel"
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(64, 64, 4)


def look(path: Path) -> str:
    pixels = pixels_of(path)
    alpha, color = pixels[..., 3], pixels[..., :3]
    edge = ((alpha > 0.02) & (alpha < 0.98)).mean()
    assert edge > 0.004, f"{path.name} has no edge"
    assert (alpha == 0).any() or (alpha == 1).any(), f"{path.name} is neither solid nor empty anywhere"
    assert np.ptp(color[alpha > 0.5]) > 0.05, f"{path.name} is of one colour"
    assert color[alpha > 0.5].mean() > 0.02, f"{path.name} is black"
    return f"{edge:.0%} edge"


def main() -> int:
    """Render, look, render again."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        photos, first, again = (Path(folder) / name for name in ("photos", "first", "again"))
        photos.mkdir()
        picture = bpy.data.images.new("photo", 64, 64)
        picture.pixels.foreach_set(np.random.default_rng(1).random((64, 64, 4), np.float32).ravel())
        picture.filepath_raw, picture.file_format = str(photos / "noise.png"), "PNG"
        picture.save()
        for number, kind in enumerate(KINDS):
            asked = "--kind", kind, "--first", str(number), "--count", str(number + 1)
            done = run(first, photos, *asked)
            path = first / f"{number:06d}.{kind}.png"
            try:
                assert done.returncode == 0, done.stderr[-2000:]
                print(f"ok   {kind}: {look(path)}", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"FAIL {kind}: {error}", flush=True)
        # An interrupted run goes on: what is there stays, what is missing becomes the same picture.
        path = first / "000000.fur.png"
        before, state = path.read_bytes(), path.stat().st_mtime_ns
        run(first, photos, "--kind", "fur", "--count", "1")
        run(again, photos, "--kind", "fur", "--count", "1")
        same = np.abs(pixels_of(again / path.name) - pixels_of(path)).max() < 2 / 255
        left = sorted(file.name for file in first.iterdir() if file.name.startswith("."))
        if path.stat().st_mtime_ns != state or path.read_bytes() != before or not same or left:
            failed += 1
            print(f"FAIL again: same picture {same}, left behind {left}", flush=True)
        refused = run(again, Path(folder))
        if refused.returncode == 0 or "holds no picture" not in refused.stderr:
            failed += 1
            print(f"FAIL a folder without photographs: {refused.stderr[-500:]}", flush=True)
        (photos / "noise.png").write_bytes(b"no picture")
        refused = run(again, photos, "--kind", "net", "--first", "40", "--count", "60")
        if refused.returncode != 1 or "noise.png cannot be decoded; replace or remove it." not in refused.stderr:
            failed += 1
            print(f"FAIL a broken photograph: {refused.returncode} {refused.stderr[-500:]}", flush=True)
    print(f"{failed} of {len(KINDS) + 3} failed" if failed else f"{len(KINDS) + 3} of {len(KINDS) + 3}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
