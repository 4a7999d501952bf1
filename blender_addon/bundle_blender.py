# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the add-on's zip: ``python blender_addon/bundle_blender.py [FOLDER]``. Standard library only.

One zip for every Blender from 3.4 on. Its files lie in one folder, which classic add-ons need and extensions may have;
the manifest in it names the bridge's wheel, which 4.2 and later unpack and older ones read as it is
(``gossamer_blender/bundled.py``). The same tree gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
import zipfile
from pathlib import Path

__all__ = ["bundle", "bridge_wheel"]

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "gossamer_blender"
BRIDGE = HERE.parent / "core" / "gossamer_bridge"
BRIDGE_LICENSE = HERE.parent / "LICENSE"
TIME = (1980, 1, 1, 0, 0, 0)


def bundle(folder: Path) -> Path:
    """Write ``gossamer_blender-VERSION.zip`` into ``folder`` and give its path.

    Raises:
        ValueError: manifest, ``bl_info`` and bridge name different versions.
    """
    manifest = (PACKAGE / "blender_manifest.toml").read_text(encoding="utf-8")
    version = _found(r'^version = "([^"]+)"', manifest, "blender_manifest.toml")
    wheel_name, wheel = bridge_wheel()
    _check_versions(version)
    manifest = manifest.replace("\n[permissions]", f'\nwheels = ["./wheels/{wheel_name}"]\n\n[permissions]')
    files = {"blender_manifest.toml": manifest.encode(), f"wheels/{wheel_name}": wheel}
    files["LICENSE"] = (HERE / "LICENSE").read_bytes()
    for path in sorted(PACKAGE.rglob("*.py")):
        files[path.relative_to(PACKAGE).as_posix()] = path.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"gossamer_blender-{version}.zip"
    temporary = target.with_suffix(".tmp")
    temporary.write_bytes(_zip({f"{PACKAGE.name}/{name}": data for name, data in files.items()}))
    temporary.replace(target)
    return target


def bridge_wheel() -> tuple[str, bytes]:
    """Name and bytes of ``gossamer_bridge`` as a wheel for every Python from 3.9 on, on every platform."""
    version = _bridge_version()
    info = f"gossamer_bridge-{version}.dist-info"
    files = {f"gossamer_bridge/{path.name}": path.read_bytes() for path in sorted(BRIDGE.glob("*.py"))}
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: gossamer-bridge\nVersion: {version}\n"
        "Summary: Gossamer's client for hosts\nLicense: Apache-2.0\nRequires-Python: >=3.9\n"
    ).encode()
    files[f"{info}/LICENSE"] = BRIDGE_LICENSE.read_bytes()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: gossamer\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    return f"gossamer_bridge-{version}-py3-none-any.whl", _zip(files)


def _check_versions(version: str) -> None:
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    classic = _found(r'"version": \(([\d, ]+)\)', text, "bl_info").replace(", ", ".")
    if not version == classic == _bridge_version():
        raise ValueError(
            f"blender_manifest.toml says {version}, bl_info {classic}, the bridge {_bridge_version()}: make them one."
        )


def _bridge_version() -> str:
    text = (BRIDGE / "__init__.py").read_text(encoding="utf-8")
    return _found(r'^__version__ = "([^"]+)"', text, "gossamer_bridge/__init__.py")


def _found(pattern: str, text: str, where: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise ValueError(f"No version in {where}: write it there as it was.")
    return found[1]


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return stream.getvalue()


if __name__ == "__main__":
    sys.stdout.write(f"{bundle(Path(sys.argv[1]) if len(sys.argv) > 1 else Path('dist'))}\n")
