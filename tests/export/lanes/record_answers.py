"""Records what a file for Nuke answers here, for ``old_torch.py``: ``record_answers.py FILE.pt ANSWERS.npz``."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


def main(file: Path, answers: Path) -> None:
    """A smooth random picture of an odd size, a third each background, unknown and foreground."""
    module = torch.jit.load(str(file))  # type: ignore[no-untyped-call]
    module.scene_linear = 0
    random = torch.rand(1, 3, 150, 201, generator=torch.Generator().manual_seed(1))
    plate = nn.functional.avg_pool2d(random, 9, 1, 4)
    trimap = (torch.arange(201) * 3 // 201 / 2).expand(1, 1, 150, 201)
    taken = torch.cat([plate, trimap], 1) if module.needs_trimap else plate
    with torch.no_grad():
        np.savez(answers, input=taken.numpy(), alpha=module(taken).numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
