"""Each paper's losses on one matte, values and gradients recorded by running its own code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from gossamer.losses import (
    composition_loss,
    gfm_laplacian_loss,
    gradient_penalty,
    known_l1_loss,
    laplacian_loss,
    multiscale_loss,
    unknown_l1_loss,
)
from gossamer.losses.laplacian import gfm_laplacian_kernel

Record = Callable[[str], Any]


def test_vitmatte_unknown_l1_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_vitmatte_losses")
    alpha, trimap = case.plane("alpha"), case.trimap()
    case.check(
        lambda p: unknown_l1_loss(p, alpha, trimap, reference_side=512),
        case.plane("pred"),
        "unknown_l1_loss",
        "grad_unknown_l1_loss",
    )


def test_vitmatte_known_l1_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_vitmatte_losses")
    alpha, trimap = case.plane("alpha"), case.trimap()
    case.check(
        lambda p: known_l1_loss(p, alpha, trimap, reference_side=512),
        case.plane("pred"),
        "known_l1_loss",
        "grad_known_l1_loss",
    )


def test_vitmatte_laplacian_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_vitmatte_losses")
    alpha = case.plane("alpha")
    case.check(lambda p: laplacian_loss(p, alpha), case.plane("pred"), "loss_pha_laplacian", "grad_loss_pha_laplacian")


def test_vitmatte_gradient_penalty_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_vitmatte_losses")
    alpha, trimap = case.plane("alpha"), case.trimap()
    case.check(
        lambda p: gradient_penalty(p, alpha, trimap, reference_side=512),
        case.plane("pred"),
        "loss_gradient_penalty",
        "grad_loss_gradient_penalty",
    )


def test_the_known_loss_of_trimap_only_training_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_ddc")
    trimap = case.trimap()
    case.check(
        lambda p: known_l1_loss(p, trimap, trimap, reference_side=512),
        case.plane("alpha"),
        "known_l1_loss",
        "grad_known",
    )


def test_lsa_multiscale_loss_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_lsa_loss")
    alpha, trimap = case.plane("alpha"), case.trimap()
    case.check(lambda p: multiscale_loss(p, alpha, trimap), case.plane("pred"), "multiscale", "grad_multiscale")


def test_gfm_laplacian_over_the_whole_matte_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_gfm_losses")
    alpha = case.plane("alpha")
    case.check(lambda p: gfm_laplacian_loss(p, alpha), case.plane("pred"), "lap_whole", "grad_lap_whole")


def test_gfm_laplacian_over_the_unknown_region_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_gfm_losses")
    alpha, unknown = case.plane("alpha"), case.trimap(case.outputs["trimap25"]) == 0.5
    case.check(lambda p: gfm_laplacian_loss(p, alpha, unknown), case.plane("pred"), "lap_unknown", "grad_lap_unknown")


def test_gfm_laplacian_kernel_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_gfm_losses")
    torch.testing.assert_close(gfm_laplacian_kernel(torch.zeros(1))[0, 0], case.outputs["lap_kernel"])


def test_gfm_composition_loss_is_the_recorded_one(recorded: Record) -> None:
    case = recorded("ops_gfm_losses")
    foreground, background, plate = (case.inputs[name].float()[None] / 255 for name in ("fg", "bg", "image"))
    case.check(
        lambda p: composition_loss(p, foreground, background, plate),
        case.plane("pred"),
        "composition_whole",
        "grad_composition_whole",
    )
