"""The queue of leads: a DynamoDB table that matches add to and people decide on.

Key ``lead_id``; index ``queue`` (``queue`` = ``<watch list>#<state>``, ``found_at``), index ``person``
(``person_id``). Where photographs stand, and the words of a reason, are sealed. Indexes follow the table with
a delay (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html) and give ids alone here:
what is in a lead is always read from the table, consistently.

A lead stands on an enrolment: it is added, and decided on, only while that is active and has not expired, in
the same transaction. So nothing comes into the queue of somebody who was withdrawn a moment ago.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import BadInput
from crime_jobs.faces import _lead_items as items
from crime_jobs.faces import _lead_requests as requests
from crime_jobs.faces._lead_requests import Lines, State
from crime_jobs.faces._tables import FAILED, Unread, cancelled, patiently
from crime_jobs.faces.audit import Unexpected
from crime_jobs.faces.decisions import code_of, refused
from crime_jobs.model.faces import SEALED_FOR, FaceSettings, Lead

if TYPE_CHECKING:
    from crime_jobs.sealing import Sealer
    from crime_jobs.settings import Settings

#: Keys of one BatchGetItem
#: (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
_BATCH = 100
#: Places that a lead keeps of the same photograph: an item has 400 KB at most.
MOST_PLACES = 100


@dataclass(frozen=True)
class Added:
    """What became of leads that were to be added.

    Parameters
    ----------
    new
        Leads that were not known.
    known
        Leads that were there already: decided ones stay decided; a further place of the same photograph was
        noted.
    over
        Leads that were not added, since the person was withdrawn or the enrolment expired meanwhile.
    """

    new: int
    known: int
    over: int = 0


class Leads:
    """The leads, in their table; threads may share it.

    Parameters
    ----------
    settings
        Region and profile.
    faces
        Tables and key.
    """

    def __init__(self, settings: Settings, faces: FaceSettings) -> None:
        self._client = aws.client("dynamodb", settings)
        self._settings, self._faces = settings, faces
        self._table = faces.leads_table

    @cached_property
    def _sealer(self) -> Sealer:
        from crime_jobs.sealing import Sealer

        return Sealer(self._settings, self._faces.key, SEALED_FOR)

    def add(self, leads: Sequence[Lead]) -> Added:
        """Add leads; when this returns they are durable.

        Parameters
        ----------
        leads
            Pending leads.

        Returns
        -------
        Added

        Raises
        ------
        AwsRefused
            If one could not be written: some may have been, and adding all again is right.
        """
        became = [self._add(lead) for lead in leads]
        return Added(became.count("new"), became.count("known"), became.count("over"))

    def ids(self, watch_list: str, state: State = "pending") -> Iterator[str]:
        """List the ids of a queue, those found first before the others.

        The order says nothing of how alike the faces are: a queue sorted by similarity would tell the
        reviewer what to expect before he has looked.

        Parameters
        ----------
        watch_list
            Name of the watch list.
        state
            Of which leads.

        Yields
        ------
        str
            Ids; the index follows the table with a delay, so one may just have been decided on.
        """
        asked = {
            "IndexName": "queue",
            "KeyConditionExpression": "#queue = :queue",
            "ProjectionExpression": "lead_id",
            "ExpressionAttributeNames": {"#queue": "queue"},
            "ExpressionAttributeValues": {":queue": {"S": items.queue_key(watch_list, state)}},
        }
        for item in self._pages("query", asked):
            yield item["lead_id"]["S"]

    def queue(self, watch_list: str, state: State = "pending") -> Iterator[Lead]:
        """Read the leads of a queue in the order of `ids`.

        Parameters
        ----------
        watch_list, state
            As for `ids`.

        Yields
        ------
        Lead
        """
        waiting: list[str] = []
        for found in self.ids(watch_list, state):
            waiting.append(found)
            if len(waiting) == _BATCH:
                yield from self._read(waiting, state)
                waiting = []
        if waiting:
            yield from self._read(waiting, state)

    def get(self, lead_id: str) -> Lead:
        """Read a lead as it stands now.

        Parameters
        ----------
        lead_id
            Its id.

        Returns
        -------
        Lead

        Raises
        ------
        BadInput
            If there is none: it was withdrawn or removed, or never was.
        """
        item = self._item(lead_id)
        if item is None:
            raise BadInput(
                f"There is no lead {lead_id!r}: its person was withdrawn, it was too old, or it never was.",
                hint="`crime-jobs faces leads` lists those there are.",
            )
        return self._opened(item)

    def decide(self, lead_id: str, confirmed: bool, reason: str, audit: Lines) -> Lead:
        """Decide on a pending lead; the audit line is written in the same transaction.

        Parameters
        ----------
        lead_id
            Its id.
        confirmed
            Whether it is accepted: the faces look like one person's.
        reason
            Why, as `crime_jobs.faces.decisions.reason` puts it together: sealed here; its code alone is in
            the audit line.
        audit
            Who decides, and where the line goes.

        Returns
        -------
        Lead
            As decided.

        Raises
        ------
        WrongUsage
            If it was decided on before: by whom and when.
        BadInput
            If it is gone, or its person was withdrawn or the enrolment has expired.
        AwsRefused
            If it can't be written.
        """
        lead, who = self.get(lead_id), audit.who()
        sealed = items.sealed_reason(lead_id, reason, self._sealer)
        state: State = "confirmed" if confirmed else "rejected"
        now = datetime.now(UTC)
        facts: dict[str, str | float] = {
            "lead": lead_id,
            "watch_list": lead.watch_list,
            "purpose": str(lead.purpose),
            "person": lead.candidate.person_id,
            "why": code_of(reason),
        }
        try:
            audit.transact(
                [
                    requests.enrolled(lead, self._faces.people_table),
                    requests.decided(lead, self._table, state, who=who, at=now, sealed_reason=sealed),
                ],
                state,
                **facts,
            )
        except Unexpected:
            found = self.get(lead_id)
            if (found.state, found.decided_by, found.decided_at) == (state, who, now):
                return found  # the answer to our own first try was lost
            raise refused(found) from None
        return self.get(lead_id)

    def forget(self, watch_list: str, person_id: str) -> int:
        """Delete a person's leads, decided ones too.

        Parameters
        ----------
        watch_list
            Name of the watch list.
        person_id
            Whose.

        Returns
        -------
        int
            How many were deleted. The index follows the table with a delay: call it after the person's state
            was changed, from when on no lead is added; one added in the second before may need a second call.
        """
        asked = {
            "IndexName": "person",
            "KeyConditionExpression": "person_id = :person",
            "ProjectionExpression": "lead_id",
            "ExpressionAttributeValues": {":person": {"S": person_id}},
        }
        gone: set[str] = set()
        while True:  # until the index has nothing that was not deleted already
            found = {item["lead_id"]["S"] for item in self._pages("query", asked)} - gone
            if not found:
                return len(gone)
            for lead_id in sorted(found):
                self._delete(lead_id, "watch_list = :wanted", watch_list)
            gone |= found

    def drop_older(self, days: int) -> int:
        """Delete pending leads that nobody decided on for so long, of all watch lists.

        Parameters
        ----------
        days
            For how long.

        Returns
        -------
        int
            How many were deleted.
        """
        asked = {
            "FilterExpression": "#state = :pending AND found_at < :before",
            "ProjectionExpression": "lead_id",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":pending": {"S": "pending"},
                ":before": {"S": items.time_text(datetime.now(UTC) - timedelta(days=days))},
            },
            "ConsistentRead": True,
        }
        ids = [item["lead_id"]["S"] for item in self._pages("scan", asked)]
        return sum(self._delete(lead_id, "#state = :wanted", "pending") for lead_id in ids)

    def _add(self, lead: Lead) -> str:
        put = {
            "TableName": self._table,
            "Item": items.written(lead, self._sealer),
            "ConditionExpression": "attribute_not_exists(lead_id)",
        }
        for attempt in patiently():
            with attempt, aws.refusals("Adding a lead"):
                try:
                    self._client.transact_write_items(
                        TransactItems=[requests.enrolled(lead, self._faces.people_table), {"Put": put}]
                    )
                except ClientError as error:
                    over, known = (code == FAILED for code in cancelled(error)[:2] or ("", ""))
                    if known:
                        break
                    if over:
                        return "over"
                    raise
                return "new"
        self._note_places(lead)
        return "known"

    def _note_places(self, lead: Lead) -> None:
        """Add the places of a lead to those of the one that is there."""
        for attempt in patiently():
            with attempt, aws.refusals("Noting a photograph's place"):
                item = self._item(lead.lead_id)
                if item is None:  # withdrawn in this moment
                    return
                there = self._opened(item)
                places = tuple(dict.fromkeys((*there.places, *lead.places)))[:MOST_PLACES]
                if places == there.places:
                    return
                sealed = items.sealed_places(there.model_copy(update={"places": places}), self._sealer)
                self._client.update_item(
                    TableName=self._table,
                    Key={"lead_id": {"S": lead.lead_id}},
                    UpdateExpression="SET sealed = :new",
                    ConditionExpression="sealed = :old",
                    ExpressionAttributeValues={":new": {"S": sealed}, ":old": item["sealed"]},
                )
                return

    def _delete(self, lead_id: str, condition: str, wanted: str) -> bool:
        names = {"ExpressionAttributeNames": {"#state": "state"}} if "#state" in condition else {}
        with aws.refusals(f"Deleting the lead {lead_id}"):
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key={"lead_id": {"S": lead_id}},
                    ConditionExpression=condition,
                    ExpressionAttributeValues={":wanted": {"S": wanted}},
                    **names,
                )
            except ClientError as error:
                if aws.code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _item(self, lead_id: str) -> dict[str, Any] | None:
        with aws.refusals(f"Reading the lead {lead_id}"):
            found = self._client.get_item(
                TableName=self._table, Key={"lead_id": {"S": lead_id}}, ConsistentRead=True
            )
        item: dict[str, Any] | None = found.get("Item")
        return item

    def _read(self, ids: Sequence[str], state: State) -> Iterator[Lead]:
        asked: dict[str, Any] = {
            self._table: {"Keys": [{"lead_id": {"S": one}} for one in ids], "ConsistentRead": True}
        }
        found: dict[str, dict[str, Any]] = {}
        for attempt in patiently():
            with attempt, aws.refusals("Reading leads"):
                answer = self._client.batch_get_item(RequestItems=asked)
                found |= {item["lead_id"]["S"]: item for item in answer["Responses"].get(self._table, [])}
                asked = answer.get("UnprocessedKeys") or {}
                if asked:
                    raise Unread("DynamoDB leaves leads of the queue unread.", hint="Run it again.")
        for one in ids:
            if one in found and found[one]["state"]["S"] == state:
                yield self._opened(found[one])

    def _opened(self, item: dict[str, Any]) -> Lead:
        return items.lead_of(item, self._sealer)

    def _pages(self, operation: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with aws.refusals("Reading the queue"):
            for page in self._client.get_paginator(operation).paginate(TableName=self._table, **asked):
                yield from page["Items"]
