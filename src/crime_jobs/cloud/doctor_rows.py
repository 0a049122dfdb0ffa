"""How the doctor's findings are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from crime_jobs.cloud.doctor import Finding, State

_BAD = (State.FAILED, State.WARNING)
_WORST_FIRST = (State.FAILED, State.WARNING, State.OK, State.NOT_CHECKED)


class _Same(NamedTuple):
    """What several things have in common, and is said of them once."""

    state: State
    found: tuple[str, ...]
    do: tuple[str, ...] = ()


def condensed(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings for people: the worst first, what is the same said once, and of it what is not good.

    Parameters
    ----------
    findings
        The findings, check by check.

    Returns
    -------
    list of dict
        ``state``, ``what``, ``found`` and ``do``.
    """
    rows: dict[_Same, list[str]] = {}
    for one in findings:
        said = one.said
        if said.state is not State.OK:
            found = tuple(text for of, text in said.remarks if of in _BAD or said.state not in _BAD)
            name = f"{one.check}: {one.subject}" if one.subject else one.check
            rows.setdefault(_Same(said.state, found, tuple(said.do)), []).append(name)
    for same, check in _good(findings):
        rows.setdefault(same, []).append(check)
    shown = sorted(rows.items(), key=lambda row: _WORST_FIRST.index(row[0].state))
    return [
        {"state": same.state.value, "what": what, "found": list(same.found), "do": list(same.do)}
        for same, what in shown
    ]


def _good(findings: Sequence[Finding]) -> list[tuple[_Same, str]]:
    """Return what is good, check by check: how many things, or what of the one."""
    checks: dict[str, list[Finding]] = {}
    for one in findings:
        if one.said.state is State.OK:
            checks.setdefault(one.check, []).append(one)
    found = []
    for check, those in checks.items():
        texts = tuple(text for _, text in those[0].said.remarks)
        found.append((_Same(State.OK, texts if len(those) == 1 else (f"{len(those)} looked at",)), check))
    return found


def summary(findings: Sequence[Finding]) -> str:
    """Count findings by state, the worst first.

    Parameters
    ----------
    findings
        The findings.

    Returns
    -------
    str
        ``1 failed, 3 warning, 20 ok, 2 not checked``.
    """
    counts = {state: sum(one.said.state is state for one in findings) for state in State}
    return ", ".join(f"{counts[state]} {state.value}" for state in _WORST_FIRST if counts[state])
