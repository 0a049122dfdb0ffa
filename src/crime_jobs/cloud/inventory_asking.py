"""Asks the services: one client a service and region, a bounded number of calls at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from crime_jobs import aws
from crime_jobs.cloud.kinds_base import GLOBAL, Found, Kind, Place
from crime_jobs.errors import AwsRefused, Interrupted, WrongUsage
from crime_jobs.settings import Settings

#: Services that are asked at the same time, over all regions; and calls at a time to one service in one
#: region, below the least rate that AWS documents for what is asked here: 5 a second of Kinesis'
#: ``ListTagsForStream`` (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForStream.html).
SERVICES_AT_ONCE, CALLS_AT_ONCE = 48, 4
#: Attempts of a call: an inventory waits for what throttles, not long for what is not there.
ATTEMPTS = 4
#: How a service says that one of its resources is no longer there.
GONE = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "ResourceNotFoundFault", "404")

_NOT_IMPLEMENTED = 501
#: What regions outside the partition ``aws`` begin with.
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Unasked:
    """What could not be asked.

    Parameters
    ----------
    service
        boto3's name of the service.
    what
        Which of its kinds.
    region
        Where.
    why
        What it said instead.
    denied
        Whether it was a refusal to these credentials.
    missing
        Whether there is nothing to ask: what answers for the service does not have it.
    """

    service: str
    what: str
    region: str
    why: str
    denied: bool = False
    missing: bool = False


class Asking:
    """The services of an account.

    Parameters
    ----------
    settings
        Region, profile, environment.
    writes
        Whether what is found elsewhere may be removed there.
    make
        Makes a client, as `crime_jobs.aws.client` does.

    Raises
    ------
    WrongUsage
        If the credentials are of another account than the environment's section names.
    """

    def __init__(
        self, settings: Settings, *, writes: bool = False, make: Callable[..., Any] = aws.client
    ) -> None:
        self.settings = settings
        self.home = aws.region(settings)
        self._writes, self._make = writes, make
        self._clients: dict[tuple[str, str], Any] = {}
        self._sessions: dict[str, Any] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()
        with aws.refusals("Asking whose account this is"):
            arn = self.client("sts", self.home).get_caller_identity()["Arn"]
        self.partition, self.account = arn.split(":")[1], arn.split(":")[4]
        if settings.account and settings.account != self.account:
            raise WrongUsage(
                f"These credentials are of account {self.account}; environment {settings.env!r} is in "
                f"{settings.account}.",
                hint="Choose the right --profile, or correct account in the environment's section.",
            )

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service in a region, by default the environment's; made once."""
        key = (service, region or self.home)
        # One at a time: botocore's sessions are not made for several threads that make clients.
        with self._lock:
            if key not in self._clients:
                if key[1] not in self._sessions:
                    self._sessions[key[1]] = aws.session(self.settings, key[1])
                self._clients[key] = self._make(
                    service,
                    self.settings,
                    attempts=ATTEMPTS,
                    elsewhere=key[1],
                    writes=self._writes,
                    within=self._sessions[key[1]],
                )
                self._clients[key].meta.events.register_first("before-call", self._hold)
            return self._clients[key]

    def stop(self) -> None:
        """Make no call any more: threads that are under way end before their next one."""
        self._stopped.set()

    def _hold(self, **_: Any) -> None:
        if self._stopped.is_set():
            raise Interrupted("Stopped: nothing more is asked.")

    def place(self, kind: Kind, region: str) -> Place:
        """Return where a kind is asked for.

        Parameters
        ----------
        kind
            The kind.
        region
            The region; `GLOBAL` for a kind without regions.
        """
        here = self.home if region == GLOBAL or kind.everywhere else region
        return Place(self.client(kind.service, here), here, self.account, self.partition, self.client)

    def regions(self) -> list[str]:
        """Return the regions that the account has switched on.

        Raises
        ------
        AwsRefused
            If EC2 does not say it.
        """
        with aws.refusals("Asking which regions the account has"):
            said = self.client("ec2", self.home).describe_regions(
                Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required", "opted-in"]}]
            )
        there = {one["RegionName"] for one in said["Regions"]}
        # LocalStack lists those of all partitions; an account of AWS's is in one.
        return sorted({self.home, *(one for one in there if _partition(one) == self.partition)})

    def everything(
        self, kinds: Sequence[Kind], region: str
    ) -> tuple[list[tuple[Kind, Found]], list[Unasked]]:
        """List all there is of one service in a region, with tags.

        Parameters
        ----------
        kinds
            Kinds of one service.
        region
            Where.

        Returns
        -------
        tuple
            What there is, ours or not, and what could not be asked.
        """
        found: list[tuple[Kind, Found]] = []
        silent: list[Unasked] = []
        away: Exception | None = None
        for kind in kinds:
            try:
                if away:  # its other kinds would wait as long for the same answer
                    raise away
                with aws.refusals(f"Listing each {kind.name}"):
                    listed = list(kind.find(self.place(kind, region)))
            except (AwsRefused, WrongUsage) as error:
                silent.append(unasked(kind, region, error, f"each {kind.name}"))
                away = None if code_of(error) else error
                continue
            tagged, untagged = self._tagged(kind, region, listed)
            found += [(kind, one) for one in tagged if kind.everywhere or is_there(one, region)]
            silent += untagged
        return found, silent

    def _tagged(self, kind: Kind, region: str, listed: list[Found]) -> tuple[list[Found], list[Unasked]]:
        ask = kind.tags
        if ask is None:
            return listed, []
        at = self.place(kind, region)

        def with_tags(one: Found) -> Found:
            return one if one.tags is not None else replace(one, tags=ask(at, one))

        return self._each(kind, region, listed, with_tags, f"tags of the {kind.name}")

    def looked_at(self, kind: Kind, region: str, listed: list[Found]) -> tuple[list[Found], list[Unasked]]:
        """Ask more about what counts as ours.

        Parameters
        ----------
        kind, region
            Of what, where.
        listed
            What is asked about.

        Returns
        -------
        tuple
            It, with what was asked, without what has gone meanwhile; and what could not be asked.
        """
        look = kind.look
        if look is None:
            return listed, []
        at = self.place(kind, region)
        return self._each(kind, region, listed, lambda one: look(at, one), f"state of the {kind.name}")

    def _each(
        self, kind: Kind, region: str, listed: list[Found], ask: Callable[[Found], Found], what: str
    ) -> tuple[list[Found], list[Unasked]]:
        """Ask about each; one that can't be asked about stays as it is, one that has gone doesn't."""

        def one_of(one: Found) -> tuple[Found | None, Unasked | None]:
            try:
                with aws.refusals(f"Asking for the {what} {one.name}"):
                    return ask(one), None
            except (AwsRefused, WrongUsage) as error:
                if is_gone(error):
                    return None, None
                said = unasked(kind, region, error, f"{what} {one.name}")
                # What answers without this call has no tags to read; all else may have said keep=true.
                blind = "" if said.missing else f"its {what.partition(' ')[0]} could not be read"
                return replace(one, blind=one.blind or blind), said

        answers = side_by_side(one_of, listed, CALLS_AT_ONCE)
        return [one for one, _ in answers if one], [said for _, said in answers if said]


