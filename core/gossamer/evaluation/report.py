"""Write the page of pictures while an evaluation runs: one picture at a time, the page itself at the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gossamer.errors import SettingError
from gossamer.evaluation.crops import cut, hardest_windows
from gossamer.evaluation.evaluate import SolvedCase
from gossamer.evaluation.page import INPUTS, TRUTH, Section, Tile, render_page
from gossamer.evaluation.pictures import Bytes, cutout, error_map, grey, shrink, to_bytes, trimap_overlay
from gossamer.evaluation.results import Evaluation, save_text, write_csv, write_json
from gossamer.image.foreground import estimate_foreground
from gossamer.image.image import FloatArray, Window

__all__ = ["Report"]

THUMBNAIL_WIDTH = 480
SPOT = 200
"""Side in pixels of the close-up of the hardest spot."""

_WEBP_LIMIT = 16383
_PNG = ".png", [cv2.IMWRITE_PNG_COMPRESSION, 4]
_JPEG = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]
_SMALL_JPEG = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 85]
_WEBP = ".webp", [cv2.IMWRITE_WEBP_QUALITY, 92]


class Report:
    """A folder with ``index.html``, ``evaluation.json``, ``evaluation.csv`` and ``pictures/``; opens offline."""

    def __init__(self, folder: Path, models: Sequence[str]) -> None:
        """Make the folder, so that a place that cannot be written is found before the work starts.

        Raises:
            SettingError: the folder cannot be made or written.
        """
        self.folder = folder
        self._names = {model: f"{index + 1}-{_plain(model)}" for index, model in enumerate(models)}
        self._sections: list[Section] = []
        try:
            (folder / "pictures").mkdir(parents=True, exist_ok=True)
            probe = folder / ".gossamer-probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise SettingError(f"Cannot write the report to {folder}: {error.strerror}.") from error

    def add(self, solved: SolvedCase) -> None:
        """Write one picture's files. Fits ``on_picture`` of :func:`gossamer.evaluation.evaluate`.

        Raises:
            SettingError: a file cannot be written.
        """
        pixels, stem = solved.pixels, solved.case.stem
        plate, trimap, truth = pixels.plate, pixels.trimap, pixels.truth
        tiles = {
            ("matte", INPUTS): self._save(stem, "plate", to_bytes(plate), _JPEG, "plate"),
            ("error", INPUTS): self._save(stem, "trimap", grey(trimap), _PNG, "trimap"),
            ("comp", INPUTS): self._save(stem, "overlay", trimap_overlay(plate, trimap), _JPEG, "trimap on plate"),
            ("matte", TRUTH): self._save(stem, "truth", grey(truth), _PNG, "truth"),
            ("comp", TRUTH): self._save(stem, "truth-comp", _comp(plate, truth), _WEBP, "truth, comp"),
        }
        for model, alpha in solved.mattes.items():
            name = self._names[model]
            tiles["matte", model] = self._save(stem, name, grey(alpha), _PNG, f"{model}, matte")
            tiles["error", model] = self._save(stem, f"{name}-error", error_map(alpha, truth), _PNG, f"{model}, error")
            tiles["comp", model] = self._save(stem, f"{name}-comp", _comp(plate, alpha), _WEBP, f"{model}, comp")
        error = np.mean([np.abs(alpha - truth) for alpha in solved.mattes.values()], axis=0)
        for window in hardest_windows(error, size=SPOT):
            where = f"at {window.x},{window.y}"
            tiles["spot", INPUTS] = self._spot(stem, "plate", to_bytes(plate), window, f"plate {where}")
            tiles["spot", TRUTH] = self._spot(stem, "truth", grey(truth), window, f"truth {where}")
            for model, alpha in solved.mattes.items():
                tiles["spot", model] = self._spot(stem, self._names[model], grey(alpha), window, f"{model} {where}")
        height, width = trimap.shape
        unknown = float(((trimap > 0) & (trimap < 1)).mean())
        self._sections.append(Section(stem, width, height, unknown, tiles))

    def finish(self, evaluation: Evaluation) -> Path:
        """Write the numbers and the page; returns the page's path.

        Raises:
            SettingError: a file cannot be written.
        """
        write_json(evaluation, self.folder / "evaluation.json")
        write_csv(evaluation, self.folder / "evaluation.csv")
        page = self.folder / "index.html"
        save_text(render_page(evaluation, self._sections), page)
        return page

    def _save(self, stem: str, name: str, picture: Bytes, kind: tuple[str, list[int]], title: str) -> Tile:
        """Write the picture at full size and its thumbnail."""
        if kind is _WEBP and max(picture.shape[:2]) > _WEBP_LIMIT:
            kind = _PNG
        small = _WEBP if picture.shape[2] == 4 else _SMALL_JPEG
        full = self._write(stem, name, picture, kind)
        thumbnail = self._write(stem, f"{name}-small", shrink(picture, THUMBNAIL_WIDTH), small)
        return Tile(full, thumbnail, title)

    def _spot(self, stem: str, name: str, picture: Bytes, window: Window, title: str) -> Tile:
        path = self._write(stem, f"{name}-spot", cut(picture, window), _PNG)
        return Tile(path, path, title)

    def _write(self, stem: str, name: str, picture: Bytes, kind: tuple[str, list[int]]) -> str:
        """Write one file and return its path relative to the page."""
        suffix, options = kind
        code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
        _, coded = cv2.imencode(suffix, cv2.cvtColor(np.ascontiguousarray(picture), code), options)
        relative = Path("pictures") / stem / f"{name}{suffix}"
        path = self.folder / relative
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(coded.tobytes())
        except OSError as error:
            raise SettingError(f"Cannot write {path}: {error.strerror}. Choose another --report folder.") from error
        return relative.as_posix()


def _comp(plate: FloatArray, alpha: FloatArray) -> Bytes:
    foreground, _ = estimate_foreground(plate, alpha)
    return cutout(foreground, alpha)


def _plain(model: str) -> str:
    """A file name for a model, which may be a path."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", Path(model).name) or "model"
