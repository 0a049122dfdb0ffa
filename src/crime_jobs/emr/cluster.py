"""What a cluster is to be: its settings, and the request that makes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crime_jobs import aws
from crime_jobs.emr import hue
from crime_jobs.emr._upload import Part, check_bucket, digest, upload
from crime_jobs.emr.package import RELEASE
from crime_jobs.errors import WrongUsage
from crime_jobs.model.names import database_of
from crime_jobs.model.sections import read_table

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: The folder of bootstrap actions and configuration; also package data.
_FOLDER = files("crime_jobs") / "emr_bootstrap"
_SCRIPT, _CONFIGURATIONS = "python.sh", "configurations.json"
_HUE_SCRIPT, _HUE_DOCUMENTS = "hue.sh", "hue-documents.json"

#: AWS's managed policy for EMR's service role acts only on what carries this tag
#: (https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-managed-iam-policies.html).
MANAGED_TAG = ("for-use-with-amazon-emr-managed-policies", "true")

#: https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-auto-termination-policy.html
_LEAST_IDLE, _MOST_IDLE = 1, 7 * 24 * 60

Text = Annotated[str, Field(min_length=1)]


class ClusterSpec(BaseModel):
    """The table ``[ENV.cluster]`` of crime-jobs.toml, with options of the command over it.

    Parameters
    ----------
    name
        What the cluster is called; one of a name is up at a time.
    release, applications
        EMR release and what it is to have.
    primary_type, core_type
        Instance types; of one architecture.
    minimum, maximum
        Core and task nodes between which managed scaling moves; it starts with the minimum.
    spot
        Whether core nodes are spot instances: cheaper, and taken away at any time.
    idle_minutes
        After this time without work the cluster ends by itself.
    concurrency
        Steps that run at a time; with more than one, a chain does not stop at a failure.
    disk_gb, root_gb
        Size of the data and of the root volume of each node.
    subnet
        Id of a private subnet. Without one EMR takes the default VPC's.
    primary_group, core_group, service_group
        Ids of EMR-managed security groups, the last for a private subnet.
    service_role, instance_profile
        Names or ARNs; by default those of the stack in `crime_jobs.cloud`.
    security_configuration
        Name of the one that encrypts disks, EMRFS and traffic, demands IMDSv2 and allows runtime roles.
    log_key
        ARN of the KMS key of the logs.
    key_pair
        Name of an EC2 key pair. Nothing here needs one.
    protected
        Whether the cluster is protected from termination.
    tags
        Further tags.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[\w .-]{1,128}$")] = "crime-jobs"
    release: Annotated[str, Field(pattern=r"^emr-7\.\d+\.\d+$")] = RELEASE
    applications: tuple[Text, ...] = ("Spark", "Hive", "Hue", "Livy")
    primary_type: Text = "m5.xlarge"
    core_type: Text = "m5.xlarge"
    minimum: Annotated[int, Field(ge=1)] = 1
    maximum: Annotated[int, Field(ge=1)] = 4
    spot: bool = False
    idle_minutes: Annotated[int, Field(ge=_LEAST_IDLE, le=_MOST_IDLE)] = 60
    concurrency: Annotated[int, Field(ge=1, le=256)] = 1
    disk_gb: Annotated[int, Field(ge=10)] = 64
    root_gb: Annotated[int, Field(ge=15, le=100)] = 30
    subnet: Annotated[str, Field(pattern="^subnet-")] | None = None
    primary_group: Annotated[str, Field(pattern="^sg-")] | None = None
    core_group: Annotated[str, Field(pattern="^sg-")] | None = None
    service_group: Annotated[str, Field(pattern="^sg-")] | None = None
    service_role: Text = "crime-jobs-emr"
    instance_profile: Text = "crime-jobs-emr-node"
    security_configuration: Text | None = None
    log_key: Text | None = None
    key_pair: Text | None = None
    protected: bool = False
    tags: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> ClusterSpec:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        if architecture(self.primary_type) != architecture(self.core_type):
            raise ValueError(f"{self.primary_type} and {self.core_type} are of different architectures")
        return self

    @property
    def architecture(self) -> Literal["x86_64", "arm64"]:
        """Which package fits."""
        return architecture(self.core_type)


