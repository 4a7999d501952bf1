"""``gossamer matte``: a plate and a rough guide to alpha on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gossamer.cli.job_runner import absolute, choose_existing, perform, refuse_picture
from gossamer.config import Band, Job, Outputs, save_job

__all__ = ["build_job", "register"]

GUIDES = "Where to look"
FRAMES = "Frames and colour"
MODEL = "Model"
OUTPUT = "Output"

EPILOG = """
Which guide wins: --garbage over --core over --trimap over --mask. Any mixture works; --core and --garbage alone \
leave everything else unknown.

Distances are in pixels at a plate width of 1920 and scale with the plate.

Exit codes: 0 done; 1 other errors; 2 settings; 3 a package is missing; 4 a frame; 5 colour; 6 model; 7 data; \
130 cancelled. \
Frames that were finished stay whatever happens later, and --skip-existing goes on from there.

Examples:

gossamer matte plate.exr --trimap trimap.png -o matte.exr

gossamer matte shot/plate.####.exr --trimap shot/trimap.####.exr -o out/ --frames 1001-1100

gossamer matte shot/plate.%04d.exr --mask roto/mask.%04d.exr --band-in 8 --band-out 30 -o out/shot_matte.%04d.exr

gossamer matte plate.mov --core core/ --garbage garbage/ -o out/ --output-channels premult --comp checker
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(name="matte", epilog=EPILOG)(matte)


