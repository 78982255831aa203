"""The manifest -> Ultralytics YOLO.

Its loader takes a whole dataset for one task: where some lines have outlines and others not it drops every outline, and
inside one file it misreads the boxes. So what is written has lines of one kind: boxes, outlines (a box without one
stands as its four corners), the four corners of oriented boxes, or boxes with keypoints. An outline is one polygon: a
mask is traced; holes, and parts as by its own converter, are joined by seams.

Sources: as for ultralytics.py, YOLODataset.get_labels (ultralytics/data/dataset.py), and merge_multi_segment
(ultralytics/data/converter.py).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.shapes.boundary import as_one_polygon
from shardsmith.formats.shapes.placement import Size, corners
from shardsmith.formats.shapes.skeletons import common_skeleton, corners_of, skeletons_of
from shardsmith.formats.shared.facts import MAIN
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.yolo.lines import format_box, format_outline, format_pose, trainer_names
from shardsmith.formats.yolo.pose import format_points


def write(job: ExportJob, out: Path) -> None:
    """Boxes alone; or outlines alone where one object has one."""
    outlined = job.manifest.annotations["segmentation"].null_count < job.manifest.annotations.num_rows
    _write(job, out, _outlined if outlined else _boxed)


def write_oriented(job: ExportJob, out: Path) -> None:
    """The four corners of each object; those of its box for one that is not turned."""
    _write(job, out, _cornered)


def write_pose(job: ExportJob, out: Path) -> None:
    """A box and its keypoints for each object; all have as many points as the largest skeleton.

    Raises:
        StageError: no object has keypoints.
    """
    skeletons = skeletons_of(job.manifest.annotations)
    if not skeletons:
        raise StageError("ultralytics_pose: no object has keypoints; choose ultralytics")
    common = common_skeleton(skeletons.values())
    numbers = {name: number - 1 for name, number in job.label_map.ids.items()}
    count = len(common.names)
    names = {numbers[name]: list(one.names) for name, one in skeletons.items() if len(one.names) == count}
    pose = {"kpt_shape": [count, 3], "flip_idx": list(common.mirror), "kpt_names": dict(sorted(names.items()))}

    def line(number: int, row: Annotation, size: Size) -> str:
        return format_pose(number, corners(row), format_points(row, count, size), size)

    _write(job, out, line, pose)


def _boxed(number: int, row: Annotation, size: Size) -> str:
    return format_box(number, corners(row), size)


def _outlined(number: int, row: Annotation, size: Size) -> str:
    outline = as_one_polygon(row.segmentation, size) if row.segmentation else []
    outline = outline or [at for corner in corners_of(row) for at in corner]
    return format_outline(number, outline, size)


def _cornered(number: int, row: Annotation, size: Size) -> str:
    return format_outline(number, [at for corner in corners_of(row) for at in corner], size)


def _write(
    job: ExportJob, out: Path, line: Callable[[int, Annotation, Size], str], more: Mapping[str, Any] | None = None
) -> None:
    """data.yaml, images/SPLIT/ and labels/SPLIT/.

    Images without a split stand in images/all/, for training and for validation; an unlabelled image has no text file,
    which Ultralytics takes for a negative.

    Args:
        line: (number of the class, an object, size of its image) -> its line.
        more: what data.yaml says besides.
    """
    images = job.manifest.image_rows()
    names = trainer_names(leaving_names(images), images, blanks=True)
    folders = {}
    if any(image.split for image in images):  # readers want both folders, even an empty one
        for folder in ("images/train", "labels/train", "images/valid", "labels/valid"):
            (out / folder).mkdir(parents=True, exist_ok=True)
    for split, rows in job.by_split():
        folders[split] = f"images/{split or 'all'}"
        write_images([image for image, _ in rows], names, out / folders[split])
        labels = out / "labels" / (split or "all")
        labels.mkdir(parents=True, exist_ok=True)
        for image, boxes in rows:
            if image.annotated:
                size = (image.width or 1, image.height or 1)
                lines = [line(job.label_map.ids[row.label] - 1, row, size) for row in boxes if row.xmin is not None]
                path = (labels / names[image.image_id]).with_suffix(".txt")
                path.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    text = format_data(job.label_map.names_by_id()[1:], folders, job.facts, more or {})
    (out / "data.yaml").write_text(text, encoding="utf-8")


def format_data(
    names: list[str], folders: dict[str, str], facts: Mapping[str, str], more: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """data.yaml. Ultralytics needs `train` and `val` even where a split has no image. Without `path` it looks beside
    the file; `path: .` would be the folder that it runs in. Names are quoted: it reads YAML 1.1, where `no` is false.
    """
    alone = folders.get("")
    content: dict[str, Any] = {
        "train": folders.get("train") or alone or "images/train",
        "val": folders.get("valid") or alone or "images/valid",
    }
    if "test" in folders:
        content["test"] = folders["test"]
    content |= {name: DoubleQuotedScalarString(facts[name]) for name in MAIN if name in facts}
    content |= {key: _quoted(value) for key, value in more.items()}
    content["names"] = {number: DoubleQuotedScalarString(name) for number, name in enumerate(names)}
    yaml, stream = YAML(), io.StringIO()
    yaml.width = 1 << 30
    yaml.dump(content, stream)
    return stream.getvalue()


def _quoted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _quoted(one) for key, one in value.items()}
    if isinstance(value, list):
        in_a_row = CommentedSeq([_quoted(one) for one in value])
        in_a_row.fa.set_flow_style()
        return in_a_row
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value
