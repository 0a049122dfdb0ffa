"""What a kind of resource is to inventory and destroy: how it is found, told apart, priced, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from crime_jobs.cloud.prices import UNPRICED, Cost

#: The region that stands beside what has none.
GLOBAL = "global"


class Phase(IntEnum):
    """When a kind is removed: what starts things first, what others hang on last."""

    TRIGGERS = 1
    WORK = 2
    STACKS = 3
    SERVICES = 4
    NETWORK = 5
    ROLES = 6
    KEYS = 7
    LOGS = 8


@dataclass(frozen=True)
class Place:
    """Where a service is asked.

    Parameters
    ----------
    client
        Its boto3 client.
    region
        The region; that of the environment for a service without regions.
    account, partition
        Of the account: ``123456789012``, ``aws``.
    clients
        Makes the client of another service, by its name, in another region where one is given.
    """

    client: Any
    region: str
    account: str
    partition: str
    clients: Callable[..., Any]

    def arn(self, service: str, rest: str) -> str:
        """Return the ARN of a resource of this place."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"


@dataclass(frozen=True)
class Found:
    """A resource that exists.

    Parameters
    ----------
    name
        What people call it.
    id
        What a stack's list of resources calls it (the physical id); what it is removed by.
    arn
        Its ARN, where one is known.
    since
        When it was made, where the service tells.
    tags
        Its tags; ``None`` where the list does not bring them along.
    state
        As the service says it, with what is worth knowing.
    cost
        What it costs a month.
    protected
        Whether the service refuses to remove it before a protection is lifted.
    going
        When or how it is being removed already; empty where it isn't.
    key
        Id or ARN of the KMS key that what it holds is encrypted with.
    part_of
        ARN, id or name of what it belongs to and goes with: the topic of a subscription.
    region
        Where it is not that of the place it was asked in: a bucket's.
    blind
        What of it could not be read, so that nobody knows whether it may go; empty where all was.
    more
        What its kind's other functions need.
    """

    name: str
    id: str
    arn: str = ""
    since: datetime | None = None
    tags: Mapping[str, str] | None = None
    state: str = ""
    cost: Cost = UNPRICED
    protected: bool = False
    going: str = ""
    key: str = ""
    part_of: str = ""
    region: str = ""
    blind: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Parameters
    ----------
    name
        In the user's words: ``bucket``, ``delivery stream``.
    service
        boto3's name of the service.
    find
        Lists all there are in a place.
    phase
        When it is removed.
    remove
        Removes one; ``None``: it goes with something else, or can't be removed.
    tags
        Asks for the tags of one, where the list does not bring them along.
    look
        Asks for more about one that counts as ours: its size, state, cost, protection.
    lift
        Takes the protection off.
    everywhere
        Whether the service has no regions.
    """

    name: str
    service: str
    find: Callable[[Place], Iterator[Found]]
    phase: Phase = Phase.SERVICES
    remove: Callable[[Place, Found], object] | None = None
    tags: Callable[[Place, Found], Mapping[str, str]] | None = None
    look: Callable[[Place, Found], Found] | None = None
    lift: Callable[[Place, Found], object] | None = None
    everywhere: bool = False


def items(client: Any, operation: str, path: str, **request: Any) -> Iterator[Any]:
    """List what an operation lists, over all its pages.

    Parameters
    ----------
    client
        A boto3 client.
    operation
        Its method, for example ``list_tables``.
    path
        The member of the answer that holds the list.
    **request
        The operation's parameters.

    Yields
    ------
    object
        Each member of the list.
    """
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**request):
            yield from page.get(path) or []
        return
    while True:
        page = getattr(client, operation)(**request)
        yield from page.get(path) or []
        name = next((n for n in ("NextToken", "nextToken", "NextMarker", "Marker") if page.get(n)), None)
        if name is None:
            return
        request[{"NextMarker": "Marker"}.get(name, name)] = page[name]


def tag_map(tags: Any) -> dict[str, str]:
    """Return tags as a dictionary, however the service spells them.

    Parameters
    ----------
    tags
        A dictionary, or a list of ``Key``/``Value``, ``key``/``value`` or ``TagKey``/``TagValue``.

    Returns
    -------
    dict
    """
    if isinstance(tags, Mapping):
        return {str(name): str(value) for name, value in tags.items()}
    found = {}
    for tag in tags or []:
        name = tag.get("Key", tag.get("key", tag.get("TagKey")))
        found[str(name)] = str(tag.get("Value", tag.get("value", tag.get("TagValue", ""))))
    return found


def moment(value: Any) -> datetime | None:
    """Return when something was made, whether the service says it as a time or in milliseconds since 1970."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC)
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            return None
        return read if read.tzinfo else read.replace(tzinfo=UTC)
    return None
