"""Commands of this room, added to ``gossamer`` through the entry point group ``gossamer.commands``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gossamer.errors import SettingError

__all__ = ["register"]

WHAT, ENGINE, CHECK = "What to export", "Engines", "Checks"


def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the weights; its name becomes theirs.")],
    license_text: Annotated[
        str, typer.Option("--license", help="Terms of the weights, as what they were trained on allows: Apache-2.0.")
    ],
    source: Annotated[
        list[str] | None, typer.Option("--source", help="'NAME: LICENCE' of something trained on; repeatable.")
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluation",
            help="JSON of `gossamer evaluate` for these very weights, measured in one way; one for each folder and "
            "trimap.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="What it was trained on, in words.")] = "",
    blend: Annotated[
        str,
        typer.Option(help="Name or path of weights, as those the run started from: publish the mean of both."),
    ] = "",
    blend_share: Annotated[float | None, typer.Option(help="Share of --blend in that mean, between 0 and 1.")] = None,
) -> None:
    """Turn a training run into weights: safetensors, ONNX (checked against the network) and manifest."""
    from gossamer_export.publish import publish as write

    manifest = write(
        run,
        output,
        license_text=license_text,
        sources=source or [],
        evaluations=evaluation or [],
        device=device,
        blend=blend,
        blend_share=blend_share,
    )
    for kind, entry in manifest.files.items():
        typer.echo(f"{kind}: {output / entry.path} {entry.bytes / 1e6:.1f} MB {entry.sha256[:12]}")
    typer.echo(f"ONNX against torch, largest distance of alpha: {manifest.training['onnx_distance']:.1e}")


def export(
    model: Annotated[
        str,
        typer.Argument(help="Name or path of weights. With --verify: of those that the artifact was made of."),
    ] = "",
    *,
    to: Annotated[
        str, typer.Option("--to", help="onnx, tensorrt, tensorrt-rtx or nuke.", rich_help_panel=WHAT)
    ] = "onnx",
    precision: Annotated[
        Literal["fp32", "fp16"],
        typer.Option(help="Of the learned layers; inputs and output are float32 either way.", rich_help_panel=WHAT),
    ] = "fp32",
    self_contained: Annotated[
        bool,
        typer.Option(
            "--self-contained",
            help="Take pictures of any size: padding and the trimap's known pixels are handled inside the file.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the artifact.", rich_help_panel=WHAT)
    ] = None,
    tile: Annotated[
        list[int] | None,
        typer.Option(help="Engine: be fast at what `gossamer matte --tile` shows; repeatable.", rich_help_panel=ENGINE),
    ] = None,
    size_range: Annotated[
        list[str] | None,
        typer.Option(
            help="Engine: sizes it accepts, MIN:MAX or MIN:BEST:MAX, each WIDTHxHEIGHT; repeatable.",
            rich_help_panel=ENGINE,
        ),
    ] = None,
    gpu: Annotated[
        str,
        typer.Option(help="TensorRT-RTX: compute capabilities, as sm_86,sm_89,sm_120.", rich_help_panel=ENGINE),
    ] = "",
    workspace: Annotated[
        int, typer.Option(help="Engine: MiB of GPU memory for the builder's kernels.", rich_help_panel=ENGINE)
    ] = 2048,
    version_compatible: Annotated[
        bool,
        typer.Option(
            "--version-compatible",
            help="TensorRT: also for later versions of the same major one.",
            rich_help_panel=ENGINE,
        ),
    ] = False,
    hardware_compatible: Annotated[
        bool,
        typer.Option(
            "--hardware-compatible", help="TensorRT: also for other GPUs from Ampere on.", rich_help_panel=ENGINE
        ),
    ] = False,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit", help="Engine: weights can be exchanged without building again.", rich_help_panel=ENGINE
        ),
    ] = False,
    timing_cache: Annotated[
        Path | None,
        typer.Option(
            help="TensorRT: file of the builder's measurements; left out: in the cache.", rich_help_panel=ENGINE
        ),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            help="Compare this artifact with its network again, by the limits in its manifest.", rich_help_panel=CHECK
        ),
    ] = None,
    diagnose: Annotated[
        bool,
        typer.Option(
            "--diagnose", help="If it answers differently: name the first node that does.", rich_help_panel=CHECK
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Keep it although it is over the limits; its manifest says so.", rich_help_panel=CHECK
        ),
    ] = False,
    retrace: Annotated[
        bool,
        typer.Option(
            "--retrace",
            help="Write the graph anew instead of taking the ONNX file of the weights.",
            rich_help_panel=CHECK,
        ),
    ] = False,
    random_weights: Annotated[
        int | None,
        typer.Option(
            help="Build the network MODEL with random weights of this seed: to try a target.", rich_help_panel=CHECK
        ),
    ] = None,
) -> None:
    """Compile weights for an engine, and prove on golden inputs that the result answers as the network does.

    Limits on alpha in the unknown region, of networks without a trimap everywhere: fp32 1e-4 at most; fp16 1e-3 on
    average and 1e-2 for 99.9 % of the pixels. Known pixels are exactly 0 and 1. Otherwise nothing is written.
    FILE.json beside each artifact vouches for it.
    """
    from gossamer_export.artifact import artifact_of
    from gossamer_export.export import export as make
    from gossamer_export.export import verify_artifact
    from gossamer_export.settings import EngineSettings, ExportSettings, profile_of_range

    if verify is not None:
        results = verify_artifact(verify, model=model, explain=diagnose)
        typer.echo(f"{verify}: unchanged, and it answers as its network does")
        typer.echo(_numbers(vars(results)))
        return
    if not model or output is None:
        raise SettingError("Give the weights to export and a folder: gossamer export gossamer-s --to onnx -o FOLDER.")
    settings = ExportSettings(
        model=model,
        target=to,
        precision=precision,
        self_contained=self_contained,
        retrace=retrace,
        force=force,
        diagnose=diagnose,
        random_seed=random_weights,
        engine=EngineSettings(
            profiles=tuple(profile_of_range(text) for text in size_range or ()),
            tiles=tuple(tile or ()),
            gpus=tuple(part.strip() for part in gpu.split(",") if part.strip()),
            workspace=workspace << 20,
            version_compatible=version_compatible,
            hardware_compatible=hardware_compatible,
            refit=refit,
            timing_cache=timing_cache,
        ),
    )
    manifest = make(settings, output, say=lambda text: typer.echo(text, err=True))
    artifact = artifact_of(manifest)
    for kind, entry in manifest.files.items():
        typer.echo(f"{kind}: {output / entry.path} {entry.bytes / 1e6:.1f} MB {entry.sha256[:12]}")
    typer.echo(f"status: {artifact.status}{', over the limits, kept by --force' if artifact.forced else ''}")
    if artifact.results is not None:
        typer.echo(_numbers(artifact.results))
    if artifact.timing is not None:
        typer.echo(
            "{size}: {milliseconds} ms ({cpu_milliseconds} ms of CPU time) on {machine}".format(**artifact.timing)
        )


def _numbers(results: Mapping[str, Any]) -> str:
    """Results for people."""
    where = "unknown region" if results["region"] == "unknown" else "whole picture"
    tied = results.get("undecided_pixels", 0)
    aside = f"\n{tied} pixels set aside, where rounding decides between two classes" if tied else ""
    return (
        "alpha against the network, {where}: largest {max:.1e}, mean {mean:.1e}, 99.9th percentile {p999:.1e}; "
        "worst: {worst_input}\n"
        "SAD on the truth set: network {sad_network:.4f}, artifact {sad_artifact:.4f}, "
        "largest difference {sad_difference:.1e}"
    ).format(**results, where=where) + aside


def list_engines() -> None:
    """Show the compiled engines in the cache, and for which machine each is."""
    from gossamer.inference.backends.engine_file import engines_folder
    from gossamer_export.engines import find_engines, this_machine

    folder, key = engines_folder(), this_machine()
    engines = find_engines(folder)
    for engine in engines:
        typer.echo(f"{engine.folder.name}  {engine.bytes / 1e6:.1f} MB")
        if engine.problem:
            typer.echo(f"  cannot be used: {engine.problem}")
            continue
        if engine.manifest is None:
            typer.echo("  compiled by ONNX Runtime (--backend onnxruntime-tensorrt), which checks it itself")
            continue
        made = engine.manifest.key
        sizes = "x".join(map(str, reversed(engine.manifest.smallest)))
        sizes += " to " + "x".join(map(str, reversed(engine.manifest.largest)))
        here = "" if key is None else " (this machine)" if made == key else f" (not here: {made.differences(key)})"
        typer.echo(
            f"  {engine.manifest.precision}, {sizes}; {made.gpu} ({made.compute_capability}), "
            f"TensorRT {made.tensorrt}, driver {made.driver}{here}"
        )
    typer.echo(f"{len(engines)} engines, {sum(engine.bytes for engine in engines) / 1e6:.1f} MB in {folder}")


def prune_engines(
    everything: Annotated[bool, typer.Option("--all", help="Remove every engine, usable or not.")] = False,
) -> None:
    """Remove engines that are damaged or, if there is a GPU here, were compiled for another machine."""
    from gossamer.inference.backends.engine_file import engines_folder
    from gossamer_export.engines import prune_engines as prune
    from gossamer_export.engines import this_machine

    key = this_machine()
    removed = prune(engines_folder(), key, everything=everything)
    for engine in removed:
        typer.echo(f"removed {engine.folder.name}")
    typer.echo(f"{len(removed)} engines, {sum(engine.bytes for engine in removed) / 1e6:.1f} MB removed")
    if key is None and not everything:
        typer.echo("No GPU with TensorRT here, so engines of other machines were kept; --all removes them.")


def register(app: typer.Typer) -> None:
    """Add this room's commands to ``app``."""
    app.command()(publish)
    app.command()(export)
    engines = typer.Typer(help="The cache of compiled TensorRT engines.", no_args_is_help=True)
    engines.command("list")(list_engines)
    engines.command("prune")(prune_engines)
    app.add_typer(engines, name="engines")
