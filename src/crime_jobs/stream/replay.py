"""Dead letters once more: what can be processed by now is, and leaves the queue."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from crime_jobs.errors import BadInput
from crime_jobs.stream.deadletters import DeadLetters, Received, row
from crime_jobs.stream.handling import Handler, Raw


def listed(letters: DeadLetters) -> list[dict[str, Any]]:
    """Return what may be shown of the letters in the queue, each once, the oldest first.

    Parameters
    ----------
    letters
        The queue; a letter that was read is there again at once.

    Returns
    -------
    list of dict
    """
    found = []
    for received in list(letters.receive()):
        found.append(row(received))
        letters.put_back(received)
    return sorted(found, key=lambda one: str(one["sent_at"]))


def replay(letters: DeadLetters, handler: Handler, only: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Process letters again, and take those out of the queue that went well.

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
    """
    for received in list(letters.receive()):
        if only and received.id not in only:
            letters.put_back(received)
            continue
        outcome, done = _again(letters, handler, received)
        if done:
            letters.delete(received)
        else:
            letters.put_back(received)
        yield {**row(received), "outcome": outcome, "done": done}


def _again(letters: DeadLetters, handler: Handler, received: Received) -> tuple[str, bool]:
    letter = received.letter
    if letter is None:
        return "not a letter of ours", False
    try:
        data = letters.open(letter)
    except BadInput as error:
        return str(error), False
    (handled,) = handler.handle([Raw(data, letter.arrived_at, letter.position)])
    if handled.reason or handled.kind is None:
        return str(handled.reason), False
    return handled.kind.value, True
