"""Records which calls the code makes of AWS: service, operation, who calls, and the names of what is called.

Only parameters that name a resource are kept (`NAMING`), and a name that is a setting is kept as that setting:
``{stream.events_table}``. No content is: no item, no message, no picture, no key of an object but its folders.

Stands alone, with the standard library only: it is loaded in processes that have none of the tests.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

#: Parameters that name a resource, by the last part of their path.
NAMING = frozenset(
    {
        "applicationId",
        "ApplicationName",
        "AwsAccountId",
        "Bucket",
        "ClusterId",
        "CollectionId",
        "CopySource",
        "DashboardId",
        "Database",
        "DatabaseName",
        "DataSetId",
        "DataSourceId",
        "DeliveryStreamName",
        "EndpointIdentifier",
        "executionRoleArn",
        "ExecutionRoleArn",
        "ExportArn",
        "GroupName",
        "IndexName",
        "JobFlowId",
        "JobFlowRole",
        "Key",
        "KeyId",
        "Name",
        "name",
        "NamedQueryId",
        "Namespace",
        "Prefix",
        "purpose",
        "QueueName",
        "QueueUrl",
        "ReplicationInstanceArn",
        "ReplicationInstanceIdentifier",
        "ReplicationTaskArn",
        "ReplicationTaskIdentifier",
        "ResourceArn",
        "resourceArn",
        "RoleArn",
        "RoleARN",
        "roleArn",
        "S3Bucket",
        "S3Prefix",
        "SecretArn",
        "SecretId",
        "ServiceRole",
        "SourceEndpointArn",
        "StackName",
        "stateMachineArn",
        "StatementName",
        "StreamARN",
        "StreamName",
        "TableArn",
        "TableName",
        "TargetEndpointArn",
        "TopicArn",
        "WorkGroup",
        "WorkgroupName",
    }
)
#: Dictionaries whose keys are names of resources.
KEYED_BY_NAME = frozenset({"RequestItems"})
#: Operations' parameters that look like names and are contents or choices.
NOT_NAMES = frozenset(
    {
        "AttributeDefinitions",
        "Entries",
        "Filters",
        "Item",
        "Key",
        "KeySchema",
        "Parameters",
        "Records",
        "Tags",
    }
)

#: Which settings a parameter can be, by words in their names; of others any.
SETTINGS_OF = {
    "QueueName": ("dead_letters",),
    "QueueUrl": ("dead_letters",),
    "TopicArn": ("topic",),
    "TableName": ("_table", "application", "faces."),
    "RequestItems": ("_table", "application", "faces."),
    "WorkGroup": ("sql.workgroup",),
    "WorkgroupName": ("workgroup",),
    "DatabaseName": ("sql.database",),
    "purpose": (),
    "IndexName": (),
    "Namespace": (),
}

_CODE = re.compile(r"[/\\](crime_jobs|fir_producer)[/\\](.+)\.py$")
_CHANCE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|(?<![a-z])(?=[a-z]*\d)[0-9a-f]{6,}(?![a-z])|\d{4,}"
)
_URIS = ("landing", "lake", "artifacts", "logs")
_TABLES = ("stream", "sql", "faces", "schedule", "quicksight", "cluster")


def install(folder: str) -> None:
    """Record what `crime_jobs.aws.client` makes clients of, into a file of this process in a folder."""
    recorder = Recorder(Path(folder))
    if "crime_jobs.aws" in sys.modules:
        recorder.watch(sys.modules["crime_jobs.aws"])
    else:
        sys.meta_path.insert(0, _Import(recorder.watch))


class _Import(importlib.abc.MetaPathFinder):
    """Tells of the module when it is imported."""

    def __init__(self, then: Callable[[ModuleType], None]) -> None:
        self._then, self._looking = then, False

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "crime_jobs.aws" or self._looking:
            return None
        self._looking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looking = False
        if spec is None or spec.loader is None:
            return None
        execute, then = spec.loader.exec_module, self._then

        def executed(module: ModuleType) -> None:
            execute(module)
            then(module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


class Recorder:
    """Writes each call once, as a line of JSON.

    Parameters
    ----------
    folder
        Each process has a file of its own there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._seen = folder, set[str]()
        self._lock = threading.Lock()

    def watch(self, module: ModuleType) -> None:
        """Have the module's `client` return clients that tell of their calls."""
        make = module.client
        _threads_know_who_started_them()

        def client(service: str, settings: Any, **options: Any) -> Any:
            made = make(service, settings, **options)
            maker, names = _inherited() + _stack(sys._getframe(1)), Names(settings)

            def told(params: Mapping[str, Any], model: Any, **_: Any) -> None:
                if model.name == "HeadBucket" and _is_botocores_own(sys._getframe(1)):
                    return
                callers = {"via": _inherited() + _stack(sys._getframe(1)), "made": maker}
                self.write(model.service_model.service_name, model.name, names.of(params), callers)

            made.meta.events.register_last("before-parameter-build", told)
            return made

        module.client = client  # type: ignore[attr-defined]

    def write(
        self, service: str, operation: str, names: Mapping[str, Any], callers: Mapping[str, tuple[str, ...]]
    ) -> None:
        """Write a call, if it is new."""
        by = {how: list(dict.fromkeys(functions)) for how, functions in callers.items()}
        said = {"service": service, "operation": operation, "names": names, **by}
        line = json.dumps(said, sort_keys=True) + "\n"
        with self._lock:
            if line in self._seen:
                return
            self._seen.add(line)
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
                file.write(line)


