"""preview and steps: what is shown is what a build makes, nothing is changed, and the table of steps is complete."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes
from PIL import Image as PilImage
from workspaces import ROOT, XML

from shardsmith.cli.main import make_parser
from shardsmith.dataset.errors import ParamsError, ShardsmithError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.dataset.shapes import from_mask
from shardsmith.inspect.catalogue import BLOCKS, step_rows, steps_markdown
from shardsmith.inspect.made import MOST_PARTS, PreviewCell, PreviewRow
from shardsmith.inspect.preview import Preview, in_short, only_step
from shardsmith.inspect.rows import look
from shardsmith.inspect.sheet import colour_of, draw_tile, in_lines
from shardsmith.pipeline.augment import augment
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.pipeline.splits.split import split
from shardsmith.pipeline.validate import validate
from shardsmith.transforms.base import FixedStep, RandomStep
from shardsmith.transforms.catalogue import OPERATIONS

BOTH = "preprocess: {enabled: true, steps: [%s]}\naugment: {enabled: true, %s}"
SHRINK = "{resize: {width: 40, height: 36}}"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What makes a folder a workspace, 30 small images with a box each, and two negatives; it is the current folder."""
    root = tmp_path / "workspace"
    (root / "data/raw").mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy2(ROOT / name, root / name)
    draw_raw(root / "data/raw")
    monkeypatch.chdir(root)
    return root


def draw_raw(raw: Path) -> None:
    """30 small images with a box each, and two negatives."""
    for number in range(32):
        label, at = "dog" if number % 5 == 1 else "cat", number % 10
        text = XML.format(name=f"{number:02}", label=label, at=at)
        text = text if number % 16 else re.sub("<object>.*</object>", "", text)
        (raw / f"{number:02}.jpg").write_bytes(image_bytes(48, 40, number))
        (raw / f"{number:02}.xml").write_text(text)


def shown(params: Params, tmp_path: Path, count: int = 12) -> list[PreviewRow]:
    return look(Path("data/raw"), params, count, tmp_path / "shown")


def built(params: Params, tmp_path: Path) -> dict[str, tuple[Image, list[Annotation]]]:
    """image_id -> the image and its annotations, by the stages themselves."""
    manifest, _, findings, _ = ingest(Path("data/raw"), params.ingest, LabelMap("d"), tmp_path)
    manifest = split(validate(manifest, findings, params)[0], params)[0]
    before = preprocess(manifest, params.preprocess, tmp_path / "preprocess")[0]
    after = augment(before, params.augment, tmp_path / "augment")[0]
    found: dict[str, tuple[Image, list[Annotation]]] = {}
    for stage in (manifest, before, after):
        found |= rows_of(stage)
    return found


def rows_of(manifest: Manifest) -> dict[str, tuple[Image, list[Annotation]]]:
    annotations = manifest.annotations_by_image()
    return {image.image_id: (image, annotations.get(image.image_id, [])) for image in manifest.image_rows()}


def same(one: PreviewCell, made: dict[str, tuple[Image, list[Annotation]]]) -> bool:
    """Bytes (by their sha256), origin and annotations; the folder differs, and only a build hashes all pixels."""
    image, annotations = made[one.planned.image.image_id]
    return (
        replace(one.planned.image, path=image.path, pixels=image.pixels) == image
        and list(one.planned.annotations) == annotations
    )


