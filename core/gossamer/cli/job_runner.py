"""Runs a job on the screen: says what was taken, shows progress, ends cleanly. Shared by ``matte`` and ``run``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gossamer.config import Job
from gossamer.errors import CancelledError, GossamerError, SettingError
from gossamer.image.paths import expand_home

if TYPE_CHECKING:
    from gossamer.inference.report import FrameReport, RunReport
    from gossamer.inference.run import Progress

__all__ = ["absolute", "choose_existing", "perform", "refuse_picture", "say", "stop_on_signals"]


def absolute(text: str) -> str:
    """A path or pattern that means the same from any folder; a folder keeps its closing slash."""
    if not text:
        return ""
    path = os.path.abspath(expand_home(text))  # noqa: PTH100 - resolve() would follow links, which jobs must not
    return path + "/" if text.endswith(("/", os.sep)) and not path.endswith(os.sep) else path


def choose_existing(skip_existing: bool, overwrite: bool) -> str | None:
    """The value of ``Outputs.existing`` for the two flags; None where neither is given."""
    if skip_existing and overwrite:
        raise SettingError("--skip-existing and --overwrite exclude each other.")
    return "skip" if skip_existing else "overwrite" if overwrite else None


def say(text: str) -> None:
    """Print a line. A reader that goes away (``| head``) ends the talking and not the work."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def perform(job: Job, report_path: Path | None) -> None:
    """Do ``job`` with everything a person at the terminal or a farm's log wants to see.

    Raises:
        GossamerError: what went wrong, after the report has been written and the finished frames counted.
    """
    from gossamer.inference.plan import prepare
    from gossamer.inference.report import report_before, write_report
    from gossamer.inference.run import execute, start_report

    if report_path is not None:
        refuse_picture(report_path, "--report")
        try:
            # Reports often go where the mattes go, into a folder that this very job is to make.
            report_path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(
                f"Cannot make the folder {report_path.parent} for the report: {error.strerror}."
            ) from error
        try:
            is_folder = report_path.is_dir()
        except OSError as error:
            raise SettingError(f"Cannot make {report_path}: {error.strerror}. Name another --report.") from error
        if is_folder:
            raise SettingError(
                f"--report {report_path} is a folder; name a file, such as {report_path / 'report.json'}."
            )
    try:
        with stop_on_signals() as cancelled:
            plan = prepare(job, building=_building_lines(), cancelled=cancelled)
            if cancelled():
                raise CancelledError("Cancelled. Nothing was written.")
    except GossamerError as error:
        # Else a report of an earlier run would go on saying that all is done.
        _write_anyway(report_before(job, error), report_path)
        raise
    for label, text in plan.describe():
        say(f"{label:8} {text}")
    report = start_report(plan)
    try:
        with stop_on_signals() as cancelled, _shown(len(plan.frames)) as show:
            execute(plan, report, progress=show, cancelled=cancelled)
    except BaseException as error:
        _write_anyway(report, report_path)
        if isinstance(error, CancelledError | KeyboardInterrupt):
            raise CancelledError(f"Cancelled. {_left(report)}") from error
        if isinstance(error, GossamerError):
            raise type(error)(f"{error} {_left(report)}") from error
        raise
    if report_path is not None:
        write_report(report, report_path)
    rate = f", {len(report.frames) / report.seconds:.2f} frames/s" if report.frames and report.seconds else ""
    say(f"{'done':8} {len(report.frames)} frames in {report.seconds:.1f} s{rate}")


def refuse_picture(path: Path, option: str) -> None:
    """What is to become JSON has no picture's name, which may be the plate's by a slip.

    Raises:
        SettingError: it has.
    """
    from gossamer.image.io import IMAGE_SUFFIXES
    from gossamer.image.sequence import MOVIE_SUFFIXES

    if path.suffix.lower() in IMAGE_SUFFIXES | MOVIE_SUFFIXES:
        raise SettingError(f"{option} {path} has the name of a picture; name a JSON file, such as {path.stem}.json.")


def _write_anyway(report: RunReport, path: Path | None) -> None:
    """Write the report of a job that failed; what stopped the job matters more than a report that cannot be written."""
    if path is None:
        return
    from gossamer.inference.report import write_report

    try:
        write_report(report, path)
    except GossamerError as problem:
        print(f"warning: the report is not there: {problem}", file=sys.stderr, flush=True)


def _left(report: RunReport) -> str:
    """How much is finished and how to go on."""
    if report.total == 1:
        return "Nothing was written." if not report.frames else ""
    done = f"{len(report.frames)} of {report.total} frames are finished and stay"
    return f"{done}; the same command with --skip-existing goes on from there."


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and a farm's SIGTERM ask the work to stop; a second one stops it at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield asked.is_set
        return

    def stop(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        print("stopping (again to stop at once) ...", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _building_lines() -> Callable[[float, str], None]:
    """Says what goes on while an engine is built: it takes minutes and may look like a hang."""
    told = ""

    def tell(part: float, text: str) -> None:
        nonlocal told
        line = f"{'engine':8} {part:4.0%} {text}"
        if line != told:
            say(line)
        told = line

    return tell


class _Remarks:
    """Notes that frames carry, each told once."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def new(self, frame: FrameReport) -> list[str]:
        """Those of ``frame`` that no earlier frame had."""
        fresh = [note for note in frame.remarks() if note not in self.told]
        self.told.update(fresh)
        return [f"frame {frame.frame}: {note}" for note in fresh]


@contextmanager
def _shown(total: int) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal, else one line a frame."""
    remarks = _Remarks()
    if sys.stdout is None or not sys.stdout.isatty():
        yield _PlainLines(remarks)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("frame {task.fields[frame]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns) as bar:
        task = bar.add_task("", total=total, frame="", rate="")
        started = time.monotonic()

        def show(progress: Progress) -> None:
            rate = ""
            if progress.finished is not None:
                for remark in remarks.new(progress.finished):
                    bar.console.print(remark, highlight=False, markup=False)
                rate = f"{progress.done / (time.monotonic() - started):.2f} frames/s"
                bar.update(task, rate=rate)
            part = 0.0 if progress.finished else progress.part
            bar.update(task, completed=min(progress.done + part, total), frame=progress.frame)

        yield show


class _PlainLines:
    """One line a frame: for logs."""

    def __init__(self, remarks: _Remarks) -> None:
        self.remarks = remarks
        self.started = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        finished = progress.finished
        if finished is None:
            return
        for remark in self.remarks.new(finished):
            say(remark)
        rate = progress.done / max(time.monotonic() - self.started, 1e-6)
        left = (progress.total - progress.done) / rate
        unknown = finished.effective.get("unknown_part")
        share = "" if unknown is None else f", {unknown:.1%} unknown"
        say(
            f"frame {finished.frame}: {finished.seconds['solve']:.2f} s{share} "
            f"({progress.done}/{progress.total}, {rate:.2f} frames/s, {left:.0f} s left)"
        )
