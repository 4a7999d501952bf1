"""What works on this machine, found by trying it, and what to install for the rest."""

from __future__ import annotations

import dataclasses
import importlib
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gossamer.errors import ColorError, GossamerError
from gossamer.evaluation.machine import cores, memory, version_of
from gossamer.image.load_pymatting import import_pymatting
from gossamer.models.weights import list_manifests

__all__ = ["Finding", "base_job_works", "examine"]

Status = Literal["ok", "absent", "problem"]

DEFAULT_MODEL = "gossamer-s"
MEMORY_FOR_4K = 3 * 2**30
"""What a 4K frame may take with the default model."""

_GIGABYTE = 2**30
_RUNTIME = 'pip install "gossamer-matting[cpu]"\nfor NVIDIA cards: pip install "gossamer-matting[gpu]"'


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    group: str
    name: str
    status: Status
    """``ok``; ``absent``: an optional part that is not installed; ``problem``: what ought to work does not."""
    detail: str
    remedy: str = ""
    """The command or step that helps, one a line; empty if there is nothing to do."""
    is_needed: bool = False
    """Whether ``gossamer matte`` with the default model on the CPU depends on it."""


def examine(folder: Path, *, model: str = DEFAULT_MODEL) -> tuple[Finding, ...]:
    """Try everything that a user may want to use here.

    Args:
        folder: the place where results would be written; tried with an empty temporary file.
        model: a name or path as for ``--model``; solves a small picture on the CPU, and on CUDA if there is a build
            for it. The base job counts as working only if this works.
    """
    return (*_system(folder), *_base_packages(), *_models(model), *_optional_packages())


def base_job_works(findings: Sequence[Finding]) -> bool:
    """Whether nothing that the base job needs is absent or broken."""
    return all(finding.status == "ok" for finding in findings if finding.is_needed)


def _system(folder: Path) -> list[Finding]:
    python = platform.python_version()
    found = [
        Finding("system", "Python", "ok", f"{python}, {sys.executable}", is_needed=True),
        Finding("system", "machine", "ok", f"{platform.system()} {platform.machine()}, {cores()} cores"),
    ]
    sizes = memory()
    if sizes is not None:
        total, available = sizes
        text = f"{available / _GIGABYTE:.1f} GB free of {total / _GIGABYTE:.1f} GB"
        is_short = available < MEMORY_FOR_4K
        remedy = "A 4K frame needs 3 GB: close other programs, or give --tile a smaller number." if is_short else ""
        found.append(Finding("system", "memory", "problem" if is_short else "ok", text, remedy))
    found.append(_writable(folder))
    return found


def _writable(folder: Path) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".gossamer-"):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}"
        return Finding("system", "this folder", "problem", text, "Write elsewhere: gossamer matte ... -o FOLDER")
    return Finding("system", "this folder", "ok", f"{folder} can be written, {free / _GIGABYTE:.1f} GB free")


def _base_packages() -> list[Finding]:
    def package(name: str, module: str, describe: Callable[[Any], str]) -> Finding:
        return _try_import("base", name, module, describe, "pip install gossamer-matting", is_needed=True)

    found = [
        package("numpy", "numpy", _plain_version),
        package("OpenImageIO", "OpenImageIO", lambda module: str(module.VERSION_STRING)),
        package("OpenColorIO", "PyOpenColorIO", _color_config),
        package("OpenCV", "cv2", _plain_version),
        _try_import(
            "base",
            "ONNX Runtime",
            "onnxruntime",
            lambda module: f"{module.__version__}, built with {', '.join(_short(module.get_available_providers()))}",
            _RUNTIME,
            is_needed=True,
        ),
    ]
    if version_of("onnxruntime") and version_of("onnxruntime-gpu"):
        # They overwrite each other's files: which one works is an accident of the installation order.
        text = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other"
        remedy = f"pip uninstall -y onnxruntime onnxruntime-gpu\n{_RUNTIME}"
        found.append(Finding("base", "ONNX Runtime twice", "problem", text, remedy))
    return found


def _models(model: str) -> list[Finding]:
    """Check every shipped file against its hash, then solve a small picture with ``model``."""
    remedy = "pip install --force-reinstall gossamer-matting"
    found = []
    try:
        manifests = list_manifests()
    except GossamerError as error:
        manifests = []
        found.append(Finding("models", "weights", "problem", str(error), remedy))
    for manifest in manifests:
        try:
            for kind in manifest.files:
                manifest.file(kind)
        except GossamerError as error:
            found.append(Finding("models", manifest.name, "problem", str(error), remedy))
            continue
        text = f"{', '.join(sorted(manifest.files))} unchanged (SHA-256), {manifest.license}"
        found.append(Finding("models", manifest.name, "ok", text))
    found.append(_solve(model, "cpu", is_needed=True))
    if _has_cuda():
        found.append(_solve(model, "cuda", is_needed=False))
    return found


