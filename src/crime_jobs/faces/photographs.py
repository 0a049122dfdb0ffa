"""Photographs in S3 that are matched, and the ledger of what became of each. Their names stay here.

The ledger is a DynamoDB table, key ``watch_list`` and ``photograph`` (`photograph_id`). A row is written once
the photograph's leads are durable, so what is noted as matched is never looked at again, and whatever was
under way when a run was killed is looked at by the next. One that can't be read is noted with its reason, and
tried again by each run; where it is, is sealed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from crime_jobs import aws, executors
from crime_jobs.errors import AwsRefused
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.pictures import MOST_BYTES, Reason, Unreadable
from crime_jobs.faces.places import is_shut
from crime_jobs.model.faces import SEALED_FOR, FaceSettings

if TYPE_CHECKING:
    from crime_jobs.sealing import Sealer
    from crime_jobs.settings import Settings

#: Keys of one BatchGetItem
#: (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
BATCH = 100
#: Attribute by which DynamoDB removes a row (seconds since 1970), and the days after which it does so with a
#: photograph that can't be read: each run that tries it again puts that off.
ENDS, UNREADABLE_DAYS = "ends", 180
#: How often keys that DynamoDB left over are asked for again.
_ATTEMPTS, _PAUSE = 8, 0.1

_GONE = {"NoSuchKey", "404", "NoSuchVersion", "PreconditionFailed", "412"}
_DENIED = {"AccessDenied", "403"}

_serialise, _deserialise = TypeSerializer().serialize, TypeDeserializer().deserialize


@dataclass(frozen=True)
class Found:
    """A photograph as the listing has it; travels to the executors.

    Parameters
    ----------
    photograph
        See `photograph_id`.
    bucket, key, etag
        Where it is, and as what it was listed.
    size
        Bytes.
    """

    photograph: str
    bucket: str = field(repr=False)
    key: str = field(repr=False)
    etag: str = field(repr=False)
    size: int = 0

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"s3://{self.bucket}/{self.key}"


def photograph_id(bucket: str, key: str, etag: str) -> str:
    """Return what a photograph is known by in the ledger: another once the object is another.

    Parameters
    ----------
    bucket, key, etag
        As S3 lists it.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(f"{bucket}\0{key}\0{etag}".encode()).hexdigest()


def listed(settings: Settings, place: str) -> Iterator[Found]:
    """List the objects below a prefix; what consoles make for folders is left out.

    Parameters
    ----------
    settings
        Region and profile.
    place
        ``s3://bucket/prefix``; one that ends with a slash, or is a folder, stands for what is in it.

    Yields
    ------
    Found

    Raises
    ------
    WrongUsage
        If it is no such URI.
    AwsRefused
        If it can't be listed.
    """
    bucket, prefix = aws.split_uri(place, "The folder of photographs", private=True)
    client = executors.client("s3", settings)
    # A folder, not what else begins so: photographs2/ is another.
    start = f"{prefix}/" if prefix else ""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
    with aws.refusals("Listing the photographs"):
        for page in pages:
            for one in page.get("Contents", ()):
                if one["Key"].endswith("/") and not one["Size"]:
                    continue
                known = photograph_id(bucket, one["Key"], one["ETag"])
                yield Found(known, bucket, one["Key"], one["ETag"], int(one["Size"]))


def fetch(settings: Settings, found: Found) -> bytes:
    """Read a photograph as it was listed.

    Parameters
    ----------
    settings
        Region and profile.
    found
        The photograph.

    Returns
    -------
    bytes

    Raises
    ------
    Unreadable
        If it is gone or changed, may not be read, or has too many bytes.
    AwsRefused
        If S3 can't be reached; without the address, in which the name is.
    """
    if found.size > MOST_BYTES:
        raise Unreadable(Reason.LARGE)
    client = executors.client("s3", settings)
    try:
        said = client.get_object(Bucket=found.bucket, Key=found.key, IfMatch=found.etag)
        with said["Body"] as body:
            return bytes(body.read(MOST_BYTES + 1))
    except ClientError as error:
        code = aws.code_of(error)
        if code in _GONE:
            raise Unreadable(Reason.GONE) from None
        if code in _DENIED or is_shut(code):
            raise Unreadable(Reason.DENIED) from None
        raise _unreachable(code) from None
    except BotoCoreError as error:
        raise _unreachable(type(error).__name__) from None


def _unreachable(what: str) -> AwsRefused:
    return AwsRefused(
        f"A photograph could not be read from S3 ({what}).",
        hint="Is S3 up, and the endpoint right? Run it again: it goes on, what is matched is not read again.",
    )


@dataclass(frozen=True)
class Noted:
    """What the ledger says of a photograph that can't be read.

    Parameters
    ----------
    photograph
        `photograph_id`.
    reason
        Why.
    place
        Where it is.
    at
        When it was tried last, UTC.
    """

    photograph: str
    reason: str
    place: str = field(repr=False)
    at: str = ""


