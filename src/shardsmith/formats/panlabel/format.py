"""BDD100K, VoTT, Scale AI, SageMaker and more, through panlabel: boxes.

The only module that runs it. panlabel (a program in a wheel of its own, pinned) turns what it finds into its
intermediate form, which loses nothing that it read; that becomes COCO, which our own reader reads.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shardsmith.dataset.errors import RawDataError
from shardsmith.dataset.findings import Finding, found
from shardsmith.formats.coco import format as coco
from shardsmith.formats.coco.entries import parse
from shardsmith.formats.format import Format
from shardsmith.formats.panlabel.counts import COUNTED, count
from shardsmith.formats.panlabel.losses import add_uncarried
from shardsmith.formats.panlabel.mend import Item, take_out
from shardsmith.formats.panlabel.prepare import BLANK, PREPARED, prepared
from shardsmith.formats.shared.raw_folder import SHOWN, RawFolder, Source

# of the names that `panlabel list-formats` has, those that our own readers do not cover
FORMS = COUNTED
_SUFFIXES = frozenset({
    ".csv", ".json", ".jsonl", ".labels", ".manifest", ".ndjson", ".parquet", ".tfrecord", ".tfrecords", ".txt",
    ".xml", ".yaml",
})  # fmt: skip
_MOST_ASKED = 60  # files and folders: sets of a file an image are told by their folder
_NOT_DETECTED = "Failed to detect format"
_NO_FILE = "Is a directory"  # for a form whose datasets are files
_LOSSES = re.compile(r"envelope|skipped|dropped|lost|ignored|unsupported")
_WARNING = re.compile(r"panlabel: warning: (.*)")
_FLAGS = ("difficult", "occluded", "truncated")
_NOTES = re.compile(r"_(shape|geometry)_type$|_envelope|^labelbox_|^ls_")  # panlabel's own, counted as losses

_CARRIES = frozenset({"boxes", "negatives", "occluded", "truncated", "attributes"})


def detect(folder: RawFolder, form: str = "auto") -> list[str]:
    """
    Raises:
        RawDataError: nothing is of this form; with what panlabel says about the likeliest.
    """
    return [file for files in forms(folder, form).values() for file in files]


def read(folder: RawFolder, files: list[str], form: str = "auto") -> Source:
    """
    Raises:
        RawDataError: panlabel cannot read a file, not even without its bad items; or it finds nothing in all of them,
            as in files of another format: that is no set of negatives.
    """
    source = Source(shapes=0)
    with staged(folder) as (stage, refused):
        for file in files:
            try:
                report, content, removed = _convert_mended(stage, file, form, folder)
            except RawDataError as error:
                if len(files) == 1:
                    raise
                source.findings.append(found("annotation-unreadable", file, reason=str(error)[:SHOWN]))
                add_uncarried(folder, form, _below_path(folder, file), {}, [], source)
                continue
            inside = file == "." or not (folder.root / file).is_file()
            place = str(PurePosixPath(file, "*")) if inside else file
            text, losses = _as_coco(content)
            source.findings += _findings(report, losses, place)
            source.findings += [finding for finding in refused if _below(finding.file, file)]
            before = len(source.annotations)
            coco.add(folder, parse(text, place), place, source)
            came = Counter(row.image_id for row in source.annotations[before:])
            add_uncarried(folder, report["from"], _below_path(folder, file), came, removed, source)
    if files and not source.annotations and not source.findings:
        place = files[0] if files[0] != "." else str(folder.root)
        raise RawDataError(f"{place}: panlabel cannot read it: it finds no object; is it of another format?")
    source.ids = {}  # panlabel's own numbers, as those of images are
    for entry in source.entries.values():
        entry.source_id = None
    return source


def form(name: str) -> Format:
    """One of panlabel's own formats, by its name."""
    title = f"{name} (through panlabel)"
    return Format(f"panlabel:{name}", title, _CARRIES, partial(detect, form=name), partial(read, form=name))


