"""The type rules at their edges: what an Oracle value becomes, what does not fit, and what a checksum tells."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer
from hypothesis import assume, example, given
from hypothesis import strategies as st

from crime_jobs.model import items
from crime_jobs.model.items import Unfit, checksum, checksums, item_of, key_text, number
from crime_jobs.model.tablemapping import Attribute, Kind, SourceColumn, SourceTable, TableMapping


def mapping_of(key: Kind = "text", sort: Kind | None = None, **attributes: Kind) -> TableMapping:
    """A table whose columns are carried over: K, S if there is a sort key, and others by name and kind."""
    kinds: dict[str, Kind] = {"K": key, **({"S": sort} if sort else {}), **attributes}
    columns = tuple(SourceColumn(name, kind, kind) for name, kind in kinds.items())
    keys = ("K", "S") if sort else ("K",)
    carried = tuple(Attribute(name, f"${{{name}}}", kind) for name, kind in kinds.items())
    return TableMapping(SourceTable("CRIME", "T", columns, keys), "t", "K", "S" if sort else None, carried)


def value_of(kind: Kind, value: str | bytes | None) -> Any:
    """What a column of this kind becomes."""
    return item_of(mapping_of(A=kind), {"K": "k", "A": value}).get("A")


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.00", "0"),
        ("007", "7"),
        (".5", "0.5"),  # as Oracle's TM9 writes it
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("+5", "5"),
        (" 5 ", "5"),
        ("1.50", "1.5"),
        ("100", "100"),
        ("1E2", "100"),
        ("1.5e+3", "1500"),
        ("9" * 38, "9" * 38),
        ("-" + "9" * 38, "-" + "9" * 38),
        ("9" * 38 + "000", "9" * 38 + "000"),
        ("0." + "0" * 10 + "1", "0.00000000001"),
        ("1E-130", "1E-130"),
        ("-1E-130", "-1E-130"),
        ("9.99E125", "9.99E+125"),
        ("9." + "9" * 37 + "E125", "9." + "9" * 37 + "E+125"),
    ],
)
def test_numbers_that_fit(text: str, becomes: str) -> None:
    """Each is the same number, in as few signs as DynamoDB takes."""
    assert number(text) == becomes
    assert Decimal(number(text)) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" * 39, "more than 38"),
        ("0." + "1" * 39, "more than 38"),
        ("1" + "0" * 37 + "1.1", "more than 38"),
        ("9.99E-131", "magnitude"),
        ("1E126", "magnitude"),
        ("-1E126", "magnitude"),
        ("1" + "0" * 126, "magnitude"),
        ("1." + "0" * 220 + "1", "too many digits"),  # would be 1 if it were rounded
        ("1E1000000", "too large an exponent"),
        ("1E-2000000", "too large an exponent"),  # would be 0
        ("1E99999999999999999999", "too large an exponent"),
        ("", "not a finite number"),
        ("Inf", "not a finite number"),
        ("Infinity", "not a finite number"),
        ("NaN", "not a finite number"),
        ("sNaN", "not a finite number"),
        ("1_000", "not a finite number"),
        ("1,5", "not a finite number"),
        ("0x1F", "not a finite number"),
        ("१२", "not a finite number"),
        ("five", "not a finite number"),
        ("#" * 40, "not a finite number"),  # as Oracle writes what its format can't hold
    ],
)
def test_numbers_that_do_not_fit(text: str, reason: str) -> None:
    """None is rounded until it fits: it is refused, with why."""
    with pytest.raises(ValueError, match=reason):
        number(text)


@given(st.decimals(allow_nan=False, allow_infinity=False))
@example(Decimal("1E-130"))
@example(Decimal("9.99E+125"))
@example(Decimal("-0E+400"))
@example(Decimal("123E-132"))
def test_a_number_is_refused_or_exact(value: Decimal) -> None:
    """For any decimal: either it does not fit by DynamoDB's limits, or its text is equal to it."""
    exact = value.normalize(Context(prec=1000))
    fits = not value or (len(exact.as_tuple().digits) <= 38 and -130 <= exact.adjusted() <= 125)
    for text in (f"{value}", f"{value:f}" if abs(value.adjusted()) < 200 else f"{value:E}"):
        try:
            found = number(text)
        except ValueError:
            assert not fits
        else:
            assert fits
            assert Decimal(found) == value
            # boto3's own context traps what would be rounded, and DynamoDB takes no longer text.
            assert DYNAMODB_CONTEXT.create_decimal(found) == value or len(found) > 41
            assert number(found) == found


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 60))
def test_oracle_s_own_forms_are_one_number(digits: int, scale: int) -> None:
    """However a database writes a number, its item is the same."""
    value = Decimal(digits).scaleb(-scale, Context(prec=100))
    plain = f"{value:f}"
    forms = {
        plain,
        f"{value:E}",
        plain.replace("0.", ".", 1) if plain.lstrip("-").startswith("0.") else plain,
    }
    assert len({number(form) for form in forms}) == 1


