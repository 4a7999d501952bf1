"""What an evaluation found, and its JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from gossamer.errors import SettingError
from gossamer.evaluation.scores import METRIC_NAMES, Scores, mean_scores

__all__ = ["Evaluation", "MeasuredRegion", "PictureScores", "save_text", "write_csv", "write_json"]

MeasuredRegion = Literal["unknown", "whole"]


@dataclass(frozen=True)
class PictureScores:
    """One model's numbers on one picture."""

    unknown: Scores
    whole: Scores


@dataclass(frozen=True)
class Evaluation:
    """Every model on every picture of a folder."""

    folder: str
    trimap: str
    """Name of the trimap folder."""
    models: tuple[str, ...]
    pictures: Mapping[str, Mapping[str, PictureScores]]
    """By stem, then by model; without the models that did not solve the picture."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By model: identity (hash of the weights), what it ran on and how, ``guided`` (whether it was shown the trimap
    though it needs none), seconds of the warm-up, and what was done on all pictures together: passes, refined tiles,
    steps, tiles that the guard held or no step helped."""
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What the readers had to decide: colour spaces, channels, values off the grid."""
    failures: tuple[str, ...] = ()
    """What could not be read, solved or shown: model, picture and reason."""

    @property
    def compared(self) -> tuple[str, ...]:
        """Stems of the pictures that every model solved: means over others would compare unlike things."""
        return tuple(stem for stem, solved in self.pictures.items() if len(solved) == len(self.models))

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed and nothing was left out because the user stopped it."""
        return not self.failures and len(self.compared) == len(self.pictures)

    @property
    def extent(self) -> str:
        """How many pictures the means are over, in words."""
        found, total = len(self.compared), len(self.pictures)
        return f"{total} pictures" if found == total else f"{found} of {total} pictures"

    @property
    def guided(self) -> tuple[str, ...]:
        """Models that were shown the trimap though they need none."""
        return tuple(model for model in self.models if self.details.get(model, {}).get("guided"))

    @property
    def shown(self) -> str:
        """The trimap's name for titles: numbers of models that were shown one they need not are another measurement."""
        return f"{self.trimap}, guided" if self.guided else self.trimap

    def scores(self, stem: str, model: str, region: MeasuredRegion) -> Scores:
        """Numbers of one picture."""
        both = self.pictures[stem][model]
        return both.unknown if region == "unknown" else both.whole

    def mean(self, model: str, region: MeasuredRegion) -> Scores:
        """Mean over the pictures that every model solved; there has to be one."""
        return mean_scores([self.scores(stem, model, region) for stem in self.compared])

    def means(self, region: MeasuredRegion) -> dict[str, dict[str, float]]:
        """Each model's :meth:`mean` as plain values; empty where no picture was solved by every model."""
        return {model: asdict(self.mean(model, region)) for model in self.models if self.compared}

    def worst(self, model: str) -> str:
        """Stem of the picture with the largest SAD over the unknown region, of those that every model solved."""
        return max(self.compared, key=lambda stem: self.scores(stem, model, "unknown").sad)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON. ``mean`` and ``pictures`` are over the unknown region; ``whole`` holds both again."""

        def region(name: MeasuredRegion) -> dict[str, Any]:
            return {
                "mean": self.means(name),
                "pictures": {
                    stem: {model: asdict(self.scores(stem, model, name)) for model in solved}
                    for stem, solved in self.pictures.items()
                },
            }

        return {
            **region("unknown"),
            "whole": region("whole"),
            "complete": self.is_complete,
            "failures": list(self.failures),
            "trimap": self.trimap,
            "folder": self.folder,
            "models": {model: dict(self.details.get(model, {})) for model in self.models},
            "versions": dict(self.versions),
            "notes": list(self.notes),
        }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write :meth:`Evaluation.as_dict`.

    Raises:
        SettingError: the file cannot be written.
    """
    save_text(json.dumps(evaluation.as_dict(), indent=2, allow_nan=False, default=str) + "\n", path)


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write one row a picture and model: the unknown region's numbers, the whole picture's, seconds, and ``yes`` in the
    last column if the model was shown the trimap though it needs none.

    Raises:
        SettingError: the file cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["picture", "model", *METRIC_NAMES, *(f"whole_{name}" for name in METRIC_NAMES), "seconds", "guided"])
    for stem, by_model in evaluation.pictures.items():
        for model, scores in by_model.items():
            unknown = [getattr(scores.unknown, name) for name in METRIC_NAMES]
            whole = [getattr(scores.whole, name) for name in METRIC_NAMES]
            guided = "yes" if model in evaluation.guided else "no"
            rows.writerow([stem, model, *unknown, *whole, scores.unknown.seconds, guided])
    save_text(text.getvalue(), path)


def save_text(text: str, path: Path) -> None:
    """Write beside ``path`` and rename, so that no reader finds half a file.

    Raises:
        SettingError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise SettingError(f"Cannot write {path}: {error.strerror}. Choose another place.") from error
