"""The calls that policies are held against: those that test runs recorded, and those that others make for us."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.policies import making, operations, places, resolving, tasks
from tests.policies.evaluator import Call

FOLDER = ROOT / "tests/data/calls"
RECORDED, OTHERS = FOLDER / "recorded.json", FOLDER / "others.toml"

#: What tests call by names that no setting says, and what that is: the task's and the parameter's name, and the
#: value, as regular expressions. What is by chance (a date, a table of the test's own) goes the same way.
IN_TESTS = (
    (r".*", r".*TableName|RequestItems", r"alerts-[0-9a-f~]+", "{stream.alerts_table}"),
    (r"consumer|replay|watcher", r"TopicArn", r".*:alerts-[0-9a-f~]+(\.fifo)?", "{stream.topic}"),
    (r".*", r"StreamName|StreamARN", r"fir-[0-9a-f~]+", "{stream.name}"),
    (r".*", r"StreamName|StreamARN", r"fir-[0-9a-f~]+-counts", "{stream.counts}"),
    (r".*", r"DeliveryStreamName", r"fir-[0-9a-f~]+-history", "{stream.name}-history"),
    (r".*", r"object", r"crime-questions/results/.*", "{sql.results}/~"),
    (r"analyst", r"object", r"\{artifacts\}/four_~/.*", "{sql.results}/~"),
    (r"loader", r"WorkgroupName", r"wg-four-~", "{stream.redshift_workgroup}"),
    (r"submitter", r"object", r"\{logs\|bucket\}/outcome-.*", "{logs}/~"),
    (r".*", r"object", r"(\{stream\.history\}(?:-loads)?)/.*", r"\1/~"),
    (
        r".*",
        r"object",
        r"\{stream\.history\|bucket\}/dead-letters/.*",
        "{stream.history|bucket}/dead-letters/~",
    ),
    (r".*", r"CollectionId", r"crime-jobs-.*", "crime-jobs-missing"),
    (r".*", r"object|Delete\.Objects\.Key", r"(?:crime-faces/)?.*\bwatch/.*", "crime-faces/watch/~"),
    (r".*", r"prefix", r"crime-faces/.*\bwatch\b.*", "crime-faces/watch/~"),
    (r"enroller", r"object", r".*", "crime-faces/watch/~"),
    (r"matcher|reviewer", r"object|prefix", r"crime-faces/.*", "crime-faces/photographs/~"),
    # A deployed environment of a test has a bucket of its own.
    (
        r"enroller|matcher",
        r"object|prefix",
        r"[a-z0-9-]+-faces-~/(watch|photographs)/.*",
        r"crime-faces/\1/~",
    ),
    (r"enroller|matcher", r"bucket", r"[a-z0-9-]+-faces-~", "crime-faces"),
    (r"matcher", r"SecretId", r".*", "engine-reads"),
    (r"enroller|custodian", r"SecretId", r".*", "engine-writes"),
    (
        r"submitter.*|cluster keeper|scheduler|packager|publisher",
        r"object|prefix",
        r"(\{(?:artifacts|logs)\}/).*",
        r"\1~",
    ),
    # A migration's own table keeps its name; those that are moved are called as their mapping says.
    (r"migration", r".*TableName|RequestItems", r"(?!crime-jobs-).*", "crime-moved"),
    (r"migration", r"TableArn", r"(.*:table/)[^/]*(.*)", r"\1crime-moved\2"),
    (r"migration", r"ExportArn", r"(.*:table/)[^/]*/export/.*", r"\1crime-moved/export/~"),
    (r"migration", r"SecretId", r".*", "{oracle_secret}"),
    (r"migration", r"TopicArn", r".*", "{topic}"),
    (r"migration", r"object|prefix", r".*/dynamodb/.*", "{landing}/dynamodb/~"),
    (r"migration", r"bucket", r"no-such-bucket.*", "{landing|bucket}"),
    (r"migration", r"object|prefix", r".*/export(?:/.*)?", "{logs}/export/~"),
)
#: Services whose resources have ids by chance, which is all that their calls name.
IDS_ALONE = frozenset({"emr", "emr-serverless"})
#: Names that say nothing of what is called.
BESIDE = frozenset({"StatementName", "Database", "QueryExecutionContext.Database"})


@dataclass(frozen=True)
class Evidence:
    """A call, and how it is known.

    Parameters
    ----------
    task
        Whose it is.
    known_by
        The operation that was recorded, or who calls and on whose word.
    call
        What IAM is asked.
    recorded
        Whether a test run made it.
    """

    task: str
    known_by: str
    call: Call
    recorded: bool


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Read what a test run recorded: calls, each with its task; the same one comes once."""
    seen = set()
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            said = json.loads(line)
            if tasks.is_the_guards(said, said["via"]):
                continue
            task = tasks.task(said["via"], said["made"])
            if task == tasks.NOBODY or tasks.is_nobodys(said["via"], said["made"]):
                continue
            whose = task or f"nobody's: {' > '.join([*said['made'], *said['via']][-4:])}"
            call = {
                "task": whose,
                "service": said["service"],
                "operation": said["operation"],
                "names": {} if tasks.is_by_kind(task, said["service"]) else _names(whose, said),
            }
            key = json.dumps(call, sort_keys=True)
            if key not in seen:
                seen.add(key)
                yield call


