"""What can go wrong between a host and the worker; every message says what to do next."""

from __future__ import annotations

__all__ = [
    "BridgeError",
    "JobCancelledError",
    "JobError",
    "KnobError",
    "WireClosedError",
    "WireError",
    "WireFormatError",
    "WireSizeError",
    "WorkerDiedError",
    "WorkerNotFoundError",
    "WorkerStartError",
    "WorkerTimeoutError",
    "WorkerVersionError",
]


class BridgeError(Exception):
    """Anything the bridge can explain to an artist. ``str(error)`` is the whole message, what to do next included."""

    next_step = ""
    """What the artist can do, where the raiser knows nothing better."""

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        self.message = message
        if next_step is not None:
            self.next_step = next_step
        super().__init__(f"{message} {self.next_step}".strip())


class KnobError(BridgeError):
    """A knob has a value that cannot be used; nothing was sent."""


class WireError(BridgeError):
    """The bytes on the pipe are not what the protocol says."""

    next_step = "Start the worker again; if it happens again, run `gossamer doctor` and report the log."


class WireClosedError(WireError):
    """The other side closed the pipe between two messages."""


class WireFormatError(WireError):
    """Garbage, a truncated message, or a header that is no message."""


class WireSizeError(WireError):
    """A message is larger than the protocol allows."""

    next_step = "Use shorter paths or fewer frames in one job, or a smaller picture."


class WorkerNotFoundError(BridgeError):
    """No Python with Gossamer is known."""

    next_step = (
        "Set the worker's Python in the preferences or in GOSSAMER_PYTHON, or run `gossamer install-hosts` once."
    )


class WorkerStartError(BridgeError):
    """The worker could not be started or did not answer its first question."""

    next_step = "Run `PYTHON -m gossamer doctor` with the same Python; it says what is missing."


class WorkerVersionError(BridgeError):
    """The worker speaks another version of the protocol."""

    next_step = "Run `gossamer install-hosts` of the version you want, and restart the host."


class WorkerTimeoutError(BridgeError):
    """The worker did not do in time what it was asked; it was ended."""

    next_step = "Try again; if it happens again, choose a smaller tile, or run the same job with `gossamer run`."


class WorkerDiedError(BridgeError):
    """The worker ended before it answered. ``log`` holds the last lines that it wrote."""

    next_step = "Run the job again with a smaller tile, or `gossamer doctor` to see what is wrong."

    def __init__(self, message: str, *, log: str = "", next_step: str | None = None) -> None:
        self.log = log
        super().__init__(f"{message} Its last words: {log}" if log else message, next_step=next_step)


class JobError(BridgeError):
    """The worker answered that the job cannot be done. ``kind`` is the worker's own exception, by name."""

    def __init__(self, message: str, *, kind: str = "GossamerError", exit_code: int = 1) -> None:
        self.kind = kind
        self.exit_code = exit_code
        super().__init__(message)


class JobCancelledError(BridgeError):
    """The artist stopped the job, or the host closed its worker; finished frames are on disk."""
