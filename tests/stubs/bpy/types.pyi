from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

class Collection(Generic[Item]):
    def get(self, name: str) -> Item | None: ...
    def __iter__(self) -> Iterator[Item]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: str | int) -> Item: ...

class ID:
    name: str
    name_full: str
    library: Library | None
    use_fake_user: bool
    session_uid: int  # not in 3.4
    def as_pointer(self) -> int: ...
    def get(self, key: str, default: Any = ...) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...
    def update_tag(self) -> None: ...

class Library(ID): ...

class ColorspaceSettings:
    name: str
    is_data: bool

class PixelBuffer:
    def foreach_get(self, buffer: Any) -> None: ...
    def foreach_set(self, buffer: Any) -> None: ...

class Image(ID):
    source: str
    type: str
    filepath: str
    size: Sequence[int]
    channels: int
    is_float: bool
    is_dirty: bool
    has_data: bool
    packed_file: object | None
    alpha_mode: str
    colorspace_settings: ColorspaceSettings
    pixels: PixelBuffer
    def update(self) -> None: ...
    def reload(self) -> None: ...

class ImageUser:
    frame_start: int
    frame_offset: int
    frame_duration: int
    use_auto_refresh: bool

class MovieClip(ID):
    source: str
    filepath: str
    size: Sequence[int]
    frame_start: int
    frame_offset: int
    frame_duration: int
    colorspace_settings: ColorspaceSettings

class MaskSplinePoint:
    co: Sequence[float]
    handle_left: Sequence[float]
    handle_right: Sequence[float]
    weight: float

class MaskSpline:
    points: Collection[MaskSplinePoint]

class MaskLayer:
    splines: Collection[MaskSpline]

class Mask(ID):
    layers: Collection[MaskLayer]

class NodeSocket:
    name: str
    type: str
    is_linked: bool
    default_value: Any
    node: Node

class Node:
    name: str
    bl_idname: str
    label: str
    parent: Node | None
    location: Sequence[float]
    height: float
    inputs: Collection[NodeSocket]
    outputs: Collection[NodeSocket]
    # of Image, Movie Clip, Mask, Render Layers and Set Alpha nodes
    image: Image | None
    clip: MovieClip
    mask: Mask
    scene: Scene
    mode: str
    frame_start: int
    frame_offset: int
    frame_duration: int
    use_auto_refresh: bool
    def get(self, key: str, default: Any = ...) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...

class Nodes(Collection[Node]):
    def new(self, type: str) -> Node: ...
    def clear(self) -> None: ...

class NodeLinks:
    def new(self, input: NodeSocket, output: NodeSocket) -> object: ...

class NodeTreeInterfaceItem:
    item_type: str
    in_out: str
    socket_type: str

class NodeTreeInterface:
    items_tree: Sequence[NodeTreeInterfaceItem]
    def new_socket(self, *, name: str, in_out: str, socket_type: str) -> object: ...

class NodeTree(ID):
    nodes: Nodes
    links: NodeLinks
    interface: NodeTreeInterface

class ImageFormatSettings:
    file_format: str
    color_mode: str
    color_depth: str

class RenderSettings:
    resolution_x: int
    resolution_y: int
    resolution_percentage: int
    use_compositing: bool
    use_sequencer: bool
    use_file_extension: bool
    filepath: str
    image_settings: ImageFormatSettings

class Scene(ID):
    frame_current: int
    frame_start: int
    frame_end: int
    camera: object | None
    use_nodes: bool
    node_tree: NodeTree
    compositing_node_group: NodeTree
    render: RenderSettings
    gossamer: Any
    gossamer_clip: Any
    def frame_set(self, frame: int) -> None: ...

class Images(Collection[Image]):
    def load(self, filepath: str, *, check_existing: bool = ...) -> Image: ...
    def remove(self, image: Image) -> None: ...

class Scenes(Collection[Scene]):
    def new(self, name: str) -> Scene: ...
    def remove(self, scene: Scene) -> None: ...

class NodeGroups(Collection[NodeTree]):
    def new(self, name: str, type: str) -> NodeTree: ...
    def remove(self, tree: NodeTree) -> None: ...

class BlendFileColorspace:
    working_space: str

class BlendData:
    filepath: str
    colorspace: BlendFileColorspace
    images: Images
    movieclips: Collection[MovieClip]
    masks: Collection[Mask]
    scenes: Scenes
    screens: Collection[Screen]
    node_groups: NodeGroups

class Space:
    type: str
    # of the Image Editor and the Clip Editor
    image: Image | None
    image_user: ImageUser
    clip: MovieClip | None
    mask: Mask | None

class AreaSpaces:
    active: Space | None

class Region:
    width: int

class Area:
    type: str
    spaces: AreaSpaces
    def tag_redraw(self) -> None: ...

class Screen(ID):
    areas: Sequence[Area]

class Window:
    screen: Screen

class Timer: ...

class WindowManager:
    windows: Sequence[Window]
    def event_timer_add(self, time_step: float, *, window: Window) -> Timer: ...
    def event_timer_remove(self, timer: Timer) -> None: ...
    def modal_handler_add(self, operator: Operator) -> bool: ...
    def progress_begin(self, least: float, most: float) -> None: ...
    def progress_update(self, value: float) -> None: ...
    def progress_end(self) -> None: ...

class PreferencesSystem:
    ui_scale: float

class Addon:
    preferences: Any

class Preferences:
    addons: Collection[Addon]
    system: PreferencesSystem

class Context:
    scene: Scene
    window: Window
    window_manager: WindowManager
    space_data: Space | None
    region: Region | None
    preferences: Preferences
    def temp_override(self, **members: Any) -> AbstractContextManager[None]: ...

class Event:
    type: str
    value: str

class OperatorProperties:
    def is_property_set(self, name: str) -> bool: ...

class UILayout:
    scale_y: float
    enabled: bool
    use_property_split: bool
    use_property_decorate: bool
    def box(self) -> UILayout: ...
    def row(self, *, align: bool = ...) -> UILayout: ...
    def column(self, *, align: bool = ..., heading: str = ...) -> UILayout: ...
    def label(self, *, text: str = ..., icon: str = ...) -> None: ...
    def prop(self, data: object, property: str, *, text: str = ...) -> None: ...
    def operator(self, operator: str, *, text: str = ..., icon: str = ...) -> Any: ...

class Operator:
    properties: OperatorProperties
    def report(self, type: set[str], message: str) -> None: ...
    @classmethod
    def poll_message_set(cls, message: str) -> None: ...

class Panel:
    layout: UILayout

class PropertyGroup: ...

class AddonPreferences:
    layout: UILayout
