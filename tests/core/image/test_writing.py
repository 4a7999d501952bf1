"""A file appears whole or not at all."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import ImageWriteError
from gossamer.image.image import Image
from gossamer.image.io import read_image, write_image
from gossamer.image.writing import float_to_half, replace_when_done

FORMATS = [("a.exr", "half"), ("a.png", "uint16"), ("a.tif", "uint8"), ("a.jpg", "uint8"), ("a.dpx", "uint16")]


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size``: what a full disk looks like to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _ordinary_user() -> Iterator[None]:
    """Root may write everywhere; step down to nobody while the block runs."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(("name", "data_type"), FORMATS)
@pytest.mark.parametrize("size", [0, 100, 8000])
def test_a_full_disk_is_named_and_leaves_nothing_behind(
    tmp_path: Path, picture: Callable[..., Image], name: str, data_type: str, size: int
) -> None:
    path = tmp_path / name
    with _largest_file(size), pytest.raises(ImageWriteError, match=rf"{name}: the disk is full"):
        write_image(path, picture(128, 128), data_type=data_type)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "data_type"), FORMATS)
def test_a_failed_write_leaves_the_older_file_untouched(
    tmp_path: Path, picture: Callable[..., Image], name: str, data_type: str
) -> None:
    path = tmp_path / name
    write_image(path, picture(16, 16), data_type=data_type)
    before = path.read_bytes()
    with _largest_file(500), pytest.raises(ImageWriteError):
        write_image(path, picture(128, 128), data_type=data_type)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_read_only_folder_is_named(picture: Callable[..., Image]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="read only "))
    folder.chmod(0o555)
    try:
        with _ordinary_user(), pytest.raises(ImageWriteError, match=r"the folder .*read only .* is read-only for you"):
            write_image(folder / "a.exr", picture(), data_type="half")
    finally:
        folder.chmod(0o755)
        folder.rmdir()


def test_a_missing_folder_is_named(tmp_path: Path, picture: Callable[..., Image]) -> None:
    with pytest.raises(ImageWriteError, match=r"there is no folder .*nowhere\. Create it first"):
        write_image(tmp_path / "nowhere" / "a.exr", picture(), data_type="half")


def test_a_folder_in_the_files_place_is_an_error(tmp_path: Path, picture: Callable[..., Image]) -> None:
    (tmp_path / "a.exr").mkdir()
    with pytest.raises(ImageWriteError, match="a folder of that name exists"):
        write_image(tmp_path / "a.exr", picture(), data_type="half")
    assert [p.name for p in tmp_path.iterdir()] == ["a.exr"]


def test_other_trouble_is_told_in_the_systems_words(tmp_path: Path) -> None:
    with (
        pytest.raises(ImageWriteError, match=r"Cannot write .*a\.exr: Input/output error\."),
        replace_when_done(tmp_path / "a.exr"),
    ):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_an_interruption_removes_the_temporary_file(tmp_path: Path, interruption: type[BaseException]) -> None:
    def write_and_fail() -> None:
        with replace_when_done(tmp_path / "a.exr") as temporary:
            temporary.write_bytes(b"half a picture")
            raise interruption

    with pytest.raises(interruption):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_the_temporary_name_is_hidden_and_holds_no_frame_number(tmp_path: Path) -> None:
    with replace_when_done(tmp_path / "shot.1001.exr") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".exr"
        assert not any(character.isdigit() for character in temporary.name)
        temporary.write_bytes(b"x")
    assert (tmp_path / "shot.1001.exr").read_bytes() == b"x"


def test_the_files_mode_follows_the_umask(tmp_path: Path, picture: Callable[..., Image]) -> None:
    before = os.umask(0o027)
    try:
        for name, data_type in FORMATS:
            write_image(tmp_path / name, picture(), data_type=data_type)
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_writing_over_a_file_replaces_it(tmp_path: Path, picture: Callable[..., Image]) -> None:
    write_image(tmp_path / "a.exr", picture(4, 4), data_type="half")
    write_image(tmp_path / "a.exr", picture(5, 6), data_type="half")
    assert read_image(tmp_path / "a.exr").pixels.shape == (5, 6, 3)


def test_a_nan_whose_payload_half_cannot_hold_stays_a_nan() -> None:
    low = np.array([0x7F800001, 0xFF800001, 0x7FC00001], np.uint32).view(np.float32)
    half = float_to_half(low)
    assert np.isnan(half).all()
    assert np.signbit(half).tolist() == [False, True, False]
