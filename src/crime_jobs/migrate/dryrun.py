"""What a migration would do, found out without writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crime_jobs import spark
from crime_jobs.migrate.load import plan
from crime_jobs.migrate.partitions import cut
from crime_jobs.migrate.source import ask, quoted

if TYPE_CHECKING:
    from crime_jobs.migrate.config import LoadConfig
    from crime_jobs.settings import Settings


def planned(settings: Settings, config: LoadConfig) -> list[dict[str, Any]]:
    """Resolve a migration's mapping against the source.

    Parameters
    ----------
    settings
        Region, profile and Spark's configuration.
    config
        What the job would be told.

    Returns
    -------
    list of dict
        A row for each table: where it goes, under which keys, how many rows, in how many parts.

    Raises
    ------
    CrimeJobsError
        If the secret, the mapping or the database can't be used.
    """
    session = spark.start(settings, "crime-jobs migrate --dry-run")
    try:
        source, mappings = plan(session, settings, config)
        found = []
        for mapping in mappings:
            name = f"{quoted(mapping.source.schema)}.{quoted(mapping.source.name)}"
            (rows,) = ask(session, source, f"SELECT COUNT(*) FROM {name}")  # noqa: S608 - names, quoted
            found.append(
                {
                    "source_table": str(mapping.source),
                    "rows": int(rows or 0),
                    "target_table": mapping.target,
                    "partition_key": mapping.partition_key,
                    "sort_key": mapping.sort_key,
                    "attributes": len(mapping.attributes),
                    "parts": len(cut(session, source, mapping, config.part_rows)),
                }
            )
        return found
    finally:
        session.stop()
