"""augment: what copies are, and that nothing but seed, image and copy number decides how they look."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import CODE, box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage
from planted import saved

from shardsmith.dataset import images
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.pipeline.augment import augment
from shardsmith.pipeline.params import AugmentParams, PreprocessParams
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.pipeline.stage import read_stage, write_stage
from shardsmith.transforms.base import Recolour
from shardsmith.transforms.catalogue import OPERATIONS
from shardsmith.transforms.run.origin import remake

PREPROCESSED = [{"resize": {"width": 64, "height": 48}}, {"tile": {"rows": 1, "columns": 2}}]
STEPS = [{"flip": {}}, {"rotate": {"degrees": 30}}, {"brightness_contrast": {}}]


def on(copies: int = 2, seed: int = 0, steps: list | None = None, min_visibility: float = 0.1) -> AugmentParams:
    return AugmentParams(
        enabled=True, copies=copies, seed=seed, steps=STEPS if steps is None else steps, min_visibility=min_visibility
    )


def many(folder: Path, count: int) -> list[Image]:
    names = [f"{number:02}.jpg" for number in range(count)]
    return [make_image(folder, name, image_bytes(32, 24, seed), split="train") for seed, name in enumerate(names)]


def with_boxes(rows: list[Image]) -> Manifest:
    return make_manifest(*rows, *(box(row.image_id, "cat", 4, 4, 20, 20) for row in rows))


def looks(manifest: Manifest) -> dict[str, tuple]:
    """image_id -> its bytes and boxes."""
    boxes = manifest.annotations_by_image()
    return {
        row.image_id: (row.sha256, [(a.xmin, a.ymin, a.xmax, a.ymax) for a in boxes.get(row.image_id, [])])
        for row in manifest.image_rows()
    }


def test_copies_stand_beside_their_originals(tmp_path: Path) -> None:
    manifest = make_manifest(
        make_image(tmp_path, "a.jpg", split="train", group="g", tags=["night"]),
        make_image(tmp_path, "b.png", image_bytes(format="PNG"), split="train"),
        make_image(tmp_path, "c.jpg", split="valid"),
        make_image(tmp_path, "d.jpg", split="test"),
        *(box(name, "cat", 8, 8, 24, 16, attributes='{"pose": "left"}') for name in ("a.jpg", "c.jpg")),
    )
    result, findings, summary = augment(manifest, on(), tmp_path / "out")
    rows = {row.image_id: row for row in result.image_rows()}
    assert list(rows) == ["a.jpg", "a.jpg#1", "a.jpg#2", "b.png", "b.png#1", "b.png#2", "c.jpg", "d.jpg"]
    originals = [row for row in rows.values() if not row.copy]
    assert originals == manifest.image_rows()
    copy = rows["a.jpg#2"]
    assert (copy.parent_id, copy.copy, copy.split, copy.group, copy.tags) == ("a.jpg", 2, "train", "g", ["night"])
    assert (copy.width, copy.height, copy.format, rows["b.png#1"].format) == (32, 24, "jpeg", "png")
    assert hashlib.sha256(Path(copy.path).read_bytes()).hexdigest() == copy.sha256
    assert len({row.sha256 for row in rows.values() if row.image_id.startswith("a")}) == 3
    assert [(a.image_id, a.attributes) for a in result.annotation_rows()] == [
        (name, '{"pose": "left"}') for name in ("a.jpg", "a.jpg#1", "a.jpg#2", "c.jpg")
    ]
    assert not findings
    assert summary.startswith("4 copies of 2 train images (Horizontal flip, 50 % of images; Rotation")


@pytest.mark.parametrize("params", [AugmentParams(steps=STEPS), on(steps=[])], ids=["off", "no steps"])
def test_off_passes_through(params: AugmentParams, tmp_path: Path) -> None:
    manifest = with_boxes(many(tmp_path, 1))
    augment(manifest, on(), tmp_path / "out")
    assert augment(manifest, params, tmp_path / "out") == (manifest, [], "off")
    assert not list((tmp_path / "out").iterdir())


def test_without_train_images_there_is_nothing_to_do(tmp_path: Path) -> None:
    manifest = make_manifest(make_image(tmp_path, split="valid"))
    result, _, summary = augment(manifest, on(), tmp_path / "out")
    assert result == manifest
    assert summary.startswith("0 copies")


def test_a_box_that_a_copy_lost_is_named(tmp_path: Path) -> None:
    manifest = make_manifest(
        make_image(tmp_path, split="train"), box("a.jpg", "corner", 0, 0, 3, 3), box("a.jpg", "mid", 14, 10, 18, 14)
    )
    turn = [{"rotate": {"degrees": 180}}]
    result, findings, summary = augment(manifest, on(8, steps=turn, min_visibility=1), tmp_path / "out")
    assert {one.code for one in findings} == {"box-lost"}
    assert {one.value for one in findings} == {"corner"}
    assert findings[0].file == "a.jpg"
    assert findings[0].place.endswith(", object 1")
    assert f", {len(findings)} box-lost\n" in summary
    assert summary.endswith(f"  rotate         8          0 {len(findings):11}")
    assert result.annotations.num_rows == 2 + 16 - len(findings)
    assert augment(manifest, on(8, steps=turn, min_visibility=1), tmp_path / "out")[:2] == (result, findings)
    assert len(augment(manifest, on(8, steps=turn, min_visibility=0), tmp_path / "out")[1]) < len(findings)


def test_outlines_follow(tmp_path: Path) -> None:
    outline = box("a.jpg", "cat", area=7.0, segmentation="[[2, 3, 12, 3, 12, 13]]")
    manifest = make_manifest(make_image(tmp_path, split="train"), outline)
    for steps, expected in (
        ([{"brightness_contrast": {}}], outline.segmentation),
        ([{"flip": {"horizontal": 1}}], "[[30.0,3.0,20.0,3.0,20.0,13.0]]"),
    ):
        result, *_ = augment(manifest, on(1, steps=steps), tmp_path / "out")
        assert [row.area for row in result.annotation_rows()] == [7.0, 7.0]
        assert result.annotation_rows()[1].segmentation == expected


def test_identical_copies_are_made_once(tmp_path: Path) -> None:
    manifest = with_boxes(many(tmp_path, 6))
    for keep_original in (True, False):
        params = AugmentParams(enabled=True, copies=5, steps=[{"flip": {}}], keep_original=keep_original)
        result, findings, summary = augment(manifest, params, tmp_path / "out")
        per_image = Counter(row.image_id.partition("#")[0] for row in result.image_rows())
        assert set(per_image.values()) == {2}  # as it is, and flipped
        assert {one.code for one in findings} == {"copy-identical"}
        assert len(findings) == 6 * (5 + keep_original) - 12
        assert all("identical to" in one.reason for one in findings)
        assert ("which are left out themselves" in summary) is not keep_original


def test_other_splits_by_choice(tmp_path: Path) -> None:
    rows = [make_image(tmp_path, f"{split}.jpg", split=split) for split in ("train", "valid", "test")]
    params = AugmentParams(enabled=True, copies=1, steps=[{"rotate": {}}], splits=["valid", "test"])
    result, *_ = augment(make_manifest(*rows), params, tmp_path / "out")
    assert [row.image_id for row in result.image_rows() if row.copy] == ["test.jpg#1", "valid.jpg#1"]


def test_rare_classes_get_more_copies(tmp_path: Path) -> None:
    rows = many(tmp_path, 40)
    labels = ["rare"] * 2 + ["common"] * 32  # 4 times as rare after the square root; six images have none
    boxes = [box(row.image_id, label, 4, 4, 20, 20) for row, label in zip(rows, labels, strict=False)]
    params = AugmentParams(enabled=True, copies=2, steps=[{"rotate": {}}], balance=True)
    result, *_ = augment(make_manifest(*rows, *boxes), params, tmp_path / "out")
    copies = Counter(row.parent_id for row in result.image_rows() if row.copy)
    assert [copies[row.image_id] for row in rows] == [8] * 2 + [2] * 38


def test_the_picture_can_be_made_again_from_its_origin_alone(tmp_path: Path) -> None:
    rows = many(tmp_path / "raw", 8)
    pre, *_ = preprocess(with_boxes(rows), PreprocessParams(enabled=True, steps=PREPROCESSED), tmp_path / "pre")
    steps = [{"mosaic": {"probability": 1}}, {"rotate": {}}, {"noise": {}}, {"albumentations": {"GridDistortion": {}}}]
    result, *_ = augment(pre, on(2, steps=steps), tmp_path / "out")
    raw = {row.image_id: row for row in rows}

    def read(image_id: str, sha256: str) -> tuple[bytes, str, int]:
        row = raw[image_id]
        assert row.sha256 == sha256
        return Path(row.path).read_bytes(), row.format or "", row.orientation

    made = [row for row in result.image_rows() if row.copy]
    assert len(made) == 2 * pre.images.num_rows
    for row in [*made[:6], *pre.image_rows()[:3]]:
        assert row.origin
        assert hashlib.sha256(remake(json.loads(row.origin), read)).hexdigest() == row.sha256


def test_a_name_that_a_copy_would_take_is_refused(tmp_path: Path) -> None:
    manifest = make_manifest(*(make_image(tmp_path, name, split="train") for name in ("a.jpg", "a.jpg#1")))
    with pytest.raises(StageError, match=r"a\.jpg#1: .*rename"):
        augment(manifest, on(), tmp_path / "out")


@pytest.fixture
def picky(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that cannot take a red picture."""
    monkeypatch.setitem(OPERATIONS, "rotate", Recolour(lambda pixels, **_: _unless_red(pixels)))


