"""Parses the words of another verb without running it: what a step is told is checked before it is sent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr

import typer.main

from crime_jobs import cli_run
from crime_jobs.cli_options import pairs
from crime_jobs.errors import WrongUsage

#: The NAME=VALUE of each verb: the parameter, and the option that gives it.
_GIVEN = {"run": ("options", "--set"), "hive": ("hivevar", "--hivevar")}


def given(verb: str, words: Sequence[str]) -> dict[str, str]:
    """Parse a verb's words and return what its ``NAME=VALUE`` option was given.

    Parameters
    ----------
    verb
        ``run`` or ``hive``.
    words
        Its arguments and options.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If the verb would refuse them.
    """
    app = typer.Typer()
    cli_run.register(app)
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    try:
        with redirect_stderr(io.StringIO()):
            context = command.make_context(f"crime-jobs {verb}", list(words))
    except SystemExit as end:  # --help among a step's arguments
        raise WrongUsage(f"crime-jobs {verb} {' '.join(words)} does nothing.") from end
    except Exception as error:  # typer carries a click of its own, whose error types it doesn't export
        if not hasattr(error, "format_message"):
            raise
        raise WrongUsage(
            f"{words[0]}: {error.format_message()}", hint=f"See `crime-jobs {verb} --help`."
        ) from error
    parameter, option = _GIVEN[verb]
    return pairs(context.params[parameter] or [], option)
