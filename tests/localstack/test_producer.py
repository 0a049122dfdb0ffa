"""The sender before LocalStack's Kinesis, which fails and is resharded; what a KCL keeps of it, by its own code."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from crime_harness.places import Places
from crime_harness.tools import find_java
from crime_jobs.model.aggregation import UserRecord, deaggregate, hash_key
from fir_producer.sender import Outcome, Sender, SenderOptions
from fir_producer.shards import HASH_KEYS, Shard, list_shards
from tests.localstack.conftest import Stack
from tests.unit.test_producer_aggregation import aggregated

KEYS = [f"IN-UP/Lucknow/Station {place}" for place in range(20)]
RECORDS = 1500


@pytest.fixture
def stream(stack: Stack) -> Iterator[str]:
    client, name = stack.client("kinesis"), f"test-{uuid.uuid4().hex[:8]}"
    client.create_stream(StreamName=name, ShardCount=1)
    active(client, name)
    yield name
    client.delete_stream(StreamName=name)


def active(client: Any, stream: str) -> None:
    client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def read(client: Any, stream: str) -> dict[tuple[str, str, int], UserRecord]:
    """As a KCL reads it: an aggregate with a key outside its shard's range counts as nothing."""
    kept: dict[tuple[str, str, int], UserRecord] = {}
    for told in client.list_shards(StreamName=stream)["Shards"]:
        keys = told["HashKeyRange"]
        shard = Shard(told["ShardId"], int(keys["StartingHashKey"]), int(keys["EndingHashKey"]))
        where = {"StreamName": stream, "ShardId": shard.shard_id, "ShardIteratorType": "TRIM_HORIZON"}
        place = client.get_shard_iterator(**where)["ShardIterator"]
        while place:
            said = client.get_records(ShardIterator=place)
            for record in said["Records"]:
                found = deaggregate(record["Data"], record["PartitionKey"])
                if all(shard.takes(one.hash_key) for one in found):
                    number = record["SequenceNumber"]
                    kept |= {(shard.shard_id, number, one.sub_sequence_number): one for one in found}
            place = (
                said.get("NextShardIterator") if said["Records"] or said.get("MillisBehindLatest") else None
            )
    return kept


def test_all_arrives_through_faults_and_a_reshard(stack: Stack, stream: str) -> None:
    client = stack.client("kinesis")
    told: list[Outcome] = []
    options = SenderOptions(record_bytes=8000, linger=0.005, first_pause=0.02, longest_pause=0.1)
    sender = Sender(client, stream, options=options, on_outcome=told.append)

    def put(first: int) -> None:
        for place in range(first, first + RECORDS // 3):
            sender.put(KEYS[place % len(KEYS)], f"{place:06}".encode() + bytes(100), place)

    with stack.faults(KINESIS_ERROR_PROBABILITY=0.5):
        put(0)
        end = time.monotonic() + 30
        while not sender.counts.retried and time.monotonic() < end:
            time.sleep(0.02)
    put(RECORDS // 3)
    (shard,) = list_shards(client, stream).shards
    half = {"ShardToSplit": shard.shard_id, "NewStartingHashKey": str(HASH_KEYS // 2)}
    client.split_shard(StreamName=stream, **half)
    active(client, stream)
    put(RECORDS // 3 * 2)
    assert sender.flush(60)
    counts = sender.close()
    assert (counts.confirmed, counts.failed) == (RECORDS, 0)
    assert counts.retried > 0
    kept = read(client, stream)
    assert sorted(one.token for one in told) == list(range(RECORDS))  # type: ignore[type-var]
    for one in told:
        found = kept[one.shard_id, one.sequence_number, one.sub_sequence_number]
        assert (found.partition_key, int(found.data[:6])) == (one.partition_key, one.token)
    by_key: dict[str, dict[bytes, None]] = {}
    for found in kept.values():  # parents before children
        by_key.setdefault(found.partition_key, {})[found.data] = None
    assert all(list(datas) == sorted(datas) for datas in by_key.values())
    assert len({one.shard_id for one in told}) == 3


@pytest.fixture(scope="module")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A JVM with the jars of the KCL."""
    from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

    spec = find_spec("amazon_kclpy")
    assert spec
    assert spec.origin
    jars = Path(spec.origin).parent / "jars"
    java = str(find_java(Places.of(), tmp_path_factory.mktemp("java") / "java.log").command)
    port, secret = launch_gateway(classpath=f"{jars}/*", die_on_exit=True, java_path=java, enable_auth=True)
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=secret))
    yield gateway.jvm
    gateway.shutdown()


def kcl_keeps(jvm: Any, key: str, data: bytes, first: int, last: int) -> list[tuple[str, int]]:
    """Partition keys and sub-sequence numbers that the KCL makes of a record.

    By method handles: py4j looks at all methods of a class, and one of these needs a jar that kclpy leaves out.
    """
    kcl, loader = "software.amazon.kinesis.retrieval.KinesisClientRecord", jvm.java.lang.Class
    mine, theirs = loader.forName(kcl), jvm.software.amazon.awssdk.services.kinesis.model.Record
    handles, types = jvm.java.lang.invoke.MethodHandles.publicLookup(), jvm.java.lang.invoke.MethodType
    body = jvm.software.amazon.awssdk.core.SdkBytes.fromByteArray(data)
    record = theirs.builder().partitionKey(key).sequenceNumber("7").data(body).build()
    made = handles.findStatic(mine, "fromRecord", types.methodType(mine, record.getClass()))

    def call(handle: Any, argument: Any) -> Any:
        arguments = jvm.java.util.ArrayList()
        arguments.add(argument)
        return handle.invokeWithArguments(arguments)

    records = jvm.java.util.ArrayList()
    records.add(call(made, record))
    kept = jvm.software.amazon.kinesis.retrieval.AggregatorUtil().deaggregate(records, str(first), str(last))
    name = handles.findVirtual(mine, "partitionKey", types.methodType(loader.forName("java.lang.String")))
    place = handles.findVirtual(mine, "subSequenceNumber", types.methodType(jvm.java.lang.Long.TYPE))
    return [(call(name, kept.get(at)), call(place, kept.get(at))) for at in range(kept.size())]


def test_the_kcl_reads_it(jvm: Any) -> None:
    """Its own class: it keeps an aggregate within the range, and drops one whole of which a key lies outside."""
    key, data = aggregated([(name, name.encode()) for name in KEYS]).entry()
    all_of_them = [(name, place) for place, name in enumerate(KEYS)]
    hashes = sorted(map(hash_key, KEYS))
    assert kcl_keeps(jvm, key, data, 0, HASH_KEYS - 1) == all_of_them
    assert kcl_keeps(jvm, key, data, hashes[0], hashes[-1]) == all_of_them
    assert kcl_keeps(jvm, key, data, 0, hashes[-2]) == []
