"""Renders: frame by frame, view by view, with callbacks, through OpenImageIO to true files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.fakes.fake_nuke.nodes import Node
from tests.fakes.fake_nuke.operators import NodeError, channel_names, file_name, render
from tests.fakes.fake_nuke.pictures import write_file

if TYPE_CHECKING:
    from tests.fakes.fake_nuke.application import Application

__all__ = ["CancelledError", "Execution"]


class CancelledError(Exception):
    """``nuke.CancelledError``."""


class Execution:
    """What ``nuke.execute`` does, and the ways in which it can be made to fail."""

    CancelledError = CancelledError

    def __init__(self, app: Application) -> None:
        self.app = app
        self.depth = 0
        self.in_engine = False
        self.licensed = True
        """False: every render is refused, as without a render licence."""
        self.nested = True
        """False: a render within a render's callback is refused."""
        self.cancel_at: int | None = None
        """The artist presses Cancel in Nuke's own bar at this frame."""
        self.rendered: list[tuple[str, int, str]] = []
        """Node, frame and view of every file written."""

    def execute(
        self,
        nameOrNode: Node | str,
        start: int | None = None,
        end: int | None = None,
        incr: int = 1,
        views: Sequence[str] | None = None,
        continueOnError: bool = False,
    ) -> None:
        """Render a Write."""
        app = self.app
        app.check_thread("execute")
        if not self.licensed:
            raise RuntimeError("A license for nuke_r was not found")
        if self.in_engine or (self.depth and not self.nested):
            raise RuntimeError("I'm already executing something else")
        node = app.node_by_name(nameOrNode) if isinstance(nameOrNode, str) else nameOrNode
        if node is None or node.Class() != "Write":
            raise RuntimeError(f"{nameOrNode}: cannot be executed")
        if node._number_of("disable"):
            raise RuntimeError(f"{node.fullName()} is disabled")
        first = app.script_range()[0] if start is None else start
        last = first if end is None else end
        wanted = list(views) if views else (node._knobs["views"]._text().split() or app.views())
        kept = app.frame_number, app.view
        self.depth += 1
        try:
            app.fire("BeforeRender", node)
            for frame in range(first, last + 1, incr):
                app.frame_number = frame
                app.fire("BeforeFrameRender", node)
                for view in wanted:
                    self._frame(node, frame, view)
                app.fire("AfterFrameRender", node)
            app.fire("AfterRender", node)
        finally:
            self.depth -= 1
            app.frame_number, app.view = kept

    def _frame(self, node: Node, frame: int, view: str) -> None:
        if self.cancel_at == frame:
            raise CancelledError("Cancelled")
        app = self.app
        app.view = view
        self.in_engine = True
        try:
            picture = render(node, frame, view)
            path = file_name(node, frame, view)
            if node._number_of("create_directories"):
                path.parent.mkdir(parents=True, exist_ok=True)
            names = channel_names(node._knobs["channels"]._text(), picture.planes)
            if not node._number_of("raw"):
                raise NodeError(f"{node.fullName()}: the double writes raw files only")
            if app.root_node._number_of("proxy"):
                raise NodeError(f"{node.fullName()}: the double renders at full size only")
            write_file(
                picture,
                path,
                names,
                half=node._knobs["datatype"]._text() == "16 bit half",
                metadata=node._knobs["metadata"]._text() == "all metadata",
            )
        except OSError as error:
            raise RuntimeError(f"{node.fullName()}: {error}") from error
        finally:
            self.in_engine = False
        self.rendered.append((node.fullName(), frame, view))
