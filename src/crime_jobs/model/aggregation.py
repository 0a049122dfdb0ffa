"""Many user records in one Kinesis record, in the format of the Kinesis Producer Library.

The format (https://github.com/awslabs/kinesis-aggregation/blob/master/KPL_AGGREGATION_FORMAT.md): four magic
bytes, a protobuf message ``AggregatedRecord``, and the MD5 of that message. ::

    message AggregatedRecord {
      repeated string partition_key_table     = 1;
      repeated string explicit_hash_key_table = 2;
      repeated Record records                 = 3;
    }
    message Record {
      required uint64 partition_key_index     = 1;
      optional uint64 explicit_hash_key_index = 2;
      required bytes  data                    = 3;
    }

It is written by hand: the message is four fields deep, each record is appended once, in the thread that hands
it in, and nothing is built and thrown away. The protobuf runtime would be a dependency of a producer that is
to fit a Lambda. Tests hold both ways against AWS's own library, and against the decoder of the KCL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
#: What an aggregate has besides its message.
TRAILER = 16
#: More than the fields' tags and lengths of a record, or of a new key, take.
FIELD = 24

_KEY, _HASH, _RECORD = 0x0A, 0x12, 0x1A  # fields 1 to 3, length-delimited
_INDEX, _HASH_INDEX, _DATA = 0x08, 0x10, 0x1A
_LENGTHS, _VARINT, _FIXED = 2, 0, {1: 8, 5: 4}
_LONGEST_VARINT = 63

#: What Java's BigInteger reads.
_NUMBER = re.compile(rb"[+-]?[0-9]+")

#: Index of the partition key, of the explicit hash key, and data.
_Record = tuple[int, int | None, bytes]


def varint(value: int) -> bytes:
    """Encode a number as protobuf does: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = [varint(value) for value in range(4096)]


def _varint(value: int) -> bytes:
    return _SMALL[value] if value < len(_SMALL) else varint(value)


def digest(data: bytes | bytearray) -> bytes:
    """Return the MD5, which the format asks for."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def hash_key(partition_key: str) -> int:
    """Where a partition key lies in the hash range that the shards of a stream share."""
    return int.from_bytes(digest(partition_key.encode()), "big")


class UserRecord(NamedTuple):
    """What was handed in as one record.

    Parameters
    ----------
    partition_key, data
        As handed in.
    explicit_hash_key
        Overrides where the partition key lies, when it is given.
    sub_sequence_number
        Its place in the aggregate, from 0, as the KCL counts.
    """

    partition_key: str
    data: bytes
    explicit_hash_key: str | None = None
    sub_sequence_number: int = 0

    @property
    def hash_key(self) -> int:
        """Where it belongs: a KCL drops an aggregate with a record that lies outside the shard's range."""
        return int(self.explicit_hash_key) if self.explicit_hash_key else hash_key(self.partition_key)


class Aggregate:
    """User records, encoded as they come.

    `size` is what it takes as an entry of ``PutRecords``, its partition key included.
    """

    __slots__ = ("_indices", "_keys", "_last", "_records", "count", "size")

    def __init__(self) -> None:
        self._keys, self._records = bytearray(), bytearray()
        self._indices: dict[str, bytes] = {}
        self._last = 0
        self.count = 0
        self.size = len(MAGIC) + TRAILER

    @property
    def keys(self) -> list[str]:
        """The partition keys in it, each once, in order of their first record."""
        return list(self._indices)

    def add(self, partition_key: str, data: bytes) -> None:
        """Append a record."""
        index = self._indices.get(partition_key)
        if index is None:
            index = self._add_key(partition_key)
        length, records = len(data), self._records
        inner = index + (_SMALL[length] if length < len(_SMALL) else varint(length))
        before = len(records)
        records += b"\x1a" + _varint(len(inner) + length) + inner
        records += data
        self._last = length
        self.count += 1
        self.size += len(records) - before

    def _add_key(self, partition_key: str) -> bytes:
        encoded = partition_key.encode()
        if not self._indices:
            self.size += len(encoded)
        field = bytes((_KEY,)) + _varint(len(encoded)) + encoded
        self._keys += field
        self.size += len(field)
        # Tag and index of the record, and the tag of its data: the same for all records of the key.
        index = bytes((_INDEX,)) + _varint(len(self._indices)) + bytes((_DATA,))
        self._indices[partition_key] = index
        return index

    def entry(self) -> tuple[str, bytes]:
        """Return partition key and data of the Kinesis record.

        The partition key is the first record's own, so that this record at least lies where it belongs,
        whatever became of the shards. A single record needs no aggregate, unless it would be taken for one.
        """
        first = next(iter(self._indices))
        if self.count == 1:
            data = bytes(memoryview(self._records)[len(self._records) - self._last :])
            if not data.startswith(MAGIC):
                return first, data
        message = b"".join((self._keys, self._records))
        return first, b"".join((MAGIC, message, digest(message)))


