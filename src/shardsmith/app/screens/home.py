"""Home: a dataset with pictures, its versions, and what needs attention."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request
from starlette.responses import Response

from shardsmith.app import pictures
from shardsmith.app.job import Job
from shardsmith.app.looked import picture_in, stored
from shardsmith.app.opened import Dataset, Open
from shardsmith.app.raw import has_raw, raw_taken, take_raw
from shardsmith.app.render import page
from shardsmith.app.screens.add import waiting
from shardsmith.app.taken import Taken
from shardsmith.dataset.findings import SEVERITIES, count_codes
from shardsmith.dataset.manifest import Manifest
from shardsmith.inspect.search import evenly
from shardsmith.versions.listing import listed

router = APIRouter()
_SHOWN, _IN_STRIP = 12, 4


@router.get("/d/{key}/", include_in_schema=False)
def home(request: Request, dataset: Open) -> Response:
    to_drop = waiting(request.app.state.opened, dataset)
    return page(request, "home.html.jinja", dataset=dataset, versions=_versions(dataset), **_raw(dataset), **to_drop)


@router.get("/d/{key}/versions/{name}/strip", include_in_schema=False)
def strip(request: Request, dataset: Open, name: str) -> Response:
    """A few images of a version; none where its tables are in no store."""
    looked = stored(dataset, name)
    rows = evenly(range(looked.tables.images.num_rows), _IN_STRIP) if looked else []
    shown = [picture_in(dataset, looked, *row, 160) for row in looked.tables.rows(rows)] if looked else []
    answer = page(request, "_strip.html.jinja", shown=shown)
    answer.headers["cache-control"] = "private, max-age=86400"  # the address says when the version was made
    return answer


@router.get("/d/{key}/raw", include_in_schema=False)
def raw(request: Request, dataset: Open) -> Response:
    return page(request, "_raw.html.jinja", dataset=dataset, **_raw(dataset))


@router.get("/api/d/{key}/versions")
def versions(dataset: Open) -> list[dict[str, Any]]:
    """Every version, oldest first, as `shardsmith versions --json` lists them."""
    return listed(dataset.workspace)


def _versions(dataset: Dataset) -> list[dict[str, Any]]:
    """The newest first, each with by how many images and boxes it differs from the one before it."""
    rows = listed(dataset.workspace)
    before: dict[str, Any] = {"images": 0, "boxes": 0}
    for row in rows:
        row["more"] = {name: row[name] - before[name] for name in ("images", "boxes")}
        before = row
    return rows[::-1]


def _raw(dataset: Dataset) -> dict[str, Any]:
    """data/raw: counts, pictures and findings where it is taken in, else how far that is."""
    if not has_raw(dataset):
        return {"taken": None, "job": None}
    taken = raw_taken(dataset)
    job: Job | None = None if taken.is_there else take_raw(dataset)
    if job:
        return {"taken": None, "job": job}
    valid, findings = _tables(taken.folder), taken.findings()
    counts = count_codes(findings)
    rules = {one.code: one.rule for one in findings}
    return {
        "taken": taken,
        "job": None,
        "images": valid.images.num_rows,
        "annotations": valid.annotations.num_rows,
        "classes": taken.classes,
        "shown": _pictures(dataset, valid, taken.classes),
        "attention": [
            (code, count, rules[code]) for code, count in counts.items() if rules[code].severity != SEVERITIES[0]
        ],
    }


def _pictures(dataset: Dataset, valid: Manifest, classes: list[str]) -> list[pictures.Picture]:
    """Evenly spread over the images that have annotations; over all where none has."""
    with_some = valid.images.filter(pc.is_in(valid.images["image_id"], pc.unique(valid.annotations["image_id"])))
    rows = with_some if with_some.num_rows else valid.images
    chosen = rows.take(pa.array(evenly(range(rows.num_rows), _SHOWN), pa.int64()))
    own = valid.annotations.filter(pc.is_in(valid.annotations["image_id"], chosen["image_id"]))
    of_class = pictures.colours(dataset.root, classes)
    base = f"{dataset.url}/look/pictures"
    return [pictures.picture_of(image, some, of_class, base) for image, some in Manifest(chosen, own).pairs()]


@lru_cache(maxsize=8)
def _tables(folder: Path) -> Manifest:
    return Taken(folder).valid()
