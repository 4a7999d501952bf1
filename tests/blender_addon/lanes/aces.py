"""A studio's OpenColorIO configuration in ``$OCIO``, and a .blend file that is moved with its mattes.

``PYTHON aces.py`` with a Python that has the ``bpy`` wheel; ``GOSSAMER_PYTHON`` names the worker's Python.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import installing

HOME = installing.use_folders_of_its_own()
os.environ["OCIO"] = "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1"

import bpy  # noqa: E402 - after the configuration is set
import scene  # noqa: E402

CLOSE = 0.03


def apart(found: object, frame: int) -> str:
    """The matte is near the known alpha."""
    difference = float(abs(found - scene.alpha_of(frame)).mean())
    assert difference < CLOSE, f"frame {frame}: {difference:.4f}"
    return f"{difference:.4f}"


def matte(**stated: object) -> None:
    assert bpy.ops.gossamer.matte(**stated) == {"FINISHED"}


def main() -> None:
    shot = HOME / "shot"
    first, first_trimap = scene.shot(shot, range(1001, 1003))
    bpy.ops.wm.save_as_mainfile(filepath=str(shot / "a.blend"))
    plate, trimap = (bpy.data.images.load(str(file)) for file in (first, first_trimap))
    plate.source = trimap.source = "SEQUENCE"
    matte(plate=plate.name, trimap=trimap.name, frames="1-2", output="//mattes/")
    said = [apart(scene.read(shot / "mattes" / f"fur_alpha.{1000 + frame}.exr")[..., 0], frame) for frame in (1, 2)]
    made = bpy.data.images["fur_alpha"]
    assert (made.colorspace_settings.name, made.filepath) == ("Raw", "//mattes/fur_alpha.1001.exr")
    alpha = scene.alpha_of(2)
    painted = scene.new_image("painted", scene.plate_of(alpha), is_float=True)
    guide = scene.new_image("painted trimap", scene.trimap_of(alpha), is_float=True)
    matte(plate=painted.name, trimap=guide.name, target="ALPHA", output="//mattes/")
    said.append(apart(scene.pixels(painted)[..., 3], 2))
    made.use_fake_user = True
    bpy.ops.wm.save_mainfile()
    moved = shot.rename(HOME / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(moved / "a.blend"))
    found = bpy.data.images["fur_alpha"]
    found.source = "FILE"
    said.append(apart(scene.pixels(found)[..., 0], 1))
    print(f"Blender {bpy.app.version_string}: a sequence, a painted picture and a moved file, {', '.join(said)}")


if __name__ == "__main__":
    installing.run(main, HOME)
