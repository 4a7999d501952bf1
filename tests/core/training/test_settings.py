"""Where and how a recipe is run."""

from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import SettingError
from gossamer.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("device", "tpu", "device is 'tpu'; use auto, cpu, cuda"),
        ("devices", 0, "devices is 0; give at least 1"),
        ("workers", -1, "workers is -1; give 0 or more"),
        ("threads", -2, "threads is -2; give 0 or more"),
        ("checkpoint_minutes", -1.0, "checkpoint_minutes is -1.0; give 0 or more"),
        ("stop_after_minutes", float("nan"), "stop_after_minutes is nan; give 0 or more"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        TrainingSettings(output=Path("run"), **{name: value})
