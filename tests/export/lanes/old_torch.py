"""Does an old torch load a file for Nuke, and does it answer as the torch did that wrote it?

Run by the Python that has the old torch; needs nothing of this project:

    OLD_PYTHON tests/export/lanes/old_torch.py FILE.pt ANSWERS.npz

``ANSWERS.npz`` comes from ``python tests/export/lanes/record_answers.py FILE.pt ANSWERS.npz`` in the environment that
wrote the file. Three frames, because torch optimises the graph after the first and uses the result from the third on.
Files in half precision run in float32 here: old torch has no half precision on the CPU, and the operators are the same.
Prints one line; ends with 1 when alpha is farther than 1e-4 (half: 1e-2) from the recorded one.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch

LIMITS = {torch.float32: 1e-4, torch.float16: 1e-2}


def main(file: str, answers: str) -> int:
    recorded = np.load(answers)
    module: Any = torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]
    kind = module.like.dtype
    module.float()
    module.scene_linear = 0
    spent = []
    with torch.no_grad():
        for _ in range(3):
            begun = time.time()
            alpha = module(torch.from_numpy(recorded["input"])).numpy()
            spent.append(f"{time.time() - begun:.1f}")
        module.tile = 64
        tiled = module(torch.from_numpy(recorded["input"]))
    distance = float(np.abs(alpha - recorded["alpha"]).max())
    assert tuple(tiled.shape) == alpha.shape
    frames = ", ".join(spent)
    sys.stdout.write(
        f"torch {torch.__version__}: {file} loads; largest distance {distance:.1e}; frames 1 to 3 took {frames} s\n"
    )
    return 0 if distance <= LIMITS[kind] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
