"""What the pages say can be typed, and what they point to is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from crime_jobs.cli import app
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^ *```(?:sh|console)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def commands(page: Path) -> Iterator[str]:
    """Every call of `crime-jobs` in a block of a page, an example a line."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            typed = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if typed.startswith("crime-jobs "):
                yield re.sub(r"\s#\s.*$", "", typed)


EXAMPLES = [(page.name, line) for page in PAGES for line in commands(page)]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 30
    assert {"README.md", "emr.md", "migration.md", "dms.md", "export.md"} <= {page for page, _ in EXAMPLES}


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_an_example_is_taken_by_the_command(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    # Parsed, not run: an option that is not known, or a value that does not fit, raises.
    command.make_context(f"crime-jobs of {page}", [word for word in words if word not in ("…", "…]")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_to_is_there(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert missing == []
