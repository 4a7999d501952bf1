# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's colour spaces under the names that the worker's OpenColorIO configuration has. No Blender in here."""

from __future__ import annotations

__all__ = ["SPACES", "worker_space"]

SPACES = {
    "sRGB": "srgb_tx",
    "Display P3": "srgb_p3d65_scene",
    "Rec.1886": "g24_rec709",
    "Rec.2100-HLG": "Rec.2100-HLG - Display",
    "Rec.2100-PQ": "Rec.2100-PQ - Display",
    "Linear": "lin_rec709",
    "Linear Rec.709": "lin_rec709",
    "Linear Rec.2020": "lin_rec2020",
    "Linear DCI-P3 D65": "lin_p3d65",
    "Linear ACES": "ACES2065-1",
    "Linear ACEScg": "ACEScg",
    "ACES2065-1": "ACES2065-1",
    "ACEScg": "ACEScg",
    "ACEScc": "ACEScc",
    "ACEScct": "ACEScct",
    "Non-Color": "Raw",
    "Raw": "Raw",
}
"""Of the configurations that Blender 3.4 to 5.0 bring along."""


def worker_space(name: str, working_space: str) -> str:
    """The worker's name for a space of Blender's.

    A name that is not in the table goes on as it is: with ``$OCIO`` set, host and worker read the same configuration,
    and without it the worker answers with the names that it knows.
    """
    if name == "Working Space":
        name = working_space
    return SPACES.get(name, name)