def _unless_red(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(pixels[:0], (1, 1)) if pixels[0, 0, 0] > 200 > pixels[0, 0, 1] + 100 else 255 - pixels


def plain(folder: Path, *names: str) -> Manifest:
    """Pictures in the colours that they are named after."""
    pictures = {name: saved(PilImage.new("RGB", (32, 24), name[:-4]), "PNG") for name in names}
    return with_boxes([make_image(folder, name, data, split="train") for name, data in pictures.items()])


def test_a_copy_that_cannot_be_made_is_named_and_left_out(tmp_path: Path, picky: None) -> None:
    manifest = plain(tmp_path, "green.png", "red.png")
    for _ in range(2):  # also when the rest is there already
        result, findings, summary = augment(manifest, on(steps=[{"rotate": {}}], copies=1), tmp_path / "out")
        assert [row.image_id for row in result.image_rows()] == ["green.png", "green.png#1", "red.png"]
        assert [(one.code, one.file, one.place) for one in findings] == [("image-not-transformed", "red.png", "copy 1")]
        assert re.match(r"32 x 24 pixels cannot be transformed \(rotate\): .*resize", findings[0].reason)
        assert "1 copies of 2 train images" in summary
        assert "\n    red.png, copy 1: 32 x 24 pixels cannot be transformed (rotate): " in summary


def test_a_step_that_no_image_can_take_stops(tmp_path: Path, picky: None) -> None:
    with pytest.raises(StageError, match=r"^no image can .*; red\.png, copy 1: 32 x 24 pixels .*; change the step"):
        augment(plain(tmp_path, "red.png"), on(steps=[{"rotate": {}}]), tmp_path / "out")


@pytest.mark.parametrize("error", [MemoryError(), cv2.error("Failed to allocate")])
def test_a_lack_of_memory_leaves_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(pixels: np.ndarray, **_: object) -> np.ndarray:
        raise error

    if isinstance(error, cv2.error):
        error.code = cv2.Error.StsNoMem
    monkeypatch.setitem(OPERATIONS, "rotate", Recolour(fail))
    with pytest.raises(StageError, match=r"green\.png: its 32 x 24 pixels .*not enough memory"):
        augment(plain(tmp_path, "green.png"), on(steps=[{"rotate": {}}]), tmp_path / "out")


def test_an_original_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, read, decode = with_boxes(many(tmp_path, 2)), [], images.decode
    monkeypatch.setattr(images, "decode", lambda data, at_least: read.append(1) or decode(data, at_least))
    augment(manifest, on(3), tmp_path / "out")
    assert len(read) == 2
    _, _, summary = augment(manifest, on(4), tmp_path / "out")
    assert "6 reused" in summary
    assert len(read) == 4


# determinism


def test_only_seed_image_and_copy_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = many(tmp_path / "raw", 50)
    seen = {}
    for name, workers, part in (("all", "1", rows), ("shuffled", "2", rows[::-1]), ("half", "4", rows[::2])):
        monkeypatch.setenv("SHARDSMITH_WORKERS", workers)
        monkeypatch.setattr("shardsmith.dataset.workers.ALONE_S", 0)
        seen[name] = looks(augment(with_boxes(part), on(), tmp_path / name)[0])
    assert seen["shuffled"] == seen["all"]
    assert len(seen["half"]) == 75
    assert seen["half"].items() <= seen["all"].items()


def test_another_seed_gives_other_copies(tmp_path: Path) -> None:
    manifest = with_boxes(many(tmp_path, 3))
    first, other = (looks(augment(manifest, on(seed=seed), tmp_path / "out")[0]) for seed in (0, 1))
    assert {key for key in first if first[key] == other[key]} == {"00.jpg", "01.jpg", "02.jpg"}


PLAIN_CPU = {
    "OPENCV_CPU_DISABLE": "AVX2,AVX512-SKX",
    "OPENCV_IPP": "disabled",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "JSIMD_FORCESSE2": "1",
}


@pytest.mark.slow
def test_another_cpu_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [make_image(Path("raw"), f"{n}.jpg", image_bytes(200, 160, n), split="train") for n in range(3)]
    write_stage(Path("in"), with_boxes(rows), [])
    steps = "[{flip: {}}, {rotate: {degrees: 30}}, {brightness_contrast: {}}]"
    resize = "{enabled: true, steps: [{resize: {width: 150, height: 250, mode: fill}}]}"
    Path("params.yaml").write_text(f"augment: {{enabled: true, copies: 3, steps: {steps}}}\npreprocess: {resize}\n")
    code = "from pathlib import Path; from stages import preprocess, augment\n"
    code += (
        "for stage, *folders in ((preprocess, 'in', 'mid'), (augment, 'mid', 'out')): stage.main(*map(Path, folders))"
    )
    tables = []
    for cpu in ({}, PLAIN_CPU):
        environment = {**os.environ, "PYTHONPATH": CODE, **cpu}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.DEVNULL)
        tables.append(read_stage(Path("out")))
        assert tables[-1][0].images.num_rows == 12
        for folder in ("mid", "out"):
            (Path(folder) / "outputs.parquet").unlink()  # so that nothing is reused
    assert tables[0] == tables[1]
