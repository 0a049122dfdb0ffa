"""Shows an answer: a table on a terminal, paged when it is longer, CSV or JSON lines in a pipe, or a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crime_jobs import output
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.files import replacing
from crime_jobs.output import Format

if TYPE_CHECKING:
    import pyarrow as pa

    from crime_jobs.adhoc.asking import Answer

#: Rows of a table on a terminal; more are for files.
MOST_ROWS = 2_000
#: Endings that files are written by.
ENDINGS = (".csv", ".json", ".parquet")


def check_file(path: Path) -> Path:
    """Refuse a file that can't be written, before anything is asked.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    WrongUsage
        If its ending says no format, or its folder is not there.
    """
    if path.suffix.lower() not in ENDINGS:
        raise WrongUsage(f"--to {path}: its ending says no format.", hint=f"One of {', '.join(ENDINGS)}.")
    if not path.absolute().parent.is_dir() or path.is_dir():
        raise WrongUsage(
            f"--to {path}: there is no such folder, or it is one.", hint="Name a file in a folder."
        )
    return path


def to_file(answer: Answer, path: Path) -> int:
    """Write an answer to a file, a batch at a time; the file is there whole, or not at all.

    Parameters
    ----------
    answer
        The answer.
    path
        As `check_file` returns it; ``.json`` has one object a line.

    Returns
    -------
    int
        Rows.

    Raises
    ------
    WrongUsage
        If two columns have one name, which JSON and Parquet can't tell apart.
    JobFailed
        If it can't be written.
    """
    kind = path.suffix.lower()
    if kind != ".csv":
        _refuse_twins(answer)
    try:
        with replacing(path) as file, _writer(file, answer.schema, kind) as write:
            rows = 0
            for batch in answer.batches():
                write(batch)
                rows += batch.num_rows
    except OSError as error:
        raise JobFailed(f"{path} can't be written: {error.strerror or error}.") from error
    return rows


def _refuse_twins(answer: Answer) -> None:
    names = [column.name for column in answer.columns]
    if twins := sorted({name for name in names if names.count(name) > 1}):
        raise WrongUsage(
            f"Two columns are called {', '.join(twins)}.", hint="Give each a name of its own with AS."
        )


@contextmanager
def _writer(file: IO[bytes], schema: pa.Schema, kind: str) -> Iterator[Any]:
    if kind == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetWriter(file, schema) as to:
            yield to.write_batch
    elif kind == ".csv":
        from pyarrow import csv as arrow_csv

        with arrow_csv.CSVWriter(file, _flat(schema)) as to:
            yield lambda batch: to.write_batch(_flattened(batch))
    else:
        yield lambda batch: file.write(_json_lines(batch).encode())


def _flat(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    nested = pa.types.is_nested
    return pa.schema([(f.name, pa.string() if nested(f.type) else f.type) for f in schema])


def _flattened(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Write lists and structures as text: CSV has none."""
    import pyarrow as pa

    schema = _flat(batch.schema)
    if schema == batch.schema:
        return batch
    columns = [
        pa.array([None if one is None else _text(one) for one in column.to_pylist()], pa.string())
        if pa.types.is_nested(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _json_lines(batch: pa.RecordBatch) -> str:
    return "".join(
        json.dumps(row, ensure_ascii=False, default=_plain, allow_nan=False) + "\n"
        for row in (_finite(one) for one in batch.to_pylist())
    )


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity: they are text."""
    odd = (float("inf"), float("-inf"))
    return {k: str(v) if isinstance(v, float) and (v != v or v in odd) else v for k, v in row.items()}  # noqa: PLR0124


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return str(value)  # as many digits as it has
    return value.isoformat(sep=" ") if isinstance(value, datetime) else _text(value)


def _text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return value.hex() if isinstance(value, bytes) else str(value)


def show(answer: Answer, wanted: Format | None, *, title: str) -> int:
    """Write an answer to stdout.

    Parameters
    ----------
    answer
        The answer.
    wanted
        The format; by default a table on a terminal and JSON lines in a pipe.
    title
        Heading of the table.

    Returns
    -------
    int
        Rows written. A table has at most `MOST_ROWS`, and a remark on stderr says so.

    Raises
    ------
    WrongUsage
        If two columns have one name and JSON is wanted.
    """
    kind = output.chosen(wanted)
    if kind is Format.TABLE:
        return _table(answer, title)
    if kind is Format.JSON:
        _refuse_twins(answer)
    rows = 0
    sys.stdout.flush()
    with _writer(sys.stdout.buffer, answer.schema, f".{kind}") as write:
        for batch in answer.batches():
            write(batch)
            rows += batch.num_rows
    return rows


def _table(answer: Answer, title: str) -> int:
    import pyarrow as pa

    taken: list[pa.RecordBatch] = []
    rows = 0
    for batch in answer.batches():
        taken.append(batch.slice(0, MOST_ROWS - rows))
        rows += taken[-1].num_rows
        if rows == MOST_ROWS:
            output.note(f"These are the first {MOST_ROWS:,} rows; --to FILE.csv has all of them.")
            break
    found = pa.Table.from_batches(taken, schema=answer.schema)
    columns = [(c.name, v.to_pylist()) for c, v in zip(answer.columns, found.columns, strict=True)]
    shown, same = _apart(columns)
    output.show_columns(
        [name for name, _ in shown],
        [values for _, values in shown],
        title="\n".join(line for line in (title, same) if line),
    )
    return rows


def _apart(columns: list[tuple[str, list[Any]]]) -> tuple[list[tuple[str, list[Any]]], str]:
    """Part the columns that are alike in every row from the others: a line says them, the table fits."""
    if not columns or len(columns[0][1]) < 2:  # noqa: PLR2004 - a row alone is always like itself
        return columns, ""
    alike = [all(value == values[0] for value in values) for _, values in columns]
    if all(alike):
        return columns, ""
    same = [
        f"{name.replace('_', ' ')}: {'none' if values[0] is None else values[0]}"
        for (name, values), is_same in zip(columns, alike, strict=True)
        if is_same
    ]
    shown = [column for column, is_same in zip(columns, alike, strict=True) if not is_same]
    return shown, f"In every row: {', '.join(same)}" if same else ""
