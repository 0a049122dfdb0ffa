"""All kinds of resources, in the order in which those of one phase are removed."""

from __future__ import annotations

from crime_jobs.cloud import kinds_account, kinds_compute, kinds_data, kinds_flow, kinds_network, kinds_stacks
from crime_jobs.cloud.kinds_base import Kind

KINDS: tuple[Kind, ...] = (
    *kinds_stacks.KINDS,
    *kinds_flow.KINDS,
    *kinds_compute.KINDS,
    *kinds_data.KINDS,
    *kinds_network.KINDS,
    *kinds_account.KINDS,
)


def by_service() -> dict[str, list[Kind]]:
    """Return the kinds of each service."""
    found: dict[str, list[Kind]] = {}
    for kind in KINDS:
        found.setdefault(kind.service, []).append(kind)
    return found
