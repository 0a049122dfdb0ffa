"""Where FIRs end up: a DynamoDB table by FIR, and their sealed identities in one apart, each written once.

A FIR, its identity and the link from the Zero FIR it was before are written in one transaction: readers see
all of them or none, and one call carries many FIRs. A key that is there already is held against its content:
the same FIR once more is harmless; another one under its key is a conflict, which nobody here can decide. As
each key is written once, the order in which keys are written says nothing; of two FIRs of one key in a batch,
the first comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.model.fir_event import SQL_COLUMNS, FirEvent, iso
from crime_jobs.model.streams import StreamSettings
from crime_jobs.stream.patience import patiently
from crime_jobs.stream.transactions import INVALID, REFUSED, attempt

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: A transaction has at most 100 actions and 4 MB
#: (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
ACTIONS, BYTES = 100, 3_500_000
#: Of one FIR without its identity; measured: 1,100.
_BYTES_OF_A_FIR = 2_000

THREADS = 4

Item = dict[str, dict[str, Any]]
Action = dict[str, Any]


class Kind(StrEnum):
    """What became of a FIR."""

    NEW = "new"
    REPLAYED = "replayed"  # this very record was written before
    DUPLICATE = "duplicate"  # another record said the same
    CONFLICT = "conflict"  # another FIR has its key
    REFUSED = "refused"  # DynamoDB takes no such item


#: Those that are in the table, whoever wrote them.
STORED = frozenset({Kind.NEW, Kind.REPLAYED, Kind.DUPLICATE})


@dataclass(frozen=True)
class Position:
    """Where in the stream a record was.

    Parameters
    ----------
    stream, shard
        Names.
    sequence, sub_sequence
        Kinesis's number, and that within an aggregated record.
    """

    stream: str
    shard: str
    sequence: str
    sub_sequence: int

    def __str__(self) -> str:
        return f"{self.stream}/{self.shard}/{self.sequence}/{self.sub_sequence}"


@dataclass(frozen=True)
class Arrived:
    """A FIR event as it came.

    Parameters
    ----------
    event
        The FIR.
    at
        When Kinesis took it.
    position
        Where it was.
    """

    event: FirEvent
    at: datetime
    position: Position


@dataclass(frozen=True)
class Written:
    """What became of a FIR that was to be written.

    Parameters
    ----------
    arrived
        The FIR.
    kind
        What became of it.
    """

    arrived: Arrived
    kind: Kind


class Sink:
    """The tables.

    Parameters
    ----------
    client
        DynamoDB, made with few attempts: the patience is here.
    stream
        Names of the tables.
    threads
        Transactions under way at a time.
    waiting
        Called when a write has to be tried again.
    attempts
        How often it is tried at most; without end when not given.
    """

    def __init__(
        self,
        client: Any,
        stream: StreamSettings,
        *,
        threads: int = THREADS,
        waiting: Callable[[], None] = lambda: None,
        attempts: int | None = None,
    ) -> None:
        self._client = client
        self._stream = stream
        self._waiting, self._attempts = waiting, attempts
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sink")

    def write(self, arrived: Sequence[Arrived]) -> list[Written]:
        """Write FIRs durably, however long it takes, or as often as attempts allow.

        Parameters
        ----------
        arrived
            The FIRs, in the order of the stream.

        Returns
        -------
        list of Written
            In the same order.

        Raises
        ------
        botocore.exceptions.ClientError
            If DynamoDB refuses in a way that does not pass (no table, no permission), or too often.
        """
        kinds: dict[Position, Kind] = {}
        for layer in _layers(arrived):
            for outcome in self._pool.map(self._transaction, _chunks(layer)):
                kinds.update(outcome)
        return [Written(one, kinds[one.position]) for one in arrived]

    def _transaction(self, chunk: Sequence[Arrived]) -> dict[Position, Kind]:
        """Write a chunk; of those that stand in the way, find out what they are, and write the rest."""
        kinds: dict[Position, Kind] = {}
        left = {one.position: actions(one, self._stream) for one in chunk}
        whole = {one.position: one for one in chunk}
        while left:
            wanted = [action for of_it in left.values() for action in of_it]
            reasons = patiently(
                lambda: attempt(self._client, wanted),  # noqa: B023 - called at once
                attempts=self._attempts,
                waiting=self._waiting,
            )
            if not reasons:
                return kinds | dict.fromkeys(left, Kind.NEW)
            at = 0
            for position, of_it in list(left.items()):
                said = reasons[at : at + len(of_it)]
                at += len(of_it)
                kind = _kind(whole[position], said)
                if kind:
                    kinds[position] = kind
                    del left[position]
                elif of_it[-1] is not of_it[0] and _stands_in_the_way(said[-1]):
                    left[position] = of_it[:-1]  # another FIR is linked to that Zero FIR already
        return kinds


def _stands_in_the_way(reason: dict[str, Any]) -> bool:
    return reason.get("Code") == REFUSED


def _kind(arrived: Arrived, reasons: Sequence[dict[str, Any]]) -> Kind | None:
    """Tell what a FIR is that was refused; ``None`` if it was not it that was refused."""
    if any(reason.get("Code") == INVALID for reason in reasons):
        return Kind.REFUSED
    if not _stands_in_the_way(reasons[0]):
        return None
    found: Item = reasons[0]["Item"]
    if found["content_hash"]["S"] != arrived.event.content_hash:
        return Kind.CONFLICT
    place = arrived.position
    there = (found["shard"]["S"], found["sequence"]["S"], found["sub_sequence"]["N"])
    same = there == (place.shard, place.sequence, str(place.sub_sequence))
    return Kind.REPLAYED if same else Kind.DUPLICATE


def actions(arrived: Arrived, stream: StreamSettings) -> list[Action]:
    """Return what is written of a FIR: itself first, its identity, and last the link from its Zero FIR.

    Parameters
    ----------
    arrived
        The FIR.
    stream
        Names of the tables.

    Returns
    -------
    list of dict
        Actions of a transaction.
    """
    event, absent = arrived.event, "attribute_not_exists(fir_key)"
    found = [
        {
            "Put": {
                "TableName": stream.events_table,
                "Item": item(arrived),
                "ConditionExpression": absent,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
    ]
    if event.identity is not None:
        identity = {"fir_key": {"S": event.fir_key}, "content_hash": {"S": event.content_hash}}
        sealed = {"identity": {"S": event.identity}}
        found.append({"Put": {"TableName": stream.identities_table, "Item": identity | sealed}})
    if event.zero_key is not None:
        found.append(
            {
                "Put": {
                    "TableName": stream.events_table,
                    "Item": {
                        "fir_key": {"S": link(event.zero_key)},
                        "becomes_key": {"S": event.fir_key},
                        "written_at": {"S": iso(datetime.now(UTC))},
                    },
                    "ConditionExpression": f"{absent} OR becomes_key = :key",
                    "ExpressionAttributeValues": {":key": {"S": event.fir_key}},
                }
            }
        )
    return found


def link(zero_key: str) -> str:
    """Return the key of the item that says what a Zero FIR became.

    Parameters
    ----------
    zero_key
        Key of the Zero FIR.

    Returns
    -------
    str
    """
    return f"{zero_key}#becomes"


_TYPES = {"int": "N", "double": "N", "boolean": "BOOL"}
_COLUMNS = tuple((column.name, _TYPES.get(column.type, "S")) for column in SQL_COLUMNS)


def item(arrived: Arrived) -> Item:
    """Return the item of a FIR: its columns without the identity, and where and when it came.

    Parameters
    ----------
    arrived
        The FIR.

    Returns
    -------
    dict
        Attributes as DynamoDB has them; null columns are left out.
    """
    values = arrived.event.as_dict()
    found = {
        name: {kind: str(values[name]) if kind == "N" else values[name]}
        for name, kind in _COLUMNS
        if values[name] is not None
    }
    place = arrived.position
    return found | {
        "stream": {"S": place.stream},
        "shard": {"S": place.shard},
        "sequence": {"S": place.sequence},
        "sub_sequence": {"N": str(place.sub_sequence)},
        "arrived_at": {"S": iso(arrived.at)},
        "written_at": {"S": iso(datetime.now(UTC))},
    }


def _layers(arrived: Iterable[Arrived]) -> list[list[Arrived]]:
    """Part FIRs so that in each part a key is written once only, the first of them first."""
    layers: list[list[Arrived]] = []
    seen: dict[str, int] = {}
    for one in arrived:
        event = one.event
        keys = [event.fir_key, *([link(event.zero_key)] if event.zero_key else [])]
        depth = max(seen.get(key, 0) for key in keys)
        for key in keys:
            seen[key] = depth + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append(one)
    return layers


def _chunks(layer: Iterable[Arrived]) -> Iterator[list[Arrived]]:
    """Part FIRs by what one transaction takes."""
    chunk: list[Arrived] = []
    count = size = 0
    for one in layer:
        event = one.event
        more = 1 + (event.identity is not None) + (event.zero_key is not None)
        large = _BYTES_OF_A_FIR + len(event.identity or "")
        if chunk and (count + more > ACTIONS or size + large > BYTES):
            yield chunk
            chunk, count, size = [], 0, 0
        chunk.append(one)
        count, size = count + more, size + large
    if chunk:
        yield chunk


def open_sink(
    settings: Settings, stream: StreamSettings, waiting: Callable[[], None], attempts: int | None = None
) -> Sink:
    """Open the tables.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names of the tables.
    waiting
        Called when a write has to be tried again.
    attempts
        As of `Sink`.

    Returns
    -------
    Sink
    """
    client = aws.client("dynamodb", settings, attempts=2, validated=False)
    return Sink(client, stream, waiting=waiting, attempts=attempts)
