"""EMR Serverless's operations on applications and job runs."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from crime_engines.control import Control
from crime_engines.node import Node
from crime_engines.protocol import Call, Handler, Refusal, ServiceModel, invalid
from crime_engines.serverless.jobs import job_of
from crime_engines.serverless.life import start_run, watch_idle
from crime_engines.serverless.model import KEPT, Application, Run
from crime_engines.serverless.requests import check_application, check_run, configuration
from crime_engines.work import GRACE, OWNER, end

T = TypeVar("T")

#: What one answer holds when the request doesn't say; it may say 1 to 50.
PAGE = 50

_STARTED_BY_A_RUN = ("CREATED", "STOPPED")


class EmrServerless:
    """The service.

    Parameters
    ----------
    node
        The machine.
    control
        How slow it is to be.
    """

    def __init__(self, node: Node, control: Control) -> None:
        self.model = ServiceModel("emr-serverless")
        self._node = node
        self._control = control
        self._applications: dict[str, Application] = {}
        self._by_token: dict[tuple[str, str], Application] = {}
        self._lock = threading.Lock()
        self.handlers: Mapping[str, Handler] = {
            "CreateApplication": self.create_application,
            "GetApplication": self.get_application,
            "ListApplications": self.list_applications,
            "UpdateApplication": self.update_application,
            "StartApplication": self.start_application,
            "StopApplication": self.stop_application,
            "DeleteApplication": self.delete_application,
            "StartJobRun": self.start_job_run,
            "GetJobRun": self.get_job_run,
            "ListJobRuns": self.list_job_runs,
            "CancelJobRun": self.cancel_job_run,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags,
        }

    def create_application(self, call: Call) -> dict[str, Any]:
        """Make an application; the same token and request give the same one again."""
        request, key = call.params, (call.region, call.params["clientToken"])
        with self._lock:
            found = self._by_token.get(key)
            if found is None:
                check_application(request)
                found = Application(request, call.region, self._node.state)
                found.home = self._node.state / "applications" / found.id
                found.tags = dict(request.get("tags", {}))
                self._applications[found.id] = self._by_token[key] = found
            elif found.request != request:
                raise _conflict(call.params["clientToken"])
        return {"applicationId": found.id, "name": request.get("name"), "arn": found.arn}

    def get_application(self, call: Call) -> dict[str, Any]:
        """Tell all about an application."""
        return {"application": self._application(call).full()}

    def list_applications(self, call: Call) -> dict[str, Any]:
        """List applications, the newest first."""
        states = call.params.get("states")
        found = [
            one
            for one in reversed(list(self._applications.values()))
            if one.region == call.region and (not states or one.state in states)
        ]
        return _page(found, call.params, "applications", lambda one: one.id, Application.summary)

    def update_application(self, call: Call) -> dict[str, Any]:
        """Change an application that is not started."""
        application, request = self._application(call), call.params
        with application.changed:
            _must_be(application, ("CREATED", "STOPPED"), "UPDATED")
            check_application(request)
            changes = {name: request[name] for name in (*KEPT, "releaseLabel") if name in request}
            application.request = application.request | changes
            return {"application": application.full()}

    def start_application(self, call: Call) -> dict[str, Any]:
        """Start an application."""
        application = self._application(call)
        with application.changed:
            if application.state not in ("STARTING", "STARTED"):
                _must_be(application, ("CREATED", "STOPPED"), "STARTED")
                self._start(application)
        return {}

    def stop_application(self, call: Call) -> dict[str, Any]:
        """Stop an application that has no active runs."""
        application = self._application(call)
        with application.changed:
            if application.state == "STOPPED":
                return {}
            _must_be(application, ("STARTING", "STARTED"), "STOPPED")
            if active := sum(run.is_active for run in application.runs.values()):
                raise invalid(
                    f"Application cannot be STOPPED. All scheduled and running jobs must be completed or "
                    f"cancelled before stopping an application: {active} are not."
                )
            application.becomes("STOPPED")
        return {}

    def delete_application(self, call: Call) -> dict[str, Any]:
        """Delete an application that is stopped or was never started."""
        application = self._application(call)
        with application.changed:
            _must_be(application, ("CREATED", "STOPPED"), "TERMINATED")
            application.becomes("TERMINATED")
        return {}

    def start_job_run(self, call: Call) -> dict[str, Any]:
        """Start a job run; the same token and request give the same one again."""
        application, request = self._application(call), call.params
        with application.changed:
            run = application.by_token.get(request["clientToken"])
            if run is None:
                run = self._new_run(application, request)
            elif run.request != request:
                raise _conflict(request["clientToken"])
        return {"applicationId": application.id, "jobRunId": run.id, "arn": application.run_arn(run)}

    def _new_run(self, application: Application, request: dict[str, Any]) -> Run:
        check_run(request)
        classified, log_uri = configuration(application, request)
        run = Run(request, job_of(request["jobDriver"], application.engine, classified), log_uri)
        if application.state in _STARTED_BY_A_RUN:
            if not application.request.get("autoStartConfiguration", {}).get("enabled", True):
                raise invalid(
                    f"Application {application.id} is {application.state} and does not start by itself: "
                    "autoStartConfiguration is not enabled."
                )
            self._start(application)
        _must_be(application, ("STARTING", "STARTED"), "used for job runs")
        application.runs[run.id] = application.by_token[request["clientToken"]] = run
        application.run_tags[run.id] = dict(request.get("tags", {}))
        start_run(self._node, self._control, application, run)
        return run

    def get_job_run(self, call: Call) -> dict[str, Any]:
        """Tell all about a job run."""
        application, run = self._run(call)
        if call.params.get("attempt", 1) != 1:
            raise _missing(f"Attempt {call.params['attempt']} of job run {run.id}")
        with application.changed:
            return {"jobRun": application.run_full(run)}

    def list_job_runs(self, call: Call) -> dict[str, Any]:
        """List job runs, the newest first."""
        application, params = self._application(call), call.params
        after, before, states = (params.get(name) for name in ("createdAtAfter", "createdAtBefore", "states"))
        with application.changed:
            found = [
                run
                for run in reversed(list(application.runs.values()))
                if (not states or run.state in states)
                and (after is None or run.created > after)
                and (before is None or run.created < before)
                and params.get("mode", "BATCH") == "BATCH"
            ]
            return _page(found, params, "jobRuns", lambda run: run.id, application.run_summary)

    def cancel_job_run(self, call: Call) -> dict[str, Any]:
        """Cancel a job run; its state says when its processes have ended."""
        application, run = self._run(call)
        with application.changed:
            if not run.is_active:
                raise invalid(f"Job run {run.id} is in state {run.state} and can't be cancelled.")
            run.becomes("CANCELLING", "Job run is being cancelled")
            application.changed.notify_all()
        if run.work:
            grace = call.params.get("shutdownGracePeriodInSeconds", GRACE)
            threading.Thread(target=run.work.stop, args=(grace,), daemon=True).start()
        return {"applicationId": application.id, "jobRunId": run.id}

    def tag_resource(self, call: Call) -> dict[str, Any]:
        """Add tags to an application or a job run."""
        self._tags(call).update(call.params["tags"])
        return {}

    def untag_resource(self, call: Call) -> dict[str, Any]:
        """Remove tags from an application or a job run."""
        tags = self._tags(call)
        for key in call.params["tagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags(self, call: Call) -> dict[str, Any]:
        """List the tags of an application or a job run."""
        return {"tags": dict(self._tags(call))}

    def close(self) -> None:
        """End all job runs and wait for it."""
        for application in list(self._applications.values()):
            for run in list(application.runs.values()):
                if run.is_active and run.work:
                    run.work.stop(grace=0)
            end(OWNER, application.id, grace=0)

    def _start(self, application: Application) -> None:
        application.becomes("STARTING")
        threading.Thread(target=self._started, args=(application,), daemon=True).start()

    def _started(self, application: Application) -> None:
        time.sleep(self._control.pace.start_seconds)
        with application.changed:
            if application.state != "STARTING":
                return
            application.idle_since = time.monotonic()
            application.becomes("STARTED")
        watch_idle(self._control, application)

    def _application(self, call: Call) -> Application:
        found = self._applications.get(call.params["applicationId"])
        if found is None or found.region != call.region:
            raise _missing(f"Application {call.params['applicationId']}")
        return found

    def _run(self, call: Call) -> tuple[Application, Run]:
        application = self._application(call)
        run = application.runs.get(call.params["jobRunId"])
        if run is None:
            raise _missing(f"Job run {call.params['jobRunId']}")
        return application, run

    def _tags(self, call: Call) -> dict[str, str]:
        arn = call.params["resourceArn"]
        for application in self._applications.values():
            if arn == application.arn and application.region == call.region:
                return application.tags
            for run in application.runs.values():
                if arn == application.run_arn(run):
                    return application.run_tags[run.id]
        raise _missing(f"Resource {arn}")


def _missing(what: str) -> Refusal:
    return Refusal("ResourceNotFoundException", f"{what} does not exist")


def _conflict(token: str) -> Refusal:
    return Refusal(
        "ConflictException", f"The client token {token} was used before, with other parameters.", status=409
    )


def _must_be(application: Application, states: tuple[str, ...], what: str) -> None:
    if application.state not in states:
        raise invalid(
            f"Application cannot be {what}. Applications must be in one of the following statuses: "
            f"[{', '.join(states)}]"
        )


def _page(
    found: list[T], params: Mapping[str, Any], name: str, key: Callable[[T], str], show: Callable[[T], Any]
) -> dict[str, Any]:
    """Return one page; its token is the last id shown, so that new ones don't move the next page."""
    start = 0
    if token := params.get("nextToken"):
        try:
            last = base64.urlsafe_b64decode(token).decode("ascii")
        except (binascii.Error, ValueError):
            last = ""
        start = next((number for number, one in enumerate(found, 1) if key(one) == last), 0)
        if not start:
            raise invalid("nextToken is not valid.")
    stop = start + params.get("maxResults", PAGE)
    shown = found[start:stop]
    token = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode() if len(found) > stop else None
    return {name: [show(one) for one in shown], "nextToken": token}
