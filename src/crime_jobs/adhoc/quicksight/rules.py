"""Who sees which states: a CSV, checked before it is uploaded, since a wrong line shows too much or nothing.

Columns are ``UserARN``, ``GroupARN`` and ``state_code``. A line names a user or a group (or both), and the
codes it may see with commas between; ``IN`` is the figures of the whole country, ``IN-AP+TS`` Andhra Pradesh
and Telangana together. An empty ``state_code`` is everything. Who is in no line sees nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from crime_jobs.adhoc.quicksight.datasets import RULED
from crime_jobs.adhoc.quicksight.template import RULE_COLUMNS
from crime_jobs.errors import BadInput
from crime_jobs.model import places

_USER, _GROUP = (
    re.compile(rf"arn:[a-z-]+:quicksight:[a-z0-9-]+:\d{{12}}:{kind}/[^/]+/.+") for kind in ("user", "group")
)


@dataclass(frozen=True)
class Rule:
    """A line: a user's ARN, a group's, and the codes; no codes are all states."""

    user: str
    group: str
    codes: tuple[str, ...]


def read(path: Path) -> tuple[Rule, ...]:
    """Read the rules.

    Parameters
    ----------
    path
        The CSV.

    Returns
    -------
    tuple of Rule

    Raises
    ------
    BadInput
        If it is missing, has other columns, no line, or a line with an ARN or a code that can't be: with its
        number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The rules {path} can't be read: {error}.",
            hint=f"It is a CSV with the columns {', '.join(RULE_COLUMNS)}; see docs/quicksight.md.",
        ) from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(reader.fieldnames or ()) != RULE_COLUMNS:
        raise BadInput(
            f"{path}, line 1: the columns are {', '.join(reader.fieldnames or ['none'])}.",
            hint=f"They must be {', '.join(RULE_COLUMNS)}.",
        )
    try:
        found = tuple(_rule(row, f"{path}, line {reader.line_num}") for row in reader)
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: {error}.", hint="Correct the CSV.") from error
    if not found:
        raise BadInput(f"{path} has no rule: nobody would see anything.", hint="Add a line, at least yours.")
    return found


def _rule(row: dict[str | None, str | list[str] | None], where: str) -> Rule:
    if None in row or None in row.values():
        raise BadInput(f"{where}: not {len(RULE_COLUMNS)} fields.", hint="Quote codes that have a comma.")
    user, group, listed = (str(row[name]).strip() for name in RULE_COLUMNS)
    if not user and not group:
        raise BadInput(f"{where}: neither a user nor a group.", hint="Fill in UserARN or GroupARN.")
    for arn, pattern in ((user, _USER), (group, _GROUP)):
        if arn and not pattern.fullmatch(arn):
            raise BadInput(
                f"{where}: {arn!r} is no ARN of a {'user' if pattern is _USER else 'group'}.",
                hint="It looks like arn:aws:quicksight:us-east-1:123456789012:group/default/name.",
            )
    codes = tuple(code.strip() for code in listed.split(",")) if listed else ()
    known = {*places.states(), places.COUNTRY_CODE, places.TOGETHER_CODE}
    for code in codes:
        if code not in known:
            raise BadInput(
                f"{where}: {code!r} is the code of no state.",
                hint=f"Codes are as IN-TN; {places.COUNTRY_CODE} is the whole country's figures.",
            )
    return Rule(user, group, codes)


def written(rules: tuple[Rule, ...]) -> bytes:
    """Return the rules as the CSV that QuickSight reads.

    Parameters
    ----------
    rules
        The rules.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(RULE_COLUMNS)
    writer.writerows((rule.user, rule.group, ",".join(rule.codes)) for rule in rules)
    return text.getvalue().encode()


def manifest(bucket: str, key: str) -> bytes:
    """Return the manifest that the data source names.

    Parameters
    ----------
    bucket, key
        Where the rules are.
    """
    upload = {"format": "CSV", "delimiter": ",", "textqualifier": '"', "containsHeader": "true"}
    files = [{"URIs": [f"s3://{bucket}/{key}"]}]
    return json.dumps({"fileLocations": files, "globalUploadSettings": upload}).encode()


def summary(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    """Return who sees what, for people.

    Parameters
    ----------
    rules
        The rules.
    """
    return [{"who": rule.user or rule.group, RULED: ", ".join(rule.codes) or "everything"} for rule in rules]
