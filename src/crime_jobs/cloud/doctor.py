"""Looks an environment over: each check by name, all at a time, what was found and what to do about it.

A check yields probes, one for each thing that it looks at (a bucket, a table, a schedule). A probe says what
it finds; what it can't find out is said as such, with the reason, and never taken for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

T = TypeVar("T")

#: Probes under way at a time; each waits for an answer most of its time.
AT_ONCE = 16

#: Tries of a call: a doctor that waits long is not asked.
ATTEMPTS = 2


class State(StrEnum):
    """How something is, the worst last."""

    NOT_CHECKED = "not checked"
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


_ORDER = list(State)


@dataclass
class Said:
    """What a probe says of one thing: remarks, the worst of which is its state.

    Parameters
    ----------
    state
        The worst of the remarks.
    remarks
        Each with its state.
    do
        What to do about them.
    missing
        Whether the thing is not there at all.
    """

    state: State = State.NOT_CHECKED
    remarks: list[tuple[State, str]] = field(default_factory=list)
    do: list[str] = field(default_factory=list)
    missing: bool = False

    def _add(self, state: State, found: str, do: str = "") -> Said:
        self.state = max(self.state, state, key=_ORDER.index)
        self.remarks.append((state, found))
        if do and do not in self.do:
            self.do.append(do)
        return self

    def ok(self, found: str) -> Said:
        """Note what is as it should be."""
        return self._add(State.OK, found)

    def warn(self, found: str, do: str) -> Said:
        """Note what works, and should be otherwise."""
        return self._add(State.WARNING, found, do)

    def fail(self, found: str, do: str) -> Said:
        """Note what does not work, or lets anybody in."""
        return self._add(State.FAILED, found, do)

    def tell(self, to: Said) -> Said:
        """Say the same of another thing."""
        to.state, to.remarks, to.do, to.missing = self.state, self.remarks, self.do, self.missing
        return to

    def unknown(self, reason: str, do: str = "") -> Said:
        """Note what could not be found out, and why."""
        return self._add(State.NOT_CHECKED, reason, do)

    def ask(self, look: Callable[[Said], object], what: str = "") -> Said:
        """Look at one side of the thing; that it can't be asked about is noted, and the others go on.

        Parameters
        ----------
        look
            Makes its remarks.
        what
            What it looks at, as the start of a remark that it can't.
        """
        try:
            look(self)
        except Exception as error:
            why = explained(error)
            if why is None:
                raise
            before = f"{what}: " if what else ""
            self._add(why.state, before + "; ".join(text for _, text in why.remarks), " ".join(why.do))
            self.missing |= why.missing
        return self


@dataclass(frozen=True)
class Probe:
    """One thing that a check looks at.

    Parameters
    ----------
    subject
        What it is, for the reader: ``bucket crime-lake``.
    look
        Makes remarks on it.
    part_of
        Of what it is one part by its default name: where none of the parts is there, that was not deployed,
        and nothing is wrong. Empty where the settings name the thing: then it must be there.
    """

    subject: str
    look: Callable[[Said], object]
    part_of: str = ""


@dataclass(frozen=True)
class Check:
    """A check.

    Parameters
    ----------
    name
        What `--only` takes.
    about
        What it looks at, for the list of checks.
    probes
        Takes the `Where` and yields the probes.
    none
        What is said where there is nothing to look at.
    needs_aws
        Whether it asks AWS: it is not made where the environment names no region, or nobody is let in.
    """

    name: str
    about: str
    probes: Callable[[Where], Iterable[Probe]]
    none: str = "The settings name none."
    needs_aws: bool = True


@dataclass
class Where:
    """The environment that is looked over, and its clients, each made once.

    Parameters
    ----------
    settings
        The environment.
    """

    settings: Settings
    _clients: dict[str, Any] = field(default_factory=dict)
    _answers: dict[str, Any] = field(default_factory=dict)
    _asking: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str) -> Any:
        """Return a client of a service, as boto3 names it."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = aws.client(service, self.settings, attempts=ATTEMPTS)
            return self._clients[service]

    def once(self, name: str, ask: Callable[[], T]) -> T:
        """Return an answer that several checks need, and ask for it but once.

        Parameters
        ----------
        name
            What it is called.
        ask
            Asks for it; what it raises is raised, and the next one asks again.
        """
        with self._lock:
            asking = self._asking.setdefault(name, threading.Lock())
        with asking:
            if name not in self._answers:
                self._answers[name] = ask()
            answer: T = self._answers[name]
            return answer


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Parameters
    ----------
    check
        The check.
    subject
        What was looked at; empty for all of the check.
    said
        What was found.
    part_of
        See `Probe`.
    """

    check: str
    subject: str
    said: Said
    part_of: str = ""

    def row(self) -> dict[str, Any]:
        """Return it as it is shown."""
        said = self.said
        return {
            "check": self.check,
            "subject": self.subject,
            "state": said.state.value,
            "found": [text for _, text in said.remarks],
            "do": said.do,
        }


#: Codes of what is not there, as the services have them.
_MISSING = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "404")
#: Codes of a service that does not know the call.
_NOT_HERE = ("InternalFailure", "NotImplemented", "UnknownOperation", "UnsupportedOperation")
_NOT_IMPLEMENTED, _SERVER_ERROR = 501, 500


def explained(error: BaseException) -> Said | None:
    """Say what it means that something could not be asked.

    Parameters
    ----------
    error
        What was raised.

    Returns
    -------
    Said or None
        ``None`` for a defect of our own.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ResponseParserError):  # its text holds the whole answer
        return Said().fail("the answer is none of AWS's", "Is the endpoint right (AWS_ENDPOINT_URL…)?")
    if isinstance(error, WrongUsage):
        return Said().fail(error.message, error.hint)
    if isinstance(error, ClientError):
        return _refused(error)
    if isinstance(error, BotoCoreError | AwsRefused):
        try:
            with aws.refusals("Asking"):
                raise error
        except AwsRefused as refused:
            return Said().fail(refused.message, refused.hint)
        except WrongUsage as wrong:
            return Said().fail(wrong.message, wrong.hint)
    return None


