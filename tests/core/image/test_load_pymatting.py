"""PyMatting comes in without touching what torch was told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gossamer.errors import MissingDependencyError
from gossamer.image.load_pymatting import load_pymatting


def test_torch_keeps_its_threads() -> None:
    # In a process of its own: it happens at the first import alone. Not the number of cores, which numba would set.
    threads = (os.cpu_count() or 1) + 1
    script = (
        "import torch; from gossamer.image.load_pymatting import load_pymatting as load;"
        f"torch.set_num_threads({threads}); torch.get_num_threads(); load('this'); print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(threads)]


def test_a_missing_pymatting_names_who_needs_it_and_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymatting", None)
    with pytest.raises(
        MissingDependencyError, match=r'^shared needs PyMatting: pip install "gossamer-matting\[classical\]"'
    ):
        load_pymatting("shared")