def side_by_side(do: Callable[[T], R], over: Iterable[T], at_once: int) -> list[R]:
    """Do something with each, some at a time; in order.

    Parameters
    ----------
    do
        What.
    over
        With what.
    at_once
        How many at a time.

    Returns
    -------
    list
        What came of each.
    """
    things = list(over)
    if len(things) < 2:  # noqa: PLR2004 - no thread for one
        return [do(thing) for thing in things]
    pool, waits = ThreadPoolExecutor(min(at_once, len(things))), True
    try:
        return list(pool.map(do, things))
    except KeyboardInterrupt:  # what is under way may take an hour: `Asking.stop` ends it
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=not waits)


def code_of(error: BaseException) -> str:
    """Return the code of the refusal that an error was made of; empty if it was made of none."""
    from botocore.exceptions import ClientError

    cause = error.__cause__
    return aws.code_of(cause) if isinstance(cause, ClientError) else ""


def is_gone(error: BaseException) -> bool:
    """Tell whether an error says that what was asked about is not there."""
    code = code_of(error)
    return any(word in code for word in GONE) or (
        code == "ValidationError" and "does not exist" in str(error)  # CloudFormation's
    )


def is_denied(error: BaseException) -> bool:
    """Tell whether an error says that these credentials may not."""
    code = code_of(error)
    return "AccessDenied" in code or code in {"UnauthorizedOperation", "AuthorizationError", "403"}


#: What an AWS protocol answers to a call that it does not know: stand-ins lack some.
_UNKNOWN = "UnknownOperationException"


def _is_missing(error: BaseException) -> bool:
    """Tell whether what answers lacks the service or the call: AWS has every call of its own models."""
    answer = getattr(error.__cause__, "response", {})
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return code_of(error) == _UNKNOWN or bool(status == _NOT_IMPLEMENTED)


def _has_no_endpoint(kind: Kind, region: str, error: BaseException) -> bool:
    """Tell whether nothing answered in a region for which botocore knows no endpoint of the service."""
    import botocore.session
    from botocore.exceptions import EndpointConnectionError

    if kind.everywhere or not isinstance(error.__cause__, EndpointConnectionError):
        return False
    known = botocore.session.Session().get_available_regions(kind.service)
    return bool(known) and region not in known


def unasked(kind: Kind, region: str, error: BaseException, what: str) -> Unasked:
    """Say what could not be asked, and why.

    Parameters
    ----------
    kind, region
        Of what, where.
    error
        What came instead of the answer.
    what
        Which of the kind's questions.

    Returns
    -------
    Unasked
    """
    why = str(getattr(error, "message", error)).partition(": ")[2] or str(error)
    if _is_missing(error):
        why = "what answers for it does not have it"
    where = GLOBAL if kind.everywhere else region
    return Unasked(
        kind.service,
        what,
        where,
        why.rstrip("."),
        is_denied(error),
        _is_missing(error) or _has_no_endpoint(kind, region, error),
    )


def is_there(one: Found, region: str) -> bool:
    """Tell whether something is in the region that was asked, as its ARN says.

    What answers for a region that it does not know may speak of another one's.
    """
    parts = one.arn.split(":")
    return len(parts) < 4 or parts[3] in ("", region)  # noqa: PLR2004 - arn:partition:service:region:…


def _partition(region: str) -> str:
    begin = next((begin for begin in _PARTITIONS if region.startswith(begin)), "")
    return _PARTITIONS.get(begin, "aws")
