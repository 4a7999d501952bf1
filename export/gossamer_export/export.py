"""One export from end to end: build, compare, vouch, and only then move into place."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from gossamer.errors import DataError, ModelError
from gossamer.models.weights import Manifest, read_manifest
from gossamer_export.artifact import Artifact, artifact_of, describe_ports, read_artifact, toolchain, vouch
from gossamer_export.diagnose import diagnose
from gossamer_export.settings import ExportSettings
from gossamer_export.source import Source, open_source, source_of
from gossamer_export.targets import Built, Target, find_target
from gossamer_export.verify import LIMITS, Infer, Limits, Results, Sizes, compare, over_limits, time_artifact

__all__ = ["export", "verify_artifact"]

logger = logging.getLogger(__name__)

Say = Callable[[str], None]


def export(settings: ExportSettings, output: Path, *, limits: Limits | None = None, say: Say = logger.info) -> Manifest:
    """Build an artifact, compare it with its network on the golden inputs, and put it into ``output``.

    Everything happens in a folder beside it first: a refusal leaves ``output`` as it was.

    Args:
        settings: what to export.
        output: folder for the artifact and its manifest; made if missing. An artifact of the same name is replaced.
        limits: other limits than those of the precision (``verify.LIMITS``).
        say: told about each step.

    Returns:
        The artifact's manifest, as read back from ``output``.

    Raises:
        ModelError: the artifact cannot be built here, or answers differently from the network.
        DataError: ``output`` cannot be written.
    """
    target = find_target(settings.target)
    settings.check_options()
    if target.any_size:
        settings = dataclasses.replace(settings, self_contained=True)
    source = open_source(settings.model, random_seed=settings.random_seed)
    limits = limits or LIMITS[settings.precision]
    output = output.resolve()
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".export.") as made:
            work = Path(made)
            earlier = None
            if target.from_onnx:
                earlier = _make(find_target("onnx"), source, settings, limits, work, None, say)
            manifest = _make(target, source, settings, limits, work, earlier, say)
            for finished in (earlier, manifest):
                if finished is not None:
                    _move(finished, output)
    except OSError as error:
        raise DataError(f"Cannot write the artifact to {output}: {error.strerror or error}.") from error
    return read_manifest(output / _manifest_name(manifest))


def _make(
    target: Target,
    source: Source,
    settings: ExportSettings,
    limits: Limits,
    work: Path,
    earlier: Manifest | None,
    say: Say,
) -> Manifest:
    """Build and certify one file in ``work``; ``earlier`` is the ONNX artifact that an engine is compiled from."""
    say(f"Building {target.name} {settings.precision} of {source.manifest.name} ...")
    onnx = earlier.file("onnx") if earlier is not None else None
    built = target.build(source, settings, work, onnx)
    files = {target.name: built.path, **built.companions}
    graph = built.path if target.name == "onnx" else onnx
    if graph is not None:
        files["onnx"] = graph
        if settings.precision == "fp16":  # where the loaders look that ask for half precision
            files["onnx-fp16"] = graph
    # The loader wants a manifest before it opens anything; this one is replaced when there is something to vouch for.
    manifest = vouch(source.manifest, _draft(target, source, settings, limits, built, earlier), files)
    infer = target.open(manifest) if target.open is not None else None
    draft = artifact_of(manifest)
    if infer is None:
        why = "Gossamer has no loader for it" if target.open is None else "this machine cannot run it"
        say(f"{built.path.name}: built, not run ({why})")
        return manifest
    say(f"Comparing {built.path.name} with the network ...")
    try:
        results = _compare(infer, source, draft)
        found = over_limits(results, limits)
        if found and not settings.force:
            raise ModelError(_refusal(target, built.path, source, settings, results, found))
    except ModelError:
        target.discard(manifest)
        raise
    if found:
        # It stays in its folder, under a manifest that says so; out of the cache the weights would run on it unwarned.
        target.discard(manifest)
        say(f"{built.path.name}: {'; '.join(found)}. Kept, because --force was given; its manifest says so.")
    certified = dataclasses.replace(
        draft,
        status="built, run",
        results=dataclasses.asdict(results),
        timing=time_artifact(infer, needs_trimap=source.manifest.needs_trimap, sizes=_sizes(draft)),
        forced=draft.forced or bool(found),
    )
    return vouch(source.manifest, certified, files)


def _compare(infer: Infer, source: Source, artifact: Artifact) -> Results:
    manifest = source.manifest
    return compare(
        infer,
        source.network,
        multiple_of=manifest.multiple_of,
        needs_trimap=manifest.needs_trimap,
        any_size=artifact.self_contained,
        sizes=_sizes(artifact),
        precision=artifact.precision,
    )


def _sizes(artifact: Artifact) -> Sizes | None:
    """The range of an engine that holds one; None for files that take any size."""
    profiles = artifact.options.get("profiles")
    if not profiles:
        return None
    least, most = ((profiles[0][name][1], profiles[0][name][0]) for name in ("smallest", "largest"))
    return least, most


def _draft(
    target: Target, source: Source, settings: ExportSettings, limits: Limits, built: Built, earlier: Manifest | None
) -> Artifact:
    manifest = source.manifest
    inputs, outputs = built.ports or describe_ports(
        needs_trimap=manifest.needs_trimap, multiple_of=manifest.multiple_of, self_contained=settings.self_contained
    )
    built_from = {}
    if earlier is not None:
        results = artifact_of(earlier).results
        built_from = {"onnx": earlier.files["onnx"].path, "sha256": earlier.files["onnx"].sha256, "results": results}
    return Artifact(
        target=target.name,
        precision=settings.precision,
        self_contained=settings.self_contained,
        status="built, not run",
        source=source.identity,
        toolchain=toolchain(),
        inputs=inputs,
        outputs=outputs,
        limits=limits.stated(),
        forced=earlier is not None and artifact_of(earlier).forced,
        key=built.key,
        options=built.options,
        built_from=built_from,
    )


def _refusal(
    target: Target, path: Path, source: Source, settings: ExportSettings, results: Results, found: list[str]
) -> str:
    """What the user is told when an artifact is over its limits."""
    lines = [
        f"{path.name} answers differently from the network {source.manifest.name}: {'; '.join(found)}.",
        f"The worst input is {results.worst_input}. Nothing was written.",
    ]
    is_graph = target.name == "onnx"
    if (is_graph or target.from_onnx) and source.onnx is not None and not settings.retrace:
        lines.append("It was made of the weights' own ONNX file; --retrace writes the graph anew.")
    if target.from_onnx:
        lines.append("Its ONNX file agrees with the network, so the engine's compiler is at fault.")
    if is_graph and settings.diagnose:
        lines.append(diagnose(path, source, precision=settings.precision, label=results.worst_input))
    elif is_graph:
        lines.append("--diagnose names the first layer that differs.")
    lines.append("--force keeps it knowingly; its manifest will say so.")
    return " ".join(lines)


def _manifest_name(manifest: Manifest) -> str:
    return f"{manifest.files[artifact_of(manifest).target].path}.json"


def _move(manifest: Manifest, output: Path) -> None:
    """The files first, their manifest last: what is cut off in between is refused by its hash."""
    names = dict.fromkeys(entry.path for entry in manifest.files.values() if (manifest.folder / entry.path).exists())
    for part in (*names, _manifest_name(manifest)):
        (manifest.folder / part).replace(output / part)


def verify_artifact(path: Path, *, model: str = "", explain: bool = False) -> Results:
    """Compare an artifact that exists with its network, by the limits in its manifest.

    An engine enters the cache to be run; one that is over its limits is taken out again.

    Args:
        path: the artifact.
        model: name or path of the weights it was made of; empty: the shipped ones of that name.
        explain: name the first layer that differs.

    Raises:
        ModelError: the file was changed, cannot be run here, was made of other weights, or is over its limits.
    """
    manifest, artifact = read_artifact(path)
    source = source_of(manifest, artifact, model)
    target = find_target(artifact.target)
    if target.open is None:
        raise ModelError(
            f"{path.name} is whole and unchanged, but Gossamer has no loader for {artifact.target}: verify the ONNX "
            f"file that it was compiled from, {artifact.built_from['onnx']}."
        )
    infer = target.open(manifest)
    if infer is None:
        raise ModelError(
            f"{path.name} is whole and unchanged, but this machine cannot run it: {artifact.target} needs the GPU "
            f"that it was built for ({', '.join(f'{name} {value}' for name, value in artifact.key.items())})."
        )
    limits = Limits(**artifact.limits)
    try:
        results = _compare(infer, source, artifact)
        found = over_limits(results, limits)
        if found:
            message = f"{path.name} answers differently from {source.manifest.name}: {'; '.join(found)}."
            message += f" The worst input is {results.worst_input}."
            if explain and artifact.target == "onnx":
                message += " " + diagnose(
                    manifest.file("onnx"), source, precision=artifact.precision, label=results.worst_input
                )
            raise ModelError(f"{message} Export it again.")
    except ModelError:
        target.discard(manifest)
        raise
    return results
