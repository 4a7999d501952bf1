"""ONNX: write a network under the product's contract, and prove that the file answers as the network does."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.errors import MissingDependencyError, ModelError

__all__ = ["OPSET", "check_onnx", "write_onnx"]

OPSET = 18
"""ONNX Runtime 1.14 and later read it."""


class _Contract(nn.Module):
    """Inputs ``plate`` and ``trimap``, output ``alpha``: what product.md promises, whatever is inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, plate: Tensor, trimap: Tensor) -> Tensor:
        alpha: Tensor = self.network.forward_matte(plate, trimap)  # type: ignore[operator]
        return alpha


def write_onnx(network: nn.Module, path: Path, *, multiple_of: int) -> None:
    """Write ``network`` as one ONNX file with free batch, height and width.

    The graph takes ``plate`` (N 3 H W float32, sRGB-encoded, 0..1) and ``trimap`` (N 1 H W float32 in {0, 0.5, 1}) and
    gives ``alpha`` (N 1 H W, 0..1, known pixels enforced). H and W have to be multiples of ``multiple_of``.

    Raises:
        MissingDependencyError: the packages of the extra ``export`` are not installed.
        ModelError: the exporter cannot express the network.
    """
    try:
        import onnx  # noqa: F401  (the exporter needs it, and says so only at its end)
    except ImportError as error:
        raise MissingDependencyError('Writing ONNX needs onnx: pip install "gossamer-matting[export]".') from error
    network.eval()
    # Traced at batch 2 and unequal sides, so that nothing of the trace can pass for a constant of the picture.
    plate = torch.rand(2, 3, 6 * multiple_of, 5 * multiple_of, generator=torch.Generator().manual_seed(0))
    trimap = plate[:, :1].mul(3).floor().div(2)
    free = {0: "n", 2: "h", 3: "w"}
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # The tracing exporter announces its retirement. The newer one needs minutes for the prior's thousands of
            # small operations (core/decisions/0003-onnx-exporter.md).
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Contract(network).eval(),
                (plate, trimap),
                str(temporary),
                dynamo=False,
                opset_version=OPSET,
                input_names=["plate", "trimap"],
                output_names=["alpha"],
                dynamic_axes={"plate": free, "trimap": free, "alpha": free},
            )
        temporary.replace(path)
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ModelError(f"The network cannot be written as ONNX: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _golden(multiple_of: int) -> list[tuple[Tensor, Tensor]]:
    """Inputs at sizes other than the traced one: smooth, noisy and extreme pictures; all kinds of trimap."""
    cases = []
    for index, (batch, rows, columns) in enumerate(((1, 4, 7), (2, 3, 2), (1, 8, 8))):
        generator = torch.Generator().manual_seed(index)
        height, width = rows * multiple_of, columns * multiple_of
        y, x = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
        smooth = torch.stack([x + 0 * y, y + 0 * x, (x - y).abs()])[None].expand(batch, -1, -1, -1)
        plate = (smooth + 0.2 * torch.rand(batch, 3, height, width, generator=generator)).clamp(0, 1)
        distance = ((x - 0.5) ** 2 + (y - 0.5) ** 2).sqrt()[None, None].expand(batch, -1, -1, -1)
        trimap = torch.where(distance < 0.15, 1.0, torch.where(distance > 0.4, 0.0, 0.5))
        cases.append((plate, trimap))
    noise = torch.rand(1, 3, 4 * multiple_of, 4 * multiple_of, generator=torch.Generator().manual_seed(9))
    cases.append((noise.round(), torch.full_like(noise[:, :1], 0.5)))
    cases.append((noise, (noise[:, :1] * 3).floor() / 2))
    return cases


@torch.no_grad()
def check_onnx(path: Path, network: nn.Module, *, multiple_of: int, limit: float = 1e-4) -> float:
    """Largest distance of alpha between the file (ONNX Runtime, CPU) and ``network`` (torch, float32).

    Raises:
        ModelError: it is over ``limit``, or the file does not run; it is removed, so that nobody uses it.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError('Checking ONNX needs onnxruntime: pip install "gossamer-matting[cpu]".') from error
    network.eval()
    distances = []
    try:
        options = onnxruntime.SessionOptions()
        options.enable_mem_reuse = False  # see gossamer.inference.backends: loads in a fraction of the time
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for plate, trimap in _golden(multiple_of):
            (found,) = session.run(["alpha"], {"plate": plate.numpy(), "trimap": trimap.numpy()})
            expected = network.forward_matte(plate, trimap).numpy()  # type: ignore[operator]
            distances.append(np.abs(found - expected).max())
    except Exception as error:  # ONNX Runtime's errors share no base; whatever it is, the file is not to be used
        path.unlink(missing_ok=True)
        raise ModelError(
            f"The ONNX file cannot be run as the network can, at a size other than the traced one: {error}. "
            f"It was removed: {path}."
        ) from error
    largest = float(np.max(distances))  # unlike max() it lets a NaN through, which is then over the limit
    if not largest <= limit:
        path.unlink()
        raise ModelError(
            f"The ONNX file answers differently from the network: largest distance {largest:.2e}, allowed {limit:.0e}. "
            f"It was removed: {path}."
        )
    return largest
