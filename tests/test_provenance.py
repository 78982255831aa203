"""Where an image of a version comes from: `shardsmith show NAME --image ID`, and making it again from that."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import image_bytes, make_image, make_manifest
from workspaces import Place, make_workspace

from shardsmith.dataset.errors import StageError, VersionError
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Image, Manifest
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.tfrecord import format as tfrecord
from shardsmith.inspect.provenance import describe, find_image, make_again
from shardsmith.pipeline.augment import augment
from shardsmith.pipeline.ingest import ingest
from shardsmith.pipeline.params import AugmentParams, IngestParams, PreprocessParams
from shardsmith.pipeline.preprocess import preprocess

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("provenance")]

PARAMS = """
preprocess:
  enabled: true
  steps:
    - tile: {rows: 1, columns: 2}
    - resize: {width: 32, height: 32}
augment:
  enabled: true
  copies: 3
  steps:
    - rotate: {degrees: 20}
    - mosaic: {probability: 0.5}
    - albumentations: {GaussNoise: {}}
"""
TURN: list = [{"rotate": {"degrees": 20}}, {"noise": {}}]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with one version, `one`, of all steps on. Not to be changed: take `place`."""
    folder = tmp_path_factory.mktemp("built")
    place = make_workspace(folder / "work", folder / "home")
    own = re.sub(r"^(preprocess|augment):.*?(?=^\S)", "", place.read("params.yaml"), flags=re.DOTALL | re.MULTILINE)
    place.write("params.yaml", own + PARAMS)
    place.commit("steps")
    place.quick_build("one")
    return place


@pytest.fixture
def place(built: Place, tmp_path: Path) -> Place:
    """A copy of `built` to be changed."""
    shutil.copytree(built.root, tmp_path / "copy", symlinks=True)
    return Place(tmp_path / "copy", built.env)


def rows(place: Place) -> list[Image]:
    """Of the version, with the paths of their files."""
    return Manifest.read(place.root / "data/augment").image_rows()


def copies(place: Place, mosaic: bool) -> list[Image]:
    return [row for row in rows(place) if row.copy and ('"mosaic"' in (row.origin or "")) is mosaic]


def show(place: Place, *arguments: str) -> str:
    return place.shardsmith("show", "one", "--image", *arguments).stdout


def test_it_prints_the_source_and_every_operation_in_order(built: Place) -> None:
    row = copies(built, mosaic=False)[0]
    tile, source = row.parent_id or "", (row.parent_id or "").partition("#")[0]
    origin = json.loads(row.origin or "")
    raw = hashlib.sha256((built.root / "data/raw" / source).read_bytes()).hexdigest()
    degrees = dict(origin["stages"][1]["operations"])["rotate"]["degrees"]
    lines = show(built, row.image_id).splitlines()
    assert lines[:4] == [
        f"Image:   {row.image_id} (train, 32 x 32 pixels)",
        f"SHA-256: {row.sha256}",
        f"Source:  {source}, SHA-256 {raw}",
        f"Copy:    {row.copy} of {tile}",
    ]
    assert [line.split()[0].strip(":") for line in lines[4:]] == [
        "cut", "resize", "written", "rotate", "albumentations", "written",
    ]  # fmt: skip
    assert f"  rotate: degrees {degrees}, edges black" in lines
    assert lines[-1] == "  written as jpeg, quality 95, unless nothing changed"


def test_json_holds_the_row_and_its_origin(built: Place) -> None:
    row = copies(built, mosaic=True)[0]
    shown = json.loads(show(built, row.image_id, "--json"))
    assert {key: shown[key] for key in ("image_id", "sha256", "split", "copy", "parent_id")} == {
        "image_id": row.image_id, "sha256": row.sha256, "split": "train", "copy": row.copy, "parent_id": row.parent_id,
    }  # fmt: skip
    assert shown["origin"] == json.loads(row.origin or "")
    assert len(dict(shown["origin"]["stages"][1]["operations"])["mosaic"]["partners"]) == 3


def test_a_mosaic_names_its_partners(built: Place) -> None:
    row = copies(built, mosaic=True)[0]
    partners = dict(json.loads(row.origin or "")["stages"][1]["operations"])["mosaic"]["partners"]
    assert f"partners [{', '.join(one['image_id'] for one in partners)}]" in show(built, row.image_id)


def test_remade_it_is_the_image_recorded(built: Place, tmp_path: Path) -> None:
    row = copies(built, mosaic=True)[-1]
    show(built, row.image_id, "--remake", str(tmp_path / "made"))
    made = (tmp_path / "made").read_bytes()
    assert hashlib.sha256(made).hexdigest() == row.sha256
    assert made == (built.root / row.path).read_bytes()


