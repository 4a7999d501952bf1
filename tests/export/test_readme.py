"""The example of the README does what it says, word for word, and so do the shipped weights' own artifacts."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.inference.solver import create_solver
from gossamer_export.artifact import artifact_of, read_artifact

README = Path(__file__).parents[2] / "export" / "README.md"


def test_the_example_runs_in_plain_onnx_runtime(
    default_artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r"<!-- example -->\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert len([line for line in found[1].splitlines() if line.strip()]) <= 10
    assert "gossamer" not in re.sub(r'"[^"]*"|#.*', "", found[1])  # nothing of this project is imported
    (tmp_path / "out").symlink_to(default_artifacts, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    values: dict[str, Any] = {}
    exec(compile(found[1], str(README), "exec"), values)
    alpha = values["alpha"]
    assert alpha.shape == (1, 1, 270, 481)
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1


@pytest.mark.parametrize(
    ("name", "inputs"), [("gossamer-s-fp32-self-contained.onnx", 29), ("gossamer-s-fp16.onnx", 20)]
)
def test_the_shipped_weights_are_exported_within_the_limits(default_artifacts: Path, name: str, inputs: int) -> None:
    manifest, artifact = read_artifact(default_artifacts / name)
    assert artifact.status == "built, run"
    assert not artifact.forced
    assert artifact.results is not None
    assert artifact.results["inputs"] == inputs
    assert manifest.license == "Apache-2.0"


def test_both_artifacts_pull_the_matte_that_the_weights_pull(default_artifacts: Path) -> None:
    from gossamer_export.golden import golden_cases

    case = next(case for case in golden_cases(32) if case.name == "creature-ear")
    plate, trimap = case.plate[0].transpose(1, 2, 0), case.trimap[0, 0]
    expected = create_solver("gossamer-s", device="cpu", threads=1).solve(plate, trimap).alpha
    for name, limit in (("gossamer-s-fp32-self-contained.onnx", 1e-3), ("gossamer-s-fp16.onnx", 2e-3)):
        solver = create_solver(str(default_artifacts / name), device="cpu", threads=1)
        found = solver.solve(plate, trimap).alpha
        assert np.abs(found - expected).mean() < limit
        assert solver.effective["precision"] == artifact_of(read_artifact(default_artifacts / name)[0]).precision
