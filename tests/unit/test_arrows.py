"""Imports go one way: the command, the rooms, what rooms share, the model; and never in a circle.

An import inside a function counts too: it is late, not turned round.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = {
    "crime_jobs": ROOT / "src",
    "fir_producer": ROOT / "producer",
    "crime_harness": ROOT / "localstack",
    "crime_engines": ROOT / "localstack/engines",
}
#: Packages of `crime_jobs` that rooms share; each other one is a room.
SHARED = {"model", "formation"}
#: What of itself the model may know of the rest.
BELOW_THE_MODEL = {"crime_jobs.errors"}

Graph = dict[str, set[str]]


def modules(root: Path, package: str) -> dict[str, Path]:
    """The files of a package, by the names that they are imported by."""
    found = {}
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Every import of a file, at its top or not."""
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in tree if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(path: Path, names: set[str]) -> Iterator[str]:
    """The modules, of those named, that a file imports."""
    for node in statements(path):
        if isinstance(node, ast.Import):
            yield from names & {alias.name for alias in node.names}
        elif node.module and not node.level:
            inside = names & {f"{node.module}.{alias.name}" for alias in node.names}
            # Names of a package that are no modules are made in its ``__init__``.
            own = {node.module} if len(inside) < len(node.names) else set()
            yield from inside | (own & names)


def graph(root: Path, package: str) -> Graph:
    files = modules(root, package)
    names = set(files)
    return {name: set(imported(path, names)) - {name} for name, path in files.items()}


def room(module: str, arrows: Graph) -> str | None:
    """The room of `crime_jobs` that a module is in."""
    parts = module.split(".")
    is_package = any(one.startswith(f"{'.'.join(parts[:2])}.") for one in arrows)
    return parts[1] if len(parts) > 1 and is_package and parts[1] not in SHARED else None


@pytest.fixture(scope="module")
def arrows() -> Graph:
    return graph(PACKAGES["crime_jobs"], "crime_jobs")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    found = graph(PACKAGES[package], package)
    assert sum(map(len, found.values())) > len(found)  # else nothing was looked at
    try:
        TopologicalSorter(found).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1][::-1]))


def test_a_circle_is_found_also_one_that_is_closed_inside_a_function(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p/__init__.py").touch()
    (tmp_path / "p/a.py").write_text("from p.b import name\n")
    (tmp_path / "p/b.py").write_text("def late():\n    from p import a\n    return a\n")
    with pytest.raises(CycleError):
        TopologicalSorter(graph(tmp_path, "p")).prepare()


def test_rooms_do_not_import_each_other(arrows: Graph) -> None:
    rooms = {found for module in arrows if (found := room(module, arrows))}
    assert {"adhoc", "cloud", "emr", "faces", "hivesql", "jobs", "migrate", "stream"} <= rooms
    wrong = [
        f"{module} → {other}"
        for module, others in arrows.items()
        for other in others
        if (mine := room(module, arrows)) and (theirs := room(other, arrows)) and mine != theirs
    ]
    assert not wrong


def test_what_rooms_share_knows_no_room_and_nothing_knows_the_command(arrows: Graph) -> None:
    """But for the registry, which finds the jobs, and the ways in."""
    upward = {
        f"{module} → {other}"
        for module, others in arrows.items()
        for other in others
        if not module.startswith("crime_jobs.cli")
        and (other.startswith("crime_jobs.cli") or (room(other, arrows) and not room(module, arrows)))
    }
    assert upward == {"crime_jobs.registry → crime_jobs.jobs", "crime_jobs.entry → crime_jobs.cli"}


def test_the_model_knows_only_itself(arrows: Graph) -> None:
    known = {
        other
        for module, others in arrows.items()
        if module.startswith("crime_jobs.model")
        for other in others
    }
    assert {one for one in known if not one.startswith("crime_jobs.model")} <= BELOW_THE_MODEL


def test_no_production_module_knows_what_stands_in_for_aws(arrows: Graph) -> None:
    stands_in = {
        name for package in ("crime_harness", "crime_engines") for name in modules(PACKAGES[package], package)
    }
    files = modules(PACKAGES["crime_jobs"], "crime_jobs") | modules(PACKAGES["fir_producer"], "fir_producer")
    assert arrows.keys() <= files.keys()
    knows = {name for name, path in files.items() if set(imported(path, stands_in))}
    assert not knows
