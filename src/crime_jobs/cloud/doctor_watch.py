"""What the doctor looks at of those who watch: the trail of who read what, alarms, the budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from crime_jobs.cloud import doctor_held
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.cloud.doctor_stores import REDEPLOY

#: CloudTrail delivers within five minutes or so, and something of the account always happens
#: (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html).
SILENT = timedelta(days=1)
#: How long an alarm may be without data before its metric is doubted.
UNMEASURED = timedelta(days=1)

#: Streams whose files and tables hold people.
_PERSONAL = ("firs", "faces")
_WRITTEN_DOWN = ("AWS::S3::Bucket", "AWS::DynamoDB::Table")
_DATA = {"AWS::S3::Bucket": "AWS::S3::Object", "AWS::DynamoDB::Table": "AWS::DynamoDB::Table"}

_WITHOUT = "not deployed, or left out by deploy.without."
NO_TRAIL = f"The stacks hold no trail: {_WITHOUT}"
NO_ALARMS = f"The stacks hold no alarms: {_WITHOUT}"
NO_BUDGET = f"The stacks hold no budget: {_WITHOUT}"


def trail(where: Where) -> Iterator[Probe]:
    """Look whether it is written down who reads FIRs and photographs, and reaches its bucket."""
    held, silent = doctor_held.of_type(where, "AWS::CloudTrail::Trail")
    for one in held:
        yield Probe(one.id, partial(_trail, where, name=one.id))
    yield from silent


def _trail(where: Where, said: Said, name: str) -> None:
    client = where.client("cloudtrail")
    status = client.get_trail_status(Name=name)
    if status.get("IsLogging"):
        said.ok("writes down")
    else:
        said.fail("writes nothing down", f"`aws cloudtrail start-logging --name {name}`")
    for member, what in (("LatestDeliveryError", "files"), ("LatestDigestDeliveryError", "digests")):
        if error := status.get(member):
            said.fail(
                f"its {what} do not reach the bucket ({error})",
                "Look at the bucket's policy and key: `crime-jobs deploy storage` sets them.",
            )
    _delivered(said, status.get("LatestDeliveryTime"))
    said.ask(lambda said: _selected(where, said, client, name), "what it writes down")


def _delivered(said: Said, last: datetime | None) -> None:
    if last is None:
        said.warn(
            "has delivered nothing yet", "A new one takes some minutes; then look at its bucket's policy."
        )
    elif datetime.now(UTC) - last > SILENT:
        said.warn(f"has delivered nothing since {last:%Y-%m-%d %H:%M} UTC", "Look at its bucket's policy.")
    else:
        said.ok(f"delivered last on {last:%Y-%m-%d %H:%M} UTC")


def _selected(where: Where, said: Said, client: Any, name: str) -> None:
    answer = client.get_event_selectors(TrailName=name)
    selectors = [*answer.get("AdvancedEventSelectors", []), *_advanced(answer.get("EventSelectors", []))]
    if not any(_takes(one, {"eventCategory": "Management"}) for one in selectors):
        said.fail("does not write down who changes roles, keys and buckets", REDEPLOY)
    lacking = []
    held = [one for one in doctor_held.all_of(where) if one.stream in _PERSONAL and one.type in _WRITTEN_DOWN]
    for one in held:
        event = {
            "eventCategory": "Data",
            "resources.type": _DATA[one.type],
            "resources.ARN": _arn(where, one),
        }
        if not any(_takes(selector, event) for selector in selectors):
            lacking.append(f"{one.type.split('::')[2].lower()} {one.id}")
    if lacking:
        said.fail(f"does not write down who reads {', '.join(lacking)}", REDEPLOY)
    elif held:
        said.ok(f"{len(held)} buckets and tables of FIRs and faces are watched")


def _arn(where: Where, one: doctor_held.Held) -> str:
    """Return the ARN that events on all of something begin with."""
    arn = str(where.once("identity", where.client("sts").get_caller_identity)["Arn"])
    partition, account = arn.split(":")[1], arn.split(":")[4]
    if one.type == "AWS::S3::Bucket":
        return f"arn:{partition}:s3:::{one.id}/"
    return f"arn:{partition}:dynamodb:{where.settings.region}:{account}:table/{one.id}"


def _advanced(selectors: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Write basic selectors as advanced ones; those for reads or writes alone are about no whole thing."""
    for one in selectors:
        if one.get("ReadWriteType", "All") != "All":
            continue
        if one.get("IncludeManagementEvents", True):
            yield {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
        for data in one.get("DataResources", []):
            yield {
                "FieldSelectors": [
                    {"Field": "eventCategory", "Equals": ["Data"]},
                    {"Field": "resources.type", "Equals": [data["Type"]]},
                    {"Field": "resources.ARN", "StartsWith": data["Values"]},
                ]
            }


def _takes(selector: Mapping[str, Any], event: Mapping[str, str]) -> bool:
    """Tell whether a selector takes all events of a thing: whoever makes them, reads and writes.

    Parameters
    ----------
    selector
        An advanced event selector.
    event
        Category, type and (what begins) the ARN; a selector that asks for anything else takes only some
        (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html).
    """
    return all(_matches(field, event) for field in selector.get("FieldSelectors", []))


def _matches(field: Mapping[str, Any], event: Mapping[str, str]) -> bool:
    value = event.get(field["Field"])
    if value is None or not {name for name in field if field[name]} <= {"Field", "Equals", "StartsWith"}:
        return False
    begins = field.get("StartsWith", [])
    is_whole = not value.endswith("/")  # a bucket's objects are told by what their ARNs begin with alone
    return any(value.startswith(one) for one in begins) or (is_whole and value in field.get("Equals", []))


def alarms(where: Where) -> Iterator[Probe]:
    """Look whether alarms are on, tell somebody, and measure something."""
    held, silent = doctor_held.of_type(where, "AWS::CloudWatch::Alarm")
    names = [one.id for one in held]
    for name in names:
        yield Probe(name, partial(_alarm, where, name=name, names=names))
    yield from silent


def _described(where: Where, names: list[str]) -> dict[str, Any]:
    pages = where.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=names)
    return {one["AlarmName"]: one for page in pages for one in page["MetricAlarms"]}


