"""The sample dataset: the same bytes always, and boxes that are exactly what was drawn."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from shardsmith.dataset.errors import RawDataError, UsageError
from shardsmith.dataset.images import probe
from shardsmith.dataset.manifest import Annotation
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.raw_folder import RawFolder
from shardsmith.sample.pictures import TASKS, Picture, draw, draw_picture
from shardsmith.sample.writer import write_sample

# Changes with what is drawn and with the codecs of requirements.lock, and with nothing else: not with the processor.
PINNED = "2e4d6f6917b566a2"


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return list(draw())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pictures: list[Picture]) -> Path:
    """The sample as VOC, written as a user has it written; drawn only once for the sake of time."""
    folder = tmp_path_factory.mktemp("sample") / "data" / "raw"
    with pytest.MonkeyPatch.context() as patch:
        drawn = dict(zip(TASKS, pictures, strict=True))
        patch.setattr("shardsmith.sample.writer.draw_picture", lambda task, shapes: drawn[task])
        write_sample(folder)
    return folder


def boxes_of(annotations: list[Annotation]) -> list[tuple]:
    return [(row.label, row.xmin, row.ymin, row.xmax, row.ymax) for row in annotations]


def test_the_bytes_are_the_same_on_every_run_and_machine(pictures: list[Picture]) -> None:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture.data)
        digest.update(repr(boxes_of(picture.annotations)).encode())
    assert digest.hexdigest()[:16] == PINNED


@pytest.mark.parametrize("index", [4, 20, 40])
def test_a_picture_depends_on_its_own_name_alone(pictures: list[Picture], index: int) -> None:
    assert draw_picture(TASKS[index]).data == pictures[index].data


def test_each_box_is_tight_around_the_visible_pixels(pictures: list[Picture]) -> None:
    for picture in pictures:
        for number, row in enumerate(picture.annotations, start=1):
            y, x = np.nonzero(picture.owner == number)
            assert (row.xmin, row.ymin, row.xmax, row.ymax) == (x.min(), y.min(), x.max() + 1, y.max() + 1)
            assert row.area == len(x)


def test_a_thing_cut_off_by_the_edge_touches_it_and_is_truncated(pictures: list[Picture]) -> None:
    truncated = 0
    for picture in pictures:
        height, width = picture.owner.shape
        for row in picture.annotations:
            touches = row.xmin == 0 or row.ymin == 0 or row.xmax == width or row.ymax == height
            attributes = json.loads(row.attributes or "{}")
            assert touches or attributes["occluded"] or not attributes["truncated"]
            truncated += attributes["truncated"]
    assert truncated > 10


def test_things_overlap_but_none_is_nearly_hidden(pictures: list[Picture]) -> None:
    attributes = [json.loads(row.attributes or "{}") for picture in pictures for row in picture.annotations]
    assert sum(flags["occluded"] for flags in attributes) > 40
    assert min(row.area or 0 for picture in pictures for row in picture.annotations) > 40


def test_the_size_in_the_file_is_that_of_the_masks(pictures: list[Picture]) -> None:
    for picture in pictures:
        info = probe(picture.data)
        assert (info.height, info.width, info.format) == (*picture.owner.shape, picture.format)
    assert Counter(picture.format for picture in pictures) == {"jpeg": 55, "png": 5}
    assert len({picture.owner.shape for picture in pictures}) > 20


def test_classes_are_unequal_and_some_images_are_negatives(pictures: list[Picture]) -> None:
    counts = Counter(row.label for picture in pictures for row in picture.annotations)
    assert len(counts) == 6
    assert max(counts.values()) > 2.5 * min(counts.values())
    assert sum(not picture.annotations for picture in pictures) == 5


def test_the_pictures_are_worth_looking_at(pictures: list[Picture]) -> None:
    for picture in pictures[::9]:  # textures everywhere: none is flat
        with PilImage.open(io.BytesIO(picture.data)) as image:
            assert len(image.convert("RGB").getcolors(1 << 20) or []) > 5_000


def test_voc_reads_back_as_it_was_drawn(pictures: list[Picture], folder: Path) -> None:
    raw = RawFolder.scan(folder)
    raw.images = {file: probe((folder / file).read_bytes()) for file in raw.image_files}
    source = READERS["voc"].read(raw, READERS["voc"].detect(raw))
    assert not source.findings
    assert sorted(source.entries) == [f"JPEGImages/{picture.name}" for picture in pictures]
    assert all(entry.split is None for entry in source.entries.values())
    for picture in pictures:
        image_id = f"JPEGImages/{picture.name}"
        read = [row for row in source.annotations if row.image_id == image_id]
        assert boxes_of(read) == boxes_of(picture.annotations)
        assert (folder / image_id).read_bytes() == picture.data


def test_nothing_else_is_left_in_the_folder(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["Annotations", "JPEGImages", "labelmap.txt"]


@pytest.mark.parametrize("name", ["a.jpg", "Annotations/a.xml"])
def test_a_folder_that_holds_something_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(RawDataError, match="not empty"):
        write_sample(tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_hidden_files_do_not_count_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shardsmith.sample.writer.TASKS", [("reef", 3), ("sky", 1)])
    (tmp_path / ".gitignore").write_text("*")
    line = write_sample(tmp_path, "coco")
    assert "2 images as coco" in line and "1 negatives" in line
    assert (tmp_path / ".gitignore").read_text() == "*"
    assert json.loads((tmp_path / "annotations" / "instances.json").read_text())["images"]


def test_a_killed_run_leaves_nothing_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shardsmith.sample.writer.TASKS", [("sky", 1)])
    (tmp_path / ".sample.part" / "drawn").mkdir(parents=True)
    (tmp_path / ".sample.part" / "drawn" / "old.jpg").write_text("half")
    write_sample(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == ["sky-01.jpg"]


def test_an_unknown_format_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="voc"):
        write_sample(tmp_path / "new", "yaml")
    assert not (tmp_path / "new").exists()