def architecture(instance_type: str) -> Literal["x86_64", "arm64"]:
    """Return the processor architecture of an instance type.

    Parameters
    ----------
    instance_type
        For example ``m5.xlarge``; a ``g`` after the generation means Graviton
        (https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html).
    """
    return "arm64" if re.match(r"[a-z]+\d+g|a1\.", instance_type) else "x86_64"


def spec_of(settings: Settings, **options: Any) -> ClusterSpec:
    """Read and check how clusters are to be made.

    Parameters
    ----------
    settings
        Its ``cluster`` is the table.
    **options
        What the command line says; ``None`` says nothing.

    Returns
    -------
    ClusterSpec

    Raises
    ------
    WrongUsage
        Naming the key that is not known or has a wrong value.
    """
    given = {name: value for name, value in options.items() if value is not None}
    takes = f"It takes: {', '.join(ClusterSpec.model_fields)}."
    spec = read_table(ClusterSpec, "cluster", {**settings.cluster, **given}, hint=takes)
    for key in ("service_role", "instance_profile", "log_key"):
        value = getattr(spec, key)
        if value and value.startswith("arn:"):
            aws.check_arn(value, settings, f"{key} of [{settings.env}.cluster]")
    return spec


def bootstrap_uri(settings: Settings) -> str:
    """Return where the bootstrap action is: its key holds the digest of what it says.

    Parameters
    ----------
    settings
        Says where packages go.

    Raises
    ------
    WrongUsage
        If it doesn't.
    """
    bucket, part = _bootstrap(settings)
    return f"s3://{bucket}/{part.key}"


def prepare(settings: Settings) -> None:
    """Upload the bootstrap actions if they are not there: before any cluster is made.

    Parameters
    ----------
    settings
        Says where packages go.

    Raises
    ------
    AwsRefused
        If the bucket is not there, or may not be written to.
    """
    bucket, part = _bootstrap(settings)
    s3 = aws.client("s3", settings)
    check_bucket(s3, bucket, settings)
    upload(s3, bucket, [part, *_hue(settings)], lambda *_: None)


def _bootstrap(settings: Settings) -> tuple[str, Part]:
    if not settings.artifacts:
        raise WrongUsage(
            "Nothing says where the bootstrap action goes.",
            hint="Give --artifacts s3://…, set CRIME_JOBS_ARTIFACTS, or write it into crime-jobs.toml.",
        )
    bucket, prefix = aws.split_uri(settings.artifacts, "artifacts")
    return bucket, _part(prefix, "bootstrap action", _SCRIPT, (_FOLDER / _SCRIPT).read_bytes())


def _part(prefix: str, kind: str, name: str, body: bytes) -> Part:
    sha256 = digest(body)
    key = "/".join(filter(None, (prefix, "bootstrap", sha256[:16], name)))
    return Part(kind, key, body, sha256, len(body))


def _hue(settings: Settings) -> tuple[Part, Part]:
    """Return what loads the insight queries into Hue, and the queries."""
    _, prefix = aws.split_uri(settings.artifacts or "", "artifacts")
    script = (_FOLDER / _HUE_SCRIPT).read_bytes()
    documents = hue.fixture_text(database_of(settings.sql)).encode()
    return (
        _part(prefix, "bootstrap action of Hue", _HUE_SCRIPT, script),
        _part(prefix, "documents of Hue", _HUE_DOCUMENTS, documents),
    )


def _bootstrap_actions(settings: Settings, spec: ClusterSpec, *, transient: bool) -> list[dict[str, Any]]:
    sent = [{"Name": "Python", "ScriptBootstrapAction": {"Path": bootstrap_uri(settings), "Args": ["3.11"]}}]
    if "Hue" in spec.applications and not transient:  # who would look into one that ends by itself
        bucket, _ = _bootstrap(settings)
        script, documents = (f"s3://{bucket}/{part.key}" for part in _hue(settings))
        action = {"Path": script, "Args": [documents]}
        sent.append({"Name": "Questions in Hue", "ScriptBootstrapAction": action})
    return sent


