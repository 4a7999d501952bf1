"""The files of a matting data set: joined by name, checked before anything is decoded, and read one item at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossamer.errors import DataError, FrameError
from gossamer.image.color import resolve_space, to_display
from gossamer.image.image import FloatArray
from gossamer.image.io import IMAGE_SUFFIXES, read_header, read_image, rgb_channels
from gossamer.image.trimap import matte_from_image, trimap_from_image

__all__ = ["FIELDS", "Item", "Layers", "MattingSet", "SetCheck", "load_item", "pictures_by_stem", "read_color"]

_SAME_SIZE = ("image", "alpha", "trimap", "foreground", "denoised")
FIELDS = (*_SAME_SIZE, "background")
"""What an item may have a file for."""


@dataclass(frozen=True)
class Item:
    """The files of one picture; None for what the set does not have."""

    name: str
    image: Path | None = None
    alpha: Path | None = None
    trimap: Path | None = None
    foreground: Path | None = None
    background: Path | None = None
    denoised: Path | None = None
    """The foreground without camera noise, for RSSN."""


@dataclass(frozen=True)
class MattingSet:
    """The files of a data set."""

    name: str
    root: Path
    items: tuple[Item, ...] = ()
    backgrounds: tuple[Path, ...] = ()
    """Pictures without a subject, for any item."""
    denoised_backgrounds: tuple[Path, ...] = ()
    """Empty, or one for each of ``backgrounds``."""

    def __len__(self) -> int:
        return len(self.items)


class SetCheck:
    """Collects what is wrong with a set and says it all at once."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.problems: list[str] = []
        if not root.is_dir():
            raise DataError(f"{name}: there is no folder {root}. Name the folder that holds the set.")

    def shown(self, path: Path) -> str:
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)

    def finish(self, found: MattingSet, *, needs_items: bool = True) -> MattingSet:
        """``found``, or a DataError with every problem."""
        self.finish_pictures(bool(found.items if needs_items else found.backgrounds))
        return found

    def finish_pictures(self, are_there: bool) -> None:
        """Raise a DataError with every problem; that there are no pictures is one."""
        if not self.problems and not are_there:
            self.problems.append("there are no pictures")
        if self.problems:
            listed = "\n  ".join(self.problems)
            raise DataError(f"{self.name} in {self.root} cannot be used; put right or take out:\n  {listed}")

    def folder(self, *names: str) -> Path | None:
        """The first of ``names`` that exists; None and a problem if none does."""
        for name in names:
            if (self.root / name).is_dir():
                return self.root / name
        self.problems.append(f"there is no folder {' or '.join(names)}")
        return None

    def files(self, folder: Path) -> dict[str, Path]:
        return pictures_by_stem(folder, self.problems)

    def items(self, required: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]) -> tuple[Item, ...]:
        """Join folders by stem.

        Args:
            required: for each field of Item the names its folder may have.
            optional: the same for folders that need not be there; one that is there has to be complete.
        """
        folders = {field: self.folder(*names) for field, names in required.items()}
        for field, names in optional.items():
            folders[field] = next((self.root / name for name in names if (self.root / name).is_dir()), None)
        present = {field: (folder, self.files(folder)) for field, folder in folders.items() if folder is not None}
        if not set(required) <= set(present):
            return ()
        items = []
        for stem in sorted({stem for _, files in present.values() for stem in files}):
            absent = [self.shown(folder) for folder, files in present.values() if stem not in files]
            if absent:
                self.problems.append(f"{stem}: nothing in {', '.join(absent)}")
            else:
                items.append(Item(stem, **{field: files[stem] for field, (_, files) in present.items()}))
        return tuple(self.checked(items))

    def checked(self, items: Sequence[Item]) -> Sequence[Item]:
        """Sizes of what belongs together, from the headers."""
        for item in items:
            files = [getattr(item, field) for field in _SAME_SIZE]
            self.require_equal_sizes(item.name, [path for path in files if path is not None])
        return items

    def require_equal_sizes(self, name: str, paths: Sequence[Path]) -> None:
        """A problem if the pictures cannot be opened, are not of one size, or are stored in different orientations."""
        sizes: dict[str, list[str]] = {}
        orientations: dict[str, list[str]] = {}
        for path in paths:
            try:
                header = read_header(path)
            except FrameError as error:
                self.problems.append(f"{name}: {error}")
                continue
            window = header.data_window
            sizes.setdefault(f"{window.width}x{window.height}", []).append(self.shown(path))
            orientations.setdefault(str(header.metadata.get("Orientation", 1)), []).append(self.shown(path))
        for what, found in (("sizes differ", sizes), ("some are stored rotated, by their Orientation", orientations)):
            if len(found) > 1:
                stated = "; ".join(f"{value}: {', '.join(files)}" for value, files in found.items())
                self.problems.append(f"{name}: {what} ({stated})")

    def require_integers(self, name: str, path: Path) -> None:
        """A problem if the samples are floats, which PNG cannot hold."""
        try:
            kind = read_header(path).data_type
        except FrameError:
            return  # said with the size
        if not kind.startswith("uint"):
            self.problems.append(f"{name}: {self.shown(path)} holds {kind}; convert it to 8 or 16 bits")


def pictures_by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Pictures directly in ``folder``; a stem that two files share is added to ``problems``."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        if path.stem in files:
            problems.append(f"{path.stem}: both {files[path.stem].name} and {path.name} in {folder}")
            continue
        files[path.stem] = path
    return files


@dataclass(frozen=True, eq=False)
class Layers:
    """The pixels of one item. Colours H x W x 3, sRGB-encoded Rec.709, 0..1, unpremultiplied; planes H x W."""

    plate: FloatArray | None = None
    alpha: FloatArray | None = None
    trimap: FloatArray | None = None
    """0, 0.5 and 1."""
    foreground: FloatArray | None = None
    background: FloatArray | None = None
    denoised: FloatArray | None = None


def read_color(path: Path, *, space: str = "") -> FloatArray:
    """H x W x 3, sRGB-encoded Rec.709, 0..1. Grey becomes three equal channels, alpha is left in the file.

    Args:
        path: any picture.
        space: its OCIO colour space, or empty for what header and file type say.

    Raises:
        ImageReadError, ColorError: the file is damaged, or its colour space unknown.
    """
    image = read_image(path)
    names = rgb_channels(image.channels, path)
    pixels = np.stack([image.channel(name) for name in (names if len(names) == 3 else names * 3)], axis=-1)
    return np.ascontiguousarray(to_display(pixels, resolve_space(image, space).name), np.float32)


def load_item(item: Item, *, space: str = "") -> Layers:
    """Read what ``item`` has; ``space`` as in :func:`read_color`, for all of its colours.

    Raises:
        ImageReadError, TrimapError, ColorError: a file is damaged or holds something else.
    """
    color = {
        name: read_color(path, space=space)
        for name, path in (
            ("plate", item.image),
            ("foreground", item.foreground),
            ("background", item.background),
            ("denoised", item.denoised),
        )
        if path is not None
    }
    alpha = None if item.alpha is None else matte_from_image(read_image(item.alpha), f"alpha {item.alpha}").matte
    trimap = None
    if item.trimap is not None:
        trimap = trimap_from_image(read_image(item.trimap), f"trimap {item.trimap}").trimap
    return Layers(alpha=alpha, trimap=trimap, **color)
