"""What the page is made of: shapes, and words for what does not agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.adhoc._shapes import read_shapes
from crime_jobs.adhoc._words import CHECKS, Check, count_checks, discrepancies, indian
from crime_jobs.errors import BadInput
from crime_jobs.model.places import states

BOUNDARIES = Path(__file__).resolve().parents[2] / "data" / "india_states.geojson"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (99_999, "99,999"),
        (100_000, "1,00,000"),
        (2_647_722, "26,47,722"),
        (1_271_099_706, "1,27,10,99,706"),
        (-7376, "\N{MINUS SIGN}7,376"),
        (1234.5, "1,234.5"),
        (None, "none"),
    ],
)
def test_indian_grouping(number: float | None, text: str) -> None:
    assert indian(number) == text


@given(st.integers())
def test_indian_grouping_keeps_the_number(number: int) -> None:
    text = indian(number)
    assert int(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) == number
    assert re.fullmatch(r"\N{MINUS SIGN}?(\d{1,3}|\d{1,2}(,\d\d)*,\d{3})", text)


def row(check: str, scope: str, expected: int | None, found: int | None, **more: Any) -> dict[str, Any]:
    difference = (found or 0) - (expected or 0)
    given = {"check_name": check, "scope": scope, "expected": expected, "found": found}
    return given | {"difference": difference, "status": "wrong", "source_file": "a.csv"} | more


PLACES = {"IN": "India", "IN-TN": "Tamil Nadu", "IN-AS": "Assam"}


@pytest.mark.parametrize(
    ("given_row", "where", "sentence"),
    [
        (
            row("years_against_published", "IN / 2014", 2851563, 2858939),
            "India, 2014",
            "the districts add up to 28,58,939, NCRB published 28,51,563: 7,376 more",
        ),
        (
            row("heads_against_row_total", "IN-TN / Karur / 2001 / total of the row / line 5", 1100, 1091),
            "Karur, Tamil Nadu, 2001, line 5",
            "the crime heads add up to 1,091, the row's own total says 1,100: 9 fewer",
        ),
        (
            row("districts_against_totals", "IN-TN / 2001 / murder", 10, 12),
            "Tamil Nadu, 2001, Murder",
            "the districts add up to 12, the state's total row says 10: 2 more",
        ),
        (
            row("same_districts_in_women_table", "IN-AS / GRP / 2014", 1, 0),
            "GRP, Assam, 2014",
            "it is in the IPC crime table but missing in the table of crimes against women",
        ),
        (
            row("same_districts_in_women_table", "IN-AS / GRP / 2014", 0, 1),
            "GRP, Assam, 2014",
            "it is in the table of crimes against women but missing in the IPC crime table",
        ),
        (
            row("rows_used", "rows", 100, 99),
            "rows",
            "99 of 100 rows could be used, the others are in quarantine",
        ),
        (
            row("one_row_per_key", "IN-XX / Somewhere / 2010", 1, 2),
            "Somewhere, IN-XX, 2010",
            "the file has 2 rows for this place and year; all of them are counted",
        ),
        (
            row("facts_against_state_totals", "IN-TN / 2010", 5, None),
            "Tamil Nadu, 2010",
            "the lake has none, the source's total row says 5: 5 fewer",
        ),
        (
            row("a_new_check", "IN-TN / 2010", 5, 7, status="too many"),
            "Tamil Nadu, 2010",
            "too many: expected 5, found 7: 2 more",
        ),
    ],
)
def test_a_discrepancy_in_words(given_row: dict[str, Any], where: str, sentence: str) -> None:
    [found] = discrepancies([given_row], PLACES)
    assert (found.where, found.sentence) == (where, sentence)
    assert {key: getattr(found, key) for key in given_row} == given_row


def test_the_gravest_come_first() -> None:
    given_rows = [
        row("heads_against_row_total", "IN-TN / 2001", 10, 9),
        row("years_against_published", "IN / 2004", 10, 5),
        row("years_against_published", "IN / 2014", 10, 500),
    ]
    assert [d.where for d in discrepancies(given_rows, PLACES)] == [
        "India, 2014",
        "India, 2004",
        "Tamil Nadu, 2001",
    ]


def test_checks_are_counted_and_an_unknown_one_is_not_lost() -> None:
    given_rows = [
        {"check_name": "zz_new", "status": "ok", "count": 2},
        {"check_name": "rows_used", "status": "ok", "count": 8},
        {"check_name": "rows_used", "status": "bad", "count": 1},
        {"check_name": "rows_used", "status": "worse", "count": 1},
    ]
    known, new = count_checks(given_rows)
    assert known == Check("rows_used", *CHECKS["rows_used"], ok=8, wrong=2)
    assert new == Check("zz_new", "zz new", "", ok=2, wrong=0)


def decode(path: str) -> list[list[tuple[int, int]]]:
    """Read an SVG path back, by the grammar of SVG and not by how it was written."""
    rings = []
    for part in re.findall(r"M[^M]+", path):
        move, line = re.fullmatch(r"M([^lh]+)(.*)z", part.strip()).groups()  # type: ignore[union-attr]
        x, y = map(int, re.findall(r"-?\d+", move))
        ring = [(x, y)]
        if line.startswith("h"):
            continue
        steps = list(map(int, re.findall(r"-?\d+", line)))
        for dx, dy in zip(steps[::2], steps[1::2], strict=True):
            x, y = x + dx, y + dy
            ring.append((x, y))
        rings.append(ring)
    return rings


def area(ring: list[tuple[int, int]]) -> float:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def test_every_state_is_drawn_with_its_code_and_name() -> None:
    drawing = read_shapes(BOUNDARIES)
    assert {shape.code: shape.name for shape in drawing.shapes} == {s.code: s.name for s in states().values()}
    assert {s.code for s in drawing.shapes if s.small} == {
        "IN-CH",
        "IN-DD",
        "IN-DL",
        "IN-DN",
        "IN-LD",
        "IN-PY",
    }
    for shape in drawing.shapes:
        points = [point for ring in decode(shape.path) for point in ring]
        assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)
        assert 0 <= shape.x <= drawing.width
        assert 0 <= shape.y <= drawing.height


def test_the_drawing_is_true_to_size_and_place() -> None:
    """Areas in the proportion of the real ones (km², Census 2011), and south below north, west left of east."""
    drawn = {shape.code: shape for shape in read_shapes(BOUNDARIES).shapes}
    areas = {code: sum(map(area, decode(shape.path))) for code, shape in drawn.items()}
    real = {"IN-RJ": 342_239, "IN-MP": 308_252, "IN-KL": 38_852, "IN-TN": 130_060, "IN-BR": 94_163}
    scale = areas["IN-RJ"] / real["IN-RJ"]
    for code, size in real.items():
        assert areas[code] / size == pytest.approx(scale, rel=0.06), code
    assert drawn["IN-JK"].y < drawn["IN-MP"].y < drawn["IN-KL"].y
    assert drawn["IN-GJ"].x < drawn["IN-MP"].x < drawn["IN-AS"].x


def test_neighbours_still_meet_after_rounding() -> None:
    """Points that two states share in the source fall on the same point of the drawing."""
    drawn = {s.code: {p for ring in decode(s.path) for p in ring} for s in read_shapes(BOUNDARIES).shapes}
    for one, other in (("IN-RJ", "IN-GJ"), ("IN-AP", "IN-TS"), ("IN-KL", "IN-TN")):
        assert len(drawn[one] & drawn[other]) > 50


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        ("{", "are not JSON"),
        ("[]", "hold no features"),
        ('{"features": []}', "hold no features"),
        ('{"features": [{"id": "IN-GA"}]}', "Feature 1 .* is not a state"),
    ],
)
def test_boundaries_that_are_none(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "states.geojson"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=said) as raised:
        read_shapes(path)
    assert str(path) in raised.value.message


def test_a_point_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "states.geojson"
    feature = {"id": "X", "properties": {"name": "X"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    path.write_text(json.dumps({"features": [feature]}))
    with pytest.raises(BadInput, match="geometry Point"):
        read_shapes(path)
