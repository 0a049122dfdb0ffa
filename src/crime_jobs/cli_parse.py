"""Parses the words of another verb without running it: what a step is told is checked before it is sent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr

import typer.main

from crime_jobs.cli_options import pairs
from crime_jobs.errors import WrongUsage


def parsed_options(verb: str, words: Sequence[str], option: str) -> dict[str, str]:
    """Parse a verb's words and return what a ``NAME=VALUE`` option of it was given.

    Parameters
    ----------
    verb
        For example ``run``.
    words
        Its arguments and options.
    option
        Name of the parameter whose pairs are wanted.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If the verb would refuse them.
    """
    from crime_jobs.cli import app

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
    return pairs(context.params.get(option) or [], f"--{'set' if option == 'options' else option}")
