"""Where the worker's Python is, and the environment it is started in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gossamer_bridge.errors import WorkerNotFoundError

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "INTERPRETER_SCHEMA",
    "Interpreter",
    "clean_environment",
    "config_folder",
    "find_interpreter",
    "interpreter_file",
    "worker_command",
]

ENVIRONMENT_VARIABLE = "GOSSAMER_PYTHON"
INTERPRETER_SCHEMA = 1

_DROPPED = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "SSLKEYLOGFILE", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV")
_DROPPED_PREFIXES = ("PYTHON", "QT_", "QML", "DYLD_", "CONDA_", "GOSSAMER_WORKER_")


@dataclass(frozen=True)
class Interpreter:
    """A Python that is to run the worker."""

    path: str
    source: str
    """Where it was found, in words: for the preferences and for errors."""


def find_interpreter(setting: str = "", environment: Mapping[str, str] | None = None) -> Interpreter:
    """The Python that runs the worker: the host's setting, else ``GOSSAMER_PYTHON``, else what ``install-hosts`` wrote.

    What is named first counts; if it does not exist, that is an error and not a reason to look further.

    Args:
        setting: from the host's preferences; a Python, or the folder of a virtual environment. Empty: not set.
        environment: ``os.environ`` if not given.

    Raises:
        WorkerNotFoundError: nothing is named, or what is named does not exist.
    """
    environ = os.environ if environment is None else environment
    if setting.strip():
        return _checked(setting.strip(), "the host's setting")
    named = environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if named:
        return _checked(named, f"the environment variable {ENVIRONMENT_VARIABLE}")
    file = interpreter_file(environ)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        python = values["python"] if values.get("schema") == INTERPRETER_SCHEMA else None
    except FileNotFoundError:
        raise WorkerNotFoundError("No worker is set up yet.") from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise WorkerNotFoundError(f"{file} cannot be read: {error}.") from error
    if not isinstance(python, str):
        raise WorkerNotFoundError(f"{file} was written by another version.")
    return _checked(python, str(file))


def _checked(text: str, source: str) -> Interpreter:
    path = Path(text).expanduser()
    if path.is_dir():
        inside = [path / "bin" / "python3", path / "bin" / "python", path / "Scripts" / "python.exe"]
        path = next((candidate for candidate in inside if candidate.is_file()), path)
    if not path.is_file():
        raise WorkerNotFoundError(f"{source} names the Python {text}, which does not exist.")
    if not os.access(path, os.X_OK):
        raise WorkerNotFoundError(f"{source} names {text}, which cannot be executed.")
    # A virtual environment's Python is a link that must not be followed: the link is what makes the environment.
    return Interpreter(os.path.abspath(path), source)  # noqa: PTH100


def config_folder(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """The user's folder for Gossamer's settings; it need not exist."""
    environ = os.environ if environment is None else environment
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "Gossamer"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "Gossamer"
    stated = environ.get("XDG_CONFIG_HOME", "")
    # The specification says that relative values are to be ignored.
    return (Path(stated) if Path(stated).is_absolute() else home / ".config") / "gossamer"


def interpreter_file(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """The file in which ``gossamer install-hosts`` notes the worker's Python."""
    return config_folder(environment, platform) / "worker.json"


def clean_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what hosts set for themselves and what breaks a Python that is not theirs.

    Gone: everything that starts with ``PYTHON``, ``QT_``, ``QML``, ``DYLD_`` or ``CONDA_``, and ``LD_LIBRARY_PATH``,
    ``LD_PRELOAD``, ``VIRTUAL_ENV`` and the like. Kept: the rest, ``OCIO``, ``HOME``, ``PATH`` and licence variables
    among it. Added: UTF-8 for files and pipes, whatever the host's locale; and no module is taken from the folder the
    worker is started in, where anybody may have put one.
    """
    environ = os.environ if environment is None else environment
    kept = {
        name: value
        for name, value in environ.items()
        if name.upper() not in _DROPPED and not name.upper().startswith(_DROPPED_PREFIXES)
    }
    kept.update(PYTHONUTF8="1", PYTHONSAFEPATH="1")
    return kept


def worker_command(interpreter: Interpreter, *, idle_timeout: float = 600.0) -> tuple[str, ...]:
    """The command line of the worker."""
    return (interpreter.path, "-m", "gossamer", "worker", "--idle-timeout", f"{idle_timeout:g}")
