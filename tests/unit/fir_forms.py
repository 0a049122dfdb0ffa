"""FIRs for tests of the producer, and a sender that tells outcomes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fir_producer.outcomes import Counts, Latencies, Outcome

CANARY = "CANARY-prod-4c"
REFUSED = 13


def form(number: int, **changes: Any) -> dict[str, Any]:
    """A valid FIR, with identity that must never be told."""
    return {
        "state_code": "IN-UP",
        "district": "Lucknow",
        "police_station": "A",
        "fir_number": number,
        "fir_year": 2026,
        "acts": [{"act": "BNS", "section": "303(2)"}],
        "occurred_from": "2026-11-20T10:00:00+05:30",
        "reported_at": "2026-11-20T12:00:00+05:30",
        "complainant": {"name": CANARY, "address": CANARY},
        "text": CANARY,
    } | changes


class FakeSender:
    """Confirms all but FIRs of number `REFUSED`."""

    def __init__(self, told: Callable[[Outcome], None]) -> None:
        self._told, self.latencies = told, Latencies()
        self.data: list[bytes] = []
        self.counts = Counts()
        self.closed = False
        self.given = 0.0

    def put(self, key: str, data: bytes, token: Any) -> None:
        bad = token.fir_key.endswith(f"/{REFUSED:04d}")
        said = self.counts
        self.counts = Counts(
            accepted=said.accepted + 1, confirmed=said.confirmed + (not bad), failed=said.failed + bad
        )
        self.data += [] if bad else [data]
        self._told(
            Outcome(token, key, not bad, "shard", str(said.accepted), 0, "Throttled" if bad else "", 1)
        )

    def close(self, timeout: float = 30.0) -> Counts:
        self.closed, self.given = True, timeout
        return self.counts
