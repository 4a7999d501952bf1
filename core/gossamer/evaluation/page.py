"""The HTML of the report: one file with its style and script inside, pictures beside it, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from html import escape
from importlib import resources
from urllib.parse import quote

from gossamer.evaluation.pictures import FULL_ERROR
from gossamer.evaluation.results import Evaluation, MeasuredRegion
from gossamer.evaluation.scores import METRIC_NAMES

__all__ = ["INPUTS", "TRUTH", "Section", "Tile", "render_page"]

INPUTS, TRUTH = "inputs", "truth"
"""The columns before the models' own."""

_ROWS = ("matte", "error", "comp", "spot")
_TITLES = {"sad": "SAD", "mse": "MSE", "mad": "MAD", "grad": "Grad", "conn": "Conn", "seconds": "s"}
_DIGITS = {"sad": 2, "mse": 4, "mad": 4, "grad": 2, "conn": 2, "seconds": 2}
_GROUNDS = ("#7f7f7f", "#000000", "#ffffff", "#2e7d32", "#b3262e", "checker")


@dataclass(frozen=True)
class Tile:
    """One picture of the grid; paths are relative to the page."""

    full: str
    thumbnail: str
    name: str


@dataclass(frozen=True)
class Section:
    """One evaluated picture."""

    stem: str
    width: int
    height: int
    unknown: float
    """Share of the pixels that is unknown, 0..1."""
    tiles: Mapping[tuple[str, str], Tile]
    """By row (``matte``, ``error``, ``comp``, ``spot``) and column (``inputs``, ``truth``, or a model)."""


def render_page(evaluation: Evaluation, sections: Sequence[Section]) -> str:
    """The whole page."""
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    title = f"{evaluation.folder.rstrip('/').rpartition('/')[2]} · {evaluation.shown}"
    pictures = evaluation.as_dict()["pictures"]
    # "</" would end the script element early if a file name held it.
    data = json.dumps({"models": evaluation.models, "pictures": pictures}).replace("</", "<\\/")
    body = "\n".join(_section(evaluation, section, index) for index, section in enumerate(sections))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Gossamer evaluation</title>
<style>
{style}</style>
</head>
<body>
{_header(evaluation, title)}
<main>
{_failures(evaluation)}<div class="summary">
<div>{_summary(evaluation, "unknown", "Mean over the unknown region")}
{_summary(evaluation, "whole", "Mean over the whole picture")}</div>
{_matrix(evaluation, {section.stem for section in sections})}
</div>
{body}
</main>
{_footer(evaluation)}
<div id="viewer" role="dialog" aria-label="Picture at full size"><img alt=""><p class="top"></p><p class="bottom">
<kbd>←</kbd> <kbd>→</kbd> models · <kbd>↑</kbd> <kbd>↓</kbd> matte, error, comp · hold <kbd>T</kbd> truth, <kbd>P</kbd>
plate · wheel zooms, drag moves · <kbd>1</kbd> 100 % · <kbd>F</kbd> fit · <kbd>Esc</kbd> close</p>
<button type="button">Close</button></div>
<script type="application/json" id="data">{data}</script>
<script>
{script}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return (resources.files("gossamer.evaluation") / "assets" / name).read_text(encoding="utf-8")


def _header(evaluation: Evaluation, title: str) -> str:
    models = "".join(f'<option value="{escape(m)}">worst for {escape(m)} first</option>' for m in evaluation.models)
    metrics = "".join(f'<option value="{name}">{_TITLES[name]}</option>' for name in METRIC_NAMES)
    swatches = "".join(
        f'<button type="button" data-colour="{colour}" title="{colour}" aria-label="{colour}" '
        f'aria-pressed="{"true" if colour == _GROUNDS[0] else "false"}" style="background:{_swatch(colour)}"></button>'
        for colour in _GROUNDS
    )
    return (
        f'<header><h1>{escape(title)}</h1><label>Order <select id="order"><option value="">by name</option>{models}'
        f'</select></label><label>by <select id="metric">{metrics}</select></label>'
        f'<span>Comps over <span class="swatches">{swatches}</span></span>'
        f'<span class="quiet">{len(evaluation.pictures)} pictures; click one to see it at full size and flip</span>'
        "</header>"
    )


def _failures(evaluation: Evaluation) -> str:
    """What is missing on a page that is not complete."""
    if evaluation.is_complete:
        return ""
    listed = "".join(f"<li>{escape(failure)}</li>" for failure in evaluation.failures)
    return f"<p>Incomplete: means over {evaluation.extent}, those that every model solved.</p><ul>{listed}</ul>\n"


def _swatch(colour: str) -> str:
    checker = "repeating-conic-gradient(#6a6a6a 0 25%, #959595 0 50%) 0 0 / 12px 12px"
    return checker if colour == "checker" else colour