@pytest.mark.parametrize("kind", ["text", "clob", "number", "date", "timestamp", "timestamptz", "raw"])
def test_null_has_no_attribute(kind: Kind) -> None:
    """A NULL is no attribute, never an empty one; and '' is NULL in Oracle."""
    assert value_of(kind, None) is None
    assert value_of(kind, "") is None


@pytest.mark.parametrize(
    ("kind", "text", "becomes"),
    [
        ("text", "ab ", "ab "),
        ("text", " ", " "),
        ("text", "0.50", "0.50"),
        ("text", "12:00:00.500", "12:00:00.500"),
        ("clob", "ए\n\0'\"", "ए\n\0'\""),
        ("date", "2014-03-31T23:59:59", "2014-03-31T23:59:59"),
        ("date", "2014-03-31T00:00:00", "2014-03-31T00:00:00"),
        ("timestamp", "2014-03-31T23:59:50.000000000", "2014-03-31T23:59:50"),
        ("timestamp", "2014-03-31T23:59:59.120000000", "2014-03-31T23:59:59.12"),
        ("timestamp", "2014-03-31T23:59:59.000000001", "2014-03-31T23:59:59.000000001"),
        ("timestamp", "2014-03-31T23:59:59.100200300", "2014-03-31T23:59:59.1002003"),
        ("timestamp", "2014-03-31T23:59:00", "2014-03-31T23:59:00"),
        ("timestamptz", "2014-03-31T23:59:59.120000000+05:30", "2014-03-31T23:59:59.12+05:30"),
        ("timestamptz", "2014-03-31T23:59:50.000000000+00:00", "2014-03-31T23:59:50+00:00"),
        ("timestamptz", "2014-03-31T23:59:50.000000000-10:00", "2014-03-31T23:59:50-10:00"),
    ],
)
def test_texts_and_moments(kind: Kind, text: str, becomes: str) -> None:
    """Texts stay as they are to the last blank; a moment loses only zeros at the end of its fraction."""
    assert value_of(kind, text) == {"S": becomes}


@given(st.datetimes(), st.integers(0, 999_999_999), st.sampled_from(["", "+05:30", "-03:00", "+00:00"]))
def test_a_moment_keeps_its_value(moment: Any, nanoseconds: int, zone: str) -> None:
    """For any moment to the nanosecond: date, second, fraction and offset are still those."""
    second = moment.replace(microsecond=0).isoformat()
    found = value_of("timestamptz" if zone else "timestamp", f"{second}.{nanoseconds:09d}{zone}")["S"]
    assert found.startswith(second)
    assert found.endswith(zone)
    fraction = found.removeprefix(second).removesuffix(zone)
    assert Decimal(fraction or 0) == Decimal(nanoseconds).scaleb(-9)
    assert not fraction.endswith(("0", "."))


