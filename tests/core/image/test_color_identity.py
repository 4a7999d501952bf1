"""How a colour space of ``$OCIO`` is told from another of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import ColorError
from gossamer.image.color import LINEAR, SRGB, space_identity
from tests.core.inference.jobs import write_config


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The identity of ``space`` in a configuration of its own folder."""

    def find(folder: str, space: str = "show_plate", **content: Any) -> str:
        monkeypatch.setenv("OCIO", str(write_config(tmp_path / folder, **content)))
        return space_identity(space)

    return find


def test_without_a_configuration_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    assert space_identity("ACEScg") == ""


def test_where_a_configuration_lies_and_what_else_it_holds_does_not_matter(identity: Callable[..., str]) -> None:
    first = identity("a", gamma=2.2)
    assert first != ""
    assert identity("b", gamma=2.2, more="another_space") == first


@pytest.mark.parametrize("change", [{"gamma": 2.4}, {"middle": 0.6}, {"encoding": "sdr-video"}])
def test_what_a_name_stands_for_matters(identity: Callable[..., str], change: dict[str, Any]) -> None:
    assert identity("a", gamma=2.2) != identity("b", **{"gamma": 2.2, **change})


def test_a_space_that_the_configuration_lacks_is_the_built_in_one(identity: Callable[..., str]) -> None:
    assert identity("a", "Cineon", gamma=2.2) == ""


@pytest.mark.parametrize("space", [LINEAR, SRGB, "sRGB Encoded Rec.709 (sRGB)", "ACEScg"])
def test_a_space_that_is_defined_as_without_a_configuration_is_no_other_one(
    identity: Callable[..., str], space: str
) -> None:
    assert identity("a", space, gamma=2.2) == ""


def test_a_configuration_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "no.ocio"))
    with pytest.raises(ColorError, match=r"no\.ocio"):
        space_identity("ACEScg")
