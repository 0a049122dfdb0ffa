"""Makes and changes the stacks of an environment, one after the other, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud import stacks, stacks_conditions, stacks_template
from crime_jobs.cloud.stacks_template import Template
from crime_jobs.errors import CrimeJobsError, WrongUsage
from crime_jobs.formation.change import Changing, Plan
from crime_jobs.formation.following import Tell
from crime_jobs.formation.stack import LARGEST_INLINE, Row
from crime_jobs.settings import Settings

#: How a stack ended.
DONE, NOT_AGREED = "done", "not agreed to"


@dataclass(frozen=True)
class Preview:
    """What would happen to a stack.

    Parameters
    ----------
    stream
        The stream.
    stack
        The stack's name.
    plan
        The change set; ``None`` if nothing would change, or its parameters are not known yet.
    rows
        The changes.
    note
        What there is to say beside them.
    anew
        Whether what an earlier try left is removed first; its change set is made after that.
    """

    stream: str
    stack: str
    plan: Plan | None
    rows: list[Row]
    note: str = ""
    anew: bool = False


#: Asked before a stack is changed; what it answers is what happens.
Agree = Callable[[Preview], bool]


class Deployment:
    """The stacks of some streams of an environment.

    Parameters
    ----------
    settings
        The settings.
    names
        The streams; none means those of the section, or all.
    tell
        Told of what happens, line by line.

    Raises
    ------
    WrongUsage
        If a stream or a value of the section can't be; nothing was asked of CloudFormation yet.
    """

    def __init__(self, settings: Settings, names: Sequence[str], tell: Tell) -> None:
        self._settings, self._tell = settings, tell
        self._told = stacks.told(settings)
        self.streams = stacks.chosen(names or self._told.streams)
        self._outputs: dict[str, dict[str, str]] = {}
        self._account = ""
        #: How each stack ended so far.
        self.did: list[Row] = []

    @property
    def where(self) -> str:
        """Return, after `check`, where it goes, for titles and questions."""
        return f"{self._settings.env}, account {self._account}, region {self._settings.region}"

    def not_made(self) -> list[Row]:
        """Return, after `check`, what the environment does without, a row a resource."""
        return [
            {"stream": stream.name, "resource": resource, "type": kind}
            for stream in self.streams
            for resource, kind in self._template(stream).left_out.items()
        ]

    def check(self) -> None:
        """Ask who we are and what is there, and make sure that all parameters will be known.

        Raises
        ------
        WrongUsage
            If the credentials are of another account than the environment, or a parameter has no value and
            no stack of this run will give it one.
        """
        with aws.refusals("Asking whose account it is"):
            self._account = str(aws.client("sts", self._settings).get_caller_identity()["Account"])
        if (wanted := self._settings.account) and wanted != self._account:
            raise WrongUsage(
                f"The credentials are of account {self._account}, environment {self._settings.env!r} is of "
                f"{wanted}.",
                hint="Log in to that account, or choose another profile with --profile.",
            )
        for stream in stacks.STREAMS:
            self._outputs[stream.name] = self._stack(stream.name).outputs()
        before: set[str] = set()
        for stream in self.streams:
            template = self._template(stream)
            if len(template.body.encode()) > LARGEST_INLINE:
                raise WrongUsage(
                    f"The template of {stream.name} is larger than {LARGEST_INLINE:,} bytes.",
                    hint="CloudFormation takes it only from S3, which this command does not do.",
                )
            for name, source in self._values(stream, template)[1].items():
                if source.stream not in before:
                    raise WrongUsage(
                        f"{stream.name} needs {source.key} of {source.stream} for its {name}, "
                        "and that stack is not there.",
                        hint=f"crime-jobs deploy {source.stream} {stream.name} --env {self._settings.env}",
                    )
            before.add(stream.name)

    def _values(
        self, stream: stacks.Stream, template: Template
    ) -> tuple[dict[str, str], dict[str, stacks.Output]]:
        known = stacks.Known(self._told, self._settings.env, self._account, self._outputs)
        return stacks.parameters(stream, template, known)

    def _template(self, stream: stacks.Stream, promised: Mapping[str, str] | None = None) -> Template:
        whole = stacks_template.load(stream.name)
        values = self._values(stream, whole)[0]
        sent = stacks_template.reduced(whole, self._told.without, {**values, **(promised or {})})
        return stacks_template.bounded(sent, self._right(stream, "RoleBoundaryArn"))

    def _right(self, stream: stacks.Stream, output: str) -> str:
        """Return what the stack `deployment` says a stream is made with; empty without that stack."""
        return "" if stream.is_of_rights else self._outputs.get("deployment", {}).get(output, "")

    def _promised(self, stream: stacks.Stream) -> dict[str, stacks.Output]:
        """Return the parameters that a stack of this run will give, which is not there yet."""
        parameters = stacks_template.load(stream.name).parameters
        typed = self._told.parameters.get(stream.name, {})
        taken = {name: stacks.source_of(stream, name) for name in parameters if name not in typed}
        before = self.streams[: self.streams.index(stream)]
        makes = {one.name: self._template(one).outputs for one in before if not self._outputs[one.name]}
        return {
            name: source
            for name, source in taken.items()
            if isinstance(source, stacks.Output) and source.key in makes.get(source.stream, ())
        }

    def _ahead(self, stream: stacks.Stream, promised: Mapping[str, stacks.Output]) -> Preview:
        """Return what the template makes, where a stack that it takes from is not there to be asked with."""
        values = {name: f"{source.key} of {source.stream}" for name, source in promised.items()}
        template = self._template(stream, values)
        values |= self._values(stream, template)[0]
        made = stacks_conditions.decided(template.document, values)["Resources"]
        streams = ", ".join(dict.fromkeys(source.stream for source in promised.values()))
        note = f"By its template, since CloudFormation can't be asked before it has {streams}."
        return Preview(stream.name, self._stack(stream.name).name, None, _added(made), note)

    def _stack(self, stream: str) -> Changing:
        return Changing(self._settings, stacks.stack_name(self._settings.env, stream), self._tell)

    def _plan(self, stream: stacks.Stream) -> Preview:
        stack, template = self._stack(stream.name), self._template(stream)
        values, missing = self._values(stream, template)
        if missing:
            first = next(iter(missing.values()))
            note = f"Not asked of CloudFormation yet: {first.stream} has to be there first."
            return Preview(stream.name, stack.name, None, _added(template.resources), note)
        if stack.never_whole():
            note = "An earlier try left it ROLLBACK_COMPLETE: it would be removed and made anew."
            made = stacks_conditions.decided(template.document, values)["Resources"]
            return Preview(stream.name, stack.name, None, _added(made), note, anew=True)
        tags = stacks.tags(self._settings.env, stream.name, self._told.owner)
        role = self._right(stream, "DeploymentRoleArn")
        plan = stack.plan({"TemplateBody": template.body}, values, tags, role)
        if plan is None:
            return Preview(stream.name, stack.name, None, [], "Nothing would change.")
        return Preview(stream.name, stack.name, plan, plan.rows)

    def preview(self) -> Iterator[Preview]:
        """Yield what would happen, after `check`, a stream at a time; no change set stays."""
        for stream in self.streams:
            if promised := self._promised(stream):
                yield self._ahead(stream, promised)
                continue
            found = self._plan(stream)
            if found.plan:
                self._stack(stream.name).discard(found.plan.arn)
            yield found

    def run(self, agree: Agree) -> None:
        """Make or change the stacks, after `check`, and note in `did` how each ended.

        Parameters
        ----------
        agree
            Asked before each change, and before what an earlier try left is removed.

        Raises
        ------
        JobFailed, AwsRefused
            If one fails; those before it stay, those after it are not begun.
        """
        for number, stream in enumerate(self.streams):
            found = self._plan(stream)
            stack = self._stack(stream.name)
            if found.anew:
                if not agree(found):
                    self._end(found, NOT_AGREED)
                    return
                self._tell(f"{stack.name}: removing what an earlier try left")
                stack.delete()
                found = self._plan(stream)
            if found.plan is None:
                self._end(found, "no change")
                continue
            agreed = False
            try:
                agreed = agree(found)
            finally:  # also after Ctrl-C
                if not agreed:
                    stack.discard(found.plan.arn)
            if not agreed:
                self._end(found, NOT_AGREED)
                return
            try:
                stack.execute(found.plan)
                stack.made("write them into deploy.without of the section.")
            except CrimeJobsError:
                self._say_the_rest(number)
                raise
            self._outputs[stream.name] = stack.outputs()
            self._end(found, DONE)

    def _end(self, found: Preview, how: str) -> None:
        changes = len(found.rows) if how == DONE else 0
        self.did.append({"stream": found.stream, "stack": found.stack, "did": how, "changes": changes})

    def _say_the_rest(self, number: int) -> None:
        if rest := [stream.name for stream in self.streams[number + 1 :]]:
            self._tell(f"Not begun: {', '.join(rest)}.")


def _added(resources: Mapping[str, Any]) -> list[Row]:
    return [
        {"resource": name, "type": resource["Type"], "action": "add", "id": ""}
        for name, resource in resources.items()
    ]


def summary(previews: Sequence[Preview]) -> list[Row]:
    """Return how much would happen, a row a stream and one for all.

    Parameters
    ----------
    previews
        What `Deployment.preview` yielded.

    Returns
    -------
    list of dict
        Counts of resources by what would happen to them, and of their types.
    """
    actions = list(dict.fromkeys(["add", *(row["action"] for one in previews for row in one.rows)]))

    def counted(name: str, rows: Sequence[Row]) -> Row:
        counts = {action: sum(row["action"] == action for row in rows) for action in actions}
        return {"stream": name, **counts, "types": len({row["type"] for row in rows})}

    found = [counted(one.stream, one.rows) for one in previews]
    return [*found, counted("all", [row for one in previews for row in one.rows])]
