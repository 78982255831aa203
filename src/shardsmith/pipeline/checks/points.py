"""The check of keypoints: each lies on its image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardsmith.dataset.boxes import EDGE_NOISE, ROUNDING_PX
from shardsmith.dataset.codes import Action
from shardsmith.dataset.findings import Finding, about, action_for
from shardsmith.dataset.manifest import Manifest
from shardsmith.dataset.shapes import ABSENT, array_of, parse_skeleton, text_of

_CODE = "keypoint-outside-image"
_COLUMNS = ("image_id", "label", "keypoints", "skeleton", "source_key")


def check_points(manifest: Manifest, actions: Mapping[str, Action]) -> tuple[Manifest, list[Finding]]:
    """With the points that lie outside their image taken as not there; a finding for each object that has some.

    What passes an edge by no more than boxes may by rounding is moved onto it.
    """
    table = manifest.annotations
    if table["keypoints"].null_count == len(table):
        return manifest, []
    rows = np.flatnonzero(table["keypoints"].is_valid().to_numpy())
    images = pc.index_in(table["image_id"], manifest.images["image_id"].combine_chunks()).to_numpy()[rows]
    sizes = np.stack([manifest.images[side].to_numpy()[images] for side in ("width", "height")], axis=1)
    texts = table["keypoints"].to_pylist()
    findings = []
    for row, size_px in zip(rows.tolist(), sizes.astype(float), strict=True):
        points = array_of(texts[row])
        over = np.maximum(-points[:, :2], points[:, :2] - size_px)
        outside = (over > np.maximum(EDGE_NOISE * size_px, ROUNDING_PX)).any(axis=1) & (points[:, 2] > ABSENT)
        points[:, :2] = points[:, :2].clip(0, size_px) + 0.0
        points[outside] = ABSENT
        texts[row] = text_of(points)
        if outside.any():
            findings.append(_finding(manifest, row, outside, size_px, actions))
    column = table.schema.get_field_index("keypoints")
    changed = table.set_column(column, table.schema.field(column), pa.array(texts, pa.string()))
    return Manifest(manifest.images, changed), findings


def _finding(
    manifest: Manifest, row: int, outside: np.ndarray, size_px: np.ndarray, actions: Mapping[str, Action]
) -> Finding:
    image_id, label, _, skeleton, key = (manifest.annotations[name][row].as_py() for name in _COLUMNS)
    names = ", ".join(_outside(skeleton, outside))
    reason = f"{names} outside its {size_px[0]:g} x {size_px[1]:g} px"
    return about(_CODE, image_id, action_for(_CODE, actions), value=label, reason=reason, source_key=key or "")


def _outside(skeleton: str | None, outside: np.ndarray) -> Iterator[str]:
    names = parse_skeleton(skeleton).names if skeleton else ()
    return (names[at] if at < len(names) else f"point {at + 1}" for at in np.flatnonzero(outside).tolist())