def forms(folder: RawFolder, form: str = "auto") -> dict[str, list[str]]:
    """panlabel's name of a format -> the files and folders that it reads as such; {} where it recognises none.

    The topmost folder that it recognises counts, then single files.

    Raises:
        RawDataError: it recognises something, and cannot read any of it.
    """
    found_forms: dict[str, list[str]] = {}
    errors: dict[str, str] = {}
    taken: list[str] = []
    candidates = [file for file in folder.files if PurePosixPath(file).suffix.lower() in _SUFFIXES]
    if not candidates:
        return {}
    folders = {str(parent) for file in candidates for parent in PurePosixPath(file).parents}
    asked = [*sorted(folders, key=lambda path: (path != ".", path.count("/"), path)), *candidates]
    with staged(folder) as (stage, _):
        for path in asked[:_MOST_ASKED]:
            if any(_below(path, each) for each in taken):
                continue
            try:
                own = "edge-impulse" if form == "auto" and path.endswith(".labels") else form
                report, _, _ = _convert_mended(stage, path, own, folder)
            except RawDataError as error:
                if _NOT_DETECTED not in str(error) and _NO_FILE not in str(error):
                    errors[path] = str(error)
                continue
            if report["input"]["images"] and report["from"] in FORMS:
                found_forms.setdefault(report["from"], []).append(path)
                taken.append(path)
    if errors and not found_forms:
        raise RawDataError(max(errors.values(), key=lambda error: error.count("/")))
    for one, files in found_forms.items():
        for path in errors:
            apart = not any(_below(path, each) or _below(each, path) for each in taken)
            if apart and _has_objects(folder, one, path):
                files.append(path)
                taken.append(path)
    return found_forms


def _has_objects(folder: RawFolder, form: str, path: str) -> bool:
    counted = [count(form, folder.text(file), file) for file in _below_path(folder, path)]
    return any(group.count for of_file in counted if of_file for group in of_file.groups)


@contextmanager
def staged(folder: RawFolder) -> Iterator[tuple[Path, list[Finding]]]:
    """A copy of the folder made of links, with each image also beside the single annotation files, where several
    formats look for it; and the findings about the files that are left out."""
    refused: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as temporary:
        stage = Path(temporary)
        for file in folder.files:
            target = stage / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if finding := _refusal(folder, file):
                refused.append(finding)
            elif (text := _prepared(folder, file)) is not None:
                target.write_text(text, encoding="utf-8")
            else:
                target.symlink_to((folder.root / file).resolve())
        for parent in {
            (stage / file).parent for file in folder.files if PurePosixPath(file).suffix.lower() in _SUFFIXES
        }:
            for image in folder.image_files:
                beside = parent / PurePosixPath(image).name
                if not beside.exists():
                    beside.symlink_to(folder.path(image).resolve())
        yield stage, refused


def _prepared(folder: RawFolder, file: str) -> str | None:
    try:
        return prepared(folder.text(file), file) if file.lower().endswith(PREPARED) else None
    except RawDataError:
        return None  # panlabel says what is wrong with it


def _refusal(folder: RawFolder, file: str) -> Finding | None:
    """XML with entities, which nobody should read."""
    if not file.lower().endswith(".xml"):
        return None
    try:
        fromstring(folder.text(file))
    except DefusedXmlException as error:
        return found("annotation-unreadable", file, reason=f"it is not read: {error}")
    except (RawDataError, ParseError, ValueError, LookupError):
        pass  # panlabel says what is wrong with it
    return None


def _convert_mended(
    stage: Path, path: str, form: str, folder: RawFolder
) -> tuple[dict[str, Any], dict[str, Any], list[Item]]:
    """As `_convert`; where panlabel refuses the file, without the items for which it does, and these.

    Raises:
        RawDataError: it refuses the file without them, too.
    """

    def reads(one: str) -> bool:
        try:
            _convert(stage, path, one, folder.root)
        except RawDataError:
            return False
        return True

    try:
        return *_convert(stage, path, form, folder.root), []
    except RawDataError as error:
        if _NOT_DETECTED in str(error):
            raise
        mended = take_out(stage, _below_path(folder, path), form, reads)
        if mended is None:
            raise
    return *_convert(stage, path, mended[0], folder.root), mended[1]


