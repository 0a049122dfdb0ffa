"""Clusters and steps in the shapes of EMR's answers."""

from __future__ import annotations

from typing import Any

from crime_engines.emr.model import ENDED, Cluster, Step
from crime_engines.emr.requests import APPLICATIONS
from crime_engines.protocol import ACCOUNT

#: Members of ``RunJobFlow`` that ``DescribeCluster`` gives back as they came.
_AS_GIVEN = (
    *("Name", "ReleaseLabel", "ServiceRole", "Configurations", "SecurityConfiguration", "AutoScalingRole"),
    *("ScaleDownBehavior", "EbsRootVolumeSize", "EbsRootVolumeIops", "EbsRootVolumeThroughput"),
    *("RepoUpgradeOnBoot", "LogEncryptionKmsKeyId", "OSReleaseLabel", "ExtendedSupport"),
)

#: The same of its ``Instances``, in ``Ec2InstanceAttributes``.
_EC2 = (
    *("Ec2KeyName", "EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup"),
    *("ServiceAccessSecurityGroup", "AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups"),
)

#: State of an instance group and of an instance for each state of a cluster.
_GROUP = {"STARTING": "PROVISIONING", "BOOTSTRAPPING": "BOOTSTRAPPING", "TERMINATING": "SHUTTING_DOWN"}
_INSTANCE = {"STARTING": "PROVISIONING", "BOOTSTRAPPING": "BOOTSTRAPPING"}


def arn(cluster: Cluster) -> str:
    """Return a cluster's ARN.

    Parameters
    ----------
    cluster
        The cluster.
    """
    return f"arn:aws:elasticmapreduce:{cluster.region}:{ACCOUNT}:cluster/{cluster.id}"


def summary(cluster: Cluster) -> dict[str, Any]:
    """Return a ``ClusterSummary``.

    Parameters
    ----------
    cluster
        The cluster.
    """
    timeline = {
        "CreationDateTime": cluster.created,
        "ReadyDateTime": cluster.ready,
        "EndDateTime": cluster.ended,
    }
    return {
        "Id": cluster.id,
        "Name": cluster.request["Name"],
        "Status": {
            "State": cluster.state,
            "StateChangeReason": dict(cluster.reason),
            "Timeline": timeline,
            "ErrorDetails": cluster.errors or None,
        },
        "NormalizedInstanceHours": 0,
        "ClusterArn": arn(cluster),
    }


def full(cluster: Cluster) -> dict[str, Any]:
    """Return a ``Cluster``.

    Parameters
    ----------
    cluster
        The cluster.
    """
    request, instances = cluster.request, cluster.request["Instances"]
    subnets = instances.get("Ec2SubnetIds") or ([s] if (s := instances.get("Ec2SubnetId")) else [])
    applications = [
        {"Name": item["Name"], "Version": APPLICATIONS[item["Name"].lower()]}
        for item in request.get("Applications", [])
    ]
    ec2 = {
        **{name: instances.get(name) for name in _EC2},
        "Ec2SubnetId": subnets[0] if subnets else None,
        "RequestedEc2SubnetIds": subnets,
        "Ec2AvailabilityZone": instances.get("Placement", {}).get("AvailabilityZone", f"{cluster.region}a"),
        "IamInstanceProfile": request.get("JobFlowRole"),
    }
    uri = request.get("LogUri")
    return {
        **summary(cluster),
        **{name: request.get(name) for name in _AS_GIVEN},
        "LogUri": f"s3n://{uri.partition('://')[2].rstrip('/')}/" if uri else None,  # as EMR shows it
        "Ec2InstanceAttributes": ec2,
        "InstanceCollectionType": "INSTANCE_GROUP",
        "AutoTerminate": not cluster.keep_alive,
        "TerminationProtected": cluster.protected,
        "UnhealthyNodeReplacement": instances.get("UnhealthyNodeReplacement", False),
        "VisibleToAllUsers": cluster.visible,
        "Applications": applications,
        "Tags": [{"Key": key, "Value": value} for key, value in cluster.tags.items()],
        "MasterPublicDnsName": "localhost" if cluster.ready else None,
        "StepConcurrencyLevel": cluster.concurrency,
        "PlacementGroups": request.get("PlacementGroupConfigs"),
    }


