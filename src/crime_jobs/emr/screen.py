"""What a user sees of runs: one line that lives while a run is under way, and one screen when it failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from crime_jobs import output
from crime_jobs.emr.logs import printable
from crime_jobs.emr.runs import Phase

if TYPE_CHECKING:
    from rich.progress import TaskID

    from crime_jobs.emr.cause import Cause
    from crime_jobs.emr.runs import Status
    from crime_jobs.emr.submit import Tell, View

_STYLES = {Phase.DONE: "green", Phase.FAILED: "red", Phase.CANCELLED: "yellow"}


@contextmanager
def live() -> Iterator[Tell]:
    """Show runs on stderr: state, time and progress, ticking on a terminal, a line a change elsewhere.

    Yields
    ------
    callable
        Takes a `crime_jobs.emr.submit.View`.
    """
    with output.bars() as bars:
        seen: dict[str, tuple[str, str]] = {}
        tasks: dict[str, TaskID] = {}

        def tell(view: View) -> None:
            run, at = view.status.run, _at(view)
            if run.id not in tasks:
                for task in tasks.values():
                    bars.remove_task(task)
                tasks.clear()
                tasks[run.id] = bars.add_task("", total=None, at="")
            bars.update(
                tasks[run.id],
                description=f"{escape(run.name)}  {view.status.state}",
                at=escape(at),
                total=view.progress.of if view.progress else None,
                completed=view.progress.number - 1 if view.progress else 0,
            )
            now = (view.status.state, at)
            if seen.get(run.id) != now:
                state_changed = seen.get(run.id, ("", ""))[0] != view.status.state
                seen[run.id] = now
                if state_changed or not bars.console.is_terminal:
                    bars.console.print(_line(view.status, at))

        yield tell


def _at(view: View) -> str:
    if view.note:
        return view.note
    if not view.progress:
        return ""
    return printable(f"{view.progress.number}/{view.progress.of} {view.progress.job}")


def _line(status: Status, at: str) -> str:
    style = _STYLES.get(status.phase, "default")
    took = f"  {_clock(status.seconds)}" if status.phase.over and status.seconds is not None else ""
    return (
        f"{status.run.id}  {escape(status.run.name)}  [{style}]{status.state}[/]{took}  {escape(at)}".rstrip()
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def show_cause(status: Status, cause: Cause) -> None:
    """Show on stderr why a run failed: all that is needed without opening a log.

    Parameters
    ----------
    status
        The run.
    cause
        Why.
    """
    console = Console(stderr=True, highlight=False)
    parts: list[Text] = [Text(printable(cause.headline), style="bold")]
    if cause.hint:
        parts.append(Text(printable(cause.hint)))
    for title, text in (
        ("Was reading", cause.reading),
        ("EMR says", cause.details),
        ("Traceback" if "Traceback" in cause.traceback else "Its last lines", cause.traceback),
        ("Logs", "\n".join(f"{name}: {uri}" for name, uri in cause.logs.items())),
    ):
        if text and text != cause.headline:
            parts += [Text(), Text(title, style="dim"), Text(printable(text.rstrip()))]
    title = printable(f"{status.run.name} ({status.run.id}): {status.state}")
    if not console.is_terminal:  # a frame would break long lines, which scripts and mails can do without
        console.print(escape(title), soft_wrap=True)
        for part in parts:
            console.print(part, soft_wrap=True)
        return
    console.print(Panel(Group(*parts), title=escape(title), title_align="left", border_style="red"))
