"""Recorded numbers of the published networks, for every room's tests.

``tests/data/parity/<name>`` holds what a published network or operator answered: inputs, outputs, and for networks the
names and shapes of their tensors with the rule that each is drawn by. No trained weight is stored; the recipe below
draws the same synthetic ones that the answers were recorded with.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

PARITY = Path(__file__).parent / "data" / "parity"
ERRORS = pytest.StashKey[list[tuple[str, str, str, float, float]]]()


class Recorded:
    """One folder of recorded numbers."""

    def __init__(self, name: str, errors: list[tuple[str, str, str, float, float]]) -> None:
        self.name = name
        self.folder = PARITY / name
        self.meta: Mapping[str, Any] = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
        self._errors = errors

    @property
    def inputs(self) -> Mapping[str, NDArray[Any]]:
        return dict(np.load(self.folder / "input.npz"))

    @property
    def outputs(self) -> Mapping[str, NDArray[np.float32]]:
        return dict(np.load(self.folder / "output.npz"))

    @property
    def keys(self) -> list[dict[str, Any]]:
        """Every tensor of the official file: ``key``, ``shape``, ``rule``, for copies ``alias_of``."""
        content: list[dict[str, Any]] = json.loads(gzip.decompress((self.folder / "keys.json.gz").read_bytes()))
        return content

    def state(self) -> dict[str, NDArray[Any]]:
        """Synthetic weights by their official names, copies left out; checked against the recorded SHA-256."""
        state: dict[str, NDArray[Any]] = {}
        digest = hashlib.sha256()
        for entry in self.keys:
            if "alias_of" in entry:
                continue
            state[entry["key"]] = value = draw(entry)
            if entry["rule"] != "count":
                digest.update(value.tobytes())
        assert digest.hexdigest() == self.meta["weights_sha256"], f"the recipe draws other weights for {self.name}"
        return state

    def compare(self, network: str, what: str, found: NDArray[Any], limit: float, where: Any = True) -> None:
        """Fail if ``found`` is farther than ``limit`` from the output ``what``."""
        error = float(np.max(np.abs(found - self.outputs[what]), where=where, initial=0))
        self.note(network, what, error, limit)

    def note(self, network: str, what: str, error: float, limit: float) -> None:
        """Remember ``error`` for the report; fail if it is over ``limit``."""
        self._errors.append((network, self.name, what, error, limit))
        assert error <= limit, f"{self.name} {what}: {error:.3g} is more than {limit:g}"


def draw(entry: Mapping[str, Any]) -> NDArray[Any]:
    """One tensor of the recipe, little-endian float32 (int64 for counters)."""
    shape = tuple(entry["shape"])
    random = np.random.default_rng(zlib.crc32(entry.get("alias_of", entry["key"]).encode()))
    match entry["rule"]:
        case "count":
            return np.zeros(shape, np.int64)
        case "he":
            value = random.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
        case "gamma":
            value = random.uniform(0.8, 1.2, shape)
        case "bias":
            value = 0.05 * random.standard_normal(shape)
        case "mean":
            value = 0.1 * random.standard_normal(shape)
        case "var":
            value = random.uniform(0.5, 1.5, shape)
        case "table":
            value = 0.2 * random.standard_normal(shape)
        case rule:
            raise ValueError(f"the recipe knows no rule {rule!r}")
    shift = np.asarray(entry.get("add", 0.0))
    if shift.ndim:
        shift = shift.reshape(-1, *[1] * (len(shape) - 1))
    scaled: NDArray[np.float32] = (value * entry.get("mul", 1.0) + shift).astype("<f4")
    return scaled


@pytest.fixture(scope="session")
def recorded(request: pytest.FixtureRequest) -> Any:
    """``recorded("lsa")``: the numbers of ``tests/data/parity/lsa``."""
    errors = request.config.stash.setdefault(ERRORS, [])
    return lambda name: Recorded(name, errors)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With ``-v``: the table of errors against the recorded numbers, in Markdown."""
    errors = config.stash.get(ERRORS, [])
    if not errors or config.get_verbosity() < 1:
        return
    terminalreporter.section("errors against recorded numbers")
    terminalreporter.line("| network or function | recorded in | outputs | largest error | limit |")
    terminalreporter.line("|---|---|---|---|---|")
    groups: dict[tuple[str, str, float], list[tuple[str, float]]] = {}
    for network, folder, output, error, limit in sorted(errors):
        groups.setdefault((network, folder, limit), []).append((output, error))
    for (network, folder, limit), compared in groups.items():
        outputs = ", ".join(output for output, _ in compared)
        largest = max(error for _, error in compared)
        terminalreporter.line(f"| {network} | {folder} | {outputs} | {largest:.1e} | {limit:.1e} |")
