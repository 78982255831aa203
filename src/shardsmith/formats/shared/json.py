"""Large JSON, an element at a time: a file of COCO 2017's size fits in memory as text, and as objects it does not.

NaN, Infinity and -Infinity are read, as Python's json does and many tools write. Source of the grammar: RFC 8259.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from shardsmith.dataset.errors import RawDataError

_SPACE = re.compile(r"[ \t\n\r]*")
_HALVES = re.compile(r"(\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)|\\u[dD][89a-fA-F][0-9a-fA-F]{2}", re.DOTALL)
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_WINDOW = 1 << 20  # characters
_MOST_CUT_OFF = 4  # of a number, which then reads as a shorter one
_decode = json.JSONDecoder().raw_decode


def paired(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair that is escaped alone: no file could hold it again."""
    return _HALVES.sub(lambda match: match[1] or "\\ufffd", text) if "\\u" in text else text


def loads(text: str, file: str) -> Any:
    """The whole of a small file.

    Raises:
        RawDataError: it is no JSON.
    """
    with clear_errors(file):
        return json.loads(paired(text))


def alike(holder: dict[str, Any], key: str) -> str:
    """The key that may be a misspelt one that is not there; "" for none."""
    near = difflib.get_close_matches(key, {name.lower() for name in holder}, 1) if key not in holder else []
    return next((name for name in holder if name.lower() in near), "")


@contextmanager
def clear_errors(file: str) -> Iterator[None]:
    """What is wrong with a whole file of JSON, as a RawDataError."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise RawDataError(
            f"{file}:{error.lineno}: not JSON ({error.msg}); the file may be cut short: get it again"
        ) from None
    except RecursionError:
        raise RawDataError(f"{file}: not JSON that can be read (nested too deep); get it again") from None
    except ValueError as error:
        raise RawDataError(f"{file}: not JSON that can be read ({error}); get it again") from None


def members(text: str, file: str) -> Iterator[tuple[str, int | None, Any]]:
    """(key, position, element) for each element of each list of a JSON object, (key, None, value) for its other values.

    An empty list gives (key, -1, None), so that its key is seen.

    Raises:
        RawDataError: it is no JSON object, to its end.
    """
    with clear_errors(file):
        at = _expect(text, _skip(text, 0), "{")
        if text[at : at + 1] == "}":
            return _expect_end(text, at + 1)
        while True:
            key, at = _decode(text, at)
            at = _expect(text, _skip(text, at), ":")
            if text[at : at + 1] == "[":
                count = 0
                elements = _elements(text, at)
                while True:
                    try:
                        element = next(elements)
                    except StopIteration as end:
                        at = end.value
                        break
                    yield key, count, element
                    count += 1
                if not count:
                    yield key, -1, None
            else:
                value, at = _decode(text, at)
                yield key, None, value
            at = _skip(text, at)
            if text[at : at + 1] == "}":
                return _expect_end(text, at + 1)
            at = _expect(text, at, ",")


class _Window:
    """A part of a long text, moved along as it is read."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read, self._raw, self._ended = read, "", False
        self._lines = 0  # before the window
        self.text, self.at = "", 0

    def more(self) -> bool:
        """Take in what follows, at least as much as is left; False at the end."""
        some = "" if self._ended else self._read(max(_WINDOW, len(self.text) - self.at))
        self._ended = not some
        if not some:
            return False
        self._lines += self._raw.count("\n", 0, self.at)
        self._raw = self._raw[self.at :] + some
        self.text, self.at = paired(self._raw), 0
        return True

    def peek(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            self.at = _skip(self.text, self.at)
            if self.at < len(self.text) or not self.more():
                return self.text[self.at : self.at + 1]

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            raise self.clear(json.JSONDecodeError(f"Expecting {mark!r}", self.text, self.at))
        self.at += 1

    def expect_end(self) -> None:
        if self.peek():
            raise self.clear(json.JSONDecodeError("Extra data", self.text, self.at))

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = _decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if self.more():
                    continue
                raise self.clear(error) from None
            if end + _MOST_CUT_OFF > len(self.text) and self.more():
                continue  # a number may go on
            self.at = end
            return value

    def elements(self) -> Iterator[Any]:
        """Those of the list that begins here."""
        self.expect("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            # most elements end well within the window
            while (between := _COMMA.match(self.text, self.at)) and between.end() + _MOST_CUT_OFF < len(self.text):
                try:
                    value, end = _decode(self.text, between.end())
                except json.JSONDecodeError:
                    break
                if end + _MOST_CUT_OFF > len(self.text):
                    break
                self.at = end
                yield value
            if self.peek() == "]":
                self.at += 1
                return
            self.expect(",")

    def clear(self, error: json.JSONDecodeError) -> json.JSONDecodeError:
        """The error with its line in the whole text."""
        error.lineno += self._lines
        return error


def stream_members(read: Callable[[int], str], file: str) -> Iterator[tuple[str, int | None, Any]]:
    """(key, position, element) for each element of each list of a JSON object, (key, None, value) for its other values;
    halves of surrogate pairs as in `paired`.

    An empty list gives (key, -1, None), so that its key is seen.

    Args:
        read: gives so many characters, or fewer; "" at the end.

    Raises:
        RawDataError: it is no JSON object, to its end.
    """
    with clear_errors(file):
        window = _Window(read)
        window.expect("{")
        if window.peek() == "}":
            window.at += 1
            return window.expect_end()
        while True:
            key = window.value()
            window.expect(":")
            if window.peek() == "[":
                count = 0
                for element in window.elements():
                    yield key, count, element
                    count += 1
                if not count:
                    yield key, -1, None
            else:
                yield key, None, window.value()
            if window.peek() == "}":
                window.at += 1
                return window.expect_end()
            window.expect(",")


def elements(text: str, file: str) -> Iterator[Any]:
    """Each element of a JSON list.

    Raises:
        RawDataError: it is no JSON list, to its end.
    """
    with clear_errors(file):
        end = yield from _elements(text, _skip(text, 0))
        _expect_end(text, end)


def _elements(text: str, at: int) -> Generator[Any, None, int]:
    at = _expect(text, at, "[")
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        element, at = _decode(text, at)
        yield element
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return at + 1
        at = _expect(text, at, ",")


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def _expect(text: str, at: int, mark: str) -> int:
    """Where the next thing after `mark` begins."""
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, at)
    return _skip(text, at + 1)


def _expect_end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
