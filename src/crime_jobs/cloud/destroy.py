"""Removes all that is an environment's, in order, and looks whether anything is left.

Nothing is written down on the way: what is there says what is still to do. So a destroy that was killed goes
on when it is run again, and two at once do no harm: what one finds gone the other has removed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from crime_jobs import aws
from crime_jobs.cloud import destroy_buckets, destroy_stacks
from crime_jobs.cloud.destroy_plan import Key, Plan, key_of, plan
from crime_jobs.cloud.inventory import Inventory, Row, Tell, take
from crime_jobs.cloud.inventory_asking import (
    CALLS_AT_ONCE,
    Asking,
    Unasked,
    code_of,
    is_denied,
    is_gone,
    side_by_side,
)
from crime_jobs.cloud.kinds_base import GLOBAL, Phase
from crime_jobs.errors import AwsRefused, CrimeJobsError, JobFailed, WrongUsage

#: Seconds to wait in all for what goes slowly (clusters, databases, gateways) and what hangs on it.
PATIENCE = 30 * 60
_PAUSES = (1, 2, 5, 10, 20, 30)
#: Attempts after which what did not change won't.
_STILL = 5
#: How services say that something can't go yet: another thing still hangs on it, or is being changed.
_LATER = re.compile(
    r"Dependency|InUse|Conflict|OperationAborted|InvalidState|InvalidResourceState|Concurrent|BucketNotEmpty"
    r"|Throttl|TooManyRequests|RequestLimit|SlowDown|InvalidGroup\.InUse|InvalidIPAddress"
)
#: …that something is being deleted already, in refusals whose code means several things.
_GOING = re.compile(r"pending deletion|being deleted|is deleting|already been deleted", re.IGNORECASE)
#: …that something is not there, likewise.
_NOT_THERE = re.compile(r"not found|does not exist|is not valid|doesn't exist", re.IGNORECASE)


@dataclass
class Outcome:
    """What became of a destroy.

    Parameters
    ----------
    removed
        How many resources were removed.
    refused
        What could not be removed at the last attempt, and why.
    left
        What is still there that should not be.
    keep, stuck
        See `Plan`.
    going
        What is being removed and takes its time: keys.
    others
        What is the project's, and nothing says of which environment.
    unasked
        What could not be asked at the end.
    stopped
        Why it removed nothing more before its end; empty where it came to it.
    """

    removed: int = 0
    refused: list[tuple[Row, CrimeJobsError]] = field(default_factory=list)
    left: list[Row] = field(default_factory=list)
    keep: list[tuple[Row, str]] = field(default_factory=list)
    stuck: list[tuple[Row, str]] = field(default_factory=list)
    going: list[Row] = field(default_factory=list)
    others: list[Row] = field(default_factory=list)
    unasked: list[Unasked] = field(default_factory=list)
    stopped: str = ""

    def check(self) -> None:
        """Raise if something is left that was to go, or may be left unseen.

        Raises
        ------
        AwsRefused
            If a call was denied: exit code 4.
        JobFailed
            If something is left for another reason.
        """
        reasons = [error.message for _, error in self.refused]
        denied = [error for _, error in self.refused if is_denied(error)]
        blind = sorted((said for said in self.unasked if not said.missing), key=lambda said: not said.denied)
        names = ", ".join(f"{row.kind.name} {row.found.name}" for row in self.left[:5])
        more = f" and {len(self.left) - 5} more" if len(self.left) > 5 else ""  # noqa: PLR2004
        if self.stopped:
            raise JobFailed(
                f"{self.stopped} {self.removed} are removed, {len(self.left)} stand: {names}{more}.",
                hint="Run the same again when that can be asked: it makes a new plan and goes on.",
            )
        if self.left:
            why = f" {reasons[0]}" if reasons else ""
            raised = AwsRefused if denied else JobFailed
            raise raised(
                f"{len(self.left)} left: {names}{more}.{why}",
                hint=(denied[0].hint if denied else "") or "Remedy that and run it again: it goes on.",
            )
        if blind:
            raised = AwsRefused if blind[0].denied else JobFailed
            raise raised(
                f"Nothing was found that is left, but {blind[0].what} of {blind[0].service} could not be "
                f"asked: {blind[0].why}.",
                hint="Run `crime-jobs inventory` when it can be asked, with the permission to list it.",
            )


class Destruction:
    """Removes what a plan says.

    Parameters
    ----------
    asking
        The services; made with ``writes=True`` if other regions are to be cleaned too.
    everywhere
        Whether every region is looked into.
    keep
        What is to be kept, as ``KIND:NAME``.
    lift
        Whether protections are taken off.
    tell
        Hears what is done.
    sleep
        Waits some seconds.
    patience
        Seconds to wait for what goes slowly.
    """

    def __init__(
        self,
        asking: Asking,
        *,
        everywhere: bool = False,
        keep: Collection[str] = (),
        lift: bool = False,
        tell: Tell = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE,
    ) -> None:
        self._asking, self._everywhere, self._keep, self._lift = asking, everywhere, frozenset(keep), lift
        self._tell, self._sleep, self._patience = tell, sleep, patience
        self._lifted: set[Key] = set()

    def plan(self) -> Plan:
        """Look what there is, and decide.

        Returns
        -------
        Plan
        """
        return self._decided(self._taken(), self._keep)

    def _taken(self) -> Inventory:
        return take(self._asking, everywhere=self._everywhere, tell=self._tell)

    def _decided(
        self,
        there: Inventory,
        keep: Collection[str],
        agreed: Plan | None = None,
        fails: Collection[Key] = (),
    ) -> Plan:
        return plan(self._asking, there, keep, lift=self._lift, agreed=agreed, fails=fails)

    def run(self, made: Plan) -> Outcome:
        """Remove it all; what is refused does not stop the rest.

        Parameters
        ----------
        made
            What `plan` gave, and somebody agreed to. Of what turns up meanwhile only what services make by
            themselves goes too, such as a log group; all else is told and left.

        Returns
        -------
        Outcome
        """
        try:
            return self._run(made)
        except KeyboardInterrupt:  # threads that empty a bucket would go on to its end
            self._asking.stop()
            raise

    def _run(self, made: Plan) -> Outcome:
        agreed = made
        outcome, until, step = Outcome(keep=made.keep, stuck=made.stuck), time.monotonic() + self._patience, 0
        removed: set[Key] = set()
        left: set[Key] = set()
        still = 0
        while True:
            outcome.refused = self._once(made, removed, is_first=made is agreed)
            there = self._taken()
            # A kept thing that is gone meanwhile is no slip of the hand.
            names = {row.key for row in there.rows}
            fails = {_key(row) for row, _ in outcome.refused}
            made = self._decided(there, self._keep & names, agreed, fails)
            outcome.stopped = _newly_blind(agreed.unasked, there.unasked)
            if outcome.stopped:
                break
            waits = [row for row in there.rows if _hinders(row, made.environment)]
            before, left = left, {_key(row) for row in made.remove}
            still = still + 1 if left == before and not waits else 0
            if time.monotonic() > until or _is_over(made, outcome.refused, still, waits=bool(waits)):
                break
            self._tell(f"{len(left)} are left, {len(waits)} on their way; waiting")
            self._sleep(_PAUSES[min(step, len(_PAUSES) - 1)])
            step += 1
        outcome.removed = len(removed - {_key(row) for row in made.remove})
        outcome.left = [*made.remove, *(row for row, _ in made.stuck)]
        outcome.keep, outcome.stuck, outcome.unasked = made.keep, made.stuck, there.unasked
        mine = [row for row in there.rows if row.claim.environment == made.environment]
        outcome.going = [row for row in mine if row.found.going]
        outcome.others = [row for row in there.rows if row.claim.environment is None]
        return outcome

    def _once(self, made: Plan, removed: set[Key], *, is_first: bool) -> list[tuple[Row, CrimeJobsError]]:
        refused: list[tuple[Row, CrimeJobsError]] = []

        def note(done: Iterable[tuple[Row, CrimeJobsError | None]]) -> None:
            for row, error in done:
                if error is None:
                    removed.add(_key(row))
                else:
                    refused.append((row, error))
                    self._tell(error.message)

        # Keys wait for a look at what is left: it may be sealed with them. Logs tell of all the rest.
        waits = is_first and any(row.kind.phase < Phase.KEYS for row in made.remove)
        for phase in Phase:
            if waits and phase >= Phase.KEYS:
                continue
            if phase is Phase.STACKS:
                self._empty(made)
                for wave in made.stacks():
                    note(side_by_side(lambda row: self._delete_stack(row, made), wave, CALLS_AT_ONCE))
                continue
            rows = [row for row in made.remove if row.kind.phase is phase]
            for name, some in groupby(rows, key=lambda row: row.kind.name):
                these = list(some)
                self._tell(f"Removing {len(these)} of {name}")
                note(side_by_side(self._remove, these, 2 * CALLS_AT_ONCE))
        return refused

    def _empty(self, made: Plan) -> None:
        """Empty the stacks' buckets: CloudFormation removes none that holds something."""
        for row in made.remove:
            if row.kind.name == "bucket" and row.claim.by == "stack":
                self._tell(f"Emptying bucket {row.found.name}")
                try:
                    with aws.refusals(f"Emptying bucket {row.found.name}"):
                        destroy_buckets.empty(self._asking.client("s3", row.region), row.found.name)
                except CrimeJobsError as error:  # said again, with its consequence, when it is to be removed
                    self._tell(error.message)

    def _delete_stack(self, row: Row, made: Plan) -> tuple[Row, CrimeJobsError | None]:
        self._tell(f"Deleting stack {row.found.name}")
        try:
            self._lift_from(row)
            for part in made.protected_in(row, lambda: destroy_stacks.retained(self._asking, row)):
                self._lift_from(part)  # CloudFormation deletes nothing that is protected
            destroy_stacks.delete(self._asking, row, self._tell, self._sleep)
        except CrimeJobsError as error:
            return row, None if is_gone(error) else error
        return row, None

    def _remove(self, row: Row) -> tuple[Row, CrimeJobsError | None]:
        remove = row.kind.remove
        if remove is None:
            return row, JobFailed(f"Nothing here removes {row.kind.name} {row.found.name}.")
        at = self._asking.place(row.kind, GLOBAL if row.kind.everywhere else row.region)
        try:
            self._lift_from(row)
            with aws.refusals(f"Removing {row.kind.name} {row.found.name}"):
                remove(at, row.found)
        except CrimeJobsError as error:
            return row, None if _is_done(error) else error
        return row, None

    def _lift_from(self, row: Row) -> None:
        if row.found.protected and row.kind.lift and self._lift and _key(row) not in self._lifted:
            self._tell(f"Taking the protection off {row.kind.name} {row.found.name}")
            with aws.refusals(f"Taking the protection off {row.kind.name} {row.found.name}"):
                row.kind.lift(self._asking.place(row.kind, row.region), row.found)
            self._lifted.add(_key(row))


