"""DynamoDB's own export to S3: asked for, waited for, and its manifests read.

It takes none of the table's read capacity and is a snapshot: the table as it was at one moment. It needs
point-in-time recovery, and a bucket. Formats:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html.
"""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, BadInput, JobFailed, WrongUsage
from crime_jobs.migrate._itemfiles import Staged
from crime_jobs.migrate._patience import Patience, passes
from crime_jobs.migrate._place import S3Place
from crime_jobs.model.exports import ITEMS

if TYPE_CHECKING:
    from crime_jobs.migrate._place import Place

#: Seconds between two questions whether an export is done; it takes minutes at least.
POLL_SECONDS = 20.0
#: A day: longer than an export takes, and short enough that somebody hears of one that hangs.
MOST_SECONDS = 24 * 3600.0

_NOT_THERE = "It is DynamoDB's own and not to be had everywhere: without it, leave out via=service."


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


class Summary(_Read):
    """What ``manifest-summary.json`` says, as far as it matters here.

    Parameters
    ----------
    export_arn, export_time
        Which export, and as of when the items are.
    manifest_files_s3_key
        Where the list of its files is.
    item_count
        Items of all files.
    output_format
        ``DYNAMODB_JSON`` or ``ION``.
    export_type
        ``FULL_EXPORT``; exports of older days do not say it.
    """

    export_arn: str
    export_time: str
    manifest_files_s3_key: str
    item_count: int
    output_format: str
    export_type: str = "FULL_EXPORT"


class _DataFile(_Read):
    item_count: int
    md5_checksum: str
    etag: str
    data_file_s3_key: str


@dataclass(frozen=True)
class Snapshot:
    """An export that is done.

    Parameters
    ----------
    time
        As of when the items are.
    files
        Its files.
    """

    time: str
    files: tuple[Staged, ...]


def token(table_arn: str, place: Place) -> str:
    """Return the token under which an export is asked for: the same for a run, whoever asks how often."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{table_arn} {place}"))


def begin(client: Any, table_arn: str, place: Place) -> str:
    """Ask for an export.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB.
    table_arn
        The table.
    place
        The run's folder.

    Returns
    -------
    str
        The export's ARN.

    Raises
    ------
    WrongUsage
        If the landing folder is not on S3.
    AwsRefused
        If DynamoDB refuses.
    """
    if not isinstance(place, S3Place):
        raise WrongUsage(
            f"DynamoDB's own export goes to S3 only, and the landing folder is {place}.",
            hint="Name one on S3 with --landing, or leave out via=service.",
        )
    with aws.refusals(f"Asking DynamoDB for an export of {table_arn.rpartition('/')[2]}"):
        try:
            said = client.export_table_to_point_in_time(
                TableArn=table_arn,
                S3Bucket=place.bucket,
                S3Prefix=f"{place.prefix}/{ITEMS}",
                ExportFormat="DYNAMODB_JSON",
                ClientToken=token(table_arn, place),
            )
        except ClientError as error:
            code = aws.code_of(error)
            hints = {
                "PointInTimeRecoveryUnavailableException": "Turn on point-in-time recovery for the table.",
                "UnknownOperationException": _NOT_THERE,
            }
            if code not in hints:
                raise
            message = f"DynamoDB can't export {table_arn.rpartition('/')[2]} ({code})."
            raise AwsRefused(message, hint=hints[code]) from error
    return str(said["ExportDescription"]["ExportArn"])


def wait(
    client: Any,
    arn: str,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Wait until an export is done, throttled or not.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB.
    arn
        The export.
    sleep, clock
        For tests.

    Returns
    -------
    dict
        Its description.

    Raises
    ------
    JobFailed
        If it failed, or is not done after a day.
    AwsRefused
        If DynamoDB refuses to tell.
    """
    patience = Patience(
        f"DynamoDB did not tell of the export {arn}", "Run it again.", sleep=sleep, clock=clock
    )
    began = clock()
    while clock() - began < MOST_SECONDS:
        try:
            with aws.refusals(f"Asking for the export {arn}"):
                found: dict[str, Any] = client.describe_export(ExportArn=arn)["ExportDescription"]
        except AwsRefused as error:
            if not passes(error):
                raise
            patience.wait()
            continue
        patience.progress()
        if found["ExportStatus"] == "COMPLETED":
            return found
        if found["ExportStatus"] == "FAILED":
            why = f"{found.get('FailureCode', '')} {found.get('FailureMessage', '')}".strip()
            raise JobFailed(f"DynamoDB's export {arn} failed: {why}.", hint="Begin a new run.")
        sleep(POLL_SECONDS)
    raise JobFailed(f"DynamoDB's export {arn} is not done after a day.", hint="Look at it in the console.")


def read(place: Place, prefix: str, arn: str, summary_key: str) -> Snapshot:
    """Read the manifests of an export.

    Parameters
    ----------
    place
        The run's folder.
    prefix
        The folder's prefix in its bucket.
    arn
        The export that they must be of.
    summary_key
        Key of ``manifest-summary.json``, as the export's description has it.

    Returns
    -------
    Snapshot

    Raises
    ------
    BadInput
        If they are missing, damaged, of another export or format, or their counts do not add up.
    """
    name = _below(prefix, summary_key)
    try:
        summary = Summary.model_validate_json(_text(place, name))
        name = _below(prefix, summary.manifest_files_s3_key)
        lines = [line for line in _text(place, name).splitlines() if line.strip()]
        files = [_DataFile.model_validate_json(line) for line in lines]
        # Base64 is how AWS writes it, hexadecimal is how everybody else does.
        digests = [base64.b64decode(file.md5_checksum, validate=True).hex() for file in files]
    except (ValidationError, binascii.Error) as error:
        kind = type(error).__name__
        raise _unusable(place, name, f"it is not a manifest of an export ({kind})") from error
    if summary.export_arn != arn:
        raise _unusable(place, name, f"it is of the export {summary.export_arn}, not {arn}")
    if (summary.output_format, summary.export_type) != ("DYNAMODB_JSON", "FULL_EXPORT"):
        raise _unusable(place, name, f"it is {summary.export_type} as {summary.output_format}")
    if (found := sum(file.item_count for file in files)) != summary.item_count:
        raise _unusable(place, name, f"its files have {found} items, the summary {summary.item_count}")
    sizes = place.sizes()
    staged = []
    for file, md5 in zip(files, digests, strict=True):
        path = _below(prefix, file.data_file_s3_key)
        if path not in sizes:
            raise _unusable(place, path, "it is not there")
        staged.append(Staged(path, file.item_count, sizes[path], md5=md5))
    return Snapshot(summary.export_time, tuple(sorted(staged, key=lambda one: one.path)))


def _below(prefix: str, key: str) -> str:
    """Return a key as a path below the run's folder; AWS's examples leave out the prefix of the request."""
    start = f"{prefix}/"
    return key.removeprefix(start) if key.startswith(start) else f"{ITEMS}/{key}"


def _text(place: Place, name: str) -> str:
    found = place.read_text(name)
    if found is None:
        raise _unusable(place, name, "it is not there")
    return found


def _unusable(place: Place, name: str, why: str) -> BadInput:
    return BadInput(f"{place}/{name} can't be used: {why}.", hint="Begin a new run.")
