"""First use."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.nuke_plugin.shots import Shot, channel, read_exr, wait_for


def test_matte_this_frame_puts_alpha_on_the_plate_and_leaves_its_colours(app: Any, shot: Shot, worker: Any) -> None:
    worker()
    node = shot.node(app)
    node["matte_frame"].execute()
    wait_for(app, node)
    assert app.messages == []
    assert node["status"].value().startswith("frames 1001 matted")
    alpha = channel(app, node)
    assert alpha[16, 16] == 1
    assert alpha[0, 47] == 0
    plate, _ = read_exr(shot.folder / "plate.1001.exr")
    for name, letter in (("red", "R"), ("green", "G"), ("blue", "B")):
        assert np.array_equal(channel(app, node, f"rgba.{name}"), plate[letter])
