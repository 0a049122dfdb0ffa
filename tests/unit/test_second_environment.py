"""Two environments in one account and region: nothing that both would make, nothing of one that the other may open.

Each template is worked out as `crime-jobs deploy` would fill it in for both; what conditions rule out is in it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import permutations
from typing import Any

import pytest

from crime_jobs.adhoc.quicksight import settings as quicksight
from crime_jobs.cloud import outputs as outputs_module
from crime_jobs.cloud import stacks
from crime_jobs.cloud.stacks_template import Document, load
from crime_jobs.errors import WrongUsage
from crime_jobs.model.names import database_of
from tests.conftest import make_settings
from tests.policies.resolving import ARN_ATTRIBUTES, ARNS, REF_IS_ARN

REGION, ACCOUNT = "ap-south-1", "123456789012"

#: Names of what an account has once, whoever makes it: only the environment that says `DmsRoles = "yes"` does.
ONCE_AN_ACCOUNT = {"dms-vpc-role", "dms-cloudwatch-logs-role"}

#: Properties that name what is made. Others that end so name something within it, or what it refers to.
NAMES = {
    *(name for _, name in ARNS.values() if name),
    *("AliasName", "ApplicationName", "BudgetName", "DashboardName", "DBInstanceIdentifier"),
    *("DBSubnetGroupName", "DeliveryStreamName", "EndpointIdentifier", "GroupName", "InstanceProfileName"),
    *("NamespaceName", "OptionGroupName", "ReplicationSubnetGroupIdentifier", "RuleName", "TrailName"),
}
#: Of these `Name` is the name of a table of the catalogue, of a rule, an application, a security configuration …
NOT_MADE = {"AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption", "AWS::Logs::LogStream"}

#: What a statement opens by its beginning or for all, though another environment has such things too: the end of
#: its ARN, and why.
SHARED = {
    "*": "IAM knows no resource for it, or a condition says which",
    "catalog": "the Glue catalogue is one a region; its databases are told apart",
    "database/default": "Hive and Spark ask for it; nothing is kept there",
    "database/global_temp": "Spark's, of a session",
    "userDefinedFunction/default/*": "Spark and Hive look there; nothing is kept there",
    "cluster/*": "EMR chooses the ids; what a cluster can read is said by its roles, which are told apart",
    "/applications/*": "EMR Serverless chooses the ids; a run has the role that the policy may pass",
    "/applications/*/jobruns/*": "likewise",
    "log-group:*": "DescribeLogGroups is asked of all",
    "network-interface/*": "EC2 chooses the ids; a condition holds it to the subnets of the VPC",
    "security-group/*": "likewise",
    "subnet/*": "likewise",
    "table/awsdms_apply_exceptions": "DMS gives it this name in each account and region",
    "table/awsdms_full_load_exceptions": "likewise",
    "rule/StepFunctionsGetEventForEMRAddJobFlowStepsRule": "Step Functions gives it this name",
    "rule/StepFunctionsGetEventForEMRRunJobFlowRule": "likewise",
    "rule/StepFunctionsGetEventsForEMRServerlessJobRule": "likewise",
}


@dataclass
class Environment:
    """An environment with every stack worked out."""

    env: str
    name: str
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    made: set[tuple[str, str]] = field(default_factory=set)
    exports: set[str] = field(default_factory=set)
    arns: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        told = stacks.DeploySettings(name=self.name)
        for stream in stacks.STREAMS:
            known = stacks.Known(told, self.env, ACCOUNT, self.outputs)
            template = load(stream.name)
            given = {
                name: {"Default": "given", **parameter} for name, parameter in template.parameters.items()
            }
            values, missing = stacks.parameters(
                stream, type(template)(stream.name, {**template.document, "Parameters": given}, {}), known
            )
            assert not missing, stream.name
            parameters = {name: parameter["Default"] for name, parameter in given.items()} | values
            parameters["CertificateUri"] = f"s3://certificates-of-{self.env}/emr.zip"
            Stack(self, stream.name, template.document, parameters).work_out()
        document = load("quicksight").document
        defaults = {name: one.get("Default", "given") for name, one in document["Parameters"].items()}
        Stack(self, "quicksight", document, defaults | self._quicksight()).work_out()

    def _quicksight(self) -> dict[str, Any]:
        """What `crime-jobs quicksight deploy` gives its template, as far as it tells environments apart."""
        section = outputs_module.section(self.outputs)
        sql, storage = section["sql"], self.outputs["storage"]
        settings = make_settings("s3://a/b", "s3://c/d")
        told = quicksight.of(settings.model_copy(update={"deploy": {"name": self.name}}))
        return {
            "Name": told.name,
            "Workgroup": sql["workgroup"],
            "Database": sql["database"],
            "LakeBucket": storage["LakeBucket"],
            "HistoryBucket": self.outputs["firs"]["BucketName"],
            "ResultsBucket": f"{self.name}-{self.env}-questions-{ACCOUNT}",
            "FilesBucket": self.outputs["emr"]["ArtifactsBucketName"],
            "KeyArns": [storage["DataKeyArn"], self.outputs["firs"]["KeyArn"]],
        }


@dataclass
class Stack:
    """A stack of an environment, whose functions can be worked out."""

    whose: Environment
    stream: str
    document: Document
    parameters: dict[str, Any]

    def work_out(self) -> None:
        for name, resource in self.document["Resources"].items():
            self._resource(name, resource)
        found = {}
        for key, output in self.document.get("Outputs", {}).items():
            found[key] = str(self.value(output["Value"]))
            if "Export" in output:
                self.whose.exports.add(str(self.value(output["Export"]["Name"])))
        self.whose.outputs[self.stream] = found

    def _resource(self, name: str, resource: Document) -> None:
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind not in NOT_MADE:
            named = {"Name", *NAMES} & properties.keys()
            if kind.startswith("AWS::QuickSight::"):  # whose names are titles
                named = {
                    one
                    for one in properties
                    if one.endswith("Id") and one not in ("AwsAccountId", "BaseThemeId")
                }
            named |= {"BudgetName"} & properties.get("Budget", {}).keys()
            for one in named:
                within = properties.get("Budget", properties)
                group = f"{self.value(within['GroupName'])}/" if kind == "AWS::Scheduler::Schedule" and "GroupName" in within else ""  # fmt: skip
                self.whose.made.add((kind, f"{group}{self.value(within[one])}"))
            if kind == "AWS::Glue::Database":
                self.whose.made.add((kind, str(self.value(properties["DatabaseInput"]["Name"]))))
        if kind in ARNS:
            self.whose.arns.add(self.arn(name))
        # What people and CloudFormation may goes by tags where it does not go by names: test_deployment_template.py.
        by_tags = self.stream in ("access", "deployment")
        if kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy") and not by_tags:
            for statement in statements(self.value(properties)):
                things = statement.get("Resource", [])
                into = self.whose.allowed if statement["Effect"] == "Allow" else self.whose.denied
                into |= {things} if isinstance(things, str) else set(things)

    def value(self, told: Any) -> Any:
        if isinstance(told, list):
            return [one for one in map(self.value, told) if one is not None]
        if not isinstance(told, dict):
            return told
        if len(told) == 1:
            ((function, argument),) = told.items()
            if function == "Ref":
                return self._ref(argument)
            if function.startswith("Fn::"):
                return self._function(function.removeprefix("Fn::"), argument)
        return {key: self.value(inner) for key, inner in told.items()}

    def _function(self, function: str, argument: Any) -> Any:  # noqa: PLR0911 - one for each function
        if function == "Sub":
            text, inner = (argument, {}) if isinstance(argument, str) else argument
            known = {key: self.value(one) for key, one in inner.items()}
            return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", lambda found: str(self._filled(found[1], known)), text)
        if function == "If":
            condition, yes, no = argument
            first = self.parameters.get("TablePrefix") == ""
            return self.value(no if (condition == "IsFirst" and not first) else yes)
        if function == "GetAtt":
            resource, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            return self.arn(resource) if attribute in ARN_ATTRIBUTES else self._unique(resource, attribute)
        if function == "Join":
            return argument[0].join(map(str, self.value(argument[1])))
        if function == "Split":
            return str(self.value(argument[1])).split(argument[0])
        if function == "Select":
            parts = self.value(argument[1])
            return (parts.split(",") if isinstance(parts, str) else parts)[int(argument[0])]
        assert function in ("GetAZs", "Cidr"), function
        return ["zone"] * 3

    def _filled(self, name: str, known: dict[str, Any]) -> Any:
        if name in known:
            return known[name]
        if name.startswith("aws:"):
            return f"${{{name}}}"
        return self._function("GetAtt", name) if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        pseudo = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
        pseudo |= {"AWS::URLSuffix": "amazonaws.com"}
        pseudo |= {"AWS::StackName": stacks.stack_name(self.whose.env, self.stream)}
        if name == "AWS::NoValue":
            return None
        if name in pseudo or name in self.parameters:
            return pseudo.get(name, self.parameters.get(name))
        kind = self.document["Resources"][name]["Type"]
        return self.arn(name) if kind in REF_IS_ARN else self._named(name)

    def _named(self, resource: str) -> str:
        told = self.document["Resources"][resource]
        properties = told.get("Properties", {})
        if told["Type"] == "AWS::Glue::Database":
            return str(self.value(properties["DatabaseInput"]["Name"]))
        named = ARNS.get(told["Type"], ("", "Name"))[1]
        return str(self.value(properties[named])) if named in properties else self._unique(resource)

    def _unique(self, *parts: str) -> str:
        """What AWS chooses: of each stack's resource another."""
        return "-".join([stacks.stack_name(self.whose.env, self.stream), *parts, "1A2B"]).lower()

    def arn(self, resource: str) -> str:
        kind = self.document["Resources"][resource]["Type"]
        form = ARNS.get(kind, ("other:{region}:{account}:{name}", ""))[0]
        return "arn:aws:" + form.format(region=REGION, account=ACCOUNT, name=self._named(resource))


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Statements of the documents in a role or policy; who may take a role has no resource."""
    if isinstance(value, list):
        for one in value:
            yield from statements(one)
    elif isinstance(value, dict):
        if "Effect" in value:
            yield value
        else:
            for one in value.values():
                yield from statements(one)


def things_of(environment: Environment) -> set[str]:
    """ARNs of what an environment has, also of what its jobs make under names that the templates open."""
    here = f"{REGION}:{ACCOUNT}"
    prefix = stacks.DeploySettings(name=environment.name).prefix
    database = environment.outputs["adhoc"]["Database"]
    people = f"{prefix}face_people."
    made = {
        f"arn:aws:dynamodb:{here}:table/{prefix}crime-districts",
        f"arn:aws:dynamodb:{here}:table/{prefix}crime-districts/export/1",
        f"arn:aws:dynamodb:{here}:table/{environment.outputs['firs']['Application']}",
        f"arn:aws:glue:{here}:database/{database}",
        f"arn:aws:glue:{here}:table/{database}/crime_facts",
        f"arn:aws:rekognition:{here}:collection/crime-jobs-{people if prefix else ''}missing",
        f"arn:aws:states:{here}:stateMachine:crime-jobs-{environment.env}-nightly",
    }
    return made | environment.arns | {f"{arn}/x" for arn in environment.arns if ":s3:::" in arn}


def reached(one: Environment, other: Environment) -> set[str]:
    """Patterns of one's policies that open what the other has."""
    patterns = {p for p in one.allowed if not any(p == end or p.endswith(f":{end}") for end in SHARED)}
    return {
        pattern
        for pattern in patterns
        for arn in things_of(other)
        if fnmatchcase(arn, pattern) and not any(fnmatchcase(arn, denied) for denied in one.denied)
    }


