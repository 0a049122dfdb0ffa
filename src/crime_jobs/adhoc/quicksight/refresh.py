"""Fills the datasets: an ingestion each, watched to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from crime_jobs.adhoc.quicksight.datasets import FIRS, SHOWN
from crime_jobs.adhoc.quicksight.service import Account, Row, error_code, pause
from crime_jobs.adhoc.quicksight.template import data_set_id, rules_id
from crime_jobs.errors import AwsRefused, Interrupted, JobFailed, WrongUsage

#: Seconds between two looks, and how long an ingestion may take.
LOOK, LONGEST = 5.0, 30 * 60.0
_ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
_NOT_THERE, _NOT_STARTED, _LATE = "NOT THERE", "NOT STARTED", "STILL RUNNING"

#: https://docs.aws.amazon.com/quicksight/latest/APIReference/API_CreateIngestion.html
_INGESTION_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")

Tell = Callable[[str], None]


def ids(name: str) -> dict[str, str]:
    """Return title and id of each dataset, the rules first: the others are read by them.

    Parameters
    ----------
    name
        What the ids of all parts begin with.
    """
    return {"rules": rules_id(name)} | {q: data_set_id(name, dataset) for q, dataset in SHOWN.items()}


def check_names(name: str, only: str | None, ingestion: str | None) -> None:
    """Refuse what can't be asked, before anything is asked of AWS.

    Parameters
    ----------
    name
        What the ids of all parts begin with.
    only, ingestion
        See `refresh`.

    Raises
    ------
    WrongUsage
        If there is no such dataset, or the id has a character that ids don't have.
    """
    if only is not None and only not in ids(name):
        raise WrongUsage(f"No dataset is called {only!r}.", hint=f"There are {', '.join(ids(name))}.")
    if ingestion is not None and not _INGESTION_ID.fullmatch(ingestion):
        raise WrongUsage(
            f"--id {ingestion!r} is no id of an ingestion.",
            hint="It is of letters, digits, - and _, 128 at most.",
        )


def new_id(now: datetime | None = None) -> str:
    """Return an id for the ingestions of one run.

    Parameters
    ----------
    now
        The time; by default this moment.
    """
    return f"crime-jobs-{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}"


def refresh(
    account: Account,
    name: str,
    tell: Tell,
    *,
    ingestion: str | None = None,
    only: str | None = None,
    history: bool = True,
    sleep: Callable[[float], None] = pause,
    clock: Callable[[], float] = time.monotonic,
) -> list[Row]:
    """Fill every dataset, and wait for all of them.

    Parameters
    ----------
    account
        The account.
    name
        What the ids of all parts begin with.
    tell
        Told of each that ends.
    ingestion
        Id of the ingestions. A run with the id of another, or a call that is repeated because its answer was
        lost, joins what is under way instead of starting it twice.
    only
        The one dataset to fill.
    history
        Whether there are FIRs of the stream; without them their dataset stays as it is.
    sleep, clock
        Wait, and tell the time, in seconds.

    Returns
    -------
    list of dict
        A row a dataset: how it ended, rows ingested and dropped, seconds, and the error.

    Raises
    ------
    Interrupted
        If Ctrl-C ended the waiting; the ingestions go on.
    """
    ingestion = ingestion or new_id()
    skipped = set() if history or only else {FIRS.question}
    wanted = {q: i for q, i in ids(name).items() if only in (None, q) and q not in skipped}
    rows: dict[str, Row] = {}
    try:
        for question, set_id in wanted.items():
            refused = _start(account, set_id, ingestion, sleep)
            if refused:
                rows[question] = _row(question, *refused)
                tell(f"{question}: {refused[0].lower()}, {refused[1]}")
        began = clock()
        while len(rows) < len(wanted):
            for question, set_id in wanted.items():
                if question not in rows and (row := _look(account, question, set_id, ingestion, sleep)):
                    rows[question] = row
                    tell(_said(row))
            if len(rows) < len(wanted):
                if clock() - began > LONGEST:
                    left = [q for q in wanted if q not in rows]
                    late = f"not ended after {LONGEST / 60:.0f} minutes"
                    rows |= {question: _row(question, _LATE, late) for question in left}
                    break
                sleep(LOOK)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            "Interrupted: what was started goes on in QuickSight.",
            hint=f"`crime-jobs quicksight status` shows it; --id {ingestion} joins it.",
        ) from interrupt
    return [rows[question] for question in wanted]


def _start(
    account: Account, set_id: str, ingestion: str, sleep: Callable[[float], None]
) -> tuple[str, str] | None:
    try:
        account.call(
            f"Filling {set_id}",
            lambda: account.client.create_ingestion(
                AwsAccountId=account.id,
                DataSetId=set_id,
                IngestionId=ingestion,
                IngestionType="FULL_REFRESH",
            ),
            sleep,
        )
    except AwsRefused as error:
        code = error_code(error)
        if code == "ResourceExistsException":  # ours: the first answer was lost, or another run began it
            return None
        if code == "ResourceNotFoundException":
            return _NOT_THERE, f"no dataset {set_id}: `crime-jobs quicksight deploy` makes it"
        if code in {"LimitExceededException", "InvalidParameterValueException"}:
            return _NOT_STARTED, error.message
        raise
    return None


def _look(
    account: Account, question: str, set_id: str, ingestion: str, sleep: Callable[[float], None]
) -> Row | None:
    told = account.call(
        f"Looking at {set_id}",
        lambda: account.client.describe_ingestion(
            AwsAccountId=account.id, DataSetId=set_id, IngestionId=ingestion
        ),
        sleep,
    )["Ingestion"]
    return ingested(question, told) if told["IngestionStatus"] in _ENDED else None


def ingested(question: str, told: Mapping[str, Any]) -> Row:
    """Return an ingestion as a row for people.

    Parameters
    ----------
    question
        The dataset's question.
    told
        ``Ingestion`` of the API.
    """
    counted, error = told.get("RowInfo", {}), told.get("ErrorInfo", {})
    return _row(
        question,
        told["IngestionStatus"],
        " ".join(f"{error.get('Type', '')}: {error.get('Message', '')}".split()) if error else "",
        rows=counted.get("RowsIngested"),
        dropped=counted.get("RowsDropped"),
        seconds=told.get("IngestionTimeInSeconds"),
    )


def _row(
    question: str,
    status: str,
    error: str,
    *,
    rows: int | None = None,
    dropped: int | None = None,
    seconds: int | None = None,
) -> Row:
    return {
        "dataset": question,
        "status": status,
        "rows": rows,
        "dropped": dropped,
        "seconds": seconds,
        "error": error,
    }


def _said(row: Row) -> str:
    counted = "" if row["rows"] is None else f", {row['rows']:,} rows"
    lost = f", {row['dropped']:,} dropped" if row["dropped"] else ""
    why = f", {row['error']}" if row["error"] else ""
    return f"{row['dataset']}: {row['status'].lower()}{counted}{lost}{why}"


def check(rows: list[Row]) -> None:
    """Fail if a dataset was not filled, or not with all its rows: its figures would be too small.

    Parameters
    ----------
    rows
        As `refresh` returns them.

    Raises
    ------
    JobFailed
        The first failure's reason comes first.
    """
    bad = [row for row in rows if row["status"] != "COMPLETED" or row["dropped"]]
    if bad:
        raise JobFailed(
            f"{len(bad)} of {len(rows)} datasets are not as they should be. First {_said(bad[0])}.",
            hint="What they held before is still shown; rows that were dropped are in QuickSight's console.",
        )
