"""Which stacks an environment has, their order, and where parameters come from: no name is typed twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from crime_jobs.cloud.stacks_template import Template
from crime_jobs.errors import WrongUsage
from crime_jobs.model import names
from crime_jobs.model.sections import read_table
from crime_jobs.settings import Settings

#: What names begin with that the jobs expect by default.
NAME = names.FIRST
#: No other name may begin so: the first environment's policies open tables and collections by that beginning.
_FIRSTS_OWN = "crime-"


@dataclass(frozen=True)
class Output:
    """A parameter that is an output of another stream's stack."""

    stream: str
    key: str


@dataclass(frozen=True)
class Text:
    """A parameter made of what is known: ``{name}``, ``{prefix}``, ``{env}`` and so on."""

    text: str


@dataclass(frozen=True)
class Used:
    """A parameter that says whether the environment has one of some streams: ``yes`` or ``no``."""

    streams: tuple[str, ...]


Source = Output | Text | Used


@dataclass(frozen=True)
class Stream:
    """A stream: one template, one stack.

    Parameters
    ----------
    name
        Its name, and its template's.
    does
        What it is, for people.
    takes
        Where its parameters come from, beside those that every template has.
    is_of_rights
        Whether it says what people and roles may. An administrator makes it, with his own rights and when it
        is asked for by name.
    """

    name: str
    does: str
    takes: Mapping[str, Source] = field(default_factory=dict)
    is_of_rights: bool = False


#: Parameters that mean the same in every template that has them.
_EVERYWHERE: Mapping[str, Source] = {
    "Name": Text("{name}"),
    "Environment": Text("{env}"),
    "TablePrefix": Text("{prefix}"),
    "Workgroup": Text("{prefix}crime"),
    "Database": Text("{database}"),
    "Email": Text("{email}"),
    "AlarmTopic": Output("notifications", "AlarmTopicArn"),
    "AccessLogBucket": Output("storage", "AccessLogBucket"),
}
_BUCKET = "{name}-{env}-%s-{account}"

#: In the order in which they are made. QuickSight has a command of its own, which fills its datasets too.
STREAMS: tuple[Stream, ...] = (
    Stream("deployment", "role and boundary that the rest is made with, who deploys", is_of_rights=True),
    Stream("access", "what the people may who run the environment", is_of_rights=True),
    Stream(
        "network",
        "VPC, private subnets, endpoints",
        {
            "UsedByEmr": Used(("emr",)),
            "UsedByMigration": Used(("migration",)),
            "UsedByFirs": Used(("firs", "analytics")),
            "UsedByAdhoc": Used(("adhoc",)),
            "UsedByFaces": Used(("faces",)),
        },
    ),
    Stream("storage", "landing, lake, and the trail of who touched FIRs and photographs"),
    Stream("notifications", "topic that hears of alarms"),
    Stream(
        "emr",
        "roles, security configuration, applications of EMR",
        {
            "LandingBucket": Output("storage", "LandingBucket"),
            "LakeBucket": Output("storage", "LakeBucket"),
            "DataKeyArn": Output("storage", "DataKeyArn"),
            "Vpc": Output("network", "VpcId"),
            "PrivateSubnet": Output("network", "SubnetA"),
            "EndpointGroup": Output("network", "EndpointGroupId"),
        },
    ),
    Stream(
        "schedules",
        "group, roles, dead letters and topic of schedules",
        {
            "ServiceRoleArn": Output("emr", "ServiceRoleArn"),
            "NodeRoleArn": Output("emr", "NodeRoleArn"),
            "RuntimeRoleArn": Output("emr", "RuntimeRoleArn"),
        },
    ),
    Stream(
        "migration",
        "the old Oracle, DMS, the ledger of migrations",
        {
            "LandingBucket": Output("storage", "LandingBucket"),
            "LogsBucket": Output("emr", "LogsBucketName"),
            "RuntimeRoleName": Output("emr", "RuntimeRoleName"),
            "EmrGroup": Output("emr", "CoreGroupId"),
            "OwnVpc": Output("network", "VpcId"),
            "OwnSubnets": Output("network", "SubnetIds"),
            "EndpointGroup": Output("network", "EndpointGroupId"),
        },
    ),
    Stream(
        "firs",
        "stream, tables, alerts, files and history of FIRs",
        {
            "Bucket": Text(_BUCKET % "firs"),
            "StreamName": Text("{prefix}fir-stream"),
            "Subnets": Output("network", "SubnetIds"),
            "RedshiftGroup": Output("network", "RedshiftGroupId"),
        },
    ),
    Stream(
        "analytics",
        "FIRs a minute, on Flink",
        {
            "Name": Text("{name}-fir-analytics"),
            "CodeBucket": Output("emr", "ArtifactsBucketName"),
            "CodeKeyArn": Output("emr", "LogKeyArn"),
            "InputStream": Output("firs", "StreamName"),
            "InputKeyArn": Output("firs", "KeyArn"),
            "OutputStream": Text("{prefix}fir-counts"),
            "SubnetIds": Output("network", "SubnetIds"),
            "SecurityGroupIds": Output("network", "JobsGroupId"),
        },
    ),
    Stream(
        "adhoc",
        "Athena's workgroup, and what an analyst may do",
        {
            "ResultsBucket": Text(_BUCKET % "questions"),
            "LakeBucket": Output("storage", "LakeBucket"),
            "LakeKey": Output("storage", "DataKeyArn"),
            "HistoryBucket": Output("firs", "BucketName"),
            "HistoryKey": Output("firs", "KeyArn"),
        },
    ),
    Stream("faces", "watch lists, leads and their audit", {"Bucket": Text(_BUCKET % "faces")}),
    Stream(
        "monitoring",
        "dashboard, alarms, budget",
        {
            "StreamName": Output("firs", "StreamName"),
            "DeadLetters": Output("firs", "DeadLettersName"),
            "NotStarted": Output("schedules", "NotStartedName"),
            "EventsTable": Output("firs", "EventsTable"),
            "AlertsTopic": Output("firs", "TopicName"),
        },
    ),
)


