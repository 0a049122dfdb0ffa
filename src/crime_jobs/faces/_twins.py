"""Photographs of the same bytes: one that nobody was found in is not looked at again under another name.

A row of the ledger beside those of photographs: its key is the digest, and it says what was counted. There is
one only where no candidate was found: so it tells of nobody, and leads are what they would be without it. As
the other rows it is good for one list, revision, engine, threshold and bar (`looked_as`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from crime_jobs import aws, executors
from crime_jobs.faces.matching import Outcome
from crime_jobs.model.faces import FaceSettings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings


class Twins:
    """What is known of bytes that nobody was found in.

    Parameters
    ----------
    settings
        Region and profile.
    faces
        The ledger's table.
    watch_list
        Name of the watch list.
    matched_as
        Fingerprint of what photographs are matched with.
    """

    def __init__(self, settings: Settings, faces: FaceSettings, watch_list: str, matched_as: str) -> None:
        self._client = executors.client("dynamodb", settings)
        self._table, self._list, self._as = faces.photographs_table, watch_list, matched_as

    def of(self, digest: str) -> Outcome | None:
        """Return what became of a photograph of the same bytes; ``None`` if none is known.

        Parameters
        ----------
        digest
            SHA-256 of the bytes.
        """
        with aws.refusals(f"Reading {self._table}"):
            found = self._client.query(
                TableName=self._table,
                KeyConditionExpression="watch_list = :list AND photograph = :digest",
                FilterExpression="looked_as = :as",
                ExpressionAttributeValues={
                    ":list": {"S": self._list},
                    ":digest": {"S": _key(digest)},
                    ":as": {"S": self._as},
                },
                ConsistentRead=True,
            )["Items"]
        return Outcome(**json.loads(found[0]["outcome"]["S"])) if found else None

    def note(self, digest: str, outcome: Outcome) -> None:
        """Note what became of a photograph, if nobody was found in it.

        Parameters
        ----------
        digest
            SHA-256 of its bytes.
        outcome
            What became of it.
        """
        if outcome.matches or outcome.dropped:
            return
        told = {"faces": outcome.faces, "searched": outcome.searched, "skipped": dict(outcome.skipped)}
        item = {
            "watch_list": self._list,
            "photograph": _key(digest),
            "looked_as": self._as,
            "outcome": json.dumps(told),
        }
        with aws.refusals(f"Writing {self._table}"):
            self._client.put_item(
                TableName=self._table, Item={name: {"S": value} for name, value in item.items()}
            )


def _key(digest: str) -> str:
    return f"sha256:{digest}"
