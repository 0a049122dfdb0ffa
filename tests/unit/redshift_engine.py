"""The engine's Redshift at an address of its own: a real PostgreSQL, and S3 out of a dictionary."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from crime_engines.control import Control
from crime_engines.node import Node
from crime_engines.redshift import RedshiftData
from crime_engines.server import Engines, application


class Dictionary:
    """S3 for the engine."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def list(self, uri: str) -> list[str]:
        return sorted(name for name in self.objects if name.startswith(uri))

    def has(self, uri: str) -> bool:
        return uri in self.objects

    def read(self, uri: str) -> bytes:
        content: bytes = self.open(uri).read()
        return content

    def open(self, uri: str) -> Any:
        if uri not in self.objects:
            said = {"Code": "NoSuchKey", "Message": "The specified key does not exist."}
            raise ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 404}}, "GetObject")
        return StreamingBody(io.BytesIO(self.objects[uri]), len(self.objects[uri]))

    def put(self, uri: str, content: bytes) -> None:
        self.objects[uri] = content


@dataclass
class Served:
    """The engine at its address."""

    client: Any
    control: Control
    s3: Dictionary
    workgroup: str = "crime-jobs"

    @property
    def place(self) -> dict[str, str]:
        return {"WorkgroupName": self.workgroup, "Database": "crime"}

    def ended(self, statement: str) -> dict[str, Any]:
        while (said := self.client.describe_statement(Id=statement))["Status"] in (
            "SUBMITTED", "PICKED", "STARTED",
        ):  # fmt: skip
            time.sleep(0.01)
        found: dict[str, Any] = said
        return found

    def run(self, sql: str, **values: str) -> dict[str, Any]:
        given = {"Parameters": [{"name": k, "value": v} for k, v in values.items()]} if values else {}
        return self.ended(self.client.execute_statement(**self.place, Sql=sql, **given)["Id"])

    def batch(self, *sqls: str, **more: Any) -> dict[str, Any]:
        return self.ended(self.client.batch_execute_statement(**self.place, Sqls=sqls, **more)["Id"])

    def rows(self, sql: str, **values: str) -> list[tuple[Any, ...]]:
        said = self.run(sql, **values)
        assert said["Status"] == "FINISHED", said["Error"]
        page = self.client.get_statement_result(Id=said["Id"])
        return [
            tuple(None if f.get("isNull") else next(iter(f.values())) for f in row) for row in page["Records"]
        ]

    def error(self, sql: str) -> str:
        said = self.run(sql)
        assert said["Status"] == "FAILED"
        return str(said["Error"])


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serve the engine."""
    control, s3 = Control(), Dictionary()
    node = Node(folder, "http://127.0.0.1:9", "http://127.0.0.1:9", "", folder)
    object.__setattr__(node, "storage", s3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engines = Engines([RedshiftData(node, control)], control)
    server = uvicorn.Server(uvicorn.Config(application(engines), "127.0.0.1", port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    client = boto3.client(
        "redshift-data",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    try:
        yield Served(client, control, s3)
    finally:
        server.should_exit = True
        thread.join(20)
