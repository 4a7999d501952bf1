"""Packs the plug-in for machines without a checkout: this folder and a copy of ``gossamer_bridge``, as one zip.

``python nuke_plugin/bundle_nuke.py gossamer-nuke.zip``; unpack it and put the folder ``gossamer`` inside
on ``NUKE_PATH``. ``gossamer install-hosts --nuke ~/.nuke`` does the same on the machine itself.
"""

from __future__ import annotations

import argparse
import logging
import sys
import zipfile
from pathlib import Path

logger = logging.getLogger("gossamer")

ROOM = Path(__file__).resolve().parent
BRIDGE = ROOM.parent / "core" / "gossamer_bridge"
LICENSE = ROOM.parent / "LICENSE"
LEFT_OUT = ("__pycache__", "pictures", "examples", "bundle_nuke.py")
TOP = "gossamer"


def bundle_files() -> dict[str, Path]:
    """Every file of the bundle, by its path inside.

    Raises:
        FileNotFoundError: this is no checkout.
    """
    if not BRIDGE.is_dir():
        raise FileNotFoundError(f"{BRIDGE} is missing: run this from a checkout of Gossamer.")
    found = {f"{TOP}/LICENSE": LICENSE}
    for source, place in ((ROOM, TOP), (BRIDGE, f"{TOP}/gossamer_bridge")):
        for path in sorted(source.rglob("*")):
            inside = path.relative_to(source)
            if path.is_file() and not set(inside.parts) & set(LEFT_OUT):
                found[f"{place}/{inside.as_posix()}"] = path
    return found


def write_bundle(target: Path) -> int:
    """Write the zip, whole or not at all; the same files give the same bytes. Gives the number of files."""
    files = bundle_files()
    temporary = target.with_name(f".{target.name}.tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    temporary.replace(target)
    return len(files)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Pack the Nuke plug-in as one zip.")
    parser.add_argument("target", type=Path, help="the zip to write")
    target: Path = vars(parser.parse_args())["target"]
    try:
        count = write_bundle(target)
    except OSError as error:
        logger.error("%s", error)
        return 1
    logger.info("%s: %d files", target, count)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
