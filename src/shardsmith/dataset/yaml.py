"""YAML as it is read everywhere here: YAML 1.2 as DVC reads it (`no` and `off` are words), and plain values alone.

The parser is one in Python: the one in C dies of deep nesting. So text that would take it long is refused by its size.
"""

from __future__ import annotations

import io
from copy import deepcopy
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML

MOST_CHARACTERS = 1_000_000
# a second reads about 20,000 of these; brackets are looked at again for each other one that is open
_SIGNS, _MOST_SIGNS = ("\n", ":", ",", "[", "{", "- ", "? "), 100_000
_BRACKETS, _MOST_BRACKETS = "[{", 1_000


class YamlError(ValueError):
    """Text that is not YAML, or more of it than anyone writes.

    place: ":3" for line 3, to follow a file's name; "" where it is not known.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


def load_yaml(text: str, most_characters: int = MOST_CHARACTERS) -> Any:
    """The values; None for text without any.

    Raises:
        YamlError: it is not YAML, or too long or too deeply nested to read.
    """
    for what, signs, most in (("of : , - and lines", _SIGNS, _MOST_SIGNS), ("of [ and {", _BRACKETS, _MOST_BRACKETS)):
        if (count := sum(map(text.count, signs))) > most:
            raise YamlError(f"{count:,} {what}; allowed: up to {most:,}")
    if len(text) > most_characters:
        raise YamlError(f"{len(text):,} characters; allowed: up to {most_characters:,}")
    return deepcopy(_parsed(text))


@lru_cache(32)
def _parsed(text: str) -> Any:
    """dvc.lock takes 50 ms, and a command or a page reads it several times."""
    try:
        return YAML(typ="safe", pure=True).load(io.StringIO(text))
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or " ".join(str(error).split())[:200] or type(error).__name__
        raise YamlError(f"not YAML ({reason})", f":{mark.line + 1}" if mark else "") from None
