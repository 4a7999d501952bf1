"""The lane ``bpy``: the built zip, installed into a real Blender without a window, drives the real worker.

``PYTHON headless.py`` with a Python that has the ``bpy`` wheel, or
``blender -b --factory-startup --python headless.py``.
``GOSSAMER_PYTHON`` names the worker's Python. Prints a line for each check; the exit code says whether all passed.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import installing

HOME = installing.use_folders_of_its_own()

import bpy  # noqa: E402 - after the folders are set
import numpy as np  # noqa: E402
import scene  # noqa: E402

OUT = HOME / "out"
CLOSE = 0.03
"""Mean difference to the known alpha over the whole picture; a flipped or shifted matte has ten times as much."""
CHECKS: list[Callable[[], str]] = []


def check(function: Callable[[], str]) -> Callable[[], str]:
    CHECKS.append(function)
    return function


def error_of(found: object, frame: int, size: tuple[int, int] = scene.SIZE) -> str:
    """Compare a matte with the known alpha and with what mistakes would give."""
    matte = np.asarray(found)
    wanted = scene.alpha_of(frame, size)
    assert matte.shape == wanted.shape, f"the matte is {matte.shape}, the plate {wanted.shape}"
    own = float(np.abs(matte - wanted).mean())
    mistakes = {
        "upside down": wanted[::-1],
        "mirrored": wanted[:, ::-1],
        "next frame": scene.alpha_of(frame + 1, size),
        "inverted": 1 - wanted,
    }
    for name, other in mistakes.items():
        wrong = float(np.abs(matte - other).mean())
        assert own < wrong / 2, f"the matte looks {name}: {own:.4f} from its own alpha, {wrong:.4f} from that"
    assert own < CLOSE, f"mean difference to the known alpha is {own:.4f}"
    return f"mean difference {own:.4f}"


def matte(**stated: object) -> None:
    found = bpy.ops.gossamer.matte(output=str(OUT / "mattes") + "/", **stated)
    assert found == {"FINISHED"}, f"the operator gave {found}: {SESSION.session().last}"


def refusal(**stated: object) -> str:
    """What the artist reads when the operator refuses."""
    try:
        found = bpy.ops.gossamer.matte(output=str(OUT / "mattes") + "/", **stated)
    except RuntimeError as error:  # how Blender hands an ERROR report to a script
        return str(error)
    raise AssertionError(f"expected a refusal, got {found}")


def load(file: Path, source: str = "FILE") -> object:
    image = bpy.data.images.load(str(file), check_existing=False)
    image.source = source
    return image


@check
def the_test_button_shows_the_worker() -> str:
    bpy.ops.gossamer.test_worker()
    lines = SESSION.session().test_lines
    assert lines[0].startswith("Gossamer "), lines
    return lines[0]


@check
def a_float_exr_file_with_a_png_trimap() -> str:
    alpha = scene.alpha_of(1)
    plate = load(scene.save("p", scene.plate_of(alpha), OUT / "still.exr", is_float=True))
    trimap = load(scene.save("t", scene.trimap_of(alpha), OUT / "still_trimap.png", is_float=False))
    matte(plate=plate.name, trimap=trimap.name)
    result = bpy.data.images["still_alpha"]
    assert result.colorspace_settings.is_data, result.colorspace_settings.name
    found = scene.pixels(result)
    assert np.array_equal(found[..., 0], found[..., 1]), "the matte is not grey"
    return error_of(found[..., 0], 1)


@check
def a_painted_byte_image_that_was_never_saved() -> str:
    alpha = scene.alpha_of(2)
    scene.new_image("painted", scene.encode(scene.plate_of(alpha)), is_float=False)
    scene.new_image("painted trimap", scene.trimap_of(alpha), is_float=False)
    matte(plate="painted", trimap="painted trimap")
    return error_of(scene.pixels(bpy.data.images["painted_alpha"])[..., 0], 2)


@check
def a_generated_float_image_gives_the_same_matte_as_its_byte_copy() -> str:
    alpha = scene.alpha_of(2)
    scene.new_image("floating", scene.plate_of(alpha), is_float=True)
    matte(plate="floating", trimap="painted trimap")
    found = scene.pixels(bpy.data.images["floating_alpha"])[..., 0]
    byte = scene.pixels(bpy.data.images["painted_alpha"])[..., 0]
    apart = float(np.abs(found - byte).max())
    assert apart < 0.06, f"float and byte plate differ by {apart:.3f}: their colour spaces are not told apart"
    return f"{error_of(found, 2)}, largest difference to the byte copy {apart:.3f}"


@check
def a_packed_image_whose_file_is_gone() -> str:
    alpha = scene.alpha_of(3)
    file = scene.save("p", scene.encode(scene.plate_of(alpha)), OUT / "packed.png", is_float=False)
    plate = load(file)
    plate.pack()
    file.unlink()
    scene.new_image("packed trimap", scene.trimap_of(alpha), is_float=True)
    matte(plate=plate.name, trimap="packed trimap")
    return error_of(scene.pixels(bpy.data.images["packed_alpha"])[..., 0], 3)


@check
def a_range_of_a_sequence_has_the_files_numbers() -> str:
    first, trimap = scene.shot(OUT / "shot", range(1001, 1005))
    plate, guide = load(first, "SEQUENCE"), load(trimap, "SEQUENCE")
    matte(plate=plate.name, trimap=guide.name, frames="2-4")
    files = sorted(path.name for path in (OUT / "mattes").glob("fur_alpha.*"))
    assert files == ["fur_alpha.1002.exr", "fur_alpha.1003.exr", "fur_alpha.1004.exr"], files
    said = [error_of(scene.read(OUT / "mattes" / name)[..., 0], index + 2) for index, name in enumerate(files)]
    result = bpy.data.images["fur_alpha"]
    assert result.source == "SEQUENCE"
    return f"{len(files)} frames, last {said[-1]}"


@check
def a_second_press_does_only_what_is_missing() -> str:
    file = OUT / "mattes" / "fur_alpha.1003.exr"
    before = {path.name: path.stat().st_mtime_ns for path in file.parent.glob("fur_alpha.*")}
    file.unlink()
    plate, guide = bpy.data.images["fur.1001.exr"], bpy.data.images["trimap.1001.png"]
    matte(plate=plate.name, trimap=guide.name, frames="2-4", skip_finished=True)
    after = {path.name: path.stat().st_mtime_ns for path in file.parent.glob("fur_alpha.*")}
    again = sorted(name for name in after if after[name] != before[name])
    assert again == [file.name], f"done again: {again}"
    return ", ".join(SESSION.session().last[:2])


@check
def the_current_frame_is_the_one_that_the_timeline_shows() -> str:
    bpy.context.scene.frame_set(1)
    plate, guide = bpy.data.images["fur.1001.exr"], bpy.data.images["trimap.1001.png"]
    matte(plate=plate.name, trimap=guide.name)
    return error_of(scene.read(OUT / "mattes" / "fur_alpha.1001.exr")[..., 0], 1)


@check
def the_compositor_shows_the_cutout_on_the_right_frame() -> str:
    own = bpy.data.scenes.new("comp")
    own.render.resolution_x, own.render.resolution_y, own.render.resolution_percentage = *scene.SIZE, 100
    own.render.image_settings.file_format = "OPEN_EXR"
    own.render.image_settings.color_mode = "RGBA"
    own.render.image_settings.color_depth = "32"
    own.view_settings.view_transform = "Standard"
    nodes = installing.module(PACKAGE, "nodes")
    images = installing.module(PACKAGE, "images")
    plate, result = bpy.data.images["fur.1001.exr"], bpy.data.images["fur_alpha"]
    lies = images.find_frame_map(plate, images.image_element(plate))
    assert nodes.add_matte_nodes(own, plate, result, plate_map=lies)
    assert not nodes.add_matte_nodes(own, plate, result, plate_map=lies), "added twice"
    tree = installing.module(PACKAGE, "compat").compositor_tree(own)[0]
    lasting = [node.frame_duration for node in tree.nodes if node.bl_idname == "CompositorNodeImage"]
    assert lasting == [4, 4], f"frames 2-4 and then 1 were matted; plate and matte last {lasting} frames"
    own.frame_set(3)
    own.render.filepath = str(OUT / "comp.exr")
    with bpy.context.temp_override(scene=own):
        bpy.ops.render.render(write_still=True)
    found = scene.read(OUT / "comp.exr")
    said = error_of(found[..., 3], 3)
    alpha = scene.alpha_of(3)
    wanted = scene.plate_of(alpha) * alpha[..., None]
    apart = float(np.abs(found[..., :3] - wanted).mean())
    assert apart < 0.02, f"the cutout's colours are {apart:.3f} from plate times alpha"
    return f"alpha {said}, colour {apart:.4f}"


@check
def a_keyframed_mask_follows_the_timeline() -> str:
    mask = bpy.data.masks.new("roto")
    spline = mask.layers.new(name="disc").splines.new()
    spline.points.add(11)
    spline.use_cyclic = True
    width, height = scene.SIZE
    for frame in (1, 4):
        bpy.context.scene.frame_set(frame)
        for index, point in enumerate(spline.points):
            turn = 2 * np.pi * index / len(spline.points)
            x, y = 50 + 7 * frame + 26 * np.cos(turn), 38 + 26 * np.sin(turn)
            point.select = True
            point.handle_type = "AUTO"
            # Masks count in the larger side, from the bottom.
            point.co = (x / width, ((height - y) / height - 0.5) * height / width + 0.5)
        set_key(mask)
    plate = bpy.data.images["fur.1001.exr"]
    bpy.context.scene.frame_set(1)
    edited = bpy.data.masks.new("being edited").layers.new().splines.new()
    edited.points[0].co = (0.25, 0.75)
    before = [tuple(point.co) for point in (*spline.points, edited.points[0])]
    matte(plate=plate.name, mask="roto", garbage=bar_garbage(), frames="1,3", band_in=60.0, band_out=60.0)
    said = []
    for frame in (1, 3):
        found = scene.read(OUT / "mattes" / f"fur_alpha.{1000 + frame}.exr")[:80, :, 0]
        wanted = scene.alpha_of(frame)[:80]
        other = scene.alpha_of(4 - frame)[:80]
        own, wrong = float(np.abs(found - wanted).mean()), float(np.abs(found - other).mean())
        assert own < min(0.05, wrong / 2), f"frame {frame}: {own:.4f} from its own alpha, {wrong:.4f} from the other's"
        said.append(f"{own:.4f}")
    assert before == [tuple(point.co) for point in (*spline.points, edited.points[0])], "points of a mask were moved"
    assert not [block for block in bpy.data.scenes if block.name.startswith("Gossamer")], "a scene was left behind"
    return f"mean differences {', '.join(said)}"


def set_key(mask: object) -> None:
    """A key frame of the mask, as it is, at the current frame; the operator for it wants an editor in mask mode."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.mode = "MASK"
    area.spaces.active.mask = mask
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.mask.shape_key_insert() == {"FINISHED"}, "no key frame was made"


