"""What is told of a run's end, and that it is told once.

Whoever tells of it writes to the run's entry first that it is about to (a claim), then publishes, then
notes that it is told. A claim is a conditional write: of several who would tell, one does.

*Killed in between.* Nobody can know whether a message went out whose sender was killed before it noted so.
An end that nobody hears of is worse than one that is heard of twice: so a claim counts for `CLAIM_SECONDS`,
then the next run tells again; the run's own watcher, which knows that its run is gone, at once. That
message says that it may be the second, and which run it is about. Without such a kill an end is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.errors import CrimeJobsError
from crime_jobs.migrate import _lease
from crime_jobs.migrate._outcome import DONE, FAILED, INTERRUPTED, RUNNING

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry, Ledger
    from crime_jobs.settings import Settings

#: Seconds after which a claim that came to nothing no longer counts.
CLAIM_SECONDS = 120.0

#: States of the telling of its end.
UNTOLD, CLAIMED, TOLD, NO_TOPIC = "no", "claimed", "yes", "no topic"

#: SNS takes subjects of less than 100 ASCII characters
#: (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
SUBJECT = 99

_KINDS = {"migrate": "migration", "validate": "validation", "export": "export"}
_TABLES = {
    "migrate": ("migration_statistics", "migration_exceptions"),
    "validate": ("migration_statistics", "validation_differences"),
}
_ENDS = {DONE: "is done", FAILED: "FAILED", INTERRUPTED: "was interrupted"}
_MAYBE_TOLD = "This may have been told before: whoever told it was ended before noting so."

#: Makes a client of SNS; called only if there is something to tell and a topic.
Sns = Callable[[], Any]


@dataclass(frozen=True)
class Message:
    """A message of SNS.

    Parameters
    ----------
    subject
        Subject of the e-mail.
    body
        Plain text.
    attributes
        What subscriptions can filter by: ``kind``, ``task``, ``state``.
    """

    subject: str
    body: str
    attributes: Mapping[str, str]


def sns(settings: Settings) -> Sns:
    """Return what makes a client of SNS; with few attempts, since a run waits for them at its end."""
    return lambda: aws.client("sns", settings, attempts=3)


def message(ledger: Ledger, name: str, run: Entry, *, maybe_told: bool = False) -> Message:
    """Return what is told of a run that has ended.

    Parameters
    ----------
    ledger
        Task and table, to say where to look.
    name
        The run's entry.
    run
        What stands in it.
    maybe_told
        Whether somebody may have told of it already.

    Returns
    -------
    Message
    """
    kind, state = run["kind"], run["state"]
    subject = f"crime-jobs {kind} {ledger.task}: {state.upper() if state == FAILED else state}"
    lines = [f"The {_KINDS.get(kind, kind)} {ledger.task} {_ENDS[state]}."]
    if maybe_told:
        lines += ["", _MAYBE_TOLD]
    lines += ["", *_columns(_about(ledger, name, run))]
    if counts := dict(_counts(run.get("facts", {}))):
        lines += ["", *_columns(counts)]
    lines += [""]
    if failed := run.get("facts", {}).get("failed"):
        lines.append(f"What failed: {', '.join(map(str, failed)) if isinstance(failed, list) else failed}")
    if run.get("error"):
        lines.append(f"Why: {run['error']}")
    if run.get("hint"):
        lines.append(f"What to do: {run['hint']}")
    lines.append(f"Where to look: {_where(ledger, name, run)}")
    attributes = {"kind": kind, "task": ledger.task, "state": state}
    return Message(_ascii(subject)[:SUBJECT], "\n".join(lines) + "\n", attributes)


def _about(ledger: Ledger, name: str, run: Entry) -> dict[str, str]:
    seconds = run.get("seconds")
    return {
        "Task": ledger.task,
        "Environment": ", ".join(str(run[key]) for key in ("env", "region") if run.get(key)),
        "Run": name.rpartition("#")[2],
        "Started": _time(run["started"]),
        "Ended": _time(run["ended"]) if run.get("ended") else "not known",
        "Duration": duration(seconds) if seconds is not None else "not known",
    }


def _counts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(
        facts, key=lambda name: (not name.startswith("table"), not name.startswith("row"), name)
    ):
        value = facts[name]  # in an order of ours, since a map of DynamoDB has none
        if isinstance(value, str | int | float) and name != "failed":
            label = name.replace("_", " ").capitalize()
            number = isinstance(value, int | float) and not isinstance(value, bool)
            yield label, f"{value:,}" if number else str(value)


def _where(ledger: Ledger, name: str, run: Entry) -> str:
    tables = _TABLES.get(run["kind"], ())
    lake = f"; the tables {' and '.join(tables)} of {run.get('lake')}" if tables else ""
    return f"{name} of task {ledger.task} in the DynamoDB table {ledger.table}{lake}; the log of the run."


def _columns(pairs: Mapping[str, str]) -> list[str]:
    width = max(len(label) for label in pairs) + 2
    return [f"{label + ':':<{width}}{value}" for label, value in pairs.items()]


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def duration(seconds: float) -> str:
    """Write a duration as people say it.

    Parameters
    ----------
    seconds
        The duration.

    Returns
    -------
    str
        ``1 h 2 min 3 s``; ``0.4 s``.
    """
    if seconds < 10:  # noqa: PLR2004 - then tenths say something
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{value:,} {unit}" for value, unit in parts if value)


def tell(
    ledger: Ledger, client: Sns, name: str, topic: str | None, *, by: str, gone: Collection[str] = ()
) -> bool:
    """Tell of a run's end, unless it was told, or somebody is about to.

    Parameters
    ----------
    ledger
        The task's ledger.
    client
        Makes a client of SNS.
    name
        The run's entry.
    topic
        ARN of the topic; by default the one that the run itself was to tell.
    by
        Who tells: another name for each that may try. A claim by that name is an earlier try of its own,
        and does not hold it up.
    gone
        Those of whom it is known that they no longer live: their claims don't count.

    Returns
    -------
    bool
        Whether it was told now.

    Raises
    ------
    CrimeJobsError
        If it could not be published; then it stays untold, for a later run.
    """
    run = ledger.get(name)
    if not run or run["state"] == RUNNING or run["told"] in (TOLD, NO_TOPIC):
        return False
    claim, claimed = run.get("claim"), run["told"] == CLAIMED
    is_fresh = claimed and run["claimed"] > _lease.now(-CLAIM_SECONDS - _lease.SKEW_SECONDS)
    if is_fresh and claim not in {*gone, by}:
        return False
    seen = {"told": run["told"], "claim": claim}
    topic = topic or run.get("topic")
    if not topic:
        ledger.update(name, {"told": NO_TOPIC}, only_if=seen)
        return False
    publisher = client()
    if not ledger.update(name, {"told": CLAIMED, "claim": by, "claimed": _lease.now()}, only_if=seen):
        return False
    try:
        _publish(publisher, topic, message(ledger, name, run, maybe_told=claimed))
    except CrimeJobsError:
        ledger.update(name, {"told": UNTOLD}, only_if={"claim": by})
        raise
    ledger.update(name, {"told": TOLD}, only_if={"claim": by})
    return True


def _publish(client: Any, topic: str, what: Message) -> None:
    with aws.refusals(f"Telling {topic} of it"):
        client.publish(
            TopicArn=topic,
            Subject=what.subject,
            Message=what.body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in what.attributes.items()
            },
        )
