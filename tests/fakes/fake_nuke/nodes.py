"""Nodes and groups, with the methods that the stubs declare and nothing else."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tests.fakes.fake_nuke import knobs as k
from tests.fakes.fake_nuke.catalogue import CLASSES, COMMON
from tests.fakes.fake_nuke.expressions import evaluate
from tests.fakes.fake_nuke.operators import NodeError, render
from tests.fakes.fake_nuke.pictures import Bounds, Picture

if TYPE_CHECKING:
    from tests.fakes.fake_nuke.application import Application

__all__ = ["Format", "FrameRange", "Gizmo", "Group", "Info", "Node", "Root"]


class Info:
    """A bounding box as ``Node.bbox`` gives it."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def x(self) -> int:
        return self._bounds.x

    def y(self) -> int:
        return self._bounds.y

    def w(self) -> int:
        return self._bounds.width

    def h(self) -> int:
        return self._bounds.height


class Format:
    def __init__(self, width: int, height: int, aspect: float) -> None:
        self._size = (width, height, aspect)

    def width(self) -> int:
        return int(self._size[0])

    def height(self) -> int:
        return int(self._size[1])

    def pixelAspect(self) -> float:
        return self._size[2]


class FrameRange:
    def __init__(self, first: int, last: int, increment: int = 1) -> None:
        self._range = (first, last, increment)

    def first(self) -> int:
        return self._range[0]

    def last(self) -> int:
        return self._range[1]

    def increment(self) -> int:
        return self._range[2]

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._range[0], self._range[1] + 1, self._range[2]))


