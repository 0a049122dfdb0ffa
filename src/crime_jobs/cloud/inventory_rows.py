"""An inventory for people: rows, sums, and what could not be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crime_jobs.cloud import prices
from crime_jobs.cloud.inventory import Inventory, Row
from crime_jobs.cloud.inventory_asking import Unasked

if TYPE_CHECKING:
    from crime_jobs.cloud.destroy import Outcome

_FEW = 3


def rows_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return rows as `crime_jobs.output.show` takes them.

    Parameters
    ----------
    rows
        Of an inventory.

    Returns
    -------
    list of dict
        ``by`` says why it counts; ``usd_a_month`` is ``None`` where ``based_on`` says that it is unknown.
    """
    return [
        {
            "kind": row.kind.name,
            "name": row.found.name,
            "region": row.region,
            "since": f"{row.found.since:%Y-%m-%d %H:%M}" if row.found.since else None,
            "stack": row.claim.stack or None,
            "environment": row.claim.environment,
            "by": row.claim.by,
            "usd_a_month": row.found.cost.usd,
            "based_on": row.found.cost.based_on,
            "state": ", ".join(_state(row)),
        }
        for row in rows
    ]


def _state(row: Row) -> Iterator[str]:
    if row.found.state:
        yield row.found.state
    if row.found.going:
        yield row.found.going
    if row.found.protected:
        yield "protected"
    if row.is_kept:
        yield "kept"


def sum_of(rows: Sequence[Row]) -> str:
    """Return what rows cost together, as a sentence."""
    known = [row.found.cost.usd for row in rows if row.found.cost.usd is not None]
    unknown = len(rows) - len(known)
    also = f"; of {unknown} it is not known beforehand" if unknown else ""
    return (
        f"{len(rows)} resources, {sum(known):,.2f} USD a month at least{also} "
        f"(list prices of us-east-1, {prices.AS_OF})."
    )


def notes(inventory: Inventory, rows: Sequence[Row], environment: str) -> list[str]:
    """Return what is to be known beside the rows: what could not be asked, and what is in no stack.

    Parameters
    ----------
    inventory
        The inventory.
    rows
        Those of it that are shown.
    environment
        Whose they are.
    """
    said = unheard(inventory.unasked)
    loose = [
        row for row in rows if row.claim.by == "tag" and not row.claim.stack and row.kind.name != "stack"
    ]
    if loose:
        said.append(f"Tagged, but in no stack: {len(loose)} of {len(rows)}.")
    mine = [row for row in inventory.rows if row.claim.environment == environment and row not in rows]
    said += [f"{row.kind.name.capitalize()} {row.found.name} {row.found.going}." for row in mine]
    nobody = [row for row in inventory.rows if row.claim.environment is None]
    if nobody:
        said.append(
            f"The project's, but nothing says of which environment: {_names(nobody)}. "
            "`crime-jobs destroy` leaves them, --all-environments shows them; "
            "the tag environment would say it."
        )
    return said


def _names(rows: Sequence[Row]) -> str:
    names = ", ".join(f"{row.kind.name} {row.found.name}" for row in rows[:_FEW])
    return f"{names} and {len(rows) - _FEW} more" if len(rows) > _FEW else names


def sentences(outcome: Outcome) -> Iterator[str]:
    """Say what became of a destroy.

    Parameters
    ----------
    outcome
        What `crime_jobs.cloud.destroy.Destruction` gave.

    Yields
    ------
    str
        A sentence.
    """
    yield f"{outcome.removed} resources are removed."
    for row, why in outcome.keep:
        yield f"Kept: {row.kind.name} {row.found.name} ({why})."
    for row, why in outcome.stuck:
        yield f"Stays: {row.kind.name} {row.found.name} ({why})."
    for row in outcome.going:
        yield f"{row.kind.name.capitalize()} {row.found.name} {row.found.going}.{_saving(row)}"
    if outcome.others:
        yield f"Nothing says of which environment, so left alone: {_names(outcome.others)}."
    yield from unheard(outcome.unasked)
    if not outcome.left and not outcome.stopped:
        yield "The inventory shows nothing more that was to go."


def _saving(row: Row) -> str:
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html: it is disabled then.
    if row.kind.name != "key":
        return ""
    which = f"--region {row.region} --key-id {row.found.id}"
    return f" To save it: `aws kms cancel-key-deletion {which} && aws kms enable-key {which}`."


def unheard(unasked: Iterable[Unasked]) -> list[str]:
    """Say what could not be asked, once for all regions that say the same.

    Parameters
    ----------
    unasked
        Of an inventory.
    """
    return [
        f"Could not be asked: {_listed(what)} of {service} in {_where(where)}: {why}."
        for (service, where, why), what in _together(unasked).items()
    ]


def _together(unasked: Iterable[Unasked]) -> dict[tuple[str, tuple[str, ...], str], list[str]]:
    """Say once what several regions say alike, and once what is said of several kinds."""
    regions: dict[tuple[str, str, str], list[str]] = {}
    for one in unasked:
        regions.setdefault((one.service, one.what, one.why), []).append(one.region)
    kinds: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for (service, what, why), where in regions.items():
        kinds.setdefault((service, tuple(sorted(where)), why), []).append(what)
    return kinds


def _where(regions: Sequence[str]) -> str:
    return ", ".join(regions) if len(regions) <= _FEW else f"{len(regions)} regions"


def _listed(what: Sequence[str]) -> str:
    return ", ".join([what[0], *(one.removeprefix("each ") for one in what[1:])])
