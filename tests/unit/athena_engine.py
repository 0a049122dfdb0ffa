"""The engine's Athena and Glue at an address of their own, over a folder that stands for S3."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import duckdb
import uvicorn
from botocore.config import Config

from crime_engines.athena import Athena
from crime_engines.athena.store import Found
from crime_engines.control import Control
from crime_engines.glue import Glue
from crime_engines.glue.catalog import Catalog
from crime_engines.node import Node
from crime_engines.server import Engines, application


class Folder:
    """S3 for the engine: a folder a bucket."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        pass

    def path(self, uri: str) -> str:
        return str(self.root / uri.removeprefix("s3://"))

    def list(self, uri: str) -> list[Found]:
        bucket = self.root / uri.removeprefix("s3://").partition("/")[0]
        files = (file for file in bucket.rglob("*") if file.is_file())
        found = [
            Found(f"s3://{file.relative_to(self.root)}", file.stat().st_size, str(file.stat().st_mtime_ns))
            for file in files
        ]
        return sorted((one for one in found if one.uri.startswith(uri)), key=lambda one: one.uri)

    def read(self, uri: str, begin: int, end: int) -> bytes:
        with Path(self.path(uri)).open("rb") as file:
            file.seek(begin)
            return file.read(end - begin)

    def upload(self, path: Path, uri: str, encryption: Mapping[str, Any] | None = None) -> None:
        target = Path(self.path(uri))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    def remove(self, uris: Iterable[str]) -> None:
        for uri in uris:
            Path(self.path(uri)).unlink()

    def has_bucket(self, uri: str) -> bool:
        return (self.root / uri.removeprefix("s3://").partition("/")[0]).is_dir()

    def put(self, uri: str, content: bytes | str) -> str:
        """Write an object; its own URI comes back."""
        target = Path(self.path(uri))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return uri

    def text(self, uri: str) -> str:
        return Path(self.path(uri)).read_text(encoding="utf-8")


@dataclass
class Served:
    """The engine at its address."""

    client: Any
    glue: Any
    s3: Folder
    address: str

    def start(self, sql: str, *values: str, **more: Any) -> str:
        given: dict[str, Any] = {"ExecutionParameters": [*values]} if values else {}
        given |= (
            {"ResultConfiguration": {"OutputLocation": "s3://results/x/"}} if "WorkGroup" not in more else {}
        )
        context = {"QueryExecutionContext": {"Database": "crime"}}
        said = self.client.start_query_execution(**{"QueryString": sql, **given, **context, **more})
        return str(said["QueryExecutionId"])

    def ended(self, query: str) -> dict[str, Any]:
        while True:
            said: dict[str, Any] = self.client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if said["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return said
            time.sleep(0.005)

    def run(self, sql: str, *values: str, **more: Any) -> dict[str, Any]:
        return self.ended(self.start(sql, *values, **more))

    def ok(self, sql: str, *values: str, **more: Any) -> dict[str, Any]:
        said = self.run(sql, *values, **more)
        assert said["Status"]["State"] == "SUCCEEDED", said["Status"]
        return said

    def rows(self, sql: str, *values: str, **more: Any) -> list[tuple[str | None, ...]]:
        """The rows of a query, without its header; None for NULL."""
        query = self.ok(sql, *values, **more)["QueryExecutionId"]
        pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=query)
        rows = [row for page in pages for row in page["ResultSet"]["Rows"]]
        found = [tuple(one.get("VarCharValue") for one in row["Data"]) for row in rows]
        return (
            found[1:] if sql.lstrip().upper().startswith(("SELECT", "WITH", "VALUES", "EXECUTE")) else found
        )

    def error(self, sql: str, *values: str, **more: Any) -> str:
        said = self.run(sql, *values, **more)
        assert said["Status"]["State"] == "FAILED", said["Status"]
        return str(said["Status"]["StateChangeReason"])

    def parquet(self, uri: str, select: str) -> int:
        """Write what DuckDB selects as an object; its size comes back."""
        target = Path(self.s3.path(uri))
        target.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({select}) TO '{target}' (FORMAT parquet)")
        return target.stat().st_size


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serve the engine."""
    control, catalog, s3 = Control(), Catalog(), Folder(folder / "s3")
    for bucket in ("results", "data"):
        (s3.root / bucket).mkdir(parents=True)
    node = Node(folder / "state", "http://127.0.0.1:9", "http://127.0.0.1:9", "", folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engines = Engines([Athena(node, control, catalog, s3), Glue(node, control, catalog)], control)
    server = uvicorn.Server(uvicorn.Config(application(engines), "127.0.0.1", port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    made = [
        boto3.client(
            name,
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, proxies={}, max_pool_connections=20),
        )
        for name in ("athena", "glue")
    ]
    try:
        yield Served(made[0], made[1], s3, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(20)
