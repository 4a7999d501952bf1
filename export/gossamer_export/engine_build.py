"""What TensorRT and TensorRT-RTX share: an ONNX file in, a serialised engine out.

The network is strongly typed: precision is that of the ONNX file, on TensorRT 10 and 11 alike (11 knows nothing else).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gossamer.errors import CancelledError, ModelError
from gossamer_export.settings import Profile

__all__ = ["Cancelled", "Progress", "compile_engine", "set_profiles"]

Progress = Callable[[float, str], None]
"""Told how far the build is, 0..1, and what goes on."""
Cancelled = Callable[[], bool]
BATCH = 1
"""Engines take one picture at a time: batches gain nothing (core/decisions/0010-tiles.md)."""


def compile_engine(
    trt: Any,
    onnx: Path,
    profiles: Sequence[Profile],
    *,
    configure: Callable[[Any, Any], None],
    finish: Callable[[Any], None] = lambda config: None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> bytes:
    """Compile ``onnx`` with the library ``trt`` (``tensorrt`` or ``tensorrt_rtx``).

    Args:
        trt: the module.
        onnx: the graph; what it computes in float32 or half stays so.
        profiles: sizes that the engine takes.
        configure: called with builder and configuration before the build.
        finish: called with the configuration after it.
        progress: told about each step.
        cancelled: asked at each step.

    Raises:
        CancelledError: ``cancelled`` said so.
        ModelError: the library cannot read or compile the graph; the message is the library's.
    """
    log = _make_log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        reasons = [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]
        raise ModelError(f"{trt.__name__} {trt.__version__} cannot read {onnx.name}: {'; '.join(reasons)}.")
    config = builder.create_builder_config()
    # On by default: convolutions that the file states in float32 would be computed with 10 bits.
    config.clear_flag(trt.BuilderFlag.TF32)
    set_profiles(builder, config, network, profiles)
    configure(builder, config)
    config.progress_monitor = _make_monitor(trt, progress, cancelled)
    plan = builder.build_serialized_network(network, config)
    if cancelled is not None and cancelled():
        raise CancelledError(f"Building the engine of {onnx.name} was cancelled; nothing was written.")
    if plan is None:
        reason = "; ".join(log.errors) or "it gives no reason"
        raise ModelError(f"{trt.__name__} {trt.__version__} cannot compile {onnx.name}: {reason}.")
    finish(config)
    return bytes(plan)


def set_profiles(builder: Any, config: Any, network: Any, profiles: Sequence[Profile]) -> None:
    """Tell the builder which sizes are asked for, for every input of the network."""
    for wanted in profiles:
        profile = builder.create_optimization_profile()
        for index in range(network.num_inputs):
            tensor = network.get_input(index)
            channels = tensor.shape[1]
            least, best, most = (
                (BATCH, channels, height, width) for width, height in (wanted.smallest, wanted.best, wanted.largest)
            )
            profile.set_shape(tensor.name, least, best, most)
        if config.add_optimization_profile(profile) < 0:
            raise ModelError(f"The engine's builder refuses the size range {wanted.text}. Give a smaller --size-range.")


def _parser_error(error: Any) -> str:
    return f"{error.node_name() or 'graph'}: {error.desc()}"


def _make_log(trt: Any) -> Any:
    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps what the library calls an error, for the message to the user."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message.strip())

    return Log()


def _make_monitor(trt: Any, progress: Progress | None, cancelled: Cancelled | None) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Passes the build's steps on, and stops it."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._outermost = ""

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = max(num_steps, 1)
            if not parent_phase:
                self._outermost = phase_name

        def step_complete(self, phase_name: str, step: int) -> bool:
            if progress is not None and phase_name == self._outermost:
                progress(min((step + 1) / self._steps[phase_name], 1.0), phase_name)
            return cancelled is None or not cancelled()

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()
