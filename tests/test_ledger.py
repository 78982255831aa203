"""The ledger: it adds up on every set and with every kind of step, and a row that gets lost or invented is named."""

from __future__ import annotations

import csv
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from test_formats import OBJECT, XML
from workspaces import ROOT

import stages.augment
import stages.export
import stages.ingest
import stages.preprocess
import stages.split
import stages.validate
from stages.dataset.balance import balance
from stages.dataset.balance_read import Seen, balance_read
from stages.dataset.errors import StageError
from stages.dataset.findings import Finding, found
from stages.dataset.ledger import ENTERS, LEAVES, Line, check_chain, read_ledger, total
from stages.dataset.manifest import Manifest
from stages.dataset.stage import read_stage
from stages.transforms import outputs, select, tile
from tools.sample import write_sample

FLOWN = [
    ("ingest", "data/raw data/ingest data/label_map.pbtxt"),
    ("validate", "data/ingest data/validate"),
    ("split", "data/validate data/split"),
    ("preprocess", "data/split data/preprocess"),
    ("augment", "data/preprocess data/augment"),
    (
        "export",
        "data/augment data/ingest/source.json data/label_map.pbtxt data/export data/metrics.json data/plots",
    ),
]
STAGES = [stage for stage, _ in FLOWN]
Counts = dict[tuple[str, str, str, str], int]


def draw_raw(folder: Path) -> None:
    """Twelve images of 64 x 48 with three boxes each, and one of everything that costs a row."""
    boxes = [("cat", 2, 3, 30, 30), ("dog", 20, 10, 62, 46), ("tiny", 40, 2, 46, 8)]
    files: dict[str, str | bytes] = {}
    for number in range(12):
        files[f"{number:02}.jpg"] = image_bytes(64, 48, number)
        files[f"{number:02}.xml"] = XML.format("".join(OBJECT.format(*one) for one in boxes))
    odd = [("cat", -1, 2, 20, 20), ("cat", 30, 30, 10, 10), ("dog", 50, 2, 90, 20), ("dog", 5, 5, 5, 9)]
    twice = [("cat", 1, 2, 20, 20)] * 2
    for name, own in {"odd": odd, "twice": twice, "none": [], "junk": [("junk", 1, 2, 9, 9), ("", 1, 2, 9, 9)]}.items():
        files[f"{name}.jpg"] = image_bytes(64, 48, len(files))
        files[f"{name}.xml"] = XML.format("".join(OBJECT.format(*one) for one in own))
    files |= {"torn.jpg": image_bytes(64, 48, 77)[:700], "torn.xml": XML.format(OBJECT.format("cat", 2, 3, 30, 30))}
    files |= {"same.jpg": files["00.jpg"], "same.xml": files["00.xml"]}
    files |= {"unlabelled.jpg": image_bytes(64, 48, 78), "bad.jpg": image_bytes(64, 48, 79), "bad.xml": "<no"}
    for name, content in files.items():
        text = content.replace("<filename>a.jpg", f"<filename>{Path(name).stem}.jpg") if isinstance(content, str) else 0
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else content)  # type: ignore[arg-type]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHARDSMITH_WORKERS", "1")
    Path("data/raw").mkdir(parents=True)
    return tmp_path


