"""Scripts and gizmos as text: read into nodes, and written back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.fakes.fake_nuke import knobs as k
from tests.fakes.fake_nuke import tcl
from tests.fakes.fake_nuke.catalogue import CLASSES
from tests.fakes.fake_nuke.nodes import Gizmo, Group, Node

if TYPE_CHECKING:
    from tests.fakes.fake_nuke.application import Application

__all__ = ["ScriptError", "add_user_knob", "load_gizmo", "load_text", "save_nodes"]

IGNORED = ("version", "define_window_layout_xml", "set_layout")


class ScriptError(RuntimeError):
    """A script that Nuke would not load, or would load otherwise than it was meant."""


def load_text(app: Application, text: str, parent: Group, *, paste: bool = False) -> list[Node]:
    """Make the nodes of a script inside ``parent``. Gives those of the top level."""
    stack: list[Node | None] = [None]
    named: dict[str, Node | None] = {}
    made: list[Node] = []
    scopes: list[tuple[Group, list[Node | None]]] = []
    scope = parent
    for command in tcl.commands(text):
        word, rest = command[0], command[1:]
        if word in IGNORED:
            continue
        if word == "add_layer":
            app.channel_names.update(tcl.unquote(rest[0]).split()[1:])
            continue
        if word == "set":
            named[rest[0]] = stack[-1] if rest[1:] == ["[stack", "0]"] else None
        elif word == "push":
            name = rest[0]
            if name.startswith("$") and name[1:] not in named:
                raise ScriptError(f"push {name}: nothing was set by that name")
            stack.append(named[name[1:]] if name.startswith("$") else None)
        elif word == "end_group":
            if not scopes:
                raise ScriptError("end_group without a Group")
            scope, stack = scopes.pop()
        elif len(rest) == 1 and tcl.braced(rest[0]):
            body = tcl.commands(tcl.unquote(rest[0]))
            if word == "Root":
                _fill(app.root_node, body)
                continue
            if word == "Gizmo":  # only in a .gizmo file: its own node stands ready
                _fill(parent, body)
                scopes.append((scope, stack))
                scope, stack = parent, [None]
                continue
            node = _make(app, word, scope, body, stack)
            if not scopes:
                made.append(node)
            stack.append(node)
            if word == "Group":
                assert isinstance(node, Group)
                scopes.append((scope, stack))
                scope, stack = node, [None]
        else:
            raise ScriptError(f"unknown command: {' '.join(command)[:60]}")
    if scopes:
        raise ScriptError("a Group is never closed with end_group")
    return made


def load_gizmo(app: Application, class_name: str, parent: Group) -> Gizmo:
    """An instance of a gizmo; what its file says are its defaults."""
    path = app.gizmo_file(class_name)
    if path is None:
        raise ScriptError(f"{class_name}: Unknown command. There is no {class_name}.gizmo on the plug-in path")
    gizmo = Gizmo(app, class_name, parent)
    load_text(app, path.read_text(encoding="utf-8"), gizmo)
    for node in (gizmo, *gizmo._members):
        for knob in node._knobs.values():
            knob._default = knob._value
    return gizmo


def _make(app: Application, word: str, scope: Group, body: list[list[str]], stack: list[Node | None]) -> Node:
    node: Node
    if word == "Group":
        node = Group(app, "Group", scope)
    elif word in CLASSES:
        node = Node(app, word, scope)
    else:
        node = load_gizmo(app, word, scope)
    count = 0 if word in ("Read", "Constant", "Input") else 1
    for line in body:
        if line[0] == "inputs":
            count = sum(int(part) for part in tcl.unquote(line[1]).split("+"))
    wanted = next((tcl.unquote(line[1]) for line in body if line[0] == "name"), f"{word}1")
    node._knobs["name"]._value = app.unused_name(wanted, scope, node)
    node._inputs = []
    for _ in range(count):
        node._inputs.append(stack.pop() if stack else None)
    scope._members.append(node)
    with app.loading():
        _fill(node, [line for line in body if line[0] not in ("inputs", "name")])
    return node


def _fill(node: Node, body: list[list[str]]) -> None:
    for line in body:
        if line[0] == "addUserKnob":
            add_user_knob(node, tcl.words(tcl.unquote(line[1]), raw=True))
            continue
        if len(line) != 2:
            raise ScriptError(f"{node.Class()} {node.name()}: {' '.join(line)[:80]!r} is no knob and value")
        name, word = line
        if name == "inputs":
            continue
        knob = node._knobs.get(name)
        if knob is None:
            raise ScriptError(f"{node.Class()} {node.name()}: there is no knob {name}")
        try:
            if isinstance(knob, k.Link_Knob) and not isinstance(node, Group):
                raise ScriptError(f"{node.name()}: {name}: a link outside of a group")
            if isinstance(knob, k.Link_Knob) and not node._members:  # type: ignore[attr-defined]
                continue  # the inside of a gizmo comes later
            with node._app.loading():
                knob.fromScript(word)
        except (ValueError, TypeError) as error:
            raise ScriptError(f"{node.Class()} {node.name()}: {name} {word[:60]}: {error}") from error


def add_user_knob(node: Node, definition: list[str]) -> k.Knob:
    """A knob from the words of an ``addUserKnob`` line."""
    kind, name = int(definition[0]), tcl.unquote(definition[1])
    if kind not in k.USER_KNOBS:
        raise ScriptError(f"{node.Class()}: addUserKnob {kind}: the double knows {sorted(k.USER_KNOBS)}")
    options: dict[str, str] = {}
    flags: list[str] = []
    position = 2
    while position < len(definition):
        word = definition[position]
        if word[0] in "+-" and word[1:].isupper():
            flags.append(word)
            position += 1
        elif word == "R":
            position += 3
        elif word in ("l", "t", "T", "M", "n"):
            options[word] = definition[position + 1]
            position += 2
        else:
            raise ScriptError(f"{node.Class()}: addUserKnob {name}: unknown option {word!r}")
    label = tcl.unquote(options.get("l", ""))
    knob: k.Knob
    if kind == 4:
        knob = k.Enumeration_Knob(name, label, tcl.words(tcl.unquote(options["M"])))
    elif kind == 41:
        knob = k.Link_Knob(name, label, tcl.unquote(options["T"]))
    elif kind in (22, 26):
        knob = k.USER_KNOBS[kind](name, label, tcl.unquote(options.get("T", "")))
    else:
        knob = k.USER_KNOBS[kind](name, label)
    knob._tooltip = tcl.unquote(options.get("t", ""))
    knob._visible = not {"+INVISIBLE", "+HIDDEN"} & set(flags)
    knob._user_definition = " ".join(definition)
    if name in node._knobs:
        raise ScriptError(f"{node.Class()}: two knobs are called {name}")
    node._install(knob)
    return knob


def save_nodes(nodes: Iterable[Node], indent: str = "") -> str:
    """The text of nodes and what runs between them. Wires from elsewhere are cut."""
    wanted = list(nodes)
    lines: list[str] = []
    done: set[int] = set()

    def put(node: Node) -> None:
        if id(node) in done:
            return
        done.add(id(node))
        for upstream in node._inputs:
            if upstream is not None and any(upstream is other for other in wanted):
                put(upstream)
        for upstream in reversed(node._inputs):
            known = upstream is not None and id(upstream) in done
            lines.append(f"push $N{id(upstream):x}" if known else "push 0")
        body = [f"inputs {len(node._inputs)}"] if node.maxInputs() else ["inputs 0"]
        if type(node) is Group:
            body += [
                "addUserKnob {" + knob._user_definition + "}" for knob in node._knobs.values() if knob._user_definition
            ]
        kept = [knob for knob in node._knobs.values() if knob._saved and not knob._is_default()]
        body += [f"{knob._name} {knob.toScript()}" for knob in kept if not isinstance(knob, k.PyScript_Knob)]
        lines.append(f"{node.Class()} {{\n" + "".join(f" {line}\n" for line in body) + "}")
        if type(node) is Group:
            lines.append(save_nodes(node._members, indent + " "))
            lines.append("end_group")
        lines.append(f"set N{id(node):x} [stack 0]")

    for node in wanted:
        put(node)
    return "\n".join(lines) + "\n"
