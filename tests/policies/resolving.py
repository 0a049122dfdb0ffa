"""The templates' policies as IAM would see them: names, ARNs and conditions filled in.

Every condition of a template is taken to hold, so that no statement is left out. Names are those of the parameters'
defaults, and `GIVEN` where there is none; what CloudFormation would name by chance is called after its template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "src/crime_jobs/cloud"
REGION, ACCOUNT = "ap-south-1", "123456789012"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "a-stack",
    "AWS::NoValue": None,
}
LANDING, LAKE, HISTORY, RESULTS = "storage-landing", "storage-lake", "crime-firs", "crime-results"

#: What parameters without a default are given, by template and name or by name alone.
GIVEN: dict[str, Any] = {
    "LandingBucket": LANDING,
    "LakeBucket": LAKE,
    "HistoryBucket": HISTORY,
    "ResultsBucket": RESULTS,
    "firs.Bucket": HISTORY,
    "LogsBucket": "emr-logsbucket",
    "CodeBucket": "emr-artifactsbucket",
    "FilesBucket": "emr-artifactsbucket",
    "FilesPrefix": "quicksight",
    "PackageBucket": "emr-artifactsbucket",
    "CodeKey": "crime-jobs/fir-analytics-1.zip",
    "CertificateUri": "s3://crime-certificates/emr.zip",
    "DataKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/storage-Key",
    "LakeKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/storage-Key",
    "HistoryKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/firs-Key",
    "CodeKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/emr-Key",
    "faces.Bucket": "crime-faces",
    "faces.Application": "00abc",
    "faces.ArtifactsKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/emr-Key",
    "faces.ArtifactsBucket": "emr-artifactsbucket",
    "faces.EngineSecret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:engine-reads-a1b2c3",
    "faces.EngineWriteSecret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:engine-writes-a1b2c3",
    "faces.NotStarted": f"arn:aws:sqs:{REGION}:{ACCOUNT}:crime-jobs-aws-not-started",
    "InputKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/firs-Key",
    "KeyArns": [
        f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("storage-Key", "firs-Key", "emr-Key")
    ],
    "ResultsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/adhoc-Key",
    "ServiceRoleArn": f"arn:aws:iam::{ACCOUNT}:role/crime-jobs-emr",
    "NodeRoleArn": f"arn:aws:iam::{ACCOUNT}:role/crime-jobs-emr-node",
    "RuntimeRoleArn": f"arn:aws:iam::{ACCOUNT}:role/crime-jobs-runtime",
}

#: ARN of a resource by its type, and the property that names it.
ARNS = {
    "AWS::Athena::WorkGroup": ("athena:{region}:{account}:workgroup/{name}", "Name"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:{region}:{account}:alarm:{name}", "AlarmName"),
    "AWS::DMS::ReplicationInstance": (
        "dms:{region}:{account}:rep:{name}",
        "ReplicationInstanceIdentifier",
    ),
    "AWS::DMS::Endpoint": ("dms:{region}:{account}:endpoint:{name}", "EndpointIdentifier"),
    "AWS::DynamoDB::Table": ("dynamodb:{region}:{account}:table/{name}", "TableName"),
    "AWS::IAM::ManagedPolicy": ("iam::{account}:policy/{name}", "ManagedPolicyName"),
    "AWS::IAM::Role": ("iam::{account}:role/{name}", "RoleName"),
    "AWS::KMS::Key": ("kms:{region}:{account}:key/{name}", ""),
    "AWS::Kinesis::Stream": ("kinesis:{region}:{account}:stream/{name}", "Name"),
    "AWS::Lambda::Function": ("lambda:{region}:{account}:function:{name}", "FunctionName"),
    "AWS::Logs::LogGroup": ("logs:{region}:{account}:log-group:{name}", "LogGroupName"),
    "AWS::RedshiftServerless::Workgroup": (
        "redshift-serverless:{region}:{account}:workgroup/{name}",
        "WorkgroupName",
    ),
    "AWS::Rekognition::Collection": ("rekognition:{region}:{account}:collection/{name}", "CollectionId"),
    "AWS::S3::Bucket": ("s3:::{name}", "BucketName"),
    "AWS::SecretsManager::Secret": ("secretsmanager:{region}:{account}:secret:{name}-a1b2c3", "Name"),
    "AWS::SNS::Topic": ("sns:{region}:{account}:{name}", "TopicName"),
    "AWS::SQS::Queue": ("sqs:{region}:{account}:{name}", "QueueName"),
    "AWS::StepFunctions::StateMachine": (
        "states:{region}:{account}:stateMachine:{name}",
        "StateMachineName",
    ),
}
#: Of these `Ref` is the ARN, of others the name.
REF_IS_ARN = {
    "AWS::DMS::Endpoint",
    "AWS::DMS::ReplicationInstance",
    "AWS::IAM::ManagedPolicy",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
}
#: Attributes that are the resource's ARN.
ARN_ATTRIBUTES = {"Arn", "Workgroup.WorkgroupArn", "WorkgroupArn", "TopicArn"}


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, with lists where IAM takes one or many."""

    policy: str
    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]]


def names() -> list[str]:
    """The templates."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short forms: ``!Sub`` and the like. In C, since templates are long."""


