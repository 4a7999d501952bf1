"""Rules that hold for every file of the add-on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "blender_addon" / "gossamer_blender"
FILES = sorted(PACKAGE.glob("*.py"))
WITHOUT_BLENDER = {
    "__init__",
    "bundled",
    "cache",
    "colours",
    "exr",
    "frames",
    "host",
    "pixels",
    "run",
    "session",
    "status",
    "wishes",
}


def imports(path: Path) -> list[tuple[int, str]]:
    """Level and name of everything that a file imports when it is run."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or ""))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_the_bridge_blender_and_the_standard_library_are_imported_and_the_rest_is_relative(path: Path) -> None:
    import sys

    for level, name in imports(path):
        top = name.partition(".")[0]
        assert level == 1 or top in sys.stdlib_module_names or top in ("bpy", "gossamer_bridge"), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_blender_is_imported_where_it_has_to_be(path: Path) -> None:
    if path.stem in WITHOUT_BLENDER:
        assert "bpy" not in [name for _, name in imports(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_states_the_licence_and_its_public_names(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")
    tree = ast.parse(text)
    listed = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    )
    made = {getattr(node, "name", "") for node in tree.body}
    made |= {getattr(target, "id", "") for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
    assert set(listed) <= made, set(listed) - made


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_parses_as_the_python_of_blender_3_4(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_the_fake_has_nothing_that_the_stubs_do_not_declare() -> None:
    from tests.fakes.fake_bpy import blocks, interface

    stub = ast.parse((ROOT / "tests" / "stubs" / "bpy" / "types.pyi").read_text(encoding="utf-8"))
    declared: dict[str, set[str]] = {}
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            names = {getattr(item, "name", "") for item in node.body}
            names |= {
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
            for base in node.bases:
                names |= declared.get(getattr(base, "id", ""), set())
            declared[node.name] = names
    own = {"custom", "version", "reports"}
    for kind in (*blocks.TYPES, *interface.TYPES):
        known = declared[kind.__name__] | own
        public = {name for name in vars(kind) if not name.startswith("_")} | set(
            getattr(kind, "__dataclass_fields__", ())
        )
        public -= {"data", "classes"} if kind is interface.Context else set()
        public -= {"drawn"} if kind is interface.UILayout else set()
        assert public <= known, f"{kind.__name__}: {public - known}"
