"""Where results go, where the inputs lie for a while, and the notes that say from what a matte was made."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gossamer_nuke.errors import NukeError
from gossamer_nuke.knobs import Settings

__all__ = [
    "Stamps",
    "at_frame",
    "at_view",
    "check_writable",
    "make_scratch",
    "output_pattern",
    "report_path",
    "script_stem",
    "with_percent",
    "write_whole",
]

_FRAME_TOKEN = re.compile(r"#+|%(0?\d*)d")
_VIEW_TOKEN = re.compile(r"%[Vv]")


def script_stem(script: str) -> str:
    """What the versions of a script share, fit for a file name: ``comp`` for ``comp_v012.nk``; empty if not saved."""
    stem = re.sub(r"(?<=.)[._-]v\d+$", "", Path(script).stem, flags=re.IGNORECASE)
    return re.sub(r"[^\w-]", "_", stem)


def output_pattern(settings: Settings, script: str, views: tuple[str, ...]) -> str:
    """The path of the mattes with ``%04d`` and, for several views, ``%V``; forward slashes.

    Args:
        settings: ``output_folder`` and ``output_pattern``; both may be empty.
        script: path of the saved script, or empty.
        views: that are to be matted.

    Raises:
        NukeError: there is no folder, or the pattern cannot name every file.
    """
    name = settings.node
    stem = name.replace(".", "_")
    folder = settings.output_folder.replace("\\", "/")
    if not folder:
        if not script:
            raise NukeError(f"{name}: the script is not saved. Save it, or set the output folder.")
        folder = f"{Path(script).parent.as_posix()}/gossamer"
    elif not Path(folder).is_absolute():
        if not script:
            raise NukeError(f"{name}: the output folder {folder!r} is relative. Save the script or give a whole path.")
        folder = f"{Path(script).parent.as_posix()}/{folder}"
    beginning = "{script}.{node}" if script else "{node}"
    pattern = settings.output_pattern or (f"{beginning}.%V.%04d.exr" if len(views) > 1 else f"{beginning}.%04d.exr")
    if "{script}" in pattern and not script:
        raise NukeError(f"{name}: the file name {pattern!r} holds the script's name. Save the script, or leave it out.")
    pattern = pattern.replace("{node}", stem).replace("{script}", script_stem(script))
    if "/" in pattern or "\\" in pattern:
        raise NukeError(f"{name}: the file name {pattern!r} holds a folder. Put it into the output folder.")
    if len(_FRAME_TOKEN.findall(pattern)) != 1:
        raise NukeError(f"{name}: the file name {pattern!r} needs the frame number once: #### or %04d.")
    if not pattern.lower().endswith(".exr"):
        raise NukeError(f"{name}: the file name {pattern!r} has to end in .exr.")
    if len(views) > 1 and not _VIEW_TOKEN.search(pattern):
        raise NukeError(
            f"{name}: the views {', '.join(views)} would all be written to {pattern!r}. Put %V into the file name, or "
            "name one view in the knob views."
        )
    return f"{folder.rstrip('/')}/{with_percent(pattern)}"


def with_percent(pattern: str) -> str:
    """``%04d`` for ``####``."""
    return _FRAME_TOKEN.sub(lambda match: f"%0{len(match[0])}d" if match[0].startswith("#") else match[0], pattern)


def at_view(pattern: str, view: str) -> str:
    """The pattern of one view."""
    return pattern.replace("%V", view).replace("%v", view[:1])


def at_frame(pattern: str, frame: int, view: str) -> Path:
    """The file of one frame in one view. A ``#`` in a folder's name is no frame number."""
    path = Path(at_view(pattern, view))
    return path.with_name(_FRAME_TOKEN.sub(lambda match: match[0] % frame, path.name))


def report_path(pattern: str) -> Path:
    """The report of the last run, beside the mattes."""
    name = _VIEW_TOKEN.sub("", _FRAME_TOKEN.sub("", Path(pattern).name))
    stem = re.sub(r"[._-]{2,}", ".", name)[: -len(".exr")].strip("._-")
    return Path(pattern).parent / f"{stem}.report.json"


def make_scratch() -> Path:
    """A folder of its own for the inputs, in ``NUKE_TEMP_DIR`` or the system's place.

    Raises:
        NukeError: it cannot be made.
    """
    place = os.environ.get("NUKE_TEMP_DIR") or None
    try:
        return Path(tempfile.mkdtemp(prefix="gossamer-", dir=place))
    except OSError as error:
        raise NukeError(
            f"No temporary folder can be made in {place or tempfile.gettempdir()}: {error.strerror}. "
            "Set NUKE_TEMP_DIR to a folder that can be written."
        ) from error


class Stamps:
    """One small file beside each matte that says from what it was made and what it holds."""

    def __init__(self, pattern: str, node: str) -> None:
        self._pattern, self._node = pattern, node

    @property
    def pattern(self) -> str:
        """Of the mattes."""
        return self._pattern

    def is_there(self, frame: int, view: str) -> bool:
        """Whether there is a matte with a note at all, whatever that says."""
        return self._path(frame, view).is_file() and at_frame(self._pattern, frame, view).is_file()

    def is_current(self, frame: int, view: str, key: str) -> bool:
        """Whether the matte is there, whole, and made from what ``key`` stands for."""
        return self.key(frame, view) == key

    def holds(self, frame: int, view: str, layer: str) -> bool:
        """Whether the matte is there, whole, and was made with ``layer``: ``foreground`` or ``confidence``."""
        return bool(self._read(frame, view).get(layer))

    def key(self, frame: int, view: str) -> str:
        """What the matte was made from, as :meth:`write` was told; empty if it is not there, not whole, or unknown."""
        return str(self._read(frame, view).get("key", ""))

    def script(self, frame: int, view: str) -> str:
        """Which script made the matte, as :func:`script_stem` names it; empty if there is none, or nobody knows."""
        return str(self._read(frame, view).get("script", ""))

    def write(
        self, frame: int, view: str, key: str, *, size: int, script: str, foreground: bool, confidence: bool
    ) -> None:
        """Note a matte that has just been made.

        Args:
            size: of the file in bytes, when it was made.
        """
        values = {"key": key, "bytes": size, "script": script, "foreground": foreground, "confidence": confidence}
        write_whole(self._path(frame, view), values, self._node)

    def _read(self, frame: int, view: str) -> dict[str, Any]:
        """The note; empty if it cannot be read, or is not of the matte that lies there."""
        matte, stamp = at_frame(self._pattern, frame, view), self._path(frame, view)
        try:
            values = json.loads(stamp.read_text(encoding="utf-8"))
            is_its_own = isinstance(values, dict) and values.get("bytes") == matte.stat().st_size
        except (OSError, ValueError):
            return {}
        return values if is_its_own else {}

    def _path(self, frame: int, view: str) -> Path:
        matte = at_frame(self._pattern, frame, view)
        return matte.parent / ".gossamer" / f"{matte.name}.json"


def write_whole(path: Path, values: Mapping[str, object], node: str) -> None:
    """Write JSON, whole or not at all.

    Raises:
        NukeError: the folder cannot be written.
    """
    # Machines of a farm write one report at a time, and their process ids may be the same.
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise NukeError(
            f"{node}: cannot write into {path.parent}: {error.strerror}. Choose another output folder."
        ) from error


def check_writable(pattern: str, node: str) -> None:
    """Make the output folder and try whether it can be written.

    Raises:
        NukeError: it cannot.
    """
    folder = Path(pattern).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NukeError(
            f"{node}: cannot write into {folder}: {error.strerror}. Choose another output folder."
        ) from error