def _below_path(folder: RawFolder, path: str) -> list[str]:
    """The annotation files at or below a path."""
    return [file for file in folder.files if _below(file, path) and PurePosixPath(file).suffix.lower() in _SUFFIXES]


def _convert(stage: Path, path: str, form: str, root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(report, the content in panlabel's intermediate form) of a file or folder below `stage`, which stands for `root`.

    Raises:
        RawDataError: panlabel is not there, or says no.
    """
    with tempfile.TemporaryDirectory(prefix="shardsmith-") as temporary:
        out = Path(temporary) / "out.json"
        options = ["--from", form, "--to", "ir-json", "--input", str(stage / path), "--output", str(out)]
        command = [_program(), "convert", *options, "--output-format", "json", "--allow-lossy", "--no-validate"]
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if ran.returncode or not out.exists():
            said = " ".join(
                ran.stderr.removeprefix("Error: ").replace(f"{stage}/", "").replace(str(stage), ".").split()
            )
            raise RawDataError(f"{root if path == '.' else path}: panlabel cannot read it: {said[:400]}")
        report = json.loads(ran.stdout)
        report["warnings"] = [line.replace(f"{stage}/", "") for line in dict.fromkeys(_WARNING.findall(ran.stderr))]
        return report, json.loads(out.read_text(encoding="utf-8"))


def _program() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "panlabel"
    program = str(beside) if beside.is_file() else shutil.which("panlabel")
    if program is None:
        raise RawDataError("panlabel is not installed, which reads this format; install requirements.lock")
    return program


def _as_coco(content: dict[str, Any]) -> tuple[str, Counter[str]]:
    """COCO JSON of panlabel's intermediate form (xmin ymin xmax ymax), and how many outlines became boxes."""
    annotations, losses = [], Counter[str]()
    for entry in content["annotations"]:
        at = {
            side: math.nan if value is None else value for side, value in entry["bbox"].items()
        }  # as it writes infinity
        attributes = dict(entry.get("attributes") or {})
        losses["outlines, of which the box around each is kept,"] += "polygon" in map(str, attributes.values())
        kept = {key.removeprefix("cvat_attr_"): value for key, value in attributes.items() if not _NOTES.search(key)}
        kept |= {flag: int(kept[flag]) for flag in _FLAGS if str(kept.get(flag)) in ("0", "1")}
        if entry.get("confidence") is not None:
            kept["confidence"] = entry["confidence"]
        annotations.append({
            "image_id": entry["image_id"], "category_id": entry["category_id"], "attributes": kept,
            "bbox": [at["xmin"], at["ymin"], at["xmax"] - at["xmin"], at["ymax"] - at["ymin"]],
        })  # fmt: skip
    images = [{key: image.get(key) for key in ("id", "file_name", "width", "height")} for image in content["images"]]
    categories = [one | {"name": one["name"].replace(BLANK, " ")} for one in content["categories"]]
    lists = {"images": images, "annotations": annotations, "categories": categories}
    return json.dumps(lists, ensure_ascii=False), +losses


def _findings(report: dict[str, Any], losses: Counter[str], file: str) -> list[Finding]:
    findings = [found("not-carried", file, value=count, reason=kind) for kind, count in losses.items()]
    for issue in report["issues"]:
        if issue["severity"] != "info" or (_LOSSES.search(issue["code"]) and not losses):
            findings.append(found("not-carried", file, value=issue["code"], reason=issue["message"]))
    for warning in report["warnings"]:
        findings.append(found("annotation-unreadable", file, reason=f"panlabel: {warning}"))
    return findings


def _below(path: str, folder: str) -> bool:
    return folder == "." or path == folder or path.startswith(f"{folder}/")


FORMAT = Format(
    name="panlabel",
    title="BDD100K, VoTT, Scale AI, SageMaker and more, through panlabel",
    carries=_CARRIES,
    detect=detect,
    read=read,
)
