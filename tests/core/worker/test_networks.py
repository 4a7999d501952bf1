"""Networks that stay loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import ModelError, SettingError
from gossamer.models.weights import find_manifest
from gossamer.worker import networks as module
from gossamer.worker.networks import KeptNetworks


def test_the_same_wishes_give_the_same_network(tiny_weights: Path) -> None:
    networks, manifest = KeptNetworks(), find_manifest(str(tiny_weights))
    first = networks.open(manifest, backend="auto", device="cpu", precision="auto", threads=1)
    assert not networks.was_loaded
    assert networks.open(manifest, backend="auto", device="cpu", precision="auto", threads=1) is first
    assert networks.was_loaded


def test_a_listener_is_no_wish(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    def open_backend(manifest: object, **wishes: object) -> object:
        told.append(wishes)
        return object()

    monkeypatch.setattr(module, "open_backend", open_backend)
    networks, manifest = KeptNetworks(), find_manifest(str(tiny_weights))
    first = networks.open(manifest, threads=1, cancelled=lambda: False)
    assert networks.open(manifest, threads=1, cancelled=lambda: True) is first
    assert len(told) == 1


def test_other_wishes_or_other_weights_replace_it(make_tiny_weights: Callable[..., Path]) -> None:
    networks = KeptNetworks()
    one, other = (find_manifest(str(make_tiny_weights(name, gain=gain))) for name, gain in (("one", 0.4), ("two", 0.5)))
    first = networks.open(one, threads=1)
    assert networks.open(one, threads=2) is not first
    networks.open(other, threads=2)
    assert networks.names == ("two",)


def test_weights_that_changed_under_their_name_are_loaded_again(make_tiny_weights: Callable[..., Path]) -> None:
    networks = KeptNetworks()
    folder = make_tiny_weights("one")
    first = networks.open(find_manifest(str(folder)), threads=1)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    second = networks.open(find_manifest(str(make_tiny_weights("one", gain=0.6))), threads=1)
    assert not networks.was_loaded
    assert second.weights_sha256 != first.weights_sha256


def test_a_network_that_cannot_be_loaded_leaves_nothing(tiny_weights: Path) -> None:
    networks, manifest = KeptNetworks(), find_manifest(str(tiny_weights))
    networks.open(manifest, threads=1)
    with pytest.raises(SettingError, match="fp16 is for CUDA"):
        networks.open(manifest, device="cpu", precision="fp16", threads=1)
    assert networks.names == ()


def test_an_interrupted_network_stops_until_it_is_opened_again(tiny_weights: Path) -> None:
    networks, manifest = KeptNetworks(), find_manifest(str(tiny_weights))
    networks.interrupt()  # nothing is there to be stopped
    backend = networks.open(manifest, threads=1)
    plate, trimap = np.zeros((1, 3, 8, 8), np.float32), np.zeros((1, 1, 8, 8), np.float32)
    networks.interrupt()
    with pytest.raises(ModelError, match="terminate flag"):
        backend.infer(plate, trimap)
    assert networks.open(manifest, threads=1) is backend
    assert backend.infer(plate, trimap).shape == (1, 1, 8, 8)


def test_released_networks_are_gone(tiny_weights: Path) -> None:
    networks = KeptNetworks()
    networks.open(find_manifest(str(tiny_weights)), threads=1)
    assert networks.release() == 1
    assert networks.names == ()
    assert networks.release() == 0
