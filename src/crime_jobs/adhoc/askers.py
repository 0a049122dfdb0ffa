"""Who is asked in an environment: Athena, or the lake itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crime_jobs.adhoc.asking import of

if TYPE_CHECKING:
    from crime_jobs.adhoc.asking import Asker
    from crime_jobs.settings import Settings


def open_asker(settings: Settings) -> Asker:
    """Return who answers in an environment: Athena where its settings name a workgroup, else the lake.

    Parameters
    ----------
    settings
        The settings.

    Returns
    -------
    Asker
    """
    found = of(settings)
    if found.workgroup:
        from crime_jobs.adhoc.athena import Athena

        return Athena(settings, found)
    from crime_jobs.adhoc.lake import LakeAsker

    return LakeAsker(settings.lake, settings.stream.get("history"), found.database)
