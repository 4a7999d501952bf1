"""Checkpoints: the last good one is always there, and nothing foreign is run by reading one."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.errors import DataError
from gossamer.training.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint

VALUES: dict[str, Any] = {
    "recipe": {"name": "r"}, "step": 3, "samples": 6, "model": {"w": torch.arange(4.0)}, "optimizer": {}, "average": {},
}  # fmt: skip


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def test_what_is_written_comes_back_by_file_or_folder(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "run", VALUES)
    for place in (path, path.parent):
        found = load_checkpoint(place)
        assert found["step"] == 3
        assert torch.equal(found["model"]["w"], VALUES["model"]["w"])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("writing failed")])
def test_a_write_that_fails_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    save_checkpoint(tmp_path, VALUES)

    def half(_values: object, stream: Any) -> None:
        stream.write(b"half of it")
        raise error

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(DataError, match=r"Cannot write the checkpoint .*last\.ckpt: .*untouched"):
        save_checkpoint(tmp_path, {**VALUES, "step": 4})
    monkeypatch.undo()
    assert load_checkpoint(tmp_path)["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DataError, match="Cannot write the checkpoint"):
        save_checkpoint(tmp_path / "file", VALUES)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read the checkpoint .*last\.ckpt: No such file"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0, 40, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, kept: float) -> None:
    path = save_checkpoint(tmp_path, VALUES)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(DataError, match=r"last\.ckpt is damaged or not a checkpoint"):
        load_checkpoint(path)


def test_a_file_with_code_in_it_is_refused_without_running_it(tmp_path: Path) -> None:
    torch.save({**VALUES, "schema": 1, "extra": Evil(tmp_path / "made")}, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(DataError, match="damaged or not a checkpoint"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("values", [{**VALUES, "schema": 99}, [1, 2], {"schema": 1, "step": 3}])
def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path, values: object) -> None:
    torch.save(values, tmp_path / CHECKPOINT_NAME)
    with pytest.raises(DataError, match="is not a checkpoint of this version"):
        load_checkpoint(tmp_path)
