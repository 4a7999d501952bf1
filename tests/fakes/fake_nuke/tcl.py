"""The words of a ``.nk`` or ``.gizmo`` file, read and written."""

from __future__ import annotations

__all__ = ["TclError", "braced", "commands", "quote", "unquote", "words"]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_SPECIAL = set(' \t\n"{}[]$;\\#')


class TclError(ValueError):
    """The text is not balanced."""


def commands(text: str) -> list[list[str]]:
    """The commands of a script, each as raw words (braces and quotes still on them)."""
    found: list[list[str]] = []
    for line in _logical_lines(text):
        found.append(words(line, raw=True))
    return [command for command in found if command]


def _logical_lines(text: str) -> list[str]:
    """Lines joined as long as a brace or a quote is open."""
    lines: list[str] = []
    current, depth, quoted, position = "", 0, False, 0
    fresh = True
    while position < len(text):
        character = text[position]
        if fresh and character == "#" and depth == 0 and not quoted:
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        if character == "\\" and position + 1 < len(text):
            current += text[position : position + 2]
            position += 2
            fresh = False
            continue
        if depth == 0 and character == '"':
            quoted = not quoted
        elif not quoted and character == "{":
            depth += 1
        elif not quoted and character == "}":
            depth -= 1
            if depth < 0:
                raise TclError(f"a brace closes that was never opened, after {current[-40:]!r}")
        if character in "\n;" and depth == 0 and not quoted:
            lines.append(current)
            current, fresh = "", True
        else:
            current += character
            fresh = fresh and character in " \t"
        position += 1
    if depth or quoted:
        raise TclError("a brace or a quote is never closed")
    return [line for line in [*lines, current] if line.strip()]


def words(text: str, *, raw: bool = False) -> list[str]:
    """Split into words; without ``raw`` each is unquoted."""
    found: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in " \t\n":
            position += 1
            continue
        start = position
        if text[position] == "{":
            position = _closing_brace(text, position)
        elif text[position] == '"':
            position = _closing_quote(text, position)
        while position < len(text) and text[position] not in " \t\n":
            position += 2 if text[position] == "\\" else 1
        found.append(text[start:position])
    return found if raw else [unquote(word) for word in found]


def _closing_brace(text: str, position: int) -> int:
    depth = 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
        if depth == 0:
            return position
    raise TclError(f"a brace is never closed: {text[:40]!r}")


def _closing_quote(text: str, position: int) -> int:
    position += 1
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        position += 1
        if text[position - 1] == '"':
            return position
    raise TclError(f"a quote is never closed: {text[:40]!r}")


def braced(word: str) -> bool:
    """Whether a raw word stands in braces."""
    return word.startswith("{") and word.endswith("}")


def unquote(word: str) -> str:
    """The text that a raw word stands for."""
    if braced(word):
        return word[1:-1]
    if len(word) > 1 and word.startswith('"') and word.endswith('"'):
        word = word[1:-1]
    text, position = "", 0
    while position < len(word):
        if word[position] == "\\" and position + 1 < len(word):
            text += _ESCAPES.get(word[position + 1], word[position + 1])
            position += 2
        else:
            text += word[position]
            position += 1
    return text


def quote(text: str) -> str:
    """A word that stands for ``text``."""
    if text and not set(text) & _SPECIAL:
        return text
    escaped = "".join({"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c, "\\" + c if c in '"\\[]$' else c) for c in text)
    return f'"{escaped}"'
