"""Puts the dashboard into QuickSight: files into S3, then the stack."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from crime_jobs import aws
from crime_jobs.adhoc.quicksight import rules as rules_module
from crime_jobs.adhoc.quicksight.datasets import RULED
from crime_jobs.adhoc.quicksight.rules import Rule
from crime_jobs.adhoc.quicksight.service import Account
from crime_jobs.adhoc.quicksight.settings import QuickSightSettings, files_of, parameters
from crime_jobs.adhoc.quicksight.template import BOUNDARIES, MANIFEST, RULES
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.formation.change import Changing, Plan
from crime_jobs.formation.following import Tell
from crime_jobs.formation.stack import LARGEST_INLINE, Row
from crime_jobs.model import places
from crime_jobs.settings import Settings

_TAGS = {"project": "crime-jobs", "stream": "adhoc"}


@dataclass(frozen=True)
class Deployment:
    """What is sent: parameters, the template, and the files beside it, by key below the prefix.

    Parameters
    ----------
    parameters
        Of the stack.
    bucket, prefix
        Where the files go.
    files
        Their bodies, by name.
    template
        The template's text.
    rules
        Who sees what.
    """

    parameters: dict[str, str]
    bucket: str
    prefix: str
    files: dict[str, bytes]
    template: bytes
    rules: tuple[Rule, ...]

    @property
    def template_key(self) -> str:
        """Key of the template in the bucket: by its content, so that an old change set keeps its own."""
        return f"{self.prefix}/templates/{hashlib.sha256(self.template).hexdigest()[:16]}.yaml"

    def summary(self) -> list[dict[str, Any]]:
        """Return what would be sent, for people: parameters, resources, files and rules."""
        made = Counter(_types(self.template.decode()))
        sent = {name: len(body) for name, body in self.files.items()}
        sent[self.template_key.removeprefix(f"{self.prefix}/")] = len(self.template)
        where = f"s3://{self.bucket}/{self.prefix}"
        rules = rules_module.summary(self.rules)
        rows = [("parameter", name, value) for name, value in self.parameters.items()]
        rows += [("made", kind, str(number)) for kind, number in sorted(made.items())]
        rows += [("file", f"{where}/{name}", f"{size:,} bytes") for name, size in sent.items()]
        rows += [("rule", rule["who"], rule[RULED]) for rule in rules]
        return [{"kind": kind, "name": name, "value": value} for kind, name, value in rows]


def _types(text: str) -> list[str]:
    """Return the types of the resources: their lines are the only ones of this indent and form."""
    mark = "    Type: AWS::"
    return [line.removeprefix("    Type: ") for line in text.splitlines() if line.startswith(mark)]


def prepare(told: QuickSightSettings, settings: Settings) -> Deployment:
    """Put together what is sent, and check it; nothing is asked of AWS.

    Parameters
    ----------
    told
        What the dashboard is told.
    settings
        The settings.

    Returns
    -------
    Deployment

    Raises
    ------
    WrongUsage
        If a setting is missing or can't be.
    BadInput
        If the rules or the boundaries are not what they must be.
    """
    given = parameters(told, settings)
    bucket, prefix = files_of(told, settings)
    found = rules_module.read(Path(told.rules))
    return Deployment(
        parameters=given,
        bucket=bucket,
        prefix=prefix,
        files={
            BOUNDARIES: _boundaries(Path(told.boundaries)),
            RULES: rules_module.written(found),
            MANIFEST: rules_module.manifest(bucket, f"{prefix}/{RULES}"),
        },
        template=(files("crime_jobs.cloud") / "quicksight.yaml").read_bytes(),
        rules=found,
    )


def _boundaries(path: Path) -> bytes:
    from crime_jobs.adhoc.quicksight.overview import SHAPES

    try:
        body = path.read_bytes()
        codes = {shape["properties"][SHAPES[1]] for shape in json.loads(body)["features"]}
    except OSError as error:
        raise BadInput(f"The boundaries {path} can't be read: {error}.", hint="Give --boundaries.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} is no GeoJSON whose shapes have {SHAPES[1]}.", hint="Take data/india_states.geojson."
        ) from error
    missing = sorted(set(places.states()) - codes)
    if missing:
        raise BadInput(
            f"{path} has no shape for {', '.join(missing)}: the map would leave them blank.",
            hint="Take data/india_states.geojson.",
        )
    return body


class Deploying:
    """A deployment under way.

    Parameters
    ----------
    settings
        The settings.
    told
        What the dashboard is told.
    sent
        What `prepare` put together.
    tell
        Told of what is done.
    """

    def __init__(self, settings: Settings, told: QuickSightSettings, sent: Deployment, tell: Tell) -> None:
        self._settings, self._told, self._sent, self._tell = settings, told, sent, tell
        self.account = Account(settings)
        self.stack = Changing(settings, told.stack, tell)

    def plan(self) -> Plan | None:
        """Check the account, upload the files, and make the change set.

        Returns
        -------
        Plan or None
            ``None`` if the stack is as it should be.

        Raises
        ------
        AwsRefused
            If there is no QuickSight, or AWS refuses.
        WrongUsage
            If a principal is of another account.
        JobFailed
            If the stack can't be changed now.
        """
        for name in ("ViewerArn", "AuthorArn", "OwnerArn"):
            arn = self._sent.parameters[name]
            if arn.split(":")[4] != self.account.id:
                raise WrongUsage(
                    f"{arn} is of another account than {self.account.id}.",
                    hint="Users and groups are the account's own; is --profile right?",
                )
        self.account.check()
        self._upload()
        return self.stack.plan(
            self._source(), self._sent.parameters, {**_TAGS, "environment": self._settings.env}
        )

    def _upload(self) -> None:
        s3 = aws.client("s3", self._settings)
        sent = {f"{self._sent.prefix}/{name}": body for name, body in self._sent.files.items()}
        if len(self._sent.template) > LARGEST_INLINE:
            sent[self._sent.template_key] = self._sent.template
        for key, body in sent.items():
            with aws.refusals(f"Uploading s3://{self._sent.bucket}/{key}"):
                s3.put_object(Bucket=self._sent.bucket, Key=key, Body=body)
            self._tell(f"s3://{self._sent.bucket}/{key}")

    def _source(self) -> dict[str, str]:
        if len(self._sent.template) <= LARGEST_INLINE:
            return {"TemplateBody": self._sent.template.decode()}
        s3 = aws.client("s3", self._settings)
        # CloudFormation wants an address over https and signs the request itself.
        host = f"{self._sent.bucket}.s3.{self.account.region}.{_suffix(s3)}"
        return {"TemplateURL": f"https://{host}/{self._sent.template_key}"}

    def finish(self, plan: Plan | None) -> list[Row]:
        """Execute the change set, and say what is there.

        Parameters
        ----------
        plan
            What `plan` returned.

        Returns
        -------
        list of dict
            A row a resource.

        Raises
        ------
        JobFailed
            If a resource could not be made.
        """
        if plan:
            self.stack.execute(plan)
        rows = self.stack.made("LocalStack's free edition has no QuickSight.")
        url = self.stack.outputs().get("DashboardUrl")
        if url:
            self._tell(url)
        return rows


def _suffix(s3: Any) -> str:
    """Return the domain of the partition: ``amazonaws.com``, and others in China."""
    partition = s3.meta.partition
    return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
