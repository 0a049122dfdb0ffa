"""What CloudFormation made of a change that failed goes again, as on AWS: run in LocalStack when it starts.

LocalStack 4.9 says ROLLBACK_COMPLETE and leaves all there; and after a failed update it forgets what it had
not yet looked at. What a failed update had changed in a resource that was there is not changed back, as AWS
would.
"""

from collections.abc import Callable
from typing import Any

from localstack.aws.api.cloudformation import ChangeAction, ChangeSetType, ResourceStatus
from localstack.services.cloudformation.engine.v2 import change_set_model_executor as module
from localstack.services.cloudformation.engine.v2.change_set_model import is_nothing
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import PreprocProperties
from localstack.services.cloudformation.resource_provider import OperationStatus

Executor = module.ChangeSetModelExecutor
process, change, execute = Executor.process, Executor._execute_resource_change, Executor.execute


def remove(self: Any, name: str, kind: str) -> Callable[[], None]:
    """Return what deletes a resource that this change has made."""

    def action() -> None:
        told = {"action": ChangeAction.Remove, "logical_resource_id": name, "resource_type": kind}
        properties = PreprocProperties(properties=self.resources[name].get("Properties") or {})
        self._process_event(event_status=OperationStatus.IN_PROGRESS, **told)
        event = self._execute_resource_action(before_properties=properties, after_properties=None, **told)
        self._process_event(event_status=event.status, reason=event.message, **told)
        if event.status == OperationStatus.SUCCESS:
            del self.resources[name]

    return action


def changed(self: Any, name: str, before: Any, after: Any) -> None:
    """Change a resource, and note it if it is new."""
    change(self, name, before, after)
    if is_nothing(before) and self.resources[name].get("ResourceStatus") == ResourceStatus.CREATE_COMPLETE:
        self.__dict__.setdefault("_new", []).append((name, after.resource_type))


def processed(self: Any) -> Any:
    """Make the changes; if one fails, nothing old is removed, and what is new goes."""
    try:
        return process(self)
    except Exception:
        self._deferred_actions.clear()
        asked = self._change_set.stack.request_payload
        stays = asked.get("DisableRollback") or asked.get("OnFailure") == "DO_NOTHING"
        for name, kind in [] if stays else self.__dict__.get("_new", []):
            self._defer_action(f"undo-{name}", remove(self, name, kind))
        for name, resource in (self._before_resolved_resources or {}).items():
            self.resources.setdefault(name, resource)
        raise


def executed(self: Any) -> Any:
    """Execute the change set; the status after an update that failed is one of an update."""
    stack, update = self._change_set.stack, self._change_set.change_set_type == ChangeSetType.UPDATE
    said = stack.set_stack_status

    def say(status: Any, *arguments: Any) -> None:
        name = str(getattr(status, "value", status))
        said(f"UPDATE_{name}" if update and name.startswith("ROLLBACK_") else status, *arguments)

    stack.set_stack_status = say
    try:
        result = execute(self)
    finally:
        del stack.set_stack_status
    if result.failure_message and update:  # the stack is what it was, by its parameters and resources too
        self._change_set.resolved_parameters = stack.resolved_parameters
        for name in result.resources.keys() - (self._before_resolved_resources or {}).keys():
            del result.resources[name]
    return result


Executor.process, Executor._execute_resource_change, Executor.execute = processed, changed, executed
