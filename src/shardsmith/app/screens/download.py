"""Download: a version, or a part of it, in any format, as one zip that `shardsmith pull` makes."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel
from starlette.responses import FileResponse, Response

from shardsmith.app.job import Job
from shardsmith.app.opened import Dataset, Open
from shardsmith.app.posted import Posted
from shardsmith.app.render import page, texts
from shardsmith.dataset.manifest import SPLITS
from shardsmith.formats.choice import check_writer
from shardsmith.formats.registry import WRITERS
from shardsmith.versions.version import find_version, show

router = APIRouter()
_MOST_KEPT = 4


class Part(BaseModel):
    """What of a version to download: "" for all."""

    format: str = ""
    split: str = ""
    class_: str = ""


def choices(dataset: Dataset, name: str) -> dict[str, Any]:
    """What can be chosen of a version."""
    record = show(dataset.workspace, name)
    stored = (record["params"].get("export") or {}).get("formats") or ["tfrecord"]
    others = sorted((one for one in WRITERS.values() if one.name not in stored), key=lambda one: one.title.lower())
    return {
        "version": record["name"],
        "tag": f"{record['dataset']}@{record['name']}",
        "formats": [*(WRITERS[one] for one in stored if one in WRITERS), *others],
        "stored": stored,
        "splits": [split for split in SPLITS if record["metrics"]["splits"][split]["images"]],
        "classes": sorted(record["metrics"]["classes"]),
        "bytes": record["bytes"],
    }


def job_of(dataset: Dataset, name: str, part: Part) -> Job:
    words = json.dumps([name, part.model_dump()])
    return Job(dataset.kept("downloads") / hashlib.sha256(words.encode()).hexdigest()[:16])


def begin(dataset: Dataset, name: str, part: Part) -> Job:
    """Make the zip, unless it is there or under way.

    Raises:
        ShardsmithError: no such version or format.
    """
    version = find_version(dataset.workspace, name)
    job = job_of(dataset, version.name, part)
    if job.state == "running" or (job.state == "done" and file_of(job).is_file()):
        return job
    _forget_older(job.folder.parent)
    words = [version.dataset, version.name, part.format, part.split, part.class_]
    out = "-".join("".join(c if c.isalnum() or c in "._-" else "_" for c in word) for word in words if word)
    command = [sys.executable, "-P", "-m", "shardsmith.cli.main", "pull", version.tag, "--zip", "--json"]
    command += ["--out", str(job.folder / f"{out}.zip")]
    if part.format:
        check_writer(part.format)
        command += ["--format", part.format]
    command += ["--split", part.split] if part.split else []
    command += ["--class", part.class_] if part.class_ else []
    job.start(command, dataset.root, {"file": f"{out}.zip", **part.model_dump()})
    return job


def file_of(job: Job) -> Path:
    return job.folder / job.about.get("file", "nothing")


def _forget_older(folder: Path) -> None:
    kept = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime)
    for path in kept[: -_MOST_KEPT + 1]:
        if Job(path).state != "running":
            shutil.rmtree(path, ignore_errors=True)


@router.post("/d/{key}/versions/{name}/download", include_in_schema=False)
def download(request: Request, dataset: Open, name: str, posted: Posted) -> Response:
    part = Part(format=posted.get("format", ""), split=posted.get("split", ""), class_=posted.get("class_", ""))
    begin(dataset, name, part)
    return state(request, dataset, name, **part.model_dump())


@router.get("/d/{key}/versions/{name}/download", include_in_schema=False)
def state(request: Request, dataset: Open, name: str, format: str = "", split: str = "", class_: str = "") -> Response:
    part = Part(format=format, split=split, class_=class_)
    job = job_of(dataset, name, part)
    where = f"{dataset.url}/versions/{quote(name)}"
    query = urlencode(part.model_dump())
    answer = page(request, "_download.html.jinja", dataset=dataset, job=job, again=f"{where}/download?{query}")
    if job.state == "done" and file_of(job).is_file():
        # the browser saves it, and the screen stays; see page.js
        answer.headers["HX-Trigger"] = json.dumps({"save": f"{where}/zip?{query}"})
    return answer


@router.get("/d/{key}/versions/{name}/zip", include_in_schema=False)
@router.get("/api/d/{key}/versions/{name}/zip")
def zip_file(dataset: Open, name: str, format: str = "", split: str = "", class_: str = "") -> Response:
    """The zip, once it is made: POST .../download makes it."""
    job = job_of(dataset, name, Part(format=format, split=split, class_=class_))
    if job.state != "done" or not file_of(job).is_file():
        raise HTTPException(404, texts()["version"]["no_zip"])
    return FileResponse(file_of(job), media_type="application/zip", filename=file_of(job).name)


@router.post("/api/d/{key}/versions/{name}/download", status_code=202)
def make_zip(dataset: Open, name: str, part: Part) -> dict[str, Any]:
    """Make a zip of a version, or a part of it; ask again until `state` is done, then GET .../zip."""
    job = begin(dataset, name, part)
    return {"state": job.state, "progress": job.progress, "lines": job.lines[-20:]}
