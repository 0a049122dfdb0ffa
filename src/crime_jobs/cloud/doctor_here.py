"""What the doctor looks at around the environment: who asks, where, with what versions, at what time."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crime_jobs import __version__, aws, region, spark
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.errors import WrongUsage

#: AWS refuses what is signed more than five minutes off, S3 fifteen
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html).
SKEW_REFUSED, SKEW_ODD = 300, 30

#: Days before its end that a certificate is complained of: ACM renews its own 60 days before
#: (https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html).
CERTIFICATE_DAYS = 30

#: Spark of EMR 7.13 (https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-7130-release.html).
SPARK = "3.5."

_PYTHON = (3, 11)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def credentials(where: Where) -> Iterator[Probe]:
    """Who asks, for how long, and whether in the right account."""
    yield Probe("", partial(_credentials, where))


def _credentials(where: Where, said: Said) -> None:
    who = where.client("sts").get_caller_identity()
    said.ok(f"{who['Arn']} of account {who['Account']}")
    wanted = where.settings.account
    if wanted and who["Account"] != wanted:
        said.fail(
            f"the environment is of account {wanted}",
            "Log in to that account, or choose another profile with --profile.",
        )
    if str(who["Arn"]).endswith(":root"):
        said.warn("is the root user, who may do everything", "Work with a role: see docs/deploy.md.")
    found = aws.session(where.settings).get_credentials()
    expiry = getattr(found, "_expiry_time", None)  # of those that boto3 renews itself
    if isinstance(expiry, datetime):
        said.ok(f"good until {expiry.astimezone(UTC):%Y-%m-%d %H:%M} UTC, then renewed")
    elif getattr(found, "token", None):
        said.ok("a session of limited time; when it ends, nothing here says")


def clock(where: Where) -> Iterator[Probe]:
    """How far this machine's clock is off AWS's."""
    yield Probe("", partial(_clock, where))


def _clock(where: Where, said: Said) -> None:
    began = datetime.now(UTC)
    answer = where.client("sts").get_caller_identity()
    ended = datetime.now(UTC)
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not told:
        said.unknown("the answer has no Date")
        return
    theirs = parsedate_to_datetime(told)  # whole seconds, of a moment between the two
    off = max((theirs - ended).total_seconds(), (began - theirs).total_seconds() - 1, 0.0)
    ahead = "behind" if theirs > ended else "ahead"
    if off > SKEW_REFUSED:
        said.fail(
            f"{off:.0f} s {ahead} of AWS, which refuses calls so far off", "Set the clock (chrony, NTP)."
        )
    elif off > SKEW_ODD:
        said.warn(f"{off:.0f} s {ahead} of AWS", "Set the clock (chrony, NTP).")
    else:
        said.ok(f"within {max(off, 1):.0f} s of AWS's")


def regions(where: Where) -> Iterator[Probe]:
    """Whether all that is named is in the environment's region."""
    yield Probe("variables and profile", partial(_sources, where))
    for name, url in sorted(endpoints(os.environ).items()):
        yield Probe(f"endpoint {name}", partial(_endpoint, where, name=name, url=url))
    for name, arn in arns(where):
        yield Probe(f"ARN {name}", partial(_arn, where, name=name, arn=arn))


def _sources(where: Where, said: Said) -> None:
    here = aws.region(where.settings)
    said.ok(f"{here}, from the {where.settings.sources.get('region', 'settings')}")
    hint = "It is overruled; take it away, so that other tools do not go there."
    for name, there in where.settings.overruled.items():
        said.warn(f"{name} says {there}", hint)
    import botocore.session

    # A session of its own: ours was told the region.
    profile = botocore.session.Session(profile=where.settings.profile).get_scoped_config().get("region")
    if profile and profile != here:
        said.warn(f"the profile says {profile}", hint)


