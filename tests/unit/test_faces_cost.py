"""What a match costs: by the tiers, never more for less, and nothing with an engine of one's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import WrongUsage
from crime_jobs.faces.cost import estimate, usd
from crime_jobs.model.faces import FaceSettings

AWS = FaceSettings(price_per_call=0.001, calls_per_second=5)


def test_a_detection_a_photograph_and_a_search_a_face() -> None:
    found = estimate(1000, AWS, assumed=1.5)
    assert found.calls == {"detect_faces": 1000, "search_faces_by_image": 1500}
    assert found.usd == pytest.approx(2.5)
    assert found.seconds == pytest.approx(500)


def test_tiers_are_those_of_each_group_by_itself() -> None:
    """By hand: a million at 0.001, four at 0.0008, thirty at 0.0006, then 0.0004 or 0.00025."""
    assert usd({"detect_faces": 1_000_000}, AWS) == pytest.approx(1000)
    assert usd({"detect_faces": 2_000_000}, AWS) == pytest.approx(1800)
    assert usd({"detect_faces": 1_000_000, "search_faces_by_image": 1_000_000}, AWS) == pytest.approx(2000)
    assert usd({"search_faces_by_image": 500_000, "index_faces": 1_500_000}, AWS) == pytest.approx(1800)
    assert usd({"search_faces_by_image": 36_000_000}, AWS) == pytest.approx(1000 + 3200 + 18_000 + 400)
    assert usd({"detect_faces": 36_000_000}, AWS) == pytest.approx(1000 + 3200 + 18_000 + 250)


def test_what_looks_at_no_picture_costs_nothing() -> None:
    assert usd({"describe_collection": 1000, "delete_faces": 5}, AWS) == 0


def test_an_engine_of_ones_own_costs_time_alone() -> None:
    found = estimate(1_000_000, FaceSettings(price_per_call=0, calls_per_second=100))
    assert (found.usd, found.seconds) == (0, 25_000)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.floats(0, 100))
def test_more_never_costs_less(photographs: int, more: int, assumed: float) -> None:
    less, greater = estimate(photographs, AWS, assumed), estimate(photographs + more, AWS, assumed)
    assert less.usd <= greater.usd
    assert less.seconds <= greater.seconds
    assert less.usd <= sum(less.calls.values()) * 0.001 + 1e-6


def test_fewer_than_no_faces_is_refused() -> None:
    with pytest.raises(WrongUsage, match=r"no -1\.0 faces"):
        estimate(1, AWS, -1.0)


@pytest.mark.parametrize("assumed", [float("nan"), float("inf")])
def test_nor_are_there_as_many_as_nobody_can_count(assumed: float) -> None:
    with pytest.raises(WrongUsage, match=f"no {assumed} faces"):
        estimate(1, AWS, assumed)
