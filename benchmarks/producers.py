"""The producers that `benchmarks.producer` measures, each run as a script in a process of its own.

It imports nothing of the benchmarks: aiokpl runs it in an environment that has only itself.
``python producers.py WHICH STREAM ENDPOINT RECORDS BYTES`` prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import deque
from typing import Any

PLACE: dict[str, Any] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}
KEYS = [f"IN-UP/Lucknow/Station {place}" for place in range(300)]


def ours(stream: str, endpoint: str, records: int, body: bytes) -> int:
    """Send with the project's own sender, which says what became of each record."""
    import boto3
    from botocore.config import Config

    from fir_producer.sender import Outcome, Sender

    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    confirmed = 0

    def told(outcome: Outcome) -> None:
        nonlocal confirmed
        confirmed += outcome.confirmed

    client = boto3.client("kinesis", endpoint_url=endpoint, config=config, **PLACE)
    sender = Sender(client, stream, on_outcome=told)
    for place in range(records):
        sender.put(KEYS[place % len(KEYS)], body, place)
    sender.flush()
    sender.close()
    return confirmed


def aiokpl(stream: str, endpoint: str, records: int, body: bytes, aggregate: int = 51_200) -> int:
    """Send with aiokpl, without its limit a shard, and wait for each outcome."""
    import asyncio

    from aiokpl import Config, Producer

    config = Config(
        region="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - of the emulator
        rate_limit_bytes_per_sec_per_shard=1e12,
        rate_limit_records_per_sec_per_shard=1e9,
        record_ttl_ms=600_000,
        aggregation_max_size=aggregate,
    )

    async def send() -> int:
        async with Producer(config) as producer:
            pending: list[Any] = []
            for place in range(records):
                key = KEYS[place % len(KEYS)]
                pending.append(await producer.put_record(stream=stream, partition_key=key, data=body))
            await producer.flush()
            return sum([(await outcome.wait()).success for outcome in pending])

    return asyncio.run(send())


def aiokpl_large(stream: str, endpoint: str, records: int, body: bytes) -> int:
    """Send with aiokpl, in aggregates as large as ours."""
    return aiokpl(stream, endpoint, records, body, 1_000_000)


def aggregator(stream: str, endpoint: str, records: int, body: bytes) -> int:
    """Send with AWS's aggregator and boto3, an aggregate after the other."""
    import boto3
    from aws_kinesis_agg.aggregator import RecordAggregator

    client = boto3.client("kinesis", endpoint_url=endpoint, **PLACE)
    made, confirmed = RecordAggregator(1_000_000), 0

    def send(aggregate: Any) -> int:
        if not aggregate:
            return 0
        key, _, data = aggregate.get_contents()
        count = int(aggregate.get_num_user_records())
        entry = {"PartitionKey": key, "Data": data}
        while client.put_records(StreamName=stream, Records=[entry])["Records"][0].get("ErrorCode"):
            time.sleep(0.1)
        return count

    for place in range(records):
        confirmed += send(made.add_user_record(KEYS[place % len(KEYS)], body))
    return confirmed + send(made.clear_and_get())


def plain(stream: str, endpoint: str, records: int, body: bytes) -> int:
    """Send 500 records a request with boto3, and again what failed; order within a key is not kept then."""
    import boto3

    client, confirmed = boto3.client("kinesis", endpoint_url=endpoint, **PLACE), 0
    for first in range(0, records, 500):
        entries = [
            {"PartitionKey": KEYS[place % len(KEYS)], "Data": body}
            for place in range(first, min(first + 500, records))
        ]
        while entries:
            said = client.put_records(StreamName=stream, Records=entries)["Records"]
            left = [entry for entry, one in zip(entries, said, strict=True) if one.get("ErrorCode")]
            confirmed += len(entries) - len(left)
            entries = left
            if left:
                time.sleep(0.1)
    return confirmed


class Shard:
    """A shard with its real limit: it notes when what arrived, answers after 20 ms, and refuses nothing."""

    def __init__(self) -> None:
        self.came: list[tuple[float, int]] = []

    def list_shards(self, **_: Any) -> Any:
        """Answer with one shard."""
        keys = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
        return {"Shards": [{"ShardId": "0", "HashKeyRange": keys, "SequenceNumberRange": {}}]}

    def put_records(self, **request: Any) -> Any:
        """Take them."""
        for entry in request["Records"]:
            self.came.append((time.monotonic(), len(entry["Data"]) + len(entry["PartitionKey"])))
        time.sleep(0.02)
        return {"Records": [{"ShardId": "0", "SequenceNumber": "1"} for _ in request["Records"]]}

    def fullest(self) -> tuple[int, int]:
        """Return the most bytes, and the most records, of any second."""
        window: deque[tuple[float, int]] = deque()
        most_bytes = most_records = held = 0
        for at, size in self.came:
            window.append((at, size))
            held += size
            while window[0][0] <= at - 1:
                held -= window.popleft()[1]
            most_bytes, most_records = max(most_bytes, held), max(most_records, len(window))
        return most_bytes, most_records


def limited(_: str, __: str, records: int, body: bytes) -> int:
    """Send to a shard in this process, within its limit."""
    from fir_producer.limits import Limits
    from fir_producer.sender import Sender, SenderOptions

    shard = Shard()
    sender = Sender(shard, "it", options=SenderOptions(limits=Limits(), max_bytes=4_000_000))
    for place in range(records):
        sender.put(KEYS[place % len(KEYS)], body, place)
    sender.flush()
    # What fits into a second may leave at once: the rate is that of what comes from there to the end.
    began = max(at for at, _ in shard.came if at < shard.came[0][0] + 1)
    rate = sum(size for at, size in shard.came if at > began) / (shard.came[-1][0] - began)
    most_bytes, most_records = shard.fullest()
    sys.stderr.write(json.dumps({"rate": rate, "most_bytes": most_bytes, "most_records": most_records}))
    return sender.close().confirmed


def main() -> int:
    """Run one."""
    which, stream, endpoint, records, size = sys.argv[1:]
    run = {
        "ours": ours,
        "aiokpl": aiokpl,
        "aiokpl-large": aiokpl_large,
        "aggregator": aggregator,
        "plain": plain,
        "limited": limited,
    }[which]
    before, began = time.process_time(), time.monotonic()
    confirmed = run(stream, endpoint, int(records), b"x" * int(size))
    found = {
        "confirmed": confirmed,
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
