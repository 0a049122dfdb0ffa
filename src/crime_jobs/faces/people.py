"""Watch lists and the people on them, in their table.

A person's row says in the clear what finding and ending need: a pseudonym, a state, a day, the engine's ids.
Who it is, on what ground, and where the photographs are is sealed (`crime_jobs.sealing`).

Each write of a person is held against the row as it was read, by its number of writes: the second is refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import WrongUsage
from crime_jobs.faces._rows import (
    LIST,
    OVER,
    Face,
    Person,
    Secrets,
    State,
    item_of,
    key_of,
    list_of,
    now_text,
    person_of,
    subject,
    written,
)
from crime_jobs.faces._tables import FAILED, cancelled, patiently, reading
from crime_jobs.model.faces import SEALED_FOR, FaceSettings, WatchList, is_over, person_id

if TYPE_CHECKING:
    from crime_jobs.sealing import Sealer
    from crime_jobs.settings import Settings

__all__ = ["LIST", "OVER", "Face", "People", "Person", "Secrets", "State", "now_text", "written"]


class People:
    """The table of watch lists and people; threads may share it.

    Parameters
    ----------
    settings
        Region and profile.
    faces
        Table and key.
    """

    def __init__(self, settings: Settings, faces: FaceSettings) -> None:
        self._client = aws.client("dynamodb", settings)
        self._settings, self._faces, self.table = settings, faces, faces.people_table
        self._sealer: Sealer | None = None

    def find_list(self, name: str) -> WatchList | None:
        """Return a watch list, ``None`` if there is none of that name."""
        item = self._get(name, LIST)
        return None if item is None else list_of(item)

    def watch_list(self, name: str) -> WatchList:
        """Return a watch list.

        Parameters
        ----------
        name
            Its name.

        Returns
        -------
        WatchList

        Raises
        ------
        WrongUsage
            If there is none of that name.
        AwsRefused
            If the table can't be read.
        """
        found = self.find_list(name)
        if found is None:
            raise WrongUsage(
                f"There is no watch list {name!r} in {self.table}.",
                hint="`crime-jobs faces enrol` makes one. Is it another environment?",
            )
        return found

    def changes(self, name: str) -> set[str]:
        """Return the runs that began to change a list, and after which its revision was not raised yet."""
        item = self._get(name, LIST)
        return set() if item is None else set(item.get("changes", {}).get("SS", ()))

    def is_changing(self, name: str) -> bool:
        """Tell whether a change of a list was begun and its revision not raised yet."""
        return bool(self.changes(name))

    def everyone(self, name: str) -> Iterator[Person]:
        """Read all people of a list, also those who are off it.

        Parameters
        ----------
        name
            The list.

        Yields
        ------
        Person
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="watch_list = :list",
            ExpressionAttributeValues={":list": {"S": name}},
            ConsistentRead=True,
        )
        with aws.refusals(f"Reading {self.table}"):
            for page in pages:
                yield from (person_of(item) for item in page["Items"] if item["person_id"]["S"] != LIST)

    def active(self, name: str, now: datetime | None = None) -> dict[str, Person]:
        """Return the people that leads may be about: on the list, and not past their last day.

        Parameters
        ----------
        name
            The list.
        now
            By default the present.

        Returns
        -------
        dict
            By ``person_id``.
        """
        return {
            person.person_id: person
            for person in self.everyone(name)
            if person.state is State.ACTIVE and not is_over(person.expires, now)
        }

    def person(self, name: str, person: str) -> Person | None:
        """Return a person of a list, ``None`` if he never was on it.

        Parameters
        ----------
        name
            The list.
        person
            His `person_id`.
        """
        item = self._get(name, person)
        return None if item is None else person_of(item)

    def by_key(self, name: str, person_key: str) -> Person | None:
        """Return a person of a list by the department's key."""
        return self.person(name, person_id(name, person_key))

    def secrets(self, person: Person) -> Secrets:
        """Open what is sealed of a person.

        Parameters
        ----------
        person
            The person.

        Returns
        -------
        Secrets

        Raises
        ------
        BadInput
            If it was changed, or belongs to somebody else.
        AwsRefused
            If the key may not be used.
        """
        opened = json.loads(self._seal_with().unseal(subject(person), person.sealed))
        return Secrets(**opened)

    def seal(self, person: Person, secrets: Secrets) -> Person:
        """Return a person with what is sealed of him."""
        content = {
            "person_key": secrets.person_key,
            "source": secrets.source,
            "legal_basis": secrets.legal_basis,
            "places": dict(secrets.places),
        }
        sealed = self._seal_with().seal(subject(person), json.dumps(content).encode())
        return replace(person, sealed=sealed)

    def _seal_with(self) -> Sealer:
        from crime_jobs.sealing import Sealer

        if self._sealer is None:
            self._sealer = Sealer(self._settings, self._faces.key, SEALED_FOR)
        return self._sealer

    def make_list(self, watch_list: WatchList) -> dict[str, Any]:
        """Return the action of a transaction that makes a list, if there is none of that name."""
        item = {
            "watch_list": {"S": watch_list.name},
            "person_id": {"S": LIST},
            "purpose": {"S": watch_list.purpose.value},
            "collection": {"S": watch_list.collection},
            "engine": {"S": watch_list.engine},
            "engine_version": {"S": watch_list.engine_version},
            "revision": {"N": str(watch_list.revision)},
        }
        return {
            "Put": {
                "TableName": self.table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(person_id)",
            }
        }

    def changing(self, name: str, run: str) -> dict[str, Any]:
        """Return the action of a transaction that notes that a run changes a list.

        It goes with each write of a person: whoever sees the change without a higher revision, also sees that
        one is to come. Noted before, it could be gone by then with another run that takes this one for
        killed, ends, and so raises the revision too early.

        Parameters
        ----------
        name
            The list.
        run
            What the run is told from others by: one that ends does not end the change of another.
        """
        return {
            "Update": {
                "TableName": self.table,
                "Key": key_of(name, LIST),
                "UpdateExpression": "ADD changes :run",
                "ConditionExpression": "attribute_exists(person_id)",
                "ExpressionAttributeValues": {":run": {"SS": [run]}},
            }
        }

    def end_change(self, name: str, runs: Collection[str] = ()) -> dict[str, Any]:
        """Return the action of a transaction that raises the revision of a list.

        Parameters
        ----------
        name
            The list.
        runs
            Whose changes are done with it: one's own, and those of runs that were killed and gone on with.
        """
        values: dict[str, Any] = {":one": {"N": "1"}}
        if runs:
            values[":runs"] = {"SS": sorted(runs)}
        return {
            "Update": {
                "TableName": self.table,
                "Key": key_of(name, LIST),
                "UpdateExpression": "SET revision = revision + :one"
                + (" DELETE changes :runs" if runs else ""),
                "ConditionExpression": "attribute_exists(person_id)",
                "ExpressionAttributeValues": values,
            }
        }

    def put(self, person: Person) -> dict[str, Any]:
        """Return the action of a transaction that writes a person, if the row is still as it was read.

        Parameters
        ----------
        person
            What is to be there; its ``writes`` are those of the row that was read, 0 for a new one.
        """
        put: dict[str, Any] = {
            "TableName": self.table,
            "Item": item_of(written(person)),
            "ConditionExpression": "writes = :before" if person.writes else "attribute_not_exists(person_id)",
        }
        if person.writes:
            put["ExpressionAttributeValues"] = {":before": {"N": str(person.writes)}}
        return {"Put": put}

    def save(self, person: Person, *beside: dict[str, Any]) -> Person | None:
        """Write a person, if the row is still as it was read.

        Parameters
        ----------
        person
            As for `put`.
        beside
            Actions that are done with it, or not at all.

        Returns
        -------
        Person
            As it is now; ``None`` if somebody else has written the row, and nothing was written.
        """
        for attempt in patiently():
            with attempt, aws.refusals(f"Writing {self.table}"):
                try:
                    self._client.transact_write_items(TransactItems=[self.put(person), *beside])
                except ClientError as error:
                    if FAILED in cancelled(error):
                        return None
                    raise
        return written(person)

    def _get(self, name: str, person: str) -> dict[str, Any] | None:
        with reading(f"Reading {self.table}"):
            said = self._client.get_item(TableName=self.table, Key=key_of(name, person), ConsistentRead=True)
        item: dict[str, Any] | None = said.get("Item")
        return item