_key = key_of


def _newly_blind(before: Iterable[Unasked], now: Iterable[Unasked]) -> str:
    """Say what was asked before the plan was agreed to and can't be now; empty if nothing."""
    known = {(said.service, said.what, said.region) for said in before}
    for said in now:
        if not said.missing and (said.service, said.what, said.region) not in known:
            return (
                f"Stopped: {said.what} of {said.service} in {said.region} could not be asked any more: "
                f"{said.why}. What is left was not touched."
            )
    return ""


def _hinders(row: Row, environment: str) -> bool:
    """Tell whether something is on its way out, and others may hang on it until it is gone."""
    return bool(row.claim.environment == environment and row.found.going and row.kind.phase is not Phase.KEYS)


def _is_over(made: Plan, refused: list[tuple[Row, CrimeJobsError]], still: int, *, waits: bool) -> bool:
    """Tell whether another attempt would change nothing: all is gone, or refused for good."""
    if waits:
        return False
    for_good = {_key(row) for row, error in refused if not _comes_later(error)}
    return still >= _STILL or all(_key(row) in for_good for row in made.remove)


def _comes_later(error: CrimeJobsError) -> bool:
    return bool(_LATER.search(code_of(error))) and not is_denied(error)


def _is_done(error: CrimeJobsError) -> bool:
    """Tell whether a refusal says that there is nothing left to remove."""
    if isinstance(error, WrongUsage) or not code_of(error):
        return False
    said = error.message
    vague = "InvalidRequest" in code_of(error) or "Validation" in code_of(error)
    return is_gone(error) or bool(_GOING.search(said)) or (vague and bool(_NOT_THERE.search(said)))