class Node:
    """A node. Touching it off the main thread raises."""

    def __init__(self, app: Application, class_name: str, parent: Group | None) -> None:
        self._app, self._class, self._parent = app, class_name, parent
        self._inputs: list[Node | None] = []
        self._is_gone = False
        """Deleted, or its script was closed: what Python holds of it raises."""
        self._knobs: dict[str, k.Knob] = {}
        definition = CLASSES[self._base()]
        for name, make in itertools.chain(COMMON.items(), definition.knobs.items()):
            self._install(make(name))

    def _base(self) -> str:
        return self._class

    def _install(self, knob: k.Knob) -> None:
        knob._node = self
        self._knobs[knob._name] = knob

    def Class(self) -> str:
        return self._class

    def name(self) -> str:
        if self._is_gone:
            raise ValueError("A PythonObject is not attached to a node")
        return str(self._knobs["name"]._value)

    def fullName(self) -> str:
        parent = self._parent
        prefix = "" if parent is None or isinstance(parent, Root) else f"{parent.fullName()}."
        return prefix + self.name()

    def setName(self, name: str, uncollide: bool = True) -> None:
        self._app.check_thread(f"the name of {self.fullName()}")
        self._knobs["name"]._value = self._app.unused_name(name, self._parent, self) if uncollide else name

    def parent(self) -> Group:
        assert self._parent is not None
        return self._parent

    def _go(self) -> None:
        self._is_gone = True

    def knob(self, p: str) -> k.Knob | None:
        self._app.check_thread(f"the node {self.fullName()}")
        return self._knobs.get(p)

    def knobs(self) -> dict[str, k.Knob]:
        self._app.check_thread(f"the node {self.fullName()}")
        return dict(self._knobs)

    def allKnobs(self) -> list[k.Knob]:
        return list(self.knobs().values())

    def __getitem__(self, name: str) -> k.Knob:
        found = self.knob(name)
        if found is None:
            raise NameError(f"knob {name} does not exist")
        return found

    def addKnob(self, knob: k.Knob) -> None:
        self._app.check_thread(f"the node {self.fullName()}")
        self._install(knob)

    def inputs(self) -> int:
        return len(self._inputs)

    def maxInputs(self) -> int:
        return CLASSES[self._base()].inputs

    def input(self, index: int) -> Node | None:
        self._app.check_thread(f"the node {self.fullName()}")
        return self._inputs[index] if index < len(self._inputs) else None

    def setInput(self, i: int, node: Node | None) -> bool:
        self._app.check_thread(f"the inputs of {self.fullName()}")
        self._app.before_change(self, None)
        if i >= self.maxInputs():
            return False
        while len(self._inputs) <= i:
            self._inputs.append(None)
        self._inputs[i] = node
        return True

    def setXYpos(self, x: int, y: int) -> None:
        self["xpos"].setValue(x)
        self["ypos"].setValue(y)

    def writeKnobs(self, flags: int = 0) -> str:
        """Names and values, one a line, of the knobs that differ from their defaults."""
        self._app.check_thread(f"the node {self.fullName()}")
        kept = [knob for knob in self._knobs.values() if knob._saved and not knob._is_default()]
        return "\n".join(f"{knob._name} {knob.toScript()}" for knob in kept if not isinstance(knob, k.PyScript_Knob))

    def format(self) -> Format:
        picture = self._look()
        return Format(picture.width, picture.height, picture.aspect)

    def width(self) -> int:
        return self._look().width

    def height(self) -> int:
        return self._look().height

    def pixelAspect(self) -> float:
        return self._look().aspect

    def bbox(self) -> Info:
        return Info(self._look().bounds)

    def channels(self) -> list[str]:
        return sorted(self._look().planes)

    def metadata(self, key: str | None = None, time: float | None = None, view: str | None = None) -> Any:
        self._app.check_thread(f"the node {self.fullName()}")
        frame = self._app.frame_number if time is None else round(time)
        values = dict(render(self, frame, view or self._app.view).metadata)
        return values if key is None else values.get(key)

    def sample(self, channel: str, x: float, y: float) -> float:
        picture = self._look()
        column, row = int(x // 1) - picture.bounds.x, picture.bounds.t - 1 - int(y // 1)
        return float(picture.plane(channel)[row, column])

    def frameRange(self) -> FrameRange:
        self._app.check_thread(f"the node {self.fullName()}")
        return FrameRange(*self._range())

    def firstFrame(self) -> int:
        return self._range()[0]

    def lastFrame(self) -> int:
        return self._range()[1]

    def hasError(self) -> bool:
        try:
            self._look()
        except NodeError:
            return True
        return False

    def treeHasError(self) -> bool:
        return self.hasError()

    def dependencies(self, mask: int = 7) -> list[Node]:
        """What it refers to: 1, INPUTS; 2, HIDDEN_INPUTS; 4, EXPRESSIONS of its knobs."""
        self._app.check_thread(f"the node {self.fullName()}")
        found: list[Node] = []
        if mask & (2 if self._knobs["hide_input"]._value else 1):
            found += [node for node in self._inputs if node is not None]
        if mask & 4:
            for knob in self._knobs.values():
                found += self._linked(getattr(knob, "_expression", ""))
        return list(dict.fromkeys(found))

    def _linked(self, expression: str) -> list[Node]:
        """Other nodes that an expression names."""
        names: list[str] = []

        def note(name: str) -> float:
            names.append(name)
            return 1.0

        if expression:
            evaluate(expression, note)
        found = []
        for name in names:
            with contextlib.suppress(NodeError):  # there is no such node
                found.append(self._resolve(name)[0])
        return [node for node in found if node is not self]

    def _look(self) -> Picture:
        self._app.check_thread(f"the node {self.fullName()}")
        return render(self, self._app.frame_number, self._app.view)

    def _range(self) -> tuple[int, int]:
        if self._class == "Read":
            return int(self._knobs["first"]._numeric()), int(self._knobs["last"]._numeric())  # type: ignore[attr-defined]
        if self._class == "FrameRange":
            return (
                int(self._knobs["first_frame"]._numeric()),  # type: ignore[attr-defined]
                int(self._knobs["last_frame"]._numeric()),  # type: ignore[attr-defined]
            )
        upstream = next((node for node in self._inputs if node is not None), None)
        if upstream is None:
            return self._app.script_range()
        first, last = upstream._range()
        if self._class == "TimeOffset":
            offset = int(self._knobs["time_offset"]._numeric())  # type: ignore[attr-defined]
            return first + offset, last + offset
        return first, last

    def _number_of(self, knob_name: str) -> float:
        knob = self._knobs.get(knob_name)
        if isinstance(knob, k.Link_Knob):
            knob = knob.getLinkedKnob()
        if not isinstance(knob, k.Array_Knob):
            raise NodeError(f"{self.fullName()}: there is no number {knob_name!r} here")
        return knob._numeric()

    def _text_of(self, path: str) -> str:
        """What ``[value path]`` gives."""
        node, name = self._resolve(path)
        knob = node._knobs.get(name)
        if knob is None:
            raise NodeError(f"{self.fullName()}: [value {path}]: no such knob")
        return knob._evaluated() if isinstance(knob, k.EvalString_Knob) else knob._text()

    def _lookup(self, path: str) -> Any:
        """What a name in a knob's expression gives."""
        if path in ("width", "height") or path.endswith((".width", ".height")):
            target = self if "." not in path else self._resolve(path)[0]
            picture = render(target, self._app.frame_number, self._app.view)
            return picture.width if path.endswith("width") else picture.height
        if path == "frame":
            return self._app.frame_number
        node, name = self._resolve(path)
        return node._number_of(name)

    def _resolve(self, path: str) -> tuple[Node, str]:
        *steps, name = path.split(".")
        node: Node = self
        for step in steps:
            if step == "parent":
                node = node.parent()
            elif step == "root":
                node = self._app.root_node
            elif step == "input":
                upstream = node._inputs[0] if node._inputs else None
                if upstream is None:
                    raise NodeError(f"{self.fullName()}: {path}: nothing is connected")
                node = upstream
            elif step != "this":
                scope = node if isinstance(node, Group) and steps[0] != step else node.parent()
                node = scope._inner(step)
        return node, name

    def _inner(self, name: str) -> Node:
        raise NodeError(f"{self.fullName()} is no group and holds no {name}")


class Group(Node):
    """Holds nodes of its own."""

    def __init__(self, app: Application, class_name: str, parent: Group | None) -> None:
        self._members: list[Node] = []
        super().__init__(app, class_name, parent)

    def _go(self) -> None:
        super()._go()
        for member in self._members:
            member._go()

    def nodes(self) -> list[Node]:
        self._app.check_thread(f"the node {self.fullName()}")
        return list(self._members)

    def node(self, s: str) -> Node | None:
        self._app.check_thread(f"the node {self.fullName()}")
        return next((member for member in self._members if member.name() == s), None)

    def begin(self) -> Group:
        self._app.enter(self)
        return self

    def end(self) -> None:
        self._app.leave()

    def __enter__(self) -> Group:
        return self.begin()

    def __exit__(self, *exception: object) -> None:
        self.end()

    def _inner(self, name: str) -> Node:
        for member in self._members:
            if member.name() == name:
                return member
        raise NodeError(f"{self.fullName()} holds no {name}")


class Gizmo(Group):
    """A group whose inside comes from a file; scripts store its knobs only."""

    def _base(self) -> str:
        return "Gizmo"

    def filename(self) -> str:
        return str(self._app.gizmo_file(self._class))

    def makeGroup(self) -> Group:
        """A Group with the same knobs and the same inside, beside this node."""
        return self._app.group_of(self)


class Root(Group):
    def fps(self) -> int:
        return int(self._number_of("fps"))

    def proxy(self) -> bool:
        return bool(self["proxy"].value())

    def firstFrame(self) -> int:
        return int(self._number_of("first_frame"))

    def lastFrame(self) -> int:
        return int(self._number_of("last_frame"))


Maker = Callable[..., Node]
