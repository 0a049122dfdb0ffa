"""What a user sees of a DMS task under way: a line that lives, and one for each table that is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from crime_jobs import output
from crime_jobs.migrate.statistics import BEFORE_LOAD, COMPLETED, FULL_LOAD

if TYPE_CHECKING:
    from crime_jobs.migrate._dms_watch import Tell, View


@contextmanager
def live(doing: str) -> Iterator[Tell]:
    """Show a task on stderr.

    Parameters
    ----------
    doing
        What is shown until there is one.

    Yields
    ------
    callable
        Takes a `crime_jobs.migrate._dms_watch.View`.
    """
    with output.bars() as bars:
        bar = bars.add_task(escape(doing), total=None, at="")
        seen: dict[str, str] = {}

        def line(key: str, state: str, text: str) -> None:
            if seen.get(key) != state:
                seen[key] = state
                bars.console.print(escape(text))

        def tell(view: View) -> None:
            done = sum(table.get("TableState") == COMPLETED for table in view.tables)
            moved = sum(table.get("FullLoadRows", 0) for table in view.tables)
            at = view.note or (f"{done}/{len(view.tables)} tables, {moved:,} rows" if view.tables else "")
            bars.update(
                bar,
                description=escape(f"{view.name}  {view.state}"),
                at=escape(at),
                total=len(view.tables) or None,
                completed=done,
            )
            line("", view.state, f"{view.name}  {view.state}")
            if view.note:
                line("note", view.note, f"{view.name}  {view.note}")
            for table in view.tables:
                name, state = f"{table['SchemaName']}.{table['TableName']}", table.get("TableState", "")
                if state not in (BEFORE_LOAD, FULL_LOAD):
                    line(name, state, f"{name}  {state}  {table.get('FullLoadRows', 0):,} rows")

        yield tell
