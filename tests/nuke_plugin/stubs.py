"""What Nuke has, read from the stubs' syntax trees."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["Stubs", "read_stubs"]


@dataclass(frozen=True)
class Stubs:
    names: frozenset[str]
    """Of the module ``nuke``."""
    functions: dict[str, list[ast.FunctionDef]]
    classes: dict[str, ast.ClassDef]

    def methods(self, class_name: str) -> dict[str, list[ast.FunctionDef]]:
        """Methods of a class and of those it is made from."""
        definition = self.classes[class_name]
        found: dict[str, list[ast.FunctionDef]] = {}
        for base in reversed(definition.bases):
            if isinstance(base, ast.Name) and base.id in self.classes:
                found.update(self.methods(base.id))
        own: dict[str, list[ast.FunctionDef]] = {}
        for node in definition.body:
            if isinstance(node, ast.FunctionDef):
                own.setdefault(node.name, []).append(node)
        return {**found, **own}

    def all_methods(self) -> frozenset[str]:
        """Of any class."""
        return frozenset(name for class_name in self.classes for name in self.methods(class_name))


@lru_cache(maxsize=1)
def read_stubs() -> Stubs:
    """Parse ``types-nuke`` as it is installed."""
    folder = Path(str(distribution("types-nuke").locate_file("nuke-stubs")))
    assert folder.is_dir(), f"{folder} is missing: install the dev extra"
    names: set[str] = set()
    functions: dict[str, list[ast.FunctionDef]] = {}
    classes: dict[str, ast.ClassDef] = {}
    for stem in ("_nuke", "utils", "callbacks", "colorspaces", "executeInMain", "overrides", "scripts"):
        for node in ast.parse((folder / f"{stem}.pyi").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                functions.setdefault(node.name, []).append(node)
                names.add(node.name)
            elif isinstance(node, ast.ClassDef):
                classes[node.name] = node
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return Stubs(frozenset(names), functions, classes)
