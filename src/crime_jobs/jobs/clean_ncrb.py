"""Landing files to facts: one row a place, year and leaf head; totals left out, bad rows in quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from pyspark.sql import functions as F

from crime_jobs.errors import BadInput
from crime_jobs.job import Config, Job, Run
from crime_jobs.jobs._entries import read_entries, wholes_and_parts
from crime_jobs.model.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Scope of each layout of the tables of crimes against women.
SCOPES = {"women_2001": "ipc_seven_heads", "women_2014": "ipc_and_special_laws"}
#: What a bucket of each traffic layout is.
BREAKDOWNS = {"traffic_slot": "slot", "traffic_month": "month"}


class CleanConfig(Config):
    """Configuration of ``clean_ncrb``.

    Parameters
    ----------
    max_bad_share
        The job fails if more than this share of the rows is bad (0 to 1).
    allow_empty
        Let facts that the lake has be replaced by none, when the landing folder has no file of theirs.
    """

    max_bad_share: float = Field(default=0.01, ge=0, le=1)
    allow_empty: bool = False


def _pick(mapping: dict[str, str]) -> str:
    cases = " ".join(f"WHEN '{layout}' THEN '{value}'" for layout, value in mapping.items())
    return f"CASE layout {cases} END"


def facts(entries: DataFrame, fact: str) -> DataFrame:
    """Keep what is to be counted: leaf heads of districts, no totals.

    Parameters
    ----------
    entries
        See `crime_jobs.model.landing.Entry`.
    fact
        ``crime``, ``women``, ``traffic`` or ``population``.

    Returns
    -------
    DataFrame
        The columns of ``<fact>_facts``, for ``population`` those of ``population_census``.
    """
    table = TABLES["population_census" if fact == "population" else f"{fact}_facts"]
    names = {
        "crime_head": "head",
        "bucket": "head",
        "population": "cases",
        "scope": _pick(SCOPES),
        "breakdown": _pick(BREAKDOWNS),
    }
    kept = entries.where((F.col("fact") == fact) & (F.col("row_kind") == "district") & F.col("leaf"))
    return kept.selectExpr(*(f"{names.get(c, c)} AS {c}" for c in table.names))


def quarantine(entries: DataFrame) -> DataFrame:
    """Return the bad rows.

    Parameters
    ----------
    entries
        See `crime_jobs.model.landing.Entry`.

    Returns
    -------
    DataFrame
        The columns of ``quarantine``.
    """
    return entries.where("row_kind = 'bad'").select(*TABLES["quarantine"].names)


def double_files(entries: DataFrame) -> DataFrame:
    """Find figures that two files both hold: counted together they would double.

    Parameters
    ----------
    entries
        See `crime_jobs.model.landing.Entry`.

    Returns
    -------
    DataFrame
        ``files array<string>, figures bigint``: each set of files and how many figures they share.
    """
    keys = ["fact", "row_kind", "state_code", "district", "year", "head"]
    # A slot and a month never share a name, so the two road files can't be taken for one another.
    good = entries.where("row_kind <> 'bad' AND head <> '=total'")
    file = F.xxhash64("source_file")  # numbers, since only those are aggregated without a sort
    held = good.groupBy(*keys).agg(F.min(file).alias("first"), F.max(file).alias("last"))
    pairs = held.where("first <> last").groupBy("first", "last").agg(F.count("*").alias("figures"))
    names = entries.select(file.alias("id"), "source_file").distinct()
    first, last = (
        names.withColumnsRenamed({"id": end, "source_file": f"{end}_file"}) for end in ("first", "last")
    )
    files = F.sort_array(F.array("first_file", "last_file")).alias("files")
    return pairs.join(first, "first").join(last, "last").select(files, "figures")


def wholes_without_parts(entries: DataFrame) -> DataFrame:
    """Find heads that the long layout gives whole only, where their parts are what counts.

    Parameters
    ----------
    entries
        See `crime_jobs.model.landing.Entry`.

    Returns
    -------
    DataFrame
        See `crime_jobs.jobs._entries.wholes_and_parts`.
    """
    spread = entries.where("row_number = 0 AND row_kind = 'district'")
    return wholes_and_parts(spread).where("found IS NULL AND expected > 0")


def _refuse_lost_cases(entries: DataFrame) -> None:
    lost = (
        wholes_without_parts(entries)
        .orderBy("source_file", "state_code", "district", "year")
        .limit(3)
        .collect()
    )
    if lost:
        said = "; ".join(
            f"{row.source_file}: {row.state_code} {row.district} {row.year} {row.whole} ({row.expected})"
            for row in lost
        )
        raise BadInput(
            f"Heads are given without the parts that they are counted by: {said} …",
            hint="Deliver the parts too (vocabulary/crime_heads.csv has them); nothing was written.",
        )


def _work(run: Run, config: CleanConfig) -> None:
    entries = read_entries(run)
    rows = F.count_distinct("source_file", "line")
    bad_rows = F.count_distinct(F.when(F.col("row_kind") == "bad", F.struct("source_file", "line")))
    counted = entries.agg(rows.alias("read"), bad_rows.alias("bad")).first()
    assert counted is not None  # noqa: S101 - an aggregate without groups has one row
    doubled = double_files(entries).collect()
    if doubled:
        said = "; ".join(f"{' and '.join(row.files)} ({row.figures} figures)" for row in doubled)
        raise BadInput(
            f"Landing files hold the same figures: {said}.",
            hint="Keep one of them in the landing folder; nothing was written.",
        )
    _refuse_lost_cases(entries)
    report = {"rows_read": counted.read, "rows_quarantined": counted.bad, "landing": run.landing}
    bad = quarantine(entries)
    run.publish("clean_ncrb", "quarantine", bad, **report)
    if counted.bad > config.max_bad_share * counted.read:
        some = bad.orderBy("source_file", "line").limit(3).collect()
        said = "; ".join(f"{row.source_file}, line {row.line}: {row.reason}" for row in some)
        raise BadInput(
            f"{counted.bad} of {counted.read} rows are bad, more than the share allowed "
            f"({config.max_bad_share:g}): {said}{' …' if counted.bad > len(some) else ''}",
            hint=f"All are in the table quarantine of {run.lake}; the facts were left as they were.",
        )
    if not config.allow_empty:
        _refuse_to_empty(run, entries)
    for fact, table in _TABLES.items():
        run.publish("clean_ncrb", table, facts(entries, fact), **report)


def _refuse_to_empty(run: Run, entries: DataFrame) -> None:
    given = {row.fact for row in entries.where("row_kind <> 'bad'").select("fact").distinct().collect()}
    for fact, table in _TABLES.items():
        if fact not in given and run.has(table) and run.read(table).limit(1).count():
            raise BadInput(
                f"The landing folder {run.landing} has no row for {table}, which has rows in {run.lake}.",
                hint="Put the files back, or say --set allow_empty=true; the facts were left as they were.",
            )


_TABLES = {
    "crime": "crime_facts",
    "women": "women_facts",
    "traffic": "traffic_facts",
    "population": "population_census",
}

JOB = Job(
    name="clean_ncrb",
    summary="Landing CSVs to facts, totals left out, bad rows in quarantine",
    writes=(*_TABLES.values(), "quarantine"),
    work=_work,
    config=CleanConfig,
)
