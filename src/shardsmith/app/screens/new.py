"""New version: what params.yaml says, what is chosen in its stead, and what that makes of the dataset's own images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from shardsmith.app.opened import Dataset, Open
from shardsmith.app.raw import has_raw, raw_taken, take_raw
from shardsmith.app.render import page, texts
from shardsmith.app.stepping import controls
from shardsmith.app.stepping.placing import Places, placed
from shardsmith.app.stepping.session import Effect, Result, session
from shardsmith.app.stepping.settings import Chosen, Difference, choose_params, differences, present
from shardsmith.dataset.errors import ShardsmithError
from shardsmith.formats.registry import WRITERS
from shardsmith.pipeline.params import AugmentParams, Params, PreprocessParams, RequireParams
from shardsmith.versions.listing import listed
from shardsmith.versions.record import check_name
from shardsmith.versions.version import check_not_withdrawn

router = APIRouter()
_OF_BLOCK = {
    "preprocess": ("image_format", "quality", "min_visibility", "min_size_px"),
    "augment": ("keep_original", "balance", "seed", "image_format", "quality", "min_visibility", "min_size_px"),
}
_GATES = ("min_images", "min_images_per_class", "max_dropped_share")


class Wanted(BaseModel):
    """settings: params.yaml's dotted keys, as `--set` takes them. turn: another number shows other images."""

    settings: dict[str, Any] = {}
    turn: int = Field(0, ge=0)


class WantedStep(Wanted):
    """One step alone: the `number`-th of a block's list, from 0."""

    block: str = Field(pattern="^(preprocess|augment)$")
    number: int = Field(ge=0)


@dataclass(frozen=True)
class Shown:
    """What the screen shows of settings.

    taking: how far the reading of data/raw is, where the tables are not there yet. problems: key, or "", -> what is
    wrong.
    """

    problems: Mapping[str, str]
    taking: Mapping[str, Any] | None = None
    differs: Sequence[Difference] = ()
    places: Places | None = None
    effects: Sequence[Effect] = ()
    result: Result | None = None
    is_counting: bool = False


def show(dataset: Dataset, wanted: Wanted, wait: bool = True) -> Shown:
    """What comes of settings, as far as it is known now.

    Args:
        wait: until all images are counted; else `is_counting` says that they are not.
    """
    chosen = choose_params(dataset, wanted.settings)
    differs = differences(dataset.workspace.params(), chosen.params) if chosen.params else ()
    taken = raw_taken(dataset)
    if not taken.is_there:
        if not has_raw(dataset):
            return Shown({**chosen.problems, "": texts()["new"]["no_images"]}, None, differs)
        job = take_raw(dataset)
        if job.state in ("failed", "cancelled", "lost"):
            return Shown({**chosen.problems, "": "\n".join(job.lines[-12:])}, None, differs)
        return Shown(chosen.problems, {"seconds": job.seconds} | job.progress, differs)
    if chosen.params is None:
        return Shown(chosen.problems)
    params, where = chosen.params, (taken.folder, dataset.root)
    try:
        now = session(*where, params.split)
    except ShardsmithError as error:
        return Shown({"split.strategy": str(error)}, None, differs)
    try:
        effects = now.effects(params, wanted.turn, dataset.kept("pictures"))
    except ShardsmithError as error:
        return Shown({"": str(error)}, None, differs, now.places)
    result = now.result(params, effects) if wait or now.is_counted(params) else None
    return Shown({}, None, differs, now.places, effects, result, result is None)


@router.get("/d/{key}/new", include_in_schema=False)
def new(request: Request, dataset: Open, settings: str = "{}") -> Response:
    """
    Args:
        settings: what was chosen before, as JSON: so the screen can be left, and reloaded.
    """
    before = dataset.workspace.params()
    chosen = _remembered(dataset, settings)
    params = chosen.params or before
    cards = {block: _cards(params, block) for block in _OF_BLOCK}
    return page(
        request,
        "new.html.jinja",
        dataset=dataset,
        present=present(before),
        now=present(params),
        cards=cards,
        common=[one for one in controls.every_card(_classes(dataset)) if one.key in controls.COMMON],
        every=controls.every_card(_classes(dataset)),
        rest={
            "preprocess": controls.controls(PreprocessParams, params.preprocess.model_dump(), _OF_BLOCK["preprocess"]),
            "augment": controls.controls(AugmentParams, params.augment.model_dump(), _OF_BLOCK["augment"]),
        },
        gates=controls.controls(RequireParams, params.export.require.model_dump(), _GATES),
        formats={name: WRITERS[name].title for name in dict.fromkeys([*params.export.formats, *WRITERS])},
        is_empty=not has_raw(dataset),
    )


