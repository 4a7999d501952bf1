"""The page of pictures: complete, offline, and readable by a browser."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.errors import SettingError, TrimapError
from gossamer.evaluation.evaluate import evaluate
from gossamer.evaluation.report import SPOT, Report
from gossamer.inference.solution import Solution

MakeFolder = Callable[..., Path]
Fake = Callable[..., Any]

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a page refers to and checks that its elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        values = {name: value or "" for name, value in attrs}
        assert not {"onclick", "onload"} & set(values)
        if "src" in values:
            self.sources.append(values["src"])
        if "href" in values:
            self.links.append(values["href"])
        if "id" in values:
            self.ids.append(values["id"])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def write_report(folder: Path, out: Path, solvers: dict[str, Any]) -> tuple[Page, str]:
    report = Report(out, list(solvers))
    text = report.finish(evaluate(folder, solvers, on_picture=report.add)).read_text(encoding="utf-8")
    return Page(text), text


def load(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)


@pytest.fixture
def written(make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path) -> tuple[Page, str, Path]:
    out = tmp_path / "report"
    folder = make_folder("a", "Häär #1 & <b>", "100%")
    solvers = {"closed-form": fake_solver(0.3), "weights/my model": fake_solver(0.6)}
    page, text = write_report(folder, out, solvers)
    return page, text, out


def test_elements_nest(written: tuple[Page, str, Path]) -> None:
    assert written[0].open == []


def test_every_picture_that_the_page_names_is_there(written: tuple[Page, str, Path]) -> None:
    page, _, out = written
    files = page.sources + [link for link in page.links if not link.startswith("#")]
    assert len(files) > 60
    assert [name for name in files if not (out / unquote(name)).is_file()] == []


def test_every_file_is_named_by_the_page(written: tuple[Page, str, Path]) -> None:
    page, _, out = written
    named = {unquote(name) for name in page.sources + page.links}
    assert {path.relative_to(out).as_posix() for path in out.rglob("pictures/*/*")} <= named


def test_nothing_comes_from_elsewhere(written: tuple[Page, str, Path]) -> None:
    page, text, _ = written
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp", text)
    assert not any(name.startswith(("/", "..")) or ":" in name for name in page.sources + page.links)


def test_the_index_jumps_to_every_picture(written: tuple[Page, str, Path]) -> None:
    page, _, _ = written
    jumps = [unquote(link[1:]) for link in page.links if link.startswith("#")]
    assert jumps == ["100%", "Häär #1 & <b>", "a"]
    assert set(jumps) <= set(page.ids)


def test_the_numbers_are_on_the_page(make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path) -> None:
    folder, solver = make_folder("a"), fake_solver()
    _, text = write_report(folder, tmp_path / "report", {"fake": solver})
    scores = evaluate(folder, {"fake": solver}).scores("a", "fake", "whole")
    assert f"<td>{scores.mse:.4f}</td>" in text
    data = re.search(r'id="data">(.*?)</script>', text)
    assert data is not None
    assert json.loads(data[1])["pictures"]["a"]["fake"]["sad"] == pytest.approx(scores.sad)


def test_the_page_says_who_was_shown_a_trimap_without_need(
    make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path
) -> None:
    free = fake_solver()
    free.needs_trimap = False
    report = Report(tmp_path / "report", ["<free>"])
    found = evaluate(make_folder("a"), {"<free>": free}, guided=True, on_picture=report.add)
    text = report.finish(found).read_text(encoding="utf-8")
    assert "<h1>set · trimap, guided</h1>" in text
    assert "Shown the trimap, which they do not need: &lt;free&gt;" in text


def test_a_name_cannot_end_the_script(make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path) -> None:
    page, _ = write_report(make_folder("a"), tmp_path / "report", {"</script><b>": fake_solver()})
    assert page.open == []


def test_mattes_are_stored_at_full_size_without_loss(written: tuple[Page, str, Path]) -> None:
    matte = load(written[2] / "pictures" / "a" / "1-closed-form.png")
    assert matte.shape[:2] == (16, 24)
    assert matte[0, 12, 0] == round(0.3 * 255)


def test_comps_have_the_mattes_alpha(written: tuple[Page, str, Path]) -> None:
    comp = load(written[2] / "pictures" / "a" / "2-my_model-comp.webp")
    assert comp.shape == (16, 24, 4)
    assert comp[0, 12, 3] == round(0.6 * 255)


def test_json_and_csv_lie_beside_the_page(written: tuple[Page, str, Path]) -> None:
    assert {path.name for path in written[2].iterdir()} == {
        "index.html",
        "evaluation.json",
        "evaluation.csv",
        "pictures",
    }


def test_large_pictures_get_thumbnails_and_a_close_up(
    make_folder: MakeFolder, save_picture: Callable[[Path, Any], Path], fake_solver: Fake, tmp_path: Path
) -> None:
    folder = make_folder("a")
    alpha = np.zeros((300, 900))
    alpha[:, 700:] = 1
    guide = alpha.copy()
    guide[:, 690:710] = 128 / 255
    save_picture(folder / "image" / "a.png", np.repeat(alpha[..., None], 3, axis=-1))
    save_picture(folder / "trimap" / "a.png", guide)
    save_picture(folder / "alpha" / "a.png", alpha)
    out = tmp_path / "report"
    write_report(folder, out, {"fake": fake_solver()})
    small = load(out / "pictures" / "a" / "1-fake-small.jpg")
    spot = load(out / "pictures" / "a" / "1-fake-spot.png")
    assert small.shape == (160, 480, 3)
    assert spot.shape == (SPOT, SPOT, 3)
    assert spot[:, :, 0].min() < 128 <= spot[:, :, 0].max()


def test_a_perfect_matte_needs_no_close_up(make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path) -> None:
    solver = fake_solver()
    solver.solve = lambda plate, trimap, **_: Solution(trimap if plate.shape[0] == 96 else perfect())
    page, _ = write_report(make_folder("a"), tmp_path / "report", {"perfect": solver})
    assert not any("spot" in name for name in page.sources)


def perfect() -> Any:
    ramp = np.rint(np.clip((np.arange(24) - 8) / 8 + 1 / 16, 0, 1) * 255) / 255
    return np.broadcast_to(ramp.astype(np.float32), (16, 24))


def test_a_folder_that_cannot_be_made_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"Cannot write the report to .*file/report"):
        Report(tmp_path / "file" / "report", ["knn"])


def test_a_page_with_gaps_says_so_and_why(make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path) -> None:
    folder, bad = make_folder("a", "b", "c"), fake_solver()
    solve = bad.solve

    def refuse(plate: Any, trimap: Any, **_: Any) -> Solution:
        solution = solve(plate, trimap)
        if len(bad.seen) > 2:
            raise TrimapError("no <known> colours.")
        return solution  # type: ignore[no-any-return]

    bad.solve = refuse
    (folder / "image" / "c.png").write_bytes((folder / "image" / "c.png").read_bytes()[:-40])
    page, text = write_report(folder, tmp_path / "report", {"good": fake_solver(), "bad": bad})
    assert page.open == []
    assert "Incomplete: means over 1 of 3 pictures" in text
    assert "b.png: no &lt;known&gt; colours.</li>" in text
    assert {unquote(link[1:]) for link in page.links if link.startswith("#")} == {"a", "b"}
    assert not any("b/2-bad" in name for name in page.sources)


def test_a_picture_that_cannot_be_written_is_named(make_folder: MakeFolder, fake_solver: Fake, tmp_path: Path) -> None:
    out = tmp_path / "report"
    report = Report(out, ["fake"])
    (out / "pictures" / "a").write_text("in the way")
    found = evaluate(make_folder("a"), {"fake": fake_solver()}, on_picture=report.add)
    assert re.search(r"a: Cannot write .*plate\.jpg: .*Choose another --report folder", found.failures[0])
    assert found.compared == ("a",)
    assert not found.is_complete
