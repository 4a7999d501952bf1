"""The bridge runs inside Nuke and Blender: standard library only, and a grammar that Python 3.9 knows."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

import gossamer_bridge

FOLDER = Path(gossamer_bridge.__file__).parent
FILES = sorted(FOLDER.glob("*.py"))
STANDARD: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())


def imported(tree: ast.AST) -> set[str]:
    """The first part of every module that is imported, anywhere in the file."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else (node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_parses_as_python_39(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))


@pytest.mark.skipif(not STANDARD, reason="this Python does not list its standard library (3.10 and up do)")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_import_is_the_standard_library_or_the_bridge(file: Path) -> None:
    assert imported(ast.parse(file.read_text(encoding="utf-8"))) <= STANDARD | {"gossamer_bridge"}


def test_a_foreign_import_would_be_noticed() -> None:
    assert imported(ast.parse("def f():\n    import numpy.linalg\n    from . import x")) == {"numpy", "."}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_module_says_what_is_public_and_has_it(file: Path) -> None:
    module = importlib.import_module(f"gossamer_bridge.{file.stem}" if file.stem != "__init__" else "gossamer_bridge")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_nothing_of_310_is_evaluated_when_the_bridge_is_imported() -> None:
    """``X | None`` outside of annotations parses on 3.9 and fails there when it is run."""
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        assert future or file.stem == "__init__", f"{file.name} evaluates its annotations"
