"""export: all formats or none, a README in words, metrics and plots."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from conftest import box, image_bytes, make_image, make_manifest
from staged import run_stage

from shardsmith.dataset.errors import FindingError, StageError
from shardsmith.dataset.findings import found
from shardsmith.dataset.label_map import LabelMap
from shardsmith.formats.losses import losses_of_export
from shardsmith.ledger.counts import count_findings, count_manifest
from shardsmith.pipeline.export import count
from shardsmith.pipeline.stage import write_stage
from shardsmith.versions.summary import summary


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders that export reads, as the stages before it leave them."""
    monkeypatch.chdir(tmp_path)
    manifest = make_manifest(
        make_image(Path("data/raw"), "a.jpg", image_bytes(seed=1), split="train"),
        make_image(Path("data/raw"), "b.jpg", image_bytes(seed=2), split="valid"),
        box("a.jpg", "cat"),
        box("a.jpg", "<i>|dog"),
    )
    write_stage(Path("data/augment"), manifest, [found("box-empty", "a.jpg", "box 1")])
    Path("source.json").write_text('{"description": "data labelled as X"}')
    Path("label_map.pbtxt").write_text(LabelMap("ds", {"cat": 1, "<i>|dog": 2, "gone": 3}).format())
    Path("params.yaml").write_text("export: {formats: [tfrecord, voc, coco, tfod_csv]}")
    return tmp_path


def run() -> None:
    run_stage("export", "data/augment source.json label_map.pbtxt data/export data/metrics.json data/plots shards.csv")


def test_each_format_in_its_own_folder_with_a_readme(workspace: Path) -> None:
    run()
    folders = {path.name: path for path in Path("data/export").iterdir() if path.is_dir()}
    assert sorted(folders) == ["coco", "tfod_csv", "tfrecord", "voc"]
    assert all((folder / "README.md").is_file() for folder in folders.values())
    assert sorted(path.name for path in folders["tfrecord"].iterdir()) == [
        "README.md", "dataset_info.json", "ds-train.tfrecord-00000-of-00001", "ds-valid.tfrecord-00000-of-00001",
        "features.json", "image-object-class-label.labels.txt",
        "label_map.csv", "label_map.pbtxt",
    ]  # fmt: skip


def test_tfds_makes_up_no_homepage(workspace: Path) -> None:
    """Where dataset_info.json has none, it says one below tensorflow.org."""
    run()
    info = json.loads(Path("data/export/tfrecord/dataset_info.json").read_text())
    assert info["location"] == {"urls": ["README.md"]}


def test_readme_says_what_it_is_and_shows_names_as_text(workspace: Path) -> None:
    run()
    readme = Path("data/export/tfrecord/README.md").read_text()
    for line in (
        "2 images with 2 boxes around objects of 2 classes.",
        "| train | 1 | 2 | 0 | 0 |",
        "| 2 | &lt;i>\\|dog | 1 | 0 | 0 |",
        "| 3 | gone | 0 | 0 | 0 |",
        "- Source: data labelled as X.",
        "box-empty: 1 (1 dropped)",
        'tfds.builder_from_directory("FOLDER")',
        "FOLDER/ds-train.tfrecord-*",
    ):
        assert line in readme


def test_metrics_and_plots(workspace: Path) -> None:
    run()
    metrics = json.loads(Path("data/metrics.json").read_text())
    assert metrics | {"splits": 0, "classes": 0, "bytes": 0} == {
        "splits": 0, "classes": 0, "bytes": 0, "dataset": "ds", "images": 2, "boxes": 2, "negatives": 1, "copies": 0,
        "annotation_kind": "boxes", "findings": {"box-empty": 1, "not-exported": 1}, "dropped": {"box-empty": 1},
    }  # fmt: skip
    assert metrics["splits"]["test"] == {"images": 0, "boxes": 0, "negatives": 0, "copies": 0}
    assert metrics["bytes"] == sum(path.stat().st_size for path in Path("data/export").rglob("*") if path.is_file())
    assert Path("data/plots/classes.csv").read_text().splitlines()[1:4] == [
        "<i>|dog,train,1",
        "<i>|dog,valid,0",
        "<i>|dog,test,0",
    ]
    assert Path("data/plots/findings.csv").read_text() == "code,count\nbox-empty,1\nnot-exported,1\n"


