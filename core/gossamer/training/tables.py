"""Frozen dataclasses from TOML tables: every name known, every value of the right kind, or said with its place."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from gossamer.errors import SettingError

__all__ = ["build", "take"]

_WORDS = {int: "a whole number", float: "a number", str: "text in quotes", bool: "true or false"}


def build(cls: type[Any], values: Any, where: str, prefix: str = "") -> Any:
    """An instance of the frozen dataclass ``cls``.

    Args:
        cls: the dataclass; fields may be numbers, text, tuples of these, dataclasses.
        values: table as TOML gives it.
        where: file or other place, for the message.
        prefix: name of the table with its dot, for the message.

    Raises:
        SettingError: a setting is unknown, of the wrong kind or out of range.
    """
    return cls(**take(cls, values, where, prefix))


def take(cls: type[Any], values: Any, where: str, prefix: str = "") -> dict[str, Any]:
    """The arguments for ``cls`` in ``values``; see :func:`build`.

    Whole numbers become floats where these are asked for, lists become tuples, tables dataclasses. Fields of any other
    type are handed on as they are.
    """
    if not isinstance(values, Mapping):
        raise SettingError(f"{where}: {prefix.rstrip('.')} is {values!r}; give a table of settings.")
    kinds = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]
    unknown = [prefix + name for name in sorted(set(values) - set(known))]
    if unknown:
        raise SettingError(f"{where}: unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    return {name: _convert(kinds[name], value, where, prefix + name) for name, value in values.items()}


def _convert(kind: Any, value: Any, where: str, name: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return value if isinstance(value, kind) else build(kind, value, where, f"{name}.")
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise SettingError(f"{where}: {name} is {value!r}; give a list in brackets.")
        element, *others = typing.get_args(kind)
        if others != [...] and len(value) != 1 + len(others):
            raise SettingError(f"{where}: {name} has {len(value)} values; give {1 + len(others)}.")
        return tuple(_convert(element, part, where, name) for part in value)
    if typing.get_origin(kind) is typing.Literal:
        kind = str
    if kind is float and type(value) is int:
        return float(value)
    if kind in _WORDS and type(value) is not kind:
        raise SettingError(f"{where}: {name} is {value!r}; give {_WORDS[kind]}.")
    return value