@pytest.mark.parametrize(
    ("text", "copies"),
    [
        ("augment: {enabled: true, steps: [{flip: {}}, {rotate: {degrees: 40}}, {noise: {}}]}", 2),
        ("augment: {enabled: true, copies: 3, steps: [{mosaic: {probability: 0.8}}], splits: [valid, test]}", 3),
        (BOTH % (SHRINK, "balance: true, copies: 2, steps: [{mosaic: {}}, {brightness: {}}]"), None),
        (BOTH % (f"{{tile: {{rows: 2, columns: 3}}}}, {SHRINK}", "steps: [{mosaic: {except_classes: [dog]}}]"), 2),
        (BOTH % ("{isolate_objects: {}}", "keep_original: false, steps: [{flip: {}}], seed: 4"), 2),
        (BOTH % ("{filter_classes: {keep: [cat]}}, {random_sample: {images: 12}}", "steps: [{mosaic: {}}]"), 2),
    ],
    ids=["copies", "mosaic", "balance", "tile", "isolate", "filter"],
)
def test_what_is_shown_is_what_a_build_makes(workspace: Path, tmp_path: Path, text: str, copies: int | None) -> None:
    params = parse_params(text)
    rows, made = shown(params, tmp_path), built(params, tmp_path)
    assert rows
    for row in rows:
        copied = [one for one in row.copies if not one.remark]
        assert all(same(one, made) for one in [*row.preprocessed, *copied])
        assert all(one.planned.image.image_id not in made for one in row.copies if one.remark)
        assert len(row.preprocessed) <= MOST_PARTS
        assert row.original.planned.image.split in params.augment.splits
        assert copies is None or len(row.copies) == copies
    assert len({len(row.copies) for row in rows}) > (copies is None)  # with balance, some have more than others


def test_images_are_spread_and_those_with_annotations_come_first(workspace: Path, tmp_path: Path) -> None:
    params = parse_params("split: {fractions: {train: 1, valid: 0, test: 0}}")
    few, all_ = shown(params, tmp_path, 4), shown(params, tmp_path, 40)
    assert [row.original.planned.image.image_id for row in few] == ["01.jpg", "08.jpg", "17.jpg", "24.jpg"]
    assert len(all_) == 32
    assert [row.original.planned.image.image_id for row in shown(params, tmp_path, 1)] == ["01.jpg"]


