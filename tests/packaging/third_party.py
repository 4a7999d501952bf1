"""The third-party list: which packages an installation holds, under which licences, and whether paid work may use them.

``python tests/packaging/third_party.py --check`` judges what is installed here, ``--write`` also renews THIRD_PARTY.md.
Run it in an environment with every extra; what the list says of versions is what that environment held.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "THIRD_PARTY.md"
BASE = "base"
EXTRAS = ("cpu", "gpu", "classical", "movie", "torch", "train", "export", "openvino", "tensorrt-rtx")

STATED: Mapping[str, str] = {
    # Packages whose metadata holds no licence name; taken from the LICENSE file they install.
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "opencolorio": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    # Cannot be installed beside onnxruntime; the same project under the same licence.
    "onnxruntime-gpu": "MIT",
}
ACCEPTED: Mapping[tuple[str, str], str] = {
    ("av", "x264"): "only with the extra `movie`",
    ("av", "x265"): "only with the extra `movie`",
}
"""Strong copyleft inside a wheel that is lived with, by package and library, and why."""

_SHORT = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mit license": "MIT",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd license": "BSD",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "python software foundation license": "PSF-2.0",
}
_FORBIDDEN = re.compile(
    r"GPL|General Public License|non-?commercial|\bNC\b|research only|academic use|SSPL|BUSL|Commons Clause",
    re.IGNORECASE,
)
_WEAK = re.compile(r"LGPL|Lesser General Public", re.IGNORECASE)

_LIBRARIES = {
    "x264": ("GPL-2.0-or-later", "strong"),
    "x265": ("GPL-2.0-or-later", "strong"),
    "avcodec": ("FFmpeg, LGPL-2.1-or-later or LGPL-3.0-or-later", "weak"),
    "gnutls": ("LGPL-2.1-or-later", "weak"),
    "gmp": ("LGPL-3.0-or-later", "weak"),
    "nettle": ("LGPL-3.0-or-later", "weak"),
    "unistring": ("LGPL-3.0-or-later", "weak"),
    "mp3lame": ("LGPL-2.0-or-later", "weak"),
    "asound": ("LGPL-2.1-or-later", "weak"),
    "gfortran": ("GPL-3.0 with the GCC runtime exception", "weak"),
    "gomp": ("GPL-3.0 with the GCC runtime exception", "weak"),
}
"""Copyleft libraries that wheels are known to hold, by the name of their file without ``lib``."""


@dataclass
class Package:
    """One package of an installation."""

    name: str
    version: str
    licence: str
    """SPDX name where there is one; empty if nothing says."""
    is_direct: bool = False
    comes_with: set[str] = field(default_factory=set)
    libraries: tuple[str, ...] = ()
    """Known copyleft libraries inside the wheel."""


def direct_names(project: Mapping[str, object]) -> dict[str, set[str]]:
    """Packages that pyproject.toml names, and the extras (or ``base``) that name them."""
    found: dict[str, set[str]] = {}
    for group, requirements in _groups(project).items():
        for requirement in requirements:
            found.setdefault(canonicalize_name(requirement.name), set()).add(group)
    return found


def _groups(project: Mapping[str, object]) -> dict[str, list[Requirement]]:
    """Requirements of the base and of each extra; extras of this project inside extras are resolved."""
    own = canonicalize_name(str(project["name"]))
    optional = project["optional-dependencies"]
    assert isinstance(optional, dict)
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)

    def resolve(texts: Iterable[str]) -> list[Requirement]:
        result = []
        for requirement in map(Requirement, texts):
            if canonicalize_name(requirement.name) == own:
                for extra in sorted(requirement.extras):
                    result += resolve(optional[extra])
            else:
                result.append(requirement)
        return result

    return {BASE: resolve(dependencies), **{extra: resolve(optional[extra]) for extra in EXTRAS}}


def collect(project: Mapping[str, object]) -> list[Package]:
    """Every package that an installation with all extras holds, by name.

    A package that pyproject.toml names must be installed here or have its licence stated in this file.
    """
    found: dict[str, Package] = {}
    direct = direct_names(project)
    for group, requirements in _groups(project).items():
        waiting = list(requirements)
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            requirement = waiting.pop()
            name = canonicalize_name(requirement.name)
            if (name, frozenset(requirement.extras)) in seen:
                continue
            seen.add((name, frozenset(requirement.extras)))
            if name not in found:
                found[name] = _describe(name)
            found[name].comes_with.add(group)
            found[name].is_direct = name in direct
            waiting += _requirements_of(name, requirement.extras)
    return sorted(found.values(), key=lambda package: package.name)


def _requirements_of(name: str, extras: Iterable[str]) -> list[Requirement]:
    try:
        stated = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    environments = [{"extra": extra} for extra in ("", *extras)]
    requirements = map(Requirement, stated)
    return [r for r in requirements if r.marker is None or any(r.marker.evaluate(e) for e in environments)]


def _describe(name: str) -> Package:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return Package(name, "not installed", STATED.get(name, ""))
    stems = (re.match(r"lib(.+?)[-.]", path.name) for path in distribution.files or [] if ".so" in path.name)
    held = sorted({stem[1] for stem in stems if stem} & set(_LIBRARIES))
    return Package(name, distribution.version, licence_of(name, distribution), libraries=tuple(held))


def licence_of(name: str, distribution: metadata.Distribution) -> str:
    """The licence by the metadata's SPDX expression, as stated here, or by its short licence text or classifiers."""
    facts = distribution.metadata
    if "License-Expression" in facts:
        return facts["License-Expression"]
    if name in STATED:
        return STATED[name]
    text = facts["License"].strip() if "License" in facts else ""
    if text and "\n" not in text and len(text) < 60:
        return _SHORT.get(text.lower(), text)
    classifiers = [str(line) for line in facts.get_all("Classifier") or [] if str(line).startswith("License ::")]
    names = [line.rpartition("::")[2].strip() for line in classifiers]
    return " AND ".join(_SHORT.get(entry.lower(), entry) for entry in names)


