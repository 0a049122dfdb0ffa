"""The scripts of ``hive/``: where they are, what they are called, and their statements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from crime_jobs.errors import WrongUsage

#: Scripts numbered below this make and fill the tables; those from here on ask questions.
FIRST_INSIGHT = 40
#: Runs every script that makes or fills tables, in order.
SETUP = "setup"
#: Copies the landing files to where the landing tables read them; part of `setup` on EMR.
STAGE = "stage"

_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<end>;)|(?P<space>\s+)"
    r"|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|[^\s;'\"`/-]+|.",
    re.DOTALL,
)
_VARIABLE = re.compile(r"\$\{hivevar:(\w+)\}")


@dataclass(frozen=True)
class Statement:
    """One statement of a script.

    Parameters
    ----------
    text
        The statement without its semicolon.
    line
        Line of the script that it begins on; the first is 1.
    title
        The last comment line above it, or the empty string.
    """

    text: str
    line: int
    title: str


@dataclass(frozen=True)
class Script:
    """A script.

    Parameters
    ----------
    path
        Its file.
    text
        What it holds.
    """

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The file's name without its ending: ``40_insight_by_region``."""
        return self.path.stem

    @property
    def number(self) -> int | None:
        """The number that orders it, or ``None`` for a script of the user's own."""
        found = re.match(r"\d+", self.name)
        return int(found.group()) if found else None

    @property
    def summary(self) -> str:
        """What it does: its first comment line."""
        first = next((line for line in self.text.splitlines() if line.startswith("--")), "")
        return first.lstrip("- ")

    @property
    def variables(self) -> list[str]:
        """The names of the variables in it, in the order they come."""
        return list(dict.fromkeys(_VARIABLE.findall(self.text)))

    @property
    def statements(self) -> list[Statement]:
        """Its statements, in order."""
        return split(self.text)


def split(text: str) -> list[Statement]:
    """Cut a script into statements at the semicolons outside quotes and comments.

    Parameters
    ----------
    text
        The script.

    Returns
    -------
    list of Statement
        Comments above a statement are left out of it, those inside are kept.
    """
    found: list[Statement] = []
    body, title, start = "", "", 1
    line = 1
    for token in _TOKEN.finditer(text + "\n;"):
        part = token.group()
        if token.lastgroup == "end":
            if body.strip():
                found.append(Statement(body.strip(), start, title))
            body, title = "", ""
        elif body:
            body += part
        elif token.lastgroup == "comment":
            title = part.strip("-/* \n")
        elif token.lastgroup != "space":
            body, start = part, line
        line += part.count("\n")
    return found


def folder() -> Traversable:
    """Return the folder of the scripts that come with the package, on disk or in a zip."""
    return files("crime_jobs") / "hive"


def list_scripts() -> list[Script]:
    """Return the scripts that come with the package.

    Returns
    -------
    list of Script
        In the order of their numbers.
    """
    found = sorted(
        (entry for entry in folder().iterdir() if entry.name.endswith(".hql")), key=lambda e: e.name
    )
    return [Script(Path(str(entry)), entry.read_text(encoding="utf-8")) for entry in found]


def find(name: str) -> list[Script]:
    """Find a script.

    Parameters
    ----------
    name
        A path to a file, or a script that comes with the package by its name
        (``40_insight_by_region``, ``insight_by_region`` or ``40``, with or without ``.hql``), or
        ``setup``.

    Returns
    -------
    list of Script
        One, or for ``setup`` all that make or fill tables.

    Raises
    ------
    WrongUsage
        If there is none; the message lists those there are.
    """
    known = list_scripts()
    if name == SETUP:
        return [s for s in known if s.number is not None and s.number < FIRST_INSIGHT]
    path = Path(name)
    if path.is_file():
        try:
            return [Script(path, path.read_text(encoding="utf-8"))]
        except UnicodeDecodeError as error:
            raise WrongUsage(f"{path} is not a script: {error}.", hint="Save it as UTF-8.") from error
    asked = name.removesuffix(".hql")
    for script in known:
        if asked in (script.name, *script.name.split("_", 1)):
            return [script]
    raise WrongUsage(
        f"There is no script {name!r}.",
        hint=f"Known are {SETUP} (all that make tables) and {', '.join(s.name for s in known)}; "
        "or give the path of a .hql file.",
    )
