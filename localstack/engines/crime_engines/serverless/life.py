"""The life of a job run: a thread takes it from submission to its end. And the idle application's end."""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
import time

from crime_engines.control import Control
from crime_engines.node import Node
from crime_engines.serverless.jobs import last_exceptions, run_job
from crime_engines.serverless.model import WAITING, Application, Run, now
from crime_engines.spark_conf import write_conf
from crime_engines.work import Stopped, Work
from crime_engines.yarn import Place

log = logging.getLogger("crime_engines")

#: How many runs of an application this machine bears at a time.
CAPACITY = 2
#: Minutes that a run may take where its request doesn't say, and until an idle application stops.
TIMEOUT_MINUTES, IDLE_MINUTES = 720, 15


def start_run(node: Node, control: Control, application: Application, run: Run) -> None:
    """Start the thread of a job run.

    Parameters
    ----------
    node
        The machine.
    control
        How slow it is to be.
    application, run
        What runs.
    """
    run.work = Work(application.id, run.id)
    arguments = (node, control, application, run, run.work)
    threading.Thread(target=_live, args=arguments, name=run.id, daemon=True).start()


def _live(node: Node, control: Control, application: Application, run: Run, work: Work) -> None:
    home = application.home / "runs" / run.id
    state, details = "FAILED", "Job failed, internal error of the engine"
    try:
        _wait_for_turn(application, run, work)
        state, details = _run(node, control, application, run, work)
    except Stopped:
        state, details = "CANCELLED", "Job run was cancelled"
    except Exception:
        log.exception("%s broke", run.id)
    ended = now()
    delay = control.pace.log_delay_seconds
    if delay:
        threading.Thread(target=_push, args=(node, application, run, delay), daemon=True).start()
    else:
        _push(node, application, run, 0)
    with application.changed:
        run.ended = ended
        run.becomes(state, details)
        application.idle_since = time.monotonic()
        application.changed.notify_all()
    if not delay:
        shutil.rmtree(home, ignore_errors=True)


def _wait_for_turn(application: Application, run: Run, work: Work) -> None:
    """Wait until the application is started and has room, in the order in which runs came."""
    scheduler = application.request.get("schedulerConfiguration")
    most = min(CAPACITY, (scheduler or {}).get("maxConcurrentRuns", CAPACITY))
    with application.changed:
        work.check()
        if run.state == "SUBMITTED":
            run.becomes("PENDING", "Job is pending")
        while True:
            work.check()
            waiting = [other for other in application.runs.values() if other.state in WAITING]
            busy = sum(other.is_active and other.state not in WAITING for other in application.runs.values())
            if application.state == "STARTED" and busy < most and waiting and waiting[0] is run:
                run.becomes("SCHEDULED", "Job is scheduled")
                application.changed.notify_all()
                return
            if busy >= most and scheduler is not None and run.state == "PENDING":
                run.becomes("QUEUED", "Job is queued")
            application.changed.wait(0.5)


def _run(node: Node, control: Control, application: Application, run: Run, work: Work) -> tuple[str, str]:
    home = application.home / "runs" / run.id
    home.mkdir(parents=True)
    node.prepare()
    classified = run.job.classified
    write_conf(node, application.home, classified, home / "conf")
    stdout, stderr = home / "stdout", home / "stderr"
    stdout.touch()
    stderr.touch()
    env = node.environ(application.region, application.home / "tmp") | {
        "SPARK_CONF_DIR": str(home / "conf"),
        **classified.env,
    }
    place = Place(node, work, env, classified.spark, home / "work")
    with application.changed:
        work.check()
        run.started = now()
        run.becomes("RUNNING", "Job is running")
    minutes = run.request.get("executionTimeoutMinutes", TIMEOUT_MINUTES)
    timeout = minutes * 60 * control.pace.timeout_factor or None
    if run.job.submission is None:
        work.take(application.metastore)  # Derby serves one process
    try:
        code = run_job(run.job, place, stdout, stderr, timeout)
    except subprocess.TimeoutExpired:
        return "CANCELLED", f"Job run exceeded its execution timeout of {minutes} minutes"
    finally:
        if run.job.submission is None:
            application.metastore.release()
    if not code:
        return "SUCCESS", "Job completed successfully"
    words = "Job failed, please check complete logs in configured logging destination."
    seen = last_exceptions(stdout, stderr)
    return "FAILED", f"{words} ExitCode: {code}. Last few exceptions: {seen}..."


def _push(node: Node, application: Application, run: Run, delay: float) -> None:
    """Put the driver's logs where they go, gzipped."""
    if delay:
        time.sleep(delay)
    home = application.home / "runs" / run.id
    if run.log_uri:
        folder = f"{run.log_uri.rstrip('/')}/applications/{application.id}/jobs/{run.id}/{run.job.log_folder}"
        for name in ("stdout", "stderr"):
            if (home / name).is_file():
                node.storage.put_log(f"{folder}/{name}.gz", home / name)
    if delay:
        shutil.rmtree(home, ignore_errors=True)


def watch_idle(control: Control, application: Application) -> None:
    """Stop an application that has had no work for as long as it says; runs as a thread while it is started.

    Parameters
    ----------
    control
        What time-outs are multiplied with.
    application
        The application.
    """
    with application.changed:
        while application.state == "STARTED":
            stop = application.request.get("autoStopConfiguration", {})
            patience = None
            if stop.get("enabled", True) and not any(run.is_active for run in application.runs.values()):
                idle = stop.get("idleTimeoutMinutes", IDLE_MINUTES) * 60 * control.pace.timeout_factor
                patience = application.idle_since + idle - time.monotonic()
                if patience <= 0:
                    application.becomes("STOPPED", "Stopped after being idle")
                    return
            application.changed.wait(patience)
