# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of object. Each is about two units large and stands around the origin, z upwards, seen from -y."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gossamer_renders.blocks import Studio, grid_faces
from gossamer_renders.fields import (
    Array,
    Growth,
    Noise,
    Tint,
    directions,
    grow,
    random_albedo,
    random_tint,
    taper,
    unit,
)  # fmt: skip

__all__ = ["KINDS"]

Surface = Callable[[Array], Array]
"""The point of a closed surface in each direction, N x 3."""

_UP = np.array([0.0, 0.0, 1.0])


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _blob(
    studio: Studio, center: Array, radius: float, squash: Array, bumps: float, *, tint: Tint | None = None,
    photo: bool = False, rows: int = 64,
) -> Surface:  # fmt: skip
    """A bumpy ellipsoid; gives its surface for what grows on it."""
    rng, field = studio.rng, Noise(studio.rng, 1.3)

    def surface(toward: Array) -> Array:
        return toward * (1 + bumps * field(toward))[:, None] * radius * squash + center

    polar, turn = np.linspace(0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False)[None]
    parts = np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn
    toward = np.stack(parts, -1).reshape(-1, 3)
    uv = np.stack(np.broadcast_arrays(turn / (2 * np.pi), 1 - polar / np.pi), -1).reshape(-1, 2)
    material = studio.material(photo=photo, bump=rng.uniform(0, 0.4))
    faces = grid_faces(rows, 2 * rows, closed=True)
    studio.mesh(surface(toward), faces, material, (tint or random_tint(rng))(toward), uv)
    return surface


def _normals(rng: np.random.Generator, surface: Surface, toward: Array, center: Array) -> Array:
    """Outward normals of a surface by differences."""
    across = unit(np.cross(toward, rng.normal(size=toward.shape)))
    other, here = np.cross(toward, across), surface(toward)
    one, two = (surface(unit(toward + 1e-3 * side)) - here for side in (across, other))
    normals = unit(np.cross(one, two))
    return np.asarray(normals * np.sign((normals * (here - center)).sum(-1, keepdims=True)))


def _fur_on(
    studio: Studio, surface: Surface, center: Array, count: int, length: float, thickness: float, tint: Tint
) -> None:
    rng, points = studio.rng, 10
    toward = directions(rng, count)
    lengths = length * (1 + 0.35 * Noise(rng, 2)(toward)) * rng.uniform(0.6, 1.2, count)
    growth = Growth(
        wildness=rng.uniform(0.2, 1.2),
        gravity=rng.uniform(0, 1.5),
        curls=rng.uniform(1, 5) if rng.random() < 0.25 else 0,
        clumping=rng.uniform(0.3, 0.95) if rng.random() < 0.65 else 0,
    )
    normals = _normals(rng, surface, toward, center)
    strands = grow(rng, surface(toward), normals, np.maximum(lengths, 0.02), points, growth)
    root = tint(toward) * np.exp(rng.normal(0, 0.15, (count, 1)))
    tip = np.clip(root * np.exp(rng.normal(0, 0.5)), 0.003, 0.95) if rng.random() < 0.5 else root
    along = np.linspace(0, 1, points)[None, :, None]
    radii = taper(rng, count, points, thickness, thickness * rng.uniform(0.1, 0.6))
    studio.strands(strands, radii, root[:, None] * (1 - along) + tip[:, None] * along, studio.hair_material())


def furry_toy(studio: Studio) -> None:
    """One to four bumpy balls, most of them in fur."""
    rng = studio.rng
    length, thickness = _log_uniform(rng, 0.06, 0.5), _log_uniform(rng, 0.0012, 0.006)
    for part in range(int(rng.integers(1, 5))):
        center = unit(rng.normal(size=3) * [1, 0.4, 1]) * rng.uniform(0.5, 1) if part else np.zeros(3)
        radius = rng.uniform(0.2, 0.5) if part else rng.uniform(0.45, 0.8)
        tint, squash = random_tint(rng), np.exp(rng.normal(0, 0.2, 3))
        skin = tint if rng.random() < 0.85 else None
        surface = _blob(studio, center, radius, squash, rng.uniform(0.02, 0.2), tint=skin)
        if not part or rng.random() < 0.75:
            count = int(rng.uniform(9000, 30000) * min(1, 0.003 / thickness + 0.2) * (radius / 0.7) ** 2)
            _fur_on(studio, surface, center, count, length * radius, thickness, tint)


