"""What the YOLO formats share on a line: a class number, then a box or an outline in shares of the image's sides.

`class x_centre y_centre width height` is a box, `class x y x y x y ...` an outline whose bounds are the box: of an
oriented box its four corners. Keypoints may follow a box. A sixth column is CVAT's number of
a track where it is a whole number; anything else there is what a detector says of its own boxes, which are no labels.
The class number counts from 0 in the order of the names, so it is the label map's id less 1.

Sources: AlexeyAB/darknet, "How to train (to detect your custom objects)"; Ultralytics' documentation of detection,
segmentation, OBB and pose datasets, and its loader (verify_image_label in ultralytics/data/utils.py), which refuses six
columns; CVAT's documentation of Ultralytics YOLO Detection Track.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.images import EXTENSIONS
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.shapes import OutlineError, parse_outline
from shardsmith.formats.shapes.placement import Box, Size, to_json
from shardsmith.formats.shared.numbers import comma_decimals, read_number
from shardsmith.formats.shared.raw_folder import Source
from shardsmith.formats.yolo.pose import Pose, give_points, guessed_pose

_LABEL_LINE = re.compile(r"\s*\d+(\.0*)?(\s+[-+]?[\d.,]+([eE][-+]?\d+)?){4,}\s*")
_VISIBLE = re.compile(r"[012](\.0*)?")
_SHOWN = 60


@dataclass(frozen=True)
class ClassNames:
    """The names of a dataset's classes by their number; "" where the file leaves one out."""

    file: str
    names: tuple[str, ...]

    def ids(self) -> dict[str, int]:
        """The ids that the names have in a label map; a gap, as we write one (`unused-3`), has none."""
        numbered = {name: number for number, name in reversed(list(enumerate(self.names, start=1)))}
        real = {name: number for name, number in numbered.items() if name and name != f"unused-{number}"}
        return dict(sorted(real.items(), key=lambda item: item[1]))

    def name(self, text: str) -> str:
        """
        Raises:
            LineError: `text` is not the number of a class.
        """
        number = finite(text)
        if number != int(number):
            raise LineError(text, "the class is not a whole number")
        if not 0 <= number < len(self.names):
            raise LineError(text, f"class {int(number)}, but {self.file} names {len(self.names)} classes from 0")
        if not self.names[int(number)]:
            raise LineError(text, f"class {int(number)} has no name in {self.file}")
        return self.names[int(number)]


class LineError(ValueError):
    """Why a line, or a part of it, cannot be read."""

    def __init__(self, value: str, reason: str) -> None:
        super().__init__(reason)
        self.value, self.reason = value[:_SHOWN], reason

    def finding(self, file: str, place: str) -> Finding:
        return found("annotation-unreadable", file, place, self.value, self.reason)


def lines_of(text: str) -> list[str]:
    """Split at line ends alone; str.splitlines also does so at characters that a class name may hold."""
    return re.split(r"\r\n|\n|\r", text)


def parse_names(text: str, file: str) -> ClassNames:
    """A name a line; blank lines at the end count for nothing, one in between is a number without a name."""
    return ClassNames(file, tuple(line.strip() for line in lines_of(text.rstrip())) if text.strip() else ())


def format_names(names: Iterable[str]) -> str:
    """A name a line; a line end in a name becomes a blank."""
    return "".join(f"{' '.join(lines_of(name))}\n" for name in names)


def add_classes(source: Source, used: Iterable[ClassNames]) -> None:
    """Add the names to source.classes, those of the first file first; their ids too where the files agree."""
    every = sorted(set(used), key=lambda classes: classes.file)
    source.classes = list(dict.fromkeys([*source.classes, *(name for classes in every for name in classes.ids())]))
    if len({classes.names for classes in every}) == 1:
        source.ids = every[0].ids()


def is_label_line(text: str) -> bool:
    """Whether the first line that is not blank has a class number and four numbers or more."""
    first = next((line for line in lines_of(text) if line.strip()), "")
    return _LABEL_LINE.fullmatch(first) is not None


def is_image_list(text: str) -> bool:
    """Whether the first line that is not blank is the path of an image."""
    first = next((line for line in lines_of(text) if line.strip()), "")
    return PurePosixPath(first.strip().replace("\\", "/")).suffix.lower() in EXTENSIONS


def finite(text: str) -> float:
    """
    Raises:
        LineError: `text` is not a finite number.
    """
    try:
        value = read_number(text)
    except ValueError:
        raise LineError(text, "not a number") from None
    if not math.isfinite(value):
        raise LineError(text, "not a finite number")
    return value


