"""Records of cases as a police station's old system has them: generated, of no real person and no case.

Where, when and what is drawn in proportion to the real counts, so that the records look like a small sample
of them. The rest is there to be awkward: scripts, quotes, line ends, long texts, numbers of 38 digits, NULLs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random

from crime_jobs.migrate.oracle.literals import Value

INDIA = timezone(timedelta(hours=5, minutes=30))

_GIVEN = (
    *("Asha", "Ravi", "Meena", "Iqbal", "Joseph", "Lakshmi", "Gurpreet", "Zoya", "Bhupen", "Thangjam"),
    *("आशा", "रवि", "मीना", "লক্ষ্মী", "ரவி", "ಮೀನಾ", "గౌరి", "ગીતા", "ਗੁਰਪ੍ਰੀਤ", "ജോസഫ്", "اقبال", "ꯊꯥꯡꯖꯝ"),
)
_FAMILY = (
    *("Sharma", "D'Souza", "Khan", "Reddy", "Das", "O'Brien", "Singh & Sons", "Nair", "Patil", "Renée"),
    *("शर्मा", "খান", "ரெட்டி", "ದಾಸ್", "సింగ్", "પટેલ", "ਸਿੰਘ", "നായർ", "خان"),
)
_SENTENCES = (
    "The complainant states that the matter came to notice in the morning.",
    "Two witnesses were heard; their statements are annexed.",
    "The place was inspected & a sketch was made.",
    'It is alleged that the accused said "leave at once" and left.',
    "शिकायतकर्ता के अनुसार घटना रात में हुई।",
    "குற்றம் நடந்த இடம் பார்வையிடப்பட்டது.",
    "ঘটনাস্থল পরিদর্শন করা হয়েছে।",
    "The goods' value is an estimate; bills were not produced.",
    "Path of the photographs: C:\\old\\records\\1.tif -- see page 2.",
    "Further enquiry is in progress \U0001f50d.",
)
_REMARKS = (
    "Transferred",
    "Zero FIR",
    "Reopened; see file",
    "50% recovered",
    "—",
    "पुनः जाँच",
    "a | b",
    "  two blanks  ",
)

#: What the codes of heads have in them whose victims may never be shown.
_PROTECTED = ("rape", "assault", "insult", "importation", "trafficking", "unnatural")

_LONG_SHARE = 0.03


@dataclass(frozen=True)
class Place:
    """A year of a district, with what was counted in it.

    Parameters
    ----------
    district_id
        Number of the district.
    state_code
        Code of its state.
    year
        The year.
    heads
        Numbers of the heads that have no parts, with their codes and cases.
    """

    district_id: int
    state_code: str
    year: int
    heads: tuple[tuple[int, str, int], ...]

    @property
    def cases(self) -> int:
        """All cases."""
        return sum(cases for _, _, cases in self.heads)


def records(places: Sequence[Place], count: int, seed: int) -> Iterator[tuple[Value, ...]]:
    """Make records, always the same for the same places, count and seed.

    Parameters
    ----------
    places
        What is drawn from.
    count
        How many records.
    seed
        Which ones.

    Yields
    ------
    tuple
        The columns of ``CASE_RECORDS`` in order.
    """
    random = Random(seed)  # noqa: S311 - it is to be the same each time
    last: dict[tuple[str, int], int] = {}
    for place in random.choices(places, [place.cases for place in places], k=count):
        head, code, _ = random.choices(place.heads, [cases for _, _, cases in place.heads])[0]
        station = f"{place.state_code.removeprefix('IN-')}{place.district_id:04d}-{random.randint(1, 9)}"
        number = last.get((station, place.year), 0) + random.randint(1, 40)
        last[station, place.year] = number
        yield (station, place.year, number, place.district_id, *_rest(random, place, head, code))


def _rest(random: Random, place: Place, head: int, code: str) -> tuple[Value, ...]:
    def maybe(share: float, value: Value) -> Value:
        return value if random.random() < share else None

    begin = datetime(place.year, 1, 1)  # DATE and TIMESTAMP have no zone
    occurred = begin + timedelta(seconds=random.randrange(330 * 24 * 3600))
    later, fraction = random.randrange(30 * 24 * 3600), random.randrange(10**6)
    reported = occurred + timedelta(seconds=later, microseconds=fraction)
    registered = (reported + timedelta(minutes=random.randint(5, 600))).replace(tzinfo=INDIA)
    text = _text(random)
    told = maybe(0.97, text)
    return (
        maybe(0.98, head),
        maybe(0.9, random.randrange(10**37, 10**38)),
        maybe(0.4, Decimal(random.randint(0, 10**9)) / 100),
        maybe(0.5, Decimal(random.randint(1, 10**6)) / 10 ** random.randint(0, 5)),
        maybe(0.9, occurred),
        reported,
        maybe(0.8, registered),
        maybe(0.9, f"{random.choice(_GIVEN)} {random.choice(_FAMILY)}"),
        maybe(0.5, random.randint(18, 90)),
        maybe(0.2, random.choice(_REMARKS)),
        told,
        hashlib.md5(text.encode(), usedforsecurity=False).digest() if told else None,
        "Y" if any(word in code for word in _PROTECTED) else "N",
    )


def _text(random: Random) -> str:
    sentences = random.choices(_SENTENCES, k=random.randint(3, 7))
    if random.random() < _LONG_SHARE:
        sentences = random.choices(_SENTENCES, k=random.randint(150, 300))
    ends = ("\n", " ", "\r\n", "\n\n", "\t")
    return "".join(sentence + random.choice(ends) for sentence in sentences).strip()
