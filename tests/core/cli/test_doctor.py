"""``gossamer doctor`` as it is typed."""

import json
import subprocess
import sys
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
    def call(findings: Sequence[Finding], *words: str, charset: str = "utf-8") -> Result:
        monkeypatch.setattr(examination, "examine", lambda folder: tuple(findings))
        app = typer.Typer()
        app.callback()(lambda: None)
        doctor.register(app)
        return CliRunner(charset=charset).invoke(app, ["doctor", *words])

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


@pytest.mark.parametrize("module", ["cv2", "OpenImageIO", "PyOpenColorIO", "onnxruntime"])
def test_a_package_that_is_missing_is_a_line_and_no_traceback(module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['gossamer', 'doctor', '--json']\n"
    code += "from gossamer.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode == 1
    problems = [finding for finding in json.loads(ended.stdout)["findings"] if finding["status"] == "problem"]
    assert any(finding["detail"] == "not installed" and finding["remedy"] for finding in problems)


def test_a_console_without_ticks_still_gets_its_lines(run: Callable[..., Result]) -> None:
    result = run([WELL, ABSENT, ILL], charset="cp1252")
    assert result.exit_code == 1
    assert "+ gossamer-s on cpu" in " ".join(result.output.split())
    assert "x ONNX Runtime" in " ".join(result.output.split())


def test_the_findings_come_as_json(run: Callable[..., Result]) -> None:
    result = run([ILL, ABSENT], "--json")
    values = json.loads(result.output)
    assert result.exit_code == 1
    assert values["base_job_works"] is False
    assert [finding["name"] for finding in values["findings"]] == ["ONNX Runtime", "PyAV"]
