"""A movie as the plate, as an image and as a clip: its frames are the right ones.

``PYTHON movie.py`` with a Python that has the ``bpy`` wheel; the Python that ``GOSSAMER_PYTHON`` names needs the extra
``movie``, which also writes the movie here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import installing

HOME = installing.use_folders_of_its_own()

import bpy  # noqa: E402 - after the folders are set
import scene  # noqa: E402

FRAMES = range(1, 5)
WRITE = """
import sys
from pathlib import Path
import av
from gossamer.image.io import read_image
folder = Path(sys.argv[1])
movie = av.open(str(folder / "m.mp4"), "w")
stream = movie.add_stream("libx264", rate=24)
stream.width, stream.height, stream.pix_fmt, stream.options = 192, 108, "yuv444p", {"crf": "4"}
for file in sorted(folder.glob("encoded.*.png")):
    codes = (read_image(file).pixels[..., :3] * 255).round().astype("uint8")
    for packet in stream.encode(av.VideoFrame.from_ndarray(codes, format="rgb24")):
        movie.mux(packet)
for packet in stream.encode():
    movie.mux(packet)
movie.close()
"""


def is_frame(file: Path, frame: int) -> str:
    """The matte is nearer to the alpha of this frame than to any other's."""
    matte = scene.read(file)[..., 0]
    apart = {other: float(abs(matte - scene.alpha_of(other)).mean()) for other in FRAMES}
    others = min(value for other, value in apart.items() if other != frame)
    assert apart[frame] < min(0.03, others / 2), f"{file.name}: {apart}"
    return f"{file.name}: {apart[frame]:.4f}"


def main() -> None:
    folder = HOME / "shot"
    _, first_trimap = scene.shot(folder, FRAMES)
    for frame in FRAMES:
        encoded = scene.encode(scene.plate_of(scene.alpha_of(frame)))
        scene.save("p", encoded, folder / f"encoded.{frame:04d}.png", is_float=False)
    subprocess.run([os.environ["GOSSAMER_PYTHON"], "-c", WRITE, str(folder)], check=True)
    trimap = bpy.data.images.load(str(first_trimap))
    trimap.source = "SEQUENCE"
    plate = bpy.data.images.load(str(folder / "m.mp4"))
    bpy.ops.gossamer.matte(plate=plate.name, trimap=trimap.name, frames="2-3", output=f"{HOME / 'image'}/")
    said = [is_frame(HOME / "image" / f"m_alpha.{frame:04d}.exr", frame) for frame in (2, 3)]
    clip = bpy.data.movieclips.load(str(folder / "m.mp4"))
    clip.frame_start = 10
    bpy.context.scene.frame_set(13)
    bpy.ops.gossamer.matte(clip=clip.name, trimap=trimap.name, output=f"{HOME / 'clip'}/")
    said.append(is_frame(HOME / "clip" / "m_alpha.0004.exr", 4))
    print(f"Blender {bpy.app.version_string}: a movie as image and as clip, {', '.join(said)}")


if __name__ == "__main__":
    installing.run(main, HOME)
