"""Knobs, with the methods that the stubs declare and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.fake_nuke import tcl
from tests.fakes.fake_nuke.expressions import evaluate

if TYPE_CHECKING:
    from tests.fakes.fake_nuke.nodes import Node

__all__ = [
    "USER_KNOBS",
    "Array_Knob",
    "Boolean_Knob",
    "ChannelMask_Knob",
    "Channel_Knob",
    "Double_Knob",
    "Enumeration_Knob",
    "EvalString_Knob",
    "File_Knob",
    "Format_Knob",
    "Int_Knob",
    "Knob",
    "Link_Knob",
    "MultiView_Knob",
    "PyScript_Knob",
    "Script_Knob",
    "String_Knob",
    "Tab_Knob",
    "Text_Knob",
]


class Knob:
    """A named value of a node. Every access is checked against the main thread, every change against a render."""

    _saved = True

    def __init__(self, name: str, label: str = "", default: Any = "") -> None:
        self._name, self._label, self._tooltip = name, label, ""
        self._default = self._value = default
        self._node: Node | None = None
        self._visible, self._enabled = True, True
        self._user_definition = ""

    def Class(self) -> str:
        return type(self).__name__

    def name(self) -> str:
        return self._name

    def label(self) -> str:
        return self._label

    def tooltip(self) -> str:
        return self._tooltip

    def setTooltip(self, tooltip: str) -> None:
        self._tooltip = tooltip

    def node(self) -> Node:
        assert self._node is not None
        return self._node

    def visible(self) -> bool:
        return self._visible

    def setVisible(self, visible: bool) -> None:
        self._visible = visible

    def enabled(self) -> bool:
        return self._enabled

    def setEnabled(self, enabled: bool) -> None:
        self._enabled = enabled

    def value(self) -> Any:
        self._check()
        return self._value

    def getValue(self) -> Any:
        return self.value()

    def setValue(self, val: Any, chan: int = 0) -> bool:
        self._change(self._accept(val))
        return True

    def toScript(self, quote: bool = True) -> str:
        text = self._text()
        return tcl.quote(text) if quote else text

    def fromScript(self, script: str) -> None:
        self._change(self._parse(script))

    def _accept(self, value: Any) -> Any:
        return value

    def _parse(self, word: str) -> Any:
        return self._accept(tcl.unquote(word))

    def _text(self) -> str:
        return str(self._value)

    def _check(self) -> None:
        if self._node is not None:
            self._node._app.check_thread(f"the knob {self._node.fullName()}.{self._name}")

    def _change(self, value: Any) -> None:
        self._check()
        if self._node is not None:
            self._node._app.before_change(self._node, self)
        self._value = value
        if self._node is not None:
            self._node._app.after_change(self._node, self)

    def _is_default(self) -> bool:
        return bool(self._value == self._default)


class Array_Knob(Knob):
    """Numbers, or an expression in their place."""

    _whole = False

    def __init__(self, name: str, label: str = "", default: Any = 0) -> None:
        super().__init__(name, label, default)
        self._expression = ""

    def setExpression(self, expression: str, channel: int = 0, view: str = "") -> bool:
        self._change(self._value)
        self._expression = expression
        return True

    def getValueAt(self, frame: float, index: int = 0, view: str | None = None) -> Any:
        """The value at a frame, wherever the playhead stands."""
        self._check()
        assert self._node is not None
        app = self._node._app
        kept, app.frame_number = app.frame_number, round(frame)
        try:
            return self._number()
        finally:
            app.frame_number = kept

    def hasExpression(self) -> bool:
        return bool(self._expression)

    def setRange(self, low: float, high: float) -> None:
        self._range = (low, high)

    def value(self) -> Any:
        self._check()
        return self._number()

    def setValue(self, val: Any, chan: int = 0) -> bool:
        self._change(self._accept(val))
        self._expression = ""
        return True

    def _number(self) -> Any:
        if not self._expression:
            return self._value
        assert self._node is not None
        value = float(evaluate(self._expression, self._node._lookup))
        return round(value) if self._whole else value

    def _numeric(self) -> float:
        value = self._number()
        return float(value[0] if isinstance(value, list | tuple) else value)

    def _accept(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [float(item) for item in value]
        if not isinstance(value, int | float):
            raise TypeError(f"{self._name}: a number is expected, not {value!r}")
        return int(value) if self._whole else float(value)

    def _parse(self, word: str) -> Any:
        if tcl.braced(word):
            inner = tcl.unquote(word)
            parts = tcl.words(inner, raw=True)
            if len(parts) == 1 and (tcl.braced(parts[0]) or parts[0].startswith('"')):
                inside = tcl.words(tcl.unquote(parts[0]))
                self._expression = inside[0] if len(inside) == 1 else tcl.unquote(parts[0])
                return self._value
            return [float(part) for part in parts]
        self._expression = ""
        text = tcl.unquote(word)
        if text in ("true", "false"):
            return self._accept(int(text == "true"))
        return self._accept(int(text, 16) if text.startswith("0x") else float(text))

    def _text(self) -> str:
        if self._expression:
            return "{{" + self._expression + "}}"
        if isinstance(self._value, list):
            return "{" + " ".join(f"{item:g}" for item in self._value) + "}"
        return f"{self._value:.9g}"

    def toScript(self, quote: bool = True) -> str:
        return self._text()

    def _is_default(self) -> bool:
        return not self._expression and bool(self._value == self._default)


class Double_Knob(Array_Knob):
    pass


class Int_Knob(Array_Knob):
    _whole = True


class Boolean_Knob(Array_Knob):
    _whole = True

    def value(self) -> bool:
        self._check()
        return bool(self._number())

    def _accept(self, value: Any) -> Any:
        return int(bool(value))

    def _text(self) -> str:
        return super()._text() if self._expression else ("true" if self._value else "false")


class Enumeration_Knob(Array_Knob):
    """Holds an index; ``value`` is the item's name, as in Nuke."""

    _whole = True

    def __init__(self, name: str, label: str = "", values: Sequence[str] = (), default: int = 0) -> None:
        super().__init__(name, label, default)
        self._values = list(values)

    def values(self) -> list[str]:
        return list(self._values)

    def setValues(self, values: Sequence[str]) -> None:
        self._values = list(values)

    def value(self) -> Any:
        self._check()
        return self._values[int(self._number())]

    def getValue(self) -> Any:
        self._check()
        return float(self._number())

    def _accept(self, value: Any) -> Any:
        if isinstance(value, str):
            if value not in self._values:
                raise ValueError(f"{self._name}: {value!r} is none of {self._values}")
            return self._values.index(value)
        return int(value)

    def _parse(self, word: str) -> Any:
        if tcl.braced(word):
            return super()._parse(word)
        return self._accept(tcl.unquote(word))

    def _text(self) -> str:
        return super()._text() if self._expression else self._values[self._value]

    def toScript(self, quote: bool = True) -> str:
        return self._text() if self._expression or not quote else tcl.quote(self._text())


