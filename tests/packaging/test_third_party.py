"""The third-party list names what pyproject.toml names, and nothing in it stands against paid work."""

import importlib.util
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOL = Path(__file__).with_name("third_party.py")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The script beside this file, loaded as a module."""
    spec = importlib.util.spec_from_file_location("third_party", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["third_party"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(tool: ModuleType) -> dict[str, Any]:
    values: dict[str, Any] = tomllib.loads((tool.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return values


def test_the_list_names_the_packages_of_pyproject(tool: ModuleType, project: dict[str, Any]) -> None:
    listed = set(re.findall(r"^\| \*\*([a-z0-9.-]+)\*\* \|", tool.LIST.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == set(tool.direct_names(project)), "run python tests/packaging/third_party.py --write"


def test_every_extra_is_covered(tool: ModuleType, project: dict[str, Any]) -> None:
    assert set(project["optional-dependencies"]) == {*tool.EXTRAS, "all", "dev"}


def test_each_runtime_comes_with_its_own_extra_alone(tool: ModuleType, project: dict[str, Any]) -> None:
    names = tool.direct_names(project)  # both together would overwrite each other
    assert (names["onnxruntime"], names["onnxruntime-gpu"]) == ({"cpu"}, {"gpu"})


def test_nothing_that_is_installed_stands_against_paid_work(tool: ModuleType, project: dict[str, Any]) -> None:
    assert tool.problems(tool.collect(project)) == []


def test_packages_that_come_with_others_are_followed(tool: ModuleType, project: dict[str, Any]) -> None:
    by_name = {package.name: package for package in tool.collect(project)}
    assert by_name["shellingham"].comes_with == {"base"}  # typer needs it
    assert not by_name["shellingham"].is_direct
    assert by_name["numba"].comes_with == {"classical", "train"}


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "AGPL-3.0", "GNU General Public License v2", "CC BY-NC 4.0", "MIT AND GPL-2.0-or-later"]
)
def test_a_licence_that_forbids_is_a_problem(tool: ModuleType, licence: str) -> None:
    (found,) = tool.problems([tool.Package("thing", "1", licence)])
    assert found.startswith(f"thing: {licence} ")


@pytest.mark.parametrize("licence", ["MIT", "LGPL-2.1-or-later", "GPL-2.0 OR MIT", "MPL-2.0", "Apache-2.0"])
def test_a_licence_that_allows_is_none(tool: ModuleType, licence: str) -> None:
    assert tool.problems([tool.Package("thing", "1", licence)]) == []


def test_a_package_without_a_licence_is_a_problem(tool: ModuleType) -> None:
    (found,) = tool.problems([tool.Package("thing", "1", "")])
    assert "no licence found" in found


def test_a_gpl_library_inside_a_wheel_has_to_be_accepted(tool: ModuleType) -> None:
    (found,) = tool.problems([tool.Package("thing", "1", "MIT", libraries=("x264",))])
    assert "its wheel holds x264" in found
    assert tool.problems([tool.Package("thing", "1", "MIT", libraries=("avcodec",))]) == []


def test_a_licence_is_read_from_expression_text_or_classifier(tool: ModuleType, tmp_path: Path) -> None:
    def licence(*lines: str) -> str:
        folder = tmp_path / "thing-1.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: thing", "Version: 1", *lines]))
        found: str = tool.licence_of("thing", metadata.PathDistribution(folder))
        return found

    assert licence("License-Expression: MIT OR Apache-2.0", "License: other") == "MIT OR Apache-2.0"
    assert licence("License: Apache 2.0") == "Apache-2.0"
    assert licence("Classifier: License :: OSI Approved :: MIT License") == "MIT"
    assert licence() == ""


def test_the_command_says_what_is_wrong(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "collect", lambda _: [tool.Package("thing", "1", "AGPL-3.0")])
    assert tool.main(["--check"]) == 1
    assert "thing: AGPL-3.0" in capsys.readouterr().err


def test_the_command_writes_the_list(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "LIST", tmp_path / "list.md")
    monkeypatch.setattr(tool, "collect", lambda _: [tool.Package("thing", "1.2", "MIT", True, {"base", "cpu"})])
    assert tool.main(["--write"]) == 0
    assert "| **thing** | 1.2 | MIT | base, cpu |" in (tmp_path / "list.md").read_text(encoding="utf-8")
    assert "1 packages" in capsys.readouterr().out