def test_binary_is_bytes() -> None:
    """RAW and BLOB come as bytes or, from Spark, as a bytearray; every byte stays."""
    every = bytes(range(256))
    assert value_of("raw", every) == {"B": every}
    found = item_of(mapping_of(A="raw"), {"K": "k", "A": bytearray(every)})["A"]  # type: ignore[dict-item]
    assert (found, type(found["B"])) == ({"B": every}, bytes)


def test_half_a_surrogate_pair_is_refused() -> None:
    """A text that is no text can't be sent; it is one row's error, and no stack of a codec's."""
    with pytest.raises(Unfit, match="A: it is not valid text"):
        value_of("text", "x\ud83d")


def test_reserved_words_are_names_like_others() -> None:
    """An attribute may be called as DynamoDB's expressions may not: items are put whole, without expressions."""
    words: dict[str, Kind] = {
        "SIZE": "text",
        "YEAR": "number",
        "NAME": "text",
        "STATUS": "text",
        "a b.c#": "text",
    }
    row: dict[str, str | bytes | None] = {"K": "k", **dict.fromkeys(words, "1")}
    assert item_of(mapping_of(**words), row).keys() == {"K", *words}


#: Texts of one, two, three and four bytes a sign.
SIGNS = ["a", "é", "ए", "👮"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize(("name", "most"), [("K", 2048), ("S", 1024)])
def test_keys_count_in_bytes(sign: str, name: str, most: int) -> None:
    """A key of 2,048 (sort key: 1,024) bytes fits and one byte more does not, whatever the script."""
    mapping = mapping_of(sort="text")
    width = len(sign.encode())
    text = sign * (most // width) + "a" * (most % width)
    assert len(text.encode()) == most
    row: dict[str, str | bytes | None] = {"K": "k", "S": "s"}
    assert item_of(mapping, {**row, name: text})[name] == {"S": text}
    with pytest.raises(Unfit) as unfit:
        item_of(mapping, {**row, name: f"{text}a"})
    assert (unfit.value.attribute, str(most) in unfit.value.reason) == (name, True)


@pytest.mark.parametrize(
    ("kind", "value"), [("text", None), ("text", ""), ("number", None), ("raw", None), ("raw", b"")]
)
def test_a_key_can_t_be_empty(kind: Kind, value: str | bytes | None) -> None:
    """DynamoDB takes no empty key; the row is refused here, before the whole batch would be there."""
    with pytest.raises(Unfit, match="K: a key can't be empty"):
        item_of(mapping_of(kind), {"K": value})


def test_a_made_key_with_a_null_in_it_is_refused() -> None:
    """A text made with a NULL has no value: the key A| might stand for many rows."""
    source = SourceTable("CRIME", "T", (SourceColumn("A", "text", ""), SourceColumn("B", "text", "")), ("A",))
    mapping = TableMapping(source, "t", "K", None, (Attribute("K", "${A}|${B}", "text"),))
    assert item_of(mapping, {"A": "x", "B": "y"}) == {"K": {"S": "x|y"}}
    with pytest.raises(Unfit):
        item_of(mapping, {"A": "x", "B": None})


def test_a_binary_column_in_a_text_is_refused() -> None:
    """Bytes have no text of their own; none is invented."""
    source = SourceTable("CRIME", "T", (SourceColumn("A", "raw", ""),), ("A",))
    mapping = TableMapping(source, "t", "K", None, (Attribute("K", "x${A}", "text"),))
    with pytest.raises(Unfit, match="binary"):
        item_of(mapping, {"A": b"y"})


@pytest.mark.parametrize("sign", SIGNS)
def test_an_item_may_have_409600_bytes(sign: str) -> None:
    """Names and values together, counted in bytes: the last that fits, and one more."""
    mapping = mapping_of(STORY="clob")
    room = 409_600 - len("K") - len("k") - len("STORY")
    width = len(sign.encode())
    text = sign * (room // width) + "a" * (room % width)
    item = item_of(mapping, {"K": "k", "STORY": text})
    assert items.item_bytes(item) == 409_600
    with pytest.raises(Unfit) as unfit:
        item_of(mapping, {"K": "k", "STORY": f"{text}a"})
    assert (unfit.value.attribute, "409601" in unfit.value.reason) == ("STORY", True)


def test_an_error_never_quotes_the_value() -> None:
    """What is in a row is not said: the reasons go to ledgers, tables and screens."""
    canary = "canary-complainant"
    for kind, value in (("number", canary), ("text", f"{canary}\ud83d"), ("clob", canary * 30_000)):
        with pytest.raises(Unfit) as unfit:
            value_of(kind, value)  # type: ignore[arg-type]
        assert canary not in f"{unfit.value} {unfit.value.reason} {unfit.value.attribute}"


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (409_600, 400)])
def test_write_units(size: int, units: int) -> None:
    """A unit is a KB that was begun."""
    assert items.write_units(size) == units


numbers = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9)
values = st.one_of(
    numbers.map(lambda value: {"N": number(str(value))}),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).map(lambda text: {"S": text}),
    st.binary(max_size=8).map(lambda content: {"B": content}),
)