def _names(task: str, said: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a call names, in words that say the same in every run."""
    by_id = said["service"] in IDS_ALONE
    return {
        name: sorted({_canonical(task, name, value) for value in values})
        for name, values in said["names"].items()
        if name == "tagged" or not (by_id or name in BESIDE or name.endswith(".Prefix"))
    }


def calls(said: Mapping[str, Any]) -> tuple[Call, ...]:
    """What IAM is asked when a call is made that was recorded."""
    if tasks.is_by_kind(said["task"], said["service"]):
        return places.calls(said["service"], said["operation"])
    return operations.calls(said["service"], said["operation"], said["names"])


def _canonical(task: str, parameter: str, value: str) -> str:
    for tasks_of, parameters, pattern, word in IN_TESTS:
        found = re.fullmatch(pattern, value)
        if found and re.fullmatch(tasks_of, task) and re.fullmatch(parameters, parameter):
            return found.expand(word)
    return value


def written(calls: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of the committed file: a call a line, in order."""
    lines = sorted(json.dumps(call, sort_keys=True) for call in calls)
    return "[\n" + ",\n".join(lines) + "\n]\n"


@cache
def recorded() -> tuple[Evidence, ...]:
    """What the committed file says was called."""
    return tuple(
        Evidence(said["task"], f"{said['service']} {said['operation']} {said['names']}", call, recorded=True)
        for said in json.loads(RECORDED.read_text())
        for call in calls(said)
    )


@cache
def others() -> tuple[Evidence, ...]:
    """What others call for us."""
    return tuple(
        Evidence(said["task"], f"{said['who']} ({said['source']})", one, recorded=False)
        for said in tomllib.loads(OTHERS.read_text())["call"]
        for call in told(said)
        for one in (call, *operations.through_service(call))
    )


def told(said: Mapping[str, Any]) -> Iterator[Call]:
    """What an entry of `OTHERS` says is called, without what follows from it."""
    for action in said["actions"]:
        for place in said["resources"]:
            yield Call(action, _arn(place), said.get("context", {}))


def everything() -> tuple[Evidence, ...]:
    """All of it."""
    return recorded() + others() + made()


@cache
def made() -> tuple[Evidence, ...]:
    """What CloudFormation calls to make what the templates have."""
    return tuple(
        Evidence("CloudFormation", f"{kind} {handler}", call, recorded=False)
        for kind, handler, action in making.permissions()
        for call in places.asked(action)
    )


def _arn(place: str) -> str:
    text = operations.word(place).replace(":~:", f":{resolving.REGION}:{resolving.ACCOUNT}:", 1)
    if place.startswith("iam:"):
        text = operations.word(place).replace("~", resolving.ACCOUNT)
    return text if text == "*" else f"arn:aws:{text}"
