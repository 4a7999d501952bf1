"""Facts about the machine."""

import platform

from gossamer.evaluation import machine


def test_versions_name_python_and_what_is_installed() -> None:
    found = machine.versions()
    assert found["python"] == platform.python_version()
    assert "numpy" in found
    assert "onnxruntime-gpu" not in found or found["onnxruntime-gpu"]


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert machine.version_of("no-such-distribution-anywhere") is None


def test_there_is_a_core_and_memory_to_work_with() -> None:
    assert machine.cores() >= 1
    sizes = machine.memory()
    assert sizes is None or sizes[0] >= sizes[1] >= 0
