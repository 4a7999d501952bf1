"""Refinement in a job: as a backend, tile by tile, with a start from the frame before, and what it refuses."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.errors import MissingDependencyError, ModelError, SettingError, TrimapError
from gossamer.image.image import FloatArray, Window
from gossamer.inference.backends import Backend
from gossamer.inference.refine import Modulation, RefineSettings, refine
from gossamer.inference.refining import RefiningBackend, StartMaps
from gossamer.inference.solver import create_solver
from gossamer.inference.strategies import Place, PlacedBackend
from gossamer.models.gossamer_s import GossamerS
from gossamer.models.registry import create_model, model_entry
from gossamer.models.weights import Manifest, save_weights

SOME = RefineSettings(steps=8, rate=2.0)


class TinyNetwork(nn.Module):
    """One stage, as small as a steerable decoder can be."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(4, 5, 3, 4, 1)
        self.head = nn.Conv2d(5, 1, 3, 1, 1)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for value in self.parameters():
                value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
            self.head.bias.fill_(0.5)  # type: ignore[union-attr]

    def encode(self, plate: Tensor, trimap: Tensor) -> Tensor:
        features: Tensor = self.encoder(torch.cat([plate, trimap], dim=1)).relu()
        return features

    def decode(self, features: Tensor, modulation: Modulation | None = None) -> Tensor:
        if modulation:
            scale, shift = (F.interpolate(v, size=features.shape[-2:], mode="bicubic") for v in modulation[1])
            features = features * scale.exp() + shift
        raw: Tensor = self.head(F.interpolate(features, scale_factor=4))
        return raw

    def modulation_shapes(self) -> Mapping[int, tuple[int, int, int]]:
        return {1: (5, 8, 8)}


def tiny() -> TinyNetwork:
    return TinyNetwork().eval()