def request(
    settings: Settings,
    spec: ClusterSpec,
    steps: Sequence[Mapping[str, Any]] = (),
    *,
    transient: bool = False,
) -> dict[str, Any]:
    """Return what ``RunJobFlow`` is sent.

    Parameters
    ----------
    settings
        Says where logs and packages are, and the role of steps.
    spec
        The cluster.
    steps
        Steps that it begins with.
    transient
        Whether it ends when it has no more steps.

    Returns
    -------
    dict
        https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html

    Raises
    ------
    WrongUsage
        If nothing says where logs and packages go.
    """
    if not settings.logs:
        raise WrongUsage(
            "Nothing says where the cluster's logs go.",
            hint="Give --logs s3://…, set CRIME_JOBS_LOGS, or write logs into crime-jobs.toml.",
        )
    aws.split_uri(settings.logs, "logs")
    tags = {"project": "crime-jobs", "environment": settings.env, **spec.tags, MANAGED_TAG[0]: MANAGED_TAG[1]}
    sent = {
        "Name": spec.name,
        "ReleaseLabel": spec.release,
        "Applications": [{"Name": name} for name in spec.applications],
        "LogUri": f"{settings.logs.rstrip('/')}/",
        "LogEncryptionKmsKeyId": spec.log_key,
        "ServiceRole": spec.service_role,
        "JobFlowRole": spec.instance_profile,
        "SecurityConfiguration": spec.security_configuration,
        "Instances": _instances(spec, stays=not transient),
        "ManagedScalingPolicy": {"ComputeLimits": _limits(spec)},
        "AutoTerminationPolicy": {"IdleTimeout": spec.idle_minutes * 60},
        "StepConcurrencyLevel": spec.concurrency,
        "EbsRootVolumeSize": spec.root_gb,
        "BootstrapActions": _bootstrap_actions(settings, spec, transient=transient),
        "Configurations": json.loads((_FOLDER / _CONFIGURATIONS).read_text(encoding="utf-8")),
        "VisibleToAllUsers": True,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Steps": [dict(step) for step in steps] or None,
    }
    if steps and settings.runtime_role and spec.security_configuration:
        sent["StepExecutionRoleArn"] = settings.runtime_role
    return {key: value for key, value in sent.items() if value is not None}


def _instances(spec: ClusterSpec, *, stays: bool) -> dict[str, Any]:
    volume = {
        "VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": spec.disk_gb},
        "VolumesPerInstance": 1,
    }
    ebs = {"EbsBlockDeviceConfigs": [volume], "EbsOptimized": True}
    sent = {
        "InstanceGroups": [
            {
                "Name": "Primary",
                "InstanceRole": "MASTER",
                "Market": "ON_DEMAND",
                "InstanceType": spec.primary_type,
                "InstanceCount": 1,
                "EbsConfiguration": ebs,
            },
            {
                "Name": "Core",
                "InstanceRole": "CORE",
                "Market": "SPOT" if spec.spot else "ON_DEMAND",
                "InstanceType": spec.core_type,
                "InstanceCount": spec.minimum,
                "EbsConfiguration": ebs,
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": stays,
        "TerminationProtected": spec.protected and stays,
        "Ec2SubnetId": spec.subnet,
        "EmrManagedMasterSecurityGroup": spec.primary_group,
        "EmrManagedSlaveSecurityGroup": spec.core_group,
        "ServiceAccessSecurityGroup": spec.service_group,
        "Ec2KeyName": spec.key_pair,
    }
    return {key: value for key, value in sent.items() if value is not None}


def _limits(spec: ClusterSpec) -> dict[str, Any]:
    limits: dict[str, Any] = {
        "UnitType": "Instances",
        "MinimumCapacityUnits": spec.minimum,
        "MaximumCapacityUnits": spec.maximum,
        "MaximumCoreCapacityUnits": spec.maximum,
    }
    return {**limits, "MaximumOnDemandCapacityUnits": 0 if spec.spot else spec.maximum}
