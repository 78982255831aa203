"""Every shape of a valid file comes out as a row, or as one finding of its image that drops it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import pytest
from valid import MAKERS, Made, by_panlabel

from shardsmith.dataset.images import ImageInfo, probe
from shardsmith.dataset.shapes import box_around
from shardsmith.formats.registry import PANLABEL, READERS, set_aside_annotations
from shardsmith.formats.shared.raw_folder import RawFolder, Source
from shardsmith.pipeline.ingest import apply_classes, find_format

Note = Callable[[str, object], None]
CASES, MANY = 200, 20_000  # images of a form: in `make test`, and in `make test-long`
_DETECTED_EVERY = 20  # sources: each format of ours looks at all files
FIGURES = ("labelme", "via", "via csv", "via 3")  # whose boxes are those around their outlines
OURS = {"panlabel:vott-csv": "retinanet_csv"}  # read by our own, where no form is asked for

_probe: Callable[[bytes], ImageInfo] = cache(probe)


class Place:
    """A folder that holds one source after the other; the pictures, mostly the same, are written once."""

    def __init__(self, root: Path) -> None:
        self.root, self.placed = root, dict[str, bytes]()

    def read(self, made: Made, format: str, detect: bool) -> Source:
        for name in self.placed.keys() - made.files.keys():
            (self.root / name).unlink()
        for name, data in made.files.items():
            if self.placed.get(name) != data:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                (self.root / name).write_bytes(data)
        self.placed = made.files
        folder = RawFolder.scan(self.root)
        if detect:
            found, files = find_format(folder)
            assert found == OURS.get(format, format)
            format = found
        elif format in PANLABEL:  # its own way to find files runs the program for each
            files = [name for name in made.files if not name.endswith((".jpg", ".png"))]
            files = files if len(files) == 1 and not format.endswith(":hf") else ["."]
        else:
            set_aside_annotations(folder)
            files = READERS[format].detect(folder)
        if unpack := READERS[format].unpack:
            shutil.rmtree(self.root.parent / "unpacked", ignore_errors=True)
            unpack(folder, files, self.root.parent / "unpacked")
        folder.images = {image_id: _probe(folder.path(image_id).read_bytes()) for image_id in folder.image_files}
        return READERS[format].read(folder, files)


def check(name: str, tmp_path: Path, cases: int, note: Note) -> None:
    tally = Counter[str]()
    place = Place(tmp_path / "raw")
    place.root.mkdir()
    seed = 0
    while tally["images"] < cases:
        made = MAKERS[name](Random(seed))
        source = place.read(made, name.partition(" ")[0], seed % _DETECTED_EVERY == 1 and any(made.shapes.values()))
        findings = [*source.findings, *apply_classes(source, {})]
        kept = Counter(row.image_id for row in source.annotations)
        kept += Counter({image_id: len(texts) for image_id, texts in source.captions().items()})
        lost = Counter(one.image_id for one in findings if one.action == "drop")
        assert set(source.entries) == set(made.shapes), seed
        assert {image_id: kept[image_id] + lost[image_id] for image_id in made.shapes} == made.shapes, seed
        assert source.shapes == sum(made.shapes.values()), seed
        for row in source.annotations if name in FIGURES else ():
            around = box_around(row.segmentation) if row.segmentation else None
            assert around is None or [row.xmin, row.ymin, row.xmax, row.ymax] == pytest.approx(around), seed
        tally.update(images=len(made.shapes), shapes=source.shapes, kept=kept.total(), named=lost.total())
        seed += 1
    note("shapes", {"format": name, **tally})


def test_every_format_that_is_read_has_valid_files() -> None:
    assert {name.partition(" ")[0] for name in MAKERS} == {*READERS, *PANLABEL} - {"panlabel"}


@pytest.mark.parametrize("name", MAKERS)
def test_shapes_in_are_shapes_kept_and_named(name: str, tmp_path: Path, record_property: Note) -> None:
    check(name, tmp_path, CASES, record_property)


MISSPELT = [
    ("cvat video", "track"), ("cvat video", "frame"), ("label_studio csv", "points"), ("label_studio csv", "choices"),
    ("labelbox", "classifications"), ("labelbox", "radio_answer"), ("labelbox", "content"), ("labelme", "flags"),
    ("supervisely", "tags"), ("via 3", "attribute"), ("via 3", "vid"), ("voc", "object"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "word"), MISSPELT)
def test_a_misspelt_key_leaves_no_negative(name: str, word: str, tmp_path: Path) -> None:
    """Test_fuzz.py does it with any word of any format."""
    place = Place(tmp_path / "raw")
    place.root.mkdir()
    for seed in range(20):
        made = MAKERS[name](Random(seed))
        texts = {file: data for file, data in made.files.items() if not file.endswith((".jpg", ".png"))}
        whole = re.compile(rf"\b{word}\b".encode())
        made.files |= {file: whole.sub(f"{word}s".encode(), data) for file, data in texts.items()}
        source = place.read(made, name.partition(" ")[0], detect=False)
        told = {one.image_id for one in (*source.annotations, *source.findings)}
        assert not {image_id for image_id, count in made.shapes.items() if count} & source.entries.keys() - told, seed


@pytest.mark.parametrize("form", by_panlabel.FORMS)
def test_boxes_of_a_form_are_where_they_were_drawn(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_panlabel, "IMAGES", 9)
    monkeypatch.setattr(by_panlabel, "box", lambda rng: (2, 3, 10, 11))
    monkeypatch.setattr(by_panlabel, "corners", lambda rng: (2, 3, 12, 14))
    monkeypatch.setattr(by_panlabel, "ring", lambda rng: [(2, 3), (12, 3), (12, 14), (2, 14)])
    (tmp_path / "raw").mkdir()
    made = by_panlabel.FORMS[form](Random(2))
    rows = Place(tmp_path / "raw").read(made, f"panlabel:{form}", detect=False).annotations
    assert rows
    for row in rows:
        assert [row.xmin, row.ymin, row.xmax, row.ymax] == pytest.approx([2, 3, 12, 14], abs=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("name", MAKERS)
def test_many_shapes(name: str, tmp_path: Path, record_property: Note) -> None:
    check(name, tmp_path, MANY, record_property)