def endpoints(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that name endpoints, and their URLs without anything secret in them."""
    return {name: _bare(url) for name, url in environ.items() if name.startswith("AWS_ENDPOINT_URL") and url}


def _bare(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # said where it is looked at
        return url.rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _check_address(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise WrongUsage(f"{url} is no address.", hint="It looks like https://host:port.") from None


def _endpoint(where: Where, said: Said, name: str, url: str) -> None:
    _check_address(url)
    region.check_url(url, where.settings, name)
    there = region.of_url(url)
    said.ok(f"{url} is in {there}" if there else f"{url} names no region")


def arns(where: Where) -> Iterator[tuple[str, str]]:
    """Yield each ARN that the settings name, and where in them it stands."""
    told = where.settings.model_dump(exclude={"sources", "environ", "overruled"})
    yield from _arns_in(told, "")


def _arns_in(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value.startswith("arn:"):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _arns_in(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _arns_in(inner, f"{name}[{number}]")


def _arn(where: Where, said: Said, name: str, arn: str) -> None:
    aws.check_arn(arn, where.settings, name)
    found = next(region.arns_in(arn), None)
    account = found["account"] if found else None
    wanted = where.settings.account
    if account and wanted and account != wanted:
        said.fail(f"{arn} is of account {account}, the environment of {wanted}", "Correct the ARN.")
        return
    said.ok(f"{arn}" + ("" if found and found["region"] else ", of a service without regions"))


def versions(_: Where) -> Iterator[Probe]:
    """Yield what runs here, beside what the cluster has."""
    yield Probe("python", _python)
    yield Probe("packages", _packages)
    yield Probe("spark", _spark)
    yield Probe("java", _java)


def _python(said: Said) -> None:
    has = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == _PYTHON:
        said.ok(has)
    else:
        said.fail(f"{has}, and steps run on 3.11", "Install Python 3.11, and crime-jobs in it.")


def _packages(said: Said) -> None:
    named = ("boto3", "botocore")
    said.ok(", ".join([f"crime-jobs {__version__}", *(f"{name} {_version(name)}" for name in named)]))


def _spark(said: Said) -> None:
    has = _version("pyspark")
    if not has:
        said.unknown("pyspark is not installed: jobs run on EMR only", "`pip install 'crime-jobs[spark]'`.")
    elif has.startswith(SPARK):
        said.ok(f"pyspark {has}, as EMR 7.13 has it")
    else:
        said.warn(f"pyspark {has}, and EMR 7.13 has 3.5", "Install pyspark 3.5, or jobs may differ there.")


def _java(said: Said) -> None:
    if not _version("pyspark"):
        said.unknown("not needed: pyspark is not installed")
        return
    try:
        home = spark.find_java_home()
    except WrongUsage as error:
        said.fail(error.message, error.hint)
        return
    java = str(Path(home) / "bin" / "java") if home else _java_of_this_machine()
    said.ok(f"Java {spark.java_release(java)}")


def _java_of_this_machine() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def certificates(where: Where) -> Iterator[Probe]:
    """Until when the certificates of endpoints, and those that ACM keeps, are good."""
    for url in sorted(set(endpoints(os.environ).values())):
        yield Probe(url, partial(_tls, url=url))
    if where.settings.region:
        yield Probe("ACM", partial(_acm, where))


def _tls(said: Said, url: str) -> None:
    _check_address(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        if host in _LOOPBACK:
            said.ok("plain HTTP, which does not leave this machine")
        else:
            said.fail(
                "plain HTTP: anybody on the way may read along", "Put TLS before it, and name it by https."
            )
        return
    from botocore.httpsession import where as shipped

    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or shipped()
    try:
        context = ssl.create_default_context(cafile=bundle)
        with (
            socket.create_connection((host, parts.port or 443), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            ends = str((secured.getpeercert() or {})["notAfter"])
    except ssl.SSLCertVerificationError as error:
        said.fail(f"its certificate is not good: {error.verify_message}", "Renew it, or set AWS_CA_BUNDLE.")
        return
    except (OSError, ValueError) as error:  # ValueError: a name that no host can have
        said.fail(f"it can't be reached ({type(error).__name__})", "Is it up, and the address right?")
        return
    _until(said, datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC), "")


def _acm(where: Where, said: Said) -> None:
    found = [
        one
        for page in where.client("acm").get_paginator("list_certificates").paginate()
        for one in page["CertificateSummaryList"]
        if one.get("NotAfter")
    ]
    for one in found:
        _until(said, one["NotAfter"], f"{one.get('DomainName', one['CertificateArn'])}: ")
    if not found:
        said.unknown("there are none")


def _until(said: Said, ends: datetime, before: str) -> None:
    days = (ends - datetime.now(UTC)).days
    text = f"{before}good until {ends:%Y-%m-%d}"
    if days < 0:
        said.fail(f"{before}has ended on {ends:%Y-%m-%d}", "Renew it.")
    elif days < CERTIFICATE_DAYS:
        said.warn(text, "Renew it, or find out why it was not renewed.")
    else:
        said.ok(text)


def folders(where: Where) -> Iterator[Probe]:
    """Landing and lake, where they are folders of this machine."""
    for name in ("landing", "lake"):
        path = getattr(where.settings, name)
        if "://" not in path or path.startswith("file:"):
            yield Probe(name, partial(_folder, name=name, path=path))


def _folder(said: Said, name: str, path: str) -> None:
    folder = Path(path.removeprefix("file://").removeprefix("file:"))
    if folder.is_dir():
        if os.access(folder, os.R_OK | (os.W_OK if name == "lake" else 0)):
            said.ok(str(folder))
        else:
            said.fail(f"{folder} may not be {'written' if name == 'lake' else 'read'}", "Correct its rights.")
    elif name == "lake":
        said.ok(f"{folder} is made by the first run")
    else:
        said.fail(f"{folder} is not there", "Name the folder of the landing files with --landing.")
