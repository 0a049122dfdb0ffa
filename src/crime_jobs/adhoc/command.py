"""What ``crime-jobs sql`` does: finds out what is asked, asks it, and says what the answer cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_jobs import output
from crime_jobs.adhoc import asking, showing
from crime_jobs.adhoc._values import checked
from crime_jobs.adhoc.askers import open_asker
from crime_jobs.adhoc.questions import Question, find, questions
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.adhoc.asking import Answer, SqlSettings
    from crime_jobs.output import Format
    from crime_jobs.settings import Settings


def rows_of_list(name: str | None) -> list[dict[str, Any]]:
    """List the questions, or the parameters of one.

    Parameters
    ----------
    name
        A question; ``None`` lists all.

    Returns
    -------
    list of dict

    Raises
    ------
    WrongUsage
        If there is none of that name.
    """
    if name is None:
        return [
            {
                "question": q.name,
                "answers": q.title,
                "parameters": [f"{p.name}={p.default}" for p in q.parameters],
            }
            for q in questions().values()
        ]
    return [{"parameter": p.name, "default": p.default, "may_be": p.help} for p in find(name).parameters]


def title_of(name: str | None) -> str:
    """Return the heading of a list, as `rows_of_list` takes the name."""
    return "Questions" if name is None else f"{name}: {find(name).title}. {find(name).notes}".strip()


def understood(what: str, given: Mapping[str, str]) -> tuple[str, list[str], Question | None]:
    """Find out what is asked.

    Parameters
    ----------
    what
        SQL, or the name of a question.
    given
        Values of the question's parameters by name.

    Returns
    -------
    tuple
        The statement, the values of its ``?`` in order, and the question if it is one.

    Raises
    ------
    WrongUsage
        If there is no such question or parameter, a value can't be, or SQL is given parameters by name.
    """
    if not what.strip():
        raise WrongUsage("No question is asked.", hint="`crime-jobs sql list` shows those there are.")
    if len(what.split()) == 1 and "(" not in what:
        question = find(what.strip())
        question.bind(given)  # names first, then what stands behind them
        return question.sql, question.bind(checked(question, given)), question
    if given:
        raise WrongUsage(
            "SQL of your own has no parameters with names.",
            hint="Write the values into the SQL, or name a question.",
        )
    return what, [], None


#: Words that a statement begins with which reads, and changes nothing.
_READS = {"SELECT", "WITH", "VALUES", "TABLE", "(", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"}


def check_reads(sql: str) -> None:
    """Refuse a statement that does more than read: an analyst's answer should never cost a table.

    Parameters
    ----------
    sql
        One statement.

    Raises
    ------
    WrongUsage
        If it begins with another word, or it explains a statement by running it.
    """
    from sqlglot.errors import TokenError
    from sqlglot.tokens import Tokenizer

    try:
        words = [token.text.upper() for token in Tokenizer(dialect="athena").tokenize(sql)]
    except TokenError:
        return  # whoever is asked says where it is wrong
    first = words[0] if words else ""
    runs = first == "EXPLAIN" and "INSERT" in sql.upper()  # EXPLAIN ANALYZE runs what it explains
    if first not in _READS or runs:
        raise WrongUsage(
            f"{first or 'This'} does more than read.",
            hint="Tables are made by `crime-jobs run` and `sql setup`; --write sends it all the same.",
        )


def ask(
    what: str,
    given: Mapping[str, str],
    settings: Settings,
    wanted: Format | None,
    to: Path | None,
    *,
    may_write: bool = False,
) -> None:
    """Ask, show the answer, and say on stderr what it cost.

    Parameters
    ----------
    what, given
        As for `understood`.
    settings
        Where to ask.
    wanted
        How the answer is written to stdout.
    to
        A file that it is written to instead.
    may_write
        Whether the statement may do more than read.

    Raises
    ------
    CrimeJobsError
        As `check_reads`, `crime_jobs.adhoc.asking.Asker.ask` and `crime_jobs.adhoc.showing` say.
    """
    sql, values, question = understood(what, given)
    if not question and not may_write:
        check_reads(sql)
    if to:
        showing.check_file(to)
    found = asking.of(settings)
    asker = open_asker(settings)
    try:
        with output.waiting(f"Asking {'Athena' if found.workgroup else 'the lake'} …"):
            answer = asker.ask(sql, values)
        if to:
            with output.waiting(f"Writing {to} …"):
                rows = showing.to_file(answer, to)
        else:
            rows = showing.show(answer, wanted, title=question.title if question else "")
    finally:
        asker.close()
    output.note(said(answer, rows, found, to))
    if question and not rows and question.parameters:
        asked = ", ".join(f"{p.name}={v}" for p, v in zip(question.parameters, values, strict=True))
        output.note(f"Nothing has {asked}. `crime-jobs sql list {question.name}` says what each may be.")


def said(answer: Answer, rows: int, settings: SqlSettings, to: Path | None = None) -> str:
    """Say how many rows there are, how long they took, and what they cost.

    Parameters
    ----------
    answer
        The answer.
    rows
        Rows that were written.
    settings
        The price.
    to
        The file that was written.

    Returns
    -------
    str
    """
    text = f"{rows:,} row{'' if rows == 1 else 's'} in {answer.seconds:.2f} s"
    if to:
        text += f", written to {to}"
    if answer.scanned_bytes is not None:
        price = settings.price(answer.scanned_bytes)
        text += (
            f"; {answer.scanned_bytes:,} bytes scanned, {price:.6f} USD at {settings.price_per_tb:g} USD a TB"
        )
        if 0 < answer.scanned_bytes < asking.LEAST_BYTES:
            text += " (10 MB are billed at least)"
    if answer.query_id:
        text += f"; query {answer.query_id}"
    return f"{text}."