@pytest.mark.filterwarnings("ignore")  # of rdflib and pandas
def test_mlcroissant_reads_the_description(workspace: Path, caplog: pytest.LogCaptureFixture) -> None:
    import mlcroissant

    facts = 'license: CC BY 4.0, citation: "A, B: C", description: "é \\"x\\"", homepage: not an address'
    params = f"dataset: {{{facts}}}\nexport: {{formats: [tfrecord, voc, coco, tfod_csv, webdataset]}}"
    Path("params.yaml").write_text(params, encoding="utf-8")
    run()
    dataset = mlcroissant.Dataset(jsonld="data/export/croissant.json")
    missing = [line.rpartition("/")[2].partition('"')[0] for line in caplog.text.splitlines() if "recommended" in line]
    assert sorted(missing) == ["datePublished", "version"]
    metadata = dataset.metadata
    assert (metadata.name, metadata.license, metadata.cite_as) == ("ds", ["CC BY 4.0"], "A, B: C")
    images = {row["images/image_id"]: row["images/split"] for row in dataset.records("images")}
    assert images == {b"a.jpg": b"train", b"b.jpg": b"valid"}
    rows = [(row["annotations/label"], row["annotations/xmax"]) for row in dataset.records("annotations")]
    assert rows == [(b"cat", 12), (b"<i>|dog", 12)]
    assert [row["classes/id"] for row in dataset.records("classes")] == [1, 2, 3]
    files = {one.name: one.sha256 for one in metadata.file_objects}
    written = {name: hashlib.sha256(Path("data/export", name).read_bytes()).hexdigest() for name in files}
    assert files == written
    found = {path for one in metadata.file_sets for path in Path("data/export").glob(one.includes[0])}
    every = {path for path in Path("data/export").rglob("*") if path.is_file()}
    assert found | {Path("data/export", name) for name in files} == every - {Path("data/export/croissant.json")}
    assert not found & {Path("data/export", name) for name in files}


def test_a_second_export_leaves_nothing_of_the_first(workspace: Path) -> None:
    run()
    Path("params.yaml").write_text("export: {formats: [tfrecord]}")
    run()
    assert sorted(path.name for path in Path("data/export").iterdir()) == [
        "annotations.parquet", "croissant.json", "description.json", "images.parquet", "ledger.csv", "tfrecord",
    ]  # fmt: skip


def test_a_build_says_that_masks_are_there_to_be_written(tmp_path: Path) -> None:
    outlined = make_manifest(make_image(tmp_path, split="train"), box(segmentation="[[1,1,9,1,9,9]]"), box())
    labels = LabelMap("d", {"cat": 1})
    for masks, said in ((False, "export.masks: true writes the masks of 1 outline"), (True, "")):
        counts = count(outlined, labels, losses_of_export(outlined, ["tfrecord"], masks), 0)
        lost = [line for line in summary(counts, "d@v1", "v1").splitlines() if line.startswith("Lost:")]
        assert [said in line for line in lost] == [True] * bool(said)


def test_a_failed_export_leaves_what_stood_there(workspace: Path) -> None:
    run()
    before = {path: path.read_bytes() for path in Path("data/export").rglob("*") if path.is_file()}
    Path("data/raw/b.jpg").unlink()
    with pytest.raises(StageError, match=r"b\.jpg: the image is gone"):
        run()
    assert {path: path.read_bytes() for path in Path("data/export").rglob("*") if path.is_file()} == before
    assert not Path("data/export.part").exists()


def test_a_loss_stops_the_export_where_params_say_so(workspace: Path) -> None:
    Path("params.yaml").write_text("export: {formats: [tfod_csv], on_loss: fail}")
    with pytest.raises(FindingError, match="tfod_csv: 1 negatives"):
        run()
    assert not Path("data/export").exists()


def test_no_image_left_is_an_error(workspace: Path) -> None:
    write_stage(Path("data/augment"), make_manifest(), [])
    with pytest.raises(StageError, match="no image is left"):
        run()


def test_counts() -> None:
    from shardsmith.dataset.manifest import Image

    rows = [Image(name, name, "", 1, 1, "jpeg", split="train", copy=copy) for name, copy in (("a", 0), ("a#1", 1))]
    unlabelled = Image("b", "b", "", 1, 1, "jpeg", split="test", annotated=False)
    counts = count_manifest(make_manifest(*rows, unlabelled, box("a", "cat"), box("a", "cat")))
    assert counts["splits"]["train"] == {"images": 2, "boxes": 2, "negatives": 1, "copies": 1}
    assert counts["splits"]["test"]["negatives"] == 0
    assert counts["classes"] == {"cat": {"train": 2, "valid": 0, "test": 0}}
    assert count_findings([found("image-duplicate", "a"), found("box-empty", "a")]) == {
        "findings": {"box-empty": 1, "image-duplicate": 1},
        "dropped": {"box-empty": 1},
    }