class DeploySettings(BaseModel):
    """The table ``[<environment>.deploy]`` of ``crime-jobs.toml``.

    Parameters
    ----------
    name
        What the names of roles, queues and buckets begin with. One other than ``crime-jobs`` begins tables,
        streams, Athena's workgroup and the database too, so that a second environment fits beside the first
        in one account and region.
    owner
        The tag ``owner`` of everything.
    email
        Who hears of alarms and of how chains end.
    streams
        What `crime-jobs deploy` makes when it is not told; by default all but those of rights.
    without
        Types that this environment does not make, for example ``AWS::EMR::*``.
    parameters
        Values of templates' parameters, a table a stream; they come before those that are known otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=NAME, pattern=r"^[a-z][a-z0-9-]{1,24}$")
    owner: str = Field(default="crime-department", pattern=r"^[A-Za-z0-9_ .:/=+@-]+$", max_length=256)
    email: str = ""
    streams: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    parameters: dict[str, dict[str, str | int]] = {}

    @field_validator("name")
    @classmethod
    def _leaves_the_first_its_own(cls, name: str) -> str:
        if name != NAME and name.startswith(_FIRSTS_OWN):
            raise ValueError(
                f"{name!r} begins with {_FIRSTS_OWN!r}, as only {NAME!r} may: the policies of an environment "
                "of that name would open this one's tables"
            )
        return name

    @property
    def prefix(self) -> str:
        """What tables and streams begin with: nothing for the names that the jobs expect by default."""
        return "" if self.name == NAME else f"{self.name}-"

    @property
    def database(self) -> str:
        """The database of the tables; the Glue catalogue takes no hyphen without quotes."""
        return f"{self.prefix}{names.DATABASE}".replace("-", "_")


def told(settings: Settings) -> DeploySettings:
    """Read the table ``deploy`` of an environment.

    Parameters
    ----------
    settings
        The settings.

    Returns
    -------
    DeploySettings

    Raises
    ------
    WrongUsage
        If it has a name that nothing is called by, or a value that can't be.
    """
    found = read_table(DeploySettings, "deploy", settings.deploy)
    chosen(found.streams)
    chosen(found.parameters)
    return found


def chosen(names: Iterable[str]) -> list[Stream]:
    """Return streams by name, in the order in which they are made.

    Parameters
    ----------
    names
        The names; none means all but those of rights.

    Raises
    ------
    WrongUsage
        If there is no stream of a name.
    """
    asked, known = set(names), {stream.name for stream in STREAMS}
    for name in sorted(asked - known):
        hint = f"There are {', '.join(stream.name for stream in STREAMS)}."
        if name == "quicksight":
            hint = "QuickSight has a command of its own: crime-jobs quicksight deploy."
        raise WrongUsage(f"There is no stream {name!r} to deploy.", hint=hint)
    return [one for one in STREAMS if one.name in asked or not (asked or one.is_of_rights)]


def stack_name(env: str, stream: str) -> str:
    """Return the name of a stream's stack in an environment."""
    return f"{NAME}-{env}-{stream}"


