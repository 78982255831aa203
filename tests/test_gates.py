"""export.require: what a dataset must have, and by how much one misses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from staged import run_stage

from shardsmith.dataset.errors import FindingError, ParamsError, StageError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.ledger.counts import images_per_class
from shardsmith.ledger.fates import Line, write_ledger
from shardsmith.pipeline.gates import missed_gates
from shardsmith.pipeline.params import parse_params
from shardsmith.pipeline.stage import write_stage


def image(image_id: str, split: str = "train", parent_id: str | None = None, copy: int = 0) -> Image:
    return Image(image_id, image_id, "", 9, 9, "jpeg", split=split, parent_id=parent_id, copy=copy)


COPIED = make_manifest(
    *(image(name) for name in "abc"),
    image("a#1", parent_id="a", copy=1),
    image("b#r1c1", parent_id="b"),
    image("v", "valid"),
    *(box(name, "cat") for name in ("a", "a", "b", "a#1", "b#r1c1")),
    *(box(name, "boat") for name in ("a", "v")),
)
LEDGER = [
    Line("ingest", "images", "kept", "", 190),
    Line("ingest", "images", "dropped", "image-unlabelled", 10),
    Line("ingest", "boxes", "kept", "", 970),
    Line("ingest", "boxes", "dropped", "class-omitted", 20),
    Line("ingest", "entries", "dropped", "annotation-unreadable", 10),
    Line("validate", "images", "dropped", "image-unreadable", 1),
    Line("validate", "boxes", "repaired", "box-over-edge", 90),
    Line("validate", "boxes", "dropped", "image-unreadable", 4),
    Line("preprocess", "images", "dropped", "image-left-out: Negatives at most 10 % of the images", 50),
    Line("preprocess", "boxes", "dropped", "box-lost", 300),
    Line("augment", "boxes", "not made", "box-lost", 300),
]


def test_an_image_and_its_copies_count_once() -> None:
    assert images_per_class(COPIED) == {
        "boat": {"train": 1, "valid": 1, "test": 0},
        "cat": {"train": 3, "valid": 0, "test": 0},
    }
    assert images_per_class(make_manifest(image("a"))) == {}


@pytest.mark.parametrize(
    ("require", "missed"),
    [
        ({}, []),
        ({"min_images": 5}, []),
        ({"min_images": 6}, ["5 images, 6 required: 1 missing"]),
        ({"min_images": 1005}, ["5 images, 1,005 required: 1,000 missing"]),
        ({"min_images_per_class": 1}, []),
        ({"min_images_per_class": 3}, ["boat: 1 images in train, 3 required: 2 missing"]),
        (
            {"min_images_per_class": 20},
            ["boat: 1 images in train, 20 required: 19 missing", "cat: 3 images in train, 20 required: 17 missing"],
        ),
        ({"splits": ["train", "valid"]}, []),
        ({"splits": ["test", "train"]}, ["split test: no image, 1 required"]),
        ({"max_dropped_share": 0.055}, []),
        (
            {"max_dropped_share": 0.02},
            [
                "11 of 200 images dropped (5.50%; image-unlabelled 10, image-unreadable 1), at most 2% allowed, "
                "which is 4: 7 too many"
            ],
        ),
        (
            {"max_dropped_share": 0.013},
            [
                "11 of 200 images dropped (5.50%; image-unlabelled 10, image-unreadable 1), at most 1.3% allowed, "
                "which is 2: 9 too many",
                "14 of 1,000 boxes dropped (1.40%; annotation-unreadable 10, image-unreadable 4), at most 1.3% "
                "allowed, which is 13: 1 too many",
            ],
        ),
        (
            {"min_images": 6, "splits": ["test"]},
            ["5 images, 6 required: 1 missing", "split test: no image, 1 required"],
        ),
    ],
)
def test_each_missed_gate_says_by_how_much(require: dict, missed: list[str]) -> None:
    assert missed_gates(COPIED, LEDGER, **require) == missed


def test_a_share_needs_a_ledger() -> None:
    with pytest.raises(StageError, match=r"there is no ledger .* run dvc repro"):
        missed_gates(COPIED, [], max_dropped_share=0.5)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{min_image: 3}", "export.require.min_image: unknown key; did you mean min_images?"),
        ("{min_images: 0}", "export.require.min_images: 0: "),
        ("{max_dropped_share: 1.5}", "export.require.max_dropped_share: 1.5: "),
        ("{splits: [dev]}", "export.require.splits.0: 'dev': "),
    ],
)
def test_a_wrong_requirement_is_refused(block: str, message: str) -> None:
    with pytest.raises(ParamsError) as refused:
        parse_params(f"export: {{require: {block}}}")
    assert message in str(refused.value)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    monkeypatch.chdir(tmp_path)
    images = [
        make_image(Path("raw"), name, image_bytes(seed=ord(name[0])), split="train") for name in ("a.jpg", "b.jpg")
    ]
    manifest = make_manifest(*images, box("a.jpg", "boat"), box("a.jpg", "cat"), box("b.jpg", "cat"))
    write_stage(Path("in"), manifest, [])
    write_ledger(Path("in"), [Line("ingest", "images", "kept", "", 2), Line("ingest", "boxes", "kept", "", 3)])
    Path("source.json").write_text('{"description": "X"}')
    Path("map.pbtxt").write_text(LabelMap("ds", {"boat": 1, "cat": 2}).format())
    return manifest


def run(require: str) -> None:
    Path("params.yaml").write_text(f"export: {{formats: [voc], require: {require}}}")
    run_stage("export", "in source.json map.pbtxt out metrics.json plots shards.csv")


def test_a_build_that_misses_one_writes_nothing(workspace: Manifest) -> None:
    with pytest.raises(FindingError) as stopped:
        run("{min_images_per_class: 2, splits: [train, valid]}")
    assert str(stopped.value).splitlines() == [
        "export.require in params.yaml is not met, so nothing is exported:",
        "  split valid: no image, 1 required",
        "  boat: 1 images in train, 2 required: 1 missing",
        "add or repair data, or require less",
    ]
    assert not any(Path(name).exists() for name in ("out", "out.part", "metrics.json", "plots"))
    run("{min_images_per_class: 1, min_images: 2, splits: [train], max_dropped_share: 0}")
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "annotations.parquet", "croissant.json", "description.json", "images.parquet", "ledger.csv", "voc",
    ]  # fmt: skip


def test_a_missed_gate_leaves_the_export_that_stood_there(workspace: Manifest) -> None:
    run("{}")
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    with pytest.raises(FindingError, match="2 images, 3 required: 1 missing"):
        run("{min_images: 3}")
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before
