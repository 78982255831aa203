"""The ledger: it adds up on every set and with every kind of step."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conftest import image_bytes
from staged import STAGES, draw_raw, enter, prepare, run_stages
from test_formats import OBJECT, XML
from workspaces import ROOT

from shardsmith.dataset.manifest import Manifest
from shardsmith.ledger.fates import ENTERS, LEAVES, read_ledger, total
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.sample.writer import write_sample
from shardsmith.transforms.run import make as making

Counts = dict[tuple[str, str, str, str], int]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("prepared"), ["ingest", "validate", "split"])


@pytest.fixture
def at_split(prepared: Path, workspace: Path) -> Path:
    shutil.copytree(prepared / "data", workspace / "data", dirs_exist_ok=True)
    return workspace


def ledger() -> Counts:
    """As the version carries it; every stage's lines are there, and they add up to each stage's own tables."""
    lines = read_ledger(Path("data/export"))
    for stage in STAGES[:-1]:
        manifest, _ = read_stage(Path(f"data/{stage}"))
        leaves = {what: total(lines, stage, what, LEAVES) for what in ("images", "boxes")}
        assert leaves == {"images": manifest.images.num_rows, "boxes": manifest.annotations.num_rows}
    assert list(dict.fromkeys(line.stage for line in lines)) == STAGES
    return {(line.stage, line.what, line.fate, line.reason): line.count for line in lines}


def of_stage(stage: str) -> dict[tuple[str, str, str], int]:
    return {key[1:]: count for key, count in ledger().items() if key[0] == stage}


def test_every_row_of_raw_data_has_a_fate(workspace: Path) -> None:
    draw_raw(Path("data/raw"))
    run_stages("ingest: {classes: {junk: null, tiny: small}}")
    assert of_stage("ingest") == {
        ("images", "kept", ""): 19,
        ("images", "dropped", "image-unlabelled"): 1,
        ("boxes", "kept", ""): 33,
        ("boxes", "kept", "ingest.classes"): 13,
        ("boxes", "dropped", "class-name-empty"): 1,
        ("boxes", "dropped", "class-omitted"): 1,
        ("entries", "dropped", "annotation-unreadable"): 1,
    }
    assert of_stage("validate") == {
        ("images", "kept", ""): 16,
        ("images", "dropped", "image-left-empty"): 2,
        ("images", "dropped", "image-unreadable"): 1,
        ("boxes", "kept", ""): 40,
        ("boxes", "repaired", "box-inverted"): 1,
        ("boxes", "repaired", "box-over-edge"): 1,
        ("boxes", "dropped", "box-duplicate"): 1,
        ("boxes", "dropped", "box-empty"): 1,
        ("boxes", "dropped", "box-outside-image"): 1,
        ("boxes", "dropped", "image-unreadable"): 1,
    }
    assert of_stage("split") == {("images", "kept", ""): 16, ("boxes", "kept", ""): 42}
    with Path("data/export/ledger.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["stage", "what", "fate", "reason", "count"]


@pytest.mark.parametrize("unlabelled", ["negative", "keep"])
def test_unlabelled_images_that_stay_are_kept(workspace: Path, unlabelled: str) -> None:
    draw_raw(Path("data/raw"))
    run_stages(f"ingest: {{unlabelled: {unlabelled}}}\nvalidate: {{actions: {{image-duplicate: drop}}}}")
    assert ledger()["ingest", "images", "kept", ""] == 20
    assert ledger()["validate", "images", "dropped", "image-duplicate"] == 1
    assert ledger()["validate", "boxes", "dropped", "image-duplicate"] == 3


def test_images_without_a_split_of_the_source(workspace: Path) -> None:
    for name in ("train/a", "train/b", "valid/c", "other/d"):
        Path("data/raw", name).parent.mkdir(exist_ok=True)
        Path(f"data/raw/{name}.jpg").write_bytes(image_bytes(seed=ord(name[-1])))
        text = XML.format(OBJECT.format("cat", 2, 3, 12, 13)).replace("a.jpg", f"{name[-1]}.jpg")
        Path(f"data/raw/{name}.xml").write_text(text)
    run_stages("split: {strategy: source}")
    assert of_stage("split") == {
        ("images", "kept", ""): 3,
        ("images", "dropped", "split-missing"): 1,
        ("boxes", "kept", ""): 3,
        ("boxes", "dropped", "split-missing"): 1,
    }


STEPS = {
    "crop": "[{crop: {left: 0.5}}]",
    "crop then tile": "[{crop: {left: 0.5}}, {tile: {rows: 2, columns: 2}}]",
    "tiles that overlap": "[{tile: {width: 32, height: 32, overlap: 0.5}}]",
    "tile twice": "[{tile: {rows: 1, columns: 2}}, {tile: {rows: 2, columns: 1}}]",
    "tile and leave out": "[{tile: {rows: 2, columns: 2}}, {min_box_size: {side: 12}}, {filter_negatives: {keep: 0}}]",
    "tile and filter": "[{tile: {rows: 1, columns: 2}}, {filter_classes: {keep: [cat]}}]",
    "isolate": "[{isolate_objects: {padding: 0.1}}]",
    "isolate what a crop leaves": "[{crop: {left: 0.6}}, {isolate_objects: {}}]",
    "isolate from tiles": "[{tile: {rows: 2, columns: 2}}, {isolate_objects: {}}, {resize: {width: 8, height: 8}}]",
    "sample": "[{random_sample: {images: 5}}]",
    "sample per class": "[{random_sample: {per_class: 2}}]",
    "filters": "[{filter_classes: {keep: [dog]}}, {filter_negatives: {keep: 0.1}}, {min_box_size: {side: 8}}]",
    "shrink": "[{resize: {width: 8, height: 8}}]",
}
AUGMENTS = {
    "copies": "copies: 3, steps: [{flip: {}}, {rotate: {degrees: 40}}]",
    "alike": "copies: 6, steps: [{flip: {}}]",
    "mosaic": "copies: 3, steps: [{mosaic: {probability: 0.8}}, {crop: {zoom_min: 0.2, zoom_max: 0.5}}]",
    "instead": "copies: 2, keep_original: false, balance: true, steps: [{rotate: {degrees: 40}}]",
    "every split": "splits: [train, valid, test], copies: 1, steps: [{crop: {zoom_min: 0.4, zoom_max: 0.6}}]",
}


@pytest.mark.parametrize("name", STEPS)
def test_it_balances_with_steps(at_split: Path, name: str) -> None:
    run_stages(f"preprocess: {{enabled: true, steps: {STEPS[name]}}}", ["preprocess", "augment", "export"])
    lines = of_stage("preprocess")
    findings = read_stage(Path("data/preprocess"))[1]
    whole = sum(one.code == "box-lost" and one.place.startswith("object") for one in findings)
    if "tile" not in STEPS[name] and "isolate" not in STEPS[name]:
        assert (lines.get(("boxes", "dropped", "box-lost"), 0), lines.get(("boxes", "not made", "box-lost"), 0)) == (
            whole,
            0,
        )
    before, _ = read_stage(Path("data/split"))
    for what, table in (("images", before.images), ("boxes", before.annotations)):
        assert sum(count for key, count in lines.items() if key[0] == what and key[1] in ENTERS) == table.num_rows


@pytest.mark.parametrize(
    "steps", ["", STEPS["tiles that overlap"], STEPS["isolate"]], ids=["whole", "tiles", "objects"]
)
@pytest.mark.parametrize("name", AUGMENTS)
def test_it_balances_with_copies(at_split: Path, name: str, steps: str) -> None:
    before = f"preprocess: {{enabled: true, steps: {steps}}}\n" if steps else ""
    run_stages(f"{before}augment: {{enabled: true, {AUGMENTS[name]}}}", ["preprocess", "augment", "export"])
    lines = of_stage("augment")
    assert lines["images", "made", "copy"] > 0
    own = read_stage(Path("data/augment"))[1][len(read_stage(Path("data/preprocess"))[1]) :]
    not_made = {"images": "copy-identical", "boxes": "box-lost"}
    counts = Counter(one.code for one in own if one.code != "box-lost" or ", " in one.place)
    assert {what: lines.get((what, "not made", code), 0) for what, code in not_made.items()} == {
        what: counts[code] for what, code in not_made.items()
    }


def test_no_box_joins_an_image_of_one_pixel(workspace: Path) -> None:
    """It has no quarters, so mosaic leaves it as it is."""
    for number in range(8):
        Path(f"data/raw/{number}.png").write_bytes(image_bytes(1, 48, number, "PNG"))
        xml = XML.format(OBJECT.format("cat", 0, 2, 1, 40)).replace("<filename>a.jpg", f"<filename>{number}.png")
        Path(f"data/raw/{number}.xml").write_text(xml)
    run_stages("augment: {enabled: true, copies: 2, steps: [{mosaic: {probability: 1}}, {brightness: {}}]}")
    lines = of_stage("augment")
    assert lines["boxes", "made", "copy"] == lines["images", "made", "copy"] > 0
    assert ("boxes", "not made", "box-lost") not in lines


TAKES_NOT = {
    "image": ("preprocess", "[{resize: {width: 32, height: 32}}]", ("dropped", "image-not-transformed"), 1),
    "tile": ("preprocess", "[{tile: {rows: 1, columns: 2}}]", ("not made", "image-not-transformed"), 2),
    "copy": ("augment", "[{brightness: {}}]", ("not made", "image-not-transformed"), 2),
}


@pytest.mark.parametrize("what", TAKES_NOT)
def test_it_balances_when_a_step_cannot_take_an_image(
    at_split: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Those of 03.jpg."""
    stage, steps, (fate, code), count = TAKES_NOT[what]
    core = making._carry_out
    monkeypatch.setattr(
        making,
        "_carry_out",
        lambda sample, wanted, *rest: (
            making.Refused("it is red") if "03.jpg" in wanted.sources[0].path else core(sample, wanted, *rest)
        ),
    )
    run_stages(f"{stage}: {{enabled: true, steps: {steps}}}", ["preprocess", "augment", "export"])
    lines, (manifest, findings) = of_stage(stage), read_stage(Path(f"data/{stage}"))
    assert lines["images", fate, code] == count
    assert [one.file for one in findings if one.code == code] == ["03.jpg"] * count
    assert ("03.jpg" in manifest.images["image_id"].to_pylist()) == (what == "copy")
    if what != "copy":
        assert lines["images", "dropped", code] == 1
        assert lines["boxes", "dropped", code] > 0


