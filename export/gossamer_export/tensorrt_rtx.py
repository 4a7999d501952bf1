"""The target ``tensorrt-rtx``: engines for RTX workstation cards, compiled ahead of time on any machine.

The compiler needs neither GPU nor driver; the engine runs where one of the named cards is, and is finished there by
the library's just-in-time compiler. Nothing in Gossamer runs such an engine yet: it is for programs that embed
TensorRT-RTX. Its manifest therefore says "built, not run", and holds the results of the ONNX file that it was made of.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from gossamer.errors import MissingDependencyError, SettingError
from gossamer_export.engine_build import compile_engine
from gossamer_export.settings import ExportSettings
from gossamer_export.source import Source
from gossamer_export.targets import Built, Target

__all__ = ["TARGET", "build_rtx", "capabilities"]

DEFAULT_GPUS = ("sm_86", "sm_89", "sm_120")
"""RTX 30 and A series, RTX 40 and Ada, RTX 50 and Blackwell workstation cards."""


def _import_rtx() -> Any:
    try:
        import tensorrt_rtx
    except ImportError as error:
        raise MissingDependencyError(
            'TensorRT-RTX is not installed: pip install "gossamer-matting[tensorrt-rtx]" (Linux and Windows).'
        ) from error
    return tensorrt_rtx


def capabilities(trt: Any) -> dict[str, Any]:
    """Compute capabilities that this version can compile for, by names as ``sm_89``."""
    members = trt.ComputeCapability.__members__
    return {f"sm_{name[2:]}": value for name, value in members.items() if name.startswith("SM")}


def build_rtx(source: Source, settings: ExportSettings, folder: Path, onnx: Path | None) -> Built:
    """Compile the certified ONNX file for the compute capabilities of ``settings.engine.gpus``.

    Raises:
        MissingDependencyError: TensorRT-RTX is not installed.
        SettingError: it cannot compile for one of these, or not without a GPU.
        ModelError: it cannot compile the graph.
    """
    assert onnx is not None
    trt = _import_rtx()
    engine = settings.engine
    known = capabilities(trt)
    gpus = engine.gpus or tuple(gpu for gpu in DEFAULT_GPUS if gpu in known)
    for gpu in gpus:
        if gpu not in known:
            raise SettingError(
                f"TensorRT-RTX {trt.__version__} has no {gpu}; it compiles for {', '.join(known)}. "
                "Data centre cards take --to tensorrt."
            )
    if engine.refit and shutil.which("nvidia-smi") is None:
        raise SettingError(
            "TensorRT-RTX needs an NVIDIA GPU to build an engine that can be refitted; leave --refit out."
        )
    manifest = source.manifest
    profiles = engine.all_profiles(multiple_of=manifest.multiple_of, margin=manifest.margin)

    def configure(_builder: Any, config: Any) -> None:
        config.num_compute_capabilities = len(gpus)
        for index, gpu in enumerate(gpus):
            config.set_compute_capability(known[gpu], index)
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, engine.workspace)
        if engine.refit:
            config.set_flag(trt.BuilderFlag.REFIT)

    plan = compile_engine(trt, onnx, profiles, configure=configure)
    path = folder / f"{onnx.stem}.{'-'.join(gpus)}.rtx"
    path.write_bytes(plan)
    options = {
        "profiles": [dataclasses.asdict(profile) for profile in profiles],
        "workspace": engine.workspace,
        "refit": engine.refit,
    }
    return Built(path, key={"compute_capabilities": list(gpus), "tensorrt_rtx": str(trt.__version__)}, options=options)


TARGET = Target("tensorrt-rtx", build_rtx, None, from_onnx=True)
