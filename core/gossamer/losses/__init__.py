"""What training minimises. Each file holds one loss: a function, and a thin Module that stores its settings."""

from gossamer.losses.composition import CompositionLoss, composition_loss
from gossamer.losses.gradient import GradientPenalty, gradient_penalty
from gossamer.losses.known import KnownL1Loss, UnknownL1Loss, known_l1_loss, regional_l1_loss, unknown_l1_loss
from gossamer.losses.laplacian import GFMLaplacianLoss, LaplacianLoss, gfm_laplacian_loss, laplacian_loss
from gossamer.losses.lsa import MultiscaleLoss, multiscale_loss

__all__ = [
    "CompositionLoss",
    "GFMLaplacianLoss",
    "GradientPenalty",
    "KnownL1Loss",
    "LaplacianLoss",
    "MultiscaleLoss",
    "UnknownL1Loss",
    "composition_loss",
    "gfm_laplacian_loss",
    "gradient_penalty",
    "known_l1_loss",
    "laplacian_loss",
    "multiscale_loss",
    "regional_l1_loss",
    "unknown_l1_loss",
]