@router.get("/d/{key}/new/card", include_in_schema=False)
def card(request: Request, dataset: Open, step: str, number: int) -> Response:
    return page(request, "_new_card.html.jinja", card=_card(dataset, step), number=number, dataset=dataset)


@router.post("/d/{key}/new/preview", include_in_schema=False)
def preview(request: Request, dataset: Open, wanted: Wanted) -> Response:
    return page(request, "_new_shown.html.jinja", dataset=dataset, shown=show(dataset, wanted, wait=False))


@router.post("/d/{key}/new/step", include_in_schema=False)
def step_alone(request: Request, dataset: Open, wanted: WantedStep) -> Response:
    chosen, taken = choose_params(dataset, wanted.settings), raw_taken(dataset)
    if not chosen.params or not taken.is_there:
        return Response(status_code=204)
    made = session(taken.folder, dataset.root, chosen.params.split).of_step(
        chosen.params, wanted.block, wanted.number, wanted.turn
    )
    return page(request, "_new_step.html.jinja", made=made)


@router.post("/d/{key}/new/count", include_in_schema=False)
def count(dataset: Open, wanted: Wanted) -> Response:
    """Count what preprocessing makes of all images, so that the next answer can say it."""
    chosen, taken = choose_params(dataset, wanted.settings), raw_taken(dataset)
    if chosen.params and taken.is_there:
        session(taken.folder, dataset.root, chosen.params.split).count(chosen.params)
    return Response(status_code=204)


@router.post("/d/{key}/new/anew", include_in_schema=False)
def anew(request: Request, dataset: Open, wanted: Wanted) -> Response:
    """How many images would move if all were placed anew: said before anybody chooses that."""
    wanted.settings["split.era"] = dataset.workspace.params().split.era + 1
    return page(request, "_new_anew.html.jinja", moved=split_preview(dataset, wanted).get("moved"))


@router.get("/d/{key}/new/name", include_in_schema=False)
def name(request: Request, dataset: Open, name: str = "") -> Response:
    return page(request, "_new_name.html.jinja", name=name, problem=name_problem(dataset, name))


@router.get("/api/d/{key}/parameters")
def parameters(dataset: Open) -> dict[str, Any]:
    """Every step there is with its values and what they may be, and what params.yaml says now."""
    return {
        "present": present(dataset.workspace.params()),
        "steps": [asdict(one) | {"key": one.key} for one in controls.every_card(_classes(dataset))],
        "formats": {name: made.title for name, made in WRITERS.items()},
    }


@router.post("/api/d/{key}/preview")
def preview_json(dataset: Open, wanted: Wanted) -> dict[str, Any]:
    """What settings make of three images of the dataset: pictures as data addresses, marks in per cent.

    `taking` is there while data/raw is being read: ask again.
    """
    return asdict(show(dataset, wanted))


@router.post("/api/d/{key}/split-preview")
def split_preview(dataset: Open, wanted: Wanted) -> dict[str, Any]:
    """How many images stand in each split already, how many come, and how many move.

    `taking` is there while data/raw is being read: ask again.
    """
    chosen, taken = choose_params(dataset, wanted.settings), raw_taken(dataset)
    if not chosen.params:
        return {"problems": chosen.problems}
    if not taken.is_there:
        return {"taking": take_raw(dataset).progress}
    places = placed(taken.folder, dataset.root, chosen.params.split)[1]
    return asdict(places) | {"total": places.total, "new": places.new}


def name_problem(dataset: Dataset, name: str) -> str:
    """Why a version cannot have the name; "" where it can, or none is given."""
    if not name:
        return ""
    try:
        check_not_withdrawn(dataset.workspace, check_name(dataset.workspace, dataset.name, name))
    except ShardsmithError as error:
        return str(error).removeprefix("--name ")
    taken = any(name == one["name"] for one in listed(dataset.workspace))
    return texts()["new"]["taken"].format(name=name) if taken else ""


def _remembered(dataset: Dataset, settings: str) -> Chosen:
    try:
        content = json.loads(settings)
    except ValueError:
        content = {}
    return choose_params(dataset, content if isinstance(content, dict) else {})


def _cards(params: Params, block: str) -> list[controls.Card]:
    own = getattr(params, block)
    return controls.cards_listed(block, own.steps, own.enabled)


def _card(dataset: Dataset, step: str) -> controls.Card:
    try:
        return controls.card(step, classes=_classes(dataset))
    except KeyError:
        raise ShardsmithError(texts()["new"]["no_step"].format(step=step)) from None


def _classes(dataset: Dataset) -> list[str]:
    taken = raw_taken(dataset)
    return taken.classes if taken.is_there else []
