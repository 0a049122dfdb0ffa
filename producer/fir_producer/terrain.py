"""Points inside states: where generated FIRs are put."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from typing import Any

from crime_jobs.errors import BadInput

FILE = "india_states.geojson"

#: Longitude, latitude.
Point = tuple[float, float]

#: A state's FIRs happen at so many places, so that some happen at the same one.
POINTS = 60


class Terrain:
    """The states' areas.

    Parameters
    ----------
    shapes
        Polygons by state code; the first ring of each is its outline, the others are holes.
    seed
        Points are the same for the same seed.
    """

    def __init__(self, shapes: dict[str, list[list[list[Point]]]], seed: int) -> None:
        self._shapes, self._seed = shapes, seed
        self._points: dict[str, list[Point]] = {}

    def point(self, random: Random, state_code: str) -> Point | None:
        """Draw a point of a state; ``None`` where its area is not known."""
        if state_code not in self._points:
            self._points[state_code] = self._draw(state_code)
        points = self._points[state_code]
        return random.choice(points) if points else None

    def contains(self, state_code: str, point: Point) -> bool:
        """Tell whether a point is in a state."""
        return any(_inside(polygon, point) for polygon in self._shapes.get(state_code, ()))

    def _draw(self, state_code: str) -> list[Point]:
        polygons = self._shapes.get(state_code, [])
        if not polygons:
            return []
        random = Random(f"{self._seed}/{state_code}")  # noqa: S311 - it is to be the same each time
        sums = list(accumulate(_extent(polygon) for polygon in polygons))
        found: list[Point] = []
        while len(found) < POINTS:
            polygon = random.choices(polygons, cum_weights=sums)[0]
            west, south, east, north = _box(polygon[0])
            point = (round(random.uniform(west, east), 5), round(random.uniform(south, north), 5))
            if _inside(polygon, point):
                found.append(point)
        return found


def load(path: Path, seed: int) -> Terrain:
    """Read the states' areas.

    Parameters
    ----------
    path
        GeoJSON whose features have the states' codes as their ids.
    seed
        See `Terrain`.

    Returns
    -------
    Terrain
        Without any area when there is no such file: FIRs then have no coordinates.

    Raises
    ------
    BadInput
        If the file is no such GeoJSON.
    """
    if not path.is_file():
        return Terrain({}, seed)
    try:
        features = json.loads(path.read_bytes())["features"]
        return Terrain({feature["id"]: _polygons(feature["geometry"]) for feature in features}, seed)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BadInput(f"{path} is no GeoJSON of states: {type(error).__name__}.") from error


def _polygons(geometry: dict[str, Any]) -> list[list[list[Point]]]:
    found = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [[[(x, y) for x, y, *_ in ring] for ring in polygon] for polygon in found]


def _box(ring: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = zip(*ring, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _extent(polygon: Sequence[Sequence[Point]]) -> float:
    west, south, east, north = _box(polygon[0])
    return (east - west) * (north - south)


def _inside(polygon: Sequence[Sequence[Point]], point: Point) -> bool:
    """Count the edges that a ray to the east crosses: odd inside; a hole's edges are counted too."""
    x, y = point
    crossed = 0
    for ring in polygon:
        for (x1, y1), (x2, y2) in pairwise(ring):
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                crossed += 1
    return crossed % 2 == 1