def problems(packages: Sequence[Package]) -> list[str]:
    """What stands against using these packages in a paid production; empty if nothing does."""
    found = []
    for package in packages:
        if not package.licence:
            found.append(f"{package.name}: no licence found; read its LICENSE file and state it in this script")
        elif _forbids(package.licence):
            found.append(f"{package.name}: {package.licence} cannot be linked into this project or forbids paid work")
        for library in package.libraries:
            licence, strength = _LIBRARIES[library]
            if strength == "strong" and (package.name, library) not in ACCEPTED:
                found.append(f"{package.name}: its wheel holds {library} ({licence}), which nobody has accepted")
    return found


def _forbids(licence: str) -> bool:
    """Whether every choice that the expression offers is forbidden."""
    choices = re.split(r"\bOR\b", licence)
    return all(_FORBIDDEN.search(_WEAK.sub("", choice)) for choice in choices)


def render(packages: Sequence[Package]) -> str:
    """The text of THIRD_PARTY.md."""
    order = (BASE, *EXTRAS)
    rows = []
    for package in packages:
        groups = ", ".join(group for group in order if group in package.comes_with)
        name = f"**{package.name}**" if package.is_direct else package.name
        rows.append(f"| {name} | {package.version} | {package.licence} | {groups} |")
    held = [
        f"| {package.name} | {library} | {_LIBRARIES[library][0]} | {ACCEPTED.get((package.name, library), '')} |"
        for package in packages
        for library in package.libraries
    ]
    return f"""# Third-party licences

Gossamer holds no code of other projects. It is installed beside the packages below, each under its own licence, which
its own distribution carries. Bold: named in pyproject.toml; the rest comes with those. "base" is in every
installation, the other words are pip extras. None of these licences forbids paid work; what the proprietary
one allows stands below.

Made by `python tests/packaging/third_party.py --write` from an environment with every extra on Linux; versions are
those it held. The same script with `--check` fails on a package without a licence, on one under a GPL or a
non-commercial licence, and on GPL libraries inside wheels that are not listed here as accepted.

| package | version seen | licence | comes with |
|---|---|---|---|
{chr(10).join(rows)}

## Copyleft libraries inside wheels

These lie as separate shared libraries in wheels that pip fetches from the package index; Gossamer ships none of them.

| package | library | licence | remark |
|---|---|---|---|
{chr(10).join(held)}

PyAV's wheel (extra `movie`) holds x264 and x265, which are under the GPL: using them in production is free, but who
hands on an installation that contains them has to follow the GPL for it. Gossamer only decodes movies and never calls
them. A studio that does not want them installs without the extra and gives image sequences, or builds PyAV against an
FFmpeg of its own.

TensorRT-RTX (extra `tensorrt-rtx`, Linux and Windows) is proprietary: NVIDIA's software licence agreement with its
TensorRT supplement, whose text the wheels carry. It asks for no fee. It lets an enterprise and its contractors install
and use the software for its own work. It does not let anybody offer the software or its functionality to others as a
service or over the internet, use it on other hardware than it is licensed for, take it apart, build competing products
with it, or bring it under an open-source licence. Of its libraries it names libnvinfer and libnvinfer_plugin as those
that may be handed on inside a product of one's own. A licence runs for a year and renews itself; NVIDIA may end it with
90 days' notice. Gossamer ships none of it and works without it; whoever makes mattes for hire with engines from it
should read that text.

On Linux with an NVIDIA card, torch and onnxruntime-gpu from the public index also bring NVIDIA's CUDA libraries
(proprietary, NVIDIA's own terms, free of charge for production). They are not part of this list.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew THIRD_PARTY.md")
    parser.add_argument("--check", action="store_true", help="only judge (the default)")
    wanted = parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = collect(project)
    found = problems(packages)
    for line in found:
        sys.stderr.write(f"{line}\n")
    if wanted.write and not found:
        LIST.write_text(render(packages), encoding="utf-8")
        sys.stdout.write(f"{LIST}: {len(packages)} packages\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