def _refused(error: Any) -> Said:
    code, call = aws.code_of(error), error.operation_name
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if any(part in code for part in _MISSING):
        said = Said().fail("it is not there", "Deploy it, or correct its name in crime-jobs.toml.")
        said.missing = True
        return said
    if aws.has_expired(error):
        return Said().fail(f"the credentials are not good ({code})", "Log in again: `aws sso login`.")
    if aws.is_denied(error):
        return Said().unknown(f"may not be asked ({call}: {code})", f"Whoever runs this needs {call}.")
    if status == _NOT_IMPLEMENTED or code.startswith(_NOT_HERE):
        return Said().unknown(f"{call} is not answered here ({code})")
    if aws.may_be_repeated(error) or status >= _SERVER_ERROR:
        return Said().unknown(f"{call} failed ({code})", "Run it again a little later.")
    return Said().fail(f"{call} was refused ({code})", "Look it up in the service's API reference.")


def chosen(checks: Sequence[Check], only: Sequence[str]) -> list[Check]:
    """Return the checks of some names.

    Parameters
    ----------
    checks
        All.
    only
        Names; all when empty.

    Returns
    -------
    list of Check

    Raises
    ------
    WrongUsage
        If there is none of a name.
    """
    names = [check.name for check in checks]
    for name in only:
        if name not in names:
            raise WrongUsage(f"No check is called {name!r}.", hint=f"There are {', '.join(names)}.")
    return [check for check in checks if not only or check.name in only]


def examine(settings: Settings, checks: Sequence[Check], *, let_in: Check | None = None) -> list[Finding]:
    """Make the checks, all at a time.

    Parameters
    ----------
    settings
        The environment.
    checks
        The checks.
    let_in
        The check that says whether AWS lets us in: when it fails, the others that ask AWS are not made.

    Returns
    -------
    list of Finding
        In the order of the checks.
    """
    where, closed = Where(settings), ""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        if not settings.region:
            closed = f"Environment {settings.env!r} names no region: nothing of it is on AWS."
        elif let_in and any(check.needs_aws and check is not let_in for check in checks):
            first = _made([let_in], where, pool)
            if has_failed(first):
                closed = "AWS lets nobody in: see the check credentials."
        open_to = let_in if settings.region else None
        shut = {check.name for check in checks if check.needs_aws and closed and check is not open_to}
        made = _made([check for check in checks if check.name not in shut], where, pool)
    made += [Finding(name, "", Said().unknown(closed)) for name in shut]
    order = [check.name for check in checks]
    return _without_what_is_not_deployed(sorted(made, key=lambda one: order.index(one.check)))


def _made(checks: Sequence[Check], where: Where, pool: ThreadPoolExecutor) -> list[Finding]:
    listed = pool.map(lambda check: _listed(check, where), checks)
    tasks = [(check, probe) for check, probes in zip(checks, listed, strict=True) for probe in probes]
    return list(pool.map(lambda task: _finding(*task), tasks))


def _listed(check: Check, where: Where) -> list[Probe]:
    """Return a check's probes; that they can't be listed is a probe's finding too."""
    probes: list[Probe] = []
    asked = Said().ask(lambda _: probes.extend(check.probes(where)))
    if asked.remarks:
        return [Probe("", asked.tell)]
    return probes or [Probe("", lambda said: said.unknown(check.none))]


def _finding(check: Check, probe: Probe) -> Finding:
    return Finding(check.name, probe.subject, Said().ask(probe.look), probe.part_of)


def _without_what_is_not_deployed(findings: list[Finding]) -> list[Finding]:
    """Tell what was taken away from what was never made: of the latter, no part is there."""
    there = {one.part_of for one in findings if one.part_of and not one.said.missing}
    absent = Said().unknown("it is not there, nor any other part: not deployed")
    return [
        replace(one, said=absent) if one.part_of and one.said.missing and one.part_of not in there else one
        for one in findings
    ]


def has_failed(findings: Iterable[Finding]) -> bool:
    """Tell whether anything failed."""
    return any(one.said.state is State.FAILED for one in findings)
