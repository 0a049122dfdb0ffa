"""State boundaries as SVG paths: projected, put on a grid of whole units, written short."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crime_jobs.errors import BadInput

#: Width of the drawing in its own units; India's 29 degrees of longitude give about 1.9 km a unit.
WIDTH = 1500
MARGIN = 20
#: A place whose area is below this many square units (about 2,200 km²) also gets a round mark.
SMALL = 600
#: Holes below this many square units (about 11 km²) are no enclaves, but slivers that were left
#: between merged constituencies.
SLIVER = 3

Ring = list[tuple[float, float]]
Grid = list[tuple[int, int]]


@dataclass(frozen=True)
class Shape:
    """One state or union territory, ready to draw.

    Parameters
    ----------
    code, name
        As in the boundaries file.
    path
        The ``d`` of an SVG path, in whole units of the drawing.
    x, y
        Middle of its largest part, in units.
    small
        Whether it is too small to be seen or hit, and needs a mark.
    """

    code: str
    name: str
    path: str
    x: int
    y: int
    small: bool


@dataclass(frozen=True)
class Drawing:
    """All shapes and the size of the drawing, in units."""

    width: int
    height: int
    shapes: tuple[Shape, ...]


def read_shapes(boundaries: Path | str) -> Drawing:
    """Read a GeoJSON file of states and project it.

    Parameters
    ----------
    boundaries
        Path of a FeatureCollection of polygons in WGS 84 (RFC 7946); each feature has its code as
        ``id`` and its name as the property ``name``.

    Returns
    -------
    Drawing
        Shapes by name, small ones last: they lie on top of their neighbours.

    Raises
    ------
    BadInput
        If the file is missing, is not GeoJSON, or a feature has no code, name or polygon.
    """
    path = Path(boundaries)
    hint = "Give a GeoJSON file of states, such as data/india_states.geojson."
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"The boundaries {path} can't be read: {error.strerror}.", hint=hint) from error
    except ValueError as error:
        raise BadInput(f"The boundaries {path} are not JSON: {error}.", hint=hint) from error
    features = document.get("features") if isinstance(document, dict) else None
    if not features:
        raise BadInput(f"The boundaries {path} hold no features.", hint=hint)
    projected = []
    for number, feature in enumerate(features, start=1):
        try:
            rings = [(hole, _project(ring)) for hole, ring in _rings(feature["geometry"])]
            projected.append((str(feature["id"]), str(feature["properties"]["name"]), rings))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadInput(
                f"Feature {number} of the boundaries {path} is not a state with code, name and "
                f"polygon ({type(error).__name__}: {error}).",
                hint=hint,
            ) from error
    return _draw(projected)


def _rings(geometry: dict[str, Any]) -> Iterator[tuple[bool, Sequence[Sequence[float]]]]:
    """Yield each ring and whether it is a hole: in a polygon, all after the first are."""
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"geometry {kind}")
    for polygon in coordinates if kind == "MultiPolygon" else [coordinates]:
        for place, ring in enumerate(polygon):
            yield place > 0, ring


# Lambert's conformal conic, standard parallels as in the Survey of India's maps of the country.
_SOUTH, _NORTH, _MIDDLE = math.radians(12.472944), math.radians(35.172806), 80.0


def _slope(latitude: float) -> float:
    return math.tan(math.pi / 4 + latitude / 2)


_N = math.log(math.cos(_SOUTH) / math.cos(_NORTH)) / math.log(_slope(_NORTH) / _slope(_SOUTH))
_F = math.cos(_SOUTH) * _slope(_SOUTH) ** _N / _N


def _project(ring: Sequence[Sequence[float]]) -> Ring:
    points = []
    for longitude, latitude, *_ in ring:
        radius = _F / _slope(math.radians(latitude)) ** _N
        angle = _N * math.radians(longitude - _MIDDLE)
        points.append((radius * math.sin(angle), radius * math.cos(angle)))
    return points


def _draw(projected: list[tuple[str, str, list[tuple[bool, Ring]]]]) -> Drawing:
    every = [point for _, _, rings in projected for _, ring in rings for point in ring]
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    top, bottom = min(y for _, y in every), max(y for _, y in every)
    scale = (WIDTH - 2 * MARGIN) / (right - left)

    def to_grid(ring: Ring) -> Grid:
        # Neighbours share points, so they still meet after rounding; points that fall together go.
        grid: Grid = []
        for x, y in ring:
            point = (round((x - left) * scale) + MARGIN, round((y - top) * scale) + MARGIN)
            if not grid or grid[-1] != point:
                grid.append(point)
        return grid

    shapes = []
    for code, name, rings in projected:
        parts = [to_grid(ring) for hole, ring in rings if not hole]
        holes = [grid for grid in (to_grid(ring) for hole, ring in rings if hole) if _area(grid) >= SLIVER]
        x, y = _middle(max(parts, key=_area))
        path = "".join(_path(grid) for grid in parts + holes)
        shapes.append(Shape(code, name, path, x, y, sum(map(_area, parts)) < SMALL))
    shapes.sort(key=lambda shape: (shape.small, shape.name))
    return Drawing(WIDTH, round((bottom - top) * scale) + 2 * MARGIN, tuple(shapes))


def _area(grid: Grid) -> float:
    pairs = zip(grid, grid[1:] + grid[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _middle(grid: Grid) -> tuple[int, int]:
    return round(sum(x for x, _ in grid) / len(grid)), round(sum(y for _, y in grid) / len(grid))


def _path(grid: Grid) -> str:
    if len(grid) < 3:  # an islet below one unit: a dot, so that it is not lost  # noqa: PLR2004
        return "M{} {}h1v1h-1z".format(*grid[0])
    (x, y), *rest = grid
    steps = []
    for next_x, next_y in rest:
        dx, dy = next_x - x, next_y - y
        x, y = next_x, next_y
        steps.append(f"{dx}{'' if dy < 0 else ' '}{dy}")
    joined = "".join(step if step[0] == "-" or not i else f" {step}" for i, step in enumerate(steps))
    return "M{} {}l{}z".format(*grid[0], joined)
