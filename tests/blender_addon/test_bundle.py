"""The zip: what lies in it, and that it is the same twice."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = runpy.run_path(str(ROOT / "blender_addon" / "bundle_blender.py"))["bundle"]


def test_the_zip_is_an_extension_and_a_classic_add_on_in_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(BUNDLE(tmp_path)) as archive:
        names = archive.namelist()
        manifest = tomllib.loads(archive.read("gossamer_blender/blender_manifest.toml").decode())
    assert {name.partition("/")[0] for name in names} == {"gossamer_blender"}
    assert {"gossamer_blender/__init__.py", "gossamer_blender/LICENSE"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    assert [f"gossamer_blender/{wheel[2:]}" in names for wheel in manifest["wheels"]] == [True]


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    assert BUNDLE(tmp_path / "a").read_bytes() == BUNDLE(tmp_path / "b").read_bytes()


def test_the_bridge_runs_out_of_its_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(BUNDLE(tmp_path)) as archive:
        wheel = next(name for name in archive.namelist() if name.endswith(".whl"))
        archive.extract(wheel, tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / wheel)!r}); import gossamer_bridge.job as j; print(j.__file__)"
    )
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert ".whl" in said.stdout
