"""What destroy would remove, in which order, and what it keeps and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from crime_jobs.cloud import destroy_stacks
from crime_jobs.cloud.inventory import Inventory, Row
from crime_jobs.cloud.inventory_asking import Asking
from crime_jobs.cloud.kinds import KINDS
from crime_jobs.errors import WrongUsage

_ORDER = {kind.name: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Parameters
    ----------
    environment
        Whose things.
    remove
        What goes, in the order in which it goes.
    keep
        What stays as somebody wished, and why.
    stuck
        What stays though nobody wished it, and why: it is protected, or nothing here removes it.
    importing
        Which stacks import from which.
    """

    environment: str
    remove: list[Row]
    keep: list[tuple[Row, str]]
    stuck: list[tuple[Row, str]]
    importing: destroy_stacks.Importers

    def stacks(self) -> list[list[Row]]:
        """Return the stacks that go, in waves."""
        return destroy_stacks.waves([row for row in self.remove if row.kind.name == "stack"], self.importing)


def plan(asking: Asking, inventory: Inventory, keep: Collection[str] = (), *, lift: bool = False) -> Plan:
    """Decide what goes and what stays.

    Only what is the environment's goes: not what is another one's, nor what nothing says the environment of.

    Parameters
    ----------
    asking
        The services.
    inventory
        What there is.
    keep
        What is to be kept, as ``KIND:NAME``; beside what is tagged ``keep=true``.
    lift
        Whether protections are taken off.

    Returns
    -------
    Plan

    Raises
    ------
    WrongUsage
        If nothing is called as ``keep`` says: a slip of the hand would cost what it was to save.
    """
    environment = asking.settings.env
    rows = sorted(inventory.of(environment), key=lambda row: (row.kind.phase, _ORDER.get(row.kind.name, 999)))
    unknown = sorted(set(keep) - {row.key for row in inventory.rows})
    if unknown:
        raise WrongUsage(
            f"Nothing of the project is {unknown[0]!r}, which is to be kept.",
            hint="KIND:NAME as `crime-jobs inventory` shows them, for example bucket:crime-lake.",
        )
    importing = destroy_stacks.importers(asking, [row for row in rows if row.kind.name == "stack"])
    stays = _stays(rows, keep, lift=lift)
    _spread(asking, rows, stays, importing)
    here = [(row, stays[id(row)]) for row in rows if id(row) in stays]
    return Plan(
        environment,
        [row for row in rows if id(row) not in stays],
        [(row, why.text) for row, why in here if why.wished],
        [(row, why.text) for row, why in here if not why.wished],
        importing,
    )


@dataclass(frozen=True)
class _Why:
    text: str
    wished: bool


def _stays(rows: Iterable[Row], keep: Collection[str], *, lift: bool) -> dict[int, _Why]:
    stays = {}
    for row in rows:
        if row.is_kept:
            stays[id(row)] = _Why("tagged keep=true", True)
        elif row.key in keep:
            stays[id(row)] = _Why("--keep", True)
        elif row.found.protected and not (lift and row.kind.lift):
            stays[id(row)] = _Why("protected; --lift-protection takes that off", False)
        elif row.kind.remove is None and row.kind.name != "stack":
            stays[id(row)] = _Why("nothing here removes it: by hand", False)
    return stays


def _spread(
    asking: Asking, rows: list[Row], stays: dict[int, _Why], importing: destroy_stacks.Importers
) -> None:
    """Keep what would take with it what is kept: its stack, the key of what it holds, what it belongs to."""
    stacks = {(row.region, row.found.name): row for row in rows if row.kind.name == "stack"}
    retained: dict[str, set[str]] = {}

    def holds(stack: Row, row: Row) -> bool:
        """Whether deleting the stack would delete what is in it."""
        if stack.found.id not in retained:
            retained[stack.found.id] = destroy_stacks.retained(asking, stack)
        return not {row.found.id, row.found.arn, row.found.name} & retained[stack.found.id]

    before = -1
    while before != len(stays):
        before = len(stays)
        for row in [row for row in rows if id(row) in stays]:
            why = stays[id(row)]
            for other, text in _hangs_together(row, rows, stacks, importing, holds):
                stays.setdefault(id(other), _Why(text, why.wished))


def _hangs_together(
    row: Row,
    rows: list[Row],
    stacks: dict[tuple[str, str], Row],
    importing: destroy_stacks.Importers,
    holds: Callable[[Row, Row], bool],
) -> Iterable[tuple[Row, str]]:
    name = f"{row.kind.name} {row.found.name}"
    if row.kind.name == "stack":
        yield from ((one, f"in stack {row.found.name}") for one in rows if _is_in(one, row))
        for exporter, takers in importing.items():
            if (row.region, row.found.name) in takers and exporter in stacks:
                yield stacks[exporter], f"stack {row.found.name} imports from it"
        return
    for stack in stacks.values():
        if row.claim.by == "stack" and _is_in(row, stack) and holds(stack, row):
            yield stack, f"would take {name} with it"
    for one in rows:
        ids = {part for part in (one.found.id, one.found.arn, one.found.name) if part}
        if row.found.key and one.kind.name in {"key", "key alias"} and _is_key(row.found.key, one):
            yield one, f"what {name} holds is sealed with it"
        if row.found.part_of in ids or (
            one.found.part_of and one.found.part_of in {row.found.id, row.found.arn}
        ):
            yield one, f"belongs with {name}"


def _is_in(row: Row, stack: Row) -> bool:
    same = row.region == stack.region or row.kind.everywhere
    return same and row.kind.name != "stack" and row.claim.stack == stack.found.name


def _is_key(said: str, key: Row) -> bool:
    bare = said.rpartition("/")[2] if ":key/" in said else said
    return bare in {key.found.id, key.found.name, key.found.arn} or said == key.found.arn


def rows_of(made: Plan) -> list[dict[str, Any]]:
    """Return a plan for people, in the order in which it is done.

    Parameters
    ----------
    made
        The plan.

    Returns
    -------
    list of dict
        What is done with each: ``remove``, ``keep``, or ``stays``.
    """
    stays = [(row, "keep", why) for row, why in made.keep] + [(row, "stays", why) for row, why in made.stuck]
    order = {row.found.id: number for number, wave in enumerate(made.stacks()) for row in wave}
    goes = sorted(made.remove, key=lambda row: (row.kind.phase, order.get(row.found.id, 0)))
    return [
        {
            "kind": row.kind.name,
            "name": row.found.name,
            "region": row.region,
            "stack": row.claim.stack or None,
            "by": row.claim.by,
            "usd_a_month": row.found.cost.usd,
            "state": row.found.state,
            "does": does,
            "why": why,
        }
        for row, does, why in [*((row, "remove", "") for row in goes), *stays]
    ]
