"""``gossamer doctor`` as it is typed."""

import json
from collections.abc import Callable, Sequence

import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import doctor
from gossamer.evaluation import doctor as examination
from gossamer.evaluation.doctor import Finding

WELL = Finding("models", "gossamer-s on cpu", "ok", "solved a small picture", is_needed=True)
ABSENT = Finding("optional", "PyAV", "absent", "not installed", 'pip install "gossamer-matting[movie]"')
ILL = Finding("base", "ONNX Runtime", "problem", "not installed", "pip install [cpu]", is_needed=True)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def call(findings: Sequence[Finding], *words: str) -> Result:
        monkeypatch.setattr(examination, "examine", lambda folder: tuple(findings))
        app = typer.Typer()
        app.callback()(lambda: None)
        doctor.register(app)
        return CliRunner().invoke(app, ["doctor", *words])

    return call


def test_a_machine_that_works_ends_with_zero_and_names_what_may_be_added(run: Callable[..., Result]) -> None:
    result = run([WELL, ABSENT])
    assert result.exit_code == 0
    assert "The base job works" in result.output
    assert 'pip install "gossamer-matting[movie]"' in result.output


def test_a_machine_that_does_not_work_ends_with_one(run: Callable[..., Result]) -> None:
    result = run([WELL, ILL])
    assert result.exit_code == 1
    assert "does not work here" in result.output
    assert "pip install [cpu]" in result.output


def test_the_findings_come_as_json(run: Callable[..., Result]) -> None:
    result = run([ILL, ABSENT], "--json")
    values = json.loads(result.output)
    assert result.exit_code == 1
    assert values["base_job_works"] is False
    assert [finding["name"] for finding in values["findings"]] == ["ONNX Runtime", "PyAV"]
