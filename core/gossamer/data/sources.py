"""A recipe's ``data``: the sample generator, or files by one of the published layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gossamer.data import datasets
from gossamer.data.dataset_files import MattingSet
from gossamer.errors import DataError, SettingError

__all__ = ["LAYOUTS", "FolderData", "open_set"]

LAYOUTS = ("am2k", "p3m10k", "adobe", "composition1k", "alphamatting", "folder", "csv")
_OF_SOME = {
    "split": ("am2k", "p3m10k", "alphamatting", "csv"), "trimap": ("alphamatting",), "refined": ("adobe",),
}  # fmt: skip
"""Settings that only some layouts read."""
_BACKGROUND_LAYOUTS = ("pictures", "bg20k", "coco")


@dataclass(frozen=True)
class FolderData:
    """``data`` of a recipe that reads files."""

    source: Literal["am2k", "p3m10k", "adobe", "composition1k", "alphamatting", "folder", "csv"]
    """Layout: see :mod:`gossamer.data.datasets`."""
    root: str = ""
    """Folder of the set, or the CSV file; mostly given on the command line."""
    split: str = ""
    """Empty: the one for training."""
    trimap: int = 1
    """alphamatting.com's: which."""
    refined: bool = False
    """Adobe's: the foregrounds that ``gossamer refine-foregrounds`` wrote."""
    backgrounds: tuple[str, ...] = ()
    """Folders of backgrounds to compose with; none leaves those that the set has."""
    background_layout: Literal["pictures", "bg20k", "coco"] = "pictures"
    """``pictures``: what lies directly in the folders."""
    cache_bytes: int = 500_000_000
    """Decoded pictures kept in memory, per process."""

    def __post_init__(self) -> None:
        if self.source not in LAYOUTS:
            raise SettingError(f"data.source is {self.source!r}; use synthetic, {', '.join(LAYOUTS)}.")
        for name, layouts in _OF_SOME.items():
            value = getattr(self, name)
            if self.source not in layouts and value != type(self).__dataclass_fields__[name].default:
                raise SettingError(
                    f"data.{name} is {value!r}, and data.source {self.source!r} has no such thing, only "
                    f"{', '.join(layouts)}; leave it out."
                )
        if self.background_layout not in _BACKGROUND_LAYOUTS:
            raise SettingError(
                f"data.background_layout is {self.background_layout!r}; use {', '.join(_BACKGROUND_LAYOUTS)}."
            )


def open_set(settings: FolderData, *, needs: tuple[str, ...], composed: bool) -> MattingSet:
    """Find and check all files of a recipe's data; nothing is decoded.

    Args:
        settings: of the recipe.
        needs: what every item has to have beside its picture: any of alpha, trimap, foreground.
        composed: whether samples cannot be made without backgrounds.

    Raises:
        DataError: everything that is missing or does not fit, of the set and of its backgrounds at once.
        SettingError: no folder is named, or no such split.
    """
    if not settings.root:
        raise SettingError(f"The recipe reads {settings.source} and names no folder; give it with --data FOLDER.")
    problems: list[str] = []

    def attempt(find: Callable[[], MattingSet]) -> MattingSet | None:
        try:
            return find()
        except DataError as error:
            problems.append(str(error))
            return None

    found = attempt(lambda: _items(settings, needs))
    behind = [attempt(lambda folder=folder: _backgrounds(settings, Path(folder))) for folder in settings.backgrounds]  # type: ignore[misc]
    if found is not None:
        lacking = [
            f"{found.name}: {item.name} has no {name}"
            for name in needs
            for item in found.items
            if getattr(item, name) is None and not (name == "trimap" and item.alpha is not None)
        ]
        if lacking:
            problems.append("\n".join(lacking))
        has_own = bool(found.backgrounds) or all(item.background is not None for item in found.items)
        if composed and not settings.backgrounds and not has_own:
            problems.append(f"{found.name} has no backgrounds to compose with; give --backgrounds FOLDER.")
    if problems or found is None:
        raise DataError("\n".join(problems))
    if not behind:
        return found
    sets = [one for one in behind if one is not None]
    pool = replace(
        sets[0],
        backgrounds=tuple(path for one in sets for path in one.backgrounds),
        denoised_backgrounds=tuple(path for one in sets for path in one.denoised_backgrounds),
    )
    if len(pool.denoised_backgrounds) != len(pool.backgrounds):
        pool = replace(pool, denoised_backgrounds=())
    return datasets.with_backgrounds(found, pool)


def _items(settings: FolderData, needs: tuple[str, ...]) -> MattingSet:
    root, split = Path(settings.root), settings.split
    unlabelled = needs == ("trimap",)
    match settings.source:
        case "am2k":
            if split not in ("", "train", "validation"):
                raise SettingError(f"data.split is {split!r}; AM-2k has train and validation.")
            return datasets.am2k(root, "validation" if split == "validation" else "train", unlabelled=unlabelled)
        case "p3m10k":
            return datasets.p3m10k(root, split or "train", unlabelled=unlabelled)
        case "adobe":
            return datasets.adobe(root, refined=settings.refined)
        case "composition1k":
            return datasets.composition1k(root)
        case "alphamatting":
            return datasets.alphamatting(root, split or "training", trimap=settings.trimap)
        case "csv":
            return datasets.csv_manifest(root, needs=_csv_needs(needs), split=split)
        case _:
            if "trimap" in needs and not (root / "trimap").is_dir() and (root / "alpha").is_dir():
                needs = ("alpha",)  # trimaps are drawn from it
            return datasets.plain_folder(root, needs=needs)


def _csv_needs(needs: tuple[str, ...]) -> tuple[str, ...]:
    """A manifest that has foregrounds needs no pictures."""
    return needs if "foreground" in needs else ("image", *needs)


def _backgrounds(settings: FolderData, folder: Path) -> MattingSet:
    if settings.background_layout == "bg20k":
        return datasets.bg20k(folder)
    if settings.background_layout == "coco":
        return datasets.coco_backgrounds(folder)
    return datasets.pictures(folder)
