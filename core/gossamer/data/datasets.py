"""Matting data by the folder layouts it is published in, and a studio's own.

Every function looks at all files of its set before it returns: what is missing, doubled, or of another size is listed
in one error, before hours of training and not after them. Nothing is decoded yet.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gossamer.data.dataset_files import FIELDS, Item, MattingSet, SetCheck, pictures_by_stem
from gossamer.errors import DataError, SettingError

__all__ = [
    "adobe",
    "alphamatting",
    "am2k",
    "bg20k",
    "coco_backgrounds",
    "composition1k",
    "csv_manifest",
    "p3m10k",
    "pictures",
    "plain_folder",
    "with_backgrounds",
]

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")


def _require(value: str, choices: Sequence[str], what: str) -> None:
    if value not in choices:
        raise SettingError(f"{what} is {', '.join(choices)}, not {value!r}.")


def _labels(root: Path, base: str, unlabelled: bool) -> tuple[dict[str, Sequence[str]], dict[str, Sequence[str]]]:
    """Which of alpha and trimap a split in ``base`` has to have, and may have, for :meth:`SetCheck.items`."""
    mask, trimap = [f"{base}/mask"], [f"{base}/trimap"]
    if base != "train":
        return {"alpha": mask, "trimap": trimap}, {}
    if unlabelled and (root / trimap[0]).is_dir():
        return {"trimap": trimap}, {"alpha": mask}
    return {"alpha": mask}, {}


def am2k(root: Path, split: Split = "train", *, unlabelled: bool = False) -> MattingSet:
    """AM-2k (GFM): ``train/{original,mask[,fg,bg,fg_denoise]}``, ``validation/{original,mask,trimap}``.

    ``fg`` and ``bg`` are foreground and background colours made from each picture, png or jpg. Without backgrounds of
    another set this is the ORI track; :func:`with_backgrounds` makes it the COMP track.

    Args:
        root: folder of the set.
        split: ``train`` or ``validation``.
        unlabelled: for training without alpha labels: if there is ``train/trimap`` it is taken, and ``train/mask`` need
            not be there.

    Raises:
        DataError: lists everything that is missing or does not fit.
        SettingError: no such split.
    """
    _require(split, SPLITS, "AM-2k's split")
    check = SetCheck("AM-2k", root)
    original, fg, bg, denoised = ([f"{split}/{name}"] for name in ("original", "fg", "bg", "fg_denoise"))
    required, optional = _labels(root, split, unlabelled)
    required = {"image": original} | required
    optional = optional | {"foreground": fg, "background": bg, "denoised": denoised}
    return check.finish(MattingSet(f"AM-2k {split}", root, check.items(required, optional)))


def p3m10k(root: Path, split: str = "train", *, unlabelled: bool = False) -> MattingSet:
    """P3M-10k: ``train/{blurred_image,mask}``, and for validation ``P3M-500-P/{blurred_image,mask,trimap}`` and
    ``P3M-500-NP/{original_image,mask,trimap}``.

    Args:
        root: folder of the set.
        split: ``train``, ``P3M-500-P`` (blurred faces) or ``P3M-500-NP``.
        unlabelled: as in :func:`am2k`.

    Raises:
        DataError: lists everything that is missing or does not fit.
        SettingError: no such split.
    """
    _require(split, ("train", "P3M-500-P", "P3M-500-NP"), "P3M-10k's split")
    check = SetCheck("P3M-10k", root)
    base = "train" if split == "train" else f"validation/{split}"
    picture = "original_image" if split == "P3M-500-NP" else "blurred_image"
    required, optional = _labels(root, base, unlabelled)
    required = {"image": [f"{base}/{picture}"]} | required
    optional = optional | {
        "foreground": [f"{base}/fg"], "background": [f"{base}/bg"], "denoised": [f"{base}/fg_denoise"],
    }  # fmt: skip
    return check.finish(MattingSet(f"P3M-10k {split}", root, check.items(required, optional)))


def bg20k(root: Path, split: str = "train") -> MattingSet:
    """BG-20k: ``train/`` with, if it is there, ``train_denoise/``; or ``testval/``. Backgrounds only.

    Raises:
        DataError: lists everything that is missing or does not fit.
        SettingError: no such split.
    """
    _require(split, ("train", "testval"), "BG-20k's split")
    check = SetCheck("BG-20k", root)
    folder = check.folder(split)
    files = check.files(folder) if folder else {}
    denoised: dict[str, Path] = {}
    if (root / f"{split}_denoise").is_dir():
        denoised = check.files(root / f"{split}_denoise")
        check.problems += [f"{stem}: nothing in {split}_denoise" for stem in files if stem not in denoised]
    backgrounds = tuple(files.values())
    quiet = tuple(denoised[stem] for stem in files if stem in denoised)
    return check.finish(
        MattingSet(f"BG-20k {split}", root, backgrounds=backgrounds, denoised_backgrounds=quiet), needs_items=False
    )


def coco_backgrounds(root: Path) -> MattingSet:
    """COCO pictures as backgrounds: in ``train/`` or ``train_bg/``.

    Raises:
        DataError: there is no such folder, or it is empty.
    """
    check = SetCheck("COCO", root)
    folder = check.folder("train", "train_bg")
    return check.finish(
        MattingSet("COCO", root, backgrounds=tuple(check.files(folder).values() if folder else ())), needs_items=False
    )


def pictures(root: Path) -> MattingSet:
    """Every picture directly in a folder, as a background.

    Raises:
        DataError: there is no such folder, or it is empty, or two pictures share a stem.
    """
    check = SetCheck("The backgrounds", root)
    return check.finish(MattingSet(root.name, root, backgrounds=tuple(check.files(root).values())), needs_items=False)


def adobe(root: Path, *, refined: bool = False) -> MattingSet:
    """Adobe's foregrounds with COCO backgrounds, as LSA and ViTMatte train.

    ``[train/]{fg,alpha}``, backgrounds in ``coco_bg`` or ``bg``; with ``training_bg_names.txt`` only those it names.

    Args:
        root: folder of the set.
        refined: take the foregrounds of ``kappa_fg``, which ``gossamer refine-foregrounds`` writes.

    Raises:
        DataError: lists everything that is missing or does not fit.
    """
    check = SetCheck("Adobe", root)
    base = "train/" if (root / "train").is_dir() else ""
    required = {"foreground": [f"{base}{'kappa_fg' if refined else 'fg'}"], "alpha": [f"{base}alpha"]}
    items = check.items(required, {})
    folder = check.folder(f"{base}coco_bg", f"{base}bg")
    backgrounds = list(check.files(folder).values()) if folder else []
    listing = next((path for path in (root / base).glob("training_bg_names.txt")), root / "training_bg_names.txt")
    if folder and listing.is_file():
        names = dict.fromkeys(listing.read_text(encoding="utf-8").split())
        check.problems += [
            f"{name}: named in {listing.name}, but not in {check.shown(folder)}"
            for name in names
            if not (folder / name).is_file()
        ]
        backgrounds = [folder / name for name in names]
    return check.finish(MattingSet("Adobe", root, items, tuple(backgrounds)))


def composition1k(root: Path) -> MattingSet:
    """Composition-1k: ``merged/``, ``trimaps/`` and ``alpha_copy/`` with equal names.

    Raises:
        DataError: lists everything that is missing or does not fit.
    """
    check = SetCheck("Composition-1k", root)
    required = {"image": ["merged"], "alpha": ["alpha_copy"], "trimap": ["trimaps"]}
    return check.finish(MattingSet("Composition-1k", root, check.items(required, {})))


def alphamatting(root: Path, split: str = "training", *, trimap: int = 1) -> MattingSet:
    """alphamatting.com in low resolution: 27 training pictures with alpha, or the 8 test pictures without.

    Args:
        root: folder of the set.
        split: ``training`` or ``test``.
        trimap: 1 or 2, for the test pictures also 3.

    Raises:
        DataError: lists everything that is missing or does not fit.
        SettingError: no such split or trimap.
    """
    _require(split, ("training", "test"), "alphamatting.com's split")
    _require(str(trimap), ("1", "2") if split == "training" else ("1", "2", "3"), "alphamatting.com's trimap")
    check = SetCheck("alphamatting.com", root)
    part = "_training" if split == "training" else ""
    required = {"image": [f"input{part}_lowres"], "trimap": [f"trimap{part}_lowres/Trimap{trimap}"]}
    if part:
        required["alpha"] = ["gt_training_lowres"]
    return check.finish(MattingSet(f"alphamatting.com {split}", root, check.items(required, {})))


def plain_folder(root: Path, *, needs: Sequence[str] = ("alpha",)) -> MattingSet:
    """``image/`` and ``alpha/``, and if they are there ``trimap/``, ``fg/`` and ``bg/``, joined by equal stems.

    A ``bg/`` that shares no stem with ``image/`` is a pool of backgrounds for every picture.

    Args:
        root: folder of the set.
        needs: what every item must have beside its image: any of alpha, trimap, foreground, background. Training
            without alpha labels needs only the trimap.

    Raises:
        DataError: lists everything that is missing or does not fit.
        SettingError: ``needs`` names something else.
    """
    folders = {"alpha": "alpha", "trimap": "trimap", "foreground": "fg", "background": "bg"}
    for name in needs:
        _require(name, tuple(folders), "What a plain folder needs")
    check = SetCheck("The folder", root)
    pool: tuple[Path, ...] = ()
    image, background = root / "image", root / "bg"
    if "background" not in needs and image.is_dir() and background.is_dir():
        behind = pictures_by_stem(background, [])
        if not set(behind) & set(pictures_by_stem(image, [])):
            pool = tuple(check.files(background).values())
    required = {"image": ["image"]} | {name: [folders[name]] for name in folders if name in needs}
    optional = {
        name: [folder] for name, folder in folders.items() if name not in needs and not (name == "background" and pool)
    }
    return check.finish(MattingSet(root.name, root, check.items(required, optional), pool))


def csv_manifest(path: Path, *, needs: Sequence[str] = ("image", "alpha"), split: str = "") -> MattingSet:
    """A studio's own list: a CSV file with a header line and one picture a line.

    Columns: ``image``, ``alpha``, ``trimap``, ``foreground``, ``background``, ``denoised``, ``name``, ``split``, in any
    order, all but the needed ones optional. Paths are relative to the CSV file's folder, or absolute.

    Args:
        path: the CSV file.
        needs: columns that every line must fill.
        split: take only the lines whose ``split`` column says this; empty takes those that say ``train`` or nothing.

    Raises:
        DataError: lists every line with a missing cell, a missing file or sizes that differ.
        SettingError: ``needs`` names no column.
    """
    for name in needs:
        _require(name, FIELDS, "What a manifest needs")
    if not path.is_file():
        raise DataError(f"There is no manifest {path}. Name a CSV file with the columns {', '.join(needs)}.")
    check = SetCheck(path.name, path.parent)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            columns = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no CSV file in UTF-8: {error}.") from error
    check.problems += [f"there is no column {name}" for name in needs if name not in columns]
    unknown = [name for name in columns if name not in (*FIELDS, "name", "split")]
    check.problems += [f"column {name!r} has no meaning here" for name in unknown]
    items: list[Item] = []
    lines: dict[str, int] = {}
    for line, row in rows if not check.problems else []:
        item = _row_item(check, line, {key: (value or "").strip() for key, value in row.items() if key}, needs, split)
        if item is None:
            continue
        if item.name in lines:
            check.problems.append(f"line {line}: the name {item.name} stands in line {lines[item.name]} already")
        lines.setdefault(item.name, line)
        items.append(item)
    return check.finish(MattingSet(path.stem, path.parent, tuple(check.checked(items))))


def _row_item(check: SetCheck, line: int, row: dict[str, str], needs: Sequence[str], split: str) -> Item | None:
    """One line of a manifest, or None if it is of another split or names files that are not there."""
    if row.get("split", "") not in ((split,) if split else ("", "train")):
        return None
    empty = [name for name in needs if not row.get(name)]
    if empty:
        check.problems.append(f"line {line}: {', '.join(empty)} is empty")
        return None
    files = {name: check.root / row[name] for name in FIELDS if row.get(name)}
    missing = [f"line {line}: there is no {name} {file}" for name, file in files.items() if not file.is_file()]
    check.problems += missing
    main = files.get("image") or next(iter(files.values()))
    return None if missing else Item(row.get("name") or main.stem, **files)


def with_backgrounds(items: MattingSet, backgrounds: MattingSet) -> MattingSet:
    """The foregrounds of one set before the backgrounds of another: GFM's COMP track.

    Raises:
        DataError: the second set has no backgrounds, or an item has neither picture nor foreground to compose.
    """
    if not backgrounds.backgrounds:
        raise DataError(f"{backgrounds.name} has no backgrounds to compose with.")
    bare = [item.name for item in items.items if item.alpha is None or (item.image is None and item.foreground is None)]
    if bare:
        raise DataError(f"{items.name} cannot be composed, these have no alpha or no colours: {', '.join(bare)}.")
    return replace(
        items,
        name=f"{items.name} on {backgrounds.name}",
        backgrounds=backgrounds.backgrounds,
        denoised_backgrounds=backgrounds.denoised_backgrounds,
    )