def tags(env: str, stream: str, owner: str) -> dict[str, str]:
    """Return the tags of a stack, which CloudFormation gives to whatever it makes that takes tags."""
    return {"project": NAME, "environment": env, "stream": stream, "owner": owner}


@dataclass(frozen=True)
class Known:
    """What parameters are made of.

    Parameters
    ----------
    settings
        The table ``deploy``.
    env, account
        Name of the environment, and number of the account.
    outputs
        Outputs of the stacks that are there, by stream.
    """

    settings: DeploySettings
    env: str
    account: str
    outputs: Mapping[str, Mapping[str, str]]

    def value(self, source: Source) -> str | None:
        """Return what a source gives; ``None`` if its stack is not there or has no such output."""
        if isinstance(source, Output):
            return self.outputs.get(source.stream, {}).get(source.key)
        told = self.settings
        if isinstance(source, Used):
            return "yes" if not told.streams or set(source.streams) & set(told.streams) else "no"
        return source.text.format(
            name=told.name,
            prefix=told.prefix,
            database=told.database,
            email=told.email,
            env=self.env,
            account=self.account,
        )


def source_of(stream: Stream, parameter: str) -> Source | None:
    """Return where a parameter of a stream comes from when nobody types it; ``None`` for its default."""
    return stream.takes.get(parameter, _EVERYWHERE.get(parameter))


def parameters(stream: Stream, template: Template, known: Known) -> tuple[dict[str, str], dict[str, Output]]:
    """Return a stack's parameters, and those that nothing gives yet.

    Parameters
    ----------
    stream
        The stream.
    template
        Its template; a parameter with a default may be without a source.
    known
        What they are made of.

    Returns
    -------
    tuple of dict
        Values by name; and for those that have none, the output of another stack that they come from.

    Raises
    ------
    WrongUsage
        If one has no value and nothing will give it one, or the section names one that is not there.
    """
    typed = known.settings.parameters.get(stream.name, {})
    if odd := sorted(typed.keys() - template.parameters.keys() - template_names(stream)):
        raise WrongUsage(
            f"The template of {stream.name} has no parameter {odd[0]!r}.",
            hint=f"It has {', '.join(template.parameters)}.",
        )
    values: dict[str, str] = {}
    missing: dict[str, Output] = {}
    for name, parameter in template.parameters.items():
        source = source_of(stream, name)
        value = str(typed[name]) if name in typed else known.value(source) if source else None
        if value is not None:
            values[name] = value
        elif "Default" in parameter:
            continue
        elif isinstance(source, Output):
            missing[name] = source
        else:
            about = parameter.get("Description", "no description")
            raise WrongUsage(
                f"Nothing says the parameter {name} of {stream.name} ({about.rstrip('.')}).",
                hint=f"Write it into [{known.env}.deploy.parameters.{stream.name}] of crime-jobs.toml, "
                "or name the streams to deploy without this one.",
            )
    return values, missing


def template_names(stream: Stream) -> set[str]:
    """Return the names of all parameters of a stream, also of those that an environment does without."""
    from crime_jobs.cloud.stacks_template import load

    return set(load(stream.name).parameters)


def rows(streams: Sequence[Stream]) -> list[dict[str, Any]]:
    """Return streams for people: what each is."""
    return [{"stream": stream.name, "does": stream.does} for stream in streams]
