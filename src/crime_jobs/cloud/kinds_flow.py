"""What moves and what starts things: streams, queues, topics, rules, schedules, state machines, functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crime_jobs.cloud import prices
from crime_jobs.cloud.kinds_base import Found, Kind, Phase, Place, items, moment, tag_map


def _streams(at: Place) -> Iterator[Found]:
    for name in items(at.client, "list_streams", "StreamNames"):
        yield Found(name, name, at.arn("kinesis", f"stream/{name}"))


def _look_at_stream(at: Place, stream: Found) -> Found:
    about = at.client.describe_stream_summary(StreamName=stream.name)["StreamDescriptionSummary"]
    shards, status = about["OpenShardCount"], about["StreamStatus"]
    cost = prices.monthly("shard", shards, prices.HOURS)
    if about.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND":
        cost = prices.monthly("on-demand stream", 1, prices.HOURS)
    return replace(
        stream,
        arn=about["StreamARN"],
        since=about.get("StreamCreationTimestamp"),
        state=f"{status.lower()}, {shards} shards, {about.get('ConsumerCount', 0)} consumers, "
        f"{about['RetentionPeriodHours']} h kept",
        cost=cost,
        going="is being deleted" if status == "DELETING" else "",
        key=about.get("KeyId", ""),
    )


def _delivery(at: Place) -> Iterator[Found]:
    more = True
    start: dict[str, str] = {}
    while more:  # boto3 has no paginator for it
        page = at.client.list_delivery_streams(Limit=100, **start)
        names, more = (
            page["DeliveryStreamNames"],
            page["HasMoreDeliveryStreams"] and page["DeliveryStreamNames"],
        )
        for name in names:
            yield Found(
                name, name, at.arn("firehose", f"deliverystream/{name}"), cost=prices.by_use("GB delivered")
            )
        start = {"ExclusiveStartDeliveryStreamName": names[-1]} if names else {}


def _look_at_delivery(at: Place, it: Found) -> Found:
    about = at.client.describe_delivery_stream(DeliveryStreamName=it.name)["DeliveryStreamDescription"]
    status = about["DeliveryStreamStatus"]
    going = "is being deleted" if status == "DELETING" else ""
    return replace(it, since=about.get("CreateTimestamp"), state=status.lower(), going=going)


def _topics(at: Place) -> Iterator[Found]:
    for topic in items(at.client, "list_topics", "Topics"):
        arn = topic["TopicArn"]
        yield Found(arn.rpartition(":")[2], arn, arn, cost=prices.by_use("messages"))


def _subscriptions(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_subscriptions", "Subscriptions"):
        arn, topic = one["SubscriptionArn"], one["TopicArn"].rpartition(":")[2]
        confirmed = arn.startswith("arn:")
        yield Found(
            f"{topic} to {one['Protocol']}",  # an address is a person's: not shown
            arn if confirmed else f"{topic}/{one['Protocol']}",
            arn if confirmed else "",
            tags={},
            state="confirmed" if confirmed else "not confirmed; goes by itself or with its topic",
            cost=prices.by_use("deliveries"),
            part_of=one["TopicArn"],
        )


def _unsubscribe(at: Place, one: Found) -> None:
    if one.arn:
        at.client.unsubscribe(SubscriptionArn=one.arn)


def _queues(at: Place) -> Iterator[Found]:
    for url in items(at.client, "list_queues", "QueueUrls"):
        name = url.rpartition("/")[2]
        yield Found(name, url, at.arn("sqs", name), cost=prices.by_use("requests"))


def _look_at_queue(at: Place, queue: Found) -> Found:
    about = at.client.get_queue_attributes(QueueUrl=queue.id, AttributeNames=["All"])["Attributes"]
    waiting = int(about["ApproximateNumberOfMessages"]) + int(about["ApproximateNumberOfMessagesNotVisible"])
    made = moment(int(about["CreatedTimestamp"]) * 1000) if "CreatedTimestamp" in about else None
    return replace(
        queue, since=made, state=f"about {waiting:,} messages", key=about.get("KmsMasterKeyId", "")
    )


def _rules(at: Place) -> Iterator[Found]:
    for bus in items(at.client, "list_event_buses", "EventBuses"):
        for rule in items(at.client, "list_rules", "Rules", EventBusName=bus["Name"]):
            if rule.get("ManagedBy"):
                continue  # made and removed by the service that is named there
            yield Found(
                rule["Name"],
                rule["Name"],
                rule["Arn"],
                state=rule["State"].lower(),
                cost=prices.free("AWS's own events; own ones by use"),
                more={"bus": bus["Name"]},
            )


def _remove_rule(at: Place, rule: Found) -> None:
    where = {"Rule": rule.name, "EventBusName": rule.more["bus"]}
    targets = [target["Id"] for target in items(at.client, "list_targets_by_rule", "Targets", **where)]
    if targets:
        at.client.remove_targets(**where, Ids=targets)
    at.client.delete_rule(Name=rule.name, EventBusName=rule.more["bus"])


def _groups(at: Place) -> Iterator[Found]:
    for group in items(at.client, "list_schedule_groups", "ScheduleGroups"):
        if group["Name"] != "default":  # every account's own
            yield Found(
                group["Name"],
                group["Name"],
                group["Arn"],
                group.get("CreationDate"),
                state=group.get("State", "").lower(),
                cost=prices.free(),
                going="is being deleted" if group.get("State") == "DELETING" else "",
            )


def _schedules(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_schedules", "Schedules"):
        group = one.get("GroupName", "default")
        yield Found(
            one["Name"],
            f"{group}|{one['Name']}",
            one.get("Arn", ""),
            one.get("CreationDate"),
            tags={},  # schedules have none; their group has
            state=one.get("State", "").lower(),
            cost=prices.by_use("invocations"),
            part_of=at.arn("scheduler", f"schedule-group/{group}"),
            more={"group": group},
        )


def _machines(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_state_machines", "stateMachines"):
        arn = one["stateMachineArn"]
        yield Found(
            one["name"], arn, arn, one.get("creationDate"), state=one.get("type", "").lower(),
            cost=prices.by_use("state transitions"),
        )  # fmt: skip


def _look_at_machine(at: Place, machine: Found) -> Found:
    about = at.client.describe_state_machine(stateMachineArn=machine.arn)
    running = list(
        items(at.client, "list_executions", "executions", stateMachineArn=machine.arn, statusFilter="RUNNING")
    )
    going = "is being deleted" if about.get("status") == "DELETING" else ""
    return replace(machine, state=f"{about.get('status', '').lower()}, {len(running)} running", going=going)


def _remove_machine(at: Place, machine: Found) -> None:
    request = {"stateMachineArn": machine.arn, "statusFilter": "RUNNING"}
    for execution in items(at.client, "list_executions", "executions", **request):
        at.client.stop_execution(executionArn=execution["executionArn"], cause="crime-jobs destroy")
    at.client.delete_state_machine(stateMachineArn=machine.arn)


def _functions(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_functions", "Functions"):
        yield Found(
            one["FunctionName"],
            one["FunctionName"],
            one["FunctionArn"],
            moment(one.get("LastModified", "").replace("+0000", "+00:00")),
            state=f"{one.get('Runtime', 'image')}, changed then",
            cost=prices.by_use("requests and seconds"),
        )


def _flink(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_applications", "ApplicationSummaries"):
        yield Found(
            one["ApplicationName"],
            one["ApplicationName"],
            one["ApplicationARN"],
            state=one["ApplicationStatus"].lower(),
            going="is being deleted" if one["ApplicationStatus"] == "DELETING" else "",
        )


def _look_at_flink(at: Place, app: Found) -> Found:
    about = at.client.describe_application(ApplicationName=app.name)["ApplicationDetail"]
    flink = about.get("ApplicationConfigurationDescription", {}).get(
        "FlinkApplicationConfigurationDescription", {}
    )
    parallel = flink.get("ParallelismConfigurationDescription", {})
    each = parallel.get("ParallelismPerKPU", 1)
    # One more KPU orchestrates (https://aws.amazon.com/managed-service-apache-flink/pricing/).
    units = -(-parallel.get("CurrentParallelism", parallel.get("Parallelism", 1)) // each) + 1
    running = about["ApplicationStatus"] == "RUNNING"
    cost = prices.monthly("flink", units, prices.HOURS) if running else prices.free("does not run")
    return replace(app, since=about.get("CreateTimestamp"), cost=cost)


def _remove_flink(at: Place, app: Found) -> None:
    about = at.client.describe_application(ApplicationName=app.name)["ApplicationDetail"]
    at.client.delete_application(ApplicationName=app.name, CreateTimestamp=about["CreateTimestamp"])


KINDS = (
    Kind(
        "schedule",
        "scheduler",
        _schedules,
        Phase.TRIGGERS,
        lambda at, it: at.client.delete_schedule(Name=it.name, GroupName=it.more["group"]),
    ),
    Kind(
        "schedule group",
        "scheduler",
        _groups,
        Phase.TRIGGERS,
        lambda at, it: at.client.delete_schedule_group(Name=it.name),
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceArn=it.arn)["Tags"]),
    ),
    Kind(
        "event rule",
        "events",
        _rules,
        Phase.TRIGGERS,
        _remove_rule,
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceARN=it.arn)["Tags"]),
    ),
    Kind(
        "state machine",
        "stepfunctions",
        _machines,
        Phase.WORK,
        _remove_machine,
        lambda at, it: tag_map(at.client.list_tags_for_resource(resourceArn=it.arn)["tags"]),
        _look_at_machine,
    ),
    Kind(
        "flink application",
        "kinesisanalyticsv2",
        _flink,
        Phase.WORK,
        _remove_flink,
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceARN=it.arn)["Tags"]),
        _look_at_flink,
    ),
    Kind(
        "function",
        "lambda",
        _functions,
        Phase.WORK,
        lambda at, it: at.client.delete_function(FunctionName=it.name),
        lambda at, it: tag_map(at.client.list_tags(Resource=it.arn)["Tags"]),
    ),
    Kind(
        "delivery stream",
        "firehose",
        _delivery,
        Phase.WORK,
        lambda at, it: at.client.delete_delivery_stream(DeliveryStreamName=it.name, AllowForceDelete=True),
        lambda at, it: tag_map(at.client.list_tags_for_delivery_stream(DeliveryStreamName=it.name)["Tags"]),
        _look_at_delivery,
    ),
    Kind(
        "stream",
        "kinesis",
        _streams,
        Phase.SERVICES,
        lambda at, it: at.client.delete_stream(StreamName=it.name, EnforceConsumerDeletion=True),
        lambda at, it: tag_map(at.client.list_tags_for_stream(StreamName=it.name)["Tags"]),
        _look_at_stream,
    ),
    Kind("subscription", "sns", _subscriptions, Phase.SERVICES, _unsubscribe),
    Kind(
        "topic",
        "sns",
        _topics,
        Phase.SERVICES,
        lambda at, it: at.client.delete_topic(TopicArn=it.arn),
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceArn=it.arn)["Tags"]),
    ),
    Kind(
        "queue",
        "sqs",
        _queues,
        Phase.SERVICES,
        lambda at, it: at.client.delete_queue(QueueUrl=it.id),
        lambda at, it: tag_map(at.client.list_queue_tags(QueueUrl=it.id).get("Tags", {})),
        _look_at_queue,
    ),
)
