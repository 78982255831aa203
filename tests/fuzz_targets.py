# ruff: noqa: E402
"""What the cases of fuzz.py go through: a reader and its tables, or one function; and the files of each case."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import fuzz_files as begin
import pyarrow as pa
from fuzz import change_bytes, change_json, change_ndjson, change_records, make_archive, text
from fuzz_drawn import DRAWN
from fuzz_grammars import GRAMMARS as WRITTEN
from fuzz_grammars import label_map_text
from valid import MAKERS

from shardsmith.dataset import images
from shardsmith.dataset.archive import unpack
from shardsmith.dataset.errors import ShardsmithError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.label_map import LabelMap, parse_label_map, read_label_map
from shardsmith.dataset.manifest import Manifest
from shardsmith.formats.registry import READERS, WRITERS
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import IngestParams, load_params
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.pipeline.validate import check_left_empty
from shardsmith.transforms.albumentations.step import read_saved

ROOT = Path(__file__).parents[1]
Case = tuple[bool, list[int]]
Tables = tuple[Manifest, list[Finding]]
Target = Callable[[Path, Random], bool | Tables]  # what is done with the files; False: they have findings
_WORD = re.compile(rb"[A-Za-z_]{3,}")
_BY_SUFFIX = {".json": change_json, ".ndjson": change_ndjson, ".jsonl": change_ndjson}


def _read(name: str) -> Target:
    def run(top: Path, rng: Random) -> Tables:
        params = IngestParams(format="auto" if rng.random() < 0.15 else name)
        manifest, label_map, findings, _ = ingest(top / "raw", params, LabelMap("x"), top / "out")
        for path in manifest.images["path"].to_pylist():
            assert Path(path).resolve().is_relative_to(top / "raw") or Path(path).is_relative_to(top / "out"), path
        assert parse_label_map(label_map.format(), "label map again").ids == label_map.ids
        return manifest, findings

    return run


def false_negatives(read: Tables, had: Iterable[str]) -> list[str]:
    """The images that go on as negatives, although annotations of theirs were lost.

    Args:
        had: images that had some before the file was changed; besides, each that a finding that drops one names.
    """
    manifest, findings = read
    lost = {one.image_id for one in findings if one.action == "drop"} | set(had)
    told = {one.image_id for one in check_left_empty(manifest, findings, {})}
    empty = {row.image_id for row in manifest.image_rows() if row.annotated} - told
    return sorted(lost & empty - set(manifest.annotations["image_id"].to_pylist()))


def round_trip(read: list[Tables], folder: Path) -> None:
    """The tables of these cases as one, written and read: one at a time would cost half as much as all else."""
    whole = Manifest(
        pa.concat_tables([manifest.images for manifest, _ in read]),
        pa.concat_tables([manifest.annotations for manifest, _ in read]),
    )
    findings = [finding for _, of_case in read for finding in of_case]
    write_stage(folder, whole, findings)
    again, found = read_stage(folder)
    assert again.images.equals(whole.images), "the images differ when they are read again"
    for side in ("xmin", "ymin", "xmax", "ymax", "area"):  # NaN, which equals nothing
        assert str(again.annotations[side].to_pylist()) == str(whole.annotations[side].to_pylist()), side
    texts = [name for name in whole.annotations.column_names if name not in ("xmin", "ymin", "xmax", "ymax", "area")]
    assert again.annotations.select(texts).equals(whole.annotations.select(texts)), "the annotations differ"
    assert found == findings, "the findings differ when they are read again"


def _label_map(top: Path, rng: Random) -> bool:
    path = top / "raw/label_map.pbtxt"
    label_map = read_label_map(path)
    assert parse_label_map(label_map.format(), "again").ids == label_map.ids
    return True


def _images(top: Path, rng: Random) -> bool:
    for path in (each for each in (top / "raw").rglob("*") if each.is_file()):
        data = path.read_bytes()
        info = images.probe(data)
        if info.error or info.format is None:
            return False
        error = images.decoding_error(data, info.format)
        if error:
            return False
        with contextlib.suppress(ValueError):
            pixels = images.decode(data)
            assert pixels.shape == (info.height, info.width, 3), (pixels.shape, info)
            images.portable(data, info.format, info.orientation)
    return True


def _archive(top: Path, rng: Random) -> bool:
    archive = min((top / "raw").iterdir())
    try:
        unpack(archive, top / "out")
    finally:
        for path in (top / "out").rglob("*"):
            assert not path.is_symlink() and (path.is_file() or path.is_dir()), path
    return True


def _params(top: Path, rng: Random) -> bool:
    load_params(top / "raw/params.yaml")
    return True


def _pipeline(top: Path, rng: Random) -> bool:
    (path,) = (top / "raw/pipelines").iterdir()
    with contextlib.chdir(top / "raw"):
        try:
            read_saved(f"pipelines/{path.name}")
        except ValueError as error:  # pydantic makes it the field's error
            raise ShardsmithError(str(error)) from None
    return True


GRAMMARS = WRITTEN | DRAWN
TARGETS: dict[str, Target] = {name: _read(name) for name in (*GRAMMARS, "tfrecord")} | {
    "label_map": _label_map,
    "images": _images,
    "archives": _archive,
    "params": _params,
    "pipelines": _pipeline,
}
_SAVED = """{"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": [
{"__class_fullname__": "HorizontalFlip", "p": 0.5}, {"__class_fullname__": "OneOf", "p": 0.5, "transforms": [
{"__class_fullname__": "Blur", "blur_limit": [3, 7], "p": 0.5}]}], "bbox_params": null, "is_check_shapes": true}}"""


def seeds_of(name: str) -> list[begin.Files]:
    if name == "panlabel":
        return begin.raccoon(name)
    if name in DRAWN:
        return [DRAWN[name](Random(seed)) | begin.IMAGES for seed in range(3)]
    if name in READERS and name not in WRITERS:
        return [*begin.raccoon(name), GRAMMARS[name](Random(1))]
    if name in ("kitti", "labelme", "open_images", "via"):
        return [*begin.raccoon(name), *(begin.IMAGES | GRAMMARS[name](Random(number)) for number in range(1, 9))]
    if name == "label_map":
        text = LabelMap("x", {"cat": 1, 'd"o\\g': 7, "\u732b": 3}).format()
        return [{"label_map.pbtxt": text.encode()}, {"label_map.pbtxt": b'item {\n name: "a",\n id: 1,\n}\n'}]
    if name == "params":
        paths = [ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
        return [{"params.yaml": path.read_bytes()} for path in paths]
    if name == "pipelines":
        as_yaml = "__version__: 2.0.8\ntransform:\n  __class_fullname__: HorizontalFlip\n  p: 0.5\n"
        return [{"pipelines/a.json": _SAVED.encode()}, {"pipelines/a.yaml": as_yaml.encode()}]
    if name in ("images", "archives"):
        return []
    return [begin.IMAGES | begin.written(name) if name == "voc" else begin.written(name), *begin.raccoon(name)]


def misspelt(name: str, rng: Random) -> tuple[begin.Files, list[str]]:
    """Valid files in which one word is misspelt wherever it stands, and the images that have annotations in them."""
    made = MAKERS[rng.choice([one for one in MAKERS if one.partition(" ")[0] == name])](rng)
    changed = {
        path: data
        for path, data in made.files.items()
        if Path(path).suffix.lower() not in images.EXTENSIONS and "record" not in path
    }
    words = sorted({word for data in changed.values() for word in _WORD.findall(data)})
    if words:
        word = rng.choice(words)
        at = rng.randrange(len(word))
        other = rng.choice(
            (word[:at] + word[at + 1 :], word[:at] + b"x" + word[at:], word[:-1] + b"ss", word.swapcase())
        )
        whole = re.compile(rb"\b" + word + rb"\b")
        changed = {path: whole.sub(other, data) for path, data in changed.items()}
    return made.files | changed, [image_id for image_id, count in made.shapes.items() if count]


def files_of(name: str, case: Case, seeds: list[begin.Files], top: Path) -> tuple[begin.Files, list[str]]:
    """The files of a case, by their path below the folder that the reader is given; and the images that have
    annotations in them for sure, whatever became of the files."""
    by_grammar, numbers = case
    first = Random(numbers[0])
    if by_grammar and name in READERS and name != "panlabel" and len(numbers) == 1:
        return misspelt(name, first)
    return _broken(name, case, seeds, top), []


def _broken(name: str, case: Case, seeds: list[begin.Files], top: Path) -> begin.Files:
    by_grammar, numbers = case
    first = Random(numbers[0])
    if name == "images":
        files = {"a.jpg": begin.picture(first)}
    elif name == "archives":
        files = dict([make_archive(first, str(top))])
    elif by_grammar and name == "label_map":
        files = label_map_text(first)
    elif by_grammar and name in GRAMMARS:
        made = GRAMMARS[name](first)
        files = {path: data or begin.IMAGES["a.jpg"] for path, data in made.items()}
        files |= {} if name == "class_folders" else begin.IMAGES
    else:
        files = dict(first.choice(seeds or [begin.IMAGES]))
    every = sorted(files)
    annotations = [path for path in every if Path(path).suffix.lower() not in images.EXTENSIONS] or every
    for number in numbers[1:] if by_grammar else numbers:
        rng = Random(number)
        path = rng.choice(annotations if rng.random() < 0.95 else sorted(files))
        change = _BY_SUFFIX.get(Path(path).suffix, change_records if "record" in path else change_bytes)
        changed = (change if rng.random() < 0.85 else change_bytes)(files[path], rng)
        files[path] = changed.replace(b"{TOP}", str(top).encode())
        if rng.random() < 0.05:
            files |= {_other_name(path, rng): files[path]}
    return files


def _other_name(path: str, rng: Random) -> str:
    new = text(rng).replace("\0", "").replace("{TOP}", "").encode("utf-8", "ignore")
    new += b"\xff" if rng.random() < 0.1 else b""
    parts = [part[:200] for part in new.split(b"/") if part not in (b"", b".", b"..")][:20]
    return os.fsdecode(b"/".join(parts) + Path(path).suffix.encode()) if parts else "again" + Path(path).suffix