def bar_garbage() -> str:
    garbage = np.zeros(scene.SIZE[::-1], np.float32)
    garbage[84:104] = 1
    return str(scene.new_image("bar garbage", garbage, is_float=True).name)


@check
def a_movie_clip_counts_from_its_own_start() -> str:
    clip = bpy.data.movieclips.load(str(OUT / "shot" / "fur.1001.exr"))
    clip.frame_start = 11
    bpy.context.scene.frame_set(12)
    matte(clip=clip.name, trimap="trimap.1001.png", editor="CLIP")
    # ``fur_alpha`` is the matte of the image that shows the same files.
    return error_of(scene.read(OUT / "mattes" / "fur_2_alpha.1002.exr")[..., 0], 2)


@check
def the_alpha_of_a_byte_plate_keeps_its_colours() -> str:
    plate = bpy.data.images["painted"]
    before = scene.pixels(plate).copy()
    matte(plate="painted", trimap="painted trimap", target="ALPHA")
    after = scene.pixels(plate)
    assert np.array_equal(before[..., :3], after[..., :3]), "RGB changed"
    return error_of(after[..., 3], 2)


@check
def the_alpha_of_a_float_plate_is_premultiplied() -> str:
    plate = bpy.data.images["floating"]
    before = scene.pixels(plate).copy()
    matte(plate="floating", trimap="painted trimap", target="ALPHA")
    after = scene.pixels(plate)
    wanted = before[..., :3] * after[..., 3:]
    apart = float(np.abs(after[..., :3] - wanted).max())
    assert apart < 1e-6, f"RGB is {apart} from RGB times alpha"
    return error_of(after[..., 3], 2)


