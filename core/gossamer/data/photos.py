"""Photographs that the generator draws from: backgrounds, textures, and real foregrounds with their alpha."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.data.elements import fill_outside
from gossamer.data.recent import Recent
from gossamer.errors import DataError
from gossamer.image.io import read_header
from gossamer.image.load_pymatting import load_pymatting

__all__ = ["CutoutLibrary", "PhotoLibrary", "RenderLibrary", "list_pictures", "picture_folders", "read_picture"]

_CACHE_BYTES = 400_000_000
"""Decoded pictures that a library keeps, per process."""
_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def _bytes(pixels: NDArray[np.uint8]) -> int:
    return pixels.nbytes


def list_pictures(folder: Path) -> list[Path]:
    """Pictures directly in a folder, sorted by name; see :func:`picture_folders` for folders of folders.

    Raises:
        DataError: the folder is missing or holds no picture.
    """
    if not folder.is_dir():
        raise DataError(f"Folder {folder} does not exist; name an existing folder of pictures or leave it out.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise DataError(f"Folder {folder} holds no picture ({', '.join(sorted(_SUFFIXES))}).")
    return found


def read_picture(path: Path, *, longest: int, channels: int = 3, upright: bool = True) -> NDArray[np.uint8]:
    """One picture as H x W x ``channels`` uint8 (3: RGB, 4: RGBA, straight; 1: H x W), reduced to a longest side.

    16 bits become 8. ``upright``: pictures that are stored rotated are turned; RGBA ones never are.

    Raises:
        DataError: it cannot be decoded, or has no alpha where four channels are asked for, or these are floats.
    """
    flags = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR, 4: cv2.IMREAD_UNCHANGED}[channels]
    if channels < 4 and not upright:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags) if path.stat().st_size else None
    if pixels is None:
        raise DataError(f"{path} cannot be decoded; replace or remove it.")
    if channels == 4 and (pixels.ndim != 3 or pixels.shape[2] != 4):
        raise DataError(f"{path} has no alpha channel; cutouts must be RGBA pictures.")
    if pixels.dtype == np.uint16:
        pixels = np.round(pixels / 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise DataError(f"{path} holds {pixels.dtype}; convert it to 8 or 16 bits.")
    if channels > 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA)
    ratio = longest / max(pixels.shape[:2])
    if ratio < 1:
        size = (round(pixels.shape[1] * ratio), round(pixels.shape[0] * ratio))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(pixels, np.uint8)


def picture_folders(folder: Path) -> list[Path]:
    """The folder itself, or, where it holds no picture but its sub-folders do, these, sorted."""
    if not folder.is_dir() or any(path.suffix.lower() in _SUFFIXES for path in folder.iterdir()):
        return [folder]
    below = sorted({path.parent for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES})
    return below or [folder]


def _read_rgba(path: Path, longest: int) -> NDArray[np.uint8]:
    """An RGBA picture whose colour goes on smoothly where alpha vanishes."""
    pixels = read_picture(path, longest=longest, channels=4).astype(np.float32) * np.float32(1 / 255)
    straight = fill_outside(pixels[..., :3] * pixels[..., 3:], np.ascontiguousarray(pixels[..., 3]))
    return np.round(np.concatenate([straight, pixels[..., 3:]], -1).clip(0, 1) * 255).astype(np.uint8)


class PhotoLibrary:
    """Photographs of several folders; the last ones drawn are kept decoded (about 2 MB each)."""

    def __init__(self, folders: Iterable[str], *, longest: int = 1024) -> None:
        """Args: folders: each is drawn from with equal chance. longest: side to which pictures are reduced."""
        self._paths = [list_pictures(path) for folder in folders for path in picture_folders(Path(folder))]
        self._longest = longest
        self._recent = Recent(_CACHE_BYTES)

    def __bool__(self) -> bool:
        return bool(self._paths)

    def draw(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One whole photograph, H x W x 3 RGB."""
        paths = self._paths[int(rng.integers(len(self._paths)))]
        path = paths[int(rng.integers(len(paths)))]
        return self._recent.get(path, lambda: read_picture(path, longest=self._longest), _bytes)


