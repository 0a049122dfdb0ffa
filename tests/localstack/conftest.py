"""The running stack, for every test that speaks to it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crime_harness import processes
from crime_harness.places import DEFAULT_PORT, Places
from crime_harness.stack import client
from crime_jobs.settings import read_env_file

ROOT = Path(__file__).resolve().parents[2]


def harness(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m crime_harness` as a user does; variables are added to the environment."""
    return subprocess.run(
        [sys.executable, "-m", "crime_harness", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=ROOT,
        env={**os.environ, **variables},
    )


def free_port() -> int:
    """A port on which nothing listens, outside the range that LocalStack gives to its services.

    Test processes that run side by side look in ranges of their own: they might ask at the same moment.
    """
    first = 14566 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return next(port for port in range(first, first + 100) if processes.port_is_free(port))


@dataclass(frozen=True)
class Stack:
    """What a test needs to know of the running stack: all of it comes from `up.env`."""

    env: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        return self.env["AWS_ENDPOINT_URL"]

    @property
    def landing(self) -> str:
        """The shipped data, as `s3://crime-landing/…`; not to be written to."""
        return self.env["CRIME_JOBS_LANDING"]

    @property
    def lake(self) -> str:
        return self.env["CRIME_JOBS_LAKE"]

    @property
    def environ(self) -> dict[str, str]:
        """The environment for a process that is to use the stack."""
        return {**os.environ, **self.env}

    def client(self, service: str) -> Any:
        """A boto3 client that never retries, so that a test sees each answer."""
        variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
        return client(service, self.env.get(variable, self.endpoint))

    def fresh(self, name: str = "test", bucket: str = "crime-lake") -> str:
        """A URI under which there is nothing yet."""
        return f"s3://{bucket}/{name}-{uuid.uuid4().hex[:12]}"

    def keys(self, uri: str) -> list[str]:
        """The keys under a URI, sorted."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=bucket, Prefix=prefix)
        return sorted(item["Key"] for page in found for item in page.get("Contents", []))

    @contextlib.contextmanager
    def faults(self, **probabilities: float) -> Iterator[None]:
        """Make LocalStack fail, e.g. `KINESIS_ERROR_PROBABILITY=0.3`, and stop that at the end."""
        try:
            for name, value in probabilities.items():
                self._configure(name, value)
            yield
        finally:
            for name in probabilities:
                self._configure(name, 0.0)

    def _configure(self, name: str, value: float) -> None:
        body = json.dumps({"variable": name, "value": value}).encode()
        url = f"{self.endpoint}/_localstack/config"
        with urllib.request.urlopen(url, body, timeout=10) as said:  # noqa: S310 - http it is
            assert json.load(said)["value"] == value


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack: the one that runs already, or one made for this test run and stopped after it.

    Test processes that run side by side have one each: the faults that a test switches on are for itself alone.
    """
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ["CRIME_HARNESS_STATE"] = str(ROOT / "build" / f"tests-{worker}")
        os.environ["CRIME_HARNESS_PORT"] = str(free_port())
    env_file = Places.of(Path(state) if (state := os.environ.get("CRIME_HARNESS_STATE")) else None).env_file
    was_up = harness("status").returncode == 0 and env_file.is_file()
    if not was_up:
        port = DEFAULT_PORT if processes.port_is_free(DEFAULT_PORT) else free_port()
        started = harness("up", CRIME_HARNESS_PORT=os.environ.get("CRIME_HARNESS_PORT", str(port)))
        assert started.returncode == 0, started.stderr
    try:
        yield Stack(read_env_file(env_file))
    finally:
        if not was_up:
            harness("down")
