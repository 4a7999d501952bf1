"""JSON and CSV as other programs read them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gossamer.errors import SettingError
from gossamer.evaluation.results import Evaluation, PictureScores, write_csv, write_json
from gossamer.evaluation.scores import METRIC_NAMES, Scores


def scores(sad: float) -> Scores:
    return Scores(sad=sad, mse=sad / 100, mad=sad / 10, grad=2 * sad, conn=3 * sad, seconds=0.25)


@pytest.fixture
def found() -> Evaluation:
    pictures = {
        stem: {model: PictureScores(scores(sad + shift), scores(2 * (sad + shift))) for model, shift in MODELS.items()}
        for stem, sad in (("a", 1.0), ("b", 3.0))
    }
    return Evaluation("/data/set", "trimap", tuple(MODELS), pictures, {}, {"python": "3.11"}, ("a note",))


MODELS = {"knn": 0.0, "shared": 1.0}


def test_json_has_means_and_pictures_of_the_unknown_region(found: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(found, path)
    values = json.loads(path.read_text(encoding="utf-8"))
    assert set(values["mean"]["knn"]) == {"sad", "mse", "mad", "grad", "conn", "seconds"}
    assert values["mean"]["knn"]["sad"] == 2.0
    assert values["pictures"]["b"]["shared"]["grad"] == 8.0
    assert values["whole"]["mean"]["knn"]["sad"] == 4.0
    assert values["whole"]["pictures"]["a"]["knn"]["conn"] == 6.0
    assert values["trimap"] == "trimap"
    assert values["versions"] == {"python": "3.11"}
    assert values["complete"] is True


def test_csv_has_a_row_for_each_picture_and_model(found: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_csv(found, path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [(row["picture"], row["model"]) for row in rows] == [
        ("a", "knn"),
        ("a", "shared"),
        ("b", "knn"),
        ("b", "shared"),
    ]
    whole = (f"whole_{name}" for name in METRIC_NAMES)
    assert set(rows[0]) == {"picture", "model", "seconds", "guided", *METRIC_NAMES, *whole}
    assert float(rows[3]["sad"]) == 4.0
    assert float(rows[3]["whole_sad"]) == 8.0


def test_who_was_shown_a_trimap_without_need_is_told(found: Evaluation, tmp_path: Path) -> None:
    guided = replace(found, details={"knn": {"guided": False}, "shared": {"guided": True}})
    assert (found.shown, guided.shown) == ("trimap", "trimap, guided")
    write_csv(guided, tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["model"]: row["guided"] for row in rows} == {"knn": "no", "shared": "yes"}


def test_the_worst_picture_is_the_one_with_the_largest_sad(found: Evaluation) -> None:
    assert found.worst("knn") == "b"


def test_what_is_missing_is_missing_in_json_and_csv_and_means(found: Evaluation, tmp_path: Path) -> None:
    pictures = {"a": found.pictures["a"], "b": {"knn": found.pictures["b"]["knn"]}, "c": {}}
    partial = replace(found, pictures=pictures, failures=("shared on b.png: no known colours.",))
    write_json(partial, tmp_path / "out.json")
    write_csv(partial, tmp_path / "out.csv")
    values = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert values["complete"] is False
    assert values["failures"] == ["shared on b.png: no known colours."]
    assert values["mean"]["knn"]["sad"] == 1.0
    assert {stem: list(solved) for stem, solved in values["pictures"].items()} == {
        "a": ["knn", "shared"],
        "b": ["knn"],
        "c": [],
    }
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["picture"], row["model"]) for row in rows] == [("a", "knn"), ("a", "shared"), ("b", "knn")]
    assert partial.worst("knn") == "a"


def test_without_a_picture_that_all_models_solved_there_are_no_means(found: Evaluation) -> None:
    partial = replace(found, pictures={"a": {"knn": found.pictures["a"]["knn"]}})
    assert partial.as_dict()["mean"] == {}


def test_a_folder_is_made_for_the_file(found: Evaluation, tmp_path: Path) -> None:
    write_json(found, tmp_path / "new" / "out.json")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.json"]


@pytest.mark.parametrize("write", [write_json, write_csv])
def test_a_place_that_cannot_be_written_is_named(found: Evaluation, tmp_path: Path, write: object) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"Cannot write .*file/out: .*Choose another place"):
        write(found, tmp_path / "file" / "out")  # type: ignore[operator]
