"""The insight queries as documents of Hue: a fixture that Hue's own ``loaddata`` takes, also twice."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from crime_jobs.hive_scripts import FIRST_INSIGHT, list_scripts
from crime_jobs.model.names import DATABASE

#: Hue's user for samples, which nobody can log in as (``SAMPLE_USER_INSTALL`` in desktop/models.py).
OWNER = "hue"
DIRECTORY = "Crime in India"

#: What a variable is when nobody writes another value over it; each insight takes all of them.
DEFAULTS = {
    "year": "latest",
    "crime_group": "all_ipc",
    "women_group": "ALL",
    "place_level": "state",
    "state_code": "IN",
    "state_a": "IN-TN",
    "state_b": "IN-KL",
}

#: Every uuid comes of it and of a name, so that a document stays the same one from load to load.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://crime-jobs/hue")
_VARIABLE = re.compile(r"\$\{hivevar:(\w+)\}")
#: Django asks for one; Hue writes its own when it saves.
_MODIFIED = "2026-01-01T00:00:00"


def statement(script: str) -> str:
    """Return an insight as Hue's editor takes it.

    Parameters
    ----------
    script
        Text of the script.

    Returns
    -------
    str
        Its comments and its question; ``${hivevar:year}`` becomes ``${year=latest}``, for which the editor
        asks (``VariableSubstitution.vue``). ``USE`` is left out: the document names its database.
    """
    kept = re.sub(r"^USE [^;]+;\n+", "", script, flags=re.MULTILINE)
    return _VARIABLE.sub(lambda found: f"${{{found[1]}={DEFAULTS[found[1]]}}}", kept).strip()


def fixture(database: str = DATABASE) -> list[dict[str, Any]]:
    """Return the documents: a directory, and in it a query for each insight.

    Parameters
    ----------
    database
        The database that they ask.

    Returns
    -------
    list of dict
        Objects of Django's serialisation of ``desktop.document2``. There is no primary key: Django finds
        what is there by uuid, version and history, the natural key, and changes that.
    """
    insights = [one for one in list_scripts() if one.number is not None and one.number >= FIRST_INSIGHT]
    folder = _document(DIRECTORY, "directory", "Questions about crime in India", "{}", None)
    return [folder, *(_query(one.path.name, one.text, _key(folder), database) for one in insights)]


def fixture_text(database: str = DATABASE) -> str:
    """Return the fixture as the file that is loaded.

    Parameters
    ----------
    database
        As for `fixture`.
    """
    return json.dumps(fixture(database), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _query(name: str, script: str, folder: list[Any], database: str) -> dict[str, Any]:
    title, _, note = script.partition("\n")[0].lstrip("- ").partition(":")
    text = statement(script)
    snippet = {
        "id": str(uuid.uuid5(_NAMESPACE, f"{name}/snippet")),
        "type": "hive",
        "name": title,
        "status": "ready",
        "statement": text,
        "statement_raw": text,
        "database": database,
        "namespace": {},
        "compute": {},
        "properties": {"files": [], "functions": [], "settings": []},
        "result": {"handle": {}},
        "variables": [],
        "lastExecuted": -1,
        "wasBatchExecuted": False,
    }
    data = {
        "uuid": str(uuid.uuid5(_NAMESPACE, name)),
        "name": title,
        "description": note.strip(),
        "type": "query-hive",
        "selectedSnippet": "hive",
        "sessions": [{"id": None, "type": "hive", "properties": []}],
        "snippets": [snippet],
        "isSaved": True,
        "isManaged": False,
        "isPresentationModeDefault": False,
        "showHistory": True,
        "skipHistorify": False,
        "onSuccessUrl": None,
        "pubSubUrl": None,
    }
    made = _document(name, "query-hive", note.strip(), json.dumps(data, ensure_ascii=False), folder)
    made["fields"]["name"] = title
    # What the search of Hue looks in.
    made["fields"]["search"] = f"{title} {note.strip()} {text}"
    return made


def _document(name: str, kind: str, about: str, data: str, parent: list[Any] | None) -> dict[str, Any]:
    fields = {
        "name": name,
        "description": about,
        "uuid": str(uuid.uuid5(_NAMESPACE, name)),
        "type": kind,
        "data": data,
        "extra": "",
        "search": None,
        "last_modified": _MODIFIED,
        "version": 1,
        "is_history": False,
        "is_managed": False,
        "is_trashed": False,
        "owner": [OWNER],
        "dependencies": [],
        "parent_directory": parent,
    }
    return {"model": "desktop.document2", "pk": None, "fields": fields}


def _key(document: dict[str, Any]) -> list[Any]:
    fields = document["fields"]
    return [fields["uuid"], fields["version"], fields["is_history"]]
