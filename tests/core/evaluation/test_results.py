"""JSON and CSV as other programs read them."""

import csv
import json
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
    assert set(rows[0]) == {"picture", "model", "seconds", *METRIC_NAMES, *(f"whole_{name}" for name in METRIC_NAMES)}
    assert float(rows[3]["sad"]) == 4.0
    assert float(rows[3]["whole_sad"]) == 8.0


def test_the_worst_picture_is_the_one_with_the_largest_sad(found: Evaluation) -> None:
    assert found.worst("knn") == "b"


def test_a_folder_is_made_for_the_file(found: Evaluation, tmp_path: Path) -> None:
    write_json(found, tmp_path / "new" / "out.json")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.json"]


@pytest.mark.parametrize("write", [write_json, write_csv])
def test_a_place_that_cannot_be_written_is_named(found: Evaluation, tmp_path: Path, write: object) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"Cannot write .*file/out: .*Choose another place"):
        write(found, tmp_path / "file" / "out")  # type: ignore[operator]
