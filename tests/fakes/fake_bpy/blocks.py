"""Datablocks: images, clips, masks, scenes, node trees. Attributes are fixed: a new name is an error."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

__all__ = ["TYPES", "BlendData", "new_session_uid"]


class Collection:
    """Named things, in the order of their names as in Blender."""

    def __init__(self, make: Any = None) -> None:
        self._items: list[Any] = []
        self._make = make

    def new(self, *arguments: Any) -> Any:
        made = self._make(*arguments)
        self._items.append(made)
        return made

    def add(self, item: Any) -> Any:
        self._items.append(item)
        return item

    def remove(self, item: Any) -> None:
        self._items.remove(item)

    def clear(self) -> None:
        self._items.clear()

    def get(self, name: str) -> Any:
        return next((item for item in self._items if item.name == name), None)

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __getitem__(self, key: Any) -> Any:
        found = self._items[key] if isinstance(key, int) else self.get(key)
        if found is None:
            raise KeyError(key)
        return found


class Images(Collection):
    """With pictures to load: ``files`` is path to (width, height, RGBA floats from the bottom)."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[int, int, list[float]]] = {}
        self.colors = ColorConfig()

    def load(self, filepath: str, *, check_existing: bool = False) -> Any:
        width, height, values = self.files.get(filepath, (2, 1, [0.5, 0.5, 0.5, 1.0] * 2))
        colors = ColorspaceSettings(self.colors)
        image = Image(filepath.rpartition("/")[2], filepath=filepath, size=(width, height), colorspace_settings=colors)
        image.pixels.foreach_set(array("f", values))
        return self.add(image)


@dataclass(slots=True)
class Pixels:
    values: array[float] = field(default_factory=lambda: array("f"))

    def foreach_get(self, buffer: array[float]) -> None:
        assert len(buffer) == len(self.values), f"a buffer of {len(buffer)} for {len(self.values)} values"
        buffer[:] = self.values

    def foreach_set(self, buffer: array[float]) -> None:
        self.values = array("f", buffer)


@dataclass(frozen=True)
class ColorConfig:
    """What OpenColorIO was given: the spaces that exist, the default first, and the one whose role is ``data``."""

    names: tuple[str, ...] = ("sRGB", "Linear Rec.709", "ACEScg", "Non-Color")
    data: str = "Non-Color"


ACES = ColorConfig(("sRGB - Texture", "ACEScct", "ACEScg", "Raw"), "Raw")


class ColorspaceSettings:
    """A name that the configuration lacks is refused; ``is_data`` goes by the role."""

    def __init__(self, config: ColorConfig | None = None) -> None:
        self._config = config or ColorConfig()
        self._name = self._config.names[0]

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        if value not in self._config.names:
            raise TypeError(f'bpy_struct: item.attr = val: enum "{value}" not found in {self._config.names}')
        self._name = value

    @property
    def is_data(self) -> bool:
        return self._name == self._config.data

    @is_data.setter
    def is_data(self, value: bool) -> None:
        if value:
            self._name = self._config.data


_uids = count(100)


def new_session_uid() -> int:
    return next(_uids)


@dataclass(slots=True)
class ID:
    name: str
    library: Any = None
    custom: dict[str, Any] = field(default_factory=dict)
    use_fake_user: bool = False
    session_uid: int | None = field(default_factory=new_session_uid)
    """None: as in a Blender that has none."""

    @property
    def name_full(self) -> str:
        return self.name if self.library is None else f"{self.name} [{self.library.name}]"

    def as_pointer(self) -> int:
        return id(self)

    def get(self, key: str, default: Any = None) -> Any:
        return self.custom.get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        self.custom[key] = value

    def update_tag(self) -> None:
        pass


@dataclass(slots=True, eq=False)
class Image(ID):
    source: str = "FILE"
    type: str = "IMAGE"
    filepath: str = ""
    size: tuple[int, int] = (2, 1)
    channels: int = 4
    is_float: bool = False
    is_dirty: bool = False
    has_data: bool = True
    packed_file: object = None
    alpha_mode: str = "STRAIGHT"
    colorspace_settings: ColorspaceSettings = field(default_factory=ColorspaceSettings)
    pixels: Pixels = field(default_factory=Pixels)

    def update(self) -> None:
        pass

    def reload(self) -> None:
        pass


