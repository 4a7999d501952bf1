"""The papers' networks as artifacts: free sizes, same answers. Minutes: ``pytest tests/contract -m slow``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.models.convert import fit_state
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import Manifest, save_weights
from gossamer_export.artifact import artifact_of
from gossamer_export.export import export
from gossamer_export.settings import ExportSettings
from gossamer_export.verify import LIMITS


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    ("fixture", "name"),
    [
        ("lsa", "lsa-r50d"),
        ("vitmatte_s", "vitmatte-s"),
        ("gfm_r34_tt", "gfm-r34-tt"),
        ("gfm_d121_rim", "gfm-d121-rim"),
    ],
)
def test_a_paper_network_answers_the_same_as_onnx(
    recorded: Callable[[str], Any], tmp_path: Path, fixture: str, name: str, precision: Any
) -> None:
    folder = recorded(fixture)
    network = create_model(name)
    network.load_state_dict(fit_state({key: torch.from_numpy(value) for key, value in folder.state().items()}, name))
    entry = model_entry(name)
    manifest = Manifest(
        name, name, entry.family, "none: synthetic", 1, entry.needs_trimap, entry.multiple_of, entry.margin, {}
    )
    save_weights(network, tmp_path / "weights", manifest)
    made = export(ExportSettings(str(tmp_path / "weights"), precision=precision), tmp_path / "out")
    results = artifact_of(made).results
    assert results is not None
    for measured, limit in LIMITS[precision].stated().items():
        folder.note(f"{name} as ONNX", f"{precision}, {measured} of alpha against torch", results[measured], limit)


@pytest.mark.slow
def test_the_default_network_traced_anew_answers_the_same(tmp_path: Path) -> None:
    made = export(ExportSettings("gossamer-s", retrace=True), tmp_path)
    assert artifact_of(made).status == "built, run"
