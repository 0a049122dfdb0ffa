"""What the page asks, and the statements that it shows beside its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crime_jobs.adhoc.questions import find
from crime_jobs.errors import AwsRefused, BadInput, JobFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from crime_jobs.adhoc.asking import Asker

#: The questions that the page is made of, each asked for everything but what is given here.
ASKED: dict[str, dict[str, str]] = {
    "crime_groups": {},
    "population": {},
    "data_quality": {},
    "crime_by_place": {},
    "crime_by_head": {},
    "crimes_against_women": {},
    "traffic_by_hour": {},
    "traffic_by_month": {},
    "crime_by_region": {"level": "district"},
    "hot_spots": {},
    "falling_districts": {},
}
#: Begins what is said where there are none, which is no fault: not every environment has a stream.
WITHOUT_FIRS = "The page is whole but for FIRs."
#: Those about the stream's FIRs, on the page when there is a history of them.
FIRS = ("firs_by_group", "firs_by_hour_and_month")
#: Whose statements the page shows besides: the same figures, laid out for two places.
ALSO_SHOWN = ("compare_places",)

#: Around a parameter's name where its value goes; in no name and no place.
OPEN, CLOSE = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}", "\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"


def ask_all(asker: Asker) -> tuple[dict[str, pa.Table], list[str]]:
    """Ask everything that the page shows.

    Parameters
    ----------
    asker
        Who answers.

    Returns
    -------
    answers : dict
        Question to its rows. The questions about FIRs are missing where the environment has none.
    left_out : list of str
        A sentence for what is missing, and why.

    Raises
    ------
    BadInput
        If a table is missing or not whole.
    AwsRefused
        If AWS refuses or can't be reached.
    JobFailed
        If a query failed.
    """
    answers = {name: _ask(asker, name, given) for name, given in ASKED.items()}
    try:
        firs = {name: _ask(asker, name, {}) for name in FIRS}
    except (AwsRefused, BadInput, JobFailed) as error:
        return answers, [f"{WITHOUT_FIRS} {error.message}"]
    if not firs[FIRS[0]].num_rows:
        return answers, [f"{WITHOUT_FIRS} The history of the stream holds none."]
    return answers | firs, []


def _ask(asker: Asker, name: str, given: Mapping[str, str]) -> pa.Table:
    question = find(name)
    every = {parameter.name: "all" for parameter in question.parameters}
    return asker.ask(question.sql, question.bind(every | dict(given))).table()


def statements() -> dict[str, dict[str, Any]]:
    """Return the statements that the page shows, with a mark where a parameter's value goes.

    Returns
    -------
    dict
        Question to its ``title`` and ``sql``. The SQL is that of `Question.text` with each value its
        parameter's name between `OPEN` and `CLOSE`, in quotes: the page puts the value in.
    """
    found = {}
    for name in (*ASKED, *FIRS, *ALSO_SHOWN):
        question = find(name)
        marks = {parameter.name: f"{OPEN}{parameter.name}{CLOSE}" for parameter in question.parameters}
        defaults = {parameter.name: parameter.default for parameter in question.parameters}
        found[name] = {"title": question.title, "sql": question.text(marks), "defaults": defaults}
    return found
