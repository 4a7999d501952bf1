"""``gossamer matte`` and ``gossamer run`` as a user calls them."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.cli import main
from gossamer.cli.job_runner import absolute, perform
from gossamer.config import Job, Outputs, load_job, save_job
from gossamer.errors import ImageWriteError, SettingError

MakeShot = Callable[..., tuple[Path, list[Any]]]


class Call:
    """Runs the command line in this process and keeps its exit code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object) -> int:
        self._monkeypatch.setattr(sys, "argv", ["gossamer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    # Every call registers the commands, as a fresh process does.
    monkeypatch.setattr("gossamer.cli.app.registered_commands", [])
    return Call(monkeypatch)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_matte_prints_what_it_took_and_one_line_a_frame(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = make_shot()
    plate, trimap = folder / "plate.####.exr", folder / "trimap.%04d.exr"
    assert call("matte", plate, "--trimap", trimap, "-o", tmp_path / "out", "--model", tiny_weights) == 0
    said = capsys.readouterr().out
    assert "frames 1001-1003" in said
    assert "64x48 half, Linear Rec.709 (sRGB): half files default to scene-linear Rec.709" in said
    assert "tiny (" in said
    assert "onnxruntime" in said
    assert "3 to do (1001-1003)" in said
    assert "frame 1002: " in said
    assert "(3/3, " in said
    assert said.splitlines()[-1].startswith("done     3 frames in ")
    assert names(tmp_path / "out") == [f"plate_alpha.{frame}.exr" for frame in (1001, 1002, 1003)]


def test_one_numbered_file_is_one_frame_and_its_neighbours_are_mentioned(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = make_shot()
    arguments = ("matte", folder / "plate.1001.exr", "-t", folder / "trimap.1001.exr", "-m", tiny_weights)
    assert call(*arguments, "-o", tmp_path / "one") == 0
    assert "--frames 1001-1003" in capsys.readouterr().out
    assert names(tmp_path / "one") == ["plate_alpha.1001.exr"]
    assert call(*arguments, "-o", tmp_path / "all", "--frames", "1001-1003") == 0
    assert len(names(tmp_path / "all")) == 3


def test_a_saved_job_repeats_the_same_bytes_from_another_folder(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot()
    monkeypatch.chdir(folder)
    saved, report = tmp_path / "job.json", tmp_path / "report.json"
    arguments = ("plate.####.exr", "--trimap", "trimap.####.exr", "-m", f"../{tiny_weights.name}", "-o", "../out")
    assert call("matte", *arguments, "--save-job", saved, "--report", report, "--output-channels", "rgba") == 0
    job = load_job(saved)
    assert job.plate == str(folder / "plate.####.exr")
    assert job.model == str(tiny_weights)
    monkeypatch.chdir(tmp_path)
    assert call("run", saved, "-o", "again", "--frames", "1002-1003") == 0
    for frame in (1002, 1003):
        name = f"plate_alpha.{frame}.exr"
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert json.loads(report.read_text())["frames_done"] == 3


def test_run_continues_with_skip_existing(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = make_shot()
    saved = tmp_path / "job.json"
    plate, trimap = folder / "plate.####.exr", folder / "trimap.####.exr"
    arguments = (plate, "-t", trimap, "-m", tiny_weights, "-o", tmp_path / "out")
    assert call("matte", *arguments, "--frames", "1001", "--save-job", saved) == 0
    capsys.readouterr()
    assert call("run", saved, "--frames", "1001-1003", "--skip-existing") == 0
    assert "2 to do (1002-1003), 1 finished before (1001)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        (["--frames", "1001-1009"], 4, "6 of 9 frames are missing: 1004-1009"),
        (["--frames", "x"], 2, "no frame range"),
        (["--model", "nothing"], 6, "No weights named 'nothing'"),
        (["--plate-space", "nonsense"], 5, "no colour space, alias or role 'nonsense'"),
        (["--tile", "5"], 2, "--tile is 5"),
        (["--device", "cpu", "--precision", "fp16"], 2, "--precision fp16 is for CUDA devices"),
        (["--backend", "openvino", "--device", "cuda"], 2, "--backend openvino does not go with --device cuda"),
        (["--skip-existing", "--overwrite"], 2, "exclude each other"),
        (["--report", "/dev/null/report.json"], 2, "Cannot make the folder /dev/null for the report"),
        (["--report", "."], 2, "--report . is a folder; name a file, such as report.json"),
        (["--report", "plate.1001.exr"], 2, "--report plate.1001.exr has the name of a picture"),
        (["--save-job", "plate.mov"], 2, "--save-job plate.mov has the name of a picture; name a JSON file, such as"),
        (["-o", "e\udce4t/"], 2, "e\\udce4t/: the name is not valid UTF-8. Choose another"),
        (["--trimap", "no.exr"], 4, "There is no file"),
        (["--output-channels", "everything"], 2, "everything"),
    ],
)
def test_mistakes_have_an_exit_code_and_one_clear_line(
    call: Call,
    make_shot: MakeShot,
    tiny_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: list[str],
    code: int,
    message: str,
) -> None:
    folder, _ = make_shot()
    given = {"--trimap": folder / "trimap.####.exr", "--model": tiny_weights, "-o": tmp_path / "out"}
    given = {name: value for name, value in given.items() if name not in changes}
    options = [text for pair in given.items() for text in pair]
    assert call("matte", folder / "plate.####.exr", *options, *changes) == code
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


def test_a_failed_frame_says_how_many_are_finished_and_the_report_tells_it(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = make_shot()
    broken = folder / "plate.1003.exr"
    broken.write_bytes(broken.read_bytes()[:-200])
    report = tmp_path / "report.json"
    plate, trimap = folder / "plate.####.exr", folder / "trimap.####.exr"
    assert call("matte", plate, "-t", trimap, "-m", tiny_weights, "-o", tmp_path / "out", "--report", report) == 4
    assert "2 of 3 frames are finished and stay" in capsys.readouterr().err
    values = json.loads(report.read_text())
    assert values["state"] == "failed"
    assert values["error"].startswith("Frame 1003: ")
    assert [frame["frame"] for frame in values["frames"]] == [1001, 1002]


def test_a_job_that_fails_before_its_first_frame_leaves_no_report_of_another_run(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    report = tmp_path / "report.json"
    plate, trimap = folder / "plate.####.exr", folder / "trimap.####.exr"
    arguments = ("matte", plate, "-t", trimap, "-m", tiny_weights, "-o", tmp_path / "out", "--report", report)
    assert call(*arguments) == 0
    assert json.loads(report.read_text())["state"] == "done"
    assert call(*arguments) == 4
    values = json.loads(report.read_text())
    assert (values["state"], values["frames"]) == ("failed", [])
    assert "already. Give --skip-existing" in values["error"]


def test_a_job_file_is_replaced_whole_or_not_at_all(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot()
    saved = tmp_path / "job.json"
    arguments = ("matte", folder / "plate.####.exr", "-t", folder / "trimap.####.exr", "-m", tiny_weights)
    assert call(*arguments, "-o", tmp_path / "out", "--save-job", saved) == 0
    before = saved.read_bytes()
    write_text = Path.write_text

    def fill(path: Path, text: str, **options: Any) -> int:
        if path.suffix in (".json", ".tmp"):
            write_text(path, text[:10], **options)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_text(path, text, **options)

    monkeypatch.setattr(Path, "write_text", fill)
    assert call(*arguments, "-o", tmp_path / "other", "--save-job", saved) == 2
    assert saved.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "job" in path.name] == ["job.json"]


def test_a_job_file_may_be_a_link_and_no_folder(tmp_path: Path) -> None:
    job = Job(plate="plate.exr", trimap="trimap.png", outputs=Outputs(path="out/"))
    (tmp_path / "link.json").symlink_to("real.json")
    save_job(job, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert load_job(tmp_path / "real.json") == job
    with pytest.raises(SettingError, match=r"Cannot write the job file .*: Is a directory"):
        save_job(job, tmp_path)


def test_a_name_that_is_no_utf8_does_not_hide_what_went_wrong(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert call("matte", tmp_path / "pl\udcffate.png", "-t", "no.png", "-o", tmp_path / "out", "--report", report) == 4
    assert "There is no file" in capsys.readouterr().err
    assert json.loads(report.read_text(encoding="utf-8"))["state"] == "failed"


def test_a_report_that_cannot_be_written_does_not_hide_what_went_wrong(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder, _ = make_shot()
    broken = folder / "plate.1003.exr"
    broken.write_bytes(broken.read_bytes()[:-200])

    def fail(*_: object) -> None:
        raise ImageWriteError("Cannot write report.json: No space left on device.")

    monkeypatch.setattr("gossamer.inference.report.write_report", fail)
    plate, trimap, report = folder / "plate.####.exr", folder / "trimap.####.exr", tmp_path / "report.json"
    assert call("matte", plate, "-t", trimap, "-m", tiny_weights, "-o", tmp_path / "out", "--report", report) == 4
    said = capsys.readouterr().err
    assert "warning: the report is not there: Cannot write report.json: No space left on device." in said
    assert "error: Frame 1003: " in said


def test_broken_pixels_and_odd_trimaps_are_told_once(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    from gossamer.image.image import Image
    from gossamer.image.io import write_image

    folder, plates = make_shot()
    plates[1][:] = np.nan
    write_image(folder / "plate.1002.exr", Image.from_pixels(plates[1], ("R", "G", "B")), data_type="half")
    plate, trimap = folder / "plate.####.exr", folder / "trimap.####.exr"
    assert call("matte", plate, "-t", trimap, "-m", tiny_weights, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert said.count("read from channel A") == 1
    assert said.count("frame 1002: the plate holds NaN or infinite values") == 1


def _command(folder: Path, weights: Path, out: Path, *more: object) -> list[str]:
    plate, trimap = folder / "plate.####.exr", folder / "trimap.####.exr"
    arguments = ("matte", plate, "--trimap", trimap, "-o", out, "--model", weights, *more)
    return [sys.executable, "-m", "gossamer", *map(str, arguments)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_cleanly(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 400)), height=16, width=16)
    out = tmp_path / "out"
    with subprocess.Popen(
        _command(folder, tiny_weights, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("frame 5: "):
                process.send_signal(number)
                break
        started = time.monotonic()
        _, said = process.communicate(timeout=30)
    assert time.monotonic() - started < 10
    assert process.returncode == 130
    assert "error: Cancelled." in said
    assert "of 399 frames are finished and stay; the same command with --skip-existing goes on" in said
    found = names(out)
    assert 5 <= len(found) < 399
    assert not [name for name in found if name.startswith(".")]


def test_a_full_disk_ends_the_run_with_its_reason_and_no_half_frame(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(height=200, width=300)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))

    command = _command(folder, tiny_weights, tmp_path / "out", "--data-type", "float", "--compression", "none")
    ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert ended.returncode == 4
    assert "Frame 1001: Cannot write" in ended.stderr
    assert "the disk is full or the size limit is reached" in ended.stderr
    assert names(tmp_path / "out") == []


def test_the_base_command_imports_neither_torch_nor_pymatting(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot()
    script = (
        "import sys; sys.argv = ['gossamer', *sys.argv[1:]]\n"
        "from gossamer.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print([name for name in ('torch', 'pymatting', 'numba', 'av', 'onnx', 'scipy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, *_command(folder, tiny_weights, tmp_path / "out")[3:]]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_terminal_sees_a_progress_bar(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    import pty

    folder, _ = make_shot()
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        _command(folder, tiny_weights, tmp_path / "out"),
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    assert b"3/3" in said
    assert b"frames/s" in said


def test_the_work_goes_on_when_the_reader_of_the_output_goes_away(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot(frames=tuple(range(1, 11)))
    with subprocess.Popen(_command(folder, tiny_weights, tmp_path / "out"), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 0
    assert len(names(tmp_path / "out")) == 10


def test_the_work_goes_on_without_any_standard_stream(make_shot: MakeShot, tiny_weights: Path, tmp_path: Path) -> None:
    folder, _ = make_shot()
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *_command(folder, tiny_weights, tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert len(names(tmp_path / "out")) == 3


def test_a_job_can_be_shown_where_there_is_no_output(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make_shot(frames=(1001,))
    plate, trimap = str(folder / "plate.####.exr"), str(folder / "trimap.####.exr")
    outputs = Outputs(path=str(tmp_path / "out"))
    monkeypatch.setattr(sys, "stdout", None)
    perform(Job(plate=plate, trimap=trimap, model=str(tiny_weights), outputs=outputs), None)
    assert len(names(tmp_path / "out")) == 1


def test_a_tilde_in_front_of_nobodys_name_begins_a_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute("~no such user.exr") == str(tmp_path / "~no such user.exr")
    assert absolute("~/plate.exr") == str(tmp_path / "home" / "plate.exr")


def test_a_report_in_a_closed_folder_is_refused_first(
    call: Call, make_shot: MakeShot, tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder, _ = make_shot()
    is_dir = Path.is_dir

    def closed(path: Path) -> bool:
        if path.name == "report.json":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", closed)
    arguments = (folder / "plate.1001.exr", "-t", folder / "trimap.1001.exr", "-m", tiny_weights, "-o", tmp_path / "o")
    assert call("matte", *arguments, "--report", tmp_path / "report.json") == 2
    assert f"Cannot make {tmp_path / 'report.json'}: Permission denied." in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_console_that_cannot_show_a_name_still_gets_its_line(
    make_shot: MakeShot, tiny_weights: Path, tmp_path: Path
) -> None:
    folder, _ = make_shot("Füße")
    command = _command(folder, tiny_weights, tmp_path / "out")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "F\\xfc\\xdfe" in ended.stdout
    assert len(names(tmp_path / "out")) == 3