@check
def a_second_alpha_of_a_float_plate_is_the_first_again_and_both_can_be_undone() -> str:
    once = scene.pixels(bpy.data.images["floating"]).copy()
    bpy.ops.ed.undo_push(message="before")
    matte(plate="floating", trimap="painted trimap", target="ALPHA")
    bpy.ops.ed.undo_push(message="second alpha")
    twice = scene.pixels(bpy.data.images["floating"]).copy()
    apart = float(np.abs(twice - once).max())
    assert apart == 0, f"the second alpha is {apart} from the first: it was made from colours times alpha"
    step = bpy.data.images["floating"]["gossamer_step"]
    bpy.ops.ed.undo()
    assert bpy.data.images["floating"]["gossamer_step"] < step, "Blender's undo did not reach the number"
    assert np.array_equal(scene.pixels(bpy.data.images["floating"]), once)
    bpy.ops.ed.redo()
    floating = bpy.data.images["floating"]
    stroke = scene.pixels(floating).copy()
    stroke[:8, :8, :3] = 5.0
    floating.pixels.foreach_set(scene.new_buffer(stroke[..., :3], stroke[..., 3]))
    text = refusal(plate="floating", trimap="painted trimap", target="ALPHA")
    assert "multiplied by an alpha" in text, text
    return "no difference"


