"""The ledger of a stage that makes images: see balance.py and ledger.py."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.findings import Finding
from shardsmith.dataset.manifest import Manifest
from shardsmith.ledger.balance import Input, Output, Traced
from shardsmith.ledger.fates import MADE, NOT_MADE, REPLACED, Line, summed, unbalanced

_KINDS = ((re.compile(r"r\d+c\d+"), "tile"), (re.compile(r"object\d+"), "isolate_objects"))


def balance_made(
    stage: str, before: Manifest, after: Manifest, findings: Collection[Finding], traced: Traced
) -> list[Line]:
    """The ledger of a stage that makes images: what leaves is what the trace says, and what nothing was made from.

    Args:
        findings: the stage's own, with the image of data/raw and the image to come that they are about.

    Raises:
        StageError: a row was lost, invented or changed without a finding; also a box that a part or a copy was to show.
    """
    if len(traced.ids) or findings or traced.passed_over:
        return _balance(stage, before, after, findings, traced)
    return summed(
        _balance(stage, one, other, (), replace(traced, planned=np.zeros(one.annotation_count, bool)))
        for one, other in before.beside(after)
    )


def _balance(
    stage: str, before: Manifest, after: Manifest, findings: Collection[Finding], traced: Traced
) -> list[Line]:
    entered = Input(stage, before)
    out = Output(entered, after, traced)
    alike = {one.made for one in findings if one.code == "copy-identical"}
    _check_outputs(out, traced, alike)
    _check_passed_over(stage, findings, traced.passed_over)
    _check_captions(out, traced, {one.made for one in findings if one.code == "caption-lost"})
    rows = out.rows(np.arange(len(entered.image_of)))
    out.compare_images(())
    out.compare_boxes(rows)

    whole = out.source >= 0
    kinds = [_kind(image_id) for image_id in out.ids.filter(pa.array(~whole)).to_pylist()]
    made = np.zeros(len(out.ids), np.int64) - 1
    names = sorted(set(kinds))
    made[~whole] = [names.index(kind) for kind in kinds]
    stays = np.zeros(len(entered.image_of), bool)
    stays[rows[np.repeat(whole, out.counts)]] = True
    seen = stays.copy()
    more_images, more_boxes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for number, kind in enumerate(names):
        of_kind = made == number
        on_it = rows[np.repeat(of_kind, out.counts)]
        parents = np.zeros(len(entered.ids), bool)
        parents[traced.parents[out.traced[of_kind]]] = True
        entered.images.give(parents & ~out.came, REPLACED, kind)
        shown = np.zeros(len(stays), bool)
        shown[on_it] = True
        entered.boxes.give(shown & ~stays, REPLACED, kind)
        seen |= shown
        more_images[MADE, kind] = int(of_kind.sum())
        more_boxes[MADE, kind] = len(on_it)
    unnamed = _without_lost(stage, findings, traced.lost)
    _drop(entered, findings, unnamed, ~(out.came | entered.images.are(REPLACED)), ~seen, traced.planned)
    more_images[NOT_MADE, "copy-identical"] = len(alike)
    more_images[NOT_MADE, "image-not-transformed"] = sum(
        1 for image_id, made_id in traced.passed_over if made_id != image_id
    )
    more_boxes[NOT_MADE, "box-lost"] = sum(
        count for (image_id, _, made_id), count in traced.lost.items() if made_id != image_id
    )
    return [*entered.images.lines(more_images), *entered.boxes.lines(more_boxes)]


def _check_outputs(out: Output, traced: Traced, alike: set[str]) -> None:
    """What was made came out, or a finding says that it is like another."""
    there = pc.is_in(traced.ids, value_set=out.ids)
    missing = traced.ids.filter(pc.invert(there)).to_pylist()
    for image_id in missing:
        if image_id not in alike:
            raise unbalanced(out.stage, f"image {image_id}", "was made, and neither came out nor has a finding")
    for image_id in sorted(alike - set(missing)):
        raise unbalanced(out.stage, f"image {image_id}", "is left out by a finding, and came out or was never made")


def _check_passed_over(stage: str, findings: Collection[Finding], passed_over: set[tuple[str, str]]) -> None:
    """What was planned and not made has a finding, and that finding is of nothing else."""
    named = {(one.image_id, one.made) for one in findings if one.code == "image-not-transformed"}
    for image in sorted(named ^ passed_over):
        wrong = "was made, and a finding says that it was not" if image in named else "was planned, and not made"
        raise unbalanced(stage, f"image {image[1]}", wrong)


def _check_captions(out: Output, traced: Traced, lost: set[str]) -> None:
    """What was made has the captions of its source, or a finding says that it has none."""
    had, has = (one.images["captions"] for one in (out.entered.manifest, out.manifest))
    if had.null_count == len(had) and has.null_count == len(has):
        return
    before, after, ids = had.to_pylist(), has.to_pylist(), out.ids.to_pylist()
    for row in np.flatnonzero(out.traced >= 0).tolist():
        expected = None if ids[row] in lost else before[traced.parents[out.traced[row]]]
        if after[row] != expected:
            raise unbalanced(
                out.stage, f"image {ids[row]}", "has other captions than its source, and no finding says so"
            )


def _without_lost(stage: str, findings: Collection[Finding], lost: Counter) -> dict[tuple[str, str], list[str]]:
    """(image of data/raw, key of its annotation) -> the reasons of findings about boxes that were never to be shown.

    Raises:
        StageError: a part or a copy lacks a box, and no finding says so.
    """
    named = Counter((one.image_id, one.source_key, one.made) for one in findings if one.code == "box-lost")
    for (image_id, key, made), count in lost.items():
        if named[image_id, key, made] < count:
            missing = (
                f"shows {count} boxes too few of {key} of {image_id}, and {named[image_id, key, made]} findings say so"
            )
            raise unbalanced(stage, f"image {made}", missing)
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in findings:
        if one.code == "box-left-out":
            reasons[one.image_id, one.source_key].append(_left_out(one))
    for (image_id, key, _), count in (named - lost).items():
        reasons[image_id, key] += ["box-lost"] * count
    return reasons


def _drop(
    entered: Input,
    findings: Collection[Finding],
    reasons: dict[tuple[str, str], list[str]],
    gone_images: np.ndarray,
    gone_boxes: np.ndarray,
    planned: np.ndarray,
) -> None:
    """A reason for each row that nothing came from.

    Raises:
        StageError: there is none.
    """
    left_out = {one.image_id: one.code for one in findings if one.code == "image-not-transformed"}
    left_out |= {one.image_id: _left_out(one) for one in findings if one.code == "image-left-out"}
    because: dict[int, str] = {}
    for image in np.flatnonzero(gone_images).tolist():
        file = _raw_id(entered, image)
        if file not in left_out:
            raise unbalanced(entered.stage, entered.images.name(image), "entered, and nothing came of it")
        because[image] = left_out[file]
        entered.images.drop(image, left_out[file])
    images, keys = (entered.manifest.annotations[name].to_pylist() for name in ("source_image", "source_key"))
    for row in np.flatnonzero(gone_boxes).tolist():
        image = int(entered.image_of[row])
        file = _raw_id(entered, image)
        named = reasons.get((images[row] or file, keys[row] or ""))
        if image in because:
            reason = because[image]
        elif planned[row]:
            reason = "box-lost"
        elif named:
            reason = named.pop()
        elif file in left_out:  # a part of the image, and the box with it
            reason = left_out[file]
        else:
            raise unbalanced(entered.stage, entered.box_name(row), "entered, and nothing came of it")
        entered.boxes.drop(row, reason)


def _left_out(finding: Finding) -> str:
    """The step that chose so."""
    return f"{finding.code}: {finding.reason}"


def _raw_id(entered: Input, row: int) -> str:
    origin = entered.manifest.images["origin"][row].as_py()
    return str(json.loads(origin)["image_id"] if origin else entered.ids[row])


def _kind(image_id: str) -> str:
    part = image_id.rpartition("#")[2]
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(part)), "copy")
