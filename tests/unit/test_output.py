"""What is shown at a terminal: text from anyone, which a terminal must not take for orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crime_jobs import output

if TYPE_CHECKING:
    import pytest

#: Sets the window's title, clears the screen; the second in one byte of eight bits.
ORDERS = "s3://faces/\x1b]0;gone\x07\x1b[2Ja\x9b2J.jpg"


def test_names_give_a_terminal_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    """A photograph's name, a FIR's text: both are anyone's."""
    row = {"place": ORDERS, "also": [ORDERS, "मुंबई"], "count": 3}
    output.show([row], output.Format.TABLE, title=ORDERS)
    output.show_columns([ORDERS], [[ORDERS]], title=ORDERS)
    output.note(ORDERS)
    output.note_rows([row], title=ORDERS)
    output.complain(ORDERS, ORDERS)
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not {"\x1b", "\x07", "\x9b"} & set(text)
        assert "s3://faces/" in text
    assert "मुंबई" in said.out


def test_what_programs_read_is_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([{"place": ORDERS}], output.Format.CSV)
    assert ORDERS in capsys.readouterr().out


def test_a_column_may_be_called_whatever_a_question_calls_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_columns(["[/x]", "[red]n"], [["a"], [1]])
    said = capsys.readouterr().out
    assert "[/x]" in said
    assert "[red]n" in said
