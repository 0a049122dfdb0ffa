"""What exists of the project, where, since when, and what it costs a month: asked of the services themselves.

The tagging service is blind to some kinds (schedules, aliases, subscriptions, retained snapshots) and lags
behind the others, so it is asked last, for what no service here was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud import kinds_stacks, prices
from crime_jobs.cloud.inventory_asking import (
    SERVICES_AT_ONCE,
    Asking,
    Unasked,
    is_there,
    side_by_side,
    unasked,
)
from crime_jobs.cloud.inventory_claims import (
    KEEP_TAG,
    PROJECT,
    STACK_ID_TAG,
    Claim,
    Names,
    Stacks,
    claim,
    names_of,
    settle,
)
from crime_jobs.cloud.kinds import KINDS, by_service
from crime_jobs.cloud.kinds_base import GLOBAL, Found, Kind, Phase, items, tag_map
from crime_jobs.errors import AwsRefused, WrongUsage

#: What the tagging service knows and no kind here covers.
OTHER = Kind("other", "resourcegroupstaggingapi", lambda _: iter(()))
_ORDER = {kind.name: number for number, kind in enumerate((*KINDS, OTHER))}
#: How ARNs call services that boto3 calls otherwise.
_IN_ARNS = {
    "emr": "elasticmapreduce",
    "stepfunctions": "states",
    "kinesisanalyticsv2": "kinesisanalytics",
}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A resource of the project.

    Parameters
    ----------
    kind, found
        What it is.
    region
        Where; `GLOBAL` for what has no region.
    claim
        Why it counts.
    """

    kind: Kind
    found: Found
    region: str
    claim: Claim

    @property
    def key(self) -> str:
        """What ``--keep`` calls it."""
        return f"{self.kind.name}:{self.found.name}"

    @property
    def made_in(self) -> str:
        """The region; of what has none that of the stack that made it, where its tags say that."""
        stack = (self.found.tags or {}).get(STACK_ID_TAG, "")
        return stack.split(":")[3] if self.region == GLOBAL and stack.count(":") > 3 else self.region  # noqa: PLR2004

    @property
    def is_kept(self) -> bool:
        """Whether its tag says that it is to be kept."""
        return (self.found.tags or {}).get(KEEP_TAG, "").lower() == "true"


@dataclass(frozen=True)
class Inventory:
    """What there is.

    Parameters
    ----------
    rows
        The project's resources.
    unasked
        What could not be asked: there may be more.
    regions
        Where was looked.
    strangers
        What is nobody's of the project and says which KMS key it is sealed with: the key may be ours.
    """

    rows: list[Row]
    unasked: list[Unasked]
    regions: list[str]
    strangers: list[Row] = field(default_factory=list)

    def shown(self, environment: str, *, others: bool = False) -> list[Row]:
        """Return what an environment's inventory shows: its own, without keys that wait for their deletion.

        Parameters
        ----------
        environment
            Its name.
        others
            Whether to show all of the project: other environments', and what nothing says the environment of.
        """
        if others:
            return self.rows
        mine = [row for row in self.rows if row.claim.environment == environment]
        return [row for row in mine if not (row.found.going and row.kind.phase is Phase.KEYS)]

    def of(self, environment: str) -> list[Row]:
        """Return what is one environment's where was looked, without what is going already.

        S3 lists the buckets of all regions, IAM what stacks of all have made, and in another region an
        environment may have the same name.
        """
        mine = [row for row in self.rows if row.claim.environment == environment and not row.found.going]
        return [row for row in mine if row.made_in in (GLOBAL, *self.regions)]


def take(asking: Asking, *, everywhere: bool = False, tell: Tell = lambda _: None) -> Inventory:
    """Ask all services what exists, and keep what counts as the project's.

    Parameters
    ----------
    asking
        The services.
    everywhere
        Whether to look into every region that the account has switched on.
    tell
        Hears what is being done.

    Returns
    -------
    Inventory
        Of all environments, those that nothing names included.

    Raises
    ------
    AwsRefused
        If not even the regions are told.
    """
    try:
        return _taken(asking, tell, everywhere=everywhere)
    except KeyboardInterrupt:  # threads would go on asking
        asking.stop()
        raise


