"""Rows a second into Redshift: the loader's COPY beside row-by-row INSERT, both through the Data API.

``python -m benchmarks.history`` needs `make up`. Same tables, same emulator, one run. It says how the two
compare here, on PostgreSQL; Redshift is slower still at single rows, and its COPY faster by each node.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from crime_harness.places import Places
from crime_jobs.model.fir_event import SQL_COLUMNS, FirEvent
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings, read_env_file
from crime_jobs.stream._redshift import open_redshift
from crime_jobs.stream.history import open_history


def fir(number: int) -> FirEvent:
    """Return a FIR of the benchmark's."""
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return FirEvent(
        fir_key=f"IN-UP/Lucknow/Hazratganj/2026/{number:07d}",
        state_code="IN-UP",
        district="Lucknow",
        police_station="Hazratganj",
        fir_number=number,
        fir_year=2026,
        is_zero=False,
        sections="BNS:303(2)",
        crime_head="theft",
        crime_group="property",
        against_women=False,
        is_grave=False,
        is_protected=False,
        occurred_at=when,
        reported_at=when,
        latitude=26.85,
        longitude=80.95,
        location_cell="tv41zft",
        content_hash=f"{number:064x}",
        sent_at=when,
    )


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="for COPY")
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--single", type=int, default=200, help="rows for INSERT")
    given = parser.parse_args()
    state = os.environ.get("CRIME_HARNESS_STATE")
    os.environ.update(read_env_file(Places.of(Path(state) if state else None).env_file))
    name = f"bench-{uuid.uuid4().hex[:8]}"
    stream = StreamSettings(history=f"s3://crime-firs/{name}", redshift_workgroup=name)
    whole = {"env": "bench", "region": "us-east-1", "landing": "", "lake": "", "spark_conf": None}
    settings = Settings.model_validate({**whole, "sources": {}, "environ": {}, "stream": {}})
    history, redshift, s3 = (
        open_history(settings, stream),
        open_redshift(settings, stream),
        boto3.client("s3"),
    )
    history.setup()
    each = given.rows // given.objects
    for part in range(given.objects):
        lines = b"".join(fir(part * each + n + 1).to_bytes() for n in range(each))
        s3.put_object(Bucket="crime-firs", Key=f"{name}/{part}.gz", Body=gzip.compress(lines))
    copied = timed(history.load)
    names = [column.name for column in SQL_COLUMNS]
    places = ", ".join(f":{name}" for name in names)
    insert = f"INSERT INTO firs ({', '.join(names)}, load_id) VALUES ({places}, 'x')"

    def one_by_one() -> None:
        for number in range(given.single):
            values = fir(given.rows + number + 1).as_dict()
            bound = {n: str(values[n]) for n in names if values[n] is not None}
            sql = insert if len(bound) == len(names) else insert.replace(":zero_key", "NULL")
            assert redshift.batch([sql], bound).ok

    inserted = timed(one_by_one)
    (counted,) = redshift.query("SELECT COUNT(*) AS n FROM firs")
    assert counted["n"] == each * given.objects + given.single
    table = Table(box=MARKDOWN)
    for column in ("into Redshift by", "rows", "seconds", "rows/s"):
        table.add_column(column, justify="left" if column.startswith("into") else "right")
    rows = each * given.objects
    table.add_row("COPY, `stream history load`", f"{rows:,}", f"{copied:.1f}", f"{rows / copied:,.0f}")
    rate = given.single / inserted
    table.add_row("INSERT, row by row", f"{given.single:,}", f"{inserted:.1f}", f"{rate:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
