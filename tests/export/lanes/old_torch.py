"""Does an old torch load a file for Nuke, and does it answer as the new one did?

Run by the Python that has the old torch; needs nothing of this project:

    OLD_PYTHON tests/export/lanes/old_torch.py FILE.pt ANSWERS.npz

``ANSWERS.npz`` holds ``input`` and ``alpha`` as the torch that wrote the file saw them (``write_answers`` in
``tests/export/test_torchscript.py``). Prints one line; ends with 1 when the largest distance is over the limit.
"""

import sys

import numpy as np
import torch

LIMITS = {torch.float32: 1e-4, torch.float16: 1e-2}


def main(file, answers):  # type: ignore[no-untyped-def]  # old Pythons have to read this
    recorded = np.load(answers)
    module = torch.jit.load(file, map_location="cpu")
    module.scene_linear = 0
    kind = module.like.dtype
    with torch.no_grad():
        alpha = module(torch.from_numpy(recorded["input"])).numpy()
        module.tile = 64
        tiled = module(torch.from_numpy(recorded["input"]))
    distance = float(np.abs(alpha - recorded["alpha"]).max())
    assert tuple(tiled.shape) == alpha.shape
    print("torch {}: {} {}, largest distance {:.1e}".format(torch.__version__, file, kind, distance))
    return 0 if distance <= LIMITS[kind] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
