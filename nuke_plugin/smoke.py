"""The half of CHECKLIST.md that needs no GUI: ``nuke -t nuke_plugin/smoke.py``. Prints one line a check.

Makes a plate of its own from Nuke's nodes, mattes it with the true worker, and looks at what comes back. Ends with exit
code 0 if every line says pass. Leaves nothing behind.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gossamer_nuke import startup

startup.init()

from gossamer_nuke import farm, session
from gossamer_nuke.host import nuke
from gossamer_nuke.paths import at_frame

__all__ = ["CHECKS", "Smoke", "main"]

FIRST, LAST = 1001, 1003
WIDTH, HEIGHT = 256, 144


class Smoke:
    """A script with a plate, a mask and a Gossamer node; each check is a method that raises if it fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        nuke.scriptClear()
        root = nuke.root()
        root["first_frame"].setValue(FIRST)
        root["last_frame"].setValue(LAST)
        root["format"].fromScript(f'"{WIDTH} {HEIGHT} 0 0 {WIDTH} {HEIGHT} 1 gossamer_smoke"')
        grey = nuke.nodes.Constant(channels="rgba")
        grey["color"].setValue([0.2, 0.3, 0.4, 0.0])
        self.plate = nuke.nodes.Dilate(inputs=[grey], size=8)  # its bounding box is larger than the format
        self.disc = nuke.nodes.Expression(inputs=[grey], expr3="(x-128)*(x-128)+(y-72)*(y-72)<1600")
        self.node = nuke.createNode("Gossamer", inpanel=False)
        self.node.setInput(0, self.plate)
        self.node.setInput(1, self.disc)
        self.node["guide"].setValue(1)
        self.node["output_folder"].setValue(folder.as_posix())
        self.write = nuke.nodes.Write(inputs=[self.node], file_type="exr", channels="rgba", raw=True)
        self.write["file"].setValue(f"{folder.as_posix()}/comp.%04d.exr")

    def gizmo(self) -> nuke.Group:
        """The node, as what it is."""
        assert isinstance(self.node, nuke.Group), "the node is no gizmo"
        return self.node

    def look(self, channel: str, x: float, y: float) -> float:
        """A pixel that leaves the node at the current frame."""
        probe: Any = self.node  # the stubs know no argument of sample
        return float(probe.sample(channel, x, y))

    def the_node_is_there(self) -> None:
        assert self.gizmo().node("Result") is not None, "the inside of the gizmo cannot be reached"
        assert self.node["gossamer_version"].value(), "the knobs of the gizmo are missing"

    def inputs_are_in_order(self) -> None:
        names = {int(n["number"].value()): n.name() for n in self.gizmo().nodes() if n.Class() == "Input"}
        assert [names.get(i) for i in range(4)] == ["plate", "trimap", "core", "garbage"], str(names)

    def links_follow_into_the_node(self) -> None:
        inner = self.gizmo().node("PickGuide")
        assert inner is not None
        assert inner["from0"].value() == "rgba.alpha", str(inner["from0"].value())

    def the_writes_inside_are_off(self) -> None:
        writes = nuke.allNodes("Write", group=self.gizmo())
        assert len(writes) == 4, f"{len(writes)} Writes"
        assert all(write["disable"].value() for write in writes)

    def the_previewed_trimap_has_three_levels(self) -> None:
        self.node["view"].setValue(1)
        found = {round(self.look("rgba.red", x + 0.5, 72.5), 3) for x in (5, 88, 128)}
        self.node["view"].setValue(0)
        assert found == {0.0, 0.5, 1.0}, str(found)

    def a_node_without_a_matte_is_in_error(self) -> None:
        assert self.node.hasError() or self.node.treeHasError(), "an unmatted node passes as if nothing were wrong"

    def one_frame_is_matted(self) -> None:
        outcome = session.matte(self.gizmo(), (FIRST,))
        assert [done.frame for done in outcome.frames] == [FIRST]
        assert self.matte(FIRST).is_file(), f"{self.matte(FIRST)} is missing"
        print(f"      {self.node['status'].value()}")

    def the_matte_arrives(self) -> None:
        nuke.frame(FIRST)
        inside = self.look("rgba.alpha", 128.5, 72.5)
        outside = self.look("rgba.alpha", 5.5, 5.5)
        assert (round(inside, 3), round(outside, 3)) == (1, 0), f"{inside}, {outside}"

    def the_colours_are_untouched(self) -> None:
        values = [self.look(f"rgba.{colour}", 128.5, 72.5) for colour in ("red", "green", "blue")]
        assert [round(value, 6) for value in values] == [0.2, 0.3, 0.4], str(values)

    def the_bounding_box_is_the_plates(self) -> None:
        box, plate = self.node.bbox(), self.plate.bbox()
        ours, theirs = ((b.x(), b.y(), b.w(), b.h()) for b in (box, plate))
        assert ours == theirs, f"{ours} against {theirs}"

    def a_missing_frame_is_an_error(self) -> None:
        nuke.frame(LAST)
        assert self.node.hasError() or self.node.treeHasError(), "a frame without a matte passes"
        nuke.frame(FIRST)

    def a_time_offset_below_asks_for_its_own_frame(self) -> None:
        offset = nuke.nodes.TimeOffset(inputs=[self.node], time_offset=1)
        nuke.frame(FIRST + 1)
        error = offset.hasError() or offset.treeHasError()
        nuke.frame(FIRST)
        nuke.delete(offset)
        assert not error, "the file name was filled with the script's frame and not with the one asked for"

    def the_foreground_layer_is_known(self) -> None:
        missing = {f"foreground.{colour}" for colour in ("red", "green", "blue")} - set(nuke.channels())
        assert not missing, f"{', '.join(sorted(missing))} cannot be chosen"

    def what_is_current_is_kept(self) -> None:
        outcome = session.matte(self.gizmo(), (FIRST,))
        assert outcome.frames == [], "the frame was done again"

    def a_changed_knob_does_it_again(self) -> None:
        self.node["band_out"].setValue(30)
        assert len(session.matte(self.gizmo(), (FIRST,)).frames) == 1

    def a_render_mattes_its_own_frames(self) -> None:
        nuke.execute(self.write, FIRST + 1, FIRST + 1)
        assert self.matte(FIRST + 1).is_file()
        assert (self.folder / f"comp.{FIRST + 1}.exr").is_file()

    def the_farm_script_mattes_before_it_renders(self) -> None:
        farm.matte_script((LAST,), [self.write])
        nuke.execute(self.write, LAST, LAST)
        assert (self.folder / f"comp.{LAST}.exr").is_file()

    def proxy_mode_is_refused(self) -> None:
        nuke.root()["proxy"].setValue(True)
        refusal = ""
        try:
            session.matte(self.gizmo(), (FIRST,), keep=False)
        except RuntimeError as error:
            refusal = str(error)
        finally:
            nuke.root()["proxy"].setValue(False)
        assert "proxy mode is on" in refusal, refusal or "it was matted at proxy size"

    def a_saved_script_shows_its_mattes_again(self) -> None:
        script = self.folder / "smoke.nk"
        nuke.scriptSaveAs(script.as_posix(), 1)
        name = self.node.fullName()
        nuke.scriptClear()
        nuke.scriptOpen(script.as_posix())
        node = nuke.toNode(name)
        assert node is not None, f"{name} is not in the reopened script"
        nuke.frame(FIRST)
        self.node = node
        value = self.look("rgba.alpha", 128.5, 72.5)
        assert round(value, 3) == 1, str(value)

    def matte(self, frame: int) -> Path:
        """The file that a frame's matte has to be in."""
        return at_frame(f"{self.folder.as_posix()}/{self.node.fullName()}.%04d.exr", frame, "main")


