"""What inventory asks and destroy removes of each kind is recorded as theirs, and so held against their policies.

LocalStack has half of the kinds. Here each is listed, looked at and removed by the code itself, with clients that
answer by the shapes of AWS's own models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from crime_jobs import aws
from crime_jobs.cloud.destroy import Destruction
from crime_jobs.cloud.inventory import Row
from crime_jobs.cloud.inventory_asking import Asking
from crime_jobs.cloud.inventory_claims import Claim
from crime_jobs.cloud.kinds import KINDS
from crime_jobs.cloud.kinds_base import Kind
from tests.unit.test_inventory_kinds import SETTINGS, answer


def client(service: str, settings: Any, **options: Any) -> Any:
    """A client as the code makes it, whose calls are answered here."""
    made = aws.client(service, settings, **options)

    def answered(model: Any, **_: Any) -> Any:
        said = answer(model.output_shape) if model.output_shape else {}
        if model.name == "GetCallerIdentity":
            said["Arn"] = "arn:aws:sts::123456789012:assumed-role/r/s"
        return SimpleNamespace(status_code=200), said

    made.meta.events.register("before-call", answered)
    return made


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield Asking(SETTINGS, writes=True, make=client)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_asked_and_removed_by_those_whose_policies_allow_it(
    kind: Kind, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("crime_jobs.cloud.kinds_compute._PATIENCE", 0.01)
    region = SETTINGS.region
    assert region
    found, silent = asking.everything([kind], region)
    looked, unseen = asking.looked_at(kind, region, [one for _, one in found][:1])
    assert not silent + unseen
    (one,) = looked
    row = Row(kind, replace(one, protected=True), region, Claim("tag", "trial"))
    destruction = Destruction(asking, lift=True)
    if kind.remove:
        assert destruction._remove(row) == (row, None)
    else:
        destruction._lift_from(row)