@pytest.mark.parametrize("step", ["mosaic", "flip"])
def test_an_image_that_does_not_decode_is_left_out(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    params = parse_params(f"augment: {{enabled: true, steps: [{{{step}: {{probability: 1}}}}]}}")
    before = shown(params, tmp_path)
    bad = before[3].original.planned.image.image_id
    if step == "mosaic":
        taken = [name for row in before for one in row.copies for name in partners(one)]
        bad = next(name for name in taken if name not in {row.original.planned.image.image_id for row in before})
    path = workspace / "data/raw" / bad
    path.write_bytes(path.read_bytes()[:-200])
    rows, made = shown(params, tmp_path), built(params, tmp_path)
    assert f"preview: {bad}: it does not decode" in capsys.readouterr().err
    assert bad not in made
    assert all(same(one, made) for row in rows for one in row.copies if not one.remark)


def partners(one: PreviewCell) -> list[str]:
    return [partner["image_id"] for _, values in one.operations for partner in values.get("partners", [])]


# the command


def run(*arguments: str) -> int:
    options = make_parser().parse_args(["preview", *arguments])
    return options.run(options)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_but_the_sheet_is_written(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(workspace)
    assert run("--n", "3", "-S", "augment.enabled=true", "--set", "preprocess.enabled=true") == 0
    after = files(workspace)
    with PilImage.open(workspace / "preview.png") as sheet:
        assert sheet.size == (4 * 326 - 6, 3 * (240 + 32 + 6) - 6 + 20)  # three rows of four tiles under a header
    assert after.pop("preview.png")[:4] == b"\x89PNG"
    assert after == before
    said = capsys.readouterr()
    assert said.out == "preview: 3 images, 3 preprocessed and 6 copies in preview.png\n"
    assert "off" not in said.err


def test_from_a_folder_below_the_name_of_the_sheet_counts_from_there(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "notes").mkdir()
    monkeypatch.chdir(workspace / "notes")
    run("--n", "1", "--out", "a.jpg")
    assert (workspace / "notes/a.jpg").is_file()


def test_with_both_stages_off_it_says_what_to_switch_on(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--n", "5", "--out", "sheet.png")
    said = capsys.readouterr()
    assert said.out == "preview: 5 images in sheet.png\n"
    assert "add --set preprocess.enabled=true" in said.err
    with PilImage.open("sheet.png") as sheet:
        assert sheet.size == (4 * 326 - 6, 2 * 278 - 6 + 20)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--out", "a.txt"], "allowed: a name that ends in .png"),
        (["--out", "data/raw/a.png"], "it would become raw data; name a place outside data/raw"),
        (["--out", "none/a.png"], "no such folder"),
        (["--set", "augment.copies=none"], "augment.copies"),
        (["--step", "rotat"], "--step rotat: no such step"),
        (["--step", "crop"], "two steps have that name; allowed: preprocess.crop, augment.crop"),
        (["--step", "augment.resize"], "no such step"),
        (["--step", "tile"], "--step tile: tile: allowed: rows and columns, or width and height; list the step"),
        (["-S", "preprocess.enabled=true", "-S", "preprocess.steps=[{filter_tags: {keep: [x]}}]"], "leaves no image"),
    ],
)
def test_what_cannot_be_drawn_is_said(workspace: Path, arguments: list[str], error: str) -> None:
    with pytest.raises(ShardsmithError, match=re.escape(error)):
        run(*arguments)
    assert not list(workspace.glob("*.png"))


def test_no_image_is_not_a_number_of_images(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run("--n", "0")
    assert (end.value.code, "--n 0: not a whole number from 1" in capsys.readouterr().err) == (2, True)


def test_without_raw_data_it_says_where_to_put_some(workspace: Path) -> None:
    shutil.rmtree(workspace / "data/raw")
    with pytest.raises(ShardsmithError, match="data/raw: no such folder; put images and annotations there"):
        run()


def test_one_step_alone() -> None:
    text = "preprocess: {enabled: true, steps: [{resize: {width: 9, height: 9}}]}\naugment: {steps: [{flip: {}}]}"
    params = parse_params(text)
    alone = only_step(params, "rotate")
    assert (alone.preprocess.enabled, alone.augment.enabled, alone.augment.steps) == (False, True, [{"rotate": {}}])
    listed = only_step(params, "resize")
    assert (listed.preprocess.enabled, listed.augment.enabled) == (True, False)
    assert listed.preprocess.steps == [{"resize": {"width": 9, "height": 9}}]
    with pytest.raises(ParamsError, match=r"resize.width: .*needed; list the step"):
        only_step(Params(), "resize")


# drawing


def test_boxes_polygons_and_masks_are_drawn_where_they_are() -> None:
    pixels, mask = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)
    mask[40:50, 60:70] = 1
    rows = [
        box("a", "box", 10, 30, 30, 50),
        replace(box("a", "mask", 60, 40, 70, 50), segmentation=from_mask(mask)),
        replace(box("a", "polygon", 40, 10, 60, 20), segmentation="[[42, 12, 58, 12, 50, 18]]"),
    ]
    drawn = np.asarray(draw_tile(pixels, rows, (800, 600))).astype(int)
    assert [drawn[y, x].tolist() == list(colour_of("box")) for y, x in ((400, 99), (400, 300), (400, 200))] == [1, 1, 0]
    assert np.allclose(drawn[450, 650], 0.45 * np.array(colour_of("mask")), atol=2)
    assert not drawn[430, 590].any()
    assert drawn[120, 500].tolist() == list(colour_of("polygon"))
    whole = draw_tile(pixels, [Annotation("a", "cat", None, None, None, None)], (80, 60))
    assert np.asarray(whole).any()


def test_a_tile_shows_the_image_whole_or_is_filled_by_it() -> None:
    pixels = np.full((100, 50, 3), 255, np.uint8)
    whole, filled = (np.asarray(draw_tile(pixels, [], (100, 100), fill))[50] for fill in (False, True))
    assert [int((line == 255).all(axis=1).sum()) for line in (whole, filled)] == [50, 100]


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        ([], ""),
        ([("flip", {"axis": "horizontal"})], "flip horizontal"),
        ([("hue", {"degrees": 40.0}), ("rotate", {"degrees": -7.31, "edges": "black"})], "hue 40; rotate -7.3"),
        ([("zoom", {"zoom": 0.1234, "x": 0.5, "y": 1.0})], "zoom 0.12, x 0.5, y 1"),
        ([("grayscale", {})], "grayscale"),
        ([("mosaic", {"partners": [{}], "x": 0.5, "y": 0.25, "place": 1})], "mosaic x 0.5, y 0.25"),
        ([("cutout", {"holes": [[0, 0, 1, 1]] * 3, "colour": "black"})], "cutout 3 holes"),
        ([("albumentations", {"transforms": [{"D4": {}}, {"CLAHE": {}}], "seed": 1})], "albumentations D4, CLAHE"),
    ],
)  # fmt: skip
def test_operations_in_short(operations: Sequence, words: str) -> None:
    assert in_short(operations) == words


