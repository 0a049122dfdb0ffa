"""What the stacks have made: their outputs, and the settings that these are."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud import stacks
from crime_jobs.cloud.stacks_template import load
from crime_jobs.errors import JobFailed
from crime_jobs.files import write_whole
from crime_jobs.formation.stack import Row, Stack
from crime_jobs.settings import OUTPUTS_NAME, TABLES, VARIABLES, Settings

_HEAD = (
    "# Where the parts are that `crime-jobs deploy` made, a section an environment. It writes this file;\n"
    "# what stands in crime-jobs.toml comes before it.\n\n"
)


def read(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the outputs of an environment's stacks, by stream; streams that are not there have none.

    Parameters
    ----------
    settings
        Environment, region, profile.
    """
    found = {}
    for stream in stacks.STREAMS:
        stack = Stack(settings, stacks.stack_name(settings.env, stream.name))
        if outputs := stack.outputs():
            found[stream.name] = outputs
    return found


def rows(outputs: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return outputs for people, with the setting that each is.

    Parameters
    ----------
    outputs
        As `read` returns them.
    """
    settings = {(stream, key): setting for stream, key, setting, _ in _settings(outputs)}
    return [
        {"stream": stream, "output": key, "value": value, "setting": settings.get((stream, key), "")}
        for stream, values in outputs.items()
        for key, value in sorted(values.items())
    ]


def section(outputs: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the section of ``crime-jobs.toml`` that outputs make.

    Parameters
    ----------
    outputs
        As `read` returns them.
    """
    made: dict[str, Any] = {}
    for _, _, setting, value in _settings(outputs):
        table, _, key = setting.rpartition(".")
        (made.setdefault(table, {}) if table else made)[key] = value
    return made


def made(settings: Settings, outputs: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the section of what was made, and in which region and account, so that none looks elsewhere.

    Parameters
    ----------
    settings
        The settings that the outputs were read with.
    outputs
        As `read` returns them.

    Returns
    -------
    dict
        Empty if nothing was made.
    """
    if not outputs:
        return {}
    with aws.refusals("Asking whose account it is"):
        account = str(aws.client("sts", settings).get_caller_identity()["Account"])
    return {"region": aws.region(settings), "account": account, **section(outputs)}


def _settings(outputs: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield stream, output, setting and value: a template says of an output which setting it is."""
    for stream, values in outputs.items():
        described = load(stream).outputs
        for key, value in values.items():
            text = str(described.get(key, {}).get("Description", ""))
            table, colon, name = text.partition(": ")
            if colon and table in TABLES:
                yield stream, key, f"{table}.{name}", value
            elif text in VARIABLES:
                yield stream, key, text, value


def write(env: str, made: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write an environment's section; those of others stay as they are.

    Parameters
    ----------
    env
        The environment.
    made
        Its section; an empty one is taken out.
    folder
        Where the file is; by default the working folder.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    JobFailed
        If it can't be read or written.
    """
    import tomli_w

    path = (folder or Path.cwd()) / OUTPUTS_NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        document.pop(env, None)
        if made:
            document[env] = dict(made)
        write_whole(path, _HEAD + tomli_w.dumps(document))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise JobFailed(
            f"Where things are can't be written to {path}: {error}.",
            hint="Make the folder writable or remove the file; then crime-jobs outputs --write "
            f"--env {env} does it.",
        ) from error
    return path


def forget(env: str, folder: Path | None = None) -> None:
    """Take an environment's section out, now that nothing is left of it; without a file nothing is done.

    Parameters
    ----------
    env
        The environment.
    folder
        As for `write`.
    """
    if ((folder or Path.cwd()) / OUTPUTS_NAME).is_file():
        write(env, {}, folder)


def refresh(settings: Settings, folder: Path | None = None) -> Path:
    """Read the outputs and write the environment's section.

    Parameters
    ----------
    settings
        The settings.
    folder
        As for `write`.

    Returns
    -------
    pathlib.Path
        The file.
    """
    return write(settings.env, made(settings, read(settings)), folder)
