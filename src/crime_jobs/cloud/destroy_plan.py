"""What destroy would remove, in which order, and what it keeps and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from crime_jobs.cloud import destroy_stacks
from crime_jobs.cloud.inventory import Inventory, Row
from crime_jobs.cloud.inventory_asking import Asking, Unasked
from crime_jobs.cloud.kinds import KINDS
from crime_jobs.cloud.kinds_account import KEY_DAYS
from crime_jobs.cloud.kinds_base import GLOBAL, Phase
from crime_jobs.errors import WrongUsage

#: What services make while an environment goes. Nothing else is removed that was not in the plan: it may
#: be data, such as the snapshot that a database leaves when its stack goes.
TURNS_UP = frozenset({"log group", "network interface", "volume"})

#: Why what is protected stays.
PROTECTED = "protected; --lift-protection takes that off"

#: Kinds that may be sealed with a key and whose lists do not say so. Each would have to be asked about,
#: which is done of the project's only: an account may have thousands.
UNSEEN = ("bucket", "table", "table backup", "stream", "delivery stream", "topic", "queue")

Key = tuple[str, str, str]

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
    unasked
        What could not be asked: there may be more.
    seen
        All that was there when it was made, by `key_of`, whosever.
    """

    environment: str
    remove: list[Row]
    keep: list[tuple[Row, str]]
    stuck: list[tuple[Row, str]]
    importing: destroy_stacks.Importers
    unasked: list[Unasked] = field(default_factory=list)
    seen: frozenset[Key] = frozenset()

    def stacks(self) -> list[list[Row]]:
        """Return the stacks that go, in waves."""
        return destroy_stacks.waves([row for row in self.remove if row.kind.name == "stack"], self.importing)

    def lifted(self) -> list[Row]:
        """Return what is protected and goes all the same: somebody said so."""
        return [row for row in self.remove if row.found.protected]

    def protected_in(self, stack: Row, retained: Callable[[], set[str]]) -> list[Row]:
        """Return what is protected and goes with its stack; what the stack retains goes later.

        Parameters
        ----------
        stack
            The stack.
        retained
            Asks what it retains; only where something in it is protected.
        """
        held = [row for row in self.lifted() if row.claim.by == "stack" and _is_in(row, stack)]
        stays = retained() if held else set()
        return [row for row in held if not {row.found.id, row.found.arn, row.found.name} & stays]


def key_of(row: Row) -> Key:
    """Return what tells a row from all others: kind, id, region."""
    return row.kind.name, row.found.id, row.region


def plan(
    asking: Asking,
    inventory: Inventory,
    keep: Collection[str] = (),
    *,
    lift: bool = False,
    agreed: Plan | None = None,
    fails: Collection[Key] = (),
) -> Plan:
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
    agreed
        The plan that somebody agreed to, where it is under way: what it kept stays kept, and what it did
        not have is not removed, but for what `TURNS_UP`.
    fails
        What could not be removed at the last attempt: its key stays.

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
    if agreed is not None:
        _hold_to(agreed, rows, stays)
    _hold_keys(inventory, rows, stays, fails)
    _spread(asking, rows, stays, importing)
    here = [(row, stays[id(row)]) for row in rows if id(row) in stays]
    return Plan(
        environment,
        [row for row in rows if id(row) not in stays],
        [(row, why.text) for row, why in here if why.wished],
        [(row, why.text) for row, why in here if not why.wished],
        importing,
        inventory.unasked,
        frozenset(key_of(row) for row in inventory.rows),
    )


def _hold_to(agreed: Plan, rows: Iterable[Row], stays: dict[int, _Why]) -> None:
    """Let nothing go that was not agreed to."""
    told = {key_of(row): _Why(why, True) for row, why in agreed.keep}
    told |= {key_of(row): _Why(why, False) for row, why in agreed.stuck}
    goes = {key_of(row) for row in agreed.remove}
    for row in rows:
        key = key_of(row)
        if key in told:
            stays[id(row)] = told[key]
        elif key not in goes and (key in agreed.seen or row.kind.name not in TURNS_UP):
            stays.setdefault(id(row), _Why("turned up after the plan was agreed to", False))


def _hold_keys(
    inventory: Inventory, rows: Iterable[Row], stays: dict[int, _Why], fails: Collection[Key]
) -> None:
    """Keep keys of what stays, whosever it is, and those of which nobody knows what they seal."""
    environments = {row.claim.environment for row in rows}
    others = [
        row
        for row in inventory.rows
        if row.kind.phase is not Phase.KEYS
        and not row.found.going
        and (row.claim.environment not in environments or key_of(row) in fails)
    ]
    others += [row for row in inventory.strangers if not row.found.going]
    copies = {row.region: row for row in others if row.kind.name == "table backup"}
    copies |= {row.region: row for row in rows if row.kind.name == "table backup" and id(row) in stays}
    blind = {said.region: said.what for said in inventory.unasked if not said.missing}
    for key in [row for row in rows if row.kind.phase is Phase.KEYS]:
        what = blind.get(key.region) or blind.get(GLOBAL)
        sealed = next((row for row in others if row.found.key and _is_key(row.found.key, key)), None)
        if sealed is None:
            sealed = copies.get(key.region)  # a backup does not say its key
        if sealed is not None:
            why = f"what {sealed.kind.name} {sealed.found.name} holds may be sealed with it"
            stays.setdefault(id(key), _Why(why, False))
        elif what:
            stays.setdefault(id(key), _Why(f"what it seals is not known: {what} could not be asked", False))


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
        elif row.found.blind:
            stays[id(row)] = _Why(row.found.blind, False)
        elif row.found.protected and not (lift and row.kind.lift):
            stays[id(row)] = _Why(PROTECTED, False)
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
        for row, does, why in [*((row, "remove", _lifts(row)) for row in goes), *stays]
    ]


def _lifts(row: Row) -> str:
    return "protected: that is taken off" if row.found.protected else ""


def warnings(made: Plan) -> list[str]:
    """Say what somebody should know before he agrees to a plan.

    Parameters
    ----------
    made
        The plan.
    """
    said = []
    if lifted := made.lifted():
        said.append(f"Protection is taken off {_names(lifted)}, and they are removed.")
    if shut := [row for row, why in made.stuck if why == PROTECTED]:
        said.append(f"Protected, so it stays: {_names(shut)}. With --lift-protection that is taken off.")
    if keys := [row for row in made.remove if row.kind.name == "key"]:
        said.append(
            f"{len(keys)} keys are deleted in {KEY_DAYS} days: what they seal can't be read from now on, and "
            f"is lost then. Whether they seal any {', '.join(UNSEEN)} that is not the project's was not "
            "looked at, since lists of these don't say, nor services that hold nothing of the project. "
            "Until then `aws kms cancel-key-deletion` saves a key."
        )
    return said


def _names(rows: list[Row]) -> str:
    return ", ".join(f"{row.kind.name} {row.found.name}" for row in rows)
