"""Follows a change of a stack, event by event, to its end, and says what of it failed first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crime_jobs.errors import AwsRefused, CrimeJobsError, JobFailed
from crime_jobs.formation.reasons import hint_of, is_denied, way_out
from crime_jobs.formation.stack import Stack, pauses

Tell = Callable[[str], None]

_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_UNDONE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"}


class Following:
    """A change that is under way.

    Parameters
    ----------
    stack
        The stack.
    arn
        Its ARN, which finds it when it is deleted too.
    changes
        How many resources change.
    tell
        Told of each resource that came up or failed.
    """

    def __init__(self, stack: Stack, arn: str, changes: int, tell: Tell) -> None:
        self._stack, self._arn, self._changes, self._tell = stack, arn, changes, tell
        #: What there was to tell before.
        self._seen = {event["EventId"] for event in stack.events(arn)}
        self._done = 0
        self._failures: list[tuple[str, str]] = []

    def to_the_end(self) -> None:
        """Follow it.

        Raises
        ------
        JobFailed
            If it fails: the first failure's reason comes first. What a failed creation made is gone again.
        AwsRefused
            If it fails for want of a permission, or CloudFormation can't be asked any more.
        """
        pause = pauses()
        while True:
            try:
                found, events = self._stack.describe(self._arn), self._stack.events(self._arn)
            except AwsRefused as error:  # credentials that ended, a network that is gone
                raise AwsRefused(
                    f"{error.message} CloudFormation goes on with it.",
                    hint=f"{error.hint} Then run this again: it says how that ended.".strip(),
                ) from error
            self._hear(events)
            state = str(found["StackStatus"]) if found else "DELETE_COMPLETE"
            if found and state in _UNDONE:
                raise self._undone(state, str(found.get("StackStatusReason", "")))
            if state.startswith("DELETE"):  # which nothing forbids while it is being made
                raise JobFailed(f"Somebody deletes stack {self._stack.name}: it is {state}.")
            if state in _DONE:
                return
            next(pause)

    def _hear(self, events: Iterable[dict[str, Any]]) -> None:
        fresh = [event for event in events if event["EventId"] not in self._seen]
        self._seen |= {event["EventId"] for event in fresh}
        for event in fresh[::-1]:  # the service gives the newest first
            status, name = event["ResourceStatus"], event["LogicalResourceId"]
            reason = " ".join(event.get("ResourceStatusReason", "").split())
            if name == self._stack.name:
                continue
            if status.endswith("_FAILED"):
                self._say(f"{name}: {status.lower()}{f', {reason}' if reason else ''}")
                if "cancelled" not in reason.lower():
                    self._failures.append((f"{name} ({event['ResourceType']})", reason))
            elif status.endswith("_COMPLETE"):
                self._done += 1
                self._say(f"{self._done}/{max(self._done, self._changes)} {name}: {status.lower()}")

    def _say(self, what: str) -> None:
        self._tell(f"{self._stack.name}: {what}")

    def _undone(self, state: str, said: str) -> CrimeJobsError:
        name = self._stack.name
        which, reason = self._failures[0] if self._failures else (f"Stack {name}", said)
        reason = reason or "no reason is given"
        message = f"{which}: {reason.rstrip('.')}."
        left = self._left() if state == "ROLLBACK_COMPLETE" else []
        if state == "ROLLBACK_COMPLETE" and not left:
            self._stack.delete()
            message += f" All that stack {name} had made is removed again."
        elif left:
            message += f" Stack {name} is {state}, and {', '.join(left)} stayed."
        elif state == "UPDATE_ROLLBACK_COMPLETE":
            message += f" Stack {name} is as it was before."
        else:
            message += f" Stack {name} is {state}: {way_out(state, name)}."
        kind = AwsRefused if is_denied(reason) else JobFailed
        return kind(message, hint=hint_of(reason) or "Correct this and deploy again.")

    def _left(self) -> list[str]:
        """Return what a rollback left, which is nothing, as a rule."""
        gone = {"DELETE_COMPLETE", "CREATE_FAILED"}
        return [row["resource"] for row in self._stack.resources(self._arn) if row["status"] not in gone]
