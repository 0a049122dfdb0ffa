"""The rules of the alerts: what they hold for, and that a mistake is told with rule and field."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from crime_jobs.errors import WrongUsage
from crime_jobs.stream.alert_rules import Grave, RepeatLocation, Surge, load, parse
from tests.unit.fir_alerts import NOON, fir


def test_the_shipped_rules_are_rules() -> None:
    assert [type(rule) for rule in load(None).values()] == [Grave, Surge, RepeatLocation]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[a]\nkind = "surge"\nfactor = 3\nminimum = 5', "rule 'a': field window_minutes"),
        (
            '[a]\nkind = "surge"\nfactor = 0.5\nminimum = 5\nwindow_minutes = 5',
            "rule 'a': field factor: Input should be greater than 1",
        ),
        ('[a]\nkind = "surge"\nfactor = 3\nminimum = 5\nwindow_minutes = 1441', "field window_minutes"),
        ('[a]\nkind = "grave"', "rule 'a': one of grave, crime_heads, sections is needed"),
        ('[a]\nkind = "grave"\ncrime_heads = ["murdr"]', "field crime_heads: no crime head is called murdr"),
        ('[a]\nkind = "grave"\nsections = ["BNS103"]', "field sections: BNS103 is no section"),
        ('[a]\nkind = "grave"\ngrave = true\ngroups = ["women"]', "field groups: no group is called women"),
        ('[a]\nkind = "grave"\ngrave = true\nstates = ["UP"]', "field states.0"),
        ('[a]\nkind = "grave"\ngrave = true\nminimun = 1', "field minimun: Extra inputs"),
        ('[a]\nkind = "flood"', "rule 'a': field kind: it is one of grave, surge, repeat_location"),
        ("[a]\n", "rule 'a': field kind"),
        ('[A]\nkind = "grave"', "rule 'A': the name"),
        ("a = 1", "rule 'a'"),
        ("", "has no rule"),
        ("[a", "is not valid TOML"),
    ],
)
def test_a_mistake_is_told_with_rule_and_field(text: str, told: str) -> None:
    with pytest.raises(WrongUsage) as error:
        parse(text, "rules.toml")
    assert error.value.message.startswith("rules.toml")
    assert told in error.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"nowhere\.toml can't be read: FileNotFoundError"):
        load(str(tmp_path / "nowhere.toml"))


def test_a_grave_rule_holds_for_what_it_names() -> None:
    rule = Grave(kind="grave", crime_heads=("murder",), sections=("BNS:103", "POCSO:6"))
    assert rule.holds(fir(crime_head="murder"), NOON)
    assert rule.holds(fir(sections="BNS:3(5);BNS:103(1)"), NOON)
    assert not rule.holds(fir(sections="BNS:1031;IPC:103(1)"), NOON)
    assert not rule.holds(fir(is_grave=True), NOON)
    assert Grave(kind="grave", grave=True).holds(fir(is_grave=True), NOON)


def test_old_news_is_none_but_a_clock_that_is_ahead_never_silences() -> None:
    rule = Grave(kind="grave", grave=True, max_age_hours=1)
    grave = fir(is_grave=True)
    assert rule.holds(grave, NOON + timedelta(hours=1))
    assert not rule.holds(grave, NOON + timedelta(hours=1, seconds=1))
    assert rule.holds(grave, NOON - timedelta(days=300))


def test_states_and_groups_narrow_a_rule() -> None:
    assert not Grave(kind="grave", grave=True, states=("IN-BR",)).holds(fir(is_grave=True), NOON)
    assert not Grave(kind="grave", grave=True, groups=("violent",)).holds(fir(is_grave=True), NOON)


def test_windows_count_neither_late_nor_protected_nor_zero_firs_where_those_do_not_belong() -> None:
    surge = Surge(kind="surge", window_minutes=60, factor=2, minimum=2)
    place = RepeatLocation(kind="repeat_location", window_minutes=60, count=2)
    assert surge.counts(fir(), NOON)
    assert place.counts(fir(), NOON)
    assert not surge.counts(fir(), NOON + timedelta(minutes=61))
    assert not surge.counts(fir(is_zero=True), NOON)
    assert place.counts(fir(is_zero=True), NOON)
    assert not place.counts(fir(is_protected=True), NOON)
    assert not place.counts(fir(location_cell=None), NOON)
