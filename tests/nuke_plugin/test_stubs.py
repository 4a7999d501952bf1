"""The adapter and the double use nothing that Nuke's stubs do not declare."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gossamer_bridge
from tests.fakes.fake_nuke import interface
from tests.fakes.fake_nuke.catalogue import CLASSES
from tests.nuke_plugin.stubs import read_stubs

PLUGIN = Path(__file__).resolve().parents[2] / "nuke_plugin"
SOURCES = sorted([*PLUGIN.glob("*.py"), *PLUGIN.glob("gossamer_nuke/*.py")])
BRIDGE = sorted(Path(gossamer_bridge.__file__).parent.glob("*.py"))
STANDARD = (str, bytes, dict, list, set, tuple, int, float, Path)
LIBRARIES = [
    "abc",
    "argparse",
    "ast",
    "atexit",
    "concurrent.futures",
    "contextlib",
    "dataclasses",
    "hashlib",
    "json",
    "logging",
    "os",
    "os.path",
    "re",
    "shutil",
    "sys",
    "tempfile",
    "threading",
    "time",
    "traceback",
    "webbrowser",
    "zipfile",
]


def module_names(tree: ast.AST) -> Iterator[str]:
    """``x`` of each ``nuke.x``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nuke":
            yield node.attr


def own_names() -> set[str]:
    """What the adapter, the bridge and the standard library define: an attribute of that name may be theirs."""
    names: set[str] = {name for kind in STANDARD for name in dir(kind)}
    for library in LIBRARIES:
        module = __import__(library, fromlist=["x"])
        names |= set(dir(module))
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__.split(".")[0] == library.split(".")[0]:
                names |= set(dir(value))
    names |= set(dir(__import__("re").compile(""))) | set(dir(__import__("re").match("", "")))
    names |= set(dir(__import__("hashlib").sha256())) | {"st_size", "st_mtime"}
    for path in (*SOURCES, *BRIDGE):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name | ast.Attribute):
                names.add(node.target.id if isinstance(node.target, ast.Name) else node.target.attr)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return names


def host_attributes(tree: ast.AST, own: set[str]) -> set[str]:
    """Attributes that can only be meant for something of Nuke's."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} - own - made_nodes(tree)


def made_nodes(tree: ast.AST) -> set[str]:
    """``X`` of each ``nuke.nodes.X``."""
    outer = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {node.attr for node in outer if isinstance(node.value, ast.Attribute) and node.value.attr == "nodes"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_each_name_taken_from_nuke_is_in_the_stubs(path: Path) -> None:
    unknown = set(module_names(ast.parse(path.read_text(encoding="utf-8")))) - read_stubs().names
    assert unknown == set()


def test_each_attribute_of_nodes_and_knobs_is_in_the_stubs() -> None:
    own = own_names()
    used: set[str] = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module_level = {"session", "startup", "menus", "farm"}
        used |= host_attributes(tree, own) - set(module_names(tree)) - module_level
    assert used - read_stubs().all_methods() - read_stubs().names == set()
    assert {"setValue", "hasError", "getEvaluatedValue", "isCancelled", "writeKnobs"} <= used


def test_each_class_of_node_that_is_made_is_known() -> None:
    made = {name for path in SOURCES for name in made_nodes(ast.parse(path.read_text(encoding="utf-8")))}
    assert made - set(CLASSES) == set()


def test_a_misspelt_attribute_would_be_found() -> None:
    tree = ast.parse("node['x'].setValeu(1)\nnuke.exceute(node)")
    assert host_attributes(tree, own_names()) - read_stubs().all_methods() == {"setValeu", "exceute"}
    assert set(module_names(tree)) - read_stubs().names == {"exceute"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_adapter_is_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def doubles(app: Any) -> dict[str, type]:
    """Classes of the double by the stubs' names."""
    module = app.module
    found = {name: value for name, value in vars(module).items() if inspect.isclass(value)}
    named = (interface.ProgressTask, interface.Undo, interface.Menu, interface.MenuItem, interface.ToolBar)
    return {**found, **{kind.__name__: kind for kind in named}}


def test_the_double_has_no_name_that_nuke_lacks(app: Any) -> None:
    public = {name for name in vars(app.module) if not name.startswith("_")}
    assert public - read_stubs().names == set()


def test_the_doubles_classes_have_no_method_that_nukes_lack(app: Any) -> None:
    extra = []
    for name, kind in doubles(app).items():
        if name == "CancelledError":
            continue
        declared = read_stubs().methods(name)
        public = {attribute for attribute in dir(kind) if not attribute.startswith("_")}
        extra += [f"{name}.{attribute}" for attribute in sorted(public - set(declared))]
    assert extra == []


def test_the_doubles_methods_take_what_nukes_take(app: Any) -> None:
    """Where the stubs name the arguments, the double's have the same names in the same order."""
    wrong = []
    for name, kind in doubles(app).items():
        if name == "CancelledError":
            continue
        for method, declared in read_stubs().methods(name).items():
            ours = kind.__dict__.get(method)
            if method.startswith("_") or not inspect.isfunction(ours) or any(d.args.vararg for d in declared):
                continue
            theirs = [[argument.arg for argument in d.args.args][1:] for d in declared]
            mine = list(inspect.signature(ours).parameters)[1:]
            if not any(mine == names[: len(mine)] for names in theirs) and len(declared) == 1:
                wrong.append(f"{name}.{method}{mine} against {theirs}")
    assert wrong == []


def test_the_doubles_functions_take_what_nukes_take(app: Any) -> None:
    wrong = []
    for name, declared in read_stubs().functions.items():
        ours = getattr(app.module, name, None)
        if not (inspect.isfunction(ours) or inspect.ismethod(ours)) or any(d.args.vararg for d in declared):
            continue
        theirs = [[argument.arg for argument in d.args.args] for d in declared]
        mine = list(inspect.signature(ours).parameters)
        if not any(mine == names[: len(mine)] for names in theirs):
            wrong.append(f"{name}{mine} against {theirs}")
    assert wrong == []
