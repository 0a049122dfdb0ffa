"""Who may ask the engine where it is deployed, and what: a file that only its owner can read."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Operations that change nothing, and those that change a collection.
READ = frozenset(
    {
        *("DetectFaces", "CompareFaces", "DescribeCollection", "ListCollections", "ListFaces"),
        *("ListTagsForResource", "SearchFaces", "SearchFacesByImage"),
    }
)
WRITE = frozenset({"CreateCollection", "DeleteCollection", "IndexFaces", "DeleteFaces"})

_GROUPS = {"read": READ, "write": WRITE} | {name: frozenset({name}) for name in READ | WRITE}

_PATTERNS = {
    "name": re.compile(r"[\w.@-]{1,64}"),
    "access_key_id": re.compile(r"\w{16,128}"),  # as IAM has it
    "secret_access_key": re.compile(r"[!-~]{32,128}"),
    "collections": re.compile(r"[A-Za-z0-9_.\-]{0,255}"),
}
_NEEDED = {"name", "access_key_id", "secret_access_key", "operations"}
_KNOWN = _NEEDED | {"collections", "buckets"}


class Unusable(Exception):  # noqa: N818 - reads as what happened
    """A file or an argument with which the engine must not start. Says nothing of what is secret in it."""


@dataclass(frozen=True)
class Client:
    """A program that may ask.

    Parameters
    ----------
    name
        What the audit log calls it.
    access_key_id, secret
        What it signs with.
    operations
        What it may ask for.
    collections
        What the names of its collections begin with; of others it learns nothing.
    buckets
        Buckets of S3 that it may have pictures read from, by the engine's own right; ``None`` for any.
    """

    name: str
    access_key_id: str
    secret: str = field(repr=False)
    operations: frozenset[str]
    collections: str = ""
    buckets: frozenset[str] | None = frozenset()


def read(path: Path) -> dict[str, Client]:
    """Return the clients of a file, by access key id.

    Parameters
    ----------
    path
        TOML, a table ``[[client]]`` each; for its owner only.

    Returns
    -------
    dict

    Raises
    ------
    Unusable
        If others can read it, or it is not what it should be.
    """
    check_private(path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # neither says what stands in the file
        raise Unusable(f"{path} can't be read as TOML: {error}") from error
    tables = found.get("client")
    if found.keys() != {"client"} or not isinstance(tables, list) or not tables:
        raise Unusable(f"{path} has to hold tables [[client]], at least one, and nothing else")
    clients: dict[str, Client] = {}
    for number, table in enumerate(tables, 1):
        client = _client(table, f"{path}, client {number}")
        if client.access_key_id in clients or any(client.name == one.name for one in clients.values()):
            raise Unusable(f"{path}, client {number}: its name or access_key_id is there already")
        clients[client.access_key_id] = client
    return clients


def check_private(path: Path) -> None:
    """Refuse a secret that others can read.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    Unusable
        If it is not there, not ours, or open to others.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from error
    ours, open_to = {os.geteuid()}, stat.S_IRWXG | stat.S_IRWXO
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if given and path.absolute().parent == Path(given):
        # What systemd hands over (LoadCredential=) is root's, with an access list for the service's user
        # alone: stat shows that list's mask where the group's rights stand.
        ours, open_to = ours | {0}, stat.S_IRWXO | stat.S_IWGRP
    if found.st_uid not in ours:
        raise Unusable(f"{path} belongs to another user: it has to be owned by who runs the engine")
    if found.st_mode & open_to:
        raise Unusable(f"{path} can be read by others: chmod 600 it")


def _client(table: Mapping[str, Any], place: str) -> Client:
    if not isinstance(table, dict) or not _NEEDED <= table.keys() <= _KNOWN:
        needed, more = ", ".join(sorted(_NEEDED)), ", ".join(sorted(_KNOWN - _NEEDED))
        raise Unusable(f"{place}: it needs {needed} and may have {more}")
    for name, pattern in _PATTERNS.items():
        value = table.get(name, "")
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise Unusable(f"{place}: {name} has to be a text like {pattern.pattern}")
    operations, buckets = table["operations"], table.get("buckets", [])
    for name, value in (("operations", operations), ("buckets", buckets)):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Unusable(f"{place}: {name} has to be a list of texts")
    if not operations or (unknown := sorted(set(operations) - _GROUPS.keys())):
        known = ", ".join(sorted(_GROUPS))
        raise Unusable(f"{place}: operations has {unknown if operations else 'nothing'}; there are {known}")
    return Client(
        table["name"],
        table["access_key_id"],
        table["secret_access_key"],
        frozenset().union(*(_GROUPS[name] for name in operations)),
        table.get("collections", ""),
        frozenset(buckets),
    )
