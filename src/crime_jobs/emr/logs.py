"""Fetches what a run's driver wrote, from wherever its service keeps that."""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crime_jobs import aws

if TYPE_CHECKING:
    from crime_jobs.emr.runs import Service, Status
    from crime_jobs.settings import Settings

#: How spark-submit names, in a step's own log, the application whose driver runs in YARN.
_APPLICATION = re.compile(r"\bapplication_\d+_\d+\b")
#: YARN runs the driver in the first container of an attempt.
_DRIVER = re.compile(r"/container_\w*_000001/(stdout|stderr)(?:\.gz)?$")
#: Of a log larger than this, only the end is kept: bytes unpacked. A log may be hostile or endless.
LARGEST = 8 * 1024 * 1024
_PAUSE = 5.0
#: Colours, and all of C0 and C1 but tab and line feed (ECMA-48).
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Log:
    """A log file.

    Parameters
    ----------
    name
        ``stdout``, ``stderr`` …, of the driver; with ``step`` before it when it is the step's own.
    uri
        Where it is.
    text
        What it says; the last `LARGEST` bytes.
    """

    name: str
    uri: str
    text: str


def fetch(settings: Settings, service: Service, status: Status) -> list[Log]:
    """Fetch the logs of a run that are there by now.

    Parameters
    ----------
    settings
        Region and profile.
    service
        Runs it.
    status
        The run.

    Returns
    -------
    list of Log
        The driver's before the step's own; empty when EMR has pushed none yet.

    Raises
    ------
    AwsRefused
        If the bucket can't be read.
    """
    folders = service.log_folders(status)
    with aws.refusals(f"Reading the logs of {status.run.id}"):
        s3 = aws.client("s3", settings)
        if "driver" in folders:
            return [
                _read(s3, uri, _name(uri)) for uri in _list(s3, folders["driver"]) if _name(uri) in _ORDER
            ]
        if "step" not in folders:
            return []
        step = [_read(s3, uri, f"step {_name(uri)}") for uri in _list(s3, folders["step"])]
        applications = sorted({name for log in step for name in _APPLICATION.findall(log.text)})
        driver = [
            _read(s3, uri, found[1])
            for application in applications
            for uri in _list(s3, f"{folders['containers']}{application}/")
            if (found := _DRIVER.search(uri))
        ]
    return sorted(driver, key=_rank) + sorted(step, key=_rank)


_ORDER = ("stdout", "stderr", "step stdout", "step stderr", "step controller", "step syslog")


def _rank(log: Log) -> int:
    return _ORDER.index(log.name) if log.name in _ORDER else len(_ORDER)


def driver_is_there(logs: list[Log]) -> bool:
    """Tell whether the driver's own words are among the logs: for a Hive script those are the step's."""
    names = {log.name for log in logs}
    submitted = any(_APPLICATION.search(log.text) for log in logs if log.name == "step stderr")
    return bool({"stdout", "stderr"} & names) or ("step stderr" in names and not submitted)


def await_logs(
    settings: Settings,
    service: Service,
    status: Status,
    patience: float,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Log]:
    """Fetch the logs of a run, waiting for those of the driver: EMR pushes them every five minutes.

    Parameters
    ----------
    settings, service, status
        As for `fetch`.
    patience
        How long to wait for them, in seconds.
    tell
        Told what is being waited for.

    Returns
    -------
    list of Log
        Whatever is there in the end.
    """
    if not service.log_folders(status):
        return []
    deadline = time.monotonic() + patience
    while True:
        logs = fetch(settings, service, status)
        if driver_is_there(logs) or time.monotonic() >= deadline:
            return logs
        left = max(0.0, deadline - time.monotonic())
        tell(f"No logs yet (EMR uploads them every few minutes); looking for another {left:.0f} s")
        time.sleep(min(_PAUSE, left))


def _name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1].removesuffix(".gz")


def _list(s3: Any, folder: str) -> list[str]:
    bucket, prefix = aws.split_uri(folder, "The log folder")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    # S3's console marks a folder by an object that ends in a slash.
    return [f"s3://{bucket}/{key}" for key in keys if not key.endswith("/")]


def _read(s3: Any, uri: str, name: str) -> Log:
    bucket, key = aws.split_uri(uri, "The log")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    stream = gzip.GzipFile(fileobj=body) if key.endswith(".gz") else body
    kept = b""
    try:
        while block := stream.read(1 << 20):
            kept = (kept + block)[-LARGEST:]
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:  # what could be read is better than nothing
        kept += f"\n[{uri} is damaged: {error}]\n".encode()
    return Log(name, uri, printable(kept.decode("utf-8", errors="replace")))


def printable(text: str) -> str:
    """Return a text without what makes a terminal do something: a log may hold anything.

    Parameters
    ----------
    text
        The text; line breaks and tabs stay, colours go, other control characters are shown as Python does.
    """
    plain = _COLOURS.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub(lambda found: f"\\x{ord(found.group()):02x}", plain)
