# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``python -m gossamer_renders --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gossamer_renders.objects import KINDS
from gossamer_renders.pictures import Settings, render

_PHOTOGRAPHS = {".jpg", ".jpeg", ".png"}


def main(arguments: list[str]) -> int:
    """Render what is missing. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m gossamer_renders",
        description="Render procedural foregrounds with alpha for gossamer train --renders. Can be stopped: the same "
        "command goes on. Several may work on one folder with --every.",
    )
    parser.add_argument("folder", type=Path, help="gets NUMBER.KIND.png")
    parser.add_argument(
        "--photos", type=Path, action="append", default=[], help="folder of photographs for surfaces and light"
    )
    parser.add_argument("--count", type=int, default=300, help="objects, numbered from 0 (default: 300)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default: 0)")
    parser.add_argument("--every", type=int, default=1, help="render each N-th only (default: 1)")
    parser.add_argument("--seed", type=int, default=20261129, help="another one makes other objects")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="of these kinds only; repeatable")
    parser.add_argument("--size", type=int, default=400, help="side in pixels (default: 400)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: 1)")
    given = parser.parse_args(arguments)
    photos = []
    for folder in given.photos:
        found = sorted(path for path in folder.glob("*") if path.suffix.lower() in _PHOTOGRAPHS)
        if not found:
            parser.error(f"--photos {folder} holds no picture ({', '.join(sorted(_PHOTOGRAPHS))})")
        photos += found
    if min(given.every, given.threads, given.size - 15) < 1:
        parser.error("--every and --threads are at least 1, --size at least 16")
    given.folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(size=given.size, threads=given.threads)
    for number in range(given.first, given.count, given.every):
        try:
            path = render(number, given.seed, given.folder, photos, given.kind or list(KINDS), settings)
        except (OSError, RuntimeError) as error:
            parser.exit(1, f"error: object {number}: {error}\n")
        print(f"[{number + 1}/{given.count}] {path}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
