"""How a command ends: what it says of an error, and its exit code, the same for each command we have."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from crime_jobs import output
from crime_jobs.errors import CrimeJobsError, JobFailed

if TYPE_CHECKING:
    import typer

#: Exit code after Ctrl-C.
INTERRUPTED = 130

#: A disk, or a user's share of it, that is full.
_FULL = {errno.ENOSPC, errno.EDQUOT}


def run_app(
    app: typer.Typer,
    name: str,
    arguments: Sequence[str] | None,
    interrupted: Callable[[], None] = lambda: None,
) -> int:
    """Run a command to its end.

    Parameters
    ----------
    app, name
        The command, and what people call it.
    arguments
        Its arguments; by default those of the process.
    interrupted
        Called when Ctrl-C ended it, to say what that means.

    Returns
    -------
    int
        The exit code.
    """
    code = _run(app, name, arguments, interrupted)
    try:  # here, and not when Python ends: it would change the exit code to 120
        sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
    except OSError as error:
        return _unwritten(error) or code
    return code


def _write_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritten(error: OSError) -> int:
    """Say that our output could not be written: where it goes is full or gone."""
    _write_no_more()
    output.complain(f"The output can't be written: {os.strerror(error.errno or 0)}.", "Is the disk full?")
    return JobFailed.exit_code


def _run(
    app: typer.Typer, name: str, arguments: Sequence[str] | None, interrupted: Callable[[], None]
) -> int:
    try:
        app(args=arguments, prog_name=name)
    except BrokenPipeError:  # whoever read our output has had enough
        _write_no_more()
    except CrimeJobsError as error:
        output.complain(error.message, error.hint)
        if os.environ.get("CRIME_JOBS_DEBUG"):
            traceback.print_exc()
        return error.exit_code
    except OSError as error:
        if error.errno not in _FULL:
            raise
        return _unwritten(error)
    except SystemExit as end:  # typer ends this way, also when it is interrupted
        if isinstance(end.__context__, OSError) and end.__context__.errno == errno.EPIPE:
            return 0
        if end.code == INTERRUPTED or _is_at_a_question(end):
            interrupted()
            return INTERRUPTED
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _is_at_a_question(end: SystemExit) -> bool:
    """Tell whether Ctrl-C answered a question: typer makes that the same error as an input that has ended."""
    import typer

    abort = end.__context__
    return isinstance(abort, typer.Abort) and isinstance(abort.__context__, KeyboardInterrupt)
