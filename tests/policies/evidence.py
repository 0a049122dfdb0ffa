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
from tests.policies import operations, resolving, tasks
from tests.policies.evaluator import Call

FOLDER = ROOT / "tests/data/calls"
RECORDED, OTHERS = FOLDER / "recorded.json", FOLDER / "others.toml"

#: What tests call by names that no setting says, and what that is: by parameter and name, as regular expressions.
IN_TESTS = (
    (r"TableName|RequestItems", r"alerts-~", "{stream.alerts_table}"),
    (r"TopicArn", r".*:alerts-~(\.fifo)?", "{stream.topic}"),
    (r"TopicArn", r".*:crime-jobs-migration.*", "{topic}"),
    (r"StreamName|StreamARN", r"fir-~", "{stream.name}"),
    (r"StreamName|StreamARN", r"fir-~-counts", "{stream.counts}"),
    (r"DeliveryStreamName", r"fir-~-history", "{stream.name}-history"),
    (r"object", r"crime-questions/results/(.*)", r"{sql.results}/\1"),
    # Tables that are moved are called after a prefix of the test's own.
    (r"TableName|RequestItems", r"t[0-9a-f]*~-(\w+)", r"crime-\1"),
)


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
            if task in tasks.PEOPLE or (task is None and tasks.is_nobodys(said["via"], said["made"])):
                continue
            call = {
                "task": task or f"nobody's: {' > '.join([*said['made'], *said['via']][-4:])}",
                "service": said["service"],
                "operation": said["operation"],
                "names": {
                    name: sorted({_canonical(name, value) for value in values})
                    for name, values in said["names"].items()
                },
            }
            key = json.dumps(call, sort_keys=True)
            if key not in seen:
                seen.add(key)
                yield call


def _canonical(parameter: str, value: str) -> str:
    for parameters, pattern, word in IN_TESTS:
        found = re.fullmatch(pattern, value)
        if found and re.search(rf"(?:^|\.)(?:{parameters})$", parameter):
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
        for call in operations.calls(said["service"], said["operation"], said["names"])
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
    return recorded() + others()


def _arn(place: str) -> str:
    text = operations.word(place).replace(":~:", f":{resolving.REGION}:{resolving.ACCOUNT}:", 1)
    if place.startswith("iam:"):
        text = operations.word(place).replace("~", resolving.ACCOUNT)
    return text if text == "*" else f"arn:aws:{text}"