class _MalformedError(ValueError):
    """Not the message that it should be."""


def deaggregate(data: bytes, partition_key: str = "") -> list[UserRecord]:
    """Take a Kinesis record apart.

    Parameters
    ----------
    data
        Its data.
    partition_key
        Its partition key: of the one user record that it is when it is no aggregate.

    Returns
    -------
    list of UserRecord
        In order. What is no whole aggregate is one user record as it is, as for the KCL.
    """
    plain = [UserRecord(partition_key, data)]
    if (message := _message(data)) is None:
        return plain
    try:
        keys, hashes, records = _tables(message)
        if not _indexed(keys, hashes, records):
            return plain
        return [
            UserRecord(keys[index].decode(), data, None if at is None else hashes[at].decode(), place)
            for place, (index, at, data) in enumerate(records)
        ]
    except (_MalformedError, IndexError, UnicodeDecodeError):
        return plain


def misindexed(data: bytes) -> list[bytes] | None:
    """Return what is in an aggregate that is whole, but names a key that it has not.

    The KCL for Java (``AggregatorUtil`` of 3.1) raises on one, and so never comes past it. A producer made it
    wrongly: what it carries is as it was handed in.

    Parameters
    ----------
    data
        Data of a Kinesis record.

    Returns
    -------
    list of bytes or None
        The user records' data; ``None`` for any other record.
    """
    if (message := _message(data)) is None:
        return None
    try:
        keys, hashes, records = _tables(message)
    except (_MalformedError, IndexError):
        return None
    return None if _indexed(keys, hashes, records) else [content for _, _, content in records]


def _message(data: bytes) -> bytes | None:
    """Return the message of an aggregate; ``None`` if it is none, or not whole."""
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC) + TRAILER:
        return None
    message = data[len(MAGIC) : -TRAILER]
    return message if digest(message) == data[-TRAILER:] else None


def _tables(message: bytes) -> tuple[list[bytes], list[bytes], list[_Record]]:
    """Return partition keys, explicit hash keys and records."""
    keys: list[bytes] = []
    hashes: list[bytes] = []
    records: list[_Record] = []
    for tag, value in _fields(message):
        if isinstance(value, bytes):
            if tag == _KEY:
                keys.append(value)
            elif tag == _HASH:
                hashes.append(value)
            elif tag == _RECORD:
                records.append(_record(value))
    return keys, hashes, records


def _indexed(keys: list[bytes], hashes: list[bytes], records: list[_Record]) -> bool:
    """Tell whether the KCL finds every record's keys, and can read them."""
    return all(
        index < len(keys) and (at is None or (at < len(hashes) and _NUMBER.fullmatch(hashes[at])))
        for index, at, _ in records
    )


def _record(message: bytes) -> _Record:
    found = dict(_fields(message))
    index, at, data = found.get(_INDEX), found.get(_HASH_INDEX), found.get(_DATA)
    if not isinstance(index, int) or not isinstance(data, bytes) or isinstance(at, bytes):
        raise _MalformedError
    return index, at, data


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield tag and value of each field; those of a fixed width, which the format lacks, as bytes."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _read(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _read(message, at)
            yield tag, value
            continue
        if kind == _LENGTHS:
            length, at = _read(message, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise _MalformedError
        if at + length > end:
            raise _MalformedError
        yield tag, message[at : at + length]
        at += length


def _read(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > _LONGEST_VARINT:
            raise _MalformedError
