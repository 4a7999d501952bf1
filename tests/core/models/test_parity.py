"""The networks answer what the published ones answered, from the same synthetic weights (see tests/conftest.py).

``pytest tests/core/models/test_parity.py -v -m "slow or not slow"`` prints the table of errors.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gossamer.image.image import FloatArray, Window
from gossamer.inference.strategies import Place
from gossamer.inference.whole_pictures import ResizeStrategy
from gossamer.models.convention import pad_bottom_right
from gossamer.models.convert import fit_state
from gossamer.models.gfm import CLASSES, collaborative_matting
from gossamer.models.gfm_strategies import matte_hybrid
from gossamer.models.lsa import Lsa
from gossamer.models.registry import create_model
from gossamer.models.vitmatte import ViTMatte

LIMIT = 5e-5
MARGIN = 1e-4
"""Where two glance classes are closer than this, rounding may choose the other one."""

Folder = Callable[[str], Any]


def _network(folder: Any, name: str) -> Any:
    """The network with the folder's weights, taken from official names; memory for one set of weights."""
    state = {key: torch.from_numpy(value) for key, value in folder.state().items()}
    with torch.device("meta"):
        network: nn.Module = create_model(name)
    network.load_state_dict(fit_state(state, name), assign=True)
    return network.eval()


