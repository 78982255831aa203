"""What COCO JSON says of the whole dataset: `info` and `licenses`, and the licence of each image.

Source: the data format page of the COCO dataset.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shardsmith.dataset.manifest import Image
from shardsmith.formats.coco.content import CocoImage
from shardsmith.formats.coco.values import Id, as_id, as_text, id_text, is_scalar, number_in

_OURS = {"url": "homepage"}
_THEIRS = {fact: key for key, fact in _OURS.items()}
_OF_IMAGE = frozenset({"id", "file_name", "width", "height", "license", "extra", "user_tags"})
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


def licenses_of(facts: Mapping[str, str], images: Iterable[Image]) -> dict[str, int]:
    """Licence -> its id for a file that is written: those of the images, or where none says one, the dataset's."""
    said = {text for image in images if (text := image.metadata_dict().get("license"))}
    return {text: id_ for id_, text in enumerate(sorted(said) or filter(None, [facts.get("license")]), start=1)}


def license_entry(id_: int, text: str) -> dict[str, Any]:
    """One of `licenses`."""
    match = _WITH_URL.fullmatch(text)
    name, url = match.groups() if match else (text, "")
    return {"id": id_, "name": name, "url": url}


def image_facts(image: Image, licenses: Mapping[str, int], of_all: str) -> dict[str, Any]:
    """What an entry of `images` says besides its name and size, as it was read.

    Args:
        of_all: the dataset's licence.
    """
    said = image.metadata_dict()
    own = licenses.get(said.pop("license", of_all))
    extra = {key.removeprefix("extra."): said.pop(key) for key in list(said) if key.startswith("extra.")}
    extra |= {"user_tags": image.tags} if image.tags else {}
    return {**({"license": own} if own else {}), **said, **({"extra": extra} if extra else {})}


def parse_image(entry: dict[str, Any], place: str) -> CocoImage:
    """One entry of `images`; LVIS names its files by their addresses alone."""
    width, height = number_in(entry.get("width")), number_in(entry.get("height"))
    declared = (round(width), round(height)) if width and height else None
    name = as_text(entry.get("file_name")) or "/".join(as_text(entry.get("coco_url")).split("/")[-2:])
    extra = entry.get("extra")
    tags: list[str] = []
    for said in (extra.get("user_tags") if isinstance(extra, dict) else None, entry.get("user_tags")):
        tags += [tag for tag in said if isinstance(tag, str)] if isinstance(said, list) else []
    metadata = {key: value for key, value in further(entry).items() if is_scalar(value) and value == value != ""}
    image = CocoImage(name, place, declared, id_text(entry.get("id")), list(dict.fromkeys(tags)), metadata)
    image.license = as_id(entry.get("license"))
    return image


def further(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry of `images` says besides name, size, licence and tags; what stands in `extra` as `extra.KEY`."""
    extra = entry.get("extra")
    of_extra = extra.items() if isinstance(extra, dict) else ()
    more = {f"extra.{key}": value for key, value in of_extra if key != "user_tags"}
    return {key: value for key, value in entry.items() if key not in _OF_IMAGE} | more