def _alarm(where: Where, said: Said, name: str, names: list[str]) -> None:
    found = where.once("alarms", lambda: _described(where, names)).get(name)
    if found is None:
        said.fail("it is not there", "`crime-jobs deploy monitoring` makes it again.")
        said.missing = True
        return
    if not found.get("ActionsEnabled"):
        said.fail(
            "its actions are off: it tells nobody",
            f"`aws cloudwatch enable-alarm-actions --alarm-names {name}`",
        )
    elif not found.get("AlarmActions"):
        said.fail("it tells nobody", REDEPLOY)
    else:
        said.ok("tells somebody")
    state, since = found.get("StateValue"), found.get("StateUpdatedTimestamp")
    when = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
    if state == "ALARM":
        said.warn(f"is in ALARM{when}", f"docs/runbook.md, {name.rpartition('-')[2]}, says what to do.")
    elif state == "INSUFFICIENT_DATA" and since and datetime.now(UTC) - since > UNMEASURED:
        said.warn(
            f"has had no data{when}",
            "Is what it measures there, and called so? `crime-jobs deploy monitoring`",
        )
    else:
        said.ok(str(state))


def budget(where: Where) -> Iterator[Probe]:
    """Look whether a budget is there, and somebody hears when it is used up."""
    held, silent = doctor_held.of_type(where, "AWS::Budgets::Budget")
    for one in held:
        yield Probe(one.id, partial(_budget, where, name=one.id))
    yield from silent


def _budget(where: Where, said: Said, name: str) -> None:
    client = where.client("budgets")
    account = where.once("identity", where.client("sts").get_caller_identity)["Account"]
    which = {"AccountId": account, "BudgetName": name}
    found = client.describe_budget(**which)["Budget"]
    limit, spent = found.get("BudgetLimit", {}), found.get("CalculatedSpend", {}).get("ActualSpend", {})
    used, most = float(spent.get("Amount", 0)), float(limit.get("Amount", 0))
    told = f"{used:,.0f} of {most:,.0f} {limit.get('Unit', '')}"
    if limit and used >= most:
        said.warn(f"{told} are spent", "`crime-jobs inventory --all-regions` shows what costs.")
    else:
        said.ok(told)
    pages = client.get_paginator("describe_notifications_for_budget").paginate(**which)
    notices = [one for page in pages for one in page.get("Notifications", [])]
    hears = sum(len(_subscribers(client, which, notice)) for notice in notices)
    if hears:
        said.ok(f"{hears} hear of it")
    else:
        said.fail("nobody hears of it", REDEPLOY)


def _subscribers(client: Any, which: Mapping[str, str], notice: Mapping[str, Any]) -> list[Any]:
    # What else a notification says of itself is not taken as a parameter.
    asked = {
        key: notice[key]
        for key in ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")
        if key in notice
    }
    found = client.describe_subscribers_for_notification(**which, Notification=asked)
    return list(found.get("Subscribers", []))
