"""What the doctor looks at where work is done and people are told: topics, schedules, engines, quotas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from crime_jobs.cloud import doctor_held
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.cloud.doctor_stores import firs_part
from crime_jobs.model import streams

#: Of a quota that is used: https://docs.aws.amazon.com/servicequotas/latest/userguide/intro.html
MUCH = 0.8

#: Quotas that this project meets first: service, code, what it is a limit of, and what one cluster or
#: environment needs. A new account has as little as 5 or 16 vCPU
#: (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html,
#: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/endpoints-quotas.html).
QUOTAS = (
    ("ec2", "L-1216C47A", "vCPUs of on-demand instances (clusters)", 12),
    ("emr-serverless", "L-D05C8A75", "vCPUs of EMR Serverless at a time", 12),
    ("dynamodb", "L-F98FE922", "DynamoDB tables", 20),
)

#: How late the consumer may be.
LATE = timedelta(minutes=1)

_CLUSTER, _APPLICATION = re.compile(r"j-[0-9A-Z]+"), re.compile(r"00[0-9a-z]{14}")
_ALIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
#: Release of EMR that packages are made for: Spark 3.5, Python 3.11.
_SERIES = "emr-7."


def topics(where: Where) -> Iterator[Probe]:
    """Look whether somebody hears what topics are told, and has confirmed it."""
    settings, stream = where.settings, streams.of(where.settings.stream)
    named = {"topic": settings.topic, "schedule.topic": settings.schedule.get("topic")}
    for name, arn in named.items():
        if arn:
            yield Probe(f"{str(arn).rpartition(':')[2]} ({name})", partial(_topic, where, arn=str(arn)))
    look = partial(_topic_called, where, name=stream.topic)
    yield Probe(f"{stream.topic} (stream.topic)", look, firs_part(where, "topic"))
    held, silent = doctor_held.of_type(where, "AWS::SNS::Topic")
    seen = {str(arn).rpartition(":")[2] for arn in named.values()} | {stream.topic}
    for one in held:
        if one.id.rpartition(":")[2] not in seen:
            yield Probe(
                f"{one.id.rpartition(':')[2]} ({one.name} of {one.stream})",
                partial(_topic, where, arn=one.id),
            )
    yield from silent


def _topic_called(where: Where, said: Said, name: str) -> None:
    pages = where.client("sns").get_paginator("list_topics").paginate()
    found = [one["TopicArn"] for page in pages for one in page["Topics"]]
    arn = next((one for one in found if one.rpartition(":")[2] == name), None)
    if arn is None:
        said.fail("it is not there", "Deploy it, or correct its name in crime-jobs.toml.")
        said.missing = True
        return
    _topic(where, said, arn)


def _topic(where: Where, said: Said, arn: str) -> None:
    sns = where.client("sns")
    told = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    found = [one for page in pages for one in page["Subscriptions"]]
    # Who is not named here: an address is a person's.
    pending = [one["Protocol"] for one in found if _is_pending(sns, str(one["SubscriptionArn"]))]
    confirmed = len(found) - len(pending)
    if pending:
        said.fail(
            f"{len(pending)} subscriptions are not confirmed ({', '.join(sorted(pending))})",
            "Whoever it is must follow the link in the message from AWS Notifications; "
            "it is good for three days, then subscribe again.",
        )
    if confirmed:
        said.ok(f"{confirmed} hear it")
    else:
        said.warn("nobody hears it", f"`aws sns subscribe --topic-arn {arn} …`")
    if told.get("KmsMasterKeyId"):
        said.ok("encrypted with a KMS key")
    else:
        said.warn("not encrypted at rest", "`crime-jobs deploy` sets it as the template says.")


def _is_pending(sns: Any, subscription: str) -> bool:
    """Tell whether nobody has confirmed it: such a one may have no ARN yet."""
    if not subscription.startswith("arn:"):
        return True
    told = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    return bool(told.get("PendingConfirmation") == "true")


def schedules(where: Where) -> Iterator[Probe]:
    """Look whether schedules still start what they should."""
    named = where.settings.schedule.get("group")
    group, client = named or f"crime-jobs-{where.settings.env}", where.client("scheduler")
    pages = client.get_paginator("list_schedules").paginate(GroupName=group)
    try:
        found = [one["Name"] for page in pages for one in page.get("Schedules", [])]
    except client.exceptions.ResourceNotFoundException:
        if named:
            raise
        return  # the first schedule makes it
    for name in found:
        yield Probe(name, partial(_schedule, where, name=name, group=group))


def _schedule(where: Where, said: Said, name: str, group: str) -> None:
    found = where.client("scheduler").get_schedule(Name=name, GroupName=group)
    if found["State"] == "ENABLED":
        said.ok(found["ScheduleExpression"])
    else:
        said.fail(f"is {found['State']}: it starts nothing", f"`crime-jobs schedule resume {name}`")
    ends = found.get("EndDate")
    if ends and ends < datetime.now(UTC):
        said.fail(f"has ended on {ends:%Y-%m-%d}", f"Remove it: `crime-jobs schedule remove {name}`.")
    target = found.get("Target", {})
    if not target.get("DeadLetterConfig", {}).get("Arn"):
        said.warn("what it can't start is lost: it has no dead-letter queue", "Add it again.")
    if role := target.get("RoleArn"):
        said.ask(partial(_role_named, where, role=role), "its role")


def roles(where: Where) -> Iterator[Probe]:
    """Look whether the roles that are handed on are there."""
    settings = where.settings
    named = {
        "runtime_role": settings.runtime_role,
        "schedule.role": settings.schedule.get("role"),
        "schedule.machine_role": settings.schedule.get("machine_role"),
    }
    for name, arn in named.items():
        if arn:
            yield Probe(f"{str(arn).rpartition('/')[2]} ({name})", partial(_role_named, where, role=str(arn)))


def _role_named(where: Where, said: Said, role: str) -> None:
    where.client("iam").get_role(RoleName=role.rpartition("/")[2])
    said.ok("the role is there")


def emr(where: Where) -> Iterator[Probe]:
    """Look at the cluster or application that jobs are sent to."""
    on = where.settings.on
    if on and on != "transient":
        yield Probe(on, partial(_emr, where, on=on))


def _emr(where: Where, said: Said, on: str) -> None:
    if _APPLICATION.fullmatch(on):
        _application(where, said, on)
        return
    client = where.client("emr")
    cluster = on
    if not _CLUSTER.fullmatch(on):
        pages = client.get_paginator("list_clusters").paginate(ClusterStates=_ALIVE)
        cluster = next((one["Id"] for page in pages for one in page["Clusters"] if one["Name"] == on), "")
    if cluster:
        found = client.describe_cluster(ClusterId=cluster)["Cluster"]
        _release(said, found.get("ReleaseLabel", ""))
        state = found["Status"]["State"]
        if state in _ALIVE:
            said.ok(f"cluster {cluster} is {state}")
        else:
            said.fail(f"cluster {cluster} is {state}", "`crime-jobs cluster up` makes another.")
        return
    pages = where.client("emr-serverless").get_paginator("list_applications").paginate()
    named = next((one["id"] for page in pages for one in page["applications"] if one.get("name") == on), "")
    if named:
        _application(where, said, named)
    else:
        said.fail(
            "there is no cluster or application of that name", "`crime-jobs cluster up`, or correct `on`."
        )


def _application(where: Where, said: Said, application: str) -> None:
    found = where.client("emr-serverless").get_application(applicationId=application)["application"]
    _release(said, found.get("releaseLabel", ""))
    if found["state"] in ("TERMINATED", "STOPPING"):
        said.fail(f"application {application} is {found['state']}", "Make another, and correct `on`.")
    else:
        said.ok(f"application {application} is {found['state']}")


def _release(said: Said, label: str) -> None:
    if label.startswith(_SERIES):
        said.ok(label)
    else:
        said.warn(f"{label or 'of no release'}, and packages are for {_SERIES}x", "Choose an EMR 7 release.")


def athena(where: Where) -> Iterator[Probe]:
    """Look at the workgroup that questions are asked in."""
    if group := where.settings.sql.get("workgroup"):
        yield Probe(str(group), partial(_workgroup, where, group=str(group)))


def _workgroup(where: Where, said: Said, group: str) -> None:
    found = where.client("athena").get_work_group(WorkGroup=group)["WorkGroup"]
    told = found.get("Configuration", {})
    if found.get("State", "ENABLED") == "ENABLED":
        said.ok("enabled")
    else:
        said.fail(
            "is disabled: no question is answered", f"`aws athena update-work-group --work-group {group}`"
        )
    if told.get("BytesScannedCutoffPerQuery"):
        said.ok(f"a question reads {told['BytesScannedCutoffPerQuery']:,} bytes at most")
    else:
        said.warn("nothing limits what a question costs", "`crime-jobs deploy adhoc` sets a limit.")


def redshift(where: Where) -> Iterator[Probe]:
    """Look at the workgroup that keeps the FIRs' history."""
    stream = streams.of(where.settings.stream)
    look = partial(_redshift, where, group=stream.redshift_workgroup, database=stream.redshift_database)
    part = "" if "redshift_workgroup" in where.settings.stream else "the FIRs' history"
    yield Probe(stream.redshift_workgroup, look, part)


