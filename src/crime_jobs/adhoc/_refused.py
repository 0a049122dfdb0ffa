"""What is wrong with a query, in Athena's words, and where."""

from __future__ import annotations


class SqlWrong(Exception):  # noqa: N818 - reads as what it is
    """A query that Athena refuses.

    Parameters
    ----------
    name
        Athena's name of the error, as ``COLUMN_NOT_FOUND``; empty for a query that does not parse.
    what
        What is wrong.
    line, column
        Where, from 1.
    """

    def __init__(self, name: str, what: str, line: int, column: int) -> None:
        self.name, self.what, self.line, self.column = name, what, line, column
        super().__init__(f"{name}: {self.located}" if name else self.located)

    @property
    def located(self) -> str:
        """What is wrong and where, without the error's name."""
        return f"line {self.line}:{self.column}: {self.what}"


class Unsupported(SqlWrong):
    """What Athena has and DuckDB can't say with the same meaning.

    Parameters
    ----------
    what
        Its name.
    line, column
        Where, from 1.
    """

    def __init__(self, what: str, line: int = 1, column: int = 1) -> None:
        super().__init__("NOT_SUPPORTED", f"{what} is not supported here", line, column)


def place(sql: str, offset: int) -> tuple[int, int]:
    """Return line and column of a character.

    Parameters
    ----------
    sql
        The text.
    offset
        Where in it, from 0.

    Returns
    -------
    line, column
        From 1.
    """
    before = sql[: max(0, offset)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
