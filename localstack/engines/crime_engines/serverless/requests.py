"""Applications and job runs as they are asked for: what is taken, what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crime_engines.protocol import invalid
from crime_engines.serverless.model import TYPES, Application
from crime_engines.spark_conf import Classified, classify
from crime_engines.storage import is_uri

#: EMR 7 has Spark 3.5, as here.
_RELEASE = re.compile(r"emr-7\.\d+\.\d+")

_REFUSED = {
    "imageConfiguration": "there are no images here",
    "workerTypeSpecifications": "there are no images here",
    "identityCenterConfiguration": "there is no Identity Center here",
}

#: How many runs an application may be asked to have at a time.
CONCURRENT = (1, 1000)


def check_application(request: Mapping[str, Any]) -> None:
    """Refuse an application that AWS, or this engine, can't make.

    Parameters
    ----------
    request
        ``CreateApplication`` or ``UpdateApplication``.

    Raises
    ------
    Refusal
        Saying why.
    """
    for name, reason in _REFUSED.items():
        if request.get(name):
            raise invalid(f"{name} is not supported here: {reason}.")
    if any(request.get("interactiveConfiguration", {}).values()):
        raise invalid("interactiveConfiguration is not supported here.")
    if (kind := request.get("type", "SPARK")).upper() not in TYPES:
        raise invalid(f"Application type {kind} is not supported. Supported types: [SPARK, HIVE]")
    release = request.get("releaseLabel", "emr-7.0.0")
    if not _RELEASE.fullmatch(release):
        raise invalid(f"releaseLabel {release} is not supported here: emr-7.x.y, which has Spark 3.5, is.")
    runs = request.get("schedulerConfiguration", {}).get("maxConcurrentRuns", 1)
    if not CONCURRENT[0] <= runs <= CONCURRENT[1]:
        raise invalid(f"maxConcurrentRuns must be between {CONCURRENT[0]} and {CONCURRENT[1]}, it is {runs}.")
    classify(request.get("runtimeConfiguration", []))
    log_uri(request.get("monitoringConfiguration"))


def check_run(request: Mapping[str, Any]) -> None:
    """Refuse a job run that can't be done here.

    Parameters
    ----------
    request
        ``StartJobRun``.

    Raises
    ------
    Refusal
        Saying why.
    """
    if "jobDriver" not in request:
        raise invalid("jobDriver must be provided.")
    if request.get("mode", "BATCH") != "BATCH":
        raise invalid("mode STREAMING is not supported here.")
    if request.get("retryPolicy", {}).get("maxAttempts", 1) != 1:
        raise invalid("retryPolicy.maxAttempts is not supported here beyond 1.")


def log_uri(monitoring: Mapping[str, Any] | None) -> str | None:
    """Return where logs go.

    Parameters
    ----------
    monitoring
        A ``monitoringConfiguration``.

    Returns
    -------
    str or None

    Raises
    ------
    Refusal
        If they are to go where there is nothing here.
    """
    given = monitoring or {}
    if given.get("cloudWatchLoggingConfiguration", {}).get("enabled"):
        raise invalid("cloudWatchLoggingConfiguration is not supported here: logs go to S3.")
    if given.get("prometheusMonitoringConfiguration"):
        raise invalid("prometheusMonitoringConfiguration is not supported here.")
    uri: str | None = given.get("s3MonitoringConfiguration", {}).get("logUri")
    if uri is not None and not is_uri(uri):
        raise invalid(f"logUri {uri!r} is not a URI of S3.")
    return uri


def configuration(application: Application, request: Mapping[str, Any]) -> tuple[Classified, str | None]:
    """Return a job run's configuration and where its logs go: its own before the application's.

    Parameters
    ----------
    application
        The application.
    request
        ``StartJobRun``.

    Returns
    -------
    classified, log URI
    """
    overrides = request.get("configurationOverrides", {})
    theirs = classify(application.request.get("runtimeConfiguration", []))
    mine = classify(overrides.get("applicationConfiguration", []))
    merged = Classified(
        theirs.spark | mine.spark, theirs.env | mine.env, theirs.hive | mine.hive, theirs.yarn | mine.yarn
    )
    uri = log_uri(overrides.get("monitoringConfiguration"))
    return merged, uri or log_uri(application.request.get("monitoringConfiguration"))
