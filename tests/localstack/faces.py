"""What tests of matching share: an engine of their own that can be killed, people on a list, photographs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crime_jobs import settings as settings_module
from crime_jobs.faces.leads import Leads
from crime_jobs.faces.watchlist import Enrolling
from crime_jobs.model.faces import FaceSettings, Lead, Purpose
from crime_jobs.settings import Settings
from tests.conftest import ROOT
from tests.localstack.conftest import Stack

PURPOSE = Purpose.MISSING_PERSON


@dataclass
class OwnEngine:
    """The engines in a process of the test's own, with S3 of the stack: to order faults of, and to kill."""

    stack: Stack
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "crime_engines", "--port", str(self.port)),
            *("--localstack", self.stack.endpoint, "--state", str(self.folder)),
            *("--class-path", self.stack.env.get("CRIME_JOBS_SPARK_EXTRA_CLASSPATH", "-")),
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        end = time.monotonic() + 60
        while True:
            try:
                self.own("health")
            except OSError:
                assert time.monotonic() < end, "the engine did not start"
                assert self.process.poll() is None, "the engine ended"
                time.sleep(0.05)
            else:
                return

    def own(self, path: str, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/_engines/{path}", data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as said:  # noqa: S310 - http it is
            return json.load(said)

    def fault(self, operation: str, code: str, **more: Any) -> None:
        self.own("faults", "POST", {"operation": operation, "code": code, "service": "rekognition", **more})

    def forget_faults(self) -> None:
        self.own("faults", "DELETE")

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait(30)


@dataclass
class Room:
    """A watch list with people, and a folder of photographs, of one test."""

    stack: Stack
    faces: FaceSettings = field(
        default_factory=lambda: FaceSettings(engine="on-premises", calls_per_second=200)
    )
    name: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")

    @property
    def folder(self) -> str:
        return f"tests/{self.name}"

    @property
    def photographs(self) -> str:
        return f"s3://crime-faces/{self.folder}/photographs"

    @property
    def settings(self) -> Settings:
        return settings_module.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)

    @property
    def leads(self) -> list[Lead]:
        return list(Leads(self.settings, self.faces).queue(self.name))

    def rows(self) -> list[dict[str, Any]]:
        """What the ledger has."""
        found = self.stack.client("dynamodb").query(
            TableName=self.faces.photographs_table,
            KeyConditionExpression="watch_list = :list",
            ExpressionAttributeValues={":list": {"S": self.name}},
            ConsistentRead=True,
        )
        items: list[dict[str, Any]] = found["Items"]
        return items

    def done(self) -> int:
        return sum("matched_as" in row for row in self.rows())

    def put(self, name: str, content: bytes, under: str = "photographs") -> str:
        key = f"{self.folder}/{under}/{name}"
        self.stack.client("s3").put_object(Bucket="crime-faces", Key=key, Body=content)
        return f"s3://crime-faces/{key}"

    def enrol(self, people: Mapping[str, Mapping[str, bytes]], expires: str = "2090-01-01") -> None:
        """Enrol people, each with photographs by name."""
        lines = ["photograph,person_key,source,legal_basis,expires"]
        for key, photographs in people.items():
            for name, content in photographs.items():
                self.put(name, content, "watch")
                lines.append(f"{name},{key},station diary,missing person report,{expires}")
        manifest = self.put("manifest.csv", "\n".join(lines).encode(), "watch")
        done = Enrolling(self.settings, self.faces, manifest, self.name, PURPOSE).run()
        assert not done.counts["refused"], done.lines

    def options(self, **more: object) -> dict[str, object]:
        """What the job is told."""
        return {
            "photographs": self.photographs,
            "watch_list": self.name,
            "purpose": PURPOSE.value,
            "faces": self.faces.model_dump_json(),
            **more,
        }
