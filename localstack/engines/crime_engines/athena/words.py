"""A statement's tokens, taken one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crime_jobs.adhoc._refused import place
from crime_jobs.adhoc.dialect import SqlWrong

_NAME = re.compile(r"[a-z0-9_]+", re.IGNORECASE)
_COMMON = r"(?P<blank>\s+|--[^\n]*|/\*.*?\*/)|(?P<word>\w+(?:\.\d+)?)|(?P<sign>.)"
#: Hive's texts have escapes and stand in either kind of quotes; Trino's have neither.
_HIVE = re.compile(
    rf"(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<quoted>`(?:[^`]|``)*`)|{_COMMON}", re.DOTALL
)
_TRINO = re.compile(rf"(?P<text>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")*\")|{_COMMON}", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True)
class Token:
    """A token.

    Parameters
    ----------
    kind
        ``text``, ``quoted``, ``word`` or ``sign``.
    text
        What it says, without quotes.
    start, end
        Where it stands: from one place up to before another.
    """

    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str, *, hive: bool) -> list[Token]:
    """Return a statement's tokens.

    Parameters
    ----------
    text
        The statement.
    hive
        Whether it is Hive's.
    """
    found = []
    for match in (_HIVE if hive else _TRINO).finditer(text):
        kind, said = str(match.lastgroup), match[0]
        if kind == "blank":
            continue
        if said in ("'", '"', "`") and kind == "sign":
            raise SqlWrong("", f"mismatched input '{said}': it is never closed", *place(text, match.start()))
        if kind == "text":
            said = _unescaped(said[1:-1]) if hive else said[1:-1].replace("''", "'")
        elif kind == "quoted":
            said = said[1:-1].replace(said[0] * 2, said[0])
        found.append(Token(kind, said, match.start(), match.end()))
    while found and found[-1].text == ";":
        found.pop()
    return found


def _unescaped(text: str) -> str:
    made = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    made = re.sub(r"\\(0[01]\d)", lambda found: chr(int(found[1], 8)), made)
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), made, flags=re.DOTALL)


class Words:
    """Tokens from left to right.

    Parameters
    ----------
    text
        The statement.
    hive
        Whether it is Hive's DDL, where names may stand in backticks and never in double quotes; else it is
        Trino's, the other way round.
    """

    def __init__(self, text: str, *, hive: bool) -> None:
        self.text, self._at = text, 0
        self._tokens = tokens_of(text, hive=hive)

    @property
    def word(self) -> str:
        """The next token in capitals; empty at the end, and for a text in quotes."""
        if self._at >= len(self._tokens) or self.is_string:
            return ""
        return self._tokens[self._at].text.upper()

    @property
    def is_string(self) -> bool:
        """Whether the next token is a text in quotes."""
        return not self.at_end and self._tokens[self._at].kind == "text"

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    @property
    def start(self) -> int:
        """Where in the text the next token begins."""
        return self._tokens[self._at].start if not self.at_end else len(self.text.rstrip())

    def wrong(self, expected: str = "") -> SqlWrong:
        """Return the error for the next token.

        Parameters
        ----------
        expected
            What should be there.
        """
        end = "<EOF>" if self.at_end else self._tokens[self._at].text
        more = f". Expecting: {expected}" if expected else ""
        return SqlWrong("", f"mismatched input '{end}'{more}", *place(self.text, self.start))

    def take(self) -> str:
        """Take the next token, as it was written."""
        if self.at_end:
            raise self.wrong()
        self._at += 1
        return self._tokens[self._at - 1].text

    def skip(self, *words: str) -> bool:
        """Take the next tokens if they are these."""
        for number, word in enumerate(words):
            at = self._at + number
            if at >= len(self._tokens) or self._tokens[at].text.upper() != word:
                return False
            if self._tokens[at].kind in ("text", "quoted"):
                return False
        self._at += len(words)
        return True

    def need(self, *words: str) -> None:
        """Take tokens that have to be there."""
        for word in words:
            if not self.skip(word):
                raise self.wrong(f"'{word}'")

    def string(self) -> str:
        """Take a text in quotes."""
        if not self.is_string:
            raise self.wrong("<string>")
        return self.take()

    def name(self) -> str:
        """Take a name."""
        token = None if self.at_end else self._tokens[self._at]
        if token is None or not (
            token.kind == "quoted" or (token.kind == "word" and _NAME.fullmatch(token.text))
        ):
            raise self.wrong("<identifier>")
        return self.take().lower()

    def table(self) -> tuple[str | None, str]:
        """Take the name of a table, with its database if it has one."""
        found = [self.name()]
        while self.skip("."):
            found.append(self.name())
        if len(found) > 2:  # noqa: PLR2004 - a catalogue before it
            found = found[-2:]
        return (found[0], found[1]) if len(found) > 1 else (None, found[0])

    def value(self) -> str:
        """Take a text in quotes, or a number or word."""
        return self.string() if self.is_string else ("-" if self.skip("-") else "") + self.take()

    def pairs(self) -> dict[str, str]:
        """Take ``('name' = 'value', …)``."""
        self.need("(")
        found: dict[str, str] = {}
        while not self.skip(")"):
            key = self.string()
            self.need("=")
            found[key] = self.string()
            if not self.skip(",") and self.word != ")":
                raise self.wrong("',' or ')'")
        return found

    def kind(self) -> str:
        """Take a type, as ``array<struct<a:int>>``."""
        begin, depth = self.start, 0
        end = begin
        while not self.at_end:
            word = self.word
            if depth == 0 and end > begin and word not in ("<", "("):
                break
            depth += (word in ("<", "(")) - (word in (">", ")"))
            if depth < 0:
                raise self.wrong("<type>")
            end = self._tokens[self._at].end
            self.take()
        return "".join(self.text[begin:end].lower().split())

    def inside(self) -> str:
        """Take what stands in brackets, and them; the text keeps its place in the statement."""
        self.need("(")
        begin, depth = self.start, 1
        while depth:
            end = self.start
            word = self.word
            self.take()
            depth += (word == "(") - (word == ")")
        return blanked(self.text, begin)[:end]

    @property
    def rest(self) -> str:
        """What is left of the text, in its place in the statement."""
        return blanked(self.text, self.start)

    def end(self) -> None:
        """See that nothing is left."""
        if not self.at_end:
            raise self.wrong("<EOF>")


def blanked(text: str, begin: int) -> str:
    """Return a text with blanks for what stands before a place, so that lines and columns stay.

    Parameters
    ----------
    text
        The text.
    begin
        The place.
    """
    return "".join(one if one == "\n" else " " for one in text[:begin]) + text[begin:]