class Photographs:
    """The ledger.

    Parameters
    ----------
    settings
        Region and profile.
    faces
        Its table, and the key.
    watch_list
        Name of the watch list.
    """

    def __init__(self, settings: Settings, faces: FaceSettings, watch_list: str) -> None:
        self._client = executors.client("dynamodb", settings)
        self._settings, self._faces = settings, faces
        self._table, self._list = faces.photographs_table, watch_list

    @cached_property
    def _sealer(self) -> Sealer:
        from crime_jobs.sealing import Sealer

        return Sealer(self._settings, self._faces.key, SEALED_FOR)

    def done(self, matched_as: str) -> set[str]:
        """Return the photographs that are matched already.

        Parameters
        ----------
        matched_as
            Fingerprint of what they are matched with.

        Returns
        -------
        set of str
            `photograph_id` of each.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="watch_list = :list",
            FilterExpression="matched_as = :as",
            ProjectionExpression="photograph",
            ExpressionAttributeValues={":list": {"S": self._list}, ":as": {"S": matched_as}},
            ConsistentRead=True,
        )
        with aws.refusals(f"Reading {self._table}"):
            return {item["photograph"]["S"] for page in pages for item in page["Items"]}

    def done_of(self, photographs: Sequence[str], matched_as: str) -> set[str]:
        """Return which of some photographs are matched already.

        Parameters
        ----------
        photographs
            `BATCH` at most.
        matched_as
            As for `done`.

        Raises
        ------
        AwsRefused
            If DynamoDB does not answer for all of them.
        """
        keys = [{"watch_list": {"S": self._list}, "photograph": {"S": one}} for one in photographs]
        found: set[str] = set()
        for attempt in range(_ATTEMPTS):
            if not keys:
                return found
            time.sleep(_PAUSE * (2**attempt - 1))
            asked = {
                "Keys": keys,
                "ConsistentRead": True,
                "ProjectionExpression": "photograph, matched_as",
            }
            with aws.refusals(f"Reading {self._table}"):
                said = self._client.batch_get_item(RequestItems={self._table: asked})
            for item in said["Responses"].get(self._table, ()):
                if item.get("matched_as", {}).get("S") == matched_as:
                    found.add(item["photograph"]["S"])
            keys = said.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        raise AwsRefused(
            f"Reading {self._table}: DynamoDB left keys over {_ATTEMPTS} times.", hint="Run it again."
        )

    def note_done(self, found: Found, matched_as: str, facts: Mapping[str, Any]) -> None:
        """Note that a photograph is matched; after its leads are durable, never before.

        Parameters
        ----------
        found
            The photograph.
        matched_as
            As for `done`.
        facts
            Digest and counts.
        """
        self._put(found, {"matched_as": matched_as, **facts})

    def note_unreadable(self, found: Found, reason: Reason, run: str) -> None:
        """Note that a photograph can't be read, and why.

        Parameters
        ----------
        found
            The photograph.
        reason
            Why.
        run
            The run.
        """
        sealed = self._sealer.seal(found.photograph, found.uri.encode())
        ends = int(time.time()) + UNREADABLE_DAYS * 86400
        self._put(found, {"reason": reason.value, "run": run, "sealed": sealed, ENDS: ends})

    def _put(self, found: Found, facts: Mapping[str, Any]) -> None:
        told = {
            "watch_list": self._list,
            "photograph": found.photograph,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
        }
        item = {name: _serialise(value) for name, value in told.items()}
        with aws.refusals(f"Writing {self._table}"):
            self._client.put_item(TableName=self._table, Item=item)

    def unreadable(self) -> Iterator[Noted]:
        """Read which photographs the last run could not read, with where they are.

        One of an earlier run is gone since, was mended, or is in another folder.

        Yields
        ------
        Noted

        Raises
        ------
        AwsRefused
            If the table or the key may not be used.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="watch_list = :list",
            FilterExpression="attribute_exists(reason)",
            ExpressionAttributeValues={":list": {"S": self._list}},
            ConsistentRead=True,
        )
        with aws.refusals(f"Reading {self._table}"):
            items = [item for page in pages for item in page["Items"]]
        rows = [{name: _deserialise(value) for name, value in item.items()} for item in items]
        last = max(rows, key=lambda row: row["at"], default={}).get("run")
        for told in (row for row in rows if row["run"] == last):
            place = self._sealer.unseal(told["photograph"], told["sealed"]).decode()
            yield Noted(told["photograph"], told["reason"], place, told["at"])


def batches(found: Iterable[Found], size: int) -> Iterator[list[Found]]:
    """Part photographs into lists of a size, the last of what is left.

    Parameters
    ----------
    found
        The photographs.
    size
        How many in each.
    """
    batch: list[Found] = []
    for one in found:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def names_of_unreadable(settings: Settings, faces: FaceSettings, watch_list: str) -> list[dict[str, str]]:
    """Unseal which photographs could not be read; that it was asked for is noted first.

    Parameters
    ----------
    settings, faces, watch_list
        As for `Photographs`.

    Returns
    -------
    list of dict
        Reason, place and when it was tried last.

    Raises
    ------
    AwsRefused
        If the audit, the table or the key may not be used.
    """
    Audit(settings, faces).write("unreadable-named", watch_list=watch_list)
    found = Photographs(settings, faces, watch_list).unreadable()
    return [{"reason": one.reason, "place": one.place, "tried": one.at} for one in found]
