"""What ``crime-jobs faces review`` does: opens the desk, serves its page, and says what was decided."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.faces.review.desk import Desk
    from crime_jobs.settings import Settings

#: What serves the page, sees to the photographs, and opens what is sealed.
_NEEDED = ("starlette", "uvicorn", "PIL", "aws_encryption_sdk")


def review(
    settings: Settings,
    watch_list: str,
    *,
    port: int,
    browser: bool,
    idle_minutes: float,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Have the leads of a watch list reviewed, until the reviewer ends it.

    Parameters
    ----------
    settings
        The environment.
    watch_list
        Name of the watch list.
    port
        Port of 127.0.0.1; 0 for any free one.
    browser
        Whether to open the browser.
    idle_minutes
        Minutes without a reviewer after which it ends.
    tell
        Called with a sentence for the terminal.

    Returns
    -------
    dict
        How many were confirmed and rejected, and how many still wait.

    Raises
    ------
    WrongUsage
        If there is no such watch list, the port is not free, or something is not installed.
    AwsRefused
        If the watch list or the queue can't be read.
    """
    import webbrowser

    _check_installed()
    from crime_jobs.faces.review import serve

    desk = open_desk(settings, watch_list)
    desk.first()  # what can't be read is said here and not in the browser
    page = serve.Page(desk, port, idle_minutes, tell)
    tell(f"You decide as {desk.who}. The page, for one browser, once:\n{page.address}\nCtrl-C ends it.")
    if browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(page.address,), daemon=True).start()
    page.serve()
    return {"watch_list": watch_list, **desk.counts, "waiting": desk.waiting()}


def open_desk(settings: Settings, watch_list: str) -> Desk:
    """Return a desk over the environment's tables.

    Parameters
    ----------
    settings
        The environment.
    watch_list
        Name of the watch list.

    Returns
    -------
    Desk

    Raises
    ------
    WrongUsage
        If there is no such watch list.
    AwsRefused
        If it can't be read.
    """
    from crime_jobs.faces.audit import Audit
    from crime_jobs.faces.leads import Leads
    from crime_jobs.faces.people import People
    from crime_jobs.faces.review.desk import Desk
    from crime_jobs.faces.review.photographs import Photographs
    from crime_jobs.model.faces import of

    faces = of(settings.faces)
    people = People(settings, faces)
    found = people.watch_list(watch_list)
    return Desk(found, Leads(settings, faces), people, Photographs(settings), Audit(settings, faces))


def _has_screen() -> bool:
    """Tell whether a browser has where to open; without a screen one for terminals would take ours."""
    return not sys.platform.startswith("linux") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise WrongUsage(
            f"The page needs what is not installed: {', '.join(missing)}.",
            hint="pip install 'crime-jobs[faces]'",
        )