class String_Knob(Knob):
    def _accept(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"{self._name}: text is expected, not {value!r}")
        return value


class EvalString_Knob(String_Knob):
    def evaluate(self) -> str:
        self._check()
        return self._evaluated()

    def _evaluated(self) -> str:
        """Tcl in square brackets replaced; ``%04d`` and ``%V`` stay."""
        node = self._node
        assert node is not None

        def value_of(match: re.Match[str]) -> str:
            return node._text_of(match[1])

        text, found = str(self._value), 1
        while found:  # from the inside out
            text, values = re.subn(r"\[value ([\w.]+)\]", value_of, text)
            text, folders = re.subn(r"\[file dirname ([^\[\]]+)\]", lambda match: str(Path(match[1]).parent), text)
            found = values + folders
        return text


class File_Knob(EvalString_Knob):
    def getEvaluatedValue(self) -> str:
        return self.evaluate()

    def fromUserText(self, text: str) -> None:
        self.setValue(text)


class Text_Knob(Knob):
    pass


class Tab_Knob(Knob):
    _saved = False


class Script_Knob(String_Knob):
    def command(self) -> str:
        return str(self._value)

    def setCommand(self, cmd: str) -> None:
        self.setValue(cmd)

    def execute(self) -> None:
        """Press the button."""
        self._check()
        assert self._node is not None
        self._node._app.press(self._node, self)


class PyScript_Knob(Script_Knob):
    pass


class Channel_Knob(String_Knob):
    pass


class ChannelMask_Knob(Channel_Knob):
    pass


class Format_Knob(String_Knob):
    pass


class MultiView_Knob(String_Knob):
    pass


class Link_Knob(Knob):
    """Stands for a knob of a node inside the group."""

    def __init__(self, name: str, label: str = "", target: str = "") -> None:
        super().__init__(name, label)
        self._target = target

    def getLinkedKnob(self) -> Knob:
        node_name, _, knob_name = self._target.rpartition(".")
        inner = self.node()._inner(node_name)
        return inner[knob_name]

    def getLink(self) -> str:
        return self._target

    def value(self) -> Any:
        return self.getLinkedKnob().value()

    def setValue(self) -> bool:  # type: ignore[override]
        """Takes nothing, as in Nuke: what it stands for is set through :meth:`getLinkedKnob`."""
        return True

    def fromScript(self, script: str) -> None:
        self.getLinkedKnob().fromScript(script)

    def _text(self) -> str:
        return self.getLinkedKnob()._text()

    def _is_default(self) -> bool:
        return self.getLinkedKnob()._is_default()


USER_KNOBS: dict[int, type[Knob]] = {
    1: String_Knob,
    2: File_Knob,
    3: Int_Knob,
    4: Enumeration_Knob,
    6: Boolean_Knob,
    7: Double_Knob,
    20: Tab_Knob,
    22: PyScript_Knob,
    26: Text_Knob,
    41: Link_Knob,
}
"""The numbers that ``addUserKnob`` takes."""