def long_hair(studio: Studio) -> None:
    """A head of hair."""
    rng, points = studio.rng, 28
    surface = _blob(studio, np.zeros(3), 0.55, np.array([1, 1.1, 1.2]) * np.exp(rng.normal(0, 0.08, 3)), 0.05)
    toward = directions(rng, int(rng.uniform(8000, 20000)))
    face = toward[:, 1] < -0.2
    toward = toward[toward[:, 2] > np.where(face, 0.15, -0.35)]
    count = len(toward)
    lengths = rng.uniform(0.6, 1.6) * rng.uniform(0.7, 1.1, count)
    growth = Growth(
        wildness=rng.uniform(0.1, 0.9),
        gravity=rng.uniform(0.6, 2.2),
        curls=rng.uniform(2, 9) if rng.random() < 0.5 else 0,
        clumping=rng.uniform(0.3, 0.9) if rng.random() < 0.5 else 0,
    )
    normals = unit(toward + np.array([rng.normal(0, 0.4), rng.normal(0, 0.3), 0.2]))
    strands = grow(rng, surface(toward), normals, lengths, points, growth)
    colors = random_tint(rng, 1)(toward) * np.exp(rng.normal(0, 0.2, (count, 1)))
    radii = taper(rng, count, points, rng.uniform(0.0012, 0.003), 0.001)
    studio.strands(strands, radii, colors, studio.hair_material())


def plant(studio: Studio) -> None:
    """Stems with leaves, some with petals of another colour, some in a vase."""
    rng, points = studio.rng, 24
    green = np.array([rng.uniform(0.03, 0.2), rng.uniform(0.1, 0.4), rng.uniform(0.01, 0.08)])
    base = random_albedo(rng) if rng.random() < 0.3 else green
    petals = random_albedo(rng) if rng.random() < 0.4 else None
    leaf, size = _leaf(rng), rng.uniform(0.1, 0.45)
    vein = np.broadcast_to(1 + 0.25 * np.cos(np.linspace(-1, 1, 5) * np.pi), (9, 5)).reshape(-1, 1)
    stems, corners, colors = [], [], []
    for _ in range(int(rng.integers(2, 9))):
        root, upwards = np.array([[*rng.normal(0, 0.15, 2), -0.9]]), unit(np.array([[*rng.normal(0, 0.5, 2), 1.0]]))
        growth = Growth(wildness=rng.uniform(0.2, 1), gravity=rng.uniform(-0.2, 0.6))
        stem = grow(rng, root, upwards, np.array([rng.uniform(1, 2)]), points, growth)[0]
        stems.append(stem)
        for _ in range(int(rng.integers(5, 40))):
            along = unit(rng.normal(size=3) + 0.3 * _UP)
            side = unit(np.cross(along, rng.normal(size=3)))
            axes = np.stack([side, along, np.cross(side, along)])
            corners.append(stem[rng.integers(3, points)] + size * rng.uniform(0.5, 1.2) * leaf @ axes)
            color = petals if petals is not None and rng.random() < 0.4 else base
            colors.append(np.clip(color * np.exp(rng.normal(0, 0.2)) * vein, 0.002, 0.95))
    faces = np.concatenate([grid_faces(9, 5) + 45 * number for number in range(len(corners))])
    green_surface = studio.material(translucent=rng.uniform(0.1, 0.6), rough=rng.uniform(0.2, 0.7))
    studio.mesh(np.concatenate(corners), faces, green_surface, np.concatenate(colors))
    radii = np.linspace(rng.uniform(0.01, 0.04), 0.005, points)[None].repeat(len(stems), 0)
    tints = np.clip(base * rng.uniform(0.4, 1.1, (len(stems), 1)), 0, 1)
    studio.strands(np.stack(stems), radii, tints, studio.material())
    if rng.random() < 0.4:
        _vase(studio, np.array([0, 0, -1.3]))


