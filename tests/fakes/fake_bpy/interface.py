"""What the artist touches: properties, operators, panels, windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

__all__ = ["TYPES", "Context", "Declared", "declaring", "defaults"]

EMPTY = {"Bool": False, "Enum": "", "Float": 0.0, "Int": 0, "Pointer": None, "String": ""}


class Declared:
    """A property as it is declared; on a class it is a descriptor that gives each owner a set of its own."""

    def __init__(self, kind: str, options: dict[str, Any]) -> None:
        self.kind, self.options = kind, options
        self._made: dict[int, Any] = {}

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self
        return self._made.setdefault(id(owner), SimpleNamespace(**defaults(self.options["type"])))

    def default(self) -> Any:
        if self.kind == "Enum" and "default" not in self.options:
            return self.options["items"][0][0]
        return self.options.get("default", EMPTY[self.kind])


def declaring(kind: str, version: tuple[int, int, int]) -> Callable[..., Declared]:
    """``bpy.props.XProperty``."""
    known = {"name", "description", "default", "min", "max", "items", "type", "poll", "subtype", "search", "options"}
    flags = {"ANIMATABLE", "HIDDEN", "SKIP_SAVE"}
    if version >= (4, 5, 0):
        flags.add("PATH_SUPPORTS_BLEND_RELATIVE")

    def declare(**options: Any) -> Declared:
        assert set(options) <= known, f"{kind}Property has no {set(options) - known}"
        if not options.get("options", set()) <= flags:
            raise TypeError(f"{kind}Property: {options['options'] - flags} not found in {flags}")
        if kind == "Enum" and "default" in options:
            assert options["default"] in [item[0] for item in options["items"]], options
        return Declared(kind, options)

    return declare


def defaults(kind: type) -> dict[str, Any]:
    """Every property of a class with its default."""
    return {name: value.default() for name, value in kind.__annotations__.items() if isinstance(value, Declared)}


class OperatorProperties:
    """Lists what was set and what an earlier operator left, and tells them apart."""

    def __init__(self, ghosts: dict[str, Any], stated: dict[str, Any]) -> None:
        self._keys, self._stated = list({**ghosts, **stated}), set(stated)

    def keys(self) -> list[str]:
        return self._keys

    def is_property_set(self, name: str) -> bool:
        return name in self._stated


class Operator:
    properties: Any

    def __init__(self) -> None:
        self.reports: list[tuple[str, str]] = []

    def report(self, kind: set[str], message: str) -> None:
        self.reports.append((next(iter(kind)), message))

    @classmethod
    def poll_message_set(cls, message: str) -> None:
        pass


class UILayout:
    """Notes what is drawn."""

    __slots__ = ("drawn", "enabled", "scale_y", "use_property_decorate", "use_property_split")

    def __init__(self, drawn: list[str] | None = None) -> None:
        self.drawn: list[str] = [] if drawn is None else drawn

    def box(self) -> UILayout:
        return UILayout(self.drawn)

    def row(self, *, align: bool = False) -> UILayout:
        return UILayout(self.drawn)

    def column(self, *, align: bool = False, heading: str = "") -> UILayout:
        return UILayout(self.drawn)

    def label(self, *, text: str = "", icon: str = "NONE") -> None:
        self.drawn.append(text)

    def prop(self, data: object, name: str, *, text: str = "") -> None:
        assert hasattr(data, name), f"{data} has no property {name}"
        self.drawn.append(f"[{name}]")

    def operator(self, idname: str, *, text: str = "", icon: str = "NONE") -> Any:
        self.drawn.append(f"({text or idname})")
        return SimpleNamespace()


class Panel:
    def __init__(self) -> None:
        self.layout = UILayout()


class PropertyGroup:
    pass


class AddonPreferences:
    def __init__(self) -> None:
        self.layout = UILayout()


class WindowManager:
    """Timers and modal operators, to be looked at."""

    def __init__(self) -> None:
        self.windows: list[Any] = []
        self.timers: list[object] = []
        self.modal: list[Any] = []
        self.is_progress_shown = False

    def event_timer_add(self, _step: float, *, window: object) -> object:
        self.timers.append(object())
        return self.timers[-1]

    def event_timer_remove(self, timer: object) -> None:
        self.timers.remove(timer)

    def modal_handler_add(self, operator: Any) -> bool:
        self.modal.append(operator)
        return True

    def progress_begin(self, _least: float, _most: float) -> None:
        self.is_progress_shown = True

    def progress_update(self, value: float) -> None:
        assert 0.0 <= value <= 1.0, value

    def progress_end(self) -> None:
        self.is_progress_shown = False


class Addons:
    """Preferences as they are made for each class that is registered."""

    def __init__(self, classes: list[type]) -> None:
        self._classes = classes
        self._made: Any = None

    def __getitem__(self, name: str) -> Any:
        kind: Any = next(kind for kind in self._classes if issubclass(kind, AddonPreferences))
        assert kind.bl_idname == name, f"the preferences are those of {kind.bl_idname}, not of {name}"
        if self._made is None:
            self._made = kind()
            for key, value in defaults(kind).items():
                setattr(self._made, key, value)
        return SimpleNamespace(preferences=self._made)


@dataclass
class Context:
    data: Any
    classes: list[type]
    window: object = field(default_factory=object)
    window_manager: WindowManager = field(default_factory=WindowManager)
    space_data: Any = None
    region: Any = None

    def __post_init__(self) -> None:
        self.scene = self.data.scenes.new("Scene")
        self.preferences = SimpleNamespace(addons=Addons(self.classes), system=SimpleNamespace(ui_scale=1.0))

    @contextmanager
    def temp_override(self, *, scene: Any) -> Iterator[None]:
        before, self.scene = self.scene, scene
        try:
            yield
        finally:
            self.scene = before


TYPES = (Operator, Panel, PropertyGroup, AddonPreferences, UILayout, Context)
