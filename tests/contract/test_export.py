"""The papers' networks as ONNX files: free sizes, same answers. Minutes: ``pytest tests/contract -m slow``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.models.convert import fit_state
from gossamer.models.registry import create_model, model_entry
from gossamer_export.onnx import check_onnx, write_onnx

LIMIT = 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixture", "name"), [("lsa", "lsa-r50d"), ("vitmatte_s", "vitmatte-s"), ("gfm_r34_tt", "gfm-r34-tt")]
)
def test_a_paper_network_answers_the_same_as_onnx(
    recorded: Callable[[str], Any], tmp_path: Path, fixture: str, name: str
) -> None:
    folder = recorded(fixture)
    network = create_model(name)
    network.load_state_dict(fit_state({key: torch.from_numpy(value) for key, value in folder.state().items()}, name))
    path = tmp_path / "network.onnx"
    multiple_of = model_entry(name).multiple_of
    write_onnx(network, path, multiple_of=multiple_of)
    folder.note(f"{name} as ONNX", "alpha against torch", check_onnx(path, network, multiple_of=multiple_of), LIMIT)
