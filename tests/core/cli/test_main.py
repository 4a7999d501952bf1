"""What holds for every command: one line for an error, its exit code, the version."""

import errno
import os
import subprocess
import sys

import pytest
import typer

from gossamer import __version__, cli
from gossamer.cli import commands
from gossamer.errors import CancelledError, DataError, GossamerError, SettingError


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """The command line with one command, ``fail``, which raises what the test gives; answers code, out and err."""

    def call(error: BaseException | None, *words: str) -> tuple[object, str, str]:
        app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
        app.callback()(cli._common)

        def fail() -> None:
            if error is not None:
                raise error

        app.command()(fail)
        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(commands, "register", lambda _app: None)
        monkeypatch.setattr(sys, "argv", ["gossamer", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


@pytest.mark.parametrize("kind", [GossamerError, SettingError, DataError, CancelledError])
def test_an_error_becomes_one_line_and_its_exit_code(main: object, kind: type[GossamerError]) -> None:
    code, out, err = main(kind("shot.1001.exr is empty"), "fail")  # type: ignore[operator]
    assert (code, out, err) == (kind.exit_code, "", "error: shot.1001.exr is empty\n")


def test_trouble_with_a_file_is_one_line(main: object) -> None:
    problem = PermissionError(errno.EACCES, "Permission denied", "/shots/closed")
    code, out, err = main(problem, "fail")  # type: ignore[operator]
    assert (code, out, err) == (1, "", "error: /shots/closed: Permission denied.\n")


def test_trouble_that_names_no_file_keeps_its_traceback(main: object) -> None:
    with pytest.raises(OSError, match="no more processes"):
        main(OSError(errno.EAGAIN, "no more processes"), "fail")  # type: ignore[operator]


def test_an_interrupted_command_ends_with_130(main: object) -> None:
    code, _, err = main(KeyboardInterrupt(), "fail")  # type: ignore[operator]
    assert code == 130
    assert "Traceback" not in err


def test_a_command_that_works_ends_with_zero(main: object) -> None:
    assert main(None, "fail")[0] == 0  # type: ignore[operator]


def test_an_unknown_command_is_named(main: object) -> None:
    code, _, err = main(None, "mattte")  # type: ignore[operator]
    assert code == 2
    assert "mattte" in err


def test_the_version_is_printed(main: object) -> None:
    code, out, _ = main(None, "--version")  # type: ignore[operator]
    assert (code, out) == (0, f"gossamer {__version__}\n")


def test_every_command_is_offered_by_the_installed_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gossamer", "--help"], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    for name in ("matte", "run", "evaluate", "doctor", "models", "convert", "train", "refine-foregrounds", "publish"):
        assert f" {name} " in done.stdout


def _without(streams: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program with some of its standard streams closed, in a shell's words."""
    command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "gossamer", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_closed_standard_output_changes_nothing_but_what_is_said() -> None:
    done = _without(">&-", "models")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_errors_without_a_standard_error_do_not_go_to_the_output() -> None:
    done = _without("2>&- <&-", "run", "/no/such/job.json")
    assert (done.returncode, done.stdout, done.stderr) == (SettingError.exit_code, "", "")
