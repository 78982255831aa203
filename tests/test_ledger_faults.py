"""A row that gets lost or invented is named: each stage's core made to do wrong, and files changed between stages."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from staged import STAGES, Change, enter, prepare, run_stages, twice, without
from test_ledger import STEPS

import shardsmith.pipeline.augment as augmentation
import shardsmith.pipeline.export as exporting
import shardsmith.pipeline.ingest as ingestion
import shardsmith.pipeline.validate as validation
import stages.augment
import stages.split
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import about, found
from shardsmith.dataset.manifest import Manifest, write_sums
from shardsmith.transforms.run import outputs
from shardsmith.transforms.steps import parts, select


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Up to augment, all off."""
    return prepare(tmp_path_factory.mktemp("prepared"), STAGES[:-1])


@pytest.fixture
def at_augment(prepared: Path, workspace: Path) -> Path:
    shutil.copytree(prepared / "data", workspace / "data", dirs_exist_ok=True)
    return workspace


def swapped(manifest: Manifest) -> Manifest:
    """Two boxes of different classes stand in each other's place."""
    rows = list(range(manifest.annotations.num_rows))
    labels = manifest.annotations["label"].to_pylist()
    at = next(row for row in rows if labels[row] != labels[row + 1])
    rows[at], rows[at + 1] = at + 1, at
    ids = manifest.annotations["image_id"]
    table = manifest.annotations.take(rows).set_column(0, "image_id", ids)
    return Manifest(manifest.images, table)


def spoilt(done: Any, wrong: Callable[[Manifest], Manifest]) -> Any:
    """What a core gave, with another manifest: in a tuple, or of split."""
    return (wrong(done[0]), *done[1:]) if isinstance(done, tuple) else replace(done, manifest=wrong(done.manifest))


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
    "split": ("place", ""),
    "preprocess": ("preprocess", "preprocess: {enabled: true, steps: [{tile: {rows: 1, columns: 2}}]}"),
    "preprocess, whole": ("preprocess", "preprocess: {enabled: true, steps: [{resize: {width: 32, height: 32}}]}"),
    "preprocess, off": ("preprocess", ""),
    "augment": ("augment", "augment: {enabled: true, steps: [{rotate: {degrees: 20}}]}"),
    "augment, off": ("augment", ""),
    "augment, mosaic": ("augment", "augment: {enabled: true, keep_original: false, steps: [{mosaic: {}}]}"),
}


@pytest.mark.parametrize("wrong", WRONGS)
@pytest.mark.parametrize("where", CORES)
def test_a_stage_that_loses_or_invents_a_row_fails(
    at_augment: Path, monkeypatch: pytest.MonkeyPatch, where: str, wrong: str
) -> None:
    stage = where.partition(",")[0]
    name, params = CORES[where]
    module = importlib.import_module(f"stages.{stage}")
    core = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: spoilt(core(*given), WRONGS[wrong]))
    with pytest.raises(StageError, match=f"^{stage}: the ledger does not balance: "):
        run_stages(params, [stage])


def other(what: str, column: str, value: str) -> Change:
    """The first row has another value."""

    def change(manifest: Manifest) -> Manifest:
        table = getattr(manifest, what)
        values = [value, *table[column].to_pylist()[1:]]
        return Manifest(
            **{
                "images": manifest.images,
                "annotations": manifest.annotations,
                what: table.set_column(table.column_names.index(column), column, [values]),
            }
        )

    return change


AT_EXPORT = {
    **{name: change for name, change in WRONGS.items() if change is not swapped},
    "other bytes": other("images", "sha256", "0" * 64),
    "another class": other("annotations", "label", "emu"),
}


