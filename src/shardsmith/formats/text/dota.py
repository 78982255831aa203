"""DOTA: a text file an image, one oriented box a line: four corners in pixels, the class, and how difficult it is.

Two lines may come first: `imagesource:` and `gsd:` (metres a pixel). `difficult` is 0, 1, or 2 for what is hardly an
object; it may be left out. A class of several words has `-` between them. Source: the DOTA dataset's page, "Annotation
format"; DOTA_devkit's dota_utils.py, which looks for `labelTxt/` beside `images/`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path, PurePosixPath

from shardsmith.dataset.errors import RawDataError, StageError
from shardsmith.dataset.findings import found
from shardsmith.dataset.manifest import Annotation, Image
from shardsmith.dataset.shapes import OutlineError, box_around, parse_outline
from shardsmith.formats.format import Format
from shardsmith.formats.shapes.outlines import number_of
from shardsmith.formats.shapes.placement import number, to_json
from shardsmith.formats.shapes.sheet import Sheet, put
from shardsmith.formats.shapes.skeletons import corners_of
from shardsmith.formats.shared.job import ExportJob, leaving_names, write_images
from shardsmith.formats.shared.raw_folder import ImageEntry, RawFolder, Source
from shardsmith.formats.shared.splits import split_in_path

_CORNERS = 8
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_LINE = re.compile(rf"(?:{_NUMBER}\s+){{8}}\S*[^\W\d](?:\S*|.*\s[012])\s*")
_HEADER = re.compile(r"(imagesource|gsd):(.*)")
_DIFFICULT = ("0", "1", "2")
_LOADING = """
`images/` and `labelTxt/` of a split stand side by side, as DOTA_devkit and MMRotate (`ann_file="labelTxt/"`) read them:
`x1 y1 x2 y2 x3 y3 x4 y4 class difficult` a line, in pixels, clockwise. A blank in a class's name is written as `-`.
"""


def detect(folder: RawFolder) -> list[str]:
    """Text files whose first object has the columns, and those beside them that have an image: empty, or broken."""
    texts = folder.with_suffix(".txt")
    files = {file for file in texts if _LINE.fullmatch(_first_object(folder.head(file)))}
    folders = {PurePosixPath(file).parent for file in files}
    beside = [file for file in texts if PurePosixPath(file).parent in folders and folder.locate_stem(file)]
    return sorted({*files, *beside})


def _first_object(text: str) -> str:
    lines = text.replace("\r", "").split("\n")
    return next((line.strip() for line in lines if line.strip() and not _HEADER.match(line)), "")


def read(folder: RawFolder, files: list[str]) -> Source:
    """A file that is not text costs its own image alone."""
    source = Source(shapes=0)
    for file in files:
        image_id = folder.locate_stem(file)
        if image_id is None:
            source.findings.append(found("image-missing", file, value=PurePosixPath(file).stem))
            continue
        entry = ImageEntry(split_in_path(image_id, file))
        try:
            sheet = parse(folder.text(file), file, entry)
        except RawDataError as error:
            sheet = Sheet(file)
            sheet.lose_all(str(error))
        put(sheet, image_id, folder, source, entry)
    return source


def parse(text: str, file: str, entry: ImageEntry) -> Sheet:
    """One file's objects; a line that cannot be read is a finding. What it says of its image goes to `entry`."""
    sheet = Sheet(file)
    for position, line in enumerate(text.replace("\r", "").split("\n"), start=1):
        if header := _HEADER.match(line):
            name, value = header[1], header[2].strip()
            entry.metadata |= {name: value} if value not in ("", "None", "null") else {}
        elif words := line.split():
            sheet.take(f"line {position}", partial(parse_line, words))
    return sheet


def parse_line(words: list[str]) -> Annotation:
    """
    Raises:
        OutlineError: why it cannot be read.
    """
    rest = words[_CORNERS:]
    difficult = rest.pop() if len(rest) > 1 and rest[-1] in _DIFFICULT else ""
    if not rest:
        raise OutlineError(f"it has {len(words)} columns, not 8 numbers and a class")
    outline = parse_outline([[number_of(word, f"number {at}") for at, word in enumerate(words[:_CORNERS], start=1)]])
    box = box_around(outline or "[[]]")
    if box is None:
        raise OutlineError("it has no corners")
    attributes: dict[str, object] = {"difficult": int(difficult != "0")} if difficult else {}
    attributes |= {"difficulty": 2} if difficult == "2" else {}
    row = Annotation("", " ".join(rest), *box, segmentation=outline, attributes=to_json(attributes))
    row.kind = "oriented"
    return row


def write(job: ExportJob, out: Path) -> None:
    """SPLIT/images/ and SPLIT/labelTxt/; an unlabelled image has no text file.

    Raises:
        StageError: two classes have one name where blanks are `-`.
    """
    classes = {name: "-".join(name.split()) for name in job.label_map.names}
    if len(set(classes.values())) < len(classes):
        raise StageError(f"dota: classes that differ in blanks and `-` alone: {', '.join(sorted(classes))[:200]}")
    images = job.manifest.image_rows()
    names = leaving_names(images)
    for split, rows in job.by_split():
        folder = out / (split or "all")
        write_images([image for image, _ in rows], names, folder / "images")
        (folder / "labelTxt").mkdir()
        for image, objects in rows:
            if image.annotated:
                path = (folder / "labelTxt" / names[image.image_id]).with_suffix(".txt")
                path.write_text(_text(image, objects, classes), encoding="utf-8")


def _text(image: Image, rows: list[Annotation], classes: dict[str, str]) -> str:
    metadata = image.metadata_dict()
    lines = [f"{name}:{metadata[name]}" for name in ("imagesource", "gsd") if name in metadata]
    for row in rows:
        if row.xmin is not None:
            known = row.attributes_dict()
            difficult = known.get("difficulty", known.get("difficult", 0))
            places = " ".join(number(at) for corner in corners_of(row) for at in corner)
            lines.append(f"{places} {classes[row.label]} {difficult if str(difficult) in _DIFFICULT else 0}")
    return "".join(f"{line}\n" for line in lines)


FORMAT = Format(
    name="dota",
    title="DOTA",
    carries=frozenset({"boxes", "oriented", "negatives", "splits", "difficult"}),
    detect=detect,
    read=read,
    write=write,
    loading=_LOADING,
)
