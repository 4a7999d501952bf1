"""What the examination finds, and what it does not let pass."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gossamer.evaluation import doctor
from gossamer.evaluation.doctor import Finding, base_job_works, examine


def one(findings: Iterable[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_a_working_model_means_that_the_base_job_works(tiny_weights: Path, tmp_path: Path) -> None:
    findings = examine(tmp_path, model=str(tiny_weights))
    solved = one(findings, f"{tiny_weights} on cpu")
    assert solved.status == "ok"
    assert "onnxruntime" in solved.detail
    assert base_job_works(findings)
    assert {"Python", "machine", "this folder", "numpy", "OpenImageIO", "OpenColorIO", "OpenCV", "ONNX Runtime"} <= {
        finding.name for finding in findings
    }
    assert list(tmp_path.glob(".gossamer-*")) == []


def test_damaged_weights_are_found(make_tiny_weights: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_tiny_weights("damaged")
    with (folder / "damaged.onnx").open("ab") as stream:
        stream.write(b"x")
    findings = doctor._models(str(folder))
    solved = one(findings, f"{folder} on cpu")
    assert solved.status == "problem"
    assert "not the file its manifest vouches for" in solved.detail
    assert not base_job_works(findings)


def test_a_model_that_answers_with_nan_is_found(
    make_tiny_weights: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tiny_weights("hot", gain=float("inf"))
    found = doctor._solve(str(folder), "cpu", is_needed=True)
    assert found.status == "problem"
    assert "not" in found.detail


def test_a_package_that_is_not_installed_comes_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymatting", None)
    found = one(doctor._optional_packages(), "PyMatting")
    assert (found.status, found.detail) == ("absent", "not installed (closed-form, knn, shared)")
    assert found.remedy == 'pip install "gossamer-matting[classical]"'
    assert base_job_works([found])


def test_a_missing_runtime_stops_the_base_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    findings = doctor._base_packages()
    assert one(findings, "ONNX Runtime").status == "problem"
    assert "[cpu]" in one(findings, "ONNX Runtime").remedy
    assert not base_job_works(findings)


@pytest.mark.parametrize("line", ["raise OSError('libx.so.1: cannot open')", "import no_such_part_of_it"])
def test_a_package_that_does_not_load_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    (tmp_path / "av.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "av", raising=False)
    found = one(doctor._optional_packages(), "PyAV")
    assert found.status == "problem"
    assert found.detail.startswith("does not load: ")
    assert found.remedy == 'pip install --force-reinstall "gossamer-matting[movie]"'


def test_both_builds_of_onnx_runtime_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda _: "1.0")
    found = one(doctor._base_packages(), "ONNX Runtime twice")
    assert found.status == "problem"
    assert found.remedy.splitlines()[:2] == [
        "pip uninstall -y onnxruntime onnxruntime-gpu",
        'pip install "gossamer-matting[cpu]"',
    ]


def test_a_folder_that_cannot_be_written_is_a_problem_but_not_the_end(tmp_path: Path) -> None:
    found = one(doctor._system(tmp_path / "nowhere"), "this folder")
    assert found.status == "problem"
    assert "cannot be written" in found.detail
    assert base_job_works([found])


def test_little_memory_is_a_problem_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "memory", lambda: (4 * 2**30, 2**30))
    found = one(doctor._system(tmp_path), "memory")
    assert (found.status, found.detail) == ("problem", "1.0 GB free of 4.0 GB")
    assert "--tile" in found.remedy


def test_unknown_memory_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "memory", lambda: None)
    assert "memory" not in {finding.name for finding in doctor._system(tmp_path)}


def test_a_stated_color_configuration_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "none.ocio"))
    found = one(doctor._base_packages(), "OpenColorIO")
    assert found.status == "problem"
    assert "none.ocio" in found.detail
    assert found.remedy == "Correct $OCIO or unset it."


def test_a_color_configuration_that_is_damaged_is_no_fault_of_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "damaged.ocio").write_text("ocio_profile_version: [")
    monkeypatch.setenv("OCIO", str(tmp_path / "damaged.ocio"))
    found = one(doctor._base_packages(), "OpenColorIO")
    assert "damaged.ocio, which cannot be used: " in found.detail
    assert found.remedy == "Correct $OCIO or unset it."
