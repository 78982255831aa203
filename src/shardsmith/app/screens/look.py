"""Look: every image of the raw data or of a version, searched, seen large, and decided about."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from threading import Lock
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from shardsmith.app import pictures
from shardsmith.app.looked import Looked, looked_of, picture_file, picture_in
from shardsmith.app.opened import Dataset, Open
from shardsmith.app.posted import Posted
from shardsmith.app.raw import has_raw, take_raw
from shardsmith.app.render import page, texts
from shardsmith.dataset.errors import UsageError
from shardsmith.dataset.manifest import SPLITS, Annotation, Image
from shardsmith.inspect.provenance import operations_in_words
from shardsmith.inspect.search import NO_SPLIT, STATES, Query
from shardsmith.pipeline.splits.decisions import Decisions, decide, read_decisions, take_back
from shardsmith.versions.listing import listed
from shardsmith.workspace.paths import DECISIONS

router = APIRouter()
_A_PAGE, _BESIDE = 60, 4
_DECIDING = Lock()


class Asked(BaseModel):
    """What to look for; all of it must be so. of: a version's name, "" for the raw data."""

    of: str = ""
    text: str = ""
    label: str = ""
    split: Literal["", "train", "valid", "test", "none"] = ""
    tag: str = ""
    finding: str = ""
    state: Literal["", "annotated", "empty", "unlabelled", "excluded", "decided"] = ""
    least: int | Literal[""] = ""
    most: int | Literal[""] = ""

    @property
    def wanted(self) -> Query:
        values = {field.name: getattr(self, field.name) for field in fields(Query)}
        return Query(**values | {"least": self.least or 0, "most": self.most or 0})

    def address(self, **more: object) -> str:
        """The words of an address that asks for the same."""
        return urlencode({key: value for key, value in (self.model_dump() | more).items() if value != ""})


Asks = Annotated[Asked, Depends()]


def _search(dataset: Dataset, looked: Looked, asked: Asked) -> tuple[Decisions, list[int]]:
    decisions = read_decisions(dataset.root / DECISIONS)
    return decisions, looked.tables.find(asked.wanted, decisions)


def _found(dataset: Dataset, asked: Asked) -> tuple[Looked, Decisions, list[int]]:
    looked = looked_of(dataset, asked.of)
    if looked is None:
        raise UsageError(texts()["look"]["not_yet"])
    return looked, *_search(dataset, looked, asked)


@router.get("/d/{key}/look", include_in_schema=False)
def screen(request: Request, dataset: Open, asked: Asks, start: int = 0) -> Response:
    looked = looked_of(dataset, asked.of)
    if looked is None:
        job = take_raw(dataset) if has_raw(dataset) else None
        return page(request, "look_wait.html.jinja", dataset=dataset, job=job)
    decisions, found = _search(dataset, looked, asked)
    is_part = request.headers.get("hx-target") == "found"
    to_choose = {} if is_part else _to_choose(dataset, looked, decisions)
    start = min(max(start, 0), max(len(found) - 1, 0)) // _A_PAGE * _A_PAGE
    return page(
        request,
        "_look_found.html.jinja" if is_part else "look.html.jinja",
        dataset=dataset,
        asked=asked,
        here=f"{dataset.url}/look?{asked.address()}",
        count=len(found),
        shown=[_tile(dataset, looked, asked, decisions, *row) for row in _page(looked, found, start)],
        start=start,
        pages=_pages(len(found), start),
        splits=SPLITS,
        **to_choose,
    )


def _to_choose(dataset: Dataset, looked: Looked, decisions: Decisions) -> dict[str, Any]:
    versions = [row["name"] for row in listed(dataset.workspace)[::-1]]
    return {
        "versions": versions,
        "choices": looked.tables.choices(decisions),
        "states": STATES,
        "none": NO_SPLIT,
    }


def _pages(count: int, start: int) -> list[tuple[int, int]]:
    """(number, first image) of the pages to link to: the ends, and those around the one shown."""
    starts = list(enumerate(range(0, count, _A_PAGE), 1))
    return [one for one in starts if one in (starts[0], starts[-1]) or abs(one[1] - start) <= _BESIDE * _A_PAGE]


def _page(looked: Looked, found: list[int], start: int) -> list[tuple[Image, list[Annotation]]]:
    return looked.tables.rows(found[start : start + _A_PAGE])


def _tile(
    dataset: Dataset, looked: Looked, asked: Asked, decisions: Decisions, image: Image, own: list[Annotation]
) -> dict[str, Any]:
    raw_id = _raw_id(image)
    return {
        "picture": picture_in(dataset, looked, image, own),
        "image": image,
        "address": _address(dataset, asked, image.image_id),
        "raw_id": raw_id,
        "findings": looked.tables.findings.get(image.image_id, []),
        "decided": _decided(decisions, raw_id),
    }


def _address(dataset: Dataset, asked: Asked, image_id: str) -> str:
    return f"{dataset.url}/look/image?{asked.address(image=image_id)}"