def _leaf(rng: np.random.Generator) -> Array:
    """45 points, 9 along y and 5 across x, of a leaf of length 1 that bends down and folds."""
    sharp, width, bend, fold = (
        rng.uniform(0.5, 1.2),
        rng.uniform(0.03, 0.35),
        rng.uniform(0, 0.7),
        rng.uniform(-0.5, 0.8),
    )
    along = np.linspace(0, 1, 9)[:, None]
    x = width * np.sin(np.pi * along**sharp) * np.linspace(-1, 1, 5)[None]
    return np.stack([x, along + 0 * x, fold * np.abs(x) - bend * along**2], -1).reshape(-1, 3)


def _vase(studio: Studio, center: Array) -> None:
    rng, rows, columns = studio.rng, 40, 64
    z, turn = np.linspace(-0.5, 0.5, rows)[:, None], np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    radius = 0.3 + 0.12 * np.sin(z * rng.uniform(2, 6) + rng.uniform(0, 6))
    points = np.stack([radius * np.cos(turn), radius * np.sin(turn), z + 0 * turn], -1).reshape(-1, 3) + center
    uv = np.stack(np.broadcast_arrays(turn / (2 * np.pi), z + 0.5), -1).reshape(-1, 2)
    material = studio.material(photo=rng.random() < 0.5)
    studio.mesh(points, grid_faces(rows, columns, closed=True), material, random_tint(rng)(points), uv)


def _things(studio: Studio, center: Array, spread: float | Array, count: int) -> None:
    """Balls and boxes, half of them with a photograph around."""
    rng = studio.rng
    for _ in range(count):
        place, photo = center + rng.normal(0, 1, 3) * spread, bool(rng.random() < 0.55)
        if rng.random() < 0.5:
            size, squash = rng.uniform(0.1, 0.28), np.exp(rng.normal(0, 0.3, 3))
            _blob(studio, place, size, squash, rng.uniform(0, 0.2), photo=photo, rows=24)
        else:
            _box(studio, place, np.exp(rng.normal(0, 0.4, 3)) * rng.uniform(0.1, 0.25), photo=photo)


def _box(studio: Studio, center: Array, half: Array, *, photo: bool) -> None:
    """A box that stands anyhow; each side has its own corners and the whole picture."""
    square = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], float)
    sides = np.concatenate([sign * np.roll(square, shift, 1) for shift in range(3) for sign in (1, -1)])
    turned, _ = np.linalg.qr(studio.rng.normal(size=(3, 3)))
    points, faces = (sides * half) @ turned + center, np.arange(24).reshape(6, 4)
    uv = np.tile([[0.0, 0.0], [1, 0], [1, 1], [0, 1]], (6, 1))
    colors = np.broadcast_to(random_albedo(studio.rng), points.shape)
    # A vertex of its own for every corner of a side keeps its edges hard although meshes are smooth.
    studio.mesh(points, faces, studio.material(photo=photo), colors, uv)