def _summary(evaluation: Evaluation, region: MeasuredRegion, caption: str) -> str:
    means = evaluation.means(region)
    head = "".join(f'<th><button type="button">{_TITLES[name]}</button></th>' for name in _TITLES)
    rows = []
    for model, values in means.items():
        cells = "".join(
            f'<td class="{_best(values[name], [m[name] for m in means.values()])}">{_number(name, values[name])}</td>'
            for name in _TITLES
        )
        rows.append(f"<tr><td>{escape(model)}</td>{cells}</tr>")
    return (
        f'<div class="scroll"><table><caption>{caption}</caption><thead><tr><th><button type="button">Model</button>'
        f"</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _number(name: str, value: float) -> str:
    return f"{value:.{_DIGITS[name]}f}"


def _best(value: float, values: Sequence[float]) -> str:
    return "best" if len(values) > 1 and value == min(values) else ""


def _matrix(evaluation: Evaluation, shown: Set[str]) -> str:
    """Every picture's error for every model, filled in for the chosen metric by the script; SAD without one.

    ``shown``: stems of the pictures that the page can jump to.
    """
    head = "".join(f'<th><button type="button">{escape(model)}</button></th>' for model in evaluation.models)
    rows = []
    for stem, solved in evaluation.pictures.items():
        numbers = [f"{solved[model].unknown.sad:.2f}" if model in solved else "" for model in evaluation.models]
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        name = f'<a href="#{quote(stem)}">{escape(stem)}</a>' if stem in shown else escape(stem)
        rows.append(f'<tr data-stem="{escape(stem)}"><td>{name}</td>{cells}</tr>')
    return (
        '<div class="scroll tall"><table class="matrix"><caption>Each picture, unknown region</caption><thead><tr><th>'
        f'<button type="button">Picture</button></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _section(evaluation: Evaluation, section: Section, index: int) -> str:
    columns = (INPUTS, TRUTH, *evaluation.models)
    cells = ['<div class="head"><b>plate, trimap</b></div>', '<div class="head"><b>truth</b></div>']
    cells += [f'<div class="head"><b>{escape(m)}</b>{_numbers(evaluation, section.stem, m)}</div>' for m in columns[2:]]
    for row in _ROWS:
        cells += [_cell(section.tiles.get((row, column)), row, column) for column in columns]
    stem = escape(section.stem)
    return (
        f'<section id="{stem}" data-stem="{stem}" data-index="{index}">'
        f"<h2>{stem} <small>{section.width}x{section.height}, {section.unknown:.1%} unknown</small></h2>"
        f'<div class="scroll"><div class="grid" style="--columns:{len(columns)}">{"".join(cells)}</div></div></section>'
    )


def _numbers(evaluation: Evaluation, stem: str, model: str) -> str:
    solved = evaluation.pictures[stem]
    if model not in solved:
        return ""
    unknown = asdict(evaluation.scores(stem, model, "unknown"))
    whole = asdict(evaluation.scores(stem, model, "whole"))
    rows = []
    for name in METRIC_NAMES:
        others = [getattr(evaluation.scores(stem, other, "unknown"), name) for other in solved]
        rows.append(
            f'<tr><th>{_TITLES[name]}</th><td class="{_best(unknown[name], others)}">'
            f"{_number(name, unknown[name])}</td><td>{_number(name, whole[name])}</td></tr>"
        )
    return f"<table><tr><th>{unknown['seconds']:.2f} s</th><th>unknown</th><th>whole</th></tr>{''.join(rows)}</table>"


def _cell(tile: Tile | None, row: str, column: str) -> str:
    if tile is None:
        return _legend() if (row, column) == ("error", TRUTH) else "<div></div>"
    classes = " ".join(
        name for name, wanted in (("tile", True), ("over", row == "comp"), ("exact", row == "spot")) if wanted
    )
    # The close-ups are no part of the flip: they do not lie where the whole pictures lie.
    flip = "" if row == "spot" else f'data-row="{row}" data-column="{escape(column)}" '
    return (
        f'<a class="{classes}" {flip}data-name="{escape(tile.name)}" href="{_url(tile.full)}">'
        f'<img loading="lazy" src="{_url(tile.thumbnail)}" alt="{escape(tile.name)}">'
        f"<span>{escape(tile.name)}</span></a>"
    )


def _legend() -> str:
    return (
        '<div class="note">Error maps: where a matte differs from the truth.<div class="scale"></div>too thin '
        f"(blue) … too solid (orange); full colour from {FULL_ERROR:g} on. Last row: the hardest spot at full size."
        "</div>"
    )


def _footer(evaluation: Evaluation) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())
    models = "<br>".join(
        f"{escape(model)}: {escape(', '.join(f'{name} {value}' for name, value in details.items()))}"
        for model, details in evaluation.details.items()
    )
    shown = [f"Shown the trimap, which they do not need: {', '.join(evaluation.guided)}"] if evaluation.guided else []
    notes = "<br>".join(escape(note) for note in (*shown, *evaluation.notes))
    return (
        f"<footer><p>Official definitions of SAD (thousands of pixels), MSE, MAD, Grad and Conn; seconds are the solve "
        f"alone, model loaded and warmed up. Comps show the estimated foreground over a flat colour in display space. "
        f"Numbers as tables: evaluation.json, evaluation.csv.</p><p>{models}</p><p>{notes}</p><p>{escape(versions)}"
        f"<br>{escape(evaluation.folder)}</p></footer>"
    )


def _url(path: str) -> str:
    return quote(path, safe="/")
