"""The web interfaces of a cluster, which are open to nobody, and the ways to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crime_jobs import aws
from crime_jobs.emr.clusters import describe, find
from crime_jobs.errors import JobFailed

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Web interfaces of the primary node and their ports
#: (https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-web-interfaces.html).
INTERFACES = {
    "Hue": 8888,
    "Spark history": 18080,
    "YARN": 8088,
    "HDFS": 9870,
    "Livy": 8998,
}
_NEEDS = {"Hue": "hue", "Spark history": "spark", "Livy": "livy"}


@dataclass(frozen=True)
class Tunnel:
    """A way to a web interface that is open to nobody.

    Parameters
    ----------
    interface
        What is there.
    url
        Where it is while the command runs.
    command
        Arguments of the command that opens it.
    """

    interface: str
    url: str
    command: tuple[str, ...]


def tunnels(settings: Settings, cluster_id: str) -> list[Tunnel]:
    """Return the commands that lead to a cluster's web interfaces, by AWS Systems Manager.

    No port of the cluster is open to anybody; SSM asks IAM, and the session is in CloudTrail
    (https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html).

    Parameters
    ----------
    settings
        Region and profile.
    cluster_id
        The cluster.

    Returns
    -------
    list of Tunnel
        None while the primary node is not there.
    """
    with aws.refusals(f"Looking for the primary node of cluster {cluster_id}"):
        emr = aws.client("emr", settings)
        cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        nodes = emr.list_instances(
            ClusterId=cluster_id, InstanceGroupTypes=["MASTER"], InstanceStates=["RUNNING"]
        )["Instances"]
    if not nodes or not nodes[0].get("Ec2InstanceId"):
        return []
    has = {application["Name"].lower() for application in cluster.get("Applications", [])}
    node, host = nodes[0]["Ec2InstanceId"], nodes[0].get("PrivateDnsName") or "localhost"
    wanted = {name: port for name, port in INTERFACES.items() if _NEEDS.get(name, "") in has | {""}}
    who = ("--profile", settings.profile) if settings.profile else ()
    return [
        Tunnel(
            name,
            f"http://localhost:{port}",
            (
                *("aws", "ssm", "start-session", "--region", aws.region(settings), *who, "--target", node),
                *("--document-name", "AWS-StartPortForwardingSessionToRemoteHost", "--parameters"),
                f"host={host},portNumber={port},localPortNumber={port}",
            ),
        )
        for name, port in wanted.items()
    ]


def history(settings: Settings, cluster: str) -> str:
    """Return an address of the Spark history that EMR keeps outside the cluster, also after its end.

    Parameters
    ----------
    settings
        Region.
    cluster
        Id or name.

    Returns
    -------
    str
        A signed address, to be opened soon.

    Raises
    ------
    AwsRefused
        If EMR refuses.
    JobFailed
        If EMR has not got it ready.
    """
    described = describe(settings, find(settings, cluster)["Id"])
    emr = aws.client("emr", settings)
    with aws.refusals(f"Opening the history of {described['Name']}"):
        made = emr.create_persistent_app_ui(TargetResourceArn=described["ClusterArn"])["PersistentAppUIId"]
        answer = emr.get_persistent_app_ui_presigned_url(PersistentAppUIId=made, PersistentAppUIType="SHS")
    if not answer.get("PresignedURLReady", True) or "PresignedURL" not in answer:
        raise JobFailed("The history is not ready yet.", hint="Ask again in a minute.")
    return str(answer["PresignedURL"])