def basket(studio: Studio) -> None:
    """A round wall of wire, woven, wound or expanded metal, with a rim, and things in it; its rear wall shows."""
    rng, points = studio.rng, 96
    height, bottom, top, bulge = rng.uniform(0.7, 1.4), rng.uniform(0.5, 0.8), rng.uniform(0.6, 1), rng.normal(0, 0.15)
    oval = np.array([1, rng.uniform(0.6, 1), 1])

    def wall(turn: Array, up: Array) -> Array:
        radius = bottom + (top - bottom) * up + bulge * np.sin(np.pi * up)
        return np.asarray(np.stack([radius * np.cos(turn), radius * np.sin(turn), (up - 0.5) * height], -1) * oval)

    expanded = rng.random() < 0.4
    columns, rings = int(rng.integers(30, 100) if expanded else rng.integers(14, 60)), int(rng.integers(5, 24))
    thickness = _log_uniform(rng, 0.008, 0.035)
    if expanded:
        rings, thickness = 2, 2 * np.pi * bottom / columns * _log_uniform(rng, 0.1, 0.28)
    rim = rng.uniform(0.04, 0.09) if expanded else 2 * thickness
    wires, radii = [], []
    around, upwards = np.linspace(0, 2 * np.pi, points), np.linspace(0, 1, points)
    weave = thickness * rng.choice([0, 1.2])
    for ring, up in enumerate(np.linspace(0, 1, rings)):
        path = wall(around, np.full(points, up))
        in_and_out = np.cos(around * columns / 2 + np.pi * ring)[:, None] * unit(path * [1, 1, 0])
        wires.append(path if ring in (0, rings - 1) else path + weave * in_and_out)
        radii.append(rim if ring in (0, rings - 1) else thickness * rng.uniform(0.8, 1.2))
    style, winding = rng.random(), rng.uniform(0.8, 1.8) * height / bottom / 2
    for column in range(columns):
        twist = winding if expanded else 0 if style < 0.5 else 0.8 if style < 0.75 else rng.uniform(0.6, 0.9)
        turn = 2 * np.pi * column / columns + twist * upwards * (1 if column % 2 else -1)
        wires.append(wall(turn, upwards))
        radii.append(0.8 * thickness)
    if rng.random() < 0.4:
        angle = np.linspace(0, np.pi, points)
        arch = 0.5 * height + top * rng.uniform(0.6, 1) * np.sin(angle)
        wires.append(np.stack([top * np.cos(angle), 0 * angle, arch], -1))
        radii.append(1.5 * thickness)
    for _ in range(int(rng.integers(9))):
        at = rng.uniform(-1, 1)
        x, y = np.linspace(-1, 1, points) * bottom * np.sqrt(1 - at * at), np.full(points, at * bottom * oval[1])
        wires.append(np.stack([x, y, np.full(points, -0.5 * height)], -1))
        radii.append(0.8 * thickness)
    base = random_albedo(rng)
    colors = np.clip(base * np.exp(rng.normal(0, 0.12, (len(wires), 1))), 0.003, 0.95)
    metal = studio.material(metal=float(rng.integers(2)), rough=rng.uniform(0.15, 0.6))
    studio.strands(np.stack(wires), np.array(radii)[:, None].repeat(points, 1), colors, metal)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 7))):
            _pen(studio, bottom, top, height)
    _things(studio, np.array([0, 0, -0.1 * height]), np.array([0.3, 0.25, 0.25]), int(rng.integers(8)))


def _pen(studio: Studio, bottom: float, top: float, height: float) -> None:
    """A stick that stands in a basket, from one side of its floor to the other side of its rim."""
    rng = studio.rng
    turns = rng.uniform(0, 2 * np.pi) + np.array([0, np.pi + rng.normal(0, 0.6)])
    ends = np.stack([np.cos(turns), np.sin(turns), 0 * turns], -1) * np.array([[0.8 * bottom], [0.85 * top]])
    ends[:, 2] = -0.5 * height, height * rng.uniform(0.5, 1.1)
    path = ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, 12)[:, None]
    radii = np.full((1, 12), rng.uniform(0.02, 0.07))
    studio.strands(path[None], radii, random_tint(rng)(path)[None], studio.material())


def net(studio: Studio) -> None:
    """A hanging net or grid, straight or diagonal, with things behind it or not."""
    rng, points = studio.rng, 120
    threads = int(rng.integers(14, 50))
    drape, depth = Noise(rng, rng.uniform(0.6, 1.6)), rng.uniform(0.05, 0.35)
    shifts, amount = [Noise(rng, rng.uniform(1, 4)) for _ in range(2)], rng.uniform(0, 0.08)
    diagonal, many_colors, base = rng.random() < 0.4, rng.random() < 0.3, random_albedo(rng)
    paths, colors = [], []
    for at in np.linspace(-1, 1, threads):
        for upright in (False, True):
            x, z = np.full(points, at), np.linspace(-1, 1, points)
            if not upright:
                x, z = z, x
            if diagonal:
                x, z = 0.75 * (x + z), 0.75 * (x - z)
            flat = np.stack([x, 0 * x, z], -1)
            moved = [amount * shift(flat) for shift in shifts]
            paths.append(1.1 * np.stack([x + moved[0], depth * drape(flat), z + moved[1]], -1))
            own = base * np.exp(rng.normal(0, 0.15))
            colors.append(random_albedo(rng) if many_colors else np.clip(own, 0.003, 0.95))
    thickness = 2.2 / threads * _log_uniform(rng, 0.05, 0.25) * rng.uniform(0.8, 1.2, (len(paths), 1))
    material = studio.material(translucent=rng.uniform(0, 0.4))
    studio.strands(np.stack(paths), thickness.repeat(points, 1), np.stack(colors), material)
    if rng.random() < 0.6:
        _things(studio, np.array([0, 0.8, 0]), np.array([0.6, 0.1, 0.6]), int(rng.integers(1, 6)))


