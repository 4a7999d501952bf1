"""The messages, as frozen dataclasses, and how they become headers of the wire.

A host sends a :class:`Request`; the worker answers it with any number of :class:`Event` and then exactly one
:class:`Reply` or :class:`Failure` of the same ``identifier``. Requests are read at any time; those that work with a
model are done one after the other. Verbs, their arguments and answers are listed in ``README.md`` beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from gossamer_bridge.errors import WireFormatError

__all__ = [
    "PROTOCOL_VERSION",
    "VERBS",
    "Event",
    "Failure",
    "Message",
    "Reply",
    "Request",
    "from_header",
    "to_header",
]

PROTOCOL_VERSION = 1
"""Both sides have to have the same one; ``hello`` compares them. Raised when an old side would misread a new one."""

VERBS = ("hello", "prepare", "matte", "status", "release", "cancel", "store", "fetch", "shutdown")


@dataclass(frozen=True)
class Request:
    """A host asks for something."""

    identifier: int
    """1 and up, never used twice by one client."""
    verb: str
    """One of :data:`VERBS`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    """Pixels for ``store``: float32, little-endian, H x W x C."""


@dataclass(frozen=True)
class Event:
    """Something happened while a request is being done."""

    identifier: int
    """Of the request."""
    name: str
    """``queued``, ``building``, ``started``, ``progress``, ``frame``, ``alive``."""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A request was done."""

    identifier: int
    values: Mapping[str, Any] = field(default_factory=dict)
    """With ``asked`` and ``done`` (backend, device, precision, tile) wherever a model was used."""
    body: bytes = field(default=b"", repr=False)
    """Pixels for ``fetch``: float32, little-endian, H x W x C."""


@dataclass(frozen=True)
class Failure:
    """A request was not done, or not to its end."""

    identifier: int
    """0: the message could not be read as a request at all; the worker ends after it."""
    kind: str
    """The exception by name (``SettingError`` ...), ``ProtocolError``, ``VersionError``, ``InternalError``."""
    message: str
    exit_code: int = 1
    """What the command line would return."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What was done all the same: ``frames``, ``asked``, ``done``."""


Message = Union[Request, Event, Reply, Failure]


def to_header(message: Message) -> dict[str, Any]:
    """The JSON header of a message; bodies travel beside it."""
    header: dict[str, Any] = {"protocol": PROTOCOL_VERSION, "id": message.identifier}
    if isinstance(message, Request):
        header.update(type="request", verb=message.verb, arguments=dict(message.arguments))
    elif isinstance(message, Event):
        header.update(type="event", name=message.name, values=dict(message.values))
    elif isinstance(message, Reply):
        header.update(type="reply", values=dict(message.values))
    else:
        header.update(type="failure", kind=message.kind, message=message.message, exit_code=message.exit_code)
        header["values"] = dict(message.values)
    return header


def from_header(header: Mapping[str, Any], body: bytes = b"") -> Message:
    """The message of a header.

    Raises:
        WireFormatError: a field is missing or has another type. Other protocol versions are read as far as their
            fields are the same: ``hello`` is what compares versions.
    """
    kind = header.get("type")
    identifier = _take(header, "id", int)
    if kind == "request":
        return Request(identifier, _take(header, "verb", str), _take(header, "arguments", dict), body)
    if kind == "event":
        return Event(identifier, _take(header, "name", str), _take(header, "values", dict))
    if kind == "reply":
        return Reply(identifier, _take(header, "values", dict), body)
    if kind == "failure":
        code = _take(header, "exit_code", int)
        values = _take(header, "values", dict)
        return Failure(identifier, _take(header, "kind", str), _take(header, "message", str), code, values)
    raise WireFormatError(f"A message has the type {kind!r}; request, event, reply and failure are known.")


def _take(header: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = header.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise WireFormatError(f"A message's {name} is {type(value).__name__}; {kind.__name__} is expected.")
    return value