def _raw_id(image: Image) -> str:
    """Of the image of data/raw that it is, or was made from: decisions are about those."""
    return json.loads(image.origin)["image_id"] if image.origin else image.image_id


def _decided(decisions: Decisions, image_id: str) -> list[str]:
    excluded = ["excluded"] if image_id in decisions.excluded else []
    split = [decisions.splits[image_id]] if image_id in decisions.splits else []
    return [*excluded, *split, *(f"tag:{tag}" for tag in decisions.tags.get(image_id, []))]


@router.get("/d/{key}/look/image", include_in_schema=False)
def large(request: Request, dataset: Open, asked: Asks, image: str) -> Response:
    """One image, and the ones before and after it among those found."""
    looked, decisions, found = _found(dataset, asked)
    row = looked.tables.row_of(image)
    if row is None:
        raise HTTPException(404, texts()["errors"]["picture"])
    place = found.index(row) if row in found else None
    beside = ([], []) if place is None else (found[:place][-1:], found[place + 1 : place + 2])
    before, after = ([_address(dataset, asked, one) for one in looked.tables.ids(rows)] for rows in beside)
    ((shown, own),) = looked.tables.rows([row])
    return page(
        request,
        "look_image.html.jinja",
        dataset=dataset,
        asked=asked,
        back=f"{dataset.url}/look?{asked.address(start=place or 0)}",
        before=before,
        after=after,
        place=place,
        count=len(found),
        picture=picture_in(dataset, looked, shown, own, pictures.SIZES[-1]),
        image=shown,
        raw_id=_raw_id(shown),
        own=[(one, looked.colours[one.label] % 10) for one in own],
        made=operations_in_words(shown.origin),
        metadata=shown.metadata_dict(),
        findings=looked.tables.findings.get(shown.image_id, []),
        decided=_decided(decisions, _raw_id(shown)),
        splits=SPLITS,
    )


@router.get("/d/{key}/look/pictures/{size}/{sha256}", include_in_schema=False)
def picture(dataset: Open, size: int, sha256: str, of: str = "") -> Response:
    """A small picture of an image, made once."""
    path = picture_file(dataset, of, sha256, size) if size in pictures.SIZES else None
    if path is None:
        raise HTTPException(404, texts()["errors"]["picture"])
    return pictures.answer(path)


class Deciding(BaseModel):
    """decision: train, valid or test, excluded, or tag:NAME; with `back` it is taken back, and "" takes back all.

    images: ids of images of the raw data; or all that `asked` finds.
    """

    images: list[str] = []
    asked: Asked | None = None
    decision: str = ""
    why: str = ""
    back: bool = False


@router.get("/api/d/{key}/look")
def search(dataset: Open, asked: Asks, start: int = 0) -> dict[str, Any]:
    """The images that are all of what is asked for: how many, and 60 of them from `start`."""
    looked, decisions, found = _found(dataset, asked)
    return {"count": len(found), "images": [_as_json(looked, decisions, *row) for row in _page(looked, found, start)]}


def _as_json(looked: Looked, decisions: Decisions, image: Image, own: list[Annotation]) -> dict[str, Any]:
    return {
        **{name: getattr(image, name) for name in ("image_id", "sha256", "width", "height", "split", "tags")},
        "annotations": [asdict(one) for one in own],
        "findings": [one.code for one in looked.tables.findings.get(image.image_id, [])],
        "decided": _decided(decisions, _raw_id(image)),
    }


@router.post("/api/d/{key}/decisions")
def set_decisions(dataset: Open, deciding: Deciding) -> dict[str, Any]:
    """Decide about images, or take that back: the next version is made so."""
    chosen = set(deciding.images)
    if deciding.asked:
        looked, _, found = _found(dataset, deciding.asked)
        chosen |= {_raw_id(image) for image, _ in looked.tables.rows(found)}
    if not chosen:
        raise UsageError(texts()["look"]["none_chosen"])
    path = dataset.root / DECISIONS
    with _DECIDING:
        if deciding.back or not deciding.decision:
            take_back(path, chosen, deciding.decision)
        else:
            decide(path, sorted(chosen), deciding.decision, deciding.why)
    return {"images": len(chosen)}


@router.post("/d/{key}/look", include_in_schema=False)
def decide_form(dataset: Open, posted: Posted) -> Response:
    """What a form of the screen sends: pick-N are the images, `all` stands for all found, `do` is the decision."""
    asked = Asked.model_validate({name: posted[name] for name in Asked.model_fields if name in posted})
    decision = posted.get("do", "")
    if decision == "tag":
        decision = f"tag:{posted.get('new_tag', '').strip()}"
    set_decisions(
        dataset,
        Deciding(
            images=[value for name, value in posted.items() if name.startswith("pick-")],
            asked=asked if "all" in posted else None,
            decision="" if decision == "back" else decision,
            why=posted.get("why", "").strip(),
            back=decision == "back",
        ),
    )
    if posted.get("image"):
        return RedirectResponse(f"{dataset.url}/look/image?{asked.address(image=posted['image'])}", 303)
    return RedirectResponse(f"{dataset.url}/look?{asked.address(start=posted.get('start', 0))}", 303)
