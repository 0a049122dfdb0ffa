"""The generator: the same FIRs for a seed, NCRB's proportions, and nothing that could be taken for real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.model import heads
from crime_jobs.model.fir import Fir, make_event
from fir_producer import proportions, terrain
from fir_producer.generated import Drawing
from fir_producer.generator import IST, Generator, Shares
from fir_producer.proportions import Cell, Proportions
from tests.conftest import DATA

START = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
FIGURES = proportions.load(DATA)
LAND = terrain.load(DATA / terrain.FILE, 1)


def firs(
    count: int, figures: Proportions = FIGURES, seed: int = 1, step: float = 1.0, **shares: float
) -> list[Fir]:
    drawn = Generator(figures, LAND, seed, START, timedelta(seconds=step), Shares(**shares))
    return list(drawn.firs(count))


def fits(drawn: Iterable[Hashable], expected: Mapping[Any, float]) -> bool:
    """Chi-square, Wilson-Hilferty: true unless such a difference had a chance below one in 10,000 (z > 3.72)."""
    seen, total = Counter(drawn), sum(expected.values())
    count = sum(seen.values())
    likely = {key: value * count / total for key, value in expected.items() if value * count / total >= 5}
    rest = count - sum(likely.values())
    others = count - sum(seen[key] for key in likely)
    chi = sum((seen[key] - value) ** 2 / value for key, value in likely.items())
    chi += (others - rest) ** 2 / rest if rest > 1e-6 else others
    free = len(likely) - (rest <= 1e-6)
    return bool(((chi / free) ** (1 / 3) - (1 - 2 / (9 * free))) / sqrt(2 / (9 * free)) < 3.72)


def test_a_difference_would_be_seen() -> None:
    even = dict.fromkeys(range(20), 1.0)
    random = Random(1)  # noqa: S311
    assert fits((random.randrange(20) for _ in range(5000)), even)
    assert not fits((min(random.randrange(20), random.randrange(25)) for _ in range(5000)), even)


def test_the_figures_are_ncrbs() -> None:
    assert sum(cell.cases for cell in FIGURES.cells) == 2_858_939  # what data/README.md has
    assert {cell.head for cell in FIGURES.cells} <= heads.leaves("ipc_2014")
    assert len(FIGURES.months["IN-AN"]) == 12
    line = next(
        one
        for one in (DATA / proportions.FILES[1]).read_text().splitlines()
        if one.startswith("Uttar Pradesh,2014")
    )
    assert FIGURES.months["IN-UP"] == [int(one) for one in line.split(",")[2:14]]
    line = next(
        one
        for one in (DATA / proportions.FILES[2]).read_text().splitlines()
        if one.startswith("Uttar Pradesh,2014")
    )
    assert FIGURES.hours["IN-UP"] == [int(one) for one in line.split(",")[2:10]]


def test_districts_and_heads_come_as_often_as_ncrb_counted_them() -> None:
    random = Random(5)  # noqa: S311
    drawn = [FIGURES.cell(random, 4) for _ in range(40_000)]
    weights = FIGURES.weights(4)
    for part in (lambda c: (c.state_code, c.district), lambda c: c.head, lambda c: c.state_code):
        expected: Counter[Any] = Counter()
        for cell, weight in zip(FIGURES.cells, weights, strict=True):
            expected[part(cell)] += weight  # type: ignore[assignment]
        assert fits(map(part, drawn), expected)
    # and the same of what stands in the FIRs
    made = firs(6000)
    cases: Counter[Any] = Counter()
    for cell in FIGURES.cells:
        cases[cell.state_code, cell.district] += cell.cases
    assert fits(((fir.state_code, fir.district) for fir in made), cases)


def test_what_happens_on_the_roads_has_the_months_and_hours_of_accidents() -> None:
    driving = Proportions(
        [Cell("IN-KL", "Kollam", "rash_driving", 1), Cell("IN-KL", "Kollam", "murder", 1)],
        FIGURES.months,
        FIGURES.hours,
    )
    accidents, slots = FIGURES.months["IN-KL"], FIGURES.hours["IN-KL"]
    made = firs(12_000, driving, step=365 * 86400 / 12_000, seed=3)
    roads = [fir for fir in made if fir.acts[0].section == "281"]
    others = [fir for fir in made if fir.acts[0].section != "281"]
    # by month, weights are exact; how many of a year's FIRs fall into a month follows from them
    months = {month: driving.weights(month)[0] for month in range(1, 13)}
    for month, weight in months.items():
        days = (datetime(2014 + month // 12, month % 12 + 1, 1) - datetime(2014, month, 1)).days
        assert weight == pytest.approx(accidents[month - 1] / sum(accidents) * 365 / days)
        assert driving.weights(month)[1] == 1
    share = {month: weight / (weight + 1) for month, weight in months.items()}
    drawn = Counter(fir.reported_at.month for fir in made)
    assert fits(
        (fir.reported_at.month for fir in roads),
        {month: drawn[month] * part for month, part in share.items()},
    )
    assert fits((fir.occurred_from.hour // 3 for fir in roads), dict(enumerate(slots)))
    assert fits((fir.occurred_from.hour for fir in others), dict.fromkeys(range(24), 1.0))
    assert not fits((fir.occurred_from.hour // 3 for fir in roads), dict.fromkeys(range(8), 1.0))
    assert all(timedelta(0) <= fir.reported_at - fir.occurred_from <= timedelta(days=1) for fir in made)
    assert all(fir.occurred_from.tzinfo == IST for fir in made)


def test_telangana_has_the_profile_of_undivided_andhra_pradesh() -> None:
    cells = [Cell(code, "A", "rash_driving", 1) for code in ("IN-TS", "IN-AP")]
    assert len(set(Proportions(cells, FIGURES.months, FIGURES.hours).weights(5))) == 1


@settings(max_examples=15)
@given(st.integers(), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 60))
def test_the_same_seed_draws_the_same_firs_and_another_has_other_keys(
    seed: int, duplicates: float, zero: float, late: float, count: int
) -> None:
    shares: Any = {"duplicates": duplicates, "zero": zero, "late": late}
    made = firs(count, seed=seed, **shares)
    assert made == firs(count, seed=seed, **shares)
    assert len(made) == count
    assert {fir.key for fir in made}.isdisjoint(fir.key for fir in firs(count, seed=seed + 1, **shares))
    by_key: dict[str, Fir] = {}
    for fir in made:
        assert by_key.setdefault(fir.key, fir) == fir  # one key is never two FIRs
        assert fir.zero_key is None or fir.zero_key in by_key
    assert {fir.key for fir in made if fir.is_zero} == {fir.zero_key for fir in made if fir.zero_key}


def test_numbers_run_within_station_year_and_kind() -> None:
    made = firs(3000, figures=Proportions(FIGURES.cells[:40], {}, {}), zero=0.2, step=7200)
    runs: dict[tuple[Any, ...], list[int]] = {}
    for fir in made:
        runs.setdefault((fir.district, fir.police_station, fir.fir_year, fir.is_zero), []).append(
            fir.fir_number
        )
        assert fir.fir_year == fir.reported_at.astimezone(IST).year
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in runs.values())
    assert {year for _, _, year, _ in runs} == {2026, 2027}


@pytest.mark.parametrize(
    ("share", "seen"),
    [
        ("duplicates", lambda made: len(made) - len({fir.key for fir in made})),
        ("late", lambda made: sum(gap >= timedelta(minutes=10) for gap in gaps(made))),
        ("disorder", lambda made: sum(timedelta(0) < gap <= timedelta(seconds=31) for gap in gaps(made))),
        ("protected", lambda made: sum(fir.is_protected for fir in made)),
        # Every Zero FIR brings one more, its numbered one: 20 % of all are each.
        ("zero", lambda made: 1.25 * sum(fir.is_zero for fir in made)),
    ],
)
def test_special_ones_are_as_many_as_asked(share: str, seen: Callable[[list[Fir]], float]) -> None:
    asked: Any = {share: 0.25}
    made = firs(4000, **asked)
    assert 900 < seen(made) < 1100
    if share != "protected":
        assert seen(firs(500)) == 0


def gaps(made: list[Fir]) -> list[timedelta]:
    return [START + index * timedelta(seconds=1) - fir.reported_at for index, fir in enumerate(made)]


def test_points_are_in_the_state_and_none_without_its_area() -> None:
    made = firs(3000)
    assert all(
        LAND.contains(fir.state_code, (fir.place.longitude, fir.place.latitude))
        for fir in made
        if fir.place.longitude and fir.place.latitude
    )
    assert sum(fir.place.latitude is None for fir in made) == 0
    assert not LAND.contains("IN-GA", (77.2, 28.6))
    nowhere = Generator(FIGURES, terrain.Terrain({}, 1), 1, START, timedelta(1))
    assert next(nowhere.firs(1)).place.latitude is None


def test_every_head_of_ncrb_makes_an_event_and_says_that_it_is_invented() -> None:
    cells = list({cell.head: cell for cell in FIGURES.cells}.values())
    for index, cell in enumerate(cells):
        fir = firs(1, Proportions([cell], FIGURES.months, FIGURES.hours), seed=index)[0]
        event = make_event(fir, None if fir.is_protected else "c2VhbGVk")
        guarded = cell.head in proportions.protected_heads()
        assert (event.is_protected, event.identity is None) == (guarded, guarded)
        assert fir.complainant.name == "Complainant 000000"
        assert fir.text.endswith("It did not happen.")
        assert fir.police_station.startswith("Generated ")
    assert proportions.sections_of("murder") == (("BNS", "103"),)
    assert {"rape_others", "rape_gang", "attempt_to_rape"} <= proportions.protected_heads()


def draw(**changes: Any) -> Drawing:
    told: dict[str, Any] = {
        "rate": 50.0,
        "count": 10,
        "seed": 1,
        "start": None,
        "speed": 1.0,
        "shares": Shares(),
    }
    return Drawing.of(DATA, **told | changes)


def test_past_days_pass_quickly_and_end_now() -> None:
    reported = [item.fir.reported_at for item in draw(rate=1.0, count=48, speed=1800.0).items() if item.fir]
    assert timedelta(hours=23) < reported[-1] - reported[0] < timedelta(hours=24)
    assert abs(datetime.now(UTC) + timedelta(seconds=48) - reported[-1]) < timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": "2026-11-24"}, "not a time with a zone"),
        ({"start": "now"}, "not a time with a zone"),
        ({"start": "2999-01-01T00:00:00Z"}, "in the future"),
        ({"start": datetime.now(UTC).isoformat(), "speed": 1e6}, "in the future"),
        ({"speed": 2.0, "count": None}, "--speed needs --count"),
    ],
    ids=range(5),
)
def test_times_that_can_not_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        draw(**changes)


def test_missing_or_broken_files_are_named(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match=r"IPC_2014\.csv can't be read: No such file") as caught:
        proportions.load(tmp_path)
    assert "--data" in caught.value.hint
    (tmp_path / terrain.FILE).write_text("{}")
    with pytest.raises(BadInput, match="is no GeoJSON of states"):
        terrain.load(tmp_path / terrain.FILE, 1)
