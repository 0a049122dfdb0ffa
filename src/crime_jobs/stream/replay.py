"""Dead letters once more: what can be processed by now is, and leaves the queue."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.errors import BadInput
from crime_jobs.model.aggregation import misindexed
from crime_jobs.stream.deadletters import ATTEMPTS, DeadLetters, Received, open_letters, row
from crime_jobs.stream.handling import Handler, Raw, open_handler

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings


def listed(letters: DeadLetters) -> list[dict[str, Any]]:
    """Return what may be shown of the letters in the queue, each once, the oldest first.

    Parameters
    ----------
    letters
        The queue; its letters are there again at the end.

    Returns
    -------
    list of dict
    """
    try:
        found = [row(received) for received in letters.receive()]
    finally:
        letters.put_back_all()
    return sorted(found, key=lambda one: str(one["sent_at"]))


def replay(letters: DeadLetters, handler: Handler, only: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Process letters again, one by one, and take those out of the queue that went well.

    Parameters
    ----------
    letters
        The queue.
    handler
        Processes records.
    only
        Ids of letters; all when not given.

    Yields
    ------
    dict
        Of each letter its row and ``outcome``: what became of it, or why it stays.

    Raises
    ------
    AwsRefused
        If AWS refuses, or is away: all letters that are not done are in the queue.
    """
    wanted = set(only)
    try:
        for received in letters.receive():  # what stays is put back at the end, else it would come again
            if only and received.id not in wanted:
                continue
            outcome, done = _again(letters, handler, received)
            if done:
                letters.delete(received)
            yield {**row(received), "outcome": outcome, "done": done}
            wanted.discard(received.id)
            if only and not wanted:
                return
    finally:
        letters.put_back_all()


def replay_all(
    settings: Settings, stream: StreamSettings, only: Collection[str], rows: list[dict[str, Any]]
) -> None:
    """Open queue and sink, replay letters, and close again.

    Parameters
    ----------
    settings, stream
        Where they are.
    only
        Ids of letters; all when empty.
    rows
        Gets what `replay` says of each: also of those before a refusal.

    Raises
    ------
    AwsRefused
        As of `replay`.
    """
    handler = open_handler(settings, stream, lambda: None, output.note, ATTEMPTS)
    try:
        rows.extend(replay(open_letters(settings, stream), handler, only))
    finally:
        handler.close()


def _again(letters: DeadLetters, handler: Handler, received: Received) -> tuple[str, bool]:
    letter = received.letter
    if letter is None:
        return "not a letter of ours", False
    try:
        data = letters.open(letter)
    except BadInput as error:
        return str(error), False
    # An aggregate that the KCL can't take apart has whole FIRs in it, as their sender made them.
    parts = [data] if (inside := misindexed(data)) is None else inside
    place = letter.position
    raws = [
        Raw(part, letter.arrived_at, replace(place, sub_sequence=place.sub_sequence + at))
        for at, part in enumerate(parts)
    ]
    with aws.refusals(f"Processing the record at {place}"):
        handled = handler.handle(raws)
    refused = {str(one.reason) for one in handled if one.reason or one.kind is None}
    return ", ".join(sorted(refused or {str(one.kind) for one in handled})), not refused