def run(params: str = "", stages: list[str] = STAGES) -> None:
    Path("params.yaml").write_text(params)
    with pytest.MonkeyPatch.context() as patch:
        for stage, arguments in FLOWN:
            if stage in stages:
                patch.setattr(sys, "argv", [stage, *arguments.split()])
                importlib.import_module(f"stages.{stage}").main()


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
    run("ingest: {classes: {junk: null, tiny: small}}")
    assert of_stage("ingest") == {
        ("images", "kept", ""): 18,
        ("images", "dropped", "image-unlabelled"): 2,
        ("boxes", "kept", ""): 33,
        ("boxes", "kept", "ingest.classes"): 13,
        ("boxes", "dropped", "class-name-empty"): 1,
        ("boxes", "dropped", "class-omitted"): 1,
        ("entries", "dropped", "annotation-unreadable"): 1,
    }
    assert of_stage("validate") == {
        ("images", "kept", ""): 17,
        ("images", "dropped", "image-unreadable"): 1,
        ("boxes", "kept", ""): 40,
        ("boxes", "repaired", "box-inverted"): 1,
        ("boxes", "repaired", "box-over-edge"): 1,
        ("boxes", "dropped", "box-duplicate"): 1,
        ("boxes", "dropped", "box-empty"): 1,
        ("boxes", "dropped", "box-outside-image"): 1,
        ("boxes", "dropped", "image-unreadable"): 1,
    }
    assert of_stage("split") == {("images", "kept", ""): 17, ("boxes", "kept", ""): 42}
    with Path("data/export/ledger.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["stage", "what", "fate", "reason", "count"]


@pytest.mark.parametrize("unlabelled", ["negative", "keep"])
def test_unlabelled_images_that_stay_are_kept(workspace: Path, unlabelled: str) -> None:
    draw_raw(Path("data/raw"))
    run(f"ingest: {{unlabelled: {unlabelled}}}\nvalidate: {{actions: {{image-duplicate: drop}}}}")
    assert ledger()["ingest", "images", "kept", ""] == 20
    assert ledger()["validate", "images", "dropped", "image-duplicate"] == 1
    assert ledger()["validate", "boxes", "dropped", "image-duplicate"] == 3


def test_images_without_a_split_of_the_source(workspace: Path) -> None:
    for name in ("train/a", "train/b", "valid/c", "other/d"):
        Path("data/raw", name).parent.mkdir(exist_ok=True)
        Path(f"data/raw/{name}.jpg").write_bytes(image_bytes(seed=ord(name[-1])))
        text = XML.format(OBJECT.format("cat", 2, 3, 12, 13)).replace("a.jpg", f"{name[-1]}.jpg")
        Path(f"data/raw/{name}.xml").write_text(text)
    run("split: {strategy: source}")
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


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace up to the split."""
    root = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SHARDSMITH_WORKERS", "1")
        (root / "data/raw").mkdir(parents=True)
        draw_raw(root / "data/raw")
        run(stages=["ingest", "validate", "split"])
    return root


@pytest.fixture
def at_split(prepared: Path, workspace: Path) -> Path:
    shutil.copytree(prepared / "data", workspace / "data", dirs_exist_ok=True)
    return workspace


@pytest.mark.parametrize("name", STEPS)
def test_it_balances_with_steps(at_split: Path, name: str) -> None:
    run(f"preprocess: {{enabled: true, steps: {STEPS[name]}}}", ["preprocess", "augment", "export"])
    lines = of_stage("preprocess")
    before, _ = read_stage(Path("data/split"))
    for what, table in (("images", before.images), ("boxes", before.annotations)):
        assert sum(count for key, count in lines.items() if key[0] == what and key[1] in ENTERS) == table.num_rows


@pytest.mark.parametrize(
    "steps", ["", STEPS["tiles that overlap"], STEPS["isolate"]], ids=["whole", "tiles", "objects"]
)
@pytest.mark.parametrize("name", AUGMENTS)
def test_it_balances_with_copies(at_split: Path, name: str, steps: str) -> None:
    before = f"preprocess: {{enabled: true, steps: {steps}}}\n" if steps else ""
    run(f"{before}augment: {{enabled: true, {AUGMENTS[name]}}}", ["preprocess", "augment", "export"])
    assert of_stage("augment")["images", "made", "copy"] > 0


def test_lines_of_steps_say_which_step(at_split: Path) -> None:
    steps = "[{filter_classes: {keep: [dog]}}, {min_box_size: {side: 8}}, {tile: {rows: 1, columns: 2}}]"
    run(f"preprocess: {{enabled: true, steps: {steps}}}", ["preprocess", "augment", "export"])
    lines = of_stage("preprocess")
    assert lines["images", "dropped", "image-left-out: Only images with the class dog"] == 4  # odd, twice, none, junk
    assert lines["images", "made", "tile"] == 2 * lines["images", "replaced", "tile"]
    assert lines["boxes", "dropped", "box-left-out: Boxes at least 8 pixels wide and high"] == 13


@pytest.mark.parametrize("example", sorted(path.stem for path in (ROOT / "examples").glob("*.yaml")))
def test_it_balances_with_the_examples(workspace: Path, example: str) -> None:
    shutil.rmtree("data/raw")
    write_sample(Path("data/raw"))
    for path in [path for path in Path("data/raw").rglob("*") if path.is_file()]:
        if path.stem[-1] != "0":  # a tenth of the sample
            path.unlink()
    run((ROOT / f"examples/{example}.yaml").read_text().replace("640", "256"))
    assert ledger()


@pytest.mark.parametrize("steps", ["", "[{resize: {width: 200, height: 200}}, {tile: {rows: 2, columns: 2}}]"])
def test_it_balances_on_the_raccoon_set(workspace: Path, raccoon: Path, steps: str) -> None:
    shutil.copytree(raccoon / "JPEGImages", "data/raw", dirs_exist_ok=True)
    shutil.copytree(raccoon / "Annotations", "data/raw", dirs_exist_ok=True)
    run(f"preprocess: {{enabled: {'true' if steps else 'false'}, steps: {steps or '[]'}}}")
    assert ledger()["ingest", "images", "kept", ""] == 200


# --- a row that gets lost or invented: each stage's core, made to do wrong

Change = Callable[[Manifest], Manifest]


def without(what: str, row: int) -> Change:
    def change(manifest: Manifest) -> Manifest:
        table = getattr(manifest, what)
        keep = [number for number in range(table.num_rows) if number != row % table.num_rows]
        return replace(manifest, **{what: table.take(keep)})

    return change


def twice(what: str, row: int) -> Change:
    def change(manifest: Manifest) -> Manifest:
        table = getattr(manifest, what)
        rows = sorted([*range(table.num_rows), row % table.num_rows])
        return replace(manifest, **{what: table.take(rows)})

    return change


def swapped(manifest: Manifest) -> Manifest:
    """Two boxes of different classes stand in each other's place."""
    rows = list(range(manifest.annotations.num_rows))
    labels = manifest.annotations["label"].to_pylist()
    at = next(row for row in rows if labels[row] != labels[row + 1])
    rows[at], rows[at + 1] = at + 1, at
    ids = manifest.annotations["image_id"]
    table = manifest.annotations.take(rows).set_column(0, "image_id", ids)
    return replace(manifest, annotations=table)


WRONGS = {
    "an image is lost": without("images", 3),
    "the last image is lost": without("images", -1),
    "an image is there twice": twice("images", 3),
    "a box is lost": without("annotations", 4),
    "the last box is lost": without("annotations", -1),
    "a box is there twice": twice("annotations", 4),
    "boxes are swapped": swapped,
}
CORES = {
    "ingest": ("take_in", ""),
    "validate": ("validate", ""),
    "split": ("split", ""),
    "preprocess": ("preprocess", "preprocess: {enabled: true, steps: [{tile: {rows: 1, columns: 2}}]}"),
    "preprocess, whole": ("preprocess", "preprocess: {enabled: true, steps: [{resize: {width: 32, height: 32}}]}"),
    "preprocess, off": ("preprocess", ""),
    "augment": ("augment", "augment: {enabled: true, steps: [{rotate: {degrees: 20}}]}"),
    "augment, off": ("augment", ""),
    "augment, mosaic": ("augment", "augment: {enabled: true, keep_original: false, steps: [{mosaic: {}}]}"),
}


@pytest.fixture(scope="module")
def flown(prepared: Path) -> Path:
    """The same workspace up to augment, all off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(prepared)
        run(stages=["preprocess", "augment"])
    return prepared


@pytest.mark.parametrize("wrong", WRONGS)
@pytest.mark.parametrize("where", CORES)
def test_a_stage_that_loses_or_invents_a_row_fails(
    flown: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, where: str, wrong: str
) -> None:
    shutil.copytree(flown / "data", workspace / "data", dirs_exist_ok=True)
    stage = where.partition(",")[0]
    name, params = CORES[where]
    module = importlib.import_module(f"stages.{stage}")
    core = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: (WRONGS[wrong]((done := core(*given))[0]), *done[1:]))
    with pytest.raises(StageError, match=f"^{stage}: the ledger does not balance: "):
        run(params, [stage])


@pytest.mark.parametrize("wrong", [name for name in WRONGS if name != "boxes are swapped"])
def test_an_export_that_loses_or_invents_a_row_fails(
    flown: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    shutil.copytree(flown / "data", workspace / "data", dirs_exist_ok=True)
    write = stages.export.write_tables
    monkeypatch.setattr(stages.export, "write_tables", lambda manifest, to: write(WRONGS[wrong](manifest), to))
    with pytest.raises(StageError, match=r"^export: the ledger does not balance: row "):
        run(stages=["export"])
    assert not Path("data/export").exists()


def test_the_error_names_the_row(at_split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = stages.split.split
    lose = without("images", 3)
    monkeypatch.setattr(stages.split, "split", lambda *given: (lose(core(*given)[0]), []))
    with pytest.raises(StageError, match=r"image 03\.jpg entered, and neither came out nor was dropped by a finding"):
        run(stages=["split"])


@pytest.mark.parametrize(
    ("stage", "module", "name"),
    [
        ("validate", stages.validate, "check_boxes"),
        ("preprocess", outputs, "_lost"),
        ("augment", outputs, "_lost"),
        ("augment", stages.augment, "found"),
        ("ingest", stages.ingest, "apply_classes"),
        ("preprocess", tile, "_on"),
    ],
)
def test_a_loss_without_its_finding_fails(
    at_split: Path, monkeypatch: pytest.MonkeyPatch, stage: str, module: object, name: str
) -> None:
    """The rows are right, one finding is missing; or a step forgets a box on its way."""
    core = getattr(module, name)
    silent: dict[str, Callable] = {
        "check_boxes": lambda *given: ((done := core(*given))[0], done[1][1:]),
        "_lost": lambda *given: iter(list(core(*given))[1:]),
        "found": lambda *given, **more: found("class-alike", "a.jpg"),
        "apply_classes": lambda *given: core(*given)[1:],
        "_on": lambda one, at, first: core(one, at, first)[:-1],
    }
    monkeypatch.setattr(module, name, silent[name])
    preprocess = f"preprocess: {{enabled: true, steps: {STEPS['crop then tile']}}}"
    augment = "augment: {enabled: true, copies: 6, steps: [{flip: {}}, {crop: {zoom_max: 0.6, probability: 0.5}}]}"
    params = {"preprocess": preprocess, "augment": augment, "ingest": "ingest: {classes: {junk: null}}"}.get(stage, "")
    with pytest.raises(StageError, match=f"^{stage}: the ledger does not balance: "):
        run("", ["preprocess"]) if stage == "augment" else None
        run(params, [stage])


def test_a_step_that_leaves_out_an_image_silently_fails(at_split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = select._keep
    monkeypatch.setattr(select, "_keep", lambda *given: (core(*given)[0], core(*given)[1][1:]))
    with pytest.raises(StageError, match=r"image \S+ entered, and nothing came of it"):
        run(f"preprocess: {{enabled: true, steps: {STEPS['sample']}}}", ["preprocess"])


# --- balance alone


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Manifest]:
    images = [make_image(tmp_path, name, image_bytes(seed=ord(name[0]))) for name in ("a.jpg", "b.jpg")]
    yield make_manifest(*images, box("a.jpg", "cat"), box("a.jpg", "dog"), box("b.jpg", "cat", area=float("nan")))


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (found("box-empty", "a.jpg", "box 3"), "names no box of the image"),
        (found("box-empty", "c.jpg", "box 1"), "names no image"),
        (found("box-empty", "a.jpg", "line 1"), "names no image and no box"),
        (found("box-empty", "a.jpg", "box 1"), "is missing|came out"),
        (found("image-unreadable", "a.jpg"), "is dropped by a finding, and came out"),
    ],
)
def test_a_finding_that_is_not_true_fails(rows: Manifest, finding: Finding, message: str) -> None:
    with pytest.raises(StageError, match=message):
        balance("validate", rows, rows, [finding])


def test_a_box_is_dropped_once(rows: Manifest) -> None:
    after = without("annotations", 0)(rows)
    one = found("box-empty", "a.jpg", "box 1")
    assert Line("s", "boxes", "dropped", "box-empty", 1) in balance("s", rows, after, [one])
    with pytest.raises(StageError, match=r"box 1 \(cat\) of image a.jpg is dropped by two findings"):
        balance("s", rows, after, [one, one])


@pytest.mark.parametrize(("column", "value"), [("xmin", 2.5), ("label", "fox"), ("is_crowd", True)])
def test_a_row_that_changed_without_a_finding_fails(rows: Manifest, column: str, value: object) -> None:
    annotations = rows.annotation_rows()
    setattr(annotations[1], column, value)
    after = Manifest.of(rows.image_rows(), annotations)
    with pytest.raises(StageError, match=r"box 2 \(dog\) of image a.jpg"):
        balance("s", rows, after, [])
    repaired = Finding("box-inverted", "repair", "a.jpg", "box 2")
    if column == "xmin":
        assert Line("s", "boxes", "repaired", "box-inverted", 1) in balance("s", rows, after, [repaired])


def test_an_image_that_changed_fails_unless_the_stage_sets_it(rows: Manifest) -> None:
    images = rows.image_rows()
    images[1].split = "train"
    after = Manifest.of(images, rows.annotation_rows())
    with pytest.raises(StageError, match=r"image b.jpg has another split"):
        balance("s", rows, after, [])
    assert balance("s", rows, after, [], sets=["split"])


def test_a_negative_that_comes_out_twice_fails(rows: Manifest) -> None:
    empty = replace(rows, annotations=rows.annotations.slice(0, 0))
    with pytest.raises(StageError, match=r"image b.jpg came out twice"):
        balance("s", empty, twice("images", 1)(empty), [])


def test_a_box_that_went_to_another_image_fails(rows: Manifest) -> None:
    annotations = rows.annotation_rows()
    annotations[1].image_id = "b.jpg"
    with pytest.raises(StageError, match=r"a box of image a.jpg is missing"):
        balance("s", rows, Manifest.of(rows.image_rows(), annotations), [])


@pytest.mark.parametrize(
    ("lost", "findings", "message"),
    [
        ("", [found("class-omitted", "a.jpg", "box 1 1 1 1", "cat")], "names no annotation that was read"),
        ("", [found("image-unlabelled", "b.jpg")], "image b.jpg came out 1 times, and was dropped by 1 findings"),
        ("b.jpg", [found("image-unlabelled", "b.jpg")], "cat of image b.jpg, box .* came out without its image"),
    ],
)
def test_what_ingest_says_must_be_so(rows: Manifest, lost: str, findings: list[Finding], message: str) -> None:
    seen = Seen(["a.jpg", "b.jpg"], rows.annotation_rows())
    after = Manifest.of([row for row in rows.image_rows() if row.image_id != lost], rows.annotation_rows())
    with pytest.raises(StageError, match=message):
        balance_read(seen, after, findings)


def test_stages_must_follow_one_another() -> None:
    lines = [
        Line("a", "images", "kept", "", 3),
        Line("b", "images", "kept", "", 2),
        Line("b", "images", "dropped", "x", 1),
    ]
    check_chain(lines, 2, 0)
    with pytest.raises(StageError, match=r"b: .* 2 images leave it, and 3 are there to export"):
        check_chain(lines, 3, 0)
    with pytest.raises(StageError, match=r"a: .* 3 images leave it, and 2 enter b"):
        check_chain(lines[:2], 2, 0)


@pytest.mark.parametrize("dropped", range(4))
def test_a_ledger_without_one_of_its_lines_is_not_exported(at_split: Path, dropped: int) -> None:
    run(stages=["preprocess", "augment"])
    path = Path("data/augment/ledger.csv")
    text = path.read_text().splitlines()
    kept = [line for line in text if ",kept," in line]
    path.write_text("\n".join(line for line in text if line != kept[dropped * 2]))
    with pytest.raises(StageError, match="the ledger does not balance"):
        run(stages=["export"])


def test_a_ledger_that_is_not_one_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.csv").write_text("stage,what,fate,reason,count\na,images,kept,,many\n")
    with pytest.raises(StageError, match=r"ledger.csv: cannot be read .*run dvc repro"):
        read_ledger(tmp_path)
