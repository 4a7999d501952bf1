"""Every public name of the room exists."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import gossamer.image

MODULES = sorted(info.name for info in pkgutil.iter_modules(gossamer.image.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_promises_exists(name: str) -> None:
    module = importlib.import_module(f"gossamer.image.{name}")
    assert module.__doc__
    for public in module.__all__:
        assert hasattr(module, public), public