def build_job(
    *,
    plate: str,
    trimap: str = "",
    mask: str = "",
    core: str = "",
    garbage: str = "",
    band_in: float = Band.inside,
    band_out: float = Band.outside,
    frames: str = "",
    missing: Literal["error", "skip"] = "error",
    plate_space: str = "",
    model: str = Job.model,
    backend: Literal["auto", "onnxruntime", "openvino", "torch", "tensorrt", "onnxruntime-tensorrt"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto",
    tile: int = 0,
    threads: int = 0,
    strategy: Literal["auto", "tiles", "whole", "resize", "hybrid"] = "auto",
    tta: Literal["none", "flips", "fine", "views"] = "none",
    refine: int = 0,
    refine_carry: bool = False,
    nonlocal_mean: Literal["auto", "on", "off"] = "auto",
    outputs: Outputs,
) -> Job:
    """The job for these settings, with paths that mean the same from any folder."""
    from gossamer.image.comp import BACKDROPS
    from gossamer.inference.solver import CLASSICAL
    from gossamer.models.weights import SHIPPED

    is_path = model not in CLASSICAL and not (SHIPPED / model).is_dir() and Path(model).exists()
    comp = outputs.comp if outputs.comp in BACKDROPS else absolute(outputs.comp)
    return Job(
        plate=absolute(plate),
        trimap=absolute(trimap),
        mask=absolute(mask),
        core_matte=absolute(core),
        garbage_matte=absolute(garbage),
        band=Band(band_in, band_out),
        frames=frames,
        missing=missing,
        plate_space=plate_space,
        model=absolute(model) if is_path else model,
        backend=backend,
        device=device,
        precision=precision,
        tile=tile,
        threads=threads,
        strategy=strategy,
        tta=tta,
        refine=refine,
        refine_carry=refine_carry,
        nonlocal_mean=nonlocal_mean,
        outputs=Outputs(**{**vars(outputs), "path": absolute(outputs.path), "comp": comp}),
    )


def matte(
    plate: Annotated[
        str,
        typer.Argument(
            help="A picture, a sequence (shot.####.exr, shot.%04d.exr), a folder, or a movie (frames from 1). "
            "shot.1001.exr is that one frame; with --frames, the sequence it belongs to."
        ),
    ],
    *,
    trimap: Annotated[
        str,
        typer.Option(
            "-t",
            "--trimap",
            help="0 background, 1 foreground, between: unknown. Read from alpha if it says something, else red. Never "
            "colour-managed. A still serves every frame.",
            rich_help_panel=GUIDES,
        ),
    ] = "",
    mask: Annotated[
        str,
        typer.Option(
            help="A roto or AI mask; the trimap is made from its edge with --band-in and --band-out.",
            rich_help_panel=GUIDES,
        ),
    ] = "",
    band_in: Annotated[
        float, typer.Option(help="Unknown pixels inside the mask's edge, at 1920.", rich_help_panel=GUIDES)
    ] = Band.inside,
    band_out: Annotated[
        float, typer.Option(help="Unknown pixels outside the mask's edge, at 1920.", rich_help_panel=GUIDES)
    ] = Band.outside,
    core: Annotated[
        str, typer.Option(help="Core matte: 1 is surely foreground. Wins over trimap and mask.", rich_help_panel=GUIDES)
    ] = "",
    garbage: Annotated[
        str,
        typer.Option(help="Garbage matte: 1 is surely background. Wins over everything.", rich_help_panel=GUIDES),
    ] = "",
    frames: Annotated[
        str, typer.Option(help="1001-1100x2,1150. Left out: every frame there is.", rich_help_panel=FRAMES)
    ] = "",
    missing: Annotated[
        Literal["error", "skip"],
        typer.Option(
            help="When plate or guide lack a frame: stop before anything is done, or leave it out and report it.",
            rich_help_panel=FRAMES,
        ),
    ] = "error",
    plate_space: Annotated[
        str,
        typer.Option(
            help="OCIO colour space, role or alias of the plate (ACEScg, lin_rec709, srgb_tx ...). Left out: what the "
            "header says; else sRGB for 8 and 16 bit, scene-linear Rec.709 for float.",
            rich_help_panel=FRAMES,
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            "-m",
            "--model",
            help="A name of `gossamer models`, closed-form, knn, shared, or the path of weights.",
            rich_help_panel=MODEL,
        ),
    ] = Job.model,
    backend: Annotated[
        Literal["auto", "onnxruntime", "openvino", "torch", "tensorrt", "onnxruntime-tensorrt"],
        typer.Option(
            help="Library that runs the network. auto: the fastest that works here without compiling first.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option(help="auto: a CUDA device if one can be used.", rich_help_panel=MODEL),
    ] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "fp16", "bf16"],
        typer.Option(
            help="auto is fp32. bf16 is faster on processors that have it (with openvino). fp16 needs CUDA.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    tile: Annotated[
        int,
        typer.Option(
            help="Largest side of a tile in pixels, without the margin that is read around it; 0 chooses. Smaller "
            "takes less memory and more time.",
            rich_help_panel=MODEL,
        ),
    ] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 is all cores.", rich_help_panel=MODEL)] = 0,
    strategy: Annotated[
        Literal["auto", "tiles", "whole", "resize", "hybrid"],
        typer.Option(
            help="tiles: only where it is unknown. whole: all of it in one pass, at most 2176 pixels a side. resize, "
            "hybrid: GFM's own, the whole picture reduced. auto: what the network was made for.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    tta: Annotated[
        Literal["none", "flips", "fine", "views"],
        typer.Option(
            help="Average over the mirrored picture (twice the time), over the picture half as large again (3 times; "
            "fine: for detail near the size of a pixel), or over 8 views at 3 scales (26 times).",
            rich_help_panel=MODEL,
        ),
    ] = "none",
    refine: Annotated[
        int,
        typer.Option(
            metavar="STEPS",
            help="Steer the network until the matte meets the trimap's borders, tile by tile: gossamer-s and lsa-r50d, "
            "with torch. 0 is off, the paper takes 100.",
            rich_help_panel=MODEL,
        ),
    ] = 0,
    refine_carry: Annotated[
        bool,
        typer.Option(
            "--refine-carry",
            help="Begin each frame's refinement where the one before ended. Fewer steps may do, but a frame then "
            "depends on those before it: chunks of a farm differ from one long run.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    nonlocal_mean: Annotated[
        Literal["auto", "on", "off"],
        typer.Option(
            "--nonlocal",
            help="Let pixels of like colour draw each other's alpha together, anywhere in the band, once the network "
            "has answered. auto: for gossamer-s.",
            rich_help_panel=MODEL,
        ),
    ] = "auto",
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="A folder (files get the plate's name and _alpha), a file, or a pattern. EXR; a name that ends in "
            ".png or .tif gives the matte alone, 16 bit.",
            rich_help_panel=OUTPUT,
        ),
    ],
    output_channels: Annotated[
        Literal["alpha", "grey", "rgba", "premult"],
        typer.Option(
            help="alpha alone; grey: the same as a grey picture; "
            "rgba: the plate's own RGB bit for bit, and alpha; premult: foreground colours times "
            "alpha in scene-linear, and alpha.",
            rich_help_panel=OUTPUT,
        ),
    ] = "alpha",
    layer: Annotated[
        str, typer.Option(help="Write the matte as LAYER.alpha instead of A.", rich_help_panel=OUTPUT)
    ] = "",
    foreground: Annotated[
        bool,
        typer.Option(
            "--foreground",
            help="Also foreground.R/G/B: the subject's own colours, unpremultiplied, scene-linear, unclamped.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Also the channel confidence: 1 where known, lower where the mirrored picture gives another alpha "
            "(0 from a difference of 0.25). Takes twice the time.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    comp: Annotated[
        str,
        typer.Option(
            help="Also a PNG to look at, over checker, grey, black, white, green or a picture file.",
            rich_help_panel=OUTPUT,
        ),
    ] = "",
    data_type: Annotated[
        Literal["half", "float", "uint16", "uint8"],
        typer.Option(
            help="Of the matte: half or float in EXR; uint16 (instead of half) or uint8 in PNG and TIFF, rounded.",
            rich_help_panel=OUTPUT,
        ),
    ] = "half",
    compression: Annotated[
        Literal["zip", "zips", "piz", "rle", "none"],
        typer.Option(help="Of EXR; lossless ones only.", rich_help_panel=OUTPUT),
    ] = "zip",
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Keep frames that are finished: whole, of the right size, by the same job and model, of inputs of the "
            "same names, and not older than these or links to them. Do the others.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do frames again that exist.", rich_help_panel=OUTPUT)
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write what was done, frame by frame, as JSON.", rich_help_panel=OUTPUT),
    ] = None,
    save_job_as: Annotated[
        Path | None,
        typer.Option(
            "--save-job", help="Write the settings as JSON; `gossamer run` repeats them.", rich_help_panel=OUTPUT
        ),
    ] = None,
) -> None:
    """Pull a matte: PLATE and a rough guide in, alpha on disk.

    Only pixels that the guide leaves unknown are computed; known ones stay exactly 0 and 1.

    Windows, pixel aspect, timecode and other header attributes of the plate are kept. gossamer:rgbSpace and
    gossamer:foregroundSpace name the colour spaces of R, G, B and of foreground.
    """
    outputs = Outputs(
        path=output,
        channels=output_channels,
        layer=layer,
        foreground=foreground,
        confidence=confidence,
        comp=comp,
        data_type=data_type,
        compression=compression,
    )
    existing = choose_existing(skip_existing, overwrite)
    job = build_job(
        plate=plate,
        trimap=trimap,
        mask=mask,
        core=core,
        garbage=garbage,
        band_in=band_in,
        band_out=band_out,
        frames=frames,
        missing=missing,
        plate_space=plate_space,
        model=model,
        backend=backend,
        device=device,
        precision=precision,
        tile=tile,
        threads=threads,
        strategy=strategy,
        tta=tta,
        refine=refine,
        refine_carry=refine_carry,
        nonlocal_mean=nonlocal_mean,
        outputs=Outputs(**{**vars(outputs), "existing": existing or "error"}),
    )
    if save_job_as is not None:
        refuse_picture(save_job_as, "--save-job")
        save_job(job, save_job_as)
    perform(job, report)
