"""The application: the script, the main thread, renders, undo, callbacks. ``module`` is what ``import nuke`` gives."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.fakes.fake_nuke import knobs as k
from tests.fakes.fake_nuke import nodes as n
from tests.fakes.fake_nuke.catalogue import CLASSES
from tests.fakes.fake_nuke.execution import Execution
from tests.fakes.fake_nuke.interface import CALLBACKS, Menu, NodeMakers, ProgressTask, ToolBar, Undo
from tests.fakes.fake_nuke.script import load_gizmo, load_text, save_nodes

__all__ = ["Application"]


class Application:
    """One running Nuke. Everything that a test wants to arrange or to look at is an attribute here."""

    root_node: n.Root

    def __init__(self, plugin_path: Path, *, gui: bool = True) -> None:
        self.gui, self.plugin_path = gui, plugin_path
        self.main_thread = threading.current_thread()
        self.calls: list[Callable[[], None]] = []
        self.lock = threading.Condition()
        self.messages: list[str] = []
        """What ``nuke.message`` would have shown."""
        self.printed: list[str] = []
        self.frame_number, self.view = 1, "main"
        self.undo_entries: list[tuple[str, list[tuple[k.Knob, Any, str]]]] = []
        self.undo_open: list[tuple[k.Knob, Any, str]] | None = None
        self.undo_disabled = 0
        self.load_depth = 0
        self.progress_tasks: list[ProgressTask] = []
        self.callbacks: dict[str, list[tuple[Callable[..., Any], tuple[Any, ...], str]]] = {}
        self.context_nodes: list[n.Node] = []
        self.context_knobs: list[k.Knob] = []
        self.menus = {name: Menu(name) for name in ("Nuke", "Nodes", "Node Graph")}
        self.clipboard = ""
        self.channel_names = {f"rgba.{name}" for name in ("red", "green", "blue", "alpha")}
        self.script_is_open = False
        self.render = Execution(self)
        self.module = self._module()
        self.new_script()

    # The script

    def new_script(self) -> None:
        """An empty script, as after File > New."""
        if self.script_is_open:
            self.fire("OnScriptClose", self.root_node)
            self.root_node._go()
        self.script_is_open = True
        with self.loading():
            self.root_node = n.Root(self, "Root", None)
            self.root_node._knobs["name"]._value = "Root"
        self.script_path = ""
        self.scopes: list[n.Group] = [self.root_node]

    def script_range(self) -> tuple[int, int]:
        root = self.root_node
        return int(root._number_of("first_frame")), int(root._number_of("last_frame"))

    def script_format(self, text: str = "") -> tuple[int, int, float]:
        values = (text or self.root_node._knobs["format"]._text()).split()
        return int(values[0]), int(values[1]), float(values[6]) if len(values) > 6 else 1.0

    def views(self) -> list[str]:
        return [line.split()[0] for line in self.root_node._knobs["views"]._text().splitlines()]

    def to_text(self) -> str:
        root = self.root_node
        kept = [
            f" {knob._name} {knob.toScript()}\n"
            for knob in root._knobs.values()
            if knob._name != "name" and not knob._is_default()
        ]
        return "version 15.1 v1\nRoot {\n inputs 0\n" + "".join(kept) + "}\n" + save_nodes(root._members)

    def open_text(self, text: str, path: str = "") -> None:
        """Load a script in place of what there is."""
        self.new_script()
        load_text(self, text, self.root_node)
        self.script_path = path
        self.root_node._knobs["name"]._value = path or "Root"
        self.fire("OnScriptLoad", self.root_node)

    def gizmo_file(self, class_name: str) -> Path | None:
        found = [path for path in self.plugin_path.rglob(f"{class_name}.gizmo") if path.is_file()]
        return found[0] if found else None

    def unused_name(self, wanted: str, scope: n.Group | None, node: n.Node) -> str:
        taken = {member.name() for member in (scope._members if scope else ()) if member is not node}
        if wanted not in taken:
            return wanted
        stem = re.sub(r"\d+$", "", wanted)
        return next(f"{stem}{i}" for i in range(1, 10_000) if f"{stem}{i}" not in taken)

    def make(self, class_name: str, *, inputs: Any = (), **values: Any) -> n.Node:
        """What ``nuke.nodes.X(...)`` does."""
        self.check_thread(f"a new {class_name}")
        self.before_change(None, None)
        scope = self.scopes[-1]
        node: n.Node
        if class_name == "Group":
            node = n.Group(self, class_name, scope)
        elif class_name in CLASSES:
            node = n.Node(self, class_name, scope)
        else:
            node = load_gizmo(self, class_name, scope)
        node._knobs["name"]._value = self.unused_name(f"{class_name}1", scope, node)
        scope._members.append(node)
        for name, value in values.items():
            node[name].setValue(value)
        for index, upstream in enumerate(inputs):
            node.setInput(index, upstream)
        self.fire("OnUserCreate", node)
        return node

    def group_of(self, gizmo: n.Gizmo) -> n.Group:
        """What ``Gizmo.makeGroup`` does."""
        self.check_thread("a new Group")
        text = Path(gizmo.filename()).read_text(encoding="utf-8")
        made = load_text(self, text.replace("\nGizmo {", "\nGroup {", 1), gizmo.parent())[0]
        assert isinstance(made, n.Group)
        with self.loading():
            for knob in gizmo._knobs.values():
                if knob._name != "name" and not knob._is_default():
                    made._knobs[knob._name].fromScript(knob.toScript())
        return made

    def enter(self, group: n.Group) -> None:
        self.check_thread("a group")
        self.scopes.append(group)

    def leave(self) -> None:
        self.scopes.pop()

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """While a script is read nothing is recorded for undo."""
        self.load_depth += 1
        try:
            yield
        finally:
            self.load_depth -= 1

    # Threads

    def check_thread(self, what: str) -> None:
        """Nuke's graph belongs to the main thread."""
        if threading.current_thread() is not self.main_thread:
            raise RuntimeError(f"{what} was touched off the main thread")

    def in_main_thread(self, call: Callable[..., Any], args: Any, kwargs: Any, *, wait: bool) -> Any:
        if threading.current_thread() is self.main_thread:
            raise RuntimeError("executeInMainThread was called on the main thread: Nuke would hang")
        arguments = args if isinstance(args, tuple) else (args,)
        answer: list[Any] = []
        done = threading.Event()

        def run() -> None:
            try:
                answer.append((True, call(*arguments, **(kwargs or {}))))
            except BaseException as error:
                answer.append((False, error))
            done.set()

        with self.lock:
            self.calls.append(run)
            self.lock.notify_all()
        if not wait:
            return None
        if not done.wait(30):
            raise RuntimeError("the main thread never came round")
        good, value = answer[0]
        if not good:
            # As in Nuke, what a call on the main thread raises does not come back by itself.
            return None
        return value

    def idle(self, until: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """The event loop: run what other threads ask for until ``until`` holds."""
        end = time.monotonic() + seconds
        while not until():
            with self.lock:
                if not self.calls:
                    self.lock.wait(0.01)
                waiting, self.calls = self.calls, []
            for call in waiting:
                call()
            if time.monotonic() > end:
                raise AssertionError("the event loop waited too long")

    # Changes, undo, callbacks

    def before_change(self, node: n.Node | None, knob: k.Knob | None) -> None:
        if self.load_depth:
            return
        if self.render.in_engine:
            raise RuntimeError("a parameter was set while a frame is being rendered")
        if knob is None or self.undo_disabled:
            return
        entry = (knob, knob._value, getattr(knob, "_expression", ""))
        if self.undo_open is not None:
            self.undo_open.append(entry)
        else:
            self.undo_entries.append((f"Change {knob._name}", [entry]))

    def after_change(self, node: n.Node, knob: k.Knob) -> None:
        if self.load_depth:
            return
        if node.Class() == "Write" and knob._name == "file":
            self._choose_format(node)
        with self.context(node, knob):
            code = node._knobs["knobChanged"]._text() if node._knobs["knobChanged"] is not knob else ""
            if code:
                exec(code, {"nuke": self.module})
            self.fire("KnobChanged", node)

    def _choose_format(self, node: n.Node) -> None:
        """A Write takes its format from the file's ending; another format begins with its own defaults."""
        kind = Path(node._knobs["file"]._text()).suffix[1:]
        if kind != node._knobs["file_type"]._text():
            node._knobs["file_type"]._value = kind
            for name, value in (("datatype", 0), ("compression", 1), ("metadata", 1)):
                node._knobs[name]._value = value

    @contextlib.contextmanager
    def context(self, node: n.Node, knob: k.Knob | None = None) -> Iterator[None]:
        self.context_nodes.append(node)
        if knob is not None:
            self.context_knobs.append(knob)
        try:
            yield
        finally:
            self.context_nodes.pop()
            if knob is not None:
                self.context_knobs.pop()

    def fire(self, event: str, node: n.Node) -> None:
        for call, arguments, class_name in list(self.callbacks.get(event, ())):
            if class_name in ("*", node.Class()):
                with self.context(node):
                    call(*arguments)

    def press(self, node: n.Node, knob: k.Knob) -> None:
        """A button's script."""
        if isinstance(knob, k.PyScript_Knob):
            inside = node if isinstance(node, n.Group) else node.parent()
            self.scopes.append(inside)  # a button's script stands inside of its group
            try:
                with self.context(node, knob):
                    exec(knob.command(), {"nuke": self.module})
            finally:
                self.scopes.remove(inside)

    def undo(self) -> None:
        _, changes = self.undo_entries.pop()
        for knob, value, expression in reversed(changes):
            knob._value = value
            if isinstance(knob, k.Array_Knob):
                knob._expression = expression

    # The module

    def node_by_name(self, s: str) -> n.Node | None:
        self.check_thread("toNode")
        is_full = s.startswith("root.")
        node: n.Node | None = self.root_node if is_full else self.scopes[-1]
        for step in s.removeprefix("root.").split("."):
            node = node.node(step) if isinstance(node, n.Group) else None
        return node

    def _module(self) -> ModuleType:
        module = ModuleType("nuke")
        for name in k.__all__:
            if name != "USER_KNOBS":
                setattr(module, name, getattr(k, name))
        for name in ("Node", "Group", "Gizmo", "Root", "Format", "FrameRange"):
            setattr(module, name, getattr(n, name))
        values: dict[str, Any] = {
            "GUI": self.gui,
            "INTERACTIVE": self.gui,
            "NUKE_VERSION_MAJOR": 15,
            "NUKE_VERSION_MINOR": 1,
            "NUKE_VERSION_STRING": "15.1v1",
            "INPUTS": 1,
            "HIDDEN_INPUTS": 2,
            "EXPRESSIONS": 4,
            "INVISIBLE": 1024,
            "WRITE_ALL": 1,
            "TO_SCRIPT": 2,
            "WRITE_NON_DEFAULT_ONLY": 4,
            "EXE_PATH": "/opt/Nuke15.1v1/Nuke15.1",
            "rawArgs": ["nuke"] if self.gui else ["nuke", "-t"],
            "CancelledError": self.render.CancelledError,
            "nodes": NodeMakers(self),
            "Undo": Undo(self),
            "ProgressTask": lambda name="": ProgressTask(self, name),
            "createNode": self._create_node,
            "delete": self._delete,
            "toNode": self.node_by_name,
            "root": lambda: self.root_node,
            "thisNode": lambda: self.context_nodes[-1],
            "thisKnob": lambda: self.context_knobs[-1],
            "thisGroup": lambda: self.scopes[-1],
            "allNodes": self._all_nodes,
            "selectedNodes": lambda: [m for m in self.root_node._members if m._knobs["selected"]._value],
            "channels": lambda node=None: sorted(self.channel_names),
            "frame": self._frame,
            "views": self.views,
            "thisView": lambda: self.view,
            "execute": self.render.execute,
            "executing": lambda: self.render.depth > 0,
            "executeInMainThread": lambda call, args=(), kwargs=None: self.in_main_thread(
                call, args, kwargs, wait=False
            ),
            "executeInMainThreadWithResult": lambda call, args=(), kwargs=None: self.in_main_thread(
                call, args, kwargs, wait=True
            ),
            "message": self._message,
            "tprint": lambda *values, sep=" ", end="\n": self.printed.append(sep.join(map(str, values))),
            "warning": self.printed.append,
            "undo": self.undo,
            "scriptName": self._script_name,
            "scriptOpen": lambda filename: self.open_text(Path(filename).read_text(encoding="utf-8"), filename),
            "scriptSaveAs": self._save_as,
            "scriptClear": self.new_script,
            "nodeCopy": self._copy,
            "nodePaste": self._paste,
            "menu": lambda name: self.menus[name],
            "toolbar": lambda name: ToolBar(self.menus["Nodes"]),
            "pluginAddPath": lambda args, addToSysPath=True: None,
            "pluginPath": lambda: [str(self.plugin_path)],
        }
        for name in CALLBACKS:
            values[f"add{name}"] = self._adder(name)
            values[f"remove{name}"] = self._remover(name)
        for name, value in values.items():
            setattr(module, name, value)
        return module

    def _adder(self, event: str) -> Callable[..., None]:
        def add(call: Callable[..., Any], args: Any = (), kwargs: Any = None, nodeClass: str = "*") -> None:
            self.callbacks.setdefault(event, []).append((call, args, nodeClass))

        return add

    def _remover(self, event: str) -> Callable[..., None]:
        def remove(call: Callable[..., Any], args: Any = (), kwargs: Any = None, nodeClass: str = "*") -> None:
            kept = [entry for entry in self.callbacks.get(event, ()) if entry[0] is not call]
            self.callbacks[event] = kept

        return remove

    def _create_node(self, typ: str, knobs: str = "", inpanel: bool = True) -> n.Node:
        selected = self.module.selectedNodes()
        node = self.make(typ, inputs=selected[:1])
        for member in self.root_node._members:
            member._knobs["selected"]._value = int(member is node)
        return node

    def _delete(self, n: n.Node) -> None:
        self.check_thread("a node")
        self.before_change(n, None)
        self.fire("OnDestroy", n)
        scope = n.parent()
        scope._members.remove(n)
        n._go()
        for member in scope._members:
            member._inputs = [None if upstream is n else upstream for upstream in member._inputs]

    def _all_nodes(self, filter: str = "", group: n.Group | None = None, recurseGroups: bool = False) -> list[n.Node]:
        self.check_thread("the nodes")
        found: list[n.Node] = []
        for node in (group or self.scopes[-1])._members:
            if not filter or node.Class() == filter:
                found.append(node)
            if recurseGroups and isinstance(node, n.Group):
                found += self._all_nodes(filter, node, True)
        return found

    def _frame(self, f: int | None = None) -> int:
        self.check_thread("the frame")
        if f is not None:
            self.frame_number = f
        return self.frame_number

    def _message(self, prompt: str) -> None:
        if not self.gui:
            raise AssertionError("nuke.message in a terminal")
        self.check_thread("a message")
        self.messages.append(prompt)

    def _script_name(self) -> str:
        if not self.script_path:
            raise RuntimeError("no script is open")
        return self.script_path

    def save_as(self, path: Path) -> None:
        """File > Save As. The root's name is the script's path, as in Nuke."""
        path.write_text(self.to_text(), encoding="utf-8")
        self.script_path = path.as_posix()
        self.root_node._knobs["name"]._value = self.script_path

    def _save_as(self, filename: str, overwrite: int = 0) -> None:
        self.save_as(Path(filename))

    def _copy(self, s: str) -> None:
        self.clipboard = save_nodes(self.module.selectedNodes())

    def _paste(self, s: str) -> n.Node | None:
        made = load_text(self, self.clipboard, self.scopes[-1])
        return made[-1] if made else None