@given(values, values)
@example({"S": "1"}, {"N": "1"})
@example({"S": "1E0"}, {"N": "1"})
@example({"S": "YQ=="}, {"B": b"a"})
@example({"S": "a\0b"}, {"S": "a"})
@example({"N": "10"}, {"N": "1E1"})
@example({"N": "-0"}, {"N": "0"})
def test_checksums_are_equal_just_when_type_and_value_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Numbers by value, texts and bytes to the last sign; a text that looks like a number is none."""
    plain = TypeDeserializer().deserialize
    same = one.keys() == other.keys() and plain(one) == plain(other)
    assert (checksums({"A": one}) == checksums({"A": other})) is same
    assert (checksum(checksums({"A": one})) == checksum(checksums({"A": other}))) is same


@given(st.dictionaries(st.text(min_size=1, max_size=3), values, min_size=1, max_size=4), st.randoms())
def test_the_order_of_attributes_does_not_count_and_their_names_do(item: dict[str, Any], dice: Any) -> None:
    """DynamoDB gives attributes in any order; one less, or one by another name, is another item."""
    names = list(item)
    dice.shuffle(names)
    assert checksum(checksums({name: item[name] for name in names})) == checksum(checksums(item))
    fewer = dict(list(item.items())[1:])
    assert checksum(checksums(fewer)) != checksum(checksums(item))
    renamed = {f"{name}x": value for name, value in item.items()}
    assert checksum(checksums(renamed)) != checksum(checksums(item))


@given(st.lists(st.tuples(st.text(), st.text()), min_size=2, max_size=2, unique=True))
def test_keys_that_differ_have_texts_that_differ(keys: list[tuple[str, str]]) -> None:
    """No two keys share a text, wherever quotes, commas and brackets stand in them."""
    mapping = mapping_of(sort="text")
    texts = {key_text(mapping, {"K": {"S": one}, "S": {"S": two}}) for one, two in keys}
    assert len(texts) == 2


@given(st.integers(-(10**37), 10**37), st.integers(-60, 60))
def test_the_key_read_back_is_the_key_written(digits: int, exponent: int) -> None:
    """DynamoDB may write a number in another form than we sent; its key text is the same."""
    value = Decimal(digits).scaleb(exponent, Context(prec=100))
    assume(not value or -130 <= value.adjusted() <= 125)
    mapping = mapping_of("number")
    written = item_of(mapping, {"K": f"{value:f}"})
    back = {"K": {"N": str(value.normalize(Context(prec=100)))}}
    assert key_text(mapping, written) == key_text(mapping, back)


def test_a_key_is_shown_as_people_write_it() -> None:
    """It is what one looks for in the table and in the source: no exponent, no escapes."""
    mapping = mapping_of("text", "number")
    assert key_text(mapping, {"K": {"S": "तमिल|x"}, "S": {"N": "20140"}}) == '["तमिल|x", "20140"]'
