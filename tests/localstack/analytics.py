"""FIRs for the analytics, and an independent computation of what Flink has to find in them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from crime_jobs.model.baseline import MINUTES_PER_YEAR
from crime_jobs.model.fir_event import GROUPS, FirEvent, iso

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
CANARY = "canary-of-the-analytics"

PLACES = [("IN-UP", "Lucknow"), ("IN-UP", "Agra"), ("IN-KA", "Mysuru"), ("IN-AN", "Nicobar")]


def fir(number: int, at: timedelta, place: tuple[str, str] = PLACES[0], group: str = "property") -> FirEvent:
    """A FIR that was reported so long after `START`."""
    state, district = place
    return FirEvent(
        fir_key=f"{state}/{district}/Kotwali/2026/{number:04d}",
        state_code=state,
        district=district,
        police_station="Kotwali",
        fir_number=number,
        fir_year=2026,
        is_zero=False,
        sections="BNS:303(2)",
        crime_head="theft",
        crime_group=group,
        against_women=group == "against_women",
        is_grave=False,
        is_protected=False,
        occurred_at=START,
        reported_at=START + at,
        content_hash=f"{number:064x}",
        sent_at=START + at,
        identity=CANARY,
    )


def drawn(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """FIRs of two hours as a stream has them: out of order, late, twice, of the future, and what is none.

    No two of them are within half a second: Flink then has a new watermark after each.
    """
    draw = random.Random(seed)  # noqa: S311
    firs, arrival = [], timedelta()
    for number in range(1, count + 1):
        arrival += timedelta(seconds=draw.uniform(0.6, 2 * 7200 / count))
        behind = draw.choice([0, 0, 0, 0, 20, 60, 100, 150, 400, 3000])
        at = arrival - timedelta(seconds=behind * draw.random())
        if draw.random() < 0.01:
            at = arrival + timedelta(days=draw.randint(1, 3650))
        event = fir(number, at, draw.choice(PLACES), draw.choice(GROUPS))
        firs.append({**event.as_dict(), "arrived_at": iso(START + arrival)})
        if draw.random() < 0.1:
            firs.append({**draw.choice(firs), "arrived_at": iso(START + arrival)})
    # A district has eleven within seven minutes.
    for number in range(11):
        event = fir(count + 1 + number, arrival + timedelta(seconds=40 * number), PLACES[3], "violent")
        firs.append({**event.as_dict(), "arrived_at": event.as_dict()["sent_at"]})
    return firs


def oracle(firs: Iterable[dict[str, Any]], cases: Path, folder: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Compute the results by another engine, from the definitions and not from the project's SQL."""
    source = folder / "oracle.json"
    source.write_text("".join(json.dumps({"n": n, **found}) + "\n" for n, found in enumerate(firs)))
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute(
        """
        CREATE TABLE base AS SELECT * FROM read_csv(?);
        """,
        [str(cases)],
    )
    db.execute(
        """
        CREATE TABLE told AS SELECT n, fir_key, state_code, district, crime_group, against_women,
            CASE WHEN reported_at::TIMESTAMP > arrived_at::TIMESTAMP + INTERVAL 1 MINUTE
                 THEN arrived_at::TIMESTAMP ELSE reported_at::TIMESTAMP END AS moment
        FROM read_json(?, format = 'newline_delimited',
            columns = {n: 'INT', fir_key: 'VARCHAR', state_code: 'VARCHAR', district: 'VARCHAR', crime_group: 'VARCHAR',
                       against_women: 'BOOLEAN', reported_at: 'VARCHAR', arrived_at: 'VARCHAR'});
        """,
        [str(source)],
    )
    db.execute(
        """
        CREATE TABLE seen AS
        SELECT *, max(moment) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newest FROM told;
        CREATE TABLE once AS SELECT *,
            date_trunc('minute', moment) AS m,
            newest IS NOT NULL AND date_trunc('minute', moment) + INTERVAL 59999 MILLISECOND <= newest - INTERVAL 2 MINUTE
                AS late,
            newest IS NOT NULL AND moment < newest AS disordered
        FROM seen WHERE true QUALIFY row_number() OVER (PARTITION BY fir_key ORDER BY n) = 1;
        CREATE TABLE sliding AS SELECT once.*, five, five + INTERVAL 15 MINUTE AS quarter_end, five + INTERVAL 60 MINUTE AS hour_end
        FROM once, (SELECT unnest(range(TIMESTAMP '2026-11-23', TIMESTAMP '2026-11-26', INTERVAL 5 MINUTE)) AS five)
        WHERE NOT late AND moment >= five AND moment < five + INTERVAL 60 MINUTE;
        """
    )
    when = "%Y-%m-%dT%H:%M:%SZ"
    queries = {
        "minute": f"""
            SELECT strftime(m, '{when}'), strftime(m + INTERVAL 1 MINUTE, '{when}'), state_code, district, crime_group,
                count(*), count_if(against_women), count_if(disordered), NULL, NULL
            FROM once WHERE NOT late GROUP BY ALL""",
        "surge": f"""
            SELECT strftime(five, '{when}'), strftime(quarter_end, '{when}'), s.state_code, s.district, s.crime_group,
                count(*) AS firs, NULL, NULL, round(any_value(cases_per_year) * 15 / {MINUTES_PER_YEAR}, 9) AS expected, NULL
            FROM sliding AS s JOIN base AS b USING (state_code, district, crime_group)
            WHERE moment < quarter_end GROUP BY ALL HAVING firs >= 6 AND firs >= 4 * expected""",
        "women": f"""
            SELECT strftime(five, '{when}'), strftime(hour_end, '{when}'), state_code, district, 'against_women',
                count(*), count(*), NULL, NULL, NULL
            FROM sliding WHERE against_women GROUP BY ALL""",
        "late": f"""
            SELECT strftime(m, '{when}'), strftime(m + INTERVAL 1 MINUTE, '{when}'), state_code, district, crime_group,
                1, against_women::INT, NULL, NULL, fir_key
            FROM once WHERE late""",
    }
    return {kind: set(db.execute(query).fetchall()) for kind, query in queries.items()}


def found(results: Iterable[dict[str, Any]]) -> dict[str, set[tuple[Any, ...]]]:
    """Results as the oracle has them: by kind, without it."""
    by_kind: dict[str, set[tuple[Any, ...]]] = {kind: set() for kind in ("minute", "surge", "women", "late")}
    for result in results:
        expected = result["expected"]
        kind, *rest = {**result, "expected": None if expected is None else round(expected, 9)}.values()
        assert tuple(rest) not in by_kind[kind], f"{rest} came twice"
        by_kind[kind].add(tuple(rest))
    return by_kind