def fringe(studio: Studio) -> None:
    """Cloth with fuzzy threads hanging from it."""
    rng, points = studio.rng, 40
    count, thickness = int(rng.integers(60, 400)), _log_uniform(rng, 0.003, 0.02)
    roots = np.stack([np.sort(rng.uniform(-1, 1, count)), rng.normal(0, 0.02, count), np.full(count, 0.4)], -1)
    hanging = unit(np.stack([rng.normal(0, 0.15, count), rng.normal(0, 0.2, count), np.full(count, -1.0)], -1))
    curls = rng.uniform(1, 8) if rng.random() < 0.5 else 0
    growth = Growth(wildness=rng.uniform(0.05, 0.6), gravity=1, curls=curls)
    threads = grow(rng, roots, hanging, rng.uniform(0.5, 1.2) * rng.uniform(0.8, 1.1, count), points, growth)
    dyes = np.stack([random_albedo(rng) for _ in range(int(rng.integers(1, 7)))])
    colors = dyes[rng.integers(len(dyes), size=count)]
    radii = taper(rng, count, points, thickness, 0.7 * thickness)
    studio.strands(threads, radii, colors, studio.hair_material())
    fuzz = 6000
    thread, place = rng.integers(count, size=fuzz), rng.integers(points, size=fuzz)
    lengths = np.full(fuzz, thickness * rng.uniform(2, 8))
    fibres = grow(rng, threads[thread, place], directions(rng, fuzz), lengths, 5, Growth(wildness=0.5))
    studio.strands(fibres, np.full((fuzz, 5), 0.0012), colors[thread], studio.hair_material())
    rows, columns = 20, 40
    x, z = np.meshgrid(np.linspace(-1.1, 1.1, columns), np.linspace(0.35, 1.3, rows))
    depth = 0.04 * Noise(rng, 2)(np.stack([x, z, z], -1))
    cloth = np.stack([x, depth, z], -1).reshape(-1, 3)
    uv = np.stack([x / 2.2 + 0.5, z], -1).reshape(-1, 2)
    woven = studio.material(photo=rng.random() < 0.5, bump=0.3)
    studio.mesh(cloth, grid_faces(rows, columns), woven, random_tint(rng)(cloth), uv)


def solid(studio: Studio) -> None:
    """Bumpy bodies, bent tubes, boxes, spikes."""
    rng, points = studio.rng, 200
    for _ in range(int(rng.integers(1, 5))):
        center, form = rng.normal(0, 0.4, 3) * [1, 0.5, 1], rng.random()
        if form < 0.35:
            squash = np.exp(rng.normal(0, 0.35, 3))
            bumps, photo = rng.uniform(0, 0.35), bool(rng.random() < 0.4)
            _blob(studio, center, rng.uniform(0.3, 0.7), squash, bumps, photo=photo)
        elif form < 0.7:
            turn = np.linspace(0, 2 * np.pi, points)[:, None]
            waves = [rng.normal(0, 1 / k, 3) * np.cos(k * turn + rng.uniform(0, 6, 3)) for k in range(1, 5)]
            path = 0.6 * np.sum(waves, axis=0) + center
            surface = studio.material(metal=float(rng.random() < 0.2))
            tube = np.full((1, points), rng.uniform(0.03, 0.15))
            studio.strands(path[None], tube, random_tint(rng)(path)[None], surface)
        else:
            _things(studio, center, 0.3, int(rng.integers(1, 4)))
    if rng.random() < 0.3:
        count = int(rng.integers(20, 200))
        toward = directions(rng, count)
        spikes = toward[:, None] * np.linspace(0.3, rng.uniform(0.7, 1.2), 6)[None, :, None]
        radii = taper(rng, count, 6, rng.uniform(0.01, 0.04), 0.002)
        studio.strands(spikes, radii, random_tint(rng)(toward), studio.material())


KINDS: dict[str, tuple[float, Callable[[Studio], None]]] = {
    "fur": (0.33, furry_toy),
    "long_hair": (0.13, long_hair),
    "foliage": (0.12, plant),
    "basket": (0.15, basket),
    "net": (0.06, net),
    "yarn": (0.07, fringe),
    "solid": (0.14, solid),
}
"""Share and maker of each kind, under the names of ``gossamer.data.pool.ELEMENT_KINDS``."""
