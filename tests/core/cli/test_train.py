"""``gossamer train`` as it is typed: real processes, real signals."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gossamer.cli import train
from gossamer.errors import CancelledError, SettingError
from gossamer.training import loop
from gossamer.training.checkpoint import load_checkpoint
from gossamer.training.recipe import shipped_recipes

RECIPE = """
name = "small"
model = "gossamer-s"
seed = 4
steps = 6
batch = 2
size = 64
learning_rate = 1e-3
precision = "32-true"
[data]
element_size = 128
window = 2
"""
WORDS = ("--device", "cpu", "--threads", "1", "--checkpoint-minutes", "0")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def run(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """The command inside this process."""
    import torch

    monkeypatch.setattr(loop, "keep_freed_memory", lambda: None)
    app = typer.Typer()
    app.callback()(lambda: None)  # with a second node the command keeps its name
    train.register(app)
    threads = torch.get_num_threads()
    yield lambda *words: CliRunner().invoke(
        app, ["train", str(recipe), *WORDS, "--workers", "0", *(str(word) for word in words)]
    )
    torch.set_num_threads(threads)


@pytest.fixture
def start(recipe: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The command as a process, the leader of a group of its own."""
    begun: list[subprocess.Popen[str]] = []

    def call(*words: object, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        command = [sys.executable, *launcher, "-m", "gossamer", "train", str(recipe), *WORDS, *map(str, words)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        begun.append(process)
        return process

    yield call
    for process in begun:
        if not group_is_gone(process, 0):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)


def group_is_gone(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether no process of the group is left after at most ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.1)


def wait_for_step(process: subprocess.Popen[str], step: int) -> None:
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if line.startswith(f"step {step}/"):
            return
    raise AssertionError("".join(told))


def rows(folder: Path) -> list[list[str]]:
    """The log without the column of speed."""
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        return [[row[0], *row[2:]] for row in csv.reader(stream)]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(
    run: Callable[..., Result], start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run("-o", whole).exit_code == 0
    step = random.SystemRandom().randint(1, 5)
    process = start("-o", parts, "--workers", 1)
    wait_for_step(process, step)
    time.sleep(random.SystemRandom().uniform(0, 0.3))
    os.kill(process.pid, signal.SIGKILL)
    assert group_is_gone(process, 30), "a process that makes samples outlives the killed run"
    again = run("-o", parts, "--resume")
    assert again.exit_code == 0, again.output
    assert rows(parts) == rows(whole), f"killed after step {step}"
    first, second = (load_checkpoint(folder)["average"]["state"] for folder in (whole, parts))
    assert all(bool((first[key] == second[key]).all()) for key in first)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_a_checkpoint_and_leaves_no_process(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    process = start("-o", tmp_path / "run", "--workers", 1, "--set", "steps=100000", "--checkpoint-minutes", 60)
    # The first report comes after 20 steps; the log's head is written before the first.
    while not (tmp_path / "run" / "log.csv").is_file():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "stopped; go on with --resume" in output
    assert "Traceback" not in output
    assert load_checkpoint(tmp_path / "run")["step"] >= 1
    assert group_is_gone(process, 5)


@pytest.mark.parametrize(
    ("launcher", "words"),
    [
        (("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"), ()),
        ((), ("--devices", "2")),
    ],
    ids=["torchrun", "devices"],
)
def test_two_processes_train_together_and_one_writes(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, launcher: tuple[str, ...], words: tuple[str, ...]
) -> None:
    folder = tmp_path / "run"
    process = start("-o", folder, "--workers", 0, "--set", "steps=2", *words, launcher=launcher)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output.count("step 2/2") == 1
    assert output.count("done:") == 1
    values = load_checkpoint(folder)
    assert (values["step"], values["samples"]) == (2, 8)
    assert [row[0] for row in rows(folder)] == ["step", "1", "2"]
    assert len(list((folder / "tensorboard").iterdir())) == 1
    assert group_is_gone(process, 10)


def test_settings_of_the_recipe_are_changed_and_keep_their_type(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("-o", tmp_path / "run", "--set", "steps=1", "--set", "learning_rate=1", "--set", "name=other")
    assert result.exit_code == 0, result.output
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    assert (recipe["steps"], recipe["learning_rate"], recipe["name"]) == (1, 1.0, "other")
    assert isinstance(recipe["learning_rate"], float)


def test_the_steps_are_told(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("-o", tmp_path / "run", "--set", "steps=1")
    assert "step 1/1  alpha " in result.output
    assert f"wrote {tmp_path / 'run' / 'last.ckpt'}" in result.output
    assert f"done: {tmp_path / 'run'}" in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps", "--set steps: give NAME=VALUE with a number or word setting"),
        ("losses=3", "--set losses=3: give NAME=VALUE with a number or word setting"),
        ("nothing=3", "--set nothing=3: give NAME=VALUE"),
        ("steps=many", "--set steps=many: steps is a whole number"),
        ("ema=high", "--set ema=high: ema is a number"),
        ("steps=0", "steps is 0; give at least 1"),
    ],
)
def test_a_change_that_cannot_be_made_is_named(
    run: Callable[..., Result], tmp_path: Path, text: str, message: str
) -> None:
    error = run("-o", tmp_path / "run", "--set", text).exception
    assert isinstance(error, SettingError)
    assert message in str(error)


def test_a_stopped_run_ends_as_cancelled(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        train, "_print_step", lambda report: os.kill(os.getpid(), signal.SIGTERM) if report.step == 1 else None
    )
    before = signal.getsignal(signal.SIGTERM)
    error = run("-o", tmp_path / "run").exception
    assert isinstance(error, CancelledError)
    assert "go on with --resume" in str(error)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_signal_does_not_wait_for_the_step(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signal_twice(_report: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(train, "_print_step", signal_twice)
    result = run("-o", tmp_path / "run")
    assert result.exit_code == 130
    assert load_checkpoint(tmp_path / "run")["step"] == 1


def test_settings_of_tables_are_changed(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run(
        "-o", tmp_path / "run", "--set", "steps=1", "--set", "objective=ddc", "--set", "losses.ddc=5", "--set",
        "losses.padding=zeros", "--set", "schedule.kind=constant", "--set", "data.window=3",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    assert (recipe["losses"]["ddc"], recipe["losses"]["padding"]) == (5.0, "zeros")
    assert (recipe["schedule"]["kind"], recipe["data"]["window"]) == ("constant", 3)


def test_what_is_set_of_another_pipeline_holds_in_any_order(run: Callable[..., Result], tmp_path: Path) -> None:
    settings = ("steps=1", "losses.scales=3", "samples.jitter=0.1", "objective=lsa", "pipeline=lsa")
    result = run("-o", tmp_path / "run", *(word for text in settings for word in ("--set", text)))
    assert result.exit_code == 0, result.output
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    assert (recipe["losses"]["scales"], recipe["samples"]["jitter"]) == (3, 0.1)


def test_two_processes_learn_without_gfms_glance(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, recipe: Path
) -> None:
    recipe.write_text(RECIPE.replace("gossamer-s", "gfm-light-tt"), encoding="utf-8")
    words = ("--set", "pipeline=ddc", "--set", "objective=ddc", "--set", "losses.glance=0", "--set", "steps=2")
    process = start("-o", tmp_path / "run", "--workers", 0, "--devices", 2, *words)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert load_checkpoint(tmp_path / "run")["step"] == 2


def test_a_setting_inside_a_number_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    error = run("-o", tmp_path / "run", "--set", "steps.more=3").exception
    assert isinstance(error, SettingError)
    assert "--set steps.more=3: give NAME=VALUE" in str(error)
    error = run("-o", tmp_path / "run", "--set", "schedule.kind.more=3").exception
    assert isinstance(error, SettingError)
    assert "--set schedule.kind.more: kind holds no further settings" in str(error)


def test_a_run_starts_from_another_and_is_measured(run: Callable[..., Result], tmp_path: Path) -> None:
    from gossamer.cli import samples

    app = typer.Typer()
    app.callback()(lambda: None)
    samples.register(app)
    words = ["samples", str(tmp_path / "held-out"), "--count", "2", "--size", "64", "--trimaps", "ellipse"]
    result = CliRunner().invoke(app, [*words, "--set", "element_size=128"])
    assert result.exit_code == 0, result.output
    assert "held-out: 2 samples" in result.output
    assert run("-o", tmp_path / "first", "--set", "steps=1").exit_code == 0
    result = run(
        "-o", tmp_path / "run", "--set", "steps=1", "--from", tmp_path / "first", "--freeze", "encoder", "--validate",
        tmp_path / "held-out",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    assert recipe["start_from"] == str(tmp_path / "first")
    assert recipe["optimizer"]["frozen"] == ("encoder",)
    assert (tmp_path / "run" / "validation.csv").is_file()


def test_the_help_lists_the_shipped_recipes(run: Callable[..., Result]) -> None:
    words = run("--help").output.replace(",", " ").replace(".", " ").split()
    assert set(shipped_recipes()) <= set(words)
