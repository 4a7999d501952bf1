"""A Blender that holds what ``tests/stubs/bpy`` declares and nothing else, so that a misspelt name fails.

``install()`` puts it into ``sys.modules``; ``remove()`` takes it out again, with the add-on that was imported on it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.fakes.fake_bpy import blocks, interface

__all__ = ["FakeBlender"]


class FakeBlender:
    """The modules, and what a test wants to look at."""

    def __init__(self, version: tuple[int, int, int] = (4, 2, 0)) -> None:
        self.data = blocks.BlendData(version)
        self.classes: list[type] = []
        self.timers: list[Any] = []
        self.renders: list[str] = []
        self.version = version
        self.context = interface.Context(self.data, self.classes)
        self.background = True
        self.ghosts: dict[str, dict[str, Any]] = {}
        self.modules = self._modules()

    def install(self) -> None:
        """From now on ``import bpy`` gives this one."""
        sys.modules.update(self.modules)

    def remove(self) -> None:
        """As if it had never been."""
        for name in [name for name in sys.modules if name.partition(".")[0] in ("bpy", "gossamer_blender")]:
            del sys.modules[name]

    def operator(self, idname: str, **stated: Any) -> Any:
        """An operator as Blender makes it: every property has its default, ``stated`` ones are set.

        What the last one that finished had set is there as well, and listed, but does not count as set.
        """
        kind: Any = next(kind for kind in self.classes if getattr(kind, "bl_idname", "") == idname)
        made = kind()
        declared = interface.defaults(kind)
        unknown = set(stated) - set(declared)
        assert not unknown, f"{idname} has no {unknown}"
        ghosts = self.ghosts.get(idname, {})
        for name, value in {**declared, **ghosts, **stated}.items():
            object.__setattr__(made, name, value)
        made.properties = interface.OperatorProperties(ghosts, stated)
        return made

    def finish(self, operator: Any) -> None:
        """As Blender does when an operator has finished that was started in a window: it keeps the properties."""
        self.ghosts[operator.bl_idname] = {name: getattr(operator, name) for name in operator.properties.keys()}  # noqa: SIM118

    def save_and_open(self, path: str) -> None:
        """Save the .blend file and open it: images that nobody uses are gone, the others are new ones in memory."""
        self.data.filepath = path
        modules: Any = self.modules["bpy.app.handlers"]
        for handler in modules.load_pre:
            handler(None)
        used = self.data.used_images()
        for image in list(self.data.images):
            if not image.use_fake_user and image not in used:
                self.data.images.remove(image)
            image.session_uid = blocks.new_session_uid()

    def _modules(self) -> dict[str, ModuleType]:
        names = ("bpy", "app", "app.handlers", "app.timers", "ops", "path", "props", "types", "utils")
        made = {name: ModuleType(name if name == "bpy" else f"bpy.{name}") for name in names}
        bpy: Any = made["bpy"]
        bpy.context, bpy.data = self.context, self.data
        for name in ("app", "ops", "path", "props", "types", "utils"):
            setattr(bpy, name, made[name])
        app: Any = made["app"]
        app.version, app.version_string, app.background = self.version, "fake", self.background
        app.is_job_running = lambda _kind: False
        app.handlers, app.timers = made["app.handlers"], made["app.timers"]
        app.handlers.load_pre, app.handlers.undo_post, app.handlers.redo_post = [], [], []
        app.handlers.persistent = lambda function: function
        app.timers.register = lambda function, **_: self.timers.append(function)
        ops: Any = made["ops"]
        ops.render = SimpleNamespace(render=self._render)
        path: Any = made["path"]
        path.abspath, path.relpath = self._abspath, self._relpath
        props: Any = made["props"]
        for kind in ("Bool", "Enum", "Float", "Int", "Pointer", "String"):
            setattr(props, f"{kind}Property", interface.declaring(kind, self.version))
        types: Any = made["types"]
        every: tuple[type, ...] = (*blocks.TYPES, *interface.TYPES)
        for made_type in every:
            setattr(types, made_type.__name__, made_type)
        utils: Any = made["utils"]
        utils.register_class, utils.unregister_class = self.classes.append, self.classes.remove
        utils.user_resource = lambda _kind, path="", create=False: f"/user/{path}"
        utils.extension_path_user = lambda package, path="", create=False: f"/extensions/{path}"
        return {name if name == "bpy" else f"bpy.{name}": module for name, module in made.items()}

    def _abspath(self, path: str, *, library: object = None) -> str:
        folder = self.data.filepath.rpartition("/")[0]
        return f"{folder}/{path[2:]}" if path.startswith("//") and folder else path

    def _relpath(self, path: str) -> str:
        return path if path.startswith("//") else f"//{os.path.relpath(path, Path(self.data.filepath).parent)}"

    def _render(self, *, write_still: bool = False) -> set[str]:
        """Write the mask's name and the frame where a picture would be."""
        scene = self.context.scene
        tree = scene.node_tree if hasattr(scene, "node_tree") else scene.compositing_node_group
        mask = next(node.mask for node in tree.nodes if node.bl_idname == "CompositorNodeMask")
        text = f"{mask.name} {scene.frame_current} {scene.render.resolution_x}x{scene.render.resolution_y}"
        self.renders.append(text)
        if write_still:
            with open(scene.render.filepath, "w", encoding="utf-8") as file:  # noqa: PTH123 - as Blender, by a text
                file.write(text)
        return {"FINISHED"}
