"""Has the calls recorded that the code makes in a test run, and holds them against policies and the committed file.

.venv/bin/python -m tests.policies.recording build/recorded-calls/1234          # adds what a run recorded
.venv/bin/python -m tests.policies.recording --anew build/recorded-calls/1234   # after a whole `make test-local`
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parent / "site"
VARIABLE = "RECORDED_CALLS"
#: As many new calls are told of by name.
MOST = 20


def start(root: Path) -> None:
    """Record in this process and in all that it starts, unless another does so already."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = str(root / "build" / "recorded-calls" / str(os.getpid()))
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, dict.fromkeys([str(SITE), *paths])))
    if str(SITE) not in sys.path:
        sys.path.append(str(SITE))
    importlib.import_module("calls_recorder").install(os.environ[VARIABLE])


def finish(session: pytest.Session) -> None:
    """Say at the end of a test run which calls are not allowed, and which the file does not know."""
    folder = Path(os.environ[VARIABLE])
    if hasattr(session.config, "workerinput") or not folder.is_dir():
        return
    denied, new = compare(folder)
    if not (denied or new):
        if folder.name == str(os.getpid()):  # ours, and nobody asked for it
            shutil.rmtree(folder, ignore_errors=True)
        return
    write = session.config.get_terminal_writer().line
    if denied:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        write("\nCalls of AWS that no policy of their task allows (src/crime_jobs/cloud/*.yaml):", red=True)
        for line in denied:
            write(f"  {line}")
    if new:
        write(
            f"\n{len(new)} calls of AWS are allowed, and not in tests/data/calls/recorded.json. Add them with:"
        )
        write(f"  .venv/bin/python -m tests.policies.recording {folder}")


def compare(folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Return which recorded calls are denied, each with why, and which others the committed file lacks.

    A call that is of no task is among the others: nobody has said yet which policy it needs.
    """
    from tests.policies import evidence, resolving, tasks
    from tests.policies.evaluator import Decision, decide

    known = {json.dumps(call, sort_keys=True) for call in json.loads(evidence.RECORDED.read_text())}
    policies = resolving.policies()
    denied, new = [], []
    for said in evidence.read(folder):
        if json.dumps(said, sort_keys=True) in known:
            continue
        statements = [one for name in tasks.POLICIES.get(said["task"], ()) for one in policies.get(name, ())]
        asked = evidence.calls(said)
        refused = [call for call in asked if decide(statements, call) is not Decision.ALLOWED]
        if refused and said["task"] in tasks.POLICIES:
            why = ", ".join(
                f"{call.action} on {call.resource} {dict(call.context) or ''}" for call in refused
            )
            denied.append(f"{said['task']}: {said['service']} {said['operation']} {said['names']}: {why}")
        else:
            new.append(said)
    return denied, new


def main() -> None:
    """Write what was recorded into the committed file."""
    from tests.policies import evidence

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, nargs="+", help="what a test run left behind")
    parser.add_argument("--anew", action="store_true", help="forget what is in the file")
    asked = parser.parse_args()
    calls = [] if asked.anew or not evidence.RECORDED.exists() else json.loads(evidence.RECORDED.read_text())
    calls += [call for folder in asked.folder for call in evidence.read(folder)]
    by_text = {json.dumps(call, sort_keys=True): call for call in calls}
    evidence.RECORDED.write_text(evidence.written(by_text.values()))


if __name__ == "__main__":
    main()
