"""Ways of looking at a picture: which one is taken, and what the network is shown by those of whole pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.errors import SettingError
from gossamer.image.image import FloatArray, Window
from gossamer.inference.backends.pytorch import TorchBackend
from gossamer.inference.choose_strategy import choose_strategy, create_strategy
from gossamer.inference.predictor import NetworkSolver
from gossamer.inference.strategies import Place
from gossamer.inference.whole_pictures import LARGEST_AREA, LARGEST_SIDE, HybridStrategy, ResizeStrategy, WholeStrategy
from gossamer.models.gfm import Gfm, GfmConfig
from gossamer.models.gfm_strategies import matte_hybrid
from gossamer.models.lsa import Lsa
from gossamer.models.vitmatte import ViTMatte, ViTMatteConfig
from gossamer.models.weights import Manifest, WeightsFile

ANYWHERE = Place(Window(0, 0, 0, 0))


def manifest(architecture: str, family: str, *, needs_trimap: bool, kind: str = "safetensors") -> Manifest:
    files = {kind: WeightsFile(f"mine.{kind}", "0" * 64, 1)}
    return Manifest("mine", architecture, family, "", 0, needs_trimap, 32, 32, files)


GFM = manifest("gfm-r34-tt", "gfm", needs_trimap=False)
GFM_EXPORTED = manifest("gfm-r34-tt", "gfm", needs_trimap=False, kind="onnx")
RIM = manifest("gfm-d121-rim", "gfm", needs_trimap=False)
LSA = manifest("lsa-r50d", "lsa", needs_trimap=True)
VITMATTE = manifest("vitmatte-s", "vitmatte", needs_trimap=True)
VITMATTE_RGB = manifest("vitmatte-s-rgb", "vitmatte", needs_trimap=False)
GOSSAMER = manifest("gossamer-s", "gossamer", needs_trimap=True)


class Asked:
    """A backend that answers by a network or a constant, and keeps the sizes that it saw."""

    weights_sha256 = "0" * 64
    effective: Mapping[str, Any] = {"backend": "test", "device": "cpu", "precision": "fp32"}

    def __init__(self, network: Any = None) -> None:
        self.network = network
        self.sizes: list[tuple[int, int]] = []
        self.trimaps: list[FloatArray | None] = []

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        self.sizes.append((plate.shape[3], plate.shape[2]))
        self.trimaps.append(trimap)
        if self.network is None:
            return np.full_like(plate[:, :1], 0.4)
        inputs = [torch.from_numpy(x) for x in (plate, trimap) if x is not None]
        with torch.no_grad():
            answer: FloatArray = self.network.forward_matte(*inputs).numpy()
        return answer


class InTorch(TorchBackend):
    """The backend of a network that is here already."""

    def __init__(self, network: Any) -> None:
        self._torch, self._device, self._model, self._lowered = torch, torch.device("cpu"), network.eval(), None
        self.weights_sha256 = "0" * 64
        self.effective = {"backend": "torch", "device": "cpu", "precision": "fp32"}


def pair(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Plate 1 3 H W, trimap 1 1 H W: background, unknown, foreground from left to right."""
    plate = np.random.default_rng(5).random((1, 3, height, width), np.float32)
    trimap = np.broadcast_to((np.arange(width) * 3 // width / 2).astype(np.float32), (1, 1, height, width)).copy()
    return plate, trimap


@pytest.fixture(scope="module")
def gfm() -> Callable[[str], Any]:
    networks: dict[str, Any] = {}

    def make(rosta: str) -> Any:
        if rosta not in networks:
            torch.manual_seed(0)
            networks[rosta] = Gfm(GfmConfig("r34", rosta)).eval()
        return networks[rosta]

    return make


# --- which one --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "backend", "chosen"),
    [
        (GOSSAMER, "auto", "tiles"),
        (LSA, "auto", "tiles"),
        (VITMATTE, "torch", "tiles"),
        (VITMATTE_RGB, "auto", "whole"),
        (GFM, "auto", "hybrid"),
        (GFM, "torch", "hybrid"),
        (GFM, "onnxruntime", "resize"),
        (RIM, "auto", "resize"),
        (GFM_EXPORTED, "auto", "resize"),
    ],
)
def test_auto_takes_what_the_network_was_made_for(weights: Manifest, backend: str, chosen: str) -> None:
    assert choose_strategy("auto", weights, backend=backend, tile=0) == chosen


def test_a_size_of_tiles_means_tiles() -> None:
    assert choose_strategy("auto", GFM, backend="auto", tile=256) == "tiles"


@pytest.mark.parametrize(
    ("strategy", "weights", "backend", "tile", "message"),
    [
        ("hybrid", LSA, "auto", 0, "--strategy hybrid is for GFM; mine is lsa-r50d. Use tiles or whole"),
        ("resize", GOSSAMER, "auto", 0, "--strategy resize is for GFM; mine is gossamer-s"),
        ("hybrid", RIM, "auto", 0, "not for RIM networks such as gfm-d121-rim; use resize"),
        (
            "hybrid",
            GFM,
            "onnxruntime",
            0,
            "--backend onnxruntime does not give; use weights with --backend torch, or --strategy resize",
        ),
        ("hybrid", GFM_EXPORTED, "auto", 0, "which the file of mine does not give; use weights with --backend torch"),
        ("whole", LSA, "auto", 256, "--tile is for --strategy tiles; whole looks at the whole picture. Leave one out"),
    ],
)
def test_what_does_not_go_together_is_refused(
    strategy: str, weights: Manifest, backend: str, tile: int, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        choose_strategy(strategy, weights, backend=backend, tile=tile)


def test_rim_runs_at_a_third() -> None:
    backend = Asked()
    create_strategy("resize", RIM, backend).infer(*pair(90, 120), ANYWHERE)
    create_strategy("resize", GFM, backend).infer(*pair(90, 120), ANYWHERE)
    assert backend.sizes == [(40, 30), (60, 45)]


# --- the whole picture ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(70, 90), (64, 128), (20, 33)])
def test_lsa_is_padded_as_in_its_published_script(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = Lsa().eval()
    plate, trimap = pair(*size)
    found = WholeStrategy(LSA, Asked(network)).infer(plate, trimap, ANYWHERE)
    assert found.shape == (1, 1, *size)
    if min(size) <= 63:  # the published padding itself fails where it needs more rows than there are
        return
    with torch.no_grad():
        expected = network.forward_matte(torch.from_numpy(plate), torch.from_numpy(trimap), compat_padding=True)
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)


@pytest.mark.parametrize("size", [(48, 64), (64, 64), (40, 70)])
@pytest.mark.parametrize("channels", [3, 4])
def test_vitmatte_is_padded_as_in_its_published_script(size: tuple[int, int], channels: int) -> None:
    torch.manual_seed(2)
    network = ViTMatte(ViTMatteConfig(width=48, heads=2, inputs=channels)).eval()
    weights = VITMATTE if channels == 4 else VITMATTE_RGB
    plate, trimap = pair(*size)
    guide = trimap if channels == 4 else None
    found = WholeStrategy(weights, Asked(network)).infer(plate, guide, ANYWHERE)
    tensors = [torch.from_numpy(x) for x in (plate, guide) if x is not None]
    with torch.no_grad():
        expected = network.forward_matte(*tensors, compat_padding=True)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_other_networks_get_whole_strides() -> None:
    backend = Asked()
    assert WholeStrategy(GOSSAMER, backend).infer(*pair(40, 50), ANYWHERE).shape == (1, 1, 40, 50)
    assert backend.sizes == [(64, 64)]


@pytest.mark.parametrize(
    ("name", "weights"), [("whole", LSA), ("whole", VITMATTE), ("whole", VITMATTE_RGB), ("whole", GFM), ("resize", GFM)]
)
def test_a_pass_stays_small_whatever_the_plate_is(name: str, weights: Manifest) -> None:
    backend = Asked()
    alpha = create_strategy(name, weights, backend).infer(*pair(1080, 4096), ANYWHERE)
    assert alpha.shape == (1, 1, 1080, 4096)
    np.testing.assert_allclose(alpha, 0.4, atol=1e-6)
    (width, height) = backend.sizes[0]
    assert width <= LARGEST_SIDE + 96
    assert width * height <= (1.05 * LARGEST_AREA["vitmatte"] if weights.family == "vitmatte" else LARGEST_SIDE**2)
    assert width / height == pytest.approx(4096 / 1080, rel=0.12)


def test_a_known_picture_is_not_looked_at() -> None:
    backend = Asked()
    solver = NetworkSolver(LSA, backend, strategy=WholeStrategy(LSA, backend))
    trimap = np.ones((40, 50), np.float32)
    assert np.array_equal(solver.solve(np.zeros((40, 50, 3), np.float32), trimap).alpha, trimap)
    assert backend.sizes == []


# --- GFM --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rosta", ["tt", "ft", "bt"])
def test_hybrid_in_a_solver_is_hybrid_and_obeys_a_trimap(gfm: Callable[[str], Any], rosta: str) -> None:
    network = gfm(rosta)
    backend = InTorch(network)
    solver = NetworkSolver(GFM, backend, strategy=HybridStrategy(backend))
    plate, trimap = pair(100, 130)
    with torch.no_grad():
        free = matte_hybrid(network, torch.from_numpy(plate)).alpha[0, 0].numpy()
        guided = matte_hybrid(network, torch.from_numpy(plate), torch.from_numpy(trimap)).alpha[0, 0].numpy()
    picture, guide = plate[0].transpose(1, 2, 0).copy(), trimap[0, 0]
    np.testing.assert_allclose(solver.solve(picture, None).alpha, free.clip(0, 1), atol=1e-6)
    found = solver.solve(picture, guide)
    np.testing.assert_allclose(found.alpha, guided.clip(0, 1), atol=1e-6)
    assert np.array_equal(found.alpha[guide != 0.5], guide[guide != 0.5])
    assert found.effective["passes"] == 2
    assert found.effective["largest_pass"] == "65x50"
    assert solver.effective["strategy"] == "hybrid"


def test_the_focus_is_taken_where_the_trimap_is_unknown(gfm: Callable[[str], Any]) -> None:
    network = gfm("tt")
    backend = InTorch(network)
    plate, trimap = pair(100, 130)
    found = HybridStrategy(backend).infer(plate, trimap, ANYWHERE)
    with torch.no_grad():
        focus = matte_hybrid(network, torch.from_numpy(plate)).focus.numpy()
    assert np.array_equal(found[trimap == 0.5], focus[trimap == 0.5])


def test_resize_shows_the_network_a_reduced_trimap(gfm: Callable[[str], Any]) -> None:
    backend = Asked(gfm("tt"))
    plate, trimap = pair(100, 130)
    solver = NetworkSolver(GFM, backend, strategy=ResizeStrategy(backend))
    found = solver.solve(plate[0].transpose(1, 2, 0).copy(), trimap[0, 0]).alpha
    seen = backend.trimaps[0]
    assert seen is not None
    assert set(np.unique(seen)) == {0.0, 0.5, 1.0}
    assert backend.sizes == [(65, 50)]
    picture = plate[0].transpose(1, 2, 0).copy()
    assert "takes no trimap" in solver.solve(picture, trimap[0, 0]).effective["notes"][0]
    assert "notes" not in solver.solve(picture, None).effective
    in_torch = InTorch(gfm("tt"))
    guided = NetworkSolver(GFM, in_torch, strategy=ResizeStrategy(in_torch)).solve(picture, trimap[0, 0])
    assert "notes" not in guided.effective
    assert np.array_equal(found[trimap[0, 0] != 0.5], trimap[0, 0][trimap[0, 0] != 0.5])


def test_a_whole_picture_is_averaged_over_views_as_well(gfm: Callable[[str], Any]) -> None:
    backend = InTorch(gfm("tt"))
    solver = NetworkSolver(GFM, backend, strategy=HybridStrategy(backend), tta="flips")
    plate = pair(64, 80)[0][0].transpose(1, 2, 0).copy()
    forward, mirrored = solver.solve(plate, None).alpha, solver.solve(plate[:, ::-1].copy(), None).alpha
    np.testing.assert_allclose(forward, mirrored[:, ::-1], atol=1e-6)
