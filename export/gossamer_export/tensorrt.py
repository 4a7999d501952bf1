"""The target ``tensorrt``, and the engine builder that core's loader calls when it finds no engine for its GPU.

Engines are compiled on the GPU that they run on and are kept in the cache folder
(``gossamer.inference.backends.engine_file``). ``gossamer export --to tensorrt`` leaves a copy, with the manifest of an
artifact, beside the ONNX file that it was made of. Works with TensorRT 10 and 11, by what both have in common.

Never run: no machine with TensorRT has seen this yet. It is tested against a hand-written double of the library, and
shares all but its options with TensorRT-RTX, which is built for real.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gossamer.errors import MissingDependencyError, ModelError, SettingError
from gossamer.inference.backends import open_backend
from gossamer.inference.backends.base import UnavailableError
from gossamer.inference.backends.device_memory import driver_version, open_device_memory
from gossamer.inference.backends.engine_file import (
    EngineKey,
    EngineManifest,
    EngineRequest,
    engines_folder,
    list_engines,
    write_engine_manifest,
)
from gossamer.models.weights import Manifest, WeightsFile, file_sha256
from gossamer_export.artifact import artifact_of, toolchain
from gossamer_export.engine_build import Cancelled, Progress, compile_engine
from gossamer_export.golden import fit_cases, golden_cases
from gossamer_export.settings import EngineSettings, ExportSettings, Profile
from gossamer_export.source import Source
from gossamer_export.targets import Built, Target
from gossamer_export.verify import Infer

__all__ = ["TARGET", "build_engine", "build_tensorrt", "machine_key"]

logger = logging.getLogger(__name__)

ENGINE_NAME = "model.engine"


def _import_tensorrt() -> Any:
    try:
        import tensorrt
    except ImportError as error:
        raise MissingDependencyError(
            "TensorRT is not installed: pip install tensorrt, on a machine with an NVIDIA GPU and driver. Without one, "
            "--to tensorrt-rtx compiles ahead of time."
        ) from error
    return tensorrt


def machine_key() -> EngineKey:
    """GPU, compute capability, TensorRT and driver of this machine.

    Raises:
        MissingDependencyError: TensorRT is not installed.
        ModelError: there is no GPU that CUDA can use.
    """
    trt = _import_tensorrt()
    try:
        gpu, capability = open_device_memory().describe()
        driver = driver_version()
    except UnavailableError as error:
        raise ModelError(
            f"TensorRT compiles on the GPU that the engine is for, and here is none: {error.reason} Without a GPU, "
            "--to tensorrt-rtx --gpu sm_89 compiles ahead of time, and --to onnx runs everywhere."
        ) from error
    return EngineKey(gpu, capability, str(trt.__version__), driver)


def build_engine(
    request: EngineRequest,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    engine: EngineSettings | None = None,
) -> Path:
    """Compile an ONNX file and put engine and manifest into a folder of their own in ``request.folder``.

    Args:
        request: the graph, the sizes (height, width) and the machine. Its folder also holds the timing cache.
        progress: told how far it is.
        cancelled: asked at each step.
        engine: workspace, compatibility, refit, timing cache.

    Returns:
        Path of the engine's manifest.

    Raises:
        CancelledError: ``cancelled`` said so; nothing is left behind.
        ModelError: TensorRT cannot compile the graph, or the engine cannot be written; nothing is left behind.
    """
    with _explaining(request.folder):
        return _build_engine(request, engine or EngineSettings(), progress, cancelled)


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    """What goes wrong with files of ``folder``, in words."""
    try:
        yield
    except OSError as error:
        remedy = " Name another folder in GOSSAMER_ENGINES." if folder == engines_folder() else ""
        raise ModelError(
            f"Cannot keep the engine in {folder}: {error.strerror or error} ({error.filename or folder}).{remedy}"
        ) from error


def _build_engine(
    request: EngineRequest, engine: EngineSettings, progress: Progress | None, cancelled: Cancelled | None
) -> Path:
    trt = _import_tensorrt()
    key = request.key
    request.folder.mkdir(parents=True, exist_ok=True)
    cache = engine.timing_cache or request.folder / _timing_name(key)

    def configure(_builder: Any, config: Any) -> None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, engine.workspace)
        if engine.version_compatible:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        if engine.hardware_compatible:
            config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
        if engine.refit:
            config.set_flag(trt.BuilderFlag.REFIT)
        timings = config.create_timing_cache(cache.read_bytes() if cache.is_file() else b"")
        config.set_timing_cache(timings, False)  # measurements of another GPU are refused

    def keep_timings(config: Any) -> None:
        temporary = cache.with_name(f".{cache.name}.tmp")
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(bytes(config.get_timing_cache().serialize()))
            temporary.replace(cache)
        except OSError as error:  # they only make the next build faster; this one took minutes
            logger.warning("the builder's measurements are not kept in %s: %s", cache, error.strerror or error)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    sizes = (request.smallest, request.usual, request.largest)
    smallest, usual, largest = ((width, height) for height, width in sizes)
    profile = Profile(smallest, usual, largest)
    plan = compile_engine(
        trt, request.onnx, [profile], configure=configure, finish=keep_timings, progress=progress, cancelled=cancelled
    )
    name = _folder_name(request.model, request.onnx_sha256, request.precision, key)
    extra = {
        "toolchain": toolchain(),
        "workspace": engine.workspace,
        "version_compatible": engine.version_compatible,
        "hardware_compatible": engine.hardware_compatible,
        "refit": engine.refit,
    }
    with tempfile.TemporaryDirectory(dir=request.folder, prefix=f".{name}.") as made:
        work = Path(made) / name
        work.mkdir()
        (work / ENGINE_NAME).write_bytes(plan)
        manifest = EngineManifest(
            model=request.model,
            precision=request.precision,
            key=key,
            smallest=request.smallest,
            usual=request.usual,
            largest=request.largest,
            onnx_sha256=request.onnx_sha256,
            engine=WeightsFile(ENGINE_NAME, file_sha256(work / ENGINE_NAME), len(plan)),
            extra=extra,
        )
        return _install(work, manifest, request.folder / name)


def _install(work: Path, manifest: EngineManifest, folder: Path) -> Path:
    """Write the manifest beside the engine in ``work``, and put all that in the place of ``folder``."""
    path = write_engine_manifest(manifest, work)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)
    return folder / path.name


def _folder_name(model: str, onnx_sha256: str, precision: str, key: EngineKey) -> str:
    return f"{model}-{onnx_sha256[:12]}-{precision}-{_slug(key.gpu)}-trt{key.tensorrt}"


def _timing_name(key: EngineKey) -> str:
    return f"timing-{_slug(key.gpu)}-trt{key.tensorrt}.cache"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def build_tensorrt(source: Source, settings: ExportSettings, folder: Path, onnx: Path | None) -> Built:
    """Compile the certified ONNX file for this machine's GPU. It enters the cache when it is opened to be compared.

    Raises:
        SettingError: more than one range of sizes is asked for, or one that no golden picture fits.
        MissingDependencyError: TensorRT is not installed.
        ModelError: there is no GPU, or TensorRT cannot compile the graph.
    """
    assert onnx is not None
    engine = settings.engine
    manifest = source.manifest
    profiles = engine.all_profiles(multiple_of=manifest.multiple_of, margin=manifest.margin)
    if len(profiles) > 1:
        raise SettingError("A TensorRT engine holds one range of sizes here; give one --tile or one --size-range.")
    key = machine_key()
    smallest, usual, largest = (
        (height, width) for width, height in (profiles[0].smallest, profiles[0].best, profiles[0].largest)
    )
    fit_cases(golden_cases(manifest.multiple_of), smallest, largest)  # asked before minutes of compiling
    request = EngineRequest(
        model=manifest.name,
        onnx=onnx,
        onnx_sha256=file_sha256(onnx),
        precision=settings.precision,
        key=key,
        smallest=smallest,
        usual=usual,
        largest=largest,
        folder=folder / "engines",
    )
    timings = engine.timing_cache or engines_folder() / _timing_name(key)
    built = build_engine(request, engine=dataclasses.replace(engine, timing_cache=timings))
    path = folder / f"{onnx.stem}.{_slug(key.gpu)}.engine"
    built.with_name(ENGINE_NAME).replace(path)
    options = {
        "profiles": [dataclasses.asdict(profiles[0])],
        "workspace": engine.workspace,
        "version_compatible": engine.version_compatible,
        "hardware_compatible": engine.hardware_compatible,
        "refit": engine.refit,
    }
    return Built(path, key=dataclasses.asdict(key), options=options)


def open_tensorrt(manifest: Manifest) -> Infer | None:
    """The engine on the GPU that it was built for, through core's loader; None on any other machine.

    The loader takes engines from the cache by the ONNX file they were made of, so the artifact's engine is put there
    if it is not there already.
    """
    artifact = artifact_of(manifest)
    try:
        key = machine_key()
    except (MissingDependencyError, ModelError):
        return None
    if dataclasses.asdict(key) != dict(artifact.key):
        return None
    with _explaining(engines_folder()):
        _into_cache(manifest, key)
    return open_backend(manifest, backend="tensorrt", device="cuda", precision=artifact.precision).infer


def _into_cache(manifest: Manifest, key: EngineKey) -> None:
    artifact = artifact_of(manifest)
    engine, onnx_sha256 = manifest.file("tensorrt"), manifest.files["onnx"].sha256
    folder = engines_folder()
    for found in _cached(manifest):
        if found.engine.sha256 == manifest.files["tensorrt"].sha256:
            return
        shutil.rmtree(found.folder)
    profile = artifact.options["profiles"][0]
    smallest, usual, largest = ((profile[name][1], profile[name][0]) for name in ("smallest", "best", "largest"))
    name = _folder_name(manifest.name, onnx_sha256, artifact.precision, key)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as made:
        work = Path(made) / name
        work.mkdir()
        shutil.copyfile(engine, work / ENGINE_NAME)
        entry = dataclasses.replace(manifest.files["tensorrt"], path=ENGINE_NAME)
        cached = EngineManifest(manifest.name, artifact.precision, key, smallest, usual, largest, onnx_sha256, entry)
        _install(work, cached, folder / name)


def _cached(manifest: Manifest) -> list[EngineManifest]:
    """Engines in the cache for the artifact's graph, precision and machine."""
    artifact = artifact_of(manifest)
    wanted = (manifest.files["onnx"].sha256, artifact.precision, dict(artifact.key))
    return [
        found
        for found in list_engines(engines_folder())
        if (found.onnx_sha256, found.precision, dataclasses.asdict(found.key)) == wanted
    ]


def _discard(manifest: Manifest) -> None:
    for found in _cached(manifest):
        shutil.rmtree(found.folder)


TARGET = Target("tensorrt", build_tensorrt, open_tensorrt, from_onnx=True, discard=_discard)