@dataclass(slots=True, eq=False)
class MovieClip(ID):
    source: str = "SEQUENCE"
    filepath: str = ""
    size: tuple[int, int] = (2, 1)
    frame_start: int = 1
    frame_offset: int = 0
    frame_duration: int = 1
    colorspace_settings: ColorspaceSettings = field(default_factory=ColorspaceSettings)


@dataclass(slots=True, eq=False)
class MaskSplinePoint:
    co: tuple[float, float] = (0.0, 0.0)
    handle_left: tuple[float, float] = (0.0, 0.0)
    handle_right: tuple[float, float] = (0.0, 0.0)
    weight: float = 0.0


@dataclass(slots=True, eq=False)
class MaskSpline:
    points: list[MaskSplinePoint] = field(default_factory=lambda: [MaskSplinePoint()])


@dataclass(slots=True, eq=False)
class MaskLayer:
    splines: list[MaskSpline] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mask(ID):
    layers: list[MaskLayer] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class NodeSocket:
    name: str
    type: str
    node: Any
    default_value: Any = None
    is_linked: bool = False


class Sockets(Collection):
    def __init__(self, node: Any, *pairs: tuple[str, str]) -> None:
        super().__init__()
        for name, kind in pairs:
            self.add(NodeSocket(name, kind, node))


COLOR = ("Image", "RGBA")
NODES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], tuple[str, ...]]] = {
    "NodeFrame": ((), (), ()),
    "CompositorNodeComposite": ((COLOR, ("Alpha", "VALUE")), (), ()),
    "NodeGroupOutput": ((), (), ()),
    "CompositorNodeRLayers": ((), (COLOR,), ("scene",)),
    "CompositorNodeMask": ((), (("Mask", "VALUE"),), ("mask",)),
    "CompositorNodeMovieClip": ((), (COLOR,), ("clip",)),
    "CompositorNodeImage": (
        (),
        (COLOR, ("Alpha", "VALUE")),
        ("image", "frame_start", "frame_offset", "frame_duration", "use_auto_refresh"),
    ),
    "CompositorNodeSetAlpha": ((COLOR, ("Alpha", "VALUE")), (COLOR,), ()),
    "CompositorNodeAlphaOver": ((("Fac", "VALUE"), COLOR, COLOR), (COLOR,), ()),
}


class Node:
    """Inputs, outputs and settings of its kind, by version."""

    def __init__(self, kind: str, tree: NodeTree) -> None:
        inputs, outputs, settings = NODES[kind]
        settings = (*settings, "bl_idname", "name", "label", "parent", "location", "height", "inputs", "outputs")
        if kind == "CompositorNodeSetAlpha":
            if tree.version >= (5, 0, 0):
                inputs = (*inputs, ("Type", "MENU"))
            else:
                settings = (*settings, "mode")
        if kind == "CompositorNodeAlphaOver" and tree.version >= (5, 0, 0):
            inputs = (("Background", "RGBA"), ("Foreground", "RGBA"), ("Factor", "VALUE"))
        if kind == "NodeGroupOutput":
            inputs = tuple((item.name, "RGBA") for item in tree.interface.items_tree)
        object.__setattr__(self, "_settings", frozenset(settings))
        object.__setattr__(self, "_custom", {})
        self.bl_idname, self.name, self.label, self.parent = kind, kind, "", None
        self.location, self.height = (0.0, 0.0), 100.0
        self.inputs, self.outputs = Sockets(self, *inputs), Sockets(self, *outputs)
        if kind == "CompositorNodeImage":
            self.image = None
            self.frame_start, self.frame_offset, self.frame_duration = 1, 0, 1
        if "mode" in settings:
            self.mode = "REPLACE_ALPHA"

    def get(self, key: str, default: Any = None) -> Any:
        return self._custom.get(key, default)  # type: ignore[attr-defined]

    def __setitem__(self, key: str, value: Any) -> None:
        self._custom[key] = value  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "label":  # Blender holds 63 bytes and cuts the rest off
            value = value.encode()[:63].decode(errors="ignore")
        if name not in self._settings:  # type: ignore[attr-defined]
            raise AttributeError(f"{self.bl_idname} has no {name}")
        object.__setattr__(self, name, value)


