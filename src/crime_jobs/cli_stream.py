"""The verbs of the FIR streams: the group, to which modules ``cli_stream_*`` add theirs."""

from __future__ import annotations

import typer

stream = typer.Typer(help="FIRs in real time: consume, watch, load, reconcile.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(stream, name="stream")
