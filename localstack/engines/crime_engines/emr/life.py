"""The life of a cluster: one thread takes it from its start to its end, one more runs each step."""

from __future__ import annotations

import logging
import shutil
import threading
import time

from crime_engines.control import Control
from crime_engines.emr.bootstrap import BootstrapFailed, bootstrap
from crime_engines.emr.model import Cluster, Step, now
from crime_engines.emr.steps import execute, push_logs, why
from crime_engines.node import Node
from crime_engines.spark_conf import write_conf
from crime_engines.work import OWNER, Stopped, Work, end

log = logging.getLogger("crime_engines")


class Life(threading.Thread):
    """Runs a cluster.

    Parameters
    ----------
    node
        The machine.
    control
        How slow it is to be.
    cluster
        The cluster.
    instance
        Id of its primary node.
    """

    def __init__(self, node: Node, control: Control, cluster: Cluster, instance: str) -> None:
        super().__init__(name=cluster.id, daemon=True)
        self._node = node
        self._control = control
        self._cluster = cluster
        self._instance = instance
        self._boot = Work(cluster.id, f"{cluster.id}/bootstrap")
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Run it to its end."""
        cluster = self._cluster
        try:
            self._start()
            self._serve()
        except Stopped:
            pass
        except BootstrapFailed as failed:
            cluster.errors = [
                {
                    "ErrorCode": failed.code,
                    "ErrorMessage": failed.message,
                    "ErrorData": [
                        {"primary-instance-id": self._instance, "bootstrap-action": str(failed.number)}
                    ],
                }
            ]
            cluster.terminate("BOOTSTRAP_FAILURE", failed.message, in_error=True)
        except Exception as error:
            log.exception("%s broke", cluster.id)
            cluster.terminate("INTERNAL_ERROR", f"The engine broke: {error}", in_error=True)
        self._end()

    def interrupt(self) -> None:
        """Stop what it is doing, once it is ending."""
        self._boot.stop(grace=0)
        with self._cluster.changed:
            works = [step.work for step in self._cluster.steps if step.work and step.is_open]
        for work in works:
            work.stop(grace=0)

    def _start(self) -> None:
        cluster = self._cluster
        self._boot.wait(self._control.pace.start_seconds)
        with cluster.changed:
            self._boot.check()
            cluster.state = "BOOTSTRAPPING"
            cluster.reason = {"Message": "Running bootstrap actions"}
        self._node.prepare()
        write_conf(self._node, cluster.home, cluster.classified, cluster.home / "conf")
        bootstrap(self._node, cluster, self._boot, self._instance)
        with cluster.changed:
            cluster.ready = now()

    def _serve(self) -> None:
        """Start steps in their order, as many at a time as allowed; wait; end when there is no more to do."""
        cluster, idle_since = self._cluster, time.monotonic()
        with cluster.changed:
            while cluster.ending is None:
                running = [step for step in cluster.steps if step.state in ("RUNNING", "CANCEL_PENDING")]
                pending = [step for step in cluster.steps if step.state == "PENDING"]
                patience = None
                if pending and len(running) < cluster.concurrency:
                    self._start_step(pending[0])
                    continue
                if running:
                    idle_since = time.monotonic()
                elif not cluster.keep_alive:
                    cluster.terminate("ALL_STEPS_COMPLETED", _completed(cluster))
                    continue
                else:
                    if cluster.state != "WAITING":
                        idle_since = time.monotonic()
                        cluster.state, cluster.reason = "WAITING", {"Message": _waiting(cluster)}
                    patience = self._patience(idle_since)
                    if patience is not None and patience <= 0:
                        cluster.terminate("USER_REQUEST", "Cluster auto-terminated after being idle")
                        continue
                cluster.changed.wait(patience)

    def _patience(self, idle_since: float) -> float | None:
        """Return the seconds until the auto-termination policy ends the cluster; ``None`` without one."""
        if self._cluster.idle_timeout is None or self._cluster.protected:
            return None
        idle = self._cluster.idle_timeout * self._control.pace.timeout_factor
        return idle_since + idle - time.monotonic()

    def _start_step(self, step: Step) -> None:
        cluster = self._cluster
        cluster.state, cluster.reason = "RUNNING", {"Message": "Running step"}
        step.state, step.started = "RUNNING", now()
        step.work = Work(cluster.id, step.id)
        thread = threading.Thread(target=self._run_step, args=(step, step.work), name=step.id, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run_step(self, step: Step, work: Work) -> None:
        cluster, failure = self._cluster, None
        try:
            code = execute(self._node, cluster, step, work)
            state = "FAILED" if code else "COMPLETED"
        except Stopped:
            state = "CANCELLED"
        except Exception:
            log.exception("%s broke", step.id)
            state = "FAILED"
        ended = now()
        if state == "FAILED":
            failure = why(cluster, step)
        delay = self._control.pace.log_delay_seconds
        if delay:
            thread = threading.Thread(target=self._push_late, args=(step, delay), daemon=True)
            thread.start()
        else:
            push_logs(self._node, cluster, step)
        with cluster.changed:
            if state == "CANCELLED" and step.state == "RUNNING":
                state = "INTERRUPTED"  # nobody cancelled it: its cluster ends
            step.state, step.ended, step.failure = state, ended, failure
            if state == "CANCELLED":
                step.message = "Cancelled by user"
            if state == "FAILED":
                self._act_on_failure(step)
            cluster.changed.notify_all()

    def _push_late(self, step: Step, delay: float) -> None:
        time.sleep(delay)
        push_logs(self._node, self._cluster, step)

    def _act_on_failure(self, step: Step) -> None:
        """Do what the step says. With several steps at a time EMR goes on, whatever it says."""
        cluster = self._cluster
        if step.action_on_failure == "CONTINUE" or cluster.concurrency > 1:
            return
        if step.action_on_failure != "CANCEL_AND_WAIT" and not cluster.protected:
            cluster.terminate("STEP_FAILURE", "Shut down as step failed", in_error=True)
            return
        for other in cluster.steps:
            if other.state == "PENDING":
                other.state, other.message = "CANCELLED", "Cancelled as an earlier step failed"

    def _end(self) -> None:
        cluster = self._cluster
        self.interrupt()
        for thread in self._threads:
            thread.join()
        end(OWNER, cluster.id, grace=0)  # whatever a step or a bootstrap action left behind
        with cluster.changed:
            cluster.ended = now()
            cluster.state = "TERMINATED_WITH_ERRORS" if cluster.in_error else "TERMINATED"
            cluster.changed.notify_all()
        if not self._control.pace.log_delay_seconds:
            shutil.rmtree(cluster.home, ignore_errors=True)


def _completed(cluster: Cluster) -> str:
    failed = any(step.state == "FAILED" for step in cluster.steps)
    return "Steps completed with errors" if failed else "Steps completed"


def _waiting(cluster: Cluster) -> str:
    ended = [step for step in cluster.steps if step.ended]
    if not ended:
        return "Cluster ready to run steps."
    last = max(ended, key=lambda step: step.ended or step.created)
    return (
        f"Cluster ready after last step {'completed' if last.state == 'COMPLETED' else last.state.lower()}."
    )
