"""What a job's hash knows of the configuration in ``$OCIO``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import ColorError
from gossamer.image.color import LINEAR, SRGB
from gossamer.inference.color_identity import color_identity
from tests.core.inference.jobs import write_config


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The identity of ``space`` in a configuration of its own folder."""

    def find(folder: str, space: str = "show_plate", **content: Any) -> str:
        monkeypatch.setenv("OCIO", str(write_config(tmp_path / folder, **content)))
        return color_identity(space)

    return find


def test_without_a_configuration_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    assert color_identity("ACEScg") == ""


def test_where_a_configuration_lies_and_what_else_it_holds_does_not_matter(identity: Callable[..., str]) -> None:
    first = identity("a", gamma=2.2)
    assert first != ""
    assert identity("b", gamma=2.2, more="another_space") == first


@pytest.mark.parametrize("change", [{"gamma": 2.4}, {"middle": 0.6}, {"encoding": "sdr-video"}])
def test_what_a_name_stands_for_matters(identity: Callable[..., str], change: dict[str, Any]) -> None:
    assert identity("a", gamma=2.2) != identity("b", **{"gamma": 2.2, **change})


def test_a_space_that_the_configuration_lacks_is_the_built_in_one(identity: Callable[..., str]) -> None:
    assert identity("a", "Cineon", gamma=2.2) == ""


@pytest.mark.parametrize("space", [LINEAR, SRGB])
def test_our_own_spaces_are_what_they_are(identity: Callable[..., str], space: str) -> None:
    assert identity("a", space, gamma=2.2) == ""  # though the configuration has an alias of that name


def test_a_configuration_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "no.ocio"))
    with pytest.raises(ColorError, match=r"no\.ocio"):
        color_identity("ACEScg")
