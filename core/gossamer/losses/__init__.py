"""What training minimises. Each file holds one loss: a function, and a thin Module that stores its settings."""

from gossamer.losses.alpha import UnknownAlphaLoss, WholeAlphaLoss, unknown_alpha_loss, whole_alpha_loss
from gossamer.losses.composition import CompositionLoss, composition_loss
from gossamer.losses.ddc import DdcLoss, ddc_loss
from gossamer.losses.gfm import (
    GfmLoss,
    GfmTerms,
    GfmTruth,
    HeadOutput,
    IntegratedOutput,
    RimLoss,
    Rosta,
    gfm_loss,
    rim_loss,
    rosta_targets,
)
from gossamer.losses.glance import CrossEntropy, GlanceLoss, glance_labels, glance_loss
from gossamer.losses.gradient import GradientPenalty, gradient_penalty
from gossamer.losses.known import (
    KnownL1Loss,
    UnknownL1Loss,
    is_unknown,
    known_l1_loss,
    regional_l1_loss,
    unknown_l1_loss,
)
from gossamer.losses.laplacian import GfmLaplacianLoss, LaplacianLoss, gfm_laplacian_loss, laplacian_loss
from gossamer.losses.lsa import MultiscaleLoss, multiscale_loss
from gossamer.losses.vitmatte import ViTMatteLoss, ViTMatteTerms, vitmatte_loss

__all__ = [
    "CompositionLoss",
    "CrossEntropy",
    "DdcLoss",
    "GfmLaplacianLoss",
    "GfmLoss",
    "GfmTerms",
    "GfmTruth",
    "GlanceLoss",
    "GradientPenalty",
    "HeadOutput",
    "IntegratedOutput",
    "KnownL1Loss",
    "LaplacianLoss",
    "MultiscaleLoss",
    "RimLoss",
    "Rosta",
    "UnknownAlphaLoss",
    "UnknownL1Loss",
    "ViTMatteLoss",
    "ViTMatteTerms",
    "WholeAlphaLoss",
    "composition_loss",
    "ddc_loss",
    "gfm_laplacian_loss",
    "gfm_loss",
    "glance_labels",
    "glance_loss",
    "gradient_penalty",
    "is_unknown",
    "known_l1_loss",
    "laplacian_loss",
    "multiscale_loss",
    "regional_l1_loss",
    "rim_loss",
    "rosta_targets",
    "unknown_alpha_loss",
    "unknown_l1_loss",
    "vitmatte_loss",
    "whole_alpha_loss",
]
