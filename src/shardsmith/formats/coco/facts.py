"""What COCO JSON says of the whole dataset: `info` and `licenses`, and the licence of each image.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shardsmith.formats.coco.values import Id, as_id, as_text, is_scalar

_OURS = {"url": "homepage"}
_THEIRS = {fact: key for key, fact in _OURS.items()}
_WITH_URL = re.compile(r"(.*) \((\S+://\S+)\)")


def info_facts(info: Any) -> tuple[dict[str, str], list[str]]:
    """The facts of `info`, and the names of what it says at length."""
    if not isinstance(info, dict):
        return {}, ["info"] if info else []
    facts = {_OURS.get(key) or str(key): as_text(value) for key, value in info.items() if is_scalar(value)}
    return {name: text for name, text in facts.items() if text}, [
        f"info.{key}" for key, value in info.items() if value and not is_scalar(value)
    ]


def license_names(entries: Iterable[Any]) -> dict[Id, str]:
    """Id -> "NAME (URL)" of each entry of `licenses`."""
    names = {}
    for number, entry in enumerate(entries):
        if isinstance(entry, dict):
            name, url = as_text(entry.get("name")), as_text(entry.get("url"))
            id_ = as_id(entry.get("id"))
            names[number if id_ is None else id_] = f"{name} ({url})" if name and url else name or url
    return {id_: name for id_, name in names.items() if name}


def license_fact(names: Mapping[Id, str], used: Mapping[Id, int]) -> str:
    """The licences that images have, with counts where they are several; all there are where no image says."""
    of_images = {names[id_]: count for id_, count in used.items() if id_ in names}
    if len(of_images) < 2:
        return "; ".join(dict.fromkeys(of_images or names.values()))
    return "; ".join(f"{name}: {count:,} image{'' if count == 1 else 's'}" for name, count in of_images.items())


def info_of(facts: Mapping[str, str], dataset: str) -> dict[str, str]:
    """`info` for a file that is written."""
    others = {_THEIRS.get(fact, fact): value for fact, value in facts.items() if fact != "license"}
    return {"description": dataset, **others}


def licenses_of(facts: Mapping[str, str]) -> list[dict[str, Any]]:
    """`licenses` for a file that is written."""
    text = facts.get("license", "")
    match = _WITH_URL.fullmatch(text)
    name, url = match.groups() if match else (text, "")
    return [{"id": 1, "name": name, "url": url}] if text else []
