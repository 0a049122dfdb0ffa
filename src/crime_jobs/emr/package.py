"""Ships the code, its scripts and its environment to S3: once for each content, under keys made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict

from crime_jobs import __version__, aws
from crime_jobs.emr import _archive
from crime_jobs.emr._environment import environment, forget
from crime_jobs.emr._upload import Damaged, Part, check_bucket, digest, upload
from crime_jobs.emr._wheels import PYTHON, Architecture
from crime_jobs.errors import WrongUsage
from crime_jobs.settings import Settings

#: The EMR release that packages are made for (Spark 3.5, Python 3.11, Amazon Linux 2023).
RELEASE = "emr-7.13.0"

#: Digits of a digest that stand in a key. The whole digest is held against the object's own checksum.
_DIGITS = 16


class Manifest(BaseModel):
    """What was shipped, and where it is: all that a step needs to run a job.

    Parameters
    ----------
    entry, code, environment
        URIs of the entry point, the code and the third-party packages.
    hive
        Script name (``40_insight_by_region``) to URI.
    python
        Python that it runs on.
    release
        EMR release that it is made for.
    architecture
        ``x86_64`` or ``arm64``.
    packages
        Third-party packages, name to version.
    version
        Version of crime-jobs.
    uri
        Where the manifest itself is.
    """

    model_config = ConfigDict(frozen=True)

    entry: str
    code: str
    environment: str
    hive: dict[str, str]
    python: str
    release: str
    architecture: Architecture
    packages: dict[str, str]
    version: str
    uri: str


@dataclass(frozen=True)
class Step:
    """Something that goes on: ``done`` bytes of ``total``, which is ``None`` where it can't be known."""

    what: str
    done: int
    total: int | None


Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Shipment:
    """What `ship` did.

    Parameters
    ----------
    manifest
        The manifest.
    rows
        For each file what it is, its bytes, whether it was uploaded now, and its URI: for
        `crime_jobs.output.show`.
    """

    manifest: Manifest
    rows: list[dict[str, Any]]


def _silent(_: Step) -> None:
    pass


def package(
    settings: Settings, architecture: Architecture = "x86_64", progress: Progress = _silent
) -> Manifest:
    """Ship what is not at its place yet.

    Parameters
    ----------
    settings
        ``artifacts`` says where to.
    architecture
        The processor of the cluster or application: ``x86_64`` or ``arm64`` (Graviton).
    progress
        Told what goes on, from several threads.

    Returns
    -------
    Manifest

    Raises
    ------
    WrongUsage
        If nothing says where packages go, or the bucket is in another region.
    AwsRefused
        If the bucket is not there, or may not be written to. Nothing is left half-written.
    CrimeJobsError
        If a package has no wheel for EMR, or pip is missing or fails.
    """
    return ship(settings, architecture, progress).manifest


def ship(
    settings: Settings,
    architecture: Architecture = "x86_64",
    progress: Progress = _silent,
    *,
    dry_run: bool = False,
) -> Shipment:
    """Do what `package` does, and say what was done with each file.

    Parameters
    ----------
    settings, architecture, progress
        As for `package`.
    dry_run
        Make everything, ask AWS nothing and upload nothing.

    Returns
    -------
    Shipment
    """
    bucket, prefix = _artifacts(settings)

    def tell(what: str, done: int, total: int | None) -> None:
        progress(Step(what, done, total))

    s3 = None if dry_run else aws.client("s3", settings)
    if s3:  # before the environment is made, which takes a while
        check_bucket(s3, bucket, settings)
    archive, sha256, packages = environment(architecture, tell)
    parts = [
        *_code_parts(prefix),
        Part(
            "environment",
            _key(prefix, "environment-{}.tar.gz", sha256),
            archive,
            sha256,
            archive.stat().st_size,
        ),
    ]
    uris = {part.name: f"s3://{bucket}/{part.key}" for part in parts}
    described: dict[str, Any] = {
        **{name: uris[name] for name in ("entry", "code", "environment")},
        "hive": {name.removeprefix("hive "): uri for name, uri in uris.items() if name.startswith("hive ")},
        "python": PYTHON,
        "release": RELEASE,
        "architecture": architecture,
        "packages": packages,
        "version": __version__,
    }
    body = json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False).encode()
    last = _part("manifest", prefix, "manifest-{}.json", body)
    written: set[str] = set()
    if s3:
        try:
            written = upload(s3, bucket, parts, tell)
        except Damaged:
            forget(archive)
            raise
        # Last and alone: where a manifest is, all that it names is there too.
        written |= upload(s3, bucket, [last], tell)
    states = {True: "uploaded", False: "to be checked" if dry_run else "already there"}
    rows = [
        {
            "part": part.name,
            "bytes": part.size,
            "state": states[part.key in written],
            "uri": f"s3://{bucket}/{part.key}",
        }
        for part in (*parts, last)
    ]
    return Shipment(Manifest(**described, uri=f"s3://{bucket}/{last.key}"), rows)


def _artifacts(settings: Settings) -> tuple[str, str]:
    if not settings.artifacts:
        raise WrongUsage(
            f"Nothing says where packages of environment {settings.env!r} go.",
            hint="Give --artifacts s3://bucket/prefix, set CRIME_JOBS_ARTIFACTS, or write "
            f'artifacts = "s3://…" into the section [{settings.env}] of crime-jobs.toml.',
        )
    return aws.split_uri(
        settings.artifacts, f"artifacts (from {settings.sources.get('artifacts', 'nowhere')})"
    )


def _key(prefix: str, pattern: str, sha256: str) -> str:
    name = pattern.format(sha256[:_DIGITS])
    return f"{prefix}/{name}" if prefix else name


def _part(name: str, prefix: str, pattern: str, body: bytes) -> Part:
    sha256 = digest(body)
    return Part(name, _key(prefix, pattern, sha256), body, sha256, len(body))


def _code_parts(prefix: str) -> list[Part]:
    """Make the parts that are small: entry point, code and scripts."""
    code = _archive.read_tree(files("crime_jobs"))
    scripts = {name.removeprefix("hive/"): body for name, body in code.items() if name.startswith("hive/")}
    whole = _archive.make_zip({f"crime_jobs/{name}": body for name, body in code.items()})
    return [
        _part("entry", prefix, "entry-{}.py", code["entry.py"]),
        _part("code", prefix, "crime_jobs-{}.zip", whole),
        *(
            _part(f"hive {name.removesuffix('.hql')}", prefix, f"hive/{{}}/{name}", body)
            for name, body in scripts.items()
        ),
    ]
