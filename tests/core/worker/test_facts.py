"""What both sides of the wire have to agree on."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import gossamer
import gossamer_bridge
from gossamer import config
from gossamer.config import Job, job_from_values
from gossamer.image.comp import BACKDROPS
from gossamer.image.sequence import FrameRange
from gossamer.worker import facts
from gossamer.worker.facts import describe_self
from gossamer_bridge import settings
from gossamer_bridge.answers import Hello
from gossamer_bridge.protocol import PROTOCOL_VERSION
from gossamer_bridge.settings import Knobs, frames_text, job_values, parse_frames


def test_bridge_and_worker_are_of_one_version() -> None:
    assert gossamer_bridge.__version__ == gossamer.__version__


def test_the_bridge_writes_the_jobs_that_core_reads() -> None:
    assert settings.JOB_SCHEMA == config.JOB_SCHEMA
    job = job_from_values(job_values(Knobs(plate="/s/p.####.exr", output="/s/out/")), "a test")
    default = Job("/s/p.####.exr")
    outputs = dataclasses.replace(default.outputs, path="/s/out/", existing="overwrite")
    assert job == dataclasses.replace(default, outputs=outputs)


def test_backdrops_have_the_same_names_on_both_sides() -> None:
    assert settings.BACKDROPS == BACKDROPS


def test_frames_are_written_and_read_alike_on_both_sides() -> None:
    for frames in ((), (1001,), (1, 2, 3, 7, 9, 11), (-5, -4, 0, 100)):
        assert frames_text(frames) == str(FrameRange(frames))
        if frames:
            assert parse_frames(frames_text(frames)) == FrameRange.parse(frames_text(frames)).frames


def test_hello_holds_what_the_bridge_reads() -> None:
    hello = Hello.from_values(describe_self())
    assert hello.protocol == PROTOCOL_VERSION
    assert (hello.version, hello.devices[0].name) == (gossamer.__version__, "cpu")
    assert "closed-form" in [model.name for model in hello.models]
    assert all(model.license for model in hello.models)
    assert "numpy" in hello.packages


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program ``nvidia-smi`` on the path that runs the given shell lines."""

    def make(lines: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(facts, "_is_built_for_cuda", lambda: True)

    return make


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_card_is_described_by_its_driver(driver: Callable[[str], None]) -> None:
    driver("echo 'NVIDIA RTX 6000 Ada, 49140, 48000'")
    device = Hello.from_values(describe_self()).devices[1]
    assert (device.name, device.description) == ("cuda", "NVIDIA RTX 6000 Ada")
    assert (device.memory_total, device.memory_free) == (49140 * 2**20, 48000 * 2**20)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize("lines", ["exit 9", "echo", "echo 'No devices were found'", "sleep 60"])
def test_a_driver_that_fails_leaves_the_cpu(
    driver: Callable[[str], None], lines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "QUERY_TIMEOUT", 0.3)
    driver(lines)
    assert [device.name for device in Hello.from_values(describe_self()).devices] == ["cpu"]
