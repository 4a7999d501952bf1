"""Progress bars, undo blocks, menus, and the names of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fakes.fake_nuke.application import Application
    from tests.fakes.fake_nuke.nodes import Node

__all__ = ["CALLBACKS", "Menu", "MenuItem", "NodeMakers", "ProgressTask", "ToolBar", "Undo"]

CALLBACKS = (
    "OnCreate",
    "OnUserCreate",
    "OnDestroy",
    "OnScriptLoad",
    "OnScriptSave",
    "OnScriptClose",
    "KnobChanged",
    "BeforeRender",
    "BeforeFrameRender",
    "AfterFrameRender",
    "AfterRender",
)


class ProgressTask:
    """A bar with a cancel button. May be used from any thread."""

    def __init__(self, app: Application, name: str) -> None:
        self._name, self._cancelled = name, False
        self._message, self._progress = "", 0
        self._history: list[tuple[int, str]] = []
        app.progress_tasks.append(self)

    def setMessage(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError("setMessage takes text")
        self._message = text
        self._history.append((self._progress, text))

    def setProgress(self, percent: int) -> None:
        if not isinstance(percent, int) or not 0 <= percent <= 100:
            raise TypeError(f"setProgress takes a whole number 0..100, not {percent!r}")
        self._progress = percent

    def isCancelled(self) -> bool:
        return self._cancelled


class Undo:
    """``nuke.Undo``: an instance that stands for the class, whose methods are class methods."""

    def __init__(self, app: Application) -> None:
        self._app, self._names = app, [""]

    def begin(self, name: str = "") -> None:
        self._app.check_thread("the undo list")
        self._names.append(name)
        if self._app.undo_open is None:
            self._app.undo_open = []

    def end(self) -> None:
        name = self._names.pop()
        if len(self._names) == 1 and self._app.undo_open is not None:
            changes, self._app.undo_open = self._app.undo_open, None
            if changes:
                self._app.undo_entries.append((name, changes))

    def disable(self) -> None:
        self._app.check_thread("the undo list")
        self._app.undo_disabled += 1

    def enable(self) -> None:
        self._app.undo_disabled -= 1

    def undo(self) -> None:
        self._app.undo()


class MenuItem:
    def __init__(self, name: str, script: Any = "", icon: str = "") -> None:
        self._name, self._script, self._icon = name, script, icon

    def name(self) -> str:
        return self._name

    def icon(self) -> str:
        return self._icon

    def script(self) -> str:
        return str(self._script)

    def invoke(self) -> None:
        if callable(self._script):
            self._script()
        else:
            import sys

            exec(self._script, {"nuke": sys.modules["nuke"]})


class Menu(MenuItem):
    def __init__(self, name: str, icon: str = "") -> None:
        super().__init__(name, icon=icon)
        self._items: list[MenuItem] = []

    def addMenu(self, name: str, icon: str = "", index: int = -1) -> Menu:
        found = self.findItem(name)
        if isinstance(found, Menu):
            return found
        menu = Menu(name, icon)
        self._items.append(menu)
        return menu

    def addCommand(
        self, name: str, command: str | Callable[[], Any] = "", shortcut: str = "", icon: str = ""
    ) -> MenuItem:
        item = MenuItem(name, command, icon)
        self._items.append(item)
        return item

    def findItem(self, name: str) -> MenuItem | None:
        return next((item for item in self._items if item.name() == name), None)

    def items(self) -> list[MenuItem]:
        return list(self._items)


class ToolBar:
    def __init__(self, menu: Menu) -> None:
        self._menu = menu

    def addMenu(self, name: str, icon: str = "", index: int = -1) -> Menu:
        return self._menu.addMenu(name, icon)


class NodeMakers:
    """``nuke.nodes``."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def __getattr__(self, class_name: str) -> Callable[..., Node]:
        if class_name.startswith("_"):
            raise AttributeError(class_name)
        return lambda **values: self._app.make(class_name, **values)
