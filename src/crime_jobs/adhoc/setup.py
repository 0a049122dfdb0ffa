"""Makes in Athena what questions need: database, tables, and each question as a named query and prepared.

It can be run again: what is as it should be is left, what has changed is made anew, and what others made is
refused where it has one of our names, never replaced. External tables have no files of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.adhoc import asking, ddl
from crime_jobs.adhoc.athena import Athena
from crime_jobs.adhoc.questions import Question, questions
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.model import streams

if TYPE_CHECKING:
    from crime_jobs.adhoc.asking import SqlSettings
    from crime_jobs.settings import Settings

#: The property in which a table keeps the hash of its statement.
HASH = "made_from"
#: Statements that are run side by side: Athena takes 20 of DDL
#: (https://docs.aws.amazon.com/athena/latest/ug/service-limits.html).
SIDE_BY_SIDE = 4
#: Names that `BatchGetNamedQuery` takes at once.
BATCH = 50
#: How the description of a named query of ours begins.
OURS = "crime-jobs: "


@dataclass(frozen=True)
class Step:
    """Something to make.

    Parameters
    ----------
    kind
        ``database``, ``table``, ``named query`` or ``prepared statement``.
    name
        Its name.
    sql
        The statement.
    """

    kind: str
    name: str
    sql: str


@dataclass(frozen=True)
class Made:
    """What became of a step: ``made``, ``changed`` or ``as it was``."""

    kind: str
    name: str
    done: str


def plan(settings: Settings) -> list[Step]:
    """Return what an environment needs; nothing is asked of AWS.

    Parameters
    ----------
    settings
        The lake, the stream's history, and ``[<environment>.sql]``.

    Returns
    -------
    list of Step
        In the order to make them.

    Raises
    ------
    WrongUsage
        If the environment has no workgroup, or a place can't be a table's.
    """
    sql = asking.of(settings)
    if not sql.workgroup:
        raise WrongUsage(
            f"Environment {settings.env!r} has no Athena workgroup: its lake is asked directly, as it is.",
            hint=f"To ask Athena, write workgroup into [{settings.env}.sql] of crime-jobs.toml: docs/sql.md.",
        )
    places = {
        "lake": ddl.place(settings.lake, "lake"),
        "history": ddl.place(streams.of(settings.stream).history, "stream.history"),
        "database": sql.database,
    }
    statements = {name: ddl.filled(text, **places) for name, text in ddl.generated().items()}
    steps = [Step("database", sql.database, statements.pop("database"))]
    steps += [Step("table", name, _marked(text)) for name, text in statements.items()]
    for question in questions().values():
        steps.append(Step("named query", question.name, question.sql))
        steps.append(Step("prepared statement", question.name, question.sql))
    return steps


def _marked(statement: str) -> str:
    """Have a table remember what it was made from."""
    digest = hashlib.sha256(statement.encode()).hexdigest()[:16]
    return statement.replace("TBLPROPERTIES (", f"TBLPROPERTIES (\n  '{HASH}' = '{digest}',", 1)


def set_up(settings: Settings, told: Callable[[Made], None] = lambda _: None) -> list[Made]:
    """Make what is not there, or not as it should be.

    Parameters
    ----------
    settings
        As for `plan`.
    told
        Hears of each step that is done.

    Returns
    -------
    list of Made

    Raises
    ------
    WrongUsage
        As `plan`.
    JobFailed
        If a table of one of our names is another's.
    AwsRefused
        If AWS refuses or can't be reached.
    """
    steps, sql = plan(settings), asking.of(settings)
    athena = Athena(settings, sql)
    try:
        done: list[Made] = []
        for one in _made(steps, settings, sql, athena):
            told(one)
            done.append(one)
        return done
    finally:
        athena.close()


def _made(steps: list[Step], settings: Settings, sql: SqlSettings, athena: Athena) -> Iterator[Made]:
    database, *rest = steps
    athena.run(database.sql)
    yield Made("database", database.name, "made, or as it was")
    there = _tables(settings, sql)
    tables = [step for step in rest if step.kind == "table"]
    for step in tables:
        _refuse_others(step.name, there, sql)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield from pool.map(lambda step: _table(step, there, athena), tables)
    client, group = aws.client("athena", settings), str(sql.workgroup)
    yield from _named(client, group, sql.database)
    for question in questions().values():
        yield _prepared(client, group, question)


def _tables(settings: Settings, sql: SqlSettings) -> dict[str, dict[str, str]]:
    with aws.refusals(f"Looking at the tables of database {sql.database}"):
        pages = aws.client("glue", settings).get_paginator("get_tables").paginate(DatabaseName=sql.database)
        return {one["Name"]: one.get("Parameters", {}) for page in pages for one in page["TableList"]}


def _refuse_others(name: str, there: dict[str, dict[str, str]], sql: SqlSettings) -> None:
    key, value = ddl.MADE_BY
    if name in there and there[name].get(key) != value:
        raise JobFailed(
            f"Table {sql.database}.{name} is there and was not made by crime-jobs: it is left as it is.",
            hint="Move or drop it, or name another database in [<environment>.sql] of crime-jobs.toml.",
        )


def _table(step: Step, there: dict[str, dict[str, str]], athena: Athena) -> Made:
    mark = there.get(step.name, {}).get(HASH)
    if mark and f"'{HASH}' = '{mark}'" in step.sql:
        return Made(step.kind, step.name, "as it was")
    if step.name in there:
        athena.run(f"DROP TABLE IF EXISTS {step.name}")
    athena.run(step.sql)
    return Made(step.kind, step.name, "changed" if step.name in there else "made")


def _named(client: Any, group: str, database: str) -> Iterator[Made]:
    """Make named queries; Athena would take a second of one name, so those there are looked at first."""
    with aws.refusals(f"Looking at the named queries of workgroup {group}"):
        pages = client.get_paginator("list_named_queries").paginate(WorkGroup=group)
        ids = [one for page in pages for one in page.get("NamedQueryIds", [])]
        found = [
            query
            for at in range(0, len(ids), BATCH)
            for query in client.batch_get_named_query(NamedQueryIds=ids[at : at + BATCH])["NamedQueries"]
        ]
    ours = {q["Name"]: q for q in found if q.get("Description", "").startswith(OURS)}
    with aws.refusals("Making named queries"):
        for question in questions().values():
            wanted = {"Description": _described(question), "QueryString": question.sql}
            old = ours.pop(question.name, None)
            if old is None:
                client.create_named_query(Name=question.name, Database=database, WorkGroup=group, **wanted)
                yield Made("named query", question.name, "made")
            elif any(old.get(key) != value for key, value in wanted.items()):
                client.update_named_query(NamedQueryId=old["NamedQueryId"], Name=question.name, **wanted)
                yield Made("named query", question.name, "changed")
            else:
                yield Made("named query", question.name, "as it was")
        for name, query in ours.items():  # questions that are no more
            client.delete_named_query(NamedQueryId=query["NamedQueryId"])
            yield Made("named query", name, "deleted")


def _described(question: Question) -> str:
    return f"{OURS}{question.title}"[:1024]


def _prepared(client: Any, group: str, question: Question) -> Made:
    from botocore.exceptions import ClientError

    request = {
        "StatementName": question.name,
        "WorkGroup": group,
        "QueryStatement": question.sql,
        "Description": _described(question),
    }
    with aws.refusals(f"Preparing {question.name} in workgroup {group}"):
        try:
            old = client.get_prepared_statement(StatementName=question.name, WorkGroup=group)
        except ClientError as error:
            if aws.code_of(error) != "ResourceNotFoundException":
                raise
            client.create_prepared_statement(**request)
            return Made("prepared statement", question.name, "made")
        said = old["PreparedStatement"]
        if (
            said["QueryStatement"] == request["QueryStatement"]
            and said.get("Description") == request["Description"]
        ):
            return Made("prepared statement", question.name, "as it was")
        client.update_prepared_statement(**request)
        return Made("prepared statement", question.name, "changed")
