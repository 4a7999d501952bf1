from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

load_pre: list[Callable[..., None]]
redo_post: list[Callable[..., None]]
undo_post: list[Callable[..., None]]

def persistent(function: Function) -> Function: ...
