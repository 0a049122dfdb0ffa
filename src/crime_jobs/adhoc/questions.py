"""The named questions: files of ``sql/questions/``, each a statement in Athena's SQL with its parameters.

A file begins with comment lines: the title, notes, and a line a parameter, ``-- @param name default: help``.
The statement takes each parameter once, as ``?`` in its first CTE and in the same order, so that it runs as
it stands in Athena's console, as a prepared statement, and here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from crime_jobs.errors import WrongUsage

#: The folder of the SQL, in the package.
FOLDER = "sql"

_PARAMETER = re.compile(r"@param (?P<name>[a-z_]+) (?P<default>[^:]+): (?P<help>.+)")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question; its values are text.

    Parameters
    ----------
    name
        Its name.
    default
        What it is when not given.
    help
        What it may be.
    """

    name: str
    default: str
    help: str


@dataclass(frozen=True)
class Question:
    """A named question.

    Parameters
    ----------
    name
        The file's name without its ending.
    title
        What it answers, in a line.
    notes
        What one should know of the answer; empty if nothing.
    parameters
        In the order of the statement's ``?``.
    sql
        The statement without the comments that head it, in Athena's SQL.
    """

    name: str
    title: str
    notes: str
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, given: Mapping[str, str]) -> list[str]:
        """Return the values of the statement's parameters.

        Parameters
        ----------
        given
            Values by name; the others have their defaults.

        Returns
        -------
        list of str
            In the order of the ``?``.

        Raises
        ------
        WrongUsage
            If a name is none of this question's; the close one is named.
        """
        known = {parameter.name: parameter.default for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise WrongUsage(
                    f"{self.name} has no parameter {name!r}.{_close(name, [*known])}",
                    hint=f"It has {', '.join(known) or 'none'}: `crime-jobs sql list {self.name}`.",
                )
        return [given.get(name, default) for name, default in known.items()]

    def text(self, given: Mapping[str, str]) -> str:
        """Return the statement with its values in it, for people to read and to copy.

        Parameters
        ----------
        given
            Values by name; the others have their defaults.

        Returns
        -------
        str
            In Athena's SQL. The values are literals of the parsed statement: none can be anything else.

        Raises
        ------
        WrongUsage
            As `bind`.
        """
        import sqlglot
        from sqlglot import exp

        statement = sqlglot.parse_one(self.sql, dialect="athena")
        asked = statement.find(exp.CTE)
        assert asked is not None  # noqa: S101 - a test holds every file to it
        for column, value in zip(asked.this.selects, self.bind(given), strict=True):
            column.find(exp.Placeholder).replace(exp.Literal.string(value))
        return statement.sql(dialect="athena", pretty=True)


@cache
def questions() -> dict[str, Question]:
    """Read the questions.

    Returns
    -------
    dict
        Name to question, by name.
    """
    folder = files("crime_jobs.adhoc") / FOLDER / "questions"
    found = sorted(path.name for path in folder.iterdir() if path.name.endswith(".sql"))
    return {
        name.removesuffix(".sql"): read(name.removesuffix(".sql"), (folder / name).read_text("utf-8"))
        for name in found
    }


def find(name: str) -> Question:
    """Find a question by its name.

    Parameters
    ----------
    name
        Its name.

    Raises
    ------
    WrongUsage
        If there is none of that name; a close one is named.
    """
    if found := questions().get(name):
        return found
    raise WrongUsage(
        f"No question is called {name!r}.{_close(name, [*questions()])}",
        hint="`crime-jobs sql list` shows them; SQL of your own stands in quotes.",
    )


def read(name: str, text: str) -> Question:
    """Read a question's file.

    Parameters
    ----------
    name
        The question's name.
    text
        The file's content.

    Returns
    -------
    Question
    """
    lines = text.splitlines()
    height = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    title, *rest = (line.removeprefix("--").strip() for line in lines[:height])
    found = [_PARAMETER.fullmatch(line) for line in rest]
    return Question(
        name=name,
        title=title,
        notes=" ".join(line for line, parameter in zip(rest, found, strict=True) if not parameter),
        parameters=tuple(Parameter(**parameter.groupdict()) for parameter in found if parameter),
        sql="\n".join(lines[height:]).strip() + "\n",
    )


def _close(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" Is {near[0]} meant?" if near else ""