CHECKS = (
    "the_node_is_there",
    "inputs_are_in_order",
    "links_follow_into_the_node",
    "the_writes_inside_are_off",
    "the_previewed_trimap_has_three_levels",
    "a_node_without_a_matte_is_in_error",
    "one_frame_is_matted",
    "the_matte_arrives",
    "the_colours_are_untouched",
    "the_bounding_box_is_the_plates",
    "a_missing_frame_is_an_error",
    "a_time_offset_below_asks_for_its_own_frame",
    "the_foreground_layer_is_known",
    "what_is_current_is_kept",
    "a_changed_knob_does_it_again",
    "a_render_mattes_its_own_frames",
    "the_farm_script_mattes_before_it_renders",
    "proxy_mode_is_refused",
    "a_saved_script_shows_its_mattes_again",
)


def main() -> int:
    """Run every check, also after one has failed."""
    folder = Path(tempfile.mkdtemp(prefix="gossamer-smoke-"))
    failed = 0
    print(f"Gossamer in Nuke {nuke.NUKE_VERSION_STRING}, Python {sys.version.split()[0]}")
    try:
        smoke = Smoke(folder)
        for number, name in enumerate(CHECKS, start=1):
            check: Callable[[], None] = getattr(smoke, name)
            try:
                check()
                print(f"pass  {number:2} {name.replace('_', ' ')}")
            except Exception as error:
                failed += 1
                print(f"FAIL  {number:2} {name.replace('_', ' ')}: {error or type(error).__name__}")
                traceback.print_exc()
    finally:
        session.close_worker()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
