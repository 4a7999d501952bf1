"""Encoders of other tasks as first weights, by the names their files have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gossamer.errors import ModelError
from gossamer.models.convert import GFM_COPIES
from gossamer.models.registry import create_model
from gossamer.training.encoders import load_encoder


def resnet34() -> dict[str, Tensor]:
    """A classifier's tensors by torchvision's names, every value 0.25."""
    own = create_model("gfm-r34-tt").state_dict()
    names = [("encoder0.0.", "conv1."), ("encoder0.1.", "bn1."), ("encoder1.1.", "layer1.")]
    names += [(f"encoder{k}.", f"layer{k}.") for k in (2, 3, 4)]
    state = {}
    for key, value in own.items():
        for ours, theirs in names:
            if key.startswith(ours):
                state[theirs + key[len(ours) :]] = torch.full(value.shape, 0.25).to(value.dtype)
                break
    return {**state, "fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}


def save(state: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "encoder.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def classifier() -> dict[str, Tensor]:
    return resnet34()


def test_gfm_takes_imagenets_resnet(classifier: dict[str, Tensor], tmp_path: Path) -> None:
    model = create_model("gfm-r34-tt")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    load_encoder(model, save(classifier, tmp_path), "gfm-r34-tt")
    for key, value in model.state_dict().items():
        if key.startswith("encoder") and value.is_floating_point():
            assert bool((value == 0.25).all()), key
        elif not key.startswith("encoder"):
            assert torch.equal(value, before[key]), key


def test_what_is_missing_or_has_no_place_is_named(classifier: dict[str, Tensor], tmp_path: Path) -> None:
    state = {key: value for key, value in classifier.items() if key != "layer2.0.conv1.weight"}
    state |= {"layer9.weight": torch.zeros(1), "bn1.weight": torch.zeros(3)}
    with pytest.raises(ModelError) as caught:
        load_encoder(create_model("gfm-r34-tt"), save(state, tmp_path), "gfm-r34-tt")
    assert "encoder2.0.conv1.weight is missing" in str(caught.value)
    assert "no place for layer9.weight" in str(caught.value)
    assert "bn1.weight is (3,) instead of (64,)" in str(caught.value)


def test_files_of_before_batches_were_counted_are_taken(classifier: dict[str, Tensor], tmp_path: Path) -> None:
    state = {key: value for key, value in classifier.items() if not key.endswith("num_batches_tracked")}
    model = create_model("gfm-r34-tt")
    load_encoder(model, save(state, tmp_path), "gfm-r34-tt")
    assert bool((model.state_dict()["encoder1.1.0.conv1.weight"] == 0.25).all())


def test_gfm_takes_the_densenet_that_torchvision_publishes(tmp_path: Path) -> None:
    """Its layers are called ``norm.1`` and ``conv.1``, and nothing counts batches."""
    model = create_model("gfm-d121-tt")
    copies = {ours: theirs.removeprefix("densenet.") for theirs, ours in GFM_COPIES["d121"]}
    state: dict[str, Tensor] = {}
    for key, value in model.state_dict().items():
        beginning = next((ours for ours in copies if key.startswith(ours)), None)
        if beginning is not None and not key.endswith("num_batches_tracked"):
            name = copies[beginning] + key[len(beginning) :]
            state[re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name)] = torch.full_like(value, 0.25)
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    load_encoder(model, save({**state, "classifier.bias": torch.zeros(10)}, tmp_path), "gfm-d121-tt")
    found = model.state_dict()
    taken = [key for key in found if key.startswith(tuple(copies)) and not key.endswith("num_batches_tracked")]
    assert len(taken) == len(state)
    assert all(bool((found[key] == 0.25).all()) for key in taken)


def test_vitmatte_takes_a_transformer_of_three_channels(tmp_path: Path) -> None:
    model = create_model("vitmatte-s")
    own = {key.removeprefix("backbone."): v for key, v in model.state_dict().items() if key.startswith("backbone.")}
    state = {key: torch.ones_like(v) for key, v in own.items() if "rel_pos" not in key and "residual" not in key}
    state["patch_embed.proj.weight"] = torch.ones(384, 3, 16, 16)
    state |= {"cls_token": torch.zeros(1, 1, 384), "norm.weight": torch.zeros(384), "norm.bias": torch.zeros(384)}
    load_encoder(model, save(state, tmp_path), "vitmatte-s")
    found = model.state_dict()
    assert bool((found["backbone.blocks.3.attn.qkv.weight"] == 1).all())
    patch = found["backbone.patch_embed.proj.weight"]
    assert bool((patch[:, :3] == 1).all())
    assert bool((patch[:, 3] == 0).all())


def test_lsa_takes_mmclassifications_names(tmp_path: Path) -> None:
    model = create_model("lsa-r50d")
    state = {key: v.clone() for key, v in model.state_dict().items() if key.startswith("backbone.")}
    state["backbone.stem.0.conv.weight"] = torch.ones(32, 3, 3, 3)
    load_encoder(model, save({**state, "head.fc.weight": torch.zeros(2, 2)}, tmp_path), "lsa-r50d")
    assert bool((model.state_dict()["backbone.stem.0.conv.weight"][:, 3] == 0).all())


@pytest.mark.parametrize("name", ["gossamer-s", "gfm-light-tt", "lsa-light"])
def test_a_network_without_a_known_encoder_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"No encoder of another task is known for '{name}'"):
        load_encoder(create_model(name), save({}, tmp_path), name)