@check
def the_output_folder_may_be_relative_to_the_file() -> str:
    settings = bpy.context.scene.gossamer
    settings.output_folder = "//mattes/"
    assert settings.output_folder == "//mattes/", settings.output_folder
    settings.property_unset("output_folder")
    if bpy.app.version < (4, 5, 0):
        return "nothing to declare"
    assert settings.bl_rna.properties["output_folder"].is_path_supports_blend_relative
    return "declared"


@check
def refusals_say_what_to_do() -> str:
    texts = [
        refusal(plate="nothing", trimap="painted trimap"),
        refusal(plate="painted", guide="TRIMAP"),
        refusal(plate="painted", trimap="painted trimap", frames="1-3"),
        refusal(plate="fur.1001.exr", trimap="trimap.1001.png", target="ALPHA"),
        refusal(plate="fur.1001.exr", trimap="trimap.1001.png", frames="7-9"),
        refusal(plate="painted", trimap="painted trimap", model="no such model"),
        refusal(plate=load(rendered_passes()).name, trimap="painted trimap"),
    ]
    expected = ("no image called", "No trimap is chosen", "is one picture", "no place", "missing", "no such model")
    expected += ("is a multi-layer EXR",)
    for text, part in zip(texts, expected, strict=True):
        assert part in text, f"{part!r} is not in {text!r}"
    return f"{len(texts)} messages"


def rendered_passes() -> Path:
    """The composite of the scene ``comp`` as Blender's own multi-layer EXR."""
    own = bpy.data.scenes["comp"]
    settings = own.render.image_settings
    if hasattr(settings, "media_type"):  # from 5.0 on
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    own.render.filepath = str(OUT / "passes.exr")
    with bpy.context.temp_override(scene=own):
        bpy.ops.render.render(write_still=True)
    file = OUT / "passes.exr"
    look = load(file)
    assert tuple(look.size) == (0, 0)  # Blender reads the file when it is asked for the size
    assert look.type == "MULTILAYER", f"Blender itself calls it {look.type}"
    bpy.data.images.remove(look)
    return file


@check
def switched_off_nothing_is_left() -> str:
    pid = SESSION.session().keeper.current.pid
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists(), f"the worker {pid} still runs"
    assert not hasattr(bpy.types.Scene, "gossamer")
    bpy.ops.preferences.addon_enable(module=PACKAGE)
    assert hasattr(bpy.types.Scene, "gossamer"), "it cannot be switched on again"
    matte(plate="painted", trimap="painted trimap")
    return "worker ended, on again works"


