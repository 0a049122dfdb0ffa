"""The application: reads its properties, gives Flink the SQL that stands beside it, and starts the job.

It is the whole program of the service (Managed Service for Apache Flink) and of a run elsewhere, and imports
nothing of the project: the package that `crime_jobs.stream.analytics.package` lays out is all it has.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

#: Where the service writes the application's properties; another place is named in the variable.
PROPERTIES, PROPERTIES_VARIABLE = "/etc/flink/application_properties.json", "FIR_ANALYTICS_PROPERTIES"

#: Options of the connector; the groups ``source`` and ``sink`` add to them: stream, region …
KINESIS = {
    "source": {
        "connector": "kinesis",
        "scan.stream.initpos": "TRIM_HORIZON",
        "format": "json",
        # A line that is no FIR must neither stop the job nor come into its log with the exception.
        "json.ignore-parse-errors": "true",
        "json.timestamp-format.standard": "ISO-8601",
    },
    "sink": {
        "connector": "kinesis",
        "sink.flush-buffer.timeout": "1000",
        "sink.fail-on-error": "true",
        "format": "json",
    },
}

#: What only a stream has: when a record arrived, and keys of partitions.
ON_KINESIS = {
    "arrival": " METADATA FROM 'timestamp' VIRTUAL",
    "partitions": " PARTITIONED BY (state_code, district)",
}

#: The group that names the folder of checkpoints to go on from; the service sees to that itself.
KEPT = "kept"

#: Of Flink's configuration; the group ``flink`` adds to it, and the service has the last word on checkpoints.
FLINK = {
    "table.local-time-zone": "UTC",
    # For how long a FIR that comes again is known. Windows close by event time, whatever this says.
    "table.exec.state.ttl": "48 h",
    # A shard that has nothing does not hold the others' windows open.
    "table.exec.source.idle-timeout": "30 s",
    "execution.checkpointing.interval": "60 s",
}


def properties(path: Path) -> dict[str, dict[str, str]]:
    """Read the properties, as the service writes them.

    Parameters
    ----------
    path
        A JSON list of ``{"PropertyGroupId": …, "PropertyMap": {…}}``.

    Returns
    -------
    dict
        By group.
    """
    groups = json.loads(path.read_text(encoding="utf-8"))
    return {group["PropertyGroupId"]: group["PropertyMap"] for group in groups}


def options(kind: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a table's connector.

    Parameters
    ----------
    kind
        ``source`` or ``sink``.
    given
        The group of that name; with a ``connector`` of its own it has all of them.

    Returns
    -------
    dict
    """
    return dict(given) if "connector" in given else {**KINESIS[kind], **given}


def statements(folder: Path, groups: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Return the SQL, statement by statement.

    Parameters
    ----------
    folder
        Where the files are.
    groups
        The properties.

    Yields
    ------
    str
        Tables, views, and what is inserted.
    """
    tables = {kind: options(kind, groups.get(kind, {})) for kind in KINESIS}
    values = {kind: _with(table) for kind, table in tables.items()}
    for name, kind in (("arrival", "source"), ("partitions", "sink")):
        values[name] = ON_KINESIS[name] if tables[kind]["connector"] == "kinesis" else ""
    for name in ("sources.sql", "views.sql", "results.sql"):
        text = Template((folder / name).read_text(encoding="utf-8")).substitute(values)
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
        yield from (found for part in "\n".join(lines).split(";\n") if (found := part.strip().rstrip(";")))


def baseline(folder: Path) -> list[tuple[str, str, str, int]]:
    """Return the rows of the baseline that stands beside the SQL.

    Parameters
    ----------
    folder
        Where it is.

    Returns
    -------
    list of tuple
        State code, district, group, cases a year.
    """
    with (folder / "baseline.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(state, district, group, int(cases)) for state, district, group, cases in rows]


def newest_checkpoint(folder: Path) -> Path | None:
    """Find the checkpoint to go on from.

    Parameters
    ----------
    folder
        Where jobs, one after the other, kept theirs.

    Returns
    -------
    Path or None
        The newest that is whole.
    """
    whole = list(folder.glob("*/chk-*/_metadata"))
    return max(whole, key=lambda file: file.stat().st_mtime_ns).parent if whole else None


def _with(table: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    return ",\n".join(f"    {quoted(name)} = {quoted(value)}" for name, value in table.items())


def start(folder: Path, groups: Mapping[str, Mapping[str, str]]) -> Any:
    """Start the job.

    Parameters
    ----------
    folder
        Where SQL and baseline are.
    groups
        The properties.

    Returns
    -------
    pyflink.table.TableResult
        The running job.
    """
    # No function of it is Python's: PyFlink need not start its workers, nor have the packages that they use.
    os.environ.setdefault("_python_worker_execution_mode", "process")
    from pyflink.common import Configuration
    from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment

    configuration = Configuration()
    chosen = {**FLINK, **groups.get("flink", {})}
    kept = groups.get(KEPT, {}).get("checkpoints")
    if kept and (newest := newest_checkpoint(Path(kept))):
        chosen["execution.state-recovery.path"] = newest.as_uri()
    for name, value in chosen.items():
        configuration.set_string(name, value)
    made = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    environment = TableEnvironment.create(made)
    columns = [(name, DataTypes.STRING()) for name in ("state_code", "district", "crime_group")]
    columns.append(("cases_per_year", DataTypes.INT()))
    shape = DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in columns])
    environment.create_temporary_view("baseline", environment.from_elements(baseline(folder), shape))
    job = environment.create_statement_set()
    for statement in statements(folder, groups):
        if statement.startswith("INSERT"):
            job.add_insert_sql(statement)
        else:
            environment.execute_sql(statement)
    return job.execute()


def main() -> None:
    """Start the job; where it is not the service that keeps it, stay with it."""
    groups = properties(Path(os.environ.get(PROPERTIES_VARIABLE, PROPERTIES)))
    job = start(Path(__file__).resolve().parent, groups)
    if PROPERTIES_VARIABLE in os.environ:
        job.wait()


if __name__ == "__main__":
    main()