def step(one: Step) -> dict[str, Any]:
    """Return a ``StepSummary``.

    Parameters
    ----------
    one
        The step.
    """
    jar = one.config["HadoopJarStep"]
    reason = {"Message": one.message} if one.message else {}
    return {
        "Id": one.id,
        "Name": one.config["Name"],
        "Config": {"Jar": jar["Jar"], "Properties": {}, "Args": list(jar.get("Args", []))},
        "ActionOnFailure": one.action_on_failure,
        "Status": {
            "State": one.state,
            "StateChangeReason": reason,
            "FailureDetails": one.failure,
            "Timeline": {
                "CreationDateTime": one.created,
                "StartDateTime": one.started,
                "EndDateTime": one.ended,
            },
        },
        "AdditionalInfo": (
            {"ResourceManager": "YARN", "ResourceManagerApplicationIds": [one.application]}
            if one.application
            else None
        ),
    }


def groups(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the ``InstanceGroups`` that the cluster was asked to have.

    Parameters
    ----------
    cluster
        The cluster.
    """
    timeline = {
        "CreationDateTime": cluster.created,
        "ReadyDateTime": cluster.ready,
        "EndDateTime": cluster.ended,
    }
    state = "TERMINATED" if cluster.state in ENDED else _GROUP.get(cluster.state, "RUNNING")
    return [
        {
            "Id": _id("ig", cluster, number),
            "Name": group.get("Name"),
            "Market": group.get("Market", "ON_DEMAND"),
            "InstanceGroupType": group["InstanceRole"],
            "BidPrice": group.get("BidPrice"),
            "InstanceType": group["InstanceType"],
            "RequestedInstanceCount": group["InstanceCount"],
            "RunningInstanceCount": group["InstanceCount"] if state == "RUNNING" else 0,
            "Status": {"State": state, "StateChangeReason": {}, "Timeline": timeline},
            "Configurations": [],
            "EbsBlockDevices": [],
            "ShrinkPolicy": {},
        }
        for number, group in enumerate(asked_groups(cluster))
    ]


def asked_groups(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the groups of a request, also where it gave instance types and a count.

    Parameters
    ----------
    cluster
        The cluster.
    """
    given = cluster.request["Instances"]
    if found := given.get("InstanceGroups"):
        return list(found)
    primary = {"InstanceRole": "MASTER", "InstanceType": given["MasterInstanceType"], "InstanceCount": 1}
    if (others := given["InstanceCount"] - 1) < 1:
        return [primary]
    kind = given.get("SlaveInstanceType", given["MasterInstanceType"])
    return [primary, {"InstanceRole": "CORE", "InstanceType": kind, "InstanceCount": others}]


def instances(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the ``Instances`` that the cluster would have; all of them are this machine.

    Parameters
    ----------
    cluster
        The cluster.
    """
    timeline = {
        "CreationDateTime": cluster.created,
        "ReadyDateTime": cluster.ready,
        "EndDateTime": cluster.ended,
    }
    state = "TERMINATED" if cluster.state in ENDED else _INSTANCE.get(cluster.state, "RUNNING")
    found: list[dict[str, Any]] = []
    for number, group in enumerate(asked_groups(cluster)):
        for _ in range(group["InstanceCount"]):
            found.append(
                {
                    "Id": _id("ci", cluster, len(found)),
                    "Ec2InstanceId": ec2_id(cluster, len(found)),
                    "PublicDnsName": "localhost",
                    "PrivateDnsName": "localhost",
                    "PrivateIpAddress": "127.0.0.1",
                    "Status": {"State": state, "StateChangeReason": {}, "Timeline": timeline},
                    "InstanceGroupId": _id("ig", cluster, number),
                    "Market": group.get("Market", "ON_DEMAND"),
                    "InstanceType": group["InstanceType"],
                    "EbsVolumes": [],
                }
            )
    return found


def ec2_id(cluster: Cluster, number: int) -> str:
    """Return the EC2 id of an instance; the first one is the primary node.

    Parameters
    ----------
    cluster
        The cluster.
    number
        Which instance.
    """
    return f"i-{int.from_bytes(cluster.id.encode()[-6:]):012x}{number:05x}"


def _id(prefix: str, cluster: Cluster, number: int) -> str:
    return f"{prefix}-{cluster.id[2:12]}{number:03}"