def _redshift(where: Where, said: Said, group: str, database: str) -> None:
    said.ask(partial(_redshift_itself, where, group=group), "workgroup")
    if not said.missing:
        call = where.client("redshift-data").list_databases
        names = call(WorkgroupName=group, Database=database)["Databases"]
        if database in names:
            said.ok(f"database {database} answers")
        else:
            said.fail(
                f"has no database {database}", "`crime-jobs stream history setup`, or correct the name."
            )


def _redshift_itself(where: Where, said: Said, group: str) -> None:
    found = where.client("redshift-serverless").get_workgroup(workgroupName=group)["workgroup"]
    if found.get("publiclyAccessible"):
        said.fail(
            "can be reached from the internet",
            f"`aws redshift-serverless update-workgroup --workgroup-name {group} --no-publicly-accessible`",
        )
    if found["status"] in ("AVAILABLE", "MODIFYING"):
        said.ok(str(found["status"]))
    else:
        said.warn(str(found["status"]), "Wait until it is AVAILABLE.")


def lag(where: Where) -> Iterator[Probe]:
    """Look how late the consumer is, by what Kinesis measures of those who read."""
    stream = streams.of(where.settings.stream)
    yield Probe(stream.name, partial(_lag, where, stream=stream.name))


def _lag(where: Where, said: Said, stream: str) -> None:
    now = datetime.now(UTC)
    points = where.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Kinesis",
        MetricName="GetRecords.IteratorAgeMilliseconds",
        Dimensions=[{"Name": "StreamName", "Value": stream}],
        StartTime=now - timedelta(minutes=15),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    if not points:
        said.unknown("nobody has read it in the last 15 minutes, or it is not measured here")
        return
    late = timedelta(milliseconds=max(points, key=lambda one: one["Timestamp"])["Maximum"])
    if late > LATE:
        said.warn(
            f"the slowest reader is {late.total_seconds():,.0f} s late",
            "See docs/consumer.md: more shards, or workers.",
        )
    else:
        said.ok(f"the slowest reader is {late.total_seconds():.1f} s late")