@dataclass(slots=True)
class Links:
    made: list[tuple[NodeSocket, NodeSocket]] = field(default_factory=list)

    def new(self, start: NodeSocket, end: NodeSocket) -> object:
        start.is_linked = end.is_linked = True
        self.made.append((start, end))
        return self.made[-1]


@dataclass(slots=True)
class InterfaceItem:
    name: str
    in_out: str
    socket_type: str
    item_type: str = "SOCKET"


@dataclass(slots=True)
class Interface:
    items_tree: list[InterfaceItem] = field(default_factory=list)

    def new_socket(self, *, name: str, in_out: str, socket_type: str) -> object:
        self.items_tree.append(InterfaceItem(name, in_out, socket_type))
        return self.items_tree[-1]


class NodeTree:
    def __init__(self, name: str, version: tuple[int, int, int]) -> None:
        self.name, self.version = name, version
        self.interface, self.links = Interface(), Links()
        self.nodes = Collection(lambda kind: Node(kind, self))


@dataclass(slots=True)
class ImageSettings:
    file_format: str = "PNG"
    color_mode: str = "RGBA"
    color_depth: str = "8"


@dataclass(slots=True)
class Render:
    resolution_x: int = 1920
    resolution_y: int = 1080
    resolution_percentage: int = 50
    use_compositing: bool = False
    use_sequencer: bool = True
    use_file_extension: bool = True
    use_stamp_date: bool = True
    filepath: str = ""
    image_settings: ImageSettings = field(default_factory=ImageSettings)


class Scene:
    """Up to 4.x ``use_nodes`` makes a tree with a render and an output in it; from 5.0 on trees are groups."""

    def __init__(self, name: str, version: tuple[int, int, int]) -> None:
        self.name, self.version = name, version
        self.frame_current, self.frame_start, self.frame_end = 1, 1, 250
        self.camera: object = None
        self.render = Render()
        self._use_nodes = False
        if version >= (5, 0, 0):
            self.compositing_node_group: NodeTree | None = None
        else:
            self.node_tree: NodeTree | None = None

    @property
    def use_nodes(self) -> bool:
        return self._use_nodes

    @use_nodes.setter
    def use_nodes(self, value: bool) -> None:
        self._use_nodes = value
        if value and self.version < (5, 0, 0) and self.node_tree is None:
            self.node_tree = NodeTree("Compositing Nodetree", self.version)
            layers, output = self.node_tree.nodes.new("CompositorNodeRLayers"), None
            output = self.node_tree.nodes.new("CompositorNodeComposite")
            self.node_tree.links.new(layers.outputs["Image"], output.inputs["Image"])

    def frame_set(self, frame: int) -> None:
        self.frame_current = frame


@dataclass(slots=True)
class BlendFileColorspace:
    working_space: str = "Linear Rec.709"


class BlendData:
    def __init__(self, version: tuple[int, int, int]) -> None:
        self.filepath = ""
        self.images = Images()
        self.movieclips, self.masks, self.screens = Collection(), Collection(), Collection()
        self.scenes = Collection(lambda name: Scene(name, version))
        self.node_groups = Collection(lambda name, _kind: NodeTree(name, version))
        if version >= (5, 0, 0):
            self.colorspace = BlendFileColorspace()

    def used_images(self) -> list[Any]:
        """What scenes' settings and nodes point to."""
        trees = [
            getattr(scene, name, None) for scene in self.scenes for name in ("node_tree", "compositing_node_group")
        ]
        nodes = [node for tree in trees if tree is not None for node in tree.nodes]
        settings = [vars(scene.gossamer).values() for scene in self.scenes]
        return [getattr(node, "image", None) for node in nodes] + [value for values in settings for value in values]


TYPES = (Image, MovieClip, Mask, MaskSplinePoint, Scene, Node, NodeSocket, NodeTree, ID)