PAIRS = [("aws", "crime-jobs", "pune", "pune"), ("aws", "police", "pune", "police-2")]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: f"{pair[1]} and {pair[3]}")
def both(request: pytest.FixtureRequest) -> tuple[Environment, Environment]:
    env, name, other_env, other_name = request.param
    return Environment(env, name), Environment(other_env, other_name)


def test_two_environments_make_nothing_of_one_name(both: tuple[Environment, Environment]) -> None:
    one, other = both
    assert len(one.made) == len(other.made) > 90
    assert {name for _, name in one.made & other.made} == ONCE_AN_ACCOUNT
    assert len(one.exports) == len(other.exports) > 10
    assert not one.exports & other.exports


def test_no_policy_of_one_opens_what_the_other_has(both: tuple[Environment, Environment]) -> None:
    for one, other in permutations(both):
        assert reached(one, other) == set()
        assert len(reached(one, one)) > 40  # what they are for


def test_what_is_shared_is_in_the_templates(both: tuple[Environment, Environment]) -> None:
    for end in SHARED:
        assert any(p == end or p.endswith(f":{end}") for p in both[0].allowed & both[1].allowed), end


def test_an_environment_whose_name_begins_as_another_shares_only_the_chains_with_it() -> None:
    """Which docs/deploy.md says; the names of environments are the user's."""
    one, other = Environment("aws", "crime-jobs"), Environment("aws-2", "pune")
    chains = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:crime-jobs-aws-*"
    assert reached(one, other) == {chains}
    assert reached(other, one) == set()


def test_the_first_environments_names_are_those_that_the_jobs_expect() -> None:
    one = Environment("aws", "crime-jobs")
    assert ("AWS::Glue::Database", database_of({})) in one.made
    assert ("AWS::Athena::WorkGroup", "crime") in one.made
    assert ("AWS::DynamoDB::Table", "crime-jobs-migrations") in one.made


def test_the_second_environments_names_become_its_settings() -> None:
    section = outputs_module.section(Environment("pune", "pune").outputs)
    assert section["sql"] == {"workgroup": "pune-crime", "database": "pune_crime"}
    assert (section["ledger"], section["table_prefix"]) == ("pune-crime-jobs-migrations", "pune-")
    assert section["stream"]["events_table"] == "pune-fir_events"


def test_a_name_that_the_first_environments_policies_would_open_is_refused() -> None:
    with pytest.raises(WrongUsage, match="begins with 'crime-'"):
        stacks.told(
            make_settings("s3://a/b", "s3://c/d").model_copy(update={"deploy": {"name": "crime-branch"}})
        )
    assert stacks.DeploySettings(name="crime-jobs").prefix == ""