def test_every_image_is_remade_as_recorded(built: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built.root)
    for row in rows(built):
        made = make_again(find_image(Path("data/export/images.parquet").read_bytes(), row.image_id), built.root)
        assert hashlib.sha256(made).hexdigest() == row.sha256


@pytest.mark.parametrize(
    ("image_id", "named"), [("none.jpg", "00.jpg#r1c1"), ("03.jpg", "03.jpg#r1c1"), ("03.jpg#9", "03.jpg#r1c1")]
)
def test_an_unknown_image_names_some_known(built: Place, image_id: str, named: str) -> None:
    message = f"{image_id}: the version has no such image; it has {len(rows(built)):,}, for example {named}"
    with pytest.raises(VersionError, match=re.escape(message)):
        find_image((built.root / "data/export/images.parquet").read_bytes(), image_id)


def test_an_unknown_image_ends_the_command(built: Place) -> None:
    done = built.shardsmith("show", "one", "--image", "03.jpg", ok=False)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (1, "", False)
    assert "03.jpg: the version has no such image" in done.stderr


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_raw_image_that_is_not_as_it_was_is_named(place: Place, tmp_path: Path, harm: str) -> None:
    row = copies(place, mosaic=False)[0]
    source = (row.parent_id or "").partition("#")[0]
    raw = place.root / "data/raw" / source
    raw.unlink()
    if harm == "changed":
        raw.write_bytes(image_bytes(48, 40, 99))
    done = place.shardsmith(
        "show", "one", "--image", row.image_id, "--remake", str(tmp_path / "made"), ok=False
    )  # fmt: skip
    assert (done.returncode, (tmp_path / "made").exists()) == (1, False)
    assert f"{source}: the raw image is not here as it was; `dvc checkout`" in done.stderr


def test_after_checkout_it_is_remade(place: Place, tmp_path: Path) -> None:
    row = copies(place, mosaic=False)[0]
    shutil.rmtree(place.root / "data/raw")
    place.dvc("checkout", "-q", "data/raw.dvc")
    show(place, row.image_id, "--remake", str(tmp_path / "made"))
    assert hashlib.sha256((tmp_path / "made").read_bytes()).hexdigest() == row.sha256


# --- without git and DVC


def made_in(root: Path, ingested: Manifest) -> Manifest:
    """After preprocess and augment, as the version's tables have it."""
    before, *_ = preprocess(
        ingested, PreprocessParams(enabled=True, steps=[{"resize": {"width": 20, "height": 20}}]), root / "data/a"
    )
    result, *_ = augment(before, AugmentParams(enabled=True, steps=TURN), root / "data/b")
    result.write(root / "data/export")
    return result


def test_raw_data_that_came_as_tfrecord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = [make_image(Path("in"), f"{n}.jpg", image_bytes(seed=n), split="train") for n in range(3)]
    tfrecord.write(ExportJob(make_manifest(*images), LabelMap("ds").extended(["cat"])), Path("data/raw"))
    ingested, *_ = ingest(Path("data/raw"), IngestParams(), LabelMap("ds"), Path("data/ingest"))
    ingested.write(Path("data/ingest"))
    result = made_in(Path(), ingested)
    assert result.images.num_rows == 9
    for image in result.image_rows():
        row = find_image(Path("data/export/images.parquet").read_bytes(), image.image_id)
        assert row["origin"]["image_id"] in ingested.images["image_id"].to_pylist()
        assert hashlib.sha256(make_again(row, tmp_path)).hexdigest() == image.sha256


@pytest.fixture
def untouched(tmp_path: Path) -> Path:
    """A folder as of a version without steps."""
    manifest = make_manifest(make_image(tmp_path / "data/raw", "a.jpg", split="valid"))
    for stage in ("ingest", "export"):
        manifest.write(tmp_path / "data" / stage)
    return tmp_path


def test_an_untouched_image_says_so(untouched: Path) -> None:
    row = find_image((untouched / "data/export/images.parquet").read_bytes(), "a.jpg")
    assert describe(row) == [
        "Image:   a.jpg (valid, 32 x 24 pixels)",
        f"SHA-256: {row['sha256']}",
        f"Source:  a.jpg, SHA-256 {row['sha256']}",
        "  untouched",
    ]
    assert make_again(row, untouched) == (untouched / "data/raw/a.jpg").read_bytes()


def test_code_that_makes_other_pixels_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_manifest(make_image(tmp_path / "data/raw", "a.jpg", split="train"))
    manifest.write(tmp_path / "data/ingest")
    made_in(tmp_path, manifest)
    row = find_image((tmp_path / "data/export/images.parquet").read_bytes(), "a.jpg#1")
    row["origin"]["stages"][1]["operations"][0][1]["degrees"] += 5
    with pytest.raises(StageError, match=r"a\.jpg#1: made again, it is not the image recorded: .*requirements\.lock"):
        make_again(row, tmp_path)
