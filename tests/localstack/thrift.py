"""The SQL server for tests: one for all of a test process, started when the first asks for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyhive import hive

from crime_harness import sql_server
from crime_harness.places import Places
from crime_harness.supervisor import Supervisor
from crime_jobs.model.names import DATABASE
from tests.localstack.conftest import free_port, harness


@dataclass(frozen=True)
class Sql:
    """The running server."""

    state: Path
    port: int
    lake: Path
    said: str

    def ask(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:
        """Ask as a client of its own."""
        link = hive.connect("127.0.0.1", self.port, username="tester", database=DATABASE, **more)
        try:
            cursor = link.cursor()
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows
        finally:
            link.close()

    def dicts(self, sql: str, **more: Any) -> list[dict[str, Any]]:
        """Ask, and have the rows by the columns' names."""
        link = hive.connect("127.0.0.1", self.port, username="tester", database=DATABASE, **more)
        try:
            cursor = link.cursor()
            cursor.execute(sql)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            link.close()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return harness("sql-server", *arguments, CRIME_HARNESS_STATE=str(self.state))

    def start(self) -> subprocess.CompletedProcess[str]:
        return self.run("--lake", str(self.lake), "--port", str(self.port))

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(Places.of(self.state).run)


@pytest.fixture(scope="session")
def sql(built_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sql]:
    """One server; the last test of test_sql_server.py kills it."""
    state, port = tmp_path_factory.mktemp("sql-server"), free_port()
    asked = Sql(state, port, built_lake, "")
    started = asked.start()
    assert started.returncode == 0, started.stderr
    try:
        yield Sql(state, port, built_lake, started.stdout)
    finally:
        sql_server.stop(Places.of(state))