def _solve(model: str, device: str, *, is_needed: bool) -> Finding:
    name = f"{model} on {device}"
    plate = np.random.default_rng(0).random((64, 64, 3), np.float32)
    trimap = np.full((64, 64), 0.5, np.float32)
    trimap[:, :16], trimap[:, 48:] = 0, 1
    try:
        # Late: it needs the packages whose absence is to be found here.
        from gossamer.inference.solver import create_solver

        solver = create_solver(model, device=device)
        alpha = solver.solve(plate, trimap).alpha
    except (GossamerError, ImportError, OSError) as error:
        return Finding("models", name, "problem", str(error), is_needed=is_needed)
    if not np.isfinite(alpha).all():
        return Finding("models", name, "problem", "gave values that are not numbers", is_needed=is_needed)
    ran = ", ".join(f"{key} {value}" for key, value in solver.effective.items())
    return Finding("models", name, "ok", f"solved a small picture: {ran}", is_needed=is_needed)


def _has_cuda() -> bool:
    """Whether anything installed here was made for CUDA; a driver alone runs nothing."""
    try:
        if "CUDAExecutionProvider" in importlib.import_module("onnxruntime").get_available_providers():
            return True
    except ImportError:
        pass
    try:
        return bool(importlib.import_module("torch").cuda.is_available())
    except (ImportError, OSError):
        return False


def _optional_packages() -> list[Finding]:
    def package(
        name: str, module: str, purpose: str, extra: str, describe: Callable[[Any], str] = _plain_version
    ) -> Finding:
        found = _try_import("optional", name, module, describe, f'pip install "gossamer-matting[{extra}]"')
        return dataclasses.replace(found, detail=f"{found.detail} ({purpose})")

    return [
        package("PyMatting", "pymatting", "closed-form, knn, shared", "classical"),
        package("PyAV", "av", "movie files", "movie"),
        package("OpenVINO", "openvino", "--backend openvino, bf16 on the CPU", "openvino"),
        package("torch", "torch", "the papers' networks, training", "torch", _torch),
        package("safetensors", "safetensors", "weights for torch", "torch"),
        package("Lightning Fabric", "lightning_fabric", "training", "train"),
        package("ONNX", "onnx", "export", "export"),
    ]


def _try_import(
    group: str, name: str, module: str, describe: Callable[[Any], str], remedy: str, *, is_needed: bool = False
) -> Finding:
    """Import and describe. A package that is there but does not load is a problem, whatever it raises."""
    again = remedy.replace("pip install", "pip install --force-reinstall")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detail = describe(import_pymatting() if module == "pymatting" else importlib.import_module(module))
    except ModuleNotFoundError as error:
        if error.name == module:
            return Finding(group, name, "problem" if is_needed else "absent", "not installed", remedy, is_needed)
        return Finding(group, name, "problem", f"does not load: {error}", again, is_needed)
    except ColorError as error:
        return Finding(group, name, "problem", str(error), "Correct $OCIO or unset it.", is_needed)
    except Exception as error:  # a broken package may raise anything, and saying so is this module's work
        text = f"does not load: {type(error).__name__}: {error}"
        return Finding(group, name, "problem", text, again, is_needed)
    return Finding(group, name, "ok", detail, is_needed=is_needed)


def _plain_version(module: Any) -> str:
    return str(module.__version__)


def _short(providers: Sequence[str]) -> list[str]:
    return [provider.removesuffix("ExecutionProvider") for provider in providers]


def _color_config(module: Any) -> str:
    stated = os.environ.get("OCIO")
    if not stated:
        return f"{module.__version__}, built-in ACES configuration ($OCIO is not set)"
    try:
        config = module.Config.CreateFromFile(stated)
    except (module.Exception, module.ExceptionMissingFile) as error:
        raise ColorError(f"{module.__version__}, $OCIO is {stated}, which cannot be used: {error}") from error
    return f"{module.__version__}, $OCIO is {stated} ({len(list(config.getColorSpaceNames()))} colour spaces)"


def _torch(module: Any) -> str:
    if not module.cuda.is_available():
        return f"{module.__version__}, no CUDA device"
    names = [module.cuda.get_device_name(index) for index in range(module.cuda.device_count())]
    return f"{module.__version__}, CUDA {module.version.cuda} on {', '.join(names)}"