def test_crowds_and_labels_of_the_whole_image_are_left_out_of_objects(at_split: Path) -> None:
    manifest, findings = read_stage(Path("data/split"))
    crowd, label, *others = manifest.annotation_rows()
    crowd.is_crowd = True
    label.xmin = label.ymin = label.xmax = label.ymax = None
    write_stage(Path("data/split"), Manifest.of(manifest.image_rows(), [crowd, label, *others]), findings)
    run_stages("preprocess: {enabled: true, steps: [{isolate_objects: {}}]}", STAGES[3:])
    lines = of_stage("preprocess")
    reason = "isolate_objects takes single objects, no crowd"
    assert lines["boxes", "dropped", f"box-left-out: {reason}"] == 1
    assert sum(count for (what, fate, why), count in lines.items() if fate == "dropped" and "labelled" in why) == 1


def test_lines_of_steps_say_which_step(at_split: Path) -> None:
    steps = "[{filter_classes: {keep: [dog]}}, {min_box_size: {side: 8}}, {tile: {rows: 1, columns: 2}}]"
    run_stages(f"preprocess: {{enabled: true, steps: {steps}}}", ["preprocess", "augment", "export"])
    lines = of_stage("preprocess")
    assert lines["images", "dropped", "image-left-out: Only images with the class dog"] == 4  # odd, twice, none, junk
    assert lines["images", "made", "tile"] == 2 * lines["images", "replaced", "tile"]
    assert lines["boxes", "replaced", "tile"] == 26
    assert lines["boxes", "dropped", "box-left-out: Boxes at least 8 pixels wide and high"] == 13