def _plate(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(image)[None].float() / 255


def _trimap(levels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(levels)[None, None].float() / 255


def _decided(glance: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the largest glance value leads by more than the margin, 1 1 H W."""
    ordered = np.sort(glance, axis=1)
    decided: NDArray[np.bool_] = ordered[:, -1:] - ordered[:, -2:-1] > MARGIN
    return decided


class _Ask:
    """A network as a backend."""

    weights_sha256 = ""
    effective: Mapping[str, Any] = {}

    def __init__(self, network: Any) -> None:
        self.network = network

    def infer(self, plate: FloatArray, trimap: FloatArray | None) -> FloatArray:
        answer: FloatArray = self.network.forward_matte(torch.from_numpy(plate)).numpy()
        return answer


def _compare_gfm(folder: Any, name: str, network: Any) -> None:
    answer = network(_plate(folder.inputs["image"]))
    folder.compare(name, "glance", answer.glance.numpy(), LIMIT)
    folder.compare(name, "focus", answer.focus.numpy(), LIMIT)
    folder.compare(name, "fusion", answer.fusion.numpy(), LIMIT, where=_decided(folder.outputs["glance"]))


@pytest.fixture(scope="module", params=["tt", "ft", "bt"])
def r34(request: pytest.FixtureRequest, recorded: Folder) -> tuple[str, Any]:
    """GFM's light backbone, once for all tests of it: drawing 55 million weights takes seconds."""
    return request.param, _network(recorded(f"gfm_r34_{request.param}"), f"gfm-r34-{request.param}")


@torch.no_grad()
def test_gfm_answers_as_published_by_every_rosta(recorded: Folder, r34: tuple[str, Any]) -> None:
    rosta, network = r34
    _compare_gfm(recorded(f"gfm_r34_{rosta}"), f"gfm-r34-{rosta}", network)


@torch.no_grad()
def test_the_strategies_of_gfm_answer_as_published(recorded: Folder, r34: tuple[str, Any]) -> None:
    rosta, network = r34
    folder = recorded("ops_gfm_strategies")
    plate = _plate(folder.inputs["image"])
    hybrid = matte_hybrid(network, plate, compat=True)
    folder.compare(f"HYBRID {rosta}", f"{rosta.upper()}_HYBRID_fusion", hybrid.alpha[0, 0].numpy(), LIMIT)
    if rosta == "tt":  # the others were recorded without these
        glance = hybrid.glance[0, 0].numpy() * 255
        folder.compare("HYBRID tt", "TT_HYBRID_glance", glance, 255 * LIMIT)
        folder.compare("HYBRID tt", "TT_HYBRID_focus", hybrid.focus[0, 0].numpy(), LIMIT)
        alpha = ResizeStrategy(_Ask(network), compat=True).infer(plate.numpy(), None, Place(Window(0, 0, 0, 0)))
        folder.compare("RESIZE tt", "TT_RESIZE_fusion", alpha[0, 0], LIMIT)


@pytest.mark.parametrize(
    ("fixture", "name"),
    [
        ("gfm_r34_2b_tt", "gfm-r34-2b-tt"),
        ("gfm_d121_tt", "gfm-d121-tt"),
        pytest.param("gfm_r101_tt", "gfm-r101-tt", marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_gfm_answers_as_published_by_every_backbone(recorded: Folder, fixture: str, name: str) -> None:
    folder = recorded(fixture)
    _compare_gfm(folder, name, _network(folder, name))


@torch.no_grad()
def test_gfm_rim_answers_as_published(recorded: Folder) -> None:
    folder = recorded("gfm_d121_rim")
    name = "gfm-d121-rim"
    network = _network(folder, name)
    answer = network(_plate(folder.inputs["image"]))
    wanted = folder.outputs
    decided = np.ones((1, 1, 128, 128), bool)
    for rosta in CLASSES:
        one = getattr(answer, rosta)
        folder.compare(name, f"glance_{rosta}", one.glance.numpy(), LIMIT)
        folder.compare(name, f"focus_{rosta}", one.focus.numpy(), LIMIT)
        sure = _decided(wanted[f"glance_{rosta}"])
        folder.compare(name, f"fusion_{rosta}", one.fusion.numpy(), LIMIT, where=sure)
        decided &= sure
    folder.compare(name, "fusion_rim", answer.fusion.numpy(), LIMIT, where=decided)
    fusions = torch.cat([torch.from_numpy(wanted[f"fusion_{rosta}"]) for rosta in CLASSES], dim=1)
    folder.compare(f"{name} integrate", "fusion_rim", network.integrate(fusions).numpy(), LIMIT)


@pytest.mark.parametrize("rosta", ["tt", "ft", "bt"])
def test_collaborative_matting_agrees_everywhere_on_the_recorded_glance(recorded: Folder, rosta: str) -> None:
    folder = recorded(f"gfm_r34_{rosta}")
    glance, focus = (torch.from_numpy(folder.outputs[name]) for name in ("glance", "focus"))
    fusion = collaborative_matting(glance, focus, rosta)
    folder.compare(f"collaborative_matting {rosta}", "fusion", fusion.numpy(), 1e-6)


@torch.no_grad()
def test_lsa_answers_as_published(recorded: Folder) -> None:
    folder = recorded("lsa")
    network = _network(folder, "lsa-r50d")
    assert isinstance(network, Lsa)
    inputs = folder.inputs
    trimap = _trimap(inputs["trimap"])
    # The product's trimap says 0.5 for unknown; the network turns that into the 128/255 it was trained with.
    halved = torch.where((trimap > 0) & (trimap < 1), 0.5, trimap)
    x = network.input_tensor(_plate(inputs["image"]), halved)
    np.testing.assert_allclose(x.numpy(), inputs["x"], atol=1e-6)
    folder.compare("lsa-r50d", "alpha", network(_plate(inputs["image"]), halved).numpy(), LIMIT)


@pytest.mark.parametrize(
    ("fixture", "name", "cases"),
    [
        ("vitmatte_s", "vitmatte-s", 3),
        ("vitmatte_b", "vitmatte-b", 1),
        ("vitmatte_s_rgb3", "vitmatte-s-rgb", 2),
    ],
)
@torch.no_grad()
def test_vitmatte_answers_as_published(recorded: Folder, fixture: str, name: str, cases: int) -> None:
    folder = recorded(fixture)
    network = _network(folder, name)
    assert isinstance(network, ViTMatte)
    inputs = folder.inputs
    for case in range(cases):
        trimap = _trimap(inputs[f"trimap_{case}"]) if f"trimap_{case}" in inputs else None
        alpha = network(_plate(inputs[f"image_{case}"]), trimap, compat_padding=True)
        folder.compare(name, f"alpha_{case}", alpha.numpy(), LIMIT)


def test_padding_can_be_undone() -> None:
    x = torch.rand(2, 3, 37, 70)
    for mode in ("constant", "replicate"):
        padded = pad_bottom_right(x, 32, mode=mode)
        assert padded.shape == (2, 3, 64, 96)
        assert torch.equal(padded[..., :37, :70], x)
