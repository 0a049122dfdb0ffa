"""Past records that the KCL can't take apart: aggregates that name a key which they have not.

The KCL takes aggregates apart in Java, a whole answer of Kinesis at once, and raises on such a one: nothing
of the answer reaches us, its lease stays where it was, and it comes to the same place each time. Here is done
what the consumer can't do: what is before such a record is handled as ever, the record itself becomes a dead
letter, and the lease is moved to a record behind it, when that is handled too. It has to be one behind: the
KCL begins with the record of its checkpoint, and takes it apart before it passes over what was handled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.model.aggregation import misindexed
from crime_jobs.model.fir_event import iso
from crime_jobs.model.streams import of as stream_of
from crime_jobs.stream.deadletters import ATTEMPTS, DeadLetters, open_letters
from crime_jobs.stream.handling import Handler, Raw, open_handler, settle
from crime_jobs.stream.leases import KEY, leases_of
from crime_jobs.stream.reading import Stream
from crime_jobs.stream.sink import Position
from crime_jobs.stream.status import state_folder
from crime_jobs.stream.supervisor import only_one

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

REASON = "aggregate: names a key that it does not have; the KCL can't take it apart"

#: Records that are handled at a time.
SLICE = 1000

#: Seconds in which a consumer that lives renews its lease: it does so three times within
#: ``failoverTimeMillis``, which may be 30 s here.
RENEWS = 10.0

Lease = dict[str, Any]


@dataclass
class Block:
    """What is in the way in a shard.

    Parameters
    ----------
    lease
        The shard's lease, as it is.
    records
        The records that the KCL can't take apart: a row by the number of each.
    behind
        Number of the record behind the last of them.
    stranded
        The place of one behind which there is none, so that it has to wait.
    """

    lease: Lease
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    behind: str = ""
    stranded: str = ""

    @property
    def shard(self) -> str:
        """Name of the shard."""
        return str(self.lease[KEY]["S"])

    @property
    def checkpoint(self) -> tuple[int, int]:
        """Up to where the consumer has handled it."""
        sequence = self.lease["checkpoint"]["S"]
        sub = int(self.lease.get("checkpointSubSequenceNumber", {}).get("N", "0"))
        return (int(sequence), sub) if sequence.isdigit() else (-1, 0)


def skip(settings: Settings, state_dir: Path | None = None, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Set aside the records that the KCL can't take apart, and move the leases past them.

    Parameters
    ----------
    settings
        The settings.
    state_dir
        The consumer's folder: nobody may run with it.
    dry_run
        Only look.

    Returns
    -------
    list of dict
        A row a record: ``shard``, ``position``, ``arrived_at``, ``bytes``.

    Raises
    ------
    WrongUsage
        If a consumer reads: it has to be stopped.
    JobFailed
        If there is nothing behind such a record yet, from where the consumer could go on; where there are
        others, it is only said.
    AwsRefused
        If AWS refuses: all that a lease has passed over was handled.
    """
    names = stream_of(settings.stream)
    folder = state_folder(names.application, state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        client, stream = aws.client("dynamodb", settings), Stream(settings, names.name)
        began = time.monotonic()
        looked = [search(stream, lease) for lease in leases_of(client, names)]
        found = [block for block in looked if block.records]
        _tell_stranded([block.stranded for block in looked if block.stranded], only=not found)
        if found and not dry_run:
            time.sleep(max(0.0, began + RENEWS - time.monotonic()))
            now = {lease[KEY]["S"]: lease for lease in leases_of(client, names)}
            if held := [one.shard for one in found if now.get(one.shard) != one.lease]:
                raise _held(held[0])
            handler = open_handler(settings, names, lambda: None, output.note, ATTEMPTS)
            try:
                for block in found:
                    moved = partial(_move, client, names.application, block)
                    pass_over(stream, block, handler, open_letters(settings, names), moved)
            finally:
                handler.close()
    return [row for block in found for row in block.records.values()]


def search(stream: Stream, lease: Lease) -> Block:
    """Look for what is in the way of a lease.

    Parameters
    ----------
    stream
        The stream.
    lease
        The lease of one of its shards.

    Returns
    -------
    Block
        Without records if there is nothing, or nothing behind it.
    """
    block, last = Block(lease), dict[str, dict[str, Any]]()
    for record in _from(stream, block):
        number = record["SequenceNumber"]
        if misindexed(record["Data"]) is not None:
            last[number] = {
                "shard": block.shard,
                "position": str(Position(stream.name, block.shard, number, 0)),
                "arrived_at": iso(record["ApproximateArrivalTimestamp"]),
                "bytes": len(record["Data"]),
            }
        elif last:
            block.records |= last
            block.behind = number
            last.clear()
    block.stranded = next((row["position"] for row in last.values()), "")
    return block


def _tell_stranded(places: Sequence[str], *, only: bool) -> None:
    """Tell of records that have to wait; that is an error where there is nothing else to be done."""
    if not places:
        return
    said = (
        f"The record at {places[0]} can't be taken apart, and there is none behind it in its shard with "
        "which the consumer could go on."
    )
    hint = (
        "Run this again when another FIR has come. If the shard was split or merged, none will: read on with "
        "an application of another name (docs/consumer.md)."
    )
    if only:
        raise JobFailed(said, hint=hint)
    output.note(f"{said} {hint}")


def _from(stream: Stream, block: Block) -> Iterator[dict[str, Any]]:
    """Read a shard from its lease on; without a number in it the shard is done, or not begun."""
    where = block.lease["checkpoint"]["S"]
    if where == "TRIM_HORIZON":
        yield from stream.records(block.shard)
    elif where.isdigit():
        yield from stream.records(block.shard, where)


def pass_over(
    stream: Stream,
    block: Block,
    handler: Handler,
    letters: DeadLetters,
    moved: Callable[[Position], None],
) -> None:
    """Handle everything up to the record behind what is in the way, itself included.

    Parameters
    ----------
    stream
        The stream.
    block
        What is in the way.
    handler, letters
        Take what can be processed, and what can't.
    moved
        Called with a place up to which all is handled, from where the KCL can go on.

    Raises
    ------
    AwsRefused
        If something can't be handled.
    """
    waiting: list[Raw] = []
    for record in _from(stream, block):
        number, data = record["SequenceNumber"], record["Data"]
        if number in block.records:
            with aws.refusals(f"Setting aside the record {number}"):
                place = Position(stream.name, block.shard, number, 0)
                letters.send(place, data, REASON, record["ApproximateArrivalTimestamp"])
            continue
        parts = stream.apart(block.shard, record)
        waiting += (
            Raw(one.data, one.at, one.position)
            for one in parts
            if (int(number), one.position.sub_sequence) > block.checkpoint
        )
        if len(waiting) >= SLICE or number == block.behind:
            with aws.refusals(f"Processing records of {block.shard}"):
                settle(handler, letters, waiting)
            moved(parts[-1].position)
            waiting = []
        if number == block.behind:
            return


def _move(client: Any, table: str, block: Block, to: Position) -> None:
    """Move a lease, unless somebody has touched it; a consumer that lives all the same then loses it."""
    from botocore.exceptions import ClientError

    counter = block.lease["leaseCounter"]["N"]
    with aws.refusals(f"Moving the lease of {block.shard}"):
        try:
            said = client.update_item(
                TableName=table,
                Key={KEY: block.lease[KEY]},
                UpdateExpression="SET checkpoint = :to, checkpointSubSequenceNumber = :sub, "
                "leaseCounter = :next, ownerSwitchesSinceCheckpoint = :zero",
                ConditionExpression="checkpoint = :from AND leaseCounter = :counter",
                ExpressionAttributeValues={
                    ":from": block.lease["checkpoint"],
                    ":counter": {"N": counter},
                    ":to": {"S": to.sequence},
                    ":sub": {"N": str(to.sub_sequence)},
                    ":next": {"N": str(int(counter) + 1)},
                    ":zero": {"N": "0"},
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if aws.code_of(error) != "ConditionalCheckFailedException":
                raise
            raise _held(block.shard) from error
    block.lease = said["Attributes"]


def _held(shard: str) -> WrongUsage:
    return WrongUsage(
        f"A consumer reads {shard}: its lease is renewed.",
        hint="Stop every consumer of this application, on all machines, and run this again.",
    )