@pytest.mark.parametrize("wrong", AT_EXPORT)
def test_an_export_that_loses_or_invents_a_row_fails(
    at_augment: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    write = exporting.write_tables
    monkeypatch.setattr(exporting, "write_tables", lambda manifest, to: write(AT_EXPORT[wrong](manifest), to))
    with pytest.raises(StageError, match=r"^export: the ledger does not balance: row "):
        run_stages(stages=["export"])
    assert not Path("data/export").exists()


def test_the_error_names_the_row(at_augment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = stages.split.place
    monkeypatch.setattr(stages.split, "place", lambda *given: spoilt(core(*given), without("images", 3)))
    with pytest.raises(StageError, match=r"image 03\.jpg entered, and neither came out nor was dropped by a finding"):
        run_stages(stages=["split"])


@pytest.mark.parametrize(
    ("stage", "module", "name"),
    [
        ("validate", validation, "check_boxes"),
        ("preprocess", outputs, "_lost"),
        ("augment", outputs, "_lost"),
        ("augment", augmentation, "found"),
        ("ingest", ingestion, "apply_classes"),
        ("preprocess", parts, "_on"),
    ],
)
def test_a_loss_without_its_finding_fails(
    at_augment: Path, monkeypatch: pytest.MonkeyPatch, stage: str, module: object, name: str
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
        run_stages(params, [stage])


def test_one_finding_does_not_account_for_two_boxes_of_a_class(
    at_augment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = select.MinBoxSize.plan

    def silent(step: select.MinBoxSize, images: list) -> tuple:
        planned, findings = core(step, images)
        cats = [one for one in findings if (one.file, one.value) == ("odd.jpg", "cat")]
        assert len(cats) == 2
        return planned, [one for one in findings if one is not cats[0]]

    monkeypatch.setattr(select.MinBoxSize, "plan", silent)
    with pytest.raises(StageError, match=r"box \d \(cat\) of image odd\.jpg entered, and nothing came of it"):
        run_stages("preprocess: {enabled: true, steps: [{min_box_size: {side: 25}}]}", ["preprocess"])


def changed(what: str, row: int, column: str, value: object) -> Change:
    def change(manifest: Manifest) -> Manifest:
        images, annotations = manifest.image_rows(), manifest.annotation_rows()
        setattr({"images": images, "annotations": annotations}[what][row], column, value)
        return Manifest.of(images, annotations)

    return change


COPIED = "augment: {enabled: true, copies: 1, splits: [train, valid, test], steps: [{flip: {horizontal: 1}}]}"
CHANGES = [
    (changed("images", 0, "split", "test"), r"image 00\.jpg has another split", "an original"),
    (changed("images", 1, "split", "test"), r"image 00\.jpg#1 has another split", "a copy"),
    (changed("images", 1, "group", "x"), r"image 00\.jpg#1 has another group", "a copy's group"),
    (changed("annotations", 0, "xmin", 3.5), r"box 1 \(cat\) of image 00\.jpg has another xmin", "an original's box"),
    (changed("annotations", 4, "label", "cow"), r"of image 00\.jpg has another label", "a copy's box"),
]


@pytest.mark.parametrize(("change", "message", "why"), CHANGES, ids=[row[-1] for row in CHANGES])
def test_a_row_that_augment_changes_is_named(
    at_augment: Path, monkeypatch: pytest.MonkeyPatch, change: Change, message: str, why: str
) -> None:
    core = stages.augment.augment
    monkeypatch.setattr(stages.augment, "augment", lambda *given: (change((done := core(*given))[0]), *done[1:]))
    with pytest.raises(StageError, match=message):
        run_stages(COPIED, ["augment"])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("copy-identical", r"image 00\.jpg#1 is left out by a finding, and came out"),
        ("image-not-transformed", r"image 00\.jpg#1 was made, and a finding says that it was not"),
    ],
)
def test_a_copy_that_a_finding_leaves_out_and_that_came_out_fails(
    at_augment: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    core = stages.augment.augment
    wrong = about(code, "00.jpg", made="00.jpg#1")
    monkeypatch.setattr(stages.augment, "augment", lambda *given: ((done := core(*given))[0], [*done[1], wrong], ""))
    with pytest.raises(StageError, match=message):
        run_stages(COPIED, ["augment"])


def test_a_copy_that_is_passed_over_without_a_finding_fails(at_augment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = augmentation.transform

    def wrong(*given: object, **how: object) -> tuple:
        rows, tally = core(*given, **how)
        return (row for row in rows if row[0].image_id != "00.jpg#1"), tally

    monkeypatch.setattr(augmentation, "transform", wrong)
    with pytest.raises(StageError, match=r"image 00\.jpg#1 was planned, and not made"):
        run_stages(COPIED, ["augment"])


# --- a row lost or doubled by hand between two stages


@pytest.mark.parametrize("what", ["images", "annotations"])
@pytest.mark.parametrize("stage", STAGES[:-1])
@pytest.mark.parametrize("change", [without, twice])
def test_a_table_changed_between_stages_fails(at_augment: Path, stage: str, what: str, change: Callable) -> None:
    folder = Path("data", stage)
    change(what, 4)(Manifest.read(folder)).write(folder)
    after = STAGES[STAGES.index(stage) + 1 :]
    with pytest.raises(
        StageError, match=r"the ledger does not balance|(stands there twice|is not there); run dvc repro"
    ):
        run_stages(stages=after)


def test_a_step_that_leaves_out_an_image_silently_fails(at_augment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = select._keep
    monkeypatch.setattr(select, "_keep", lambda *given: (core(*given)[0], core(*given)[1][1:]))
    with pytest.raises(StageError, match=r"image \S+ entered, and nothing came of it"):
        run_stages(f"preprocess: {{enabled: true, steps: {STEPS['sample']}}}", ["preprocess"])


@pytest.mark.parametrize("dropped", range(4))
def test_a_ledger_without_one_of_its_lines_is_not_exported(at_augment: Path, dropped: int) -> None:
    path = Path("data/augment/ledger.csv")
    text = path.read_text().splitlines()
    kept = [line for line in text if ",kept," in line]
    path.write_text("\n".join(line for line in text if line != kept[dropped * 2]))
    write_sums(path.parent, path.name)
    with pytest.raises(StageError, match="the ledger does not balance"):
        run_stages(stages=["export"])
