"""Nuke's expressions: numbers for knobs, arrays for the Expression node. One parser for both."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["evaluate"]

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|([A-Za-z_][\w.]*)|(<=|>=|==|!=|&&|\|\||[-+*/()<>!?:,]))")
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "min": lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)),
    "max": lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)),
    "clamp": lambda value, low=0.0, high=1.0: np.clip(value, low, high),
    "pow": np.power,
}


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """The value of ``text``; ``lookup`` knows the names.

    Raises:
        ValueError: a syntax error. What ``lookup`` raises for an unknown name passes through.
    """
    parser = _Parser(text, lookup)
    value = parser.ternary()
    if parser.position < len(parser.tokens):
        raise ValueError(f"{text!r}: unexpected {parser.tokens[parser.position]!r}")
    return value


class _Parser:
    def __init__(self, text: str, lookup: Callable[[str], Any]) -> None:
        self.tokens: list[str] = []
        self.position, self.lookup, self.text = 0, lookup, text
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise ValueError(f"{text!r}: cannot read {text[at:]!r}")
            self.tokens.append(match[0].strip())
            at = match.end()

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if wanted and token not in wanted:
            raise ValueError(f"{self.text!r}: expected {' or '.join(wanted)}, found {token!r}")
        self.position += 1
        return token

    def ternary(self) -> Any:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.take("?")
        yes = self.ternary()
        self.take(":")
        no = self.ternary()
        return np.where(np.asarray(condition) != 0, yes, no)

    LEVELS = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/"))

    def binary(self, level: int) -> Any:
        if level == len(self.LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in self.LEVELS[level]:
            operator = self.take()
            left = _apply(operator, left, self.binary(level + 1))
        return left

    def unary(self) -> Any:
        if self.peek() in ("-", "!"):
            negative = self.take() == "-"
            value = self.unary()
            return -value if negative else np.asarray(value) == 0
        return self.atom()

    def atom(self) -> Any:
        token = self.take()
        if token == "(":
            value = self.ternary()
            self.take(")")
            return value
        if re.fullmatch(r"[\d.].*", token):
            return float(token)
        if self.peek() == "(":
            if token not in _FUNCTIONS:
                raise ValueError(f"{self.text!r}: no function {token}")
            self.take("(")
            arguments = [self.ternary()]
            while self.take(",", ")") == ",":
                arguments.append(self.ternary())
            return _FUNCTIONS[token](*arguments)
        if not re.fullmatch(r"[A-Za-z_][\w.]*", token):
            raise ValueError(f"{self.text!r}: unexpected {token!r}")
        return self.lookup(token)


def _apply(operator: str, left: Any, right: Any) -> Any:
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    with np.errstate(all="ignore"):
        match operator:
            case "||":
                return ((a != 0) | (b != 0)).astype(np.float64)
            case "&&":
                return ((a != 0) & (b != 0)).astype(np.float64)
            case "==":
                return (a == b).astype(np.float64)
            case "!=":
                return (a != b).astype(np.float64)
            case "<":
                return (a < b).astype(np.float64)
            case ">":
                return (a > b).astype(np.float64)
            case "<=":
                return (a <= b).astype(np.float64)
            case ">=":
                return (a >= b).astype(np.float64)
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case _:
                return a / b