def quotas(where: Where) -> Iterator[Probe]:
    """Look how near the account is to its limits."""
    yield Probe("Kinesis shards", partial(_shards, where))
    for service, code, about, least in QUOTAS:
        yield Probe(about, partial(_quota, where, service=service, code=code, least=least))


def _shards(where: Where, said: Said) -> None:
    told = where.client("kinesis").describe_limits()
    _used(said, told["OpenShardCount"], told["ShardLimit"])


def _used(said: Said, used: float, limit: float) -> None:
    text = f"{used:,.0f} of {limit:,.0f}"
    if used >= limit:
        said.fail(f"{text}: no more can be had", "Ask for more in Service Quotas.")
    elif used >= MUCH * limit:
        said.warn(text, "Ask for more in Service Quotas, before it is used up.")
    else:
        said.ok(text)


def _quota(where: Where, said: Said, service: str, code: str, least: int) -> None:
    quota = where.client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
    limit = float(quota["Value"])
    if limit < least:
        said.fail(f"{limit:,.0f}, and {least} are needed", "Ask for more in Service Quotas.")
    usage = quota.get("UsageMetric")
    used = _usage(where, usage) if usage else None
    if used is None:
        said.ok(f"{limit:,.0f} (use not measured)")
    else:
        _used(said, used, limit)


def _usage(where: Where, metric: dict[str, Any]) -> float | None:
    now = datetime.now(UTC)
    statistic = metric.get("MetricStatisticRecommendation", "Maximum")
    points = where.client("cloudwatch").get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=[{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()],
        StartTime=now - timedelta(days=1),
        EndTime=now,
        Period=3600,
        Statistics=[statistic],
    )["Datapoints"]
    return max((float(one[statistic]) for one in points), default=None)