def test_captions_stay_within_their_lines() -> None:
    assert in_lines("a b", 300, 2) == ["a b"]
    assert in_lines("", 300, 2) == []
    lines = in_lines("word " * 60, 300, 2)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert len(in_lines("x" * 500, 300, 2)) == 2


@pytest.mark.parametrize(
    ("counts", "words"),
    [((2, 0, 0), "2 images"), ((2, 0, 4), "2 images and 4 copies"), ((2, 8, 0), "2 images and 8 preprocessed")],
)
def test_what_was_drawn_in_words(counts: tuple[int, int, int], words: str) -> None:
    assert str(Preview(*counts)) == words


# the table of steps


def test_every_step_and_parameter_is_described() -> None:
    rows = step_rows()
    assert [(row.block, row.name) for row in rows] == [(block, name) for block in BLOCKS for name in BLOCKS[block]]
    for row in rows:
        assert row.summary.endswith("."), row.name
        assert {one.name for one in row.parameters} == set(BLOCKS[row.block][row.name].model_fields)
        for one in row.parameters:
            assert one.description, f"{row.name}.{one.name} has no description"
            assert one.values and "anything" not in one.values, f"{row.name}.{one.name}"


@pytest.mark.parametrize(
    ("block", "name", "objects"),
    [
        ("augment", "rotate", "move with the pixels"),
        ("augment", "hue", "stay as they are"),
        ("augment", "cutout", "stay as they are; what is painted over counts as cut off"),
        ("preprocess", "tile", "move with the pixels, each to the tiles that show it"),
        ("preprocess", "filter_tags", "that are kept stay as they are"),
    ],
)
def test_what_becomes_of_objects(block: str, name: str, objects: str) -> None:
    (row,) = (row for row in step_rows() if (row.block, row.name) == (block, name))
    assert row.objects == objects


def test_a_step_becomes_operations_of_the_kind_that_its_name_says() -> None:
    """The table takes what becomes of objects from the operator of the step's name."""
    for steps in BLOCKS.values():
        for name, step in steps.items():
            fields = step.model_fields.values()
            if any(field.is_required() for field in fields) or not issubclass(step, FixedStep | RandomStep):
                continue
            if name == "mosaic":  # joins, and draws nothing by itself
                continue
            one = step()
            drawn = one.operations() if isinstance(one, FixedStep) else one.draw(np.random.default_rng(0))  # type: ignore[union-attr]
            own = OPERATIONS["box_zoom" if name == "box_crop" else name]
            assert {type(OPERATIONS[operation]) for operation, _ in drawn} <= {type(own)}, name


def test_the_document_is_what_the_catalogue_says() -> None:
    assert (ROOT / "docs/steps.md").read_text(encoding="utf-8") == steps_markdown(), "run: python -m docs.steps"


def test_steps_prints_json_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["steps", "--json"], ["steps"]):
        options = make_parser().parse_args(arguments)
        assert options.run(options) == 0
    said = capsys.readouterr().out
    listed, end = json.JSONDecoder().raw_decode(said)
    assert len(listed) == len(step_rows())
    resize = next(step for step in listed if step["name"] == "resize")
    assert resize["parameters"][0] == {
        "name": "width", "values": "whole number from 1 to 16384", "default": None, "description": "pixels",
    }  # fmt: skip
    assert "rotate: Turn about the centre" in said[end:]