@check
def mattes_that_nobody_uses_are_there_when_the_file_is_opened_again() -> str:
    """And their files are not given to another plate."""
    still = scene.save("p", scene.encode(scene.plate_of(scene.alpha_of(1))), OUT / "twin.png", is_float=False)
    other = scene.save("p", scene.encode(scene.plate_of(scene.alpha_of(2))), OUT / "twin.tif.png", is_float=False)
    guide = scene.save("t", scene.trimap_of(scene.alpha_of(1)), OUT / "twin_trimap.png", is_float=False)
    plates = [load(file) for file in (still, other, guide)]
    plates[1].name = "twin.tif"
    for plate in plates:
        plate.use_fake_user = True
    matte(plate="twin.png", trimap="twin_trimap.png")
    first = (OUT / "mattes" / "twin_alpha.exr").read_bytes()
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "twins.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(OUT / "twins.blend"))
    assert "twin_alpha" in bpy.data.images, "the matte was not saved"
    matte(plate="twin.tif", trimap="twin_trimap.png")
    assert (OUT / "mattes" / "twin_alpha.exr").read_bytes() == first, "the files of the first matte were written over"
    assert (OUT / "mattes" / "twin_2_alpha.exr").is_file()
    return "twin_alpha, twin_2_alpha"


@check
def a_linked_plate_is_not_taken_for_one_of_the_file() -> str:
    alphas = {None: scene.alpha_of(1), "linked": scene.alpha_of(3)}
    image = scene.new_image("twice", scene.encode(scene.plate_of(alphas["linked"])), is_float=False)
    image.pack()
    bpy.data.libraries.write(str(OUT / "library.blend"), {image}, fake_user=True)
    bpy.data.images.remove(image)
    scene.new_image("twice", scene.encode(scene.plate_of(alphas[None])), is_float=False)
    with bpy.data.libraries.load(str(OUT / "library.blend"), link=True) as (_, wanted):
        wanted.images = ["twice"]
    settings = bpy.context.scene.gossamer
    settings.plate = wanted.images[0]
    settings.trimap = scene.new_image("linked trimap", scene.trimap_of(alphas["linked"]), is_float=False)
    settings.target = "ALPHA"
    matte()
    own = next(image for image in bpy.data.images if image.name == "twice" and image.library is None)
    assert float(scene.pixels(own)[..., 3].min()) == 1.0, "the plate of this file got the alpha"
    settings.plate = None
    return error_of(scene.pixels(wanted.images[0])[..., 3], 3)


@check
def an_update_is_in_force_when_it_is_switched_on() -> str:
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    left = [name for name in sys.modules if name.partition(".")[0] == "gossamer_bridge"]
    assert not left, f"the old bridge is still loaded: {left}"
    folder = Path(sys.modules[PACKAGE].__file__).parent
    panels = folder / "panels.py"
    panels.write_text(panels.read_text(encoding="utf-8").replace('"Matte Frame"', '"Matte One"'), encoding="utf-8")
    os.utime(folder / "__init__.py", (2e9, 2e9))  # by this Blender sees that the add-on is another one
    bpy.ops.preferences.addon_enable(module=PACKAGE)
    words = bpy.types.GOSSAMER_PT_image._draw_buttons.__code__.co_consts
    assert "Matte One" in words, f"the panel of the old version is drawn: {words}"
    return "panel and bridge are new"


if __name__ == "__main__":
    assert os.environ.get("GOSSAMER_PYTHON"), "GOSSAMER_PYTHON has to name the worker's Python"
    OUT.mkdir()
    PACKAGE = installing.install(installing.build(HOME / "dist"))
    SESSION = installing.module(PACKAGE, "session")
    print(f"Blender {bpy.app.version_string}, Python {sys.version.split()[0]}, {PACKAGE}")
    failed = 0
    for function in CHECKS:
        begun = time.monotonic()
        name = function.__name__.replace("_", " ")
        try:
            said = function()
            print(f"ok      {name}: {said} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}:\n{traceback.format_exc()}", flush=True)
    print(f"Blender {bpy.app.version_string}: {len(CHECKS) - failed} of {len(CHECKS)} checks passed", flush=True)
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    sys.stdout.flush()
    # The wheels of 4.2 and 4.5 now and then crash or hang while their libraries are torn down, after all is done.
    os._exit(1 if failed else 0)