def tile(side: int = 32) -> tuple[FloatArray, FloatArray]:
    """A plate of noise; foreground on the left, background on the right, 8 unknown columns between them."""
    plate = np.random.default_rng(4).random((1, 3, side, side), np.float32)
    trimap = np.zeros((1, 1, side, side), np.float32)
    trimap[..., : side // 2 - 4] = 1
    trimap[..., side // 2 - 4 : side // 2 + 4] = 0.5
    return plate, trimap


def place(x: int, y: int, width: int = 32, height: int = 32, view: int = 0) -> Place:
    return Place(Window(x, y, width, height), 1.0, view)


# --- as a backend -----------------------------------------------------------------------------------------------------


def test_it_gives_refined_tiles() -> None:
    plate, trimap = tile()
    backend: Backend = RefiningBackend(tiny(), SOME, weights_sha256="0")
    expected = refine(tiny(), torch.from_numpy(plate), torch.from_numpy(trimap), SOME).alpha
    np.testing.assert_array_equal(backend.infer(plate, trimap), expected.numpy())
    assert backend.effective["refine"] == 8
    assert backend.weights_sha256 == "0"
    assert isinstance(backend, PlacedBackend)


def test_it_asks_for_a_trimap() -> None:
    with pytest.raises(TrimapError, match="Refinement follows a trimap: give --trimap"):
        RefiningBackend(tiny(), SOME, weights_sha256="0").infer(tile()[0], None)


def test_it_says_which_tile_failed() -> None:
    backend = RefiningBackend(tiny(), SOME, weights_sha256="0")
    with pytest.raises(ModelError, match=r"failed on a tile of 32x32 pixels .*--tile a smaller number"):
        backend.infer(np.zeros((1, 5, 32, 32), np.float32), np.full((1, 1, 32, 32), 0.5, np.float32))


def test_it_is_refused_for_a_network_that_cannot_be_steered() -> None:
    with pytest.raises(ModelError, match="no decoder that refinement can steer"):
        RefiningBackend(nn.Conv2d(4, 1, 1).eval(), SOME, weights_sha256="0")


def test_it_tells_what_it_did_to_a_frame() -> None:
    plate, trimap = tile()
    backend = RefiningBackend(tiny(), SOME, weights_sha256="0")
    backend.infer(plate, trimap)
    backend.infer(plate, np.ones_like(trimap))  # nothing unknown: nothing refined
    facts = backend.end_frame()
    assert {name: facts[name] for name in ("refine_tiles", "refine_steps", "refine_guarded", "refine_unchanged")} == {
        "refine_tiles": 1,
        "refine_steps": 8,
        "refine_guarded": 0,
        "refine_unchanged": 0,
    }
    assert facts["refine_loss_after"] < facts["refine_loss_before"]
    assert backend.end_frame()["refine_tiles"] == 0


def test_it_counts_the_tiles_that_the_guard_held() -> None:
    backend = RefiningBackend(tiny(), RefineSettings(steps=3, rate=1e38), weights_sha256="0")
    backend.infer(*tile())
    facts = backend.end_frame()
    assert (facts["refine_guarded"], facts["refine_unchanged"]) == (1, 1)
    assert facts["refine_loss_after"] == facts["refine_loss_before"]


# --- a start from the frame before ------------------------------------------------------------------------------------


def maps(value: float) -> Modulation:
    ramp = torch.arange(8.0).expand(1, 2, 8, 8) + value
    return {1: (ramp, -ramp)}


def test_a_tile_at_the_same_place_starts_where_the_one_before_ended() -> None:
    starts = StartMaps()
    starts.keep(place(0, 0), maps(3))
    assert starts.at(place(0, 0)) is None  # of this frame still
    starts.next_frame()
    found = starts.at(place(0, 0))
    assert found is not None
    assert torch.equal(found[1][0], maps(3)[1][0])
    assert starts.at(place(100, 0)) is None
    assert starts.at(place(0, 0, view=1)) is None
    starts.next_frame()
    assert starts.at(place(0, 0)) is None


def test_a_tile_that_moved_takes_the_cells_of_the_same_pixels_and_none_where_there_are_none() -> None:
    starts = StartMaps()
    starts.keep(place(0, 0), maps(0))
    starts.keep(place(24, 24), maps(50))
    starts.next_frame()
    found = starts.at(place(8, 0))  # two of eight cells to the right
    assert found is not None
    expected = torch.cat([torch.arange(2.0, 8.0), torch.zeros(2)]).expand(1, 2, 8, 8)
    torch.testing.assert_close(found[1][0], expected)
    torch.testing.assert_close(found[1][1], -expected)


def test_carrying_starts_lower_and_is_reported() -> None:
    plate, trimap = tile()
    backend = RefiningBackend(tiny(), SOME, weights_sha256="0", carry=True)
    backend.infer_at(plate, trimap, place(0, 0))
    first = backend.end_frame()
    backend.infer_at(plate, trimap, place(0, 0))
    second = backend.end_frame()
    assert (first["refine_started"], second["refine_started"]) == (0, 1)
    assert second["refine_loss_before"] == first["refine_loss_before"]
    assert second["refine_loss_after"] < first["refine_loss_after"]
    assert backend.effective["refine_carry"] is True


def test_without_carrying_every_frame_is_the_same() -> None:
    plate, trimap = tile()
    backend = RefiningBackend(tiny(), SOME, weights_sha256="0")
    first = backend.infer_at(plate, trimap, place(0, 0))
    backend.end_frame()
    assert np.array_equal(backend.infer_at(plate, trimap, place(0, 0)), first)


# --- in a solver ------------------------------------------------------------------------------------------------------


def saved(folder: Path, architecture: str, network: nn.Module) -> Path:
    entry = model_entry(architecture)
    manifest = Manifest(
        "mine", architecture, entry.family, "", 0, entry.needs_trimap, entry.multiple_of, entry.margin, {}
    )
    save_weights(network, folder, manifest)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default network, its decoder with something to add: a fresh one only passes the prior through."""
    network = create_model("gossamer-s")
    assert isinstance(network, GossamerS)
    last = network.head[-1]
    assert isinstance(last, nn.Conv2d)
    with torch.no_grad():
        last.weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    return saved(tmp_path_factory.mktemp("weights"), "gossamer-s", network)


def scene() -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(2)
    trimap = np.broadcast_to((np.arange(160) * 3 // 160 / 2).astype(np.float32), (150, 160)).copy()
    plate = trimap[..., None] * np.float32(0.8) + random.random((150, 160, 3), np.float32) * np.float32(0.2)
    return plate.astype(np.float32), trimap


def test_a_job_is_refined_on_tiles(weights: Path) -> None:
    plate, trimap = scene()
    plain = create_solver(str(weights), backend="torch", tile=64).solve(plate, trimap)
    solver = create_solver(str(weights), tile=64, refine=3)
    found = solver.solve(plate, trimap)
    assert found.effective["refine_tiles"] == found.effective["tiles"] > 1
    assert found.effective["refine_steps"] == 3 * found.effective["tiles"]
    assert found.effective["refine_loss_after"] < found.effective["refine_loss_before"]
    assert np.array_equal(found.alpha[trimap != 0.5], trimap[trimap != 0.5])
    assert not np.array_equal(found.alpha, plain.alpha)
    assert solver.effective["refine"] == 3
    assert str(solver.effective["backend"]).startswith("torch")


def test_no_steps_are_the_plain_network(weights: Path) -> None:
    solver = create_solver(str(weights), backend="torch", refine=0)
    assert "refine" not in solver.effective
    assert "refine_steps" not in solver.solve(*scene()).effective


def test_averaging_refines_every_view(weights: Path) -> None:
    found = create_solver(str(weights), refine=1, tta="flips").solve(*scene())
    assert found.effective["refine_tiles"] == 2 * found.effective["tiles"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "onnxruntime"}, "--backend onnxruntime gives none. Use --backend torch"),
        ({"precision": "fp16", "device": "cuda"}, "--refine works in fp32. Leave out --precision fp16"),
        ({"strategy": "whole"}, "--refine works on tiles. Leave out --strategy whole"),
    ],
)
def test_what_does_not_go_with_refinement_is_refused(weights: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        create_solver(str(weights), refine=5, **settings)


@pytest.mark.parametrize("architecture", ["vitmatte-s", "gfm-r34-tt"])
def test_a_network_that_cannot_be_steered_is_named(tmp_path: Path, architecture: str) -> None:
    folder = saved(tmp_path, architecture, nn.Identity())  # refused before any weight is read
    with pytest.raises(SettingError, match=f"mine is {architecture}, whose decoder --refine cannot steer"):
        create_solver(str(folder), refine=5)


def test_a_classical_solver_is_no_network() -> None:
    with pytest.raises(
        SettingError, match="is no network: leave out --refine, --tta, --strategy, --tile and --nonlocal"
    ):
        create_solver("closed-form", refine=5)


def test_without_torch_the_extra_is_named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without_torch(name: str, *arguments: Any, **settings: Any) -> Any:
        if name == "torch":
            raise ImportError("No module named 'torch'")
        return genuine(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(
        MissingDependencyError, match=r"--refine needs torch\. .*pip install .gossamer-matting\[torch\]"
    ):
        create_solver(str(weights), refine=5)
