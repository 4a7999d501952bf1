"""A worker that does what a test tells it, misbehaviour included. Standard library and the bridge's wire only.

Started as a program: ``python fake_worker.py SCRIPT``, where SCRIPT is JSON: a list of *lives*, one for each time it
is started (the last one serves for all further starts; ``counter`` names the file that counts them). A life is an
object of verb to actions; ``start`` is done before anything is read. An action is a list:

* ``["reply", values]``, ``["event", name, values]``, ``["fail", kind, message]``: answer the request
* ``["raw", hex]``: these bytes onto the pipe; ``["flood", count]``: that many bytes of nothing
* ``["log", text]``: a line to stderr; ``["file", path, text]``: write a file
* ``["exit", code]``, ``["crash"]``: end, or die as if shot
* ``["sleep", seconds]``, ``["hang"]``: stop reading for a while or for ever; ``["hang", true]``: deaf to SIGTERM too
* ``["await_cancel"]``: wait for the request ``cancel`` and then fail with CancelledError
* ``["await_shutdown"]``: wait for the request ``shutdown`` and answer it
* ``["mute"]``: close the pipe that answers go through, and stay alive
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "core"))

from gossamer_bridge.errors import WireError
from gossamer_bridge.protocol import PROTOCOL_VERSION, Event, Failure, Message, Reply, Request, from_header, to_header
from gossamer_bridge.wire import read_frame, write_frame

__all__ = ["HELLO", "fake_worker"]

HELLO: Mapping[str, Any] = {
    "protocol": PROTOCOL_VERSION,
    "version": "0.1.0",
    "python": "3.11.0",
    "executable": "/fake/python",
    "pid": 1,
    "models": [{"name": "gossamer-s", "license": "Apache-2.0", "needs_trimap": True, "parameters": 1}],
    "devices": [{"name": "cpu", "description": "a fake"}],
}

Life = Mapping[str, Sequence[Sequence[Any]]]


def fake_worker(*lives: Life, counter: Path | None = None, requests: Path | None = None) -> tuple[str, ...]:
    """The command line of a worker that lives like that. ``hello`` is answered properly unless a life says otherwise.

    Args:
        lives: one for each start.
        counter: a file that counts the starts; needed for more than one life.
        requests: a file that gets a line of JSON for each request.
    """
    script = {"lives": [{"hello": [["reply", dict(HELLO)]], **life} for life in lives or ({},)]}
    files = {"counter": str(counter or ""), "requests": str(requests or "")}
    return (sys.executable, __file__, json.dumps({**script, **files}))


class _Worker:
    def __init__(self, life: Life, requests: str) -> None:
        self.life = life
        self.requests = requests
        self.stdin = os.fdopen(os.dup(0), "rb", buffering=0)
        self.stdout = os.fdopen(os.dup(1), "wb", buffering=0)

    def send(self, message: Message) -> None:
        write_frame(self.stdout, to_header(message), getattr(message, "body", b""))

    def read(self) -> Request:
        message = from_header(*read_frame(self.stdin))
        assert isinstance(message, Request)
        if self.requests:
            with Path(self.requests).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"verb": message.verb, "arguments": dict(message.arguments)}) + "\n")
        return message

    def serve(self) -> None:
        self.act(Request(0, "start"))
        while True:
            request = self.read()
            if request.verb == "shutdown" and "shutdown" not in self.life:
                self.send(Reply(request.identifier))
                return
            if request.verb == "cancel" and "cancel" not in self.life:
                self.send(Reply(request.identifier, {"found": False}))
                continue
            self.act(request)

    def act(self, request: Request) -> None:
        for name, *details in self.life.get(request.verb, ()):
            getattr(self, f"do_{name}")(request, *details)

    def do_reply(self, request: Request, values: Mapping[str, Any], body: str = "") -> None:
        self.send(Reply(request.identifier, values, bytes.fromhex(body)))

    def do_event(self, request: Request, name: str, values: Mapping[str, Any]) -> None:
        self.send(Event(request.identifier, name, values))

    def do_fail(self, request: Request, kind: str, message: str) -> None:
        self.send(Failure(request.identifier, kind, message))

    def do_raw(self, request: Request, data: str) -> None:
        self.stdout.write(bytes.fromhex(data))

    def do_flood(self, request: Request, count: int) -> None:
        for _ in range(count // 65536 + 1):
            self.stdout.write(bytes(65536))

    def do_log(self, request: Request, text: str) -> None:
        os.write(2, text.encode() + b"\n")

    def do_file(self, request: Request, path: str, text: str) -> None:
        Path(path).write_text(text, encoding="utf-8")

    def do_exit(self, request: Request, code: int) -> None:
        os._exit(code)

    def do_crash(self, request: Request) -> None:
        if sys.platform == "win32":
            os._exit(-9)
        os.kill(os.getpid(), signal.SIGKILL)

    def do_sleep(self, request: Request, seconds: float) -> None:
        time.sleep(seconds)

    def do_hang(self, request: Request, stubborn: bool = False) -> None:
        if stubborn and sys.platform != "win32":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)

    def do_await_cancel(self, request: Request) -> None:
        asked = self.read()
        assert asked.verb == "cancel"
        assert asked.arguments == {"id": request.identifier}
        self.send(Reply(asked.identifier, {"found": True}))
        self.send(Failure(request.identifier, "CancelledError", "Cancelled.", 130))

    def do_await_shutdown(self, request: Request) -> None:
        asked = self.read()
        assert asked.verb == "shutdown"
        self.send(Reply(asked.identifier))

    def do_mute(self, request: Request) -> None:
        self.stdout.close()
        os.close(1)


def _main() -> None:
    script = json.loads(sys.argv[1])
    lives = script["lives"]
    start = 0
    if script["counter"]:
        counter = Path(script["counter"])
        start = int(counter.read_text(encoding="utf-8")) if counter.exists() else 0
        counter.write_text(str(start + 1), encoding="utf-8")
    try:
        _Worker(lives[min(start, len(lives) - 1)], script["requests"]).serve()
    except (WireError, OSError):
        sys.exit(1)


if __name__ == "__main__":
    _main()
