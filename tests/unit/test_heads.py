"""Crime heads: one vocabulary over the layouts, a tree in each, groups that name what exists."""

from __future__ import annotations

import pytest

from crime_jobs.model import heads


@pytest.mark.parametrize(
    ("layout", "leaves"),
    [("ipc_2001", 26), ("ipc_2014", 70), ("women_2001", 7), ("women_2014", 49)],
)
def test_leaves_and_wholes_share_out_the_heads(layout: str, leaves: int) -> None:
    codes = {head.crime_head for head in heads.layout(layout).values()} - {heads.TOTAL}
    assert len(heads.leaves(layout)) == leaves
    assert heads.leaves(layout) | heads.parts(layout).keys() == codes
    assert all(part in codes for parts in heads.parts(layout).values() for part in parts)


def test_the_same_words_mean_other_things_in_other_layouts() -> None:
    early = heads.find_head("ipc_2001", "KIDNAPPING & ABDUCTION")
    late = heads.find_head("ipc_2014", "Kidnapping & Abduction")
    assert early is not None
    assert late is not None
    assert early.crime_head == "kidnapping_abduction"
    assert late.crime_head == "kidnapping_simple"
    assert late.parent == "kidnapping_abduction"


def test_an_unknown_head_is_not_guessed() -> None:
    assert heads.find_head("ipc_2001", "Stalking") is None
    assert heads.find_head("ipc_2014", "assault_stalking") is not None


def test_groups_hold_every_part_of_their_heads() -> None:
    groups = heads.crime_groups()
    assert {"rape", "rape_custodial", "rape_custodial_gang", "rape_others"} <= groups["rape"].heads
    every = {h.crime_head for name in heads.CRIME_LAYOUTS for h in heads.layout(name).values()}
    assert groups["all_ipc"].heads == every - {heads.TOTAL}
    assert all(group.heads and group.defined_by.startswith("CII") for group in groups.values())
    assert "rash_driving" not in groups["violent"].heads


def test_layout_in_force() -> None:
    assert heads.layout_of(heads.CRIME_LAYOUTS, 2013) == "ipc_2001"
    assert heads.layout_of(heads.CRIME_LAYOUTS, 2014) == "ipc_2014"
    assert heads.layout_of(heads.CRIME_LAYOUTS, 1999) == "ipc_2001"
