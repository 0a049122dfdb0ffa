"""The engine's Rekognition at an address of its own, with S3 out of a dictionary."""

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
from crime_engines.faces.pool import Pool
from crime_engines.node import Node
from crime_engines.rekognition import Rekognition
from crime_engines.server import Engines, application


class Dictionary:
    """S3 for the engine."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failing: dict[str, tuple[int, str]] = {}

    def open(self, uri: str) -> Any:
        if uri in self.failing:
            status, name = self.failing[uri]
            told = {"Error": {"Code": name, "Message": name}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(told, "GetObject")
        if uri not in self.objects:
            said = {"Code": "NoSuchKey", "Message": "The specified key does not exist."}
            raise ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 404}}, "GetObject")
        return StreamingBody(io.BytesIO(self.objects[uri]), len(self.objects[uri]))


@dataclass
class Served:
    """The engine at its address."""

    client: Any
    control: Control
    s3: Dictionary
    service: Rekognition
    address: str

    def other_region(self) -> Any:
        return _client(self.address, "ap-south-1")


def _client(address: str, region: str) -> Any:
    return boto3.client(
        "rekognition",
        endpoint_url=address,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False),
    )


@contextlib.contextmanager
def serve(folder: Path, pool: Pool | None = None) -> Iterator[Served]:
    """Serve the engine; what it keeps is in the folder."""
    control, s3 = Control(), Dictionary()
    node = Node(folder, "http://127.0.0.1:9", "http://127.0.0.1:9", "", folder)
    object.__setattr__(node, "storage", s3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = Rekognition(node, control, pool)
    engines = Engines([service], control)
    server = uvicorn.Server(uvicorn.Config(application(engines), "127.0.0.1", port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{port}"
    try:
        yield Served(_client(address, "us-east-1"), control, s3, service, address)
    finally:
        server.should_exit = True
        thread.join(20)