@pytest.mark.slow
@pytest.mark.parametrize("example", sorted(path.stem for path in (ROOT / "examples").glob("*.yaml")))
def test_it_balances_with_the_examples(workspace: Path, example: str) -> None:
    shutil.rmtree("data/raw")
    write_sample(Path("data/raw"))
    for path in [path for path in Path("data/raw").rglob("*") if path.is_file()]:
        if path.stem[-1] != "0":  # a tenth of the sample
            path.unlink()
    text = (ROOT / f"examples/{example}.yaml").read_text().replace("640", "256")
    text = text.replace(", ultralytics_pose", "").replace("[tfrecord, masks]", "[tfrecord]")  # the data has boxes alone
    run_stages(text)
    assert ledger()


@pytest.mark.parametrize("steps", ["", "[{resize: {width: 200, height: 200}}, {tile: {rows: 2, columns: 2}}]"])
def test_it_balances_on_the_raccoon_set(workspace: Path, raccoon: Path, steps: str) -> None:
    shutil.copytree(raccoon / "JPEGImages", "data/raw", dirs_exist_ok=True)
    shutil.copytree(raccoon / "Annotations", "data/raw", dirs_exist_ok=True)
    run_stages(f"preprocess: {{enabled: {'true' if steps else 'false'}, steps: {steps or '[]'}}}")
    assert ledger()["ingest", "images", "kept", ""] == 200
