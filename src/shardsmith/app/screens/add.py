"""Add: files, folders, archives or an address come, are looked at, and are added to a dataset or discarded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from starlette.responses import RedirectResponse

from shardsmith.app import pictures
from shardsmith.app.opened import Dataset, Open, Opened
from shardsmith.app.posted import Posted
from shardsmith.app.render import page, texts
from shardsmith.app.uploads import adding, store
from shardsmith.app.uploads.adding import Choice
from shardsmith.app.uploads.shown import class_counts, facts, gallery, groups, looked, samples
from shardsmith.app.uploads.store import SLICE_BYTES, Upload, Wanted

router = APIRouter()
OFFSET = "upload-offset"


def _opened(request: Request) -> Opened:
    return request.app.state.opened


All = Annotated[Opened, Depends(_opened)]


def _upload(request: Request, id: str) -> Upload:
    return store.find(_opened(request), id)


Found = Annotated[Upload, Depends(_upload)]


@router.get("/add", include_in_schema=False)
def new_screen(request: Request, opened: All, upload: str = "") -> Response:
    return _screen(request, opened, None, upload)


@router.get("/d/{key}/add", include_in_schema=False)
def screen(request: Request, opened: All, dataset: Open, upload: str = "") -> Response:
    return _screen(request, opened, dataset, upload)


def _screen(request: Request, opened: Opened, dataset: Dataset | None, id: str) -> Response:
    if not id:
        return page(request, "add.html.jinja", dataset=dataset, **waiting(opened, dataset))
    upload = store.find(opened, id)
    where = f"{dataset.url if dataset else ''}/add?upload={id}"
    state = upload.state
    if state == "added":
        return RedirectResponse(f"{_into(opened, upload).url}/new", 303)
    if state in ("looking", "adding", "failed", "uploading"):
        return page(request, "add_wait.html.jinja", dataset=dataset, upload=upload, state=state, where=where)
    base = f"/uploads/{id}/pictures"
    return page(
        request,
        "add_seen.html.jinja",
        dataset=dataset,
        upload=upload,
        failed=upload.adding.lines if state == "not-added" else [],
        about=facts(upload),
        **gallery(upload, base),
        groups=groups(upload, base),
        samples=samples(upload, base),
        now=dataset.workspace.params().dataset.annotation_group if dataset else "",
    )


def waiting(opened: Opened, dataset: Dataset | None) -> dict[str, Any]:
    """What the place to drop files at needs: uploads of before that were neither added nor discarded."""
    kept = store.uploads(opened, dataset.key if dataset else None)
    return {"waiting": [upload for upload in kept if upload.state != "added"], "slice_bytes": SLICE_BYTES}


@router.get("/uploads/{id}/gallery", include_in_schema=False)
def more_pictures(request: Request, upload: Found, start: Annotated[int, Query(ge=0)] = 0) -> Response:
    shown = gallery(upload, f"/uploads/{upload.id}/pictures", start)
    return page(request, "_add_gallery.html.jinja", upload=upload, **shown)


@router.get("/uploads/{id}/wait", include_in_schema=False)
def wait(request: Request, upload: Found, was: str = "") -> Response:
    """How far it is; once that has ended, the screen is drawn anew."""
    answer = page(request, "_add_wait.html.jinja", upload=upload, state=upload.state)
    if upload.state != was:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/uploads/{id}/add", include_in_schema=False)
def add_form(opened: All, upload: Found, posted: Posted) -> Response:
    classes: dict[str, str | None] = {}
    for number, name in enumerate(class_counts(looked(upload))):
        new = posted.get(f"name-{number}", "").strip() or name
        classes[name] = None if f"out-{number}" in posted else new
    choice = Choice(
        classes={name: new for name, new in classes.items() if new != name},
        below="below" in posted,
        name=posted.get("name", ""),
        annotation_group=posted.get("group", "").strip(),
    )
    adding.begin(opened, upload, choice)
    return RedirectResponse(_where(opened, upload), 303)


@router.post("/uploads/{id}/discard", include_in_schema=False)
def discard_form(opened: All, upload: Found) -> Response:
    where = _where(opened, upload).partition("?")[0]
    upload.discard()
    return RedirectResponse(where, 303)


@router.get("/uploads/{id}/pictures/{size}/{sha256}", include_in_schema=False)
def picture(upload: Found, size: int, sha256: str) -> Response:
    path = next((one.path for one in looked(upload).images.values() if one.sha256 == sha256), None)
    if path is None or size not in pictures.SIZES:
        raise HTTPException(404, texts()["add"]["no_picture"])
    return pictures.answer(pictures.small(Path(path), sha256, size, upload.folder / "pictures"))


@router.post("/api/uploads", status_code=201)
def begin(opened: All, wanted: Wanted) -> dict[str, Any]:
    """Begin an upload, or take up the one of the same files again: `came` says how many bytes of each are here.

    With an address, it is downloaded and looked at at once.
    """
    upload = store.begin(opened, wanted)
    if wanted.address:
        upload.finish(_root(opened, upload))
    return {"id": upload.id, "came": upload.all_came(), "slice_bytes": SLICE_BYTES, "state": upload.state}


@router.put("/api/uploads/{id}/{number}")
async def put(
    request: Request, upload: Found, number: int, x_sha256: Annotated[str | None, Header()] = None, offset: int = 0
) -> Response:
    """A slice of a file: its raw bytes, at most 8 MiB; the header X-SHA256, where it is sent, has their sha256."""
    data = bytearray()
    async for block in request.stream():
        data += block
        if len(data) > SLICE_BYTES:
            raise HTTPException(413, texts()["add"]["long_slice"])
    came = upload.put(number, offset, bytes(data), x_sha256)
    return Response(status_code=204, headers={OFFSET: str(came)})


@router.head("/api/uploads/{id}/{number}")
def head(upload: Found, number: int) -> Response:
    """Where to go on with a file: the header Upload-Offset says how many bytes are here."""
    return Response(status_code=204, headers={OFFSET: str(upload.came(number))})


@router.post("/api/uploads/{id}/finish", status_code=202)
def finish(opened: All, upload: Found) -> dict[str, Any]:
    """Every file is here: look at them; ask again until `state` is seen or failed."""
    upload.finish(_root(opened, upload))
    return read(opened, upload)


@router.get("/api/uploads/{id}")
def read(opened: All, upload: Found) -> dict[str, Any]:
    """How far an upload is, and what it is once it was looked at."""
    state = upload.state
    job = upload.adding if state in ("adding", "added", "not-added") else upload.looking
    about = facts(upload) if state in ("seen", "adding", "not-added") and upload.source.exists() else {}
    into = _into(opened, upload).key if state == "added" else upload.about.dataset
    return {"id": upload.id, "state": state, "progress": job.progress, "lines": job.lines, "dataset": into, **about}


@router.post("/api/uploads/{id}/add", status_code=202)
def add(opened: All, upload: Found, choice: Choice) -> dict[str, Any]:
    """Add it to its dataset, or make a dataset of it; ask again until `state` is added or not-added."""
    adding.begin(opened, upload, choice)
    return read(opened, upload)


@router.delete("/api/uploads/{id}", status_code=204)
def discard(upload: Found) -> None:
    """Forget it: nothing of it was in the dataset."""
    upload.discard()


def _root(opened: Opened, upload: Upload) -> Path | None:
    key = upload.about.dataset
    return opened.datasets[key].root if key else None


def _into(opened: Opened, upload: Upload) -> Dataset:
    return opened.add(Path(upload.adding.about["root"]))


def _where(opened: Opened, upload: Upload) -> str:
    key = upload.about.dataset
    return f"{opened.datasets[key].url if key else ''}/add?upload={upload.id}"