@dataclass
class LabelFile:
    """One image's label file: boxes and outlines in pixels, with image_id "".

    labels: of the whole image.
    shapes: the lines that are not blank; each is a row, a label or a finding that drops it.
    """

    rows: list[Annotation] = field(default_factory=list)
    labels: list[Annotation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    shapes: int = 0


def parse(text: str, file: str, classes: ClassNames, size_px: Size, pose: Pose | None = None) -> LabelFile:
    """A line that cannot be read is a finding.

    Args:
        file: its name, for findings.
        size_px: (width, height) of the image as displayed.
        pose: what the keypoints are that follow a box in a pose dataset.
    """
    content, mended = LabelFile(), Counter[str]()
    for number, line in enumerate(lines_of(text), start=1):
        if columns := line.split():
            content.shapes += 1
            try:
                row = parse_columns(columns, classes, size_px, pose)
            except LineError as error:
                content.findings.append(error.finding(file, f"line {number}"))
                continue
            content.rows.append(row)
            mended["decimal commas are read as points"] += any(map(comma_decimals, columns))
            mended["the sixth column, a whole number, is kept as track_id"] += row.attributes is not None
    content.findings += [
        found("read-leniently", file, value=f"{count:,} lines", reason=reason) for reason, count in (+mended).items()
    ]
    return content


def parse_columns(columns: list[str], classes: ClassNames, size_px: Size, pose: Pose | None = None) -> Annotation:
    """The annotation of one line.

    Raises:
        LineError: why it cannot be read.
    """
    own, attributes, pose = _split(columns, pose)
    row = _row(own, classes, size_px)
    row.attributes = to_json(attributes)
    if pose and len(own) < len(columns):
        numbers = [finite(column) for column in columns[len(own) :]]
        try:
            give_points(row, numbers, int(finite(columns[0])), pose, size_px)
        except OutlineError as error:
            raise LineError(" ".join(columns), str(error)) from None
    return row


def _split(columns: list[str], pose: Pose | None) -> tuple[list[str], dict[str, object], Pose | None]:
    """(the columns of the box or outline, attributes, what the columns behind them are) of a line."""
    count = len(columns)
    if pose:
        if count not in (5, 5 + pose.columns):
            expected = f"5, or {5 + pose.columns} as kpt_shape has it"
            raise LineError(" ".join(columns), f"it has {count} columns, not {expected}")
        return columns[:5], {}, pose
    if count == 6:
        if not columns[5].isdecimal():
            reason = "its sixth column is not part of a label (a confidence?); delete it if the boxes are labels"
            raise LineError(" ".join(columns), reason)
        return columns[:5], {"track_id": int(columns[5][:18])}, None
    if count > 8 and (count - 5) % 3 == 0 and all(map(_VISIBLE.fullmatch, columns[7::3])):
        return columns[:5], {}, guessed_pose(count - 5)
    if count != 5 and (count < 7 or count % 2 == 0):
        expected = "5 (class, centre, width and height), or a class and 3 points or more"
        raise LineError(" ".join(columns), f"it has {count} columns, not {expected}")
    return columns, {}, None


def _row(columns: list[str], classes: ClassNames, size_px: Size) -> Annotation:
    label = classes.name(columns[0])
    shares = np.array([finite(column) for column in columns[1:]])
    if len(columns) == 5:
        x, y, width, height = shares.tolist()
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return Annotation("", label, *(share * side for share, side in zip(box, size_px * 2, strict=True)))
    points = shares.reshape(-1, 2) * size_px
    try:
        outline = parse_outline([points.ravel().tolist()])
    except OutlineError as error:
        raise LineError(" ".join(columns), str(error)) from None
    (xmin, ymin), (xmax, ymax) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Annotation("", label, xmin, ymin, xmax, ymax, segmentation=outline)


def format_box(number: int, box: Box, size_px: Size) -> str:
    (xmin, ymin, xmax, ymax), (width_px, height_px) = box, size_px
    shares = ((xmin + xmax) / 2 / width_px, (ymin + ymax) / 2 / height_px)
    return " ".join([str(number), *map(_digits, (*shares, (xmax - xmin) / width_px, (ymax - ymin) / height_px))])


def format_pose(number: int, box: Box, points: Sequence[float], size_px: Size) -> str:
    """A box, then what pose.format_points gives."""
    return " ".join([format_box(number, box, size_px), *map(_digits, points)])


def format_outline(number: int, outline: Sequence[float], size_px: Size) -> str:
    """Points past the frame are moved to its edge: Ultralytics refuses an image with coordinates far outside it."""
    shares = np.clip(np.array(outline).reshape(-1, 2) / size_px, 0, 1)
    return " ".join([str(number), *map(_digits, shares.ravel().tolist())])


def _digits(share: float) -> str:
    """Ten decimals: a thousandth of a pixel is kept on any image."""
    text = f"{share:.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def trainer_names(names: dict[str, str], images: Iterable[Image], blanks: bool) -> dict[str, str]:
    """image_id -> file name, as YOLO trainers can find it.

    Extensions are .jpg and .png in small letters: Darknet knows no .jpe or .Jpg, Ultralytics no .jfif. A line end in a
    name, which no list can hold, becomes "_", and with blanks=False so does every blank; a hash then keeps it unique.
    """
    return {image.image_id: _trainer_name(names[image.image_id], image.image_id, blanks) for image in images}


def _trainer_name(name: str, image_id: str, blanks: bool) -> str:
    path = PurePosixPath(name)
    extension = ".png" if path.suffix.lower() == ".png" else ".jpg"
    stem = re.sub(r"[\r\n\t]+" if blanks else r"\s+", "_", path.stem)
    own = "" if stem == path.stem else f"-{hashlib.sha256(image_id.encode()).hexdigest()[:8]}"
    return stem + own + extension
