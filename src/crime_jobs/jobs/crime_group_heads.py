"""The vocabulary of crime groups as a table, so that SQL can join facts with it."""

from __future__ import annotations

from crime_jobs.job import Config, Job, Run
from crime_jobs.model import heads
from crime_jobs.model.tables import TABLES


def rows() -> list[tuple[str, ...]]:
    """Return the table's rows.

    Returns
    -------
    list of tuple
        The columns of ``crime_group_heads``.
    """
    labels = heads.labels()
    tables = {"crime_facts": heads.crime_groups(), "women_facts": heads.women_groups()}
    return [
        (table, group.code, group.label, head, labels[head], group.defined_by, group.break_2014)
        for table, groups in tables.items()
        for group in groups.values()
        for head in sorted(group.heads)
    ]


def _work(run: Run, config: Config) -> None:  # noqa: ARG001 - the shape of every job
    table = TABLES["crime_group_heads"]
    run.publish("crime_group_heads", table.name, run.spark.createDataFrame(rows(), table.ddl))


JOB = Job(
    name="crime_group_heads",
    summary="Which heads make up which crime group, for joins in SQL",
    writes=("crime_group_heads",),
    work=_work,
)
