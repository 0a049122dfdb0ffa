"""What the application consists of: laid out in a folder for a run here, as one zip for the service."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from crime_jobs import aws
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.model.baseline import from_csv
from crime_jobs.model.streams import StreamSettings
from crime_jobs.region import check_url
from crime_jobs.settings import Settings
from crime_jobs.stream.analytics import sql

#: Names in the zip, which the service is told in the group `RUN_OPTIONS`.
MAIN, LIBRARIES = "main.py", "lib/libraries.jar"
RUN_OPTIONS = "kinesis.analytics.flink.run.options"

JARS_VARIABLE = "CRIME_JOBS_FLINK_JARS"

#: The largest zip that the service takes
#: (https://docs.aws.amazon.com/managed-flink/latest/java/limits.html).
LARGEST = 512 * 1024**2

_DATE = (2020, 1, 1, 0, 0, 0)
_SERVICES = "META-INF/services/"


def baseline_text(stream: StreamSettings) -> str:
    """Return the baseline that surges are held against.

    Parameters
    ----------
    stream
        Names its file; the package's own when it names none.

    Returns
    -------
    str
        The CSV file's text.

    Raises
    ------
    BadInput
        If the file can't be read or is not one.
    """
    if stream.baseline:
        try:
            text = Path(stream.baseline).read_text(encoding="utf-8")
        except OSError as error:
            raise BadInput(f"The baseline {stream.baseline} can't be read: {error.strerror}.") from error
    else:
        text = (resources.files("crime_jobs.stream") / "baseline.csv").read_text(encoding="utf-8")
    from_csv(text, stream.baseline or "baseline.csv")
    return text


def content(stream: StreamSettings) -> dict[str, str]:
    """Return the application's files but for the jars.

    Parameters
    ----------
    stream
        Names the baseline.

    Returns
    -------
    dict
        Text by name.
    """
    program = (resources.files("crime_jobs.stream.analytics") / MAIN).read_text(encoding="utf-8")
    return {MAIN: program, **sql.rendered(), "baseline.csv": baseline_text(stream)}


def lay_out(stream: StreamSettings, folder: Path) -> None:
    """Write the application's files into a folder.

    Parameters
    ----------
    stream
        Names the baseline.
    folder
        The folder; emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in content(stream).items():
        (folder / name).write_text(text, encoding="utf-8")


def property_groups(
    settings: Settings, stream: StreamSettings, more: Mapping[str, Mapping[str, str]] | None = None
) -> list[dict[str, object]]:
    """Return the properties of the application, as the service gives them to it.

    Parameters
    ----------
    settings
        The region, and by the variables of every AWS tool an endpoint.
    stream
        Names of the two streams.
    more
        Further groups.

    Returns
    -------
    list of dict
    """
    place = {"aws.region": aws.region(settings)}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_KINESIS") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        check_url(endpoint, settings, "The endpoint of Kinesis")
        place["aws.endpoint"] = endpoint
    groups: dict[str, Mapping[str, str]] = {
        "source": {"stream": stream.name, **place},
        "sink": {"stream": stream.counts, **place},
        **(more or {}),
    }
    return [{"PropertyGroupId": name, "PropertyMap": dict(group)} for name, group in groups.items()]


def find_jars(given: Path | None = None) -> list[Path]:
    """Find the connector and what it needs.

    Parameters
    ----------
    given
        Their folder, if the user names one; else the variable does.

    Returns
    -------
    list of Path
        The connector first: it is the largest.

    Raises
    ------
    WrongUsage
        If they are not there.
    """
    named = given or (Path(found) if (found := os.environ.get(JARS_VARIABLE)) else None)
    jars = sorted(named.glob("*.jar"), key=lambda jar: -jar.stat().st_size) if named else []
    if not jars or not jars[0].name.startswith("flink-connector-kinesis"):
        where = f"not in {named}" if named else "nowhere: neither --jars nor " + JARS_VARIABLE + " is given"
        raise WrongUsage(
            f"Flink's connector for Kinesis is {where}.",
            hint="`make flink` fetches it with all that the analytics need, and says where it is.",
        )
    return jars


def one_jar(jars: Sequence[Path], target: Path) -> None:
    """Put jars together into one: the service takes no more.

    Parameters
    ----------
    jars
        The first is copied as it is, the rest are added to it.
    target
        Where to.

    Raises
    ------
    BadInput
        If two of them register services of the same kind: one would be lost.
    """
    shutil.copyfile(jars[0], target)
    with zipfile.ZipFile(target, "a") as whole:
        names = set(whole.namelist())
        for jar in jars[1:]:
            with zipfile.ZipFile(jar) as part:
                for info in part.infolist():
                    if info.is_dir():
                        continue
                    if info.filename in names:
                        if info.filename.startswith(_SERVICES):
                            raise BadInput(f"{jar.name} has {info.filename}, and so has another jar.")
                        continue
                    names.add(info.filename)
                    whole.writestr(zipfile.ZipInfo(info.filename, _DATE), part.read(info))


def make_zip(stream: StreamSettings, jars: Sequence[Path], work: Path) -> bytes:
    """Make the zip for the service.

    Parameters
    ----------
    stream
        Names the baseline.
    jars
        As `find_jars` gives them.
    work
        Folder for what lies between.

    Returns
    -------
    bytes
        The same for the same content.
    """
    library = work / "libraries.jar"
    one_jar(jars, library)
    files = {name: text.encode() for name, text in content(stream).items()}
    files[LIBRARIES] = library.read_bytes()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, files[name])
    if whole.tell() > LARGEST:
        raise BadInput(f"The application has {whole.tell():,} bytes; the service takes {LARGEST:,}.")
    return whole.getvalue()


def upload(settings: Settings, body: bytes) -> str:
    """Upload the zip, once for each content.

    Parameters
    ----------
    settings
        Where artifacts go.
    body
        The zip.

    Returns
    -------
    str
        Its URI; the key holds the digest.

    Raises
    ------
    WrongUsage
        If nothing says where to.
    AwsRefused
        If AWS refuses.
    """
    from botocore.exceptions import ClientError

    if not settings.artifacts:
        raise WrongUsage(
            f"Nothing says where packages of environment {settings.env!r} go.",
            hint="Give --artifacts s3://bucket/prefix, or set CRIME_JOBS_ARTIFACTS.",
        )
    bucket, prefix = aws.split_uri(settings.artifacts, "artifacts")
    name = f"fir-analytics-{hashlib.sha256(body).hexdigest()[:16]}.zip"
    key = f"{prefix}/{name}" if prefix else name
    s3 = aws.client("s3", settings)
    with aws.refusals(f"Uploading the analytics to s3://{bucket}/{key}"):
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if aws.code_of(error) not in {"404", "NoSuchKey", "NotFound"}:
                raise
            s3.upload_fileobj(io.BytesIO(body), bucket, key)
    return f"s3://{bucket}/{key}"


def write_properties(groups: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write the properties as the service does.

    Parameters
    ----------
    groups
        As `property_groups` gives them.
    path
        Where to.
    """
    path.write_text(json.dumps(groups, indent=1) + "\n", encoding="utf-8")
