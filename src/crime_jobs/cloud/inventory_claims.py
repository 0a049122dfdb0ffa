"""What counts as the project's, and as whose environment's: by its stack, its tags, or its name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crime_jobs.cloud import stacks
from crime_jobs.cloud.kinds_base import GLOBAL, Found, Kind
from crime_jobs.cloud.kinds_stacks import TYPES
from crime_jobs.model import faces, legacy, streams
from crime_jobs.model.faces import FaceSettings
from crime_jobs.model.names import DATABASE, LEDGER
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings

PROJECT = stacks.NAME
#: CloudFormation's own tag on what it made; it stays on what a stack left behind
#: (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-add-tags.html).
STACK_TAG, STACK_ID_TAG = "aws:cloudformation:stack-name", "aws:cloudformation:stack-id"
KEEP_TAG = "keep"

#: What services put before a name where they call a log group after something.
_BEFORE = re.compile(r"^(?:/aws/(?:vendedlogs/)?[\w-]+/|alias/|arn:.*[:/])")
#: What may follow a name of ours in a longer one that is made of it.
_SEPARATORS = "-_./:"


@dataclass(frozen=True)
class Claim:
    """Why something counts as the project's.

    Parameters
    ----------
    by
        ``stack``, ``tag``, ``name``, or ``part`` of what counts itself.
    environment
        Whose it is; ``None`` where nothing says it.
    stack
        The stack that it is in, or was.
    """

    by: str
    environment: str | None
    stack: str = ""


@dataclass(frozen=True)
class Names:
    """What an environment calls things.

    Parameters
    ----------
    environment
        Its name.
    exact
        Names that its settings give to what is made for it, by kind.
    pointed
        Names of what its settings only point at: a landing may be somebody's who lets us read it.
    begins
        What only its names begin with.
    begins_at_home
        What only its names begin with in its own region; elsewhere another environment may use the same.
    telling
        What names begin with that no other environment has: the project's or ``deploy.name``, with its own.
    ours
        What names begin with that may be the project's: such a name alone does not say whose it is.
    others
        Other environments that the settings have sections of: what ``dev-2`` has, its tags may not tell.
    """

    environment: str
    exact: Mapping[str, frozenset[str]]
    pointed: Mapping[str, frozenset[str]]
    begins: tuple[str, ...]
    begins_at_home: tuple[str, ...]
    telling: tuple[str, ...]
    ours: tuple[str, ...]
    others: frozenset[str] = frozenset()

    def claim(self, kind: str, name: str, *, at_home: bool = True) -> Claim | None:
        """Tell whether a name is one of the project's.

        Parameters
        ----------
        kind
            Of what: a table's name is no bucket's.
        name
            Its name.
        at_home
            Whether it is in the environment's region. Elsewhere ``fir_events`` may be another environment's.
        """
        bare = _BEFORE.sub("", name)
        known = self.exact.get(kind, frozenset())
        is_known = name in known or bare in known
        begins = (*self.begins, *(self.begins_at_home if at_home else ()))
        if (is_known and at_home) or any(_begins(bare, begin) for begin in begins):
            return Claim("name", self.environment)
        if is_known or name in self.pointed.get(kind, ()):
            return Claim("name", None)
        if any(_begins(bare, begin) for begin in (*self.begins_at_home, *self.ours, *known)):
            return Claim("name", None)
        return None


def _begins(name: str, begin: str) -> bool:
    return name.startswith(begin) and (len(name) == len(begin) or name[len(begin)] in _SEPARATORS)


def names_of(settings: Settings) -> Names:
    """Gather what an environment's settings call things.

    Parameters
    ----------
    settings
        The settings.

    Returns
    -------
    Names

    Raises
    ------
    WrongUsage
        If a table of the settings can't be read.
    """
    flow, face, told = streams.of(settings.stream), faces.of(settings.faces), stacks.told(settings)

    def made(table: StreamSettings | FaceSettings, *keys: str) -> list[str]:
        """Names that the settings give; of an environment with a prefix those only that somebody wrote."""
        return [getattr(table, key) for key in keys if not told.prefix or key in table.model_fields_set]

    # The consumer's library makes tables beside that of its leases, which begin with the application's name.
    application = made(flow, "application")
    tables = application + made(flow, "events_table", "identities_table", "alerts_table", "runs_table")
    tables += made(face, "people_table", "photographs_table", "leads_table", "audit_table")
    if told.prefix:  # the templates' own names
        flows = ("events_table", "identities_table", "alerts_table", "runs_table")
        lists = ("people_table", "photographs_table", "leads_table", "audit_table")
        tables += [f"{told.prefix}{getattr(flow, key)}" for key in flows if key not in flow.model_fields_set]
        tables += [f"{told.prefix}{getattr(face, key)}" for key in lists if key not in face.model_fields_set]
    tables += [f"{told.prefix}{legacy.target_name(table)}" for table in legacy.tables().values()]
    tables += [settings.ledger or f"{told.prefix}{LEDGER}"]
    delivery = [f"{name}-{what}" for name in made(flow, "name") for what in ("history", "redshift")]
    exact: dict[str, list[Any]] = {
        "table": tables,
        "table backup": tables,
        "stream": made(flow, "name", "counts"),
        "delivery stream": delivery,
        "log group": delivery,
        "queue": made(flow, "dead_letters"),
        "topic": made(flow, "topic"),
        "schedule group": [settings.schedule.get("group")],
        "key": made(flow, "key") + made(face, "key"),
        "redshift workgroup": made(flow, "redshift_workgroup"),
        "redshift namespace": made(flow, "redshift_workgroup"),
        "cluster": [settings.cluster.get("name")],
        "stack": [settings.quicksight.get("stack") or (told.prefix and f"{told.name}-quicksight")],
        "athena workgroup": [told.prefix and f"{told.prefix}{DATABASE}"],
        "glue database": [told.prefix and told.database],
    }
    chains, machines = settings.schedule, settings.cluster
    pointed: dict[str, list[Any]] = {
        "bucket": [
            _bucket(uri)
            for uri in (settings.landing, settings.lake, settings.artifacts, settings.logs, flow.history)
        ],
        "queue": [_last(chains.get("dead_letter_queue"))],
        "topic": [_last(settings.topic), _last(chains.get("topic"))],
        "role": [
            _last(arn)
            for arn in (
                settings.runtime_role,
                chains.get("role"),
                chains.get("machine_role"),
                machines.get("service_role"),
                machines.get("instance_profile"),
            )
        ],
        "instance profile": [_last(machines.get("instance_profile"))],
        "emr security configuration": [machines.get("security_configuration")],
        "secret": [settings.oracle_secret],
        "athena workgroup": [settings.sql.get("workgroup")],
        "glue database": [settings.sql.get("database")],
    }
    begins = (f"{PROJECT}-{settings.env}",)
    telling = (*begins, *((f"{told.name}-{settings.env}",) if told.prefix else ()))
    at_home = (*application, *telling)
    # A deploy.name is a word such as police: what only begins with it may be anybody's.
    ours = (PROJECT, *((told.name,) if told.prefix else ()))
    others = frozenset(settings.others)
    return Names(settings.env, _sets(exact), _sets(pointed), begins, at_home, telling, ours, others)


def _sets(names: Mapping[str, Iterable[Any]]) -> dict[str, frozenset[str]]:
    return {kind: frozenset(str(name) for name in found if name) for kind, found in names.items()}


def _bucket(uri: str | None) -> str | None:
    found = re.match(r"s3[an]?://([^/]+)", uri or "")
    return found[1] if found else None


def _last(arn: Any) -> str | None:
    return re.split(r"[:/]", str(arn))[-1] if arn else None


@dataclass(frozen=True)
class Stacks:
    """The project's stacks and what is in them.

    Parameters
    ----------
    environments
        Environment by region and stack name.
    resources
        Region and name of the stack, by region, type and physical id. Not by the id alone: a table in a stack
        has the name that somebody's stream may have too.
    """

    environments: dict[tuple[str, str], str | None] = field(default_factory=dict)
    resources: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)

    def hold(self, region: str, stack: str, kind: str, physical: str) -> None:
        """Note that a stack holds something; what has no region is looked for without one."""
        self.resources[region, kind, physical] = self.resources[GLOBAL, kind, physical] = (region, stack)

    def holding(self, region: str, kind: Kind, found: Found) -> tuple[str, str] | None:
        """Return region and name of the stack that something is in."""
        where = GLOBAL if kind.everywhere else region
        ids = [one for one in (found.id, found.arn, found.name) if one]
        keys = [(where, TYPES.get(kind.name, ""), one) for one in ids]
        return next((self.resources[key] for key in keys if key in self.resources), None)


def claim(kind: Kind, found: Found, region: str, names: Names, known: Stacks, home: str) -> Claim | None:
    """Tell why something counts as the project's, or that it doesn't.

    A stack says most; then its own tags, which speak before its name: what is tagged as another project's is
    not ours, whatever it is called.

    Parameters
    ----------
    kind, found, region
        What, and where.
    names
        What the environment calls things.
    known
        The project's stacks.
    home
        The environment's region.

    Returns
    -------
    Claim or None
    """
    tags = found.tags or {}
    if stack := known.holding(region, kind, found):
        return Claim("stack", known.environments.get(stack), stack[1])
    project, environment = tags.get("project"), tags.get("environment")
    by_name = names.claim(kind.name, found.name, at_home=region in (GLOBAL, home))
    left_by = tags.get(STACK_TAG, "")
    if project == PROJECT:
        return Claim("tag", environment or (by_name.environment if by_name else None), left_by)
    if project is not None:
        return None
    if (region, left_by) in known.environments:
        return Claim("stack", known.environments[region, left_by], left_by)
    if by_name and environment not in (None, by_name.environment):
        return Claim("name", environment)
    return by_name


def settle(
    claimed: Sequence[tuple[Claim, str]], told: Collection[tuple[str | None, str]], names: Names, home: str
) -> dict[int, str | None]:
    """Take back what a name alone gave to the environment, where it may be another one's.

    Of environments ``dev`` and ``dev-2``, ``crime-jobs-dev-2-x`` begins like the first one's things. And
    where another environment has things in the same region, a name that every environment has by default
    does not say whose it is: the lease table of its consumer has no tags.

    Parameters
    ----------
    claimed
        All that counts: its claim and name.
    told
        Environments that tags and stacks speak of, and the regions where.
    names
        What the environment calls things.
    home
        Its region.

    Returns
    -------
    dict
        The environment that is right, by the position in ``claimed``.
    """
    others = {env for env, _ in told if env not in (None, names.environment)} | names.others
    has_neighbour = any(env in others and region == home for env, region in told)
    right: dict[int, str | None] = {}
    for position, (said, name) in enumerate(claimed):
        if said.by != "name" or said.environment != names.environment:
            continue
        bare = _BEFORE.sub("", name)
        longer = [env for env in others if env and env.startswith(names.environment)]
        theirs = [env for env in longer if _begins(bare, f"{PROJECT}-{env}")]
        if theirs:
            right[position] = max(theirs, key=len)
        elif has_neighbour and not any(_begins(bare, begin) for begin in names.telling):
            right[position] = None
    return right
