"""All that DMS here knows, and how operations find it: by ARN and region, by filters, page by page."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crime_engines.control import Control
from crime_engines.dms.life import Machine
from crime_engines.dms.model import Connection, Endpoint, Instance, SubnetGroup, Task
from crime_engines.dms.requests import wrong
from crime_engines.protocol import Call, Refusal

T = TypeVar("T")
Known = TypeVar("Known", SubnetGroup, Instance, Endpoint, Task)

#: Records of an answer: the least and the most that may be asked for, and what comes unasked.
LEAST, MOST, USUAL = 20, 100, 100


@dataclass
class State:
    """What there is, of all regions.

    Parameters
    ----------
    control
        How slow it is to be.
    machine
        What tasks run on.
    """

    control: Control
    machine: Machine
    groups: dict[str, SubnetGroup] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    connections: dict[tuple[str, str], Connection] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def add(store: dict[str, Known], one: Known, what: str) -> None:
    """Add something whose identifier must be its own within its region.

    Parameters
    ----------
    store
        Where to.
    one
        The thing.
    what
        What it is, for the message.

    Raises
    ------
    Refusal
        ``ResourceAlreadyExistsFault``.
    """
    for known in store.values():
        if known.region == one.region and (known.name == one.name or known.arn == one.arn):
            raise Refusal("ResourceAlreadyExistsFault", f"{what} already in use: {one.name}")
    store[one.arn] = one


def get(store: Mapping[str, Known], arn: str, call: Call, what: str) -> Known:
    """Find something by its ARN.

    Parameters
    ----------
    store
        Where.
    arn
        Its ARN.
    call
        The request: what is of another region is not there.
    what
        What it is, for the message.

    Returns
    -------
    Known

    Raises
    ------
    Refusal
        ``ResourceNotFoundFault``.
    """
    found = store.get(arn)
    if found is None or found.region != call.region:
        raise Refusal("ResourceNotFoundFault", f"{what} not found: {arn}")
    return found


def select(
    found: Iterable[T],
    call: Call,
    what: str,
    filters: Mapping[str, Callable[[T], str]],
    *,
    must_exist: bool = True,
) -> list[T]:
    """Apply a request's filters: all must hold, each for one of its values.

    Parameters
    ----------
    found
        All there is.
    call
        The request.
    what
        What it is, for the message.
    filters
        The filters there are, each with what it looks at.
    must_exist
        Whether to refuse where filters leave nothing, as DMS does.

    Returns
    -------
    list

    Raises
    ------
    Refusal
        If there is no such filter, or nothing was found.
    """
    left = list(found)
    for given in call.params.get("Filters", []):
        look = filters.get(given["Name"])
        if look is None:
            raise wrong(f"Filter name {given['Name']} is not valid. Valid are: {', '.join(sorted(filters))}.")
        left = [one for one in left if look(one) in given["Values"]]
    if must_exist and call.params.get("Filters") and not left:
        told = ", ".join(f"{f['Name']} = {' | '.join(f['Values'])}" for f in call.params["Filters"])
        raise Refusal("ResourceNotFoundFault", f"No {what} found matching: {told}")
    return left


def page(
    found: Sequence[T], call: Call, name: str, show: Callable[[T], dict[str, Any]], most: int = MOST
) -> dict[str, Any]:
    """Return one page of an answer.

    Parameters
    ----------
    found
        All that was selected.
    call
        The request.
    name
        Its member for the records.
    show
        Makes a record.
    most
        How many records may be asked for.

    Returns
    -------
    dict

    Raises
    ------
    Refusal
        If the number or the marker is not valid.
    """
    wanted = call.params.get("MaxRecords", USUAL)
    if not LEAST <= wanted <= most:
        raise wrong(f"MaxRecords must be between {LEAST} and {most}, it is {wanted}.")
    start = _start(call.params.get("Marker"))
    stop = start + wanted
    marker = base64.urlsafe_b64encode(str(stop).encode()).decode() if len(found) > stop else None
    return {name: [show(one) for one in found[start:stop]], "Marker": marker}


def _start(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        return int(base64.urlsafe_b64decode(marker))
    except (binascii.Error, ValueError) as error:
        raise wrong("Marker is not valid.") from error