class CutoutLibrary:
    """Real foregrounds with alpha, as RGBA with straight colour that is continued outside the object.

    Two sorts of folder: one with ``image/`` and ``alpha/`` (equal stems), whose foreground colours are estimated once
    with PyMatting (Germer et al., multi-level estimation) and kept in a cache folder; and one of RGBA pictures.
    """

    def __init__(
        self, pair_folders: Iterable[str], rgba_folders: Iterable[str], *, cache: str = "", longest: int = 1100
    ) -> None:
        """Args: cache: folder for the estimated colours; empty means ``~/.cache/gossamer/foregrounds``."""
        self._sources: list[tuple[Path, Path | None]] = []
        for folder in pair_folders:
            root = Path(folder)
            for image in list_pictures(root / "image"):
                alpha = root / "alpha" / f"{image.stem}.png"
                if not alpha.is_file():
                    raise DataError(f"{image} has no alpha at {alpha}.")
                self._sources.append((image, alpha))
        self._pairs = len(self._sources)
        for folder in rgba_folders:
            self._sources += [(path, None) for path in list_pictures(Path(folder))]
        self._cache = Path(cache) if cache else Path.home() / ".cache" / "gossamer" / "foregrounds"
        self._longest = longest
        self._recent = Recent(_CACHE_BYTES)

    def __bool__(self) -> bool:
        return bool(self._sources)

    def draw(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One whole cutout, H x W x 4; photographs and RGBA pictures with equal chance where both are there."""
        pairs, others = self._pairs, len(self._sources) - self._pairs
        if pairs and (not others or rng.random() < 0.75):
            index = int(rng.integers(pairs))
        else:
            index = pairs + int(rng.integers(others))
        image, alpha = self._sources[index]

        def load() -> NDArray[np.uint8]:
            return _read_rgba(image, self._longest) if alpha is None else self._load_pair(image, alpha)

        return self._recent.get(index, load, _bytes)

    def _load_pair(self, image: Path, alpha: Path) -> NDArray[np.uint8]:
        state = "|".join(f"{p.resolve()}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in (image, alpha))
        key = hashlib.sha256(f"{state}|{self._longest}|1".encode()).hexdigest()[:24]
        kept = self._cache / f"{key}.png"
        if kept.is_file():
            return read_picture(kept, longest=self._longest, channels=4)
        library = load_pymatting(f"The estimate of foreground colours of {image}")
        turned = [int(read_header(path).metadata.get("Orientation", 1)) for path in (image, alpha)]
        if turned[0] != turned[1]:
            raise DataError(
                f"{image} is stored rotated differently (Orientation {turned[0]}) from {alpha} (Orientation "
                f"{turned[1]}); save both upright."
            )
        plate = read_picture(image, longest=self._longest, upright=False)
        matte = read_picture(alpha, longest=self._longest, channels=1, upright=False)
        if plate.shape[:2] != matte.shape:
            raise DataError(f"{image} is {plate.shape[1]}x{plate.shape[0]}, but {alpha} differs; sizes must agree.")
        foreground = library.estimate_foreground_ml(plate.astype(np.float64) / 255, matte.astype(np.float64) / 255)
        rgba = np.dstack([np.round(np.clip(foreground, 0, 1) * 255).astype(np.uint8), matte])
        self._keep(kept, rgba)
        return rgba

    def _keep(self, path: Path, rgba: NDArray[np.uint8]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        done, data = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 3])
        if not done:
            raise DataError(f"Foreground colours cannot be encoded for {path}.")
        # Several worker processes may arrive here at once: each writes its own file, the last rename wins.
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
        temporary.write_bytes(data.tobytes())
        temporary.replace(path)


class RenderLibrary:
    """Rendered foregrounds: square RGBA pictures named ``NUMBER.KIND.png``, as ``gossamer_renders`` makes them."""

    def __init__(self, folders: Iterable[str], *, kinds: Collection[str], longest: int = 1100) -> None:
        """Args: kinds: what may stand for KIND.

        Raises:
            DataError: a folder is missing or empty, or a name has no such kind.
        """
        self._paths = [path for folder in folders for path in list_pictures(Path(folder))]
        self._longest = longest
        self._recent = Recent(_CACHE_BYTES)
        for path in self._paths:
            if _kind(path) not in kinds:
                raise DataError(
                    f"{path} does not say what it shows; name it {path.stem.split('.')[0]}.KIND{path.suffix} with "
                    f"one of {', '.join(sorted(kinds))}."
                )

    def __bool__(self) -> bool:
        return bool(self._paths)

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
        """One picture, S x S x 4, with straight colour that goes on outside the object; and its kind.

        Raises:
            DataError: it cannot be decoded, has no alpha or is not square.
        """
        path = self._paths[int(rng.integers(len(self._paths)))]
        pixels = self._recent.get(path, lambda: _read_rgba(path, self._longest), _bytes)
        if pixels.shape[0] != pixels.shape[1]:
            raise DataError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]} pixels; renders are square.")
        return pixels, _kind(path)


def _kind(path: Path) -> str:
    return Path(path.stem).suffix[1:]
