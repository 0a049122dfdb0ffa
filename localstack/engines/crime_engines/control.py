"""The engines' own endpoint: faults to order, and settings that stand for the slowness of AWS."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from crime_engines.protocol import Refusal


@dataclass
class Fault:
    """An error to answer with.

    Parameters
    ----------
    operation
        For example ``DescribeStep``, or ``*``.
    code, message, status
        The error.
    service
        As botocore calls it, or ``*``.
    times
        How many calls get it; ``None`` for all, until the faults are cleared.
    after
        How many calls go well first.
    """

    operation: str
    code: str
    service: str = "*"
    message: str = "Ordered at the engines' own endpoint."
    status: int = 400
    times: int | None = None
    after: int = 0

    def meets(self, service: str, operation: str) -> bool:
        """Say whether a call is one of those to fail.

        Parameters
        ----------
        service, operation
            The call.
        """
        return self.service in ("*", service) and self.operation in ("*", operation)


@dataclass(frozen=True)
class Pace:
    """How slow the engines are to be, where AWS is slower than they.

    Parameters
    ----------
    start_seconds
        From ``RunJobFlow`` to the first bootstrap action, and of an application while it is starting.
    log_delay_seconds
        From the end of a step or job run to its logs being in S3. With 0 they are there before its state says
        that it has ended.
    timeout_factor
        What time-outs whose least is a minute are multiplied with: of idle clusters and applications, and of
        job runs.
    """

    start_seconds: float = 0.0
    log_delay_seconds: float = 0.0
    timeout_factor: float = 1.0


@dataclass
class Control:
    """What was ordered at the engines' own endpoint."""

    pace: Pace = field(default_factory=Pace)
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_fault(self, given: dict[str, Any]) -> None:
        """Order a fault.

        Parameters
        ----------
        given
            The members of `Fault`.

        Raises
        ------
        ValueError
            If they are not.
        """
        known = {known.name for known in fields(Fault)}
        if unknown := sorted(given.keys() - known):
            raise ValueError(f"A fault has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        if missing := sorted({"operation", "code"} - given.keys()):
            raise ValueError(f"A fault needs {', '.join(missing)}.")
        with self._lock:
            self._faults.append(Fault(**given))

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are still to come."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear_faults(self) -> None:
        """Order no more faults."""
        with self._lock:
            self._faults.clear()

    def check(self, service: str, operation: str) -> None:
        """Let a call pass, or answer it with the first fault that meets it.

        Parameters
        ----------
        service, operation
            The call.

        Raises
        ------
        Refusal
            The fault.
        """
        with self._lock:
            for fault in self._faults:
                if not fault.meets(service, operation):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                raise Refusal(fault.code, fault.message, fault.status)

    def set_pace(self, given: dict[str, Any]) -> Pace:
        """Change how slow the engines are.

        Parameters
        ----------
        given
            Members of `Pace`; the others stay.

        Returns
        -------
        Pace

        Raises
        ------
        ValueError
            If one is unknown or not a number of at least 0.
        """
        known = {known.name for known in fields(Pace)}
        for name, value in given.items():
            if (
                name not in known
                or isinstance(value, bool)
                or not isinstance(value, int | float)
                or value < 0
            ):
                raise ValueError(f"{name} = {value!r} is no setting; there are {', '.join(sorted(known))}.")
        with self._lock:
            self.pace = replace(self.pace, **given)
        return self.pace
