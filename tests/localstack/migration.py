"""What tests of the migration share: the old database, a session that runs jobs, and what is in DynamoDB."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from crime_harness.places import Places
from crime_harness.tools import find_java
from crime_jobs.model.items import Item
from tests.conftest import ROOT
from tests.localstack.conftest import Stack

_deserialise = TypeDeserializer().deserialize


@dataclass(frozen=True)
class Said:
    """How a job ended."""

    exit_code: int
    message: str = ""
    hint: str = ""
    reports: tuple[dict[str, Any], ...] = ()


class Session:
    """A process with a Spark session on the stack, which runs one job after the other."""

    def __init__(self, stack: Stack, **variables: str) -> None:
        self._stack = stack
        self._lake = tempfile.TemporaryDirectory(prefix="lake-")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "localstack" / "migration_session.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={**stack.environ, **variables},
            start_new_session=True,
        )

    def run(self, job: str, settings: Mapping[str, str] | None = None, /, **options: object) -> Said:
        """Run a job to its end."""
        self.send(job, settings, **options)
        return self.answer()

    def send(self, job: str, settings: Mapping[str, str] | None = None, /, **options: object) -> None:
        """Begin a job."""
        assert self.process.stdin
        told = {name: str(value) for name, value in options.items()}
        # A lake on this disk, unless a test says otherwise: publishing on S3 is held by tests of its own.
        places = {"landing": self._stack.landing, "lake": self._lake.name, **(settings or {})}
        self.process.stdin.write(json.dumps({"job": job, "settings": places, "options": told}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Said:
        """Wait for the end of the job that was begun."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the session ended with {self.process.wait(30)}"
        said = json.loads(line)
        return Said(**{**said, "reports": tuple(said.get("reports", ()))})

    def close(self) -> None:
        if self.process.poll() is None:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(60)
        self._lake.cleanup()


@dataclass
class OldDatabase:
    """The server that stands for Oracle, with a database and schema of the test's own."""

    stack: Stack
    folder: Path
    schema: str = field(default_factory=lambda: f"T{uuid.uuid4().hex[:8].upper()}")

    def __post_init__(self) -> None:
        # Made beside the server, which makes none itself: its first user is its administrator.
        files = Path(self.stack.env["CRIME_JOBS_SPARK_CONF"]).parent / "localstack" / "oracle"
        self.sql("", f"jdbc:h2:{files / self.schema.lower()};MODE=Oracle")

    @property
    def url(self) -> str:
        """A database of the test's own on the stack's server."""
        return re.sub(r"/\./crime;.*", f"/./{self.schema.lower()};MODE=Oracle", self._shared)

    @property
    def _shared(self) -> str:
        return self.stack.env["CRIME_JOBS_ORACLE_URL"]

    @property
    def who(self) -> dict[str, str]:
        """The options that say which migration of which database."""
        return {"task": self.schema, "url": self.url}

    @property
    def prefix(self) -> str:
        """Begins the names of this test's DynamoDB tables."""
        return self.schema.lower()

    def sql(self, script: str, url: str | None = None) -> str:
        """Run statements, as whoever owns the database does; returns what queries gave."""
        secret = self.stack.client("secretsmanager").get_secret_value(
            SecretId=self.stack.env["CRIME_JOBS_ORACLE_SECRET"]
        )
        known = json.loads(secret["SecretString"])
        path = self.folder / f"{uuid.uuid4().hex}.sql"
        path.write_text(f"CREATE SCHEMA IF NOT EXISTS {self.schema};\nSET SCHEMA {self.schema};\n{script}")
        command = [
            *(find_java(Places.of(), self.folder / "java.log").command, "-cp", h2_jar(self.stack)),
            *("org.h2.tools.RunScript", "-url", url or self.url, "-user", known["username"]),
            *("-password", known["password"], "-script", str(path), "-showResults"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def mappings(self, *rules: Mapping[str, Any], tables: str = "%") -> str:
        """Write a table mapping of this schema's tables; returns its path."""
        selection = {
            "rule-type": "selection",
            "rule-id": "1",
            "rule-name": "all",
            "object-locator": {"schema-name": self.schema, "table-name": tables},
            "rule-action": "include",
        }
        named = [{"rule-id": str(n), "rule-name": f"rule {n}", **rule} for n, rule in enumerate(rules, 2)]
        path = self.folder / f"{uuid.uuid4().hex}.json"
        path.write_text(json.dumps({"rules": [selection, *named]}))
        return str(path)

    def to(self, table: str, partition: str, sort: str | None = None, **attributes: str) -> dict[str, Any]:
        """Return an object-mapping rule; attributes are templates by name."""
        made = [
            {
                "target-attribute-name": name,
                "attribute-type": "scalar",
                "attribute-sub-type": "string",
                "value": template,
            }
            for name, template in attributes.items()
        ]
        parameters: dict[str, Any] = {"partition-key-name": partition, "attribute-mappings": made}
        if sort:
            parameters["sort-key-name"] = sort
        return {
            "rule-type": "object-mapping",
            "object-locator": {"schema-name": self.schema, "table-name": table},
            "rule-action": "map-record-to-record",
            "target-table-name": self.target(table),
            "mapping-parameters": parameters,
        }

    def target(self, table: str) -> str:
        """Name of the DynamoDB table of a source table."""
        return f"{self.prefix}-{table.lower()}"


def h2_jar(stack: Stack) -> str:
    """The class path with H2 on it, as the stack gives it to Spark."""
    found = [p for p in stack.env["CRIME_JOBS_SPARK_EXTRA_CLASSPATH"].split(":") if "/h2-" in p]
    assert found, "H2 is not on Spark's class path"
    return found[0]


def scan(stack: Stack, table: str) -> list[Item]:
    """Every item of a table, as DynamoDB has it."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def plain(item: Item) -> dict[str, Any]:
    """An item as Python's values."""
    # boto3's own refuses 1E100 when it is written out with its zeros.
    return {
        name: Decimal(value["N"]) if "N" in value else _deserialise(value) for name, value in item.items()
    }