class Names:
    """What of a call's parameters names a resource, in the words of the settings.

    Parameters
    ----------
    settings
        `crime_jobs.settings.Settings`.
    """

    def __init__(self, settings: Any) -> None:
        self._words: dict[str, list[str]] = {}
        self._uris: list[tuple[str, str]] = []
        for name, value in self._told(settings):
            if not isinstance(value, str) or not value:
                continue
            if value.startswith(("s3://", "s3a://")):
                self._uris.append((value.partition("//")[2].rstrip("/"), name))
            else:
                for word in dict.fromkeys((value, value.rpartition(":")[2].rpartition("/")[2])):
                    self._words.setdefault(word, []).append(name)
        self._uris.sort(key=lambda one: -len(one[0]))

    @staticmethod
    def _told(settings: Any) -> Iterator[tuple[str, Any]]:
        for name in (*_URIS, "topic", "oracle_secret", "runtime_role"):
            yield name, getattr(settings, name, None)
        for table in _TABLES:
            given = getattr(settings, table, None) or {}
            for name, value in {**_defaults(table), **given}.items():
                yield f"{table}.{name}", value

    def of(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return names by their path in the parameters."""
        found: dict[str, set[str]] = {}
        place: dict[str, str] = {}
        for path, value in _leaves(params):
            last = path.rpartition(".")[2]
            if last in ("Bucket", "Key", "Prefix") and path == last:
                place[last] = value
            else:
                word = _folders(value, cut=True) if path == "Delete.Objects.Key" else self._word(value, last)
                found.setdefault(path, set()).add(word)
        if "Bucket" in place:
            bucket, key = place["Bucket"], place.get("Key")
            if key is not None:
                found["object"] = {self._uri(f"{bucket}/{key}", cut=True)}
            else:
                found["bucket"] = {self._uri(bucket)}
                if "Prefix" in place:
                    found["prefix"] = {self._uri(f"{bucket}/{place['Prefix']}")}
        if params.get("Tags") or params.get("tags"):
            found["tagged"] = {"yes"}
        if "VersionId" in params or any("VersionId" in one for one in _deleted(params)):
            found["versions"] = {"yes"}
        return {path: sorted(values) for path, values in sorted(found.items())}

    def _word(self, value: str, parameter: str) -> str:
        wanted = SETTINGS_OF.get(parameter, ("",))
        for text in (value, re.split(r"[:/]", value)[-1]):
            found = [name for name in self._words.get(text, ()) if any(one in name for one in wanted)]
            if found:
                return f"{{{found[0]}}}"
        return _CHANCE.sub("~", value.partition("://")[2].partition("/")[2] if "://" in value else value)

    def _uri(self, place: str, cut: bool = False) -> str:
        for uri, name in self._uris:
            if place == uri or place.startswith((f"{uri}/", f"{uri}-")):
                return f"{{{name}}}" + _folders(place[len(uri) :], cut)
        bucket, _, rest = place.partition("/")
        for uri, name in self._uris:
            if uri.partition("/")[0] == bucket:
                return f"{{{name}|bucket}}" + (_folders(f"/{rest}", cut) if rest else "")
        return _CHANCE.sub("~", bucket) + (_folders(f"/{rest}", cut) if rest else "")


def _defaults(table: str) -> dict[str, Any]:
    """What settings of a table are when nothing says so, if the code that knows is loaded."""
    where = {
        "stream": ("crime_jobs.model.streams", "StreamSettings"),
        "sql": ("crime_jobs.adhoc.asking", "SqlSettings"),
        "faces": ("crime_jobs.model.faces", "FaceSettings"),
    }
    module, name = where.get(table, ("", ""))
    model = getattr(sys.modules.get(module), name, None)
    return {} if model is None else {key: field.default for key, field in model.model_fields.items()}


def _folders(path: str, cut: bool) -> str:
    """The folders of a path, without what is by chance in them; ``~`` for the name of a file."""
    parts = [_CHANCE.sub("~", part) for part in path.split("/")]
    if cut and len(parts) > 1:
        parts[-1] = "~"
    if len(parts) > 5:
        parts = [*parts[:4], parts[-1]]
    return "/".join(parts)


def _deleted(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    delete = params.get("Delete")
    return list(delete.get("Objects", ())) if isinstance(delete, Mapping) else []


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in NOT_NAMES and not isinstance(inner, str):
                continue
            if name in KEYED_BY_NAME and isinstance(inner, Mapping):
                yield from ((f"{path}{name}", str(key)) for key in inner)
            elif isinstance(inner, str):
                if name in NAMING:
                    yield f"{path}{name}", inner
            else:
                yield from _leaves(inner, f"{path}{name}.")
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, path)


def _threads_know_who_started_them() -> None:
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        thread.via = _inherited() + _stack(sys._getframe(1))  # type: ignore[attr-defined]
        start(thread)

    threading.Thread.start = started  # type: ignore[assignment, method-assign]


def _inherited() -> tuple[str, ...]:
    return getattr(threading.current_thread(), "via", ())


def _is_botocores_own(frame: FrameType | None) -> bool:
    """Say whether botocore asks, of itself, where a bucket is that it was refused: it can do without."""
    while frame is not None and frame.f_code.co_name != "get_bucket_region":
        frame = frame.f_back
    return frame is not None


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    """The functions of ours that are being run, the first called first."""
    found = []
    while frame is not None:
        place = _CODE.search(frame.f_code.co_filename)
        if place:
            module = place[2].replace(os.sep, ".").removesuffix(".__init__")
            found.append(f"{place[1]}.{module}:{frame.f_code.co_name}")
        frame = frame.f_back
    return tuple(dict.fromkeys(reversed(found)))
