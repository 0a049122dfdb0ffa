"""What the user sees: results on stdout (table, JSON lines or CSV), progress and errors on stderr."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, JustifyMethod
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

HELP = "A table on a terminal, else JSON lines."

#: What a terminal takes for orders; names of files and FIRs' texts are anyone's.
_ORDERS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"} | {13: ""}


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True)
class Progress:
    """A job that begins (``seconds`` is ``None``) or has ended."""

    job: str
    number: int
    of: int
    seconds: float | None


def chosen(output: Format | None) -> Format:
    """Return the format that results are written in.

    Parameters
    ----------
    output
        What was asked for; by default a table on a terminal and JSON lines in a pipe.

    Returns
    -------
    Format
    """
    return output or (Format.TABLE if sys.stdout.isatty() else Format.JSON)


def show(rows: Sequence[dict[str, Any]], output: Format | None, *, title: str = "") -> None:
    """Write rows to stdout.

    Parameters
    ----------
    rows
        Dictionaries of the same keys.
    output
        The format; by default a table on a terminal and JSON lines in a pipe.
    title
        Heading of the table.
    """
    output = chosen(output)
    if output is Format.JSON:
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif output is Format.CSV:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(
            {k: " ".join(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows
        )
    else:
        names = list(rows[0]) if rows else []
        Console().print(_table(names, [[row[name] for row in rows] for name in names], title))


def show_columns(names: Sequence[str], values: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Write a table to stdout; on a terminal that is too low for it, by the pager (``PAGER``, or ``less``).

    Parameters
    ----------
    names
        Its columns; two may have one name.
    values
        The values of each column.
    title
        Its heading.
    """
    console = Console()
    shown = Group(*([Text(title.translate(_ORDERS))] if title else ()), _table(names, values, ""))
    if console.is_terminal and len(values[0] if values else ()) + 5 > console.height:  # 5: title and lines
        os.environ.setdefault("LESS", "-RSFX")
        with console.pager(styles=True):
            console.print(shown)
    else:
        console.print(shown)


def _table(names: Sequence[str], values: Sequence[Sequence[object]], title: str) -> Table:
    table = Table(title=_plain(title) or None, title_justify="left")
    for number, (name, column) in enumerate(zip(names, values, strict=True)):
        justify: JustifyMethod = "right" if all(isinstance(v, int | float | None) for v in column) else "left"
        is_number = justify == "right"
        # What is never broken where the terminal is narrow: numbers, and the name that one types next.
        table.add_column(
            _plain(name.replace("_", "\n" if is_number else " ")),
            justify=justify,
            no_wrap=is_number or number == 0,
            overflow="fold",
        )
    for row in zip(*values, strict=True):
        table.add_row(*(_cell(name, value) for name, value in zip(names, row, strict=True)))
    return table


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _plain("\n".join(value))
    number = isinstance(value, int) and "year" not in name  # 2,858,939 cases, but the year 2014
    return f"{value:,}" if number else _plain(str(value))


def _plain(text: str) -> str:
    """Return a text as rich shows it as it is: no markup of it, and no orders to the terminal."""
    return escape(text.translate(_ORDERS))


def report_rows(reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pick from jobs' reports what people want to see.

    Parameters
    ----------
    reports
        As `crime_jobs.jobs._runner.run_jobs` returns them.

    Returns
    -------
    list of dict
    """
    names = ("table", "rows_read", "rows_quarantined", "rows_written", "seconds")
    rows = [{name: report.get(name) for name in names} for report in reports]
    for report, row in zip(reports, rows, strict=True):
        if report["table"] != "quarantine":  # what a job read is said once, not beside each of its tables
            row["rows_read"] = row["rows_quarantined"] = None
    return rows


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """Show on stderr which job runs and how long each took.

    Yields
    ------
    callable
        Takes a `Progress`.
    """
    console = Console(stderr=True)
    with console.status("Starting Spark …") as status:

        def tell(step: Progress) -> None:
            if step.seconds is None:
                status.update(f"{step.number}/{step.of} {step.job} …")
            else:
                console.print(
                    f"{step.number:>2}/{step.of} {step.job:<24} {step.seconds:6.1f} s",
                    highlight=False,
                )

        yield tell


@contextmanager
def bars() -> Iterator[Bars]:
    """Show on stderr what is under way, on a terminal: what, since when, how far, and its field ``at``.

    Yields
    ------
    rich.progress.Progress
        Its console takes lines that stay.
    """
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[at]}"),
    )
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with Bars(*columns, console=console, transient=True) as shown:
        yield shown


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Show on stderr that something is under way; nothing where that is no terminal.

    Parameters
    ----------
    doing
        What.
    """
    with Console(stderr=True).status(escape(doing)):
        yield


def note(text: str) -> None:
    """Write a remark to stderr.

    Parameters
    ----------
    text
        The remark.
    """
    Console(stderr=True, soft_wrap=True, highlight=False).print(_plain(text))


def note_rows(rows: Sequence[dict[str, Any]], *, title: str = "", red: Sequence[dict[str, Any]] = ()) -> None:
    """Write rows to stderr as a table: what is asked about, beside results.

    Parameters
    ----------
    rows
        Dictionaries of the same keys.
    title
        Heading of the table.
    red
        Those of the rows that are shown in red.
    """
    names = list(rows[0]) if rows else []
    table = _table(names, [[row[name] for row in rows] for name in names], title)
    for shown, row in zip(table.rows, rows, strict=True):
        shown.style = "bold red" if row in red else ""
    Console(stderr=True).print(table)


def complain(message: str, hint: str = "") -> None:
    """Write an error to stderr.

    Parameters
    ----------
    message
        What is wrong.
    hint
        What to do.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]error:[/] {_plain(message)}")
    if hint:
        console.print(_plain(hint))