def _taken(asking: Asking, tell: Tell, *, everywhere: bool) -> Inventory:
    names = names_of(asking.settings)
    regions = asking.regions() if everywhere else [asking.home]
    tell(f"Asking {len(by_service())} services in {len(regions)} region{'s' * (len(regions) > 1)}")
    found, unlisted = _everything(asking, regions)
    tell("Reading what the stacks hold")
    known, unread = _stacks(asking, found, names)
    found = _blind(found, known, unlisted, unread)
    rows = _claimed(found, names, known, asking.home)
    strangers = _strangers(found, rows)
    tell(f"Looking at {len(rows)} resources")
    rows, unlooked = _looked_at(asking, rows)
    others, untold = _others(asking, regions, found, unlisted)
    rows = sorted([*rows, *others], key=lambda row: (row.region, _ORDER[row.kind.name], row.found.name))
    return Inventory(rows, [*unlisted, *unread, *unlooked, *untold], regions, strangers)


def _strangers(found: list[tuple[Kind, Found, str]], rows: list[Row]) -> list[Row]:
    ours = {(row.kind.name, row.found.id, row.region) for row in rows}
    return [
        Row(kind, one, region, Claim("nobody", None))
        for kind, one, region in found
        if one.key and (kind.name, one.id, region) not in ours
    ]


def _everything(
    asking: Asking, regions: Iterable[str]
) -> tuple[list[tuple[Kind, Found, str]], list[Unasked]]:
    tasks = []
    for kinds in by_service().values():
        tasks += [([kind for kind in kinds if not kind.everywhere], region) for region in regions]
        tasks.append(([kind for kind in kinds if kind.everywhere], GLOBAL))
    tasks = [(kinds, region) for kinds, region in tasks if kinds]
    answers = side_by_side(lambda task: (task[1], asking.everything(*task)), tasks, SERVICES_AT_ONCE)
    found = [(kind, one, one.region or region) for region, (listed, _) in answers for kind, one in listed]
    return found, [said for _, (_, some) in answers for said in some]


def _stacks(
    asking: Asking, found: Iterable[tuple[Kind, Found, str]], names: Names
) -> tuple[Stacks, list[Unasked]]:
    """Find the project's stacks, whose they are, and what they hold."""
    (kind,) = kinds_stacks.KINDS
    known, ours = Stacks(), []
    for one, stack, region in found:
        if one is kind and (said := claim(kind, stack, region, names, Stacks(), asking.home)):
            # A stack that was made by hand says in its parameter what others say in a tag.
            known.environments[region, stack.name] = said.environment or stack.more["environment"] or None
            ours.append((stack, region))

    def read(task: tuple[Found, str]) -> tuple[list[tuple[str, str]], Unasked | None]:
        stack, region = task
        try:
            with aws.refusals(f"Reading what stack {stack.name} holds"):
                return list(kinds_stacks.resources(asking.place(kind, region), stack)), None
        except (AwsRefused, WrongUsage) as error:
            return [], unasked(kind, region, error, f"what stack {stack.name} holds")

    answers = side_by_side(read, ours, SERVICES_AT_ONCE)
    for (stack, region), (held, _) in zip(ours, answers, strict=True):
        for type_name, physical in held:
            known.hold(region, stack.name, type_name, physical)
    return known, [said for _, said in answers if said]


def _blind(
    found: list[tuple[Kind, Found, str]], known: Stacks, unlisted: list[Unasked], unread: list[Unasked]
) -> list[tuple[Kind, Found, str]]:
    """Mark the stacks whose deletion would take what nobody saw: it may be tagged as to be kept."""
    types = {
        (said.region, kinds_stacks.TYPES.get(said.what.removeprefix("each "), ""))
        for said in unlisted
        if not said.missing
    }
    holding = {
        stack
        for (_, type_name, _), stack in known.resources.items()
        if (stack[0], type_name) in types or (GLOBAL, type_name) in types
    }
    mute = {(said.region, said.what) for said in unread}

    def marked(kind: Kind, one: Found, region: str) -> Found:
        if kind.name != "stack":
            return one
        is_mute = (region, f"what stack {one.name} holds") in mute
        is_blind = is_mute or (region, one.name) in holding
        return replace(one, blind="what it holds could not be read") if is_blind else one

    return [(kind, marked(kind, one, region), region) for kind, one, region in found]


