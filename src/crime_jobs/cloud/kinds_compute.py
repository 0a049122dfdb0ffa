"""What computes: EMR clusters and studios, EMR Serverless, DMS, QuickSight, collections of faces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from crime_jobs.cloud import prices
from crime_jobs.cloud.kinds_base import Found, Kind, Phase, Place, items, tag_map

#: States of a cluster that costs; one that has ended is history, not a resource.
_ALIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
_RUNS = ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING"]
#: Seconds that an application may take to cancel its runs and to stop.
_PATIENCE = 300


def _clusters(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_clusters", "Clusters", ClusterStates=_ALIVE):
        state = one["Status"]["State"]
        yield Found(
            one["Name"],
            one["Id"],
            one.get("ClusterArn", ""),
            one["Status"].get("Timeline", {}).get("CreationDateTime"),
            state=f"{one['Id']} {state.lower()}",
            going="is ending" if state == "TERMINATING" else "",
        )


def _cluster_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.describe_cluster(ClusterId=one.id)["Cluster"].get("Tags"))


def _look_at_cluster(at: Place, one: Found) -> Found:
    about = at.client.describe_cluster(ClusterId=one.id)["Cluster"]
    counts: dict[str, int] = {}
    if about.get("InstanceCollectionType", "INSTANCE_GROUP") == "INSTANCE_GROUP":
        for group in items(at.client, "list_instance_groups", "InstanceGroups", ClusterId=one.id):
            name, count = group["InstanceType"], group.get("RunningInstanceCount", 0)
            counts[name] = counts.get(name, 0) + count
    cost = prices.machines(counts) if counts else prices.by_use("machines while it runs")
    return replace(one, cost=cost, protected=about.get("TerminationProtected", False))


def _studios(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_studios", "Studios"):
        yield Found(
            one["Name"],
            one["StudioId"],
            since=one.get("CreationTime"),
            state=one["StudioId"],
            cost=prices.free(),
        )


def _configurations(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_security_configurations", "SecurityConfigurations"):
        yield Found(one["Name"], one["Name"], since=one.get("CreationDateTime"), tags={}, cost=prices.free())


def _applications(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_applications", "applications"):
        if one["state"] != "TERMINATED":
            yield Found(
                one["name"],
                one["id"],
                one["arn"],
                one.get("createdAt"),
                state=f"{one['id']} {one['state'].lower()}",
                cost=prices.by_use("vCPU- and GB-hours of runs; more with pre-initialised workers"),
            )


def _remove_application(at: Place, one: Found) -> None:
    """Cancel its runs, stop it, delete it: the service wants it in that order."""
    running = list(items(at.client, "list_job_runs", "jobRuns", applicationId=one.id, states=_RUNS))
    for run in running:
        at.client.cancel_job_run(applicationId=one.id, jobRunId=run["id"])
    end, pause, stopping = time.monotonic() + _PATIENCE, 0.2, False
    while time.monotonic() < end:
        state = at.client.get_application(applicationId=one.id)["application"]["state"]
        if state in {"CREATED", "STOPPED", "TERMINATED"}:
            break
        if not stopping and not any(True for _ in _still_running(at, one)):
            at.client.stop_application(applicationId=one.id)
            stopping = True
        time.sleep(pause)
        pause = min(pause * 2, 5)
    at.client.delete_application(applicationId=one.id)


def _still_running(at: Place, one: Found) -> Iterator[object]:
    return items(at.client, "list_job_runs", "jobRuns", applicationId=one.id, states=[*_RUNS, "CANCELLING"])


def _dms_tasks(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_replication_tasks", "ReplicationTasks", WithoutSettings=True):
        yield Found(
            one["ReplicationTaskIdentifier"],
            one["ReplicationTaskArn"],
            one["ReplicationTaskArn"],
            one.get("ReplicationTaskCreationDate"),
            state=one["Status"],
            cost=prices.free("its instance costs"),
            going="is being deleted" if one["Status"] == "deleting" else "",
        )


def _remove_task(at: Place, one: Found) -> None:
    wait = {"Delay": 5, "MaxAttempts": _PATIENCE // 5}
    this = [{"Name": "replication-task-arn", "Values": [one.arn]}]
    if one.state in {"running", "starting"}:
        at.client.stop_replication_task(ReplicationTaskArn=one.arn)
        at.client.get_waiter("replication_task_stopped").wait(Filters=this, WaiterConfig=wait)
    at.client.delete_replication_task(ReplicationTaskArn=one.arn)


def _dms_instances(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_replication_instances", "ReplicationInstances"):
        size, hourly = one["ReplicationInstanceClass"], prices.DMS.get(one["ReplicationInstanceClass"])
        zones = 2 if one.get("MultiAZ") else 1
        cost = prices.Cost(None, f"unknown: no price of {size} here")
        if hourly:
            cost = prices.Cost(
                round(hourly * zones * prices.HOURS, 2),
                f"{zones} {size} at {hourly} an hour, without its disk",
            )
        yield Found(
            one["ReplicationInstanceIdentifier"],
            one["ReplicationInstanceArn"],
            one["ReplicationInstanceArn"],
            one.get("InstanceCreateTime"),
            state=f"{one['ReplicationInstanceStatus']}, {size}",
            cost=cost,
            going="is being deleted" if one["ReplicationInstanceStatus"] == "deleting" else "",
            key=one.get("KmsKeyId", ""),
        )


def _dms_endpoints(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_endpoints", "Endpoints"):
        yield Found(
            one["EndpointIdentifier"],
            one["EndpointArn"],
            one["EndpointArn"],
            state=f"{one['EndpointType'].lower()}, {one['EngineName']}, {one.get('Status', '')}",
            cost=prices.free(),
            going="is being deleted" if one.get("Status") == "deleting" else "",
            key=one.get("KmsKeyId", ""),
        )


def _dms_subnet_groups(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_replication_subnet_groups", "ReplicationSubnetGroups"):
        name = one["ReplicationSubnetGroupIdentifier"]
        yield Found(name, name, at.arn("dms", f"subgrp:{name}"), cost=prices.free())


def _dms_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.list_tags_for_resource(ResourceArn=one.arn)["TagList"])


def _shown(at: Place, operation: str, members: str, id_of: str, **request: str) -> Iterator[Found]:
    for one in items(at.client, operation, members, AwsAccountId=at.account, **request):
        yield Found(
            one.get("Name", one[id_of]),
            one[id_of],
            one.get("Arn", ""),
            one.get("CreatedTime"),
            cost=prices.by_use("QuickSight's readers and authors"),
        )


def _shown_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.list_tags_for_resource(ResourceArn=one.arn)["Tags"])


def _quicksight(name: str, listing: str, member: str, removing: str, id_of: str, **request: str) -> Kind:
    return Kind(
        f"quicksight {name}",
        "quicksight",
        lambda at: _shown(at, listing, member, id_of, **request),
        remove=lambda at, it: getattr(at.client, removing)(AwsAccountId=at.account, **{id_of: it.id}),
        tags=_shown_tags,
    )


def _collections(at: Place) -> Iterator[Found]:
    for name in items(at.client, "list_collections", "CollectionIds"):
        yield Found(name, name, at.arn("rekognition", f"collection/{name}"))


def _look_at_collection(at: Place, one: Found) -> Found:
    about = at.client.describe_collection(CollectionId=one.id)
    faces = about.get("FaceCount", 0)
    return replace(
        one,
        arn=about.get("CollectionARN", one.arn),
        since=about.get("CreationTimestamp"),
        state=f"{faces:,} faces",
        cost=prices.monthly("face", faces),
    )


KINDS = (
    Kind(
        "cluster",
        "emr",
        _clusters,
        Phase.WORK,
        lambda at, it: at.client.terminate_job_flows(JobFlowIds=[it.id]),
        _cluster_tags,
        _look_at_cluster,
        lambda at, it: at.client.set_termination_protection(JobFlowIds=[it.id], TerminationProtected=False),
    ),
    Kind(
        "studio",
        "emr",
        _studios,
        Phase.SERVICES,
        lambda at, it: at.client.delete_studio(StudioId=it.id),
        lambda at, it: tag_map(at.client.describe_studio(StudioId=it.id)["Studio"].get("Tags")),
    ),
    Kind(
        "emr security configuration",
        "emr",
        _configurations,
        Phase.ROLES,
        lambda at, it: at.client.delete_security_configuration(Name=it.id),
    ),
    Kind(
        "serverless application",
        "emr-serverless",
        _applications,
        Phase.WORK,
        _remove_application,
        lambda at, it: tag_map(at.client.list_tags_for_resource(resourceArn=it.arn)["tags"]),
    ),
    Kind("dms task", "dms", _dms_tasks, Phase.WORK, _remove_task, _dms_tags),
    Kind(
        "dms endpoint",
        "dms",
        _dms_endpoints,
        Phase.SERVICES,
        lambda at, it: at.client.delete_endpoint(EndpointArn=it.arn),
        _dms_tags,
    ),
    Kind(
        "dms instance",
        "dms",
        _dms_instances,
        Phase.SERVICES,
        lambda at, it: at.client.delete_replication_instance(ReplicationInstanceArn=it.arn),
        _dms_tags,
    ),
    Kind(
        "dms subnet group",
        "dms",
        _dms_subnet_groups,
        Phase.NETWORK,
        lambda at, it: at.client.delete_replication_subnet_group(ReplicationSubnetGroupIdentifier=it.id),
        _dms_tags,
    ),
    _quicksight("dashboard", "list_dashboards", "DashboardSummaryList", "delete_dashboard", "DashboardId"),
    _quicksight("analysis", "list_analyses", "AnalysisSummaryList", "delete_analysis", "AnalysisId"),
    # AWS's own themes are listed too where none is asked for.
    _quicksight("theme", "list_themes", "ThemeSummaryList", "delete_theme", "ThemeId", Type="CUSTOM"),
    _quicksight("data set", "list_data_sets", "DataSetSummaries", "delete_data_set", "DataSetId"),
    _quicksight("data source", "list_data_sources", "DataSources", "delete_data_source", "DataSourceId"),
    Kind(
        "face collection",
        "rekognition",
        _collections,
        Phase.SERVICES,
        lambda at, it: at.client.delete_collection(CollectionId=it.id),
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceArn=it.arn)["Tags"]),
        _look_at_collection,
    ),
)