def _short(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


yaml.add_multi_constructor("!", _short, _Loader)


@cache
def load(name: str) -> dict[str, Any]:
    """A template as it stands."""
    found: dict[str, Any] = yaml.load((FOLDER / f"{name}.yaml").read_text(), _Loader)  # noqa: S506 - a safe one
    return found


class Template:
    """A template whose functions can be worked out.

    Parameters
    ----------
    name
        Of its file, without the ending.
    """

    def __init__(self, name: str) -> None:
        self.name, self._told = name, load(name)
        self.resources: dict[str, Any] = self._told.get("Resources", {})

    def parameter(self, name: str) -> Any:
        for key in (f"{self.name}.{name}", name):
            if key in GIVEN:
                return GIVEN[key]
        found = self._told["Parameters"][name]
        default = found.get("Default")
        return f"{self.name}-{name}".lower() if default is None else default

    def value(self, told: Any) -> Any:
        """Work out what a property says."""
        if isinstance(told, list):
            return [one for one in map(self.value, told) if one is not None]
        if not isinstance(told, dict):
            return told
        if len(told) == 1:
            ((function, argument),) = told.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._function(function, argument)
        worked = {key: self.value(inner) for key, inner in told.items()}
        return {key: inner for key, inner in worked.items() if inner is not None}

    def _function(self, function: str, argument: Any) -> Any:
        ours: dict[str, Callable[[], Any]] = {
            "Ref": lambda: self._ref(argument),
            "Fn::GetAtt": lambda: self._attribute(*self._parts(argument)),
            "Fn::Sub": lambda: self._sub(argument),
            "Fn::If": lambda: self.value(argument[1]),
            "Fn::Join": lambda: argument[0].join(self.value(argument[1])),
            "Fn::Split": lambda: self.value(argument[1]).split(argument[0]),
            "Fn::Select": lambda: self.value(argument[1])[int(argument[0])],
            "Fn::ImportValue": lambda: exports()[self.value(argument)],
        }
        if function not in ours:
            raise NotImplementedError(f"{self.name}: {function}")
        return ours[function]()

    @staticmethod
    def _parts(argument: str | list[str]) -> tuple[str, str]:
        resource, _, attribute = (argument if isinstance(argument, str) else ".".join(argument)).partition(
            "."
        )
        return resource, attribute

    def _sub(self, argument: Any) -> str:
        text, inner = (argument, {}) if isinstance(argument, str) else argument
        known = {key: self.value(one) for key, one in inner.items()}
        return re.sub(r"\$\{([^!}][^}]*)\}", lambda found: self._filled(found[1], known), text)

    def _filled(self, name: str, known: Mapping[str, Any]) -> str:
        if name in known:
            return str(known[name])
        if name.startswith("aws:"):  # a variable of IAM's, which the evaluator fills in
            return f"${{{name}}}"
        if "." in name:
            return str(self._attribute(*name.split(".", 1)))
        return str(self._ref(name))

    def _ref(self, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._told.get("Parameters", {}):
            return self.parameter(name)
        kind = self.resources[name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.named(name)}"
        return self.arn(name) if kind in REF_IS_ARN else self.named(name)

    def named(self, resource: str) -> str:
        """Name of a resource: its own, or one that tells whose it is."""
        kind = self.resources[resource]["Type"]
        told = self.resources[resource].get("Properties", {}).get(ARNS.get(kind, ("", ""))[1] or "?")
        bucket = f"{self.name}-{resource}".lower()
        return str(self.value(told)) if told else bucket if "S3" in kind else f"{self.name}-{resource}"

    def arn(self, resource: str) -> str:
        """ARN of a resource."""
        kind = self.resources[resource]["Type"]
        if kind not in ARNS:
            raise NotImplementedError(f"{self.name}.{resource}: what is the ARN of {kind}?")
        path = (
            str(self.resources[resource].get("Properties", {}).get("Path", "/")) if "::IAM::" in kind else "/"
        )
        name = path[1:] + self.named(resource)
        return "arn:aws:" + ARNS[kind][0].format(region=REGION, account=ACCOUNT, name=name)

    def _attribute(self, resource: str, attribute: str) -> str:
        if attribute in ARN_ATTRIBUTES:
            return self.arn(resource)
        return f"{self.name}-{resource}-{attribute}"

    def of(self, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Resources of some types, by name, as they stand."""
        for name, resource in self.resources.items():
            if resource["Type"] in kinds:
                yield name, resource.get("Properties", {})


@cache
def exports() -> dict[str, Any]:
    """What the templates export, by its name."""
    found = {}
    for name in names():
        template = Template(name)
        for output in load(name).get("Outputs", {}).values():
            if "Export" in output:
                found[str(template.value(output["Export"]["Name"]))] = template.value(output["Value"])
    return found


#: What gives nothing, and only says how far what others give may go.
BOUNDARY = "deployment.Boundary"


@cache
def policies() -> dict[str, tuple[Statement, ...]]:
    """Statements of every role and managed policy of the templates that gives something, by ``template.Resource``."""
    return {name: found for name, found in all_policies().items() if name != BOUNDARY}


@cache
def all_policies() -> dict[str, tuple[Statement, ...]]:
    """Statements of every role and managed policy of the templates."""
    found: dict[str, tuple[Statement, ...]] = {}
    for name in names():
        template = Template(name)
        for resource, told in template.of("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            documents = [told["PolicyDocument"]] if "PolicyDocument" in told else []
            documents += [policy["PolicyDocument"] for policy in told.get("Policies", [])]
            whose = f"{name}.{resource}"
            read = [one for document in documents for one in statements(template, whose, document)]
            if read:
                found[whose] = tuple(read)
    return found


def statements(template: Template, whose: str, document: Mapping[str, Any]) -> Iterator[Statement]:
    """Statements of one policy document."""
    for told in template.value(document["Statement"]):
        if unknown := told.keys() - {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}:
            raise NotImplementedError(f"{whose}: {unknown}")
        yield Statement(
            whose,
            told.get("Sid", ""),
            told["Effect"],
            _many(told["Action"]),
            _many(told.get("Resource", "*")),
            told.get("Condition", {}),
        )


def _many(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def where(statement: Statement) -> Path:
    """The file that a statement stands in."""
    return FOLDER / f"{statement.policy.partition('.')[0]}.yaml"