def _claimed(found: list[tuple[Kind, Found, str]], names: Names, known: Stacks, home: str) -> list[Row]:
    rows, parts = [], []
    for kind, one, region in found:
        # What goes with something else counts because that does: a topic's subscription.
        if one.part_of:
            parts.append((kind, one, region))
        elif said := _claim_of(kind, one, region, names, known, home):
            rows.append(Row(kind, one, region, said))
    wholes = {whole for row in rows for whole in (row.found.arn, row.found.id) if whole}
    for kind, one, region in parts:
        alone = one.part_of not in wholes and claim(kind, one, region, names, known, home)
        if alone:
            rows.append(Row(kind, one, region, alone))
    # A key says nothing of who is there: it outlives its environment by a month.
    told = {
        (row.claim.environment, row.region)
        for row in rows
        if row.claim.by in {"tag", "stack"} and row.kind.name != "key"
    }
    right = settle([(row.claim, row.found.name) for row in rows], told, names, home)
    for number, environment in right.items():
        rows[number] = replace(rows[number], claim=replace(rows[number].claim, environment=environment))
    return rows + _parts(rows, parts)


def _parts(rows: list[Row], parts: list[tuple[Kind, Found, str]]) -> list[Row]:
    """Give what goes with something else the claim of that."""
    wholes = {whole: row for row in rows for whole in (row.found.arn, row.found.id) if whole}
    found = []
    for kind, one, region in parts:
        if whole := wholes.get(one.part_of):
            said = replace(whole.claim, by="part")
            same = replace(one, tags=whole.found.tags, blind=whole.found.blind)
            found.append(Row(kind, same, region, said))
    return found


def _claim_of(kind: Kind, one: Found, region: str, names: Names, known: Stacks, home: str) -> Claim | None:
    said = claim(kind, one, region, names, known, home)
    if said and kind in kinds_stacks.KINDS:
        return replace(said, environment=known.environments.get((region, one.name)), stack="")
    return said


def _looked_at(asking: Asking, rows: list[Row]) -> tuple[list[Row], list[Unasked]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        where = GLOBAL if row.kind.everywhere else row.region
        groups.setdefault((row.kind.name, where), []).append(row)

    def look(group: list[Row]) -> tuple[list[Row], list[Unasked]]:
        kind = group[0].kind
        before = {(row.found.id, row.region): row for row in group}
        seen, unseen = asking.looked_at(kind, group[0].region, [row.found for row in group])
        rows = [replace(before[one.id, one.region or group[0].region], found=one) for one in seen]
        return [row for row in rows if row.kind.everywhere or is_there(row.found, row.region)], unseen

    answers = side_by_side(look, groups.values(), SERVICES_AT_ONCE)
    return [row for some, _ in answers for row in some], [said for _, some in answers for said in some]


def _others(
    asking: Asking, regions: list[str], found: list[tuple[Kind, Found, str]], unlisted: list[Unasked]
) -> tuple[list[Row], list[Unasked]]:
    """Ask the tagging service for what is tagged as ours and of a service that was not asked."""
    asked = {_IN_ARNS.get(kind.service, kind.service) for kind in KINDS}
    asked -= {_IN_ARNS.get(said.service, said.service) for said in unlisted if said.what.startswith("each ")}
    known = {arn for _, one, _ in found for arn in (one.arn, one.id)}

    def ask(region: str) -> tuple[list[Row], list[Unasked]]:
        try:
            with aws.refusals("Asking the tagging service"):
                return list(_tagged(asking.client(OTHER.service, region), region, asked, known)), []
        except (AwsRefused, WrongUsage) as error:
            return [], [unasked(OTHER, region, error, "what else is tagged")]

    answers = side_by_side(ask, regions, SERVICES_AT_ONCE)
    return [row for rows, _ in answers for row in rows], [said for _, some in answers for said in some]


def _tagged(client: Any, region: str, asked: set[str], known: set[str]) -> Iterator[Row]:
    request = {"TagFilters": [{"Key": "project", "Values": [PROJECT]}]}
    for one in items(client, "get_resources", "ResourceTagMappingList", **request):
        arn, tags = one["ResourceARN"], tag_map(one["Tags"])
        if arn not in known and arn.split(":")[2] not in asked:
            name = arn.split(":", 5)[5]
            state = f"{arn.split(':')[2]}, as the tagging service says"
            about = Found(name, arn, arn, tags=tags, state=state, cost=prices.UNPRICED)
            yield Row(OTHER, about, region, Claim("tag", tags.get("environment")))
