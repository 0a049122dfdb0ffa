"""A statement's tokens, taken one after the other."""

from __future__ import annotations

from sqlglot import Token, TokenType

from crime_engines.redshift.refused import Unsupported

__all__ = ["Token", "TokenType", "Words"]


class Words:
    """Tokens from left to right.

    Parameters
    ----------
    text
        The statement.
    tokens
        Its tokens.
    """

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self._tokens, self._at = text, tokens, 0

    @property
    def word(self) -> str:
        """The next token in capitals; empty at the end."""
        return self._tokens[self._at].text.upper() if self._at < len(self._tokens) else ""

    @property
    def is_string(self) -> bool:
        """Whether the next token is a text in quotes."""
        return self._at < len(self._tokens) and self._tokens[self._at].token_type is TokenType.STRING

    @property
    def start(self) -> int:
        """Where in the text the next token begins."""
        return self._tokens[self._at].start if self._at < len(self._tokens) else len(self.text)

    def take(self) -> str:
        """Take the next token, as it was written."""
        if self._at >= len(self._tokens):
            raise Unsupported("syntax error at end of input")
        self._at += 1
        return self._tokens[self._at - 1].text

    def raw(self) -> str:
        """Take the next token with its quotes."""
        token = self._tokens[self._at]
        self.take()
        return self.text[token.start : token.end + 1]

    def skip(self, *words: str) -> bool:
        """Take the next token if it is one of these."""
        if self.word and self.word in words and not self.is_string:
            self._at += 1
            return True
        return False

    def need(self, word: str) -> None:
        """Take a token that has to be there."""
        if not self.skip(word):
            raise Unsupported(f'syntax error at or near "{self.word}", where {word} is expected')

    def string(self) -> str:
        """Take a text in quotes."""
        if not self.is_string:
            raise Unsupported(f'syntax error at or near "{self.word}", where a text in quotes is expected')
        return self.take()

    def number(self) -> int:
        """Take a whole number."""
        if not (text := self.take()).isdecimal():
            raise Unsupported(f'syntax error at or near "{text}", where a number is expected')
        return int(text)

    def name(self) -> str:
        """Take the name of a table or column, small unless it was in quotes."""
        raw = self.raw()
        return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw.lower()

    def names(self) -> list[str]:
        """Take a list of names in brackets."""
        self.need("(")
        found = [self.name()]
        while self.skip(","):
            found.append(self.name())
        self.need(")")
        return found

    def table(self) -> tuple[str | None, str]:
        """Take the name of a table, with its schema if it has one."""
        first = self.name()
        return (first, self.name()) if self.skip(".") else (None, first)

    def until_bracket_closes(self) -> str:
        """Take all up to the bracket that closes the one just taken, and that bracket."""
        begin, depth = self.start, 1
        while depth:
            end = self.start
            word = self.take()
            depth += (word == "(") - (word == ")")
        return self.text[begin:end]

    @property
    def rest(self) -> str:
        """What is left of the text."""
        return self.text[self.start :]
