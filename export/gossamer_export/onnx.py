"""ONNX: write a network under the product's contract, and look whether a graph is sound.

What is made out of the graph afterwards: ``half.py`` (fp16), ``self_contained.py`` (padding inside). Whether it answers
as the network does: ``verify.py``.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.errors import MissingDependencyError, ModelError

__all__ = ["OPSET", "check_graph", "import_onnx", "write_onnx"]

OPSET = 18
"""ONNX Runtime 1.14 and later read it."""


class _WithTrimap(nn.Module):
    """Inputs ``plate`` and ``trimap``, output ``alpha``: what product.md promises, whatever is inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, plate: Tensor, trimap: Tensor) -> Tensor:
        alpha: Tensor = self.network.forward_matte(plate, trimap)  # type: ignore[operator]
        return alpha


class _WithoutTrimap(nn.Module):
    """The same for a trimap-free network: ``plate`` is all it is shown."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, plate: Tensor) -> Tensor:
        alpha: Tensor = self.network.forward_matte(plate)  # type: ignore[operator]
        return alpha


def import_onnx() -> Any:
    """The package ``onnx``, or the command that installs it."""
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError('Writing ONNX needs onnx: pip install "gossamer-matting[export]".') from error
    return onnx


def write_onnx(network: nn.Module, path: Path, *, multiple_of: int, needs_trimap: bool = True) -> None:
    """Write ``network`` as one ONNX file with free batch, height and width.

    The graph takes ``plate`` (N 3 H W float32, sRGB-encoded, 0..1) and, if ``needs_trimap``, ``trimap`` (N 1 H W float32
    in {0, 0.5, 1}), and gives ``alpha`` (N 1 H W, 0..1, the trimap's known pixels enforced). H and W have to be
    multiples of ``multiple_of``.

    Raises:
        MissingDependencyError: the packages of the extra ``export`` are not installed.
        ModelError: the exporter cannot express the network.
    """
    import_onnx()  # the exporter needs it, and says so only at its end
    network.eval()
    # Traced at batch 2 and unequal sides, so that nothing of the trace can pass for a constant of the picture.
    plate = torch.rand(2, 3, 6 * multiple_of, 5 * multiple_of, generator=torch.Generator().manual_seed(0))
    trimap = plate[:, :1].mul(3).floor().div(2)
    free = {0: "n", 2: "h", 3: "w"}
    names = ["plate", "trimap"] if needs_trimap else ["plate"]
    contract = _WithTrimap(network) if needs_trimap else _WithoutTrimap(network)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # The tracing exporter announces its retirement. The newer one needs minutes for the prior's thousands of
            # small operations (core/decisions/0003-onnx-exporter.md).
            warnings.simplefilter("ignore")
            torch.onnx.export(
                contract.eval(),
                (plate, trimap)[: len(names)],
                str(temporary),
                dynamo=False,
                opset_version=OPSET,
                input_names=names,
                output_names=["alpha"],
                dynamic_axes={name: free for name in (*names, "alpha")},
            )
        temporary.replace(path)
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ModelError(f"The network cannot be written as ONNX: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_graph(path: Path) -> None:
    """ONNX's own check of a file, and its strict inference of every shape.

    Raises:
        ModelError: the graph breaks the rules of ONNX; the message is the checker's.
    """
    onnx = import_onnx()
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:  # the checker's and the inference's exceptions share no base
        raise ModelError(f"{path.name} is not a sound ONNX graph: {str(error).strip()}") from error
