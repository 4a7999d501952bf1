"""Mattes a script's frames and then renders it, in one process of ``nuke -t``: for farms, chunk by chunk.

``nuke -t render.py SCRIPT FRAMES [WRITE ...]``, such as ``nuke -t render.py shot.nk 1001-1010 Write1``. Without names
all Writes that are on are rendered. All frames of the chunk are one job for the worker, and no render runs inside
another. Ends with exit code 1 and a sentence when something goes wrong.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gossamer_nuke.startup import FOLDER, init

logger = logging.getLogger("gossamer")


def given_arguments() -> list[str]:
    """What stands behind the name of this file. Nuke may take a frame range at the end for itself and leave it out of
    ``sys.argv``; its own list still has it.
    """
    from gossamer_nuke.host import nuke

    arguments = sys.argv[1:]
    raw = [str(argument) for argument in nuke.rawArgs]
    own = [index for index, argument in enumerate(raw) if Path(argument).name == Path(__file__).name]
    return max(arguments, raw[own[0] + 1 :] if own else [], key=len)


def main(arguments: list[str]) -> int:
    """Give the exit code."""
    if len(arguments) < 2:
        logger.error("usage: nuke -t %s SCRIPT FRAMES [WRITE ...]", FOLDER / "render.py")
        return 2
    script, text, *names = arguments
    from gossamer_bridge.errors import BridgeError
    from gossamer_nuke.farm import render_script

    try:
        render_script(script, text, names)
    except (BridgeError, RuntimeError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    init()  # does no harm if the folder is on NUKE_PATH too
    sys.exit(main(given_arguments()))
