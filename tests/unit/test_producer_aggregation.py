"""The aggregation format, held against AWS's own library both ways."""

from __future__ import annotations

import base64
import hashlib

import pytest
from aws_kinesis_agg import aggregator, deaggregator
from hypothesis import example, given
from hypothesis import strategies as st

from crime_jobs.model.aggregation import (
    MAGIC,
    TRAILER,
    Aggregate,
    UserRecord,
    deaggregate,
    hash_key,
    misindexed,
    varint,
)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
RECORDS = st.lists(st.tuples(KEYS, st.binary(max_size=300)), min_size=1, max_size=40)


def aggregated(records: list[tuple[str, bytes]]) -> Aggregate:
    made = Aggregate()
    for key, data in records:
        made.add(key, data)
    return made


def theirs(key: str, data: bytes) -> list[tuple[str, str | None, bytes]]:
    """As AWS's library reads it, in the shape that Lambda is handed."""
    record = {"partitionKey": key, "data": base64.b64encode(data), "sequenceNumber": "1"}
    whole = {**record, "kinesisSchemaVersion": "1.0", "approximateArrivalTimestamp": 1.0}
    found = [one["kinesis"] for one in deaggregator.deaggregate_records([{"kinesis": whole}])]
    return [(one["partitionKey"], one.get("explicitHashKey"), base64.b64decode(one["data"])) for one in found]


@given(RECORDS)
def test_both_ways(records: list[tuple[str, bytes]]) -> None:
    made = aggregated(records)
    key, data = made.entry()
    assert deaggregate(data, key) == [
        UserRecord(name, body, None, place) for place, (name, body) in enumerate(records)
    ]
    assert made.keys == list(dict.fromkeys(name for name, _ in records))
    if len(records) > 1:
        assert made.size == len(data) + len(key.encode())
    assert hash_key(key) == hash_key(records[0][0])


@given(RECORDS)
def test_aws_reads_what_is_written_here(records: list[tuple[str, bytes]]) -> None:
    key, data = aggregated(records).entry()
    assert theirs(key, data) == [(name, None, body) for name, body in records]


@given(RECORDS, st.booleans())
def test_what_aws_writes_is_read_here(records: list[tuple[str, bytes]], explicit: bool) -> None:
    made = aggregator.RecordAggregator()
    hashed = [str(hash_key(key)) if explicit else None for key, _ in records]
    for (key, data), at in zip(records, hashed, strict=True):
        assert made.add_user_record(key, data, at) is None
    key, _, data = made.clear_and_get().get_contents()
    assert [(one.partition_key, one.data, one.sub_sequence_number) for one in deaggregate(data, key)] == [
        (name, body, place) for place, (name, body) in enumerate(records)
    ]
    if explicit:
        assert [one.explicit_hash_key for one in deaggregate(data, key)] == hashed


@given(st.binary(max_size=200), KEYS)
def test_a_single_record_is_always_read_as_itself(data: bytes, key: str) -> None:
    for body in (data, MAGIC + data, aggregated([(key, data), (key, data)]).entry()[1]):
        name, sent = aggregated([(key, body)]).entry()
        assert [(one.partition_key, one.data) for one in deaggregate(sent, name)] == [(key, body)]
        assert theirs(name, sent) == [(key, None, body)]
        assert (sent == body) == (not body.startswith(MAGIC))


@given(RECORDS, st.data())
def test_what_is_no_whole_aggregate_is_one_record(
    records: list[tuple[str, bytes]], draw: st.DataObject
) -> None:
    _, data = aggregated([*records, *records]).entry()
    place = draw.draw(st.integers(0, len(data) - 1))
    for broken in (data[:place], data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]):
        assert deaggregate(broken, "key") == [UserRecord("key", broken)]


@given(st.binary(max_size=60))
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")  # a length that takes eleven bytes
@example(b"\x1a\x04\x08\x05\x1a\x00")  # a key that is not in the table
@example(b"\x0a\x01\xff")  # a key that is no text
@example(b"\x1b\x00")  # a group, which ended with protobuf 1
def test_no_message_upsets_it(message: bytes) -> None:
    data = MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()
    assert all(isinstance(one, UserRecord) for one in deaggregate(data, "key"))


def message_of(keys: list[bytes], hashes: list[bytes], *records: bytes) -> bytes:
    """An aggregate whose digest is right, whatever its records say of its keys."""
    fields = [(b"\x0a", keys), (b"\x12", hashes), (b"\x1a", [*records])]
    message = b"".join(tag + varint(len(one)) + one for tag, some in fields for one in some)
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


@pytest.mark.parametrize(
    ("keys", "hashes", "record"),
    [
        ([b"key"], [], b"\x08\x01\x1a\x02hi"),  # the second of one key
        ([], [], b"\x08\x00\x1a\x02hi"),
        ([b"key"], [], b"\x08\x00\x10\x00\x1a\x02hi"),  # an explicit hash key of none
        ([b"key"], [b"x"], b"\x08\x00\x10\x00\x1a\x02hi"),  # one that is no number
        ([b"\xff"], [], b"\x08\x01\x1a\x02hi"),
    ],
)
def test_an_aggregate_that_names_a_key_that_it_has_not_is_told_from_all_others(
    keys: list[bytes], hashes: list[bytes], record: bytes
) -> None:
    data = message_of(keys, hashes, b"\x08\x00\x1a\x01a", record)
    assert misindexed(data) == [b"a", b"hi"]
    assert deaggregate(data, "key") == [UserRecord("key", data)]


@given(RECORDS, st.data())
def test_what_the_kcl_takes_apart_or_takes_as_it_is_is_not_misindexed(
    records: list[tuple[str, bytes]], draw: st.DataObject
) -> None:
    _, data = aggregated([*records, *records]).entry()
    place = draw.draw(st.integers(0, len(data) - 1))
    sound = message_of([b"key"], [b"-12"], b"\x08\x00\x10\x00\x1a\x02hi")
    for one in (data, data[:place], data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :], sound):
        assert misindexed(one) is None


def test_fields_that_came_later_are_passed_over() -> None:
    """Tags are field 4 of a record; and a message may have fields of a fixed width."""
    record = b"\x08\x00\x1a\x02hi\x22\x04\x0a\x02ab"
    message = b"\x0a\x03key\x25abcd\x29abcdefgh" + b"\x1a" + varint(len(record)) + record
    data = MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()
    assert deaggregate(data) == [UserRecord("key", b"hi", None, 0)]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 4095, 4096, 20_000])
def test_lengths_of_every_width(size: int) -> None:
    records = [(f"key-{place}", bytes(size)) for place in range(300)]
    made = aggregated(records)
    key, data = made.entry()
    assert theirs(key, data) == [(name, None, body) for name, body in records]
    assert made.size == len(data) + len(key)
    assert data[-TRAILER:] == hashlib.md5(data[len(MAGIC) : -TRAILER], usedforsecurity=False).digest()


def test_an_explicit_hash_key_says_where_it_belongs() -> None:
    assert UserRecord("key", b"").hash_key == int(hashlib.md5(b"key", usedforsecurity=False).hexdigest(), 16)
    assert UserRecord("key", b"", "17").hash_key == 17
