"""The formats for training alone, each read by the program that it is for: one odd dataset, and datasets of labels."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage

from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation
from shardsmith.dataset.shapes import skeleton_of
from shardsmith.formats.readme import Description, write_readme
from shardsmith.formats.registry import WRITERS
from shardsmith.formats.shared.ids import image_ids
from shardsmith.formats.shared.job import ExportJob
from shardsmith.formats.training.huggingface import license_of
from shardsmith.installation import remedy

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
CLASSES = {"no": 1, 'a "cat", é': 2, "gone": 4}
SKELETON = skeleton_of(["nose", "left eye"], [[0, 1]]).text()
TURNED = {"segmentation": "[[1.0, 5.0, 5.0, 1.0, 9.0, 5.0, 5.0, 9.0]]", "kind": "oriented"}
POLYGON, MASK = "[[1.0, 1.0, 9.0, 1.0, 9.0, 7.5]]", '{"size": [24, 32], "counts": "d0"}'


def label(image_id: str, name: str) -> Annotation:
    return Annotation(image_id, name, None, None, None, None)


def turned() -> bytes:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    return image_bytes(24, 32, 7, exif=exif)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> ExportJob:
    """Equal names in two folders, dots and signs in names, a turned image, a mask; negatives alone in valid."""
    folder = tmp_path_factory.mktemp("odd")
    rows = [
        make_image(folder, "a/x.jpg", image_bytes(seed=1), split="train", source_id="7"),
        make_image(folder, "b/x.jpg", turned(), split="train"),
        make_image(folder, "v1.2 [é]#%41.png", image_bytes(seed=3, format="PNG"), split="train"),
        make_image(folder, "v1_2 [é]#%41.bmp", image_bytes(seed=4, format="BMP"), split="train", annotated=False),
        make_image(folder, "negative.jpg", image_bytes(seed=5), split="valid"),
        box("a/x.jpg", "no", 1, 2, 3.5, 4, attributes='{"colour": "re\u2028d"}', segmentation=POLYGON, area=5.0),
        box("a/x.jpg", 'a "cat", é', is_crowd=True, segmentation=MASK),
        box("b/x.jpg", "no", 1, 1, 9, 9, **TURNED),
        box("v1.2 [é]#%41.png", "no", keypoints="[3.0, 4.0, 2, 0, 0, 0]", skeleton=SKELETON),
    ]
    facts = {"license": "CC BY 4.0", "citation": "A, B: C", "description": 'é "quoted": text'}
    return ExportJob(make_manifest(*rows), LabelMap("odd_set", CLASSES), shard_size_mb=0.002, facts=facts)


@pytest.fixture(scope="module", params=["one", "many"])
def labelled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ExportJob:
    """Labels of whole images, one each or several."""
    folder = tmp_path_factory.mktemp(request.param)
    images = [make_image(folder, f"{number}.jpg", image_bytes(seed=number)) for number in range(3)]
    rows = [label(image.image_id, name) for image, name in zip(images, ["no", "gone", "no"], strict=True)]
    rows += [label("0.jpg", "gone")] * (request.param == "many")
    return ExportJob(make_manifest(*images, *rows), LabelMap("odd_set", CLASSES))


def written(job: ExportJob, name: str, out: Path) -> Path:
    """The folder, as an export leaves it."""
    WRITERS[name].write(job, out / name)
    counts = {"annotation_kind": "boxes", "images": 1, "boxes": 1, "negatives": 0, "copies": 0, "classes": {}}
    counts["splits"] = dict.fromkeys(("train", "valid", "test"), counts)
    about = Description(job.label_map, "objects", "x", counts, {}, "", [], [])
    write_readme(out / name, about, WRITERS[name].loading)
    return out / name


def same_bytes(job: ExportJob, name: str, tmp_path: Path) -> None:
    """Written again, elsewhere, it is the same."""
    folders = [written(job, name, tmp_path / again) for again in ("first", "again")]
    contents = [
        {path.relative_to(one): path.read_bytes() for path in one.rglob("*") if path.is_file()} for one in folders
    ]
    assert contents[0] == contents[1]


# --- Hugging Face datasets


def loaded(folder: Path, tmp_path: Path, *where: str) -> dict:
    from datasets import load_dataset

    where = where or ("imagefolder",)
    data_dir = str(folder) if where == ("imagefolder",) else None
    return load_dataset(*where, data_dir=data_dir, cache_dir=str(tmp_path / "cache"))


def test_datasets_reads_boxes(odd: ExportJob, tmp_path: Path) -> None:
    same_bytes(odd, "huggingface", tmp_path)
    folder = written(odd, "huggingface", tmp_path)
    dataset = loaded(folder, tmp_path)
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 4, "validation": 1}
    objects = dataset["train"].features["objects"]
    assert objects["category"].feature.names == ["background", "no", 'a "cat", é', "unused-3", "gone"]
    names = {id_: name for name, id_ in image_ids(odd.manifest.images).items()}
    rows = {names[row["image_id"]]: row for row in dataset["train"]}
    first = rows["a/x.jpg"]["objects"]
    assert {key: first[key] for key in first if not key.startswith(("id", "keypoint"))} == {
        "bbox": [[1, 2, 2.5, 2], [2, 3, 10, 10]], "category": [1, 2], "area": [5, 0], "iscrowd": [0, 1],
        "segmentation": [json.loads(POLYGON), []], "attributes": ['{"colour": "re\u2028d"}', "{}"],
    }  # fmt: skip
    assert rows["b/x.jpg"]["image"].size == (32, 24)
    assert rows["b/x.jpg"]["objects"]["segmentation"] == [json.loads(TURNED["segmentation"])]
    points = rows["v1.2 [é]#%41.png"]["objects"]
    assert (points["keypoints"], points["keypoint_names"]) == ([[[3, 4, 2], [0, 0, 0]]], [["nose", "left eye"]])
    assert [row["annotated"] for row in rows.values()].count(False) == 1
    assert dataset["validation"][0]["objects"]["bbox"] == []
    assert loaded(folder, tmp_path, str(folder))["train"].features == dataset["train"].features


def test_datasets_reads_labels(labelled: ExportJob, tmp_path: Path) -> None:
    dataset = loaded(written(labelled, "huggingface", tmp_path), tmp_path)["train"]
    if "label" in dataset.column_names:
        assert (dataset["label"][:], dataset.features["label"].names[4]) == ([1, 4, 1], "gone")
    else:
        assert (dataset["labels"][:], dataset.features["labels"].feature.names[1]) == ([[1, 4], [4], [1]], "no")
    assert "objects" not in dataset.column_names


def test_the_card_of_a_dataset(odd: ExportJob, tmp_path: Path) -> None:
    from datasets import Features
    from huggingface_hub import DatasetCard

    folder = written(odd, "huggingface", tmp_path)
    card = DatasetCard.load(folder / "README.md")
    assert card.text.strip().startswith("# odd_set")
    assert (card.data.license, card.data.task_categories, card.data.size_categories) == (
        "cc-by-4.0", ["object-detection"], ["n<1K"],
    )  # fmt: skip
    features = Features._from_yaml_list(card.data.dataset_info["features"])
    assert features == loaded(folder, tmp_path)["train"].features


@pytest.mark.parametrize(
    ("said", "license", "name"),
    [
        ("CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0", None),
        ("Attribution (http://creativecommons.org/licenses/by/2.0/)", "cc-by-2.0", None),
        ("MIT", "mit", None),
        ("no: ask us", "other", "no: ask us"),
        ("", None, None),
    ],
)
def test_a_licence_in_the_words_of_the_hub(said: str, license: str | None, name: str | None) -> None:
    assert (license_of(said).get("license"), license_of(said).get("license_name")) == (license, name)


# --- WebDataset


def samples(folder: Path, split: str) -> list[dict]:
    import webdataset

    shards = sorted(map(str, folder.glob(f"odd_set-{split}-*.tar")))
    return list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))


def test_webdataset_reads_boxes(odd: ExportJob, tmp_path: Path) -> None:
    same_bytes(odd, "webdataset", tmp_path)
    folder = written(odd, "webdataset", tmp_path)
    numbers = [path.name.removeprefix("odd_set-") for path in sorted(folder.glob("*.tar"))]
    assert numbers == [*(f"train-{number:06d}.tar" for number in range(4)), "valid-000000.tar"]
    train = samples(folder, "train")
    assert len({sample["__key__"] for sample in train}) == 4
    assert_records(odd, [sample["json"] for sample in train + samples(folder, "valid")])
    for sample in train:
        size = sample["json"]["width"], sample["json"]["height"]
        assert sample["jpg" if sample["json"]["image_id"].endswith("jpg") else "png"].size == size


def test_webdataset_reads_labels(labelled: ExportJob, tmp_path: Path) -> None:
    read = samples(written(labelled, "webdataset", tmp_path), "train")
    assert_records(labelled, [sample["json"] for sample in read])
    one = len(labelled.manifest.annotations) == 3
    assert all(("cls" in sample) == one for sample in read)
    assert not one or {sample["cls"] for sample in read} == {1, 4}


def assert_records(job: ExportJob, records: list[dict]) -> None:
    """They say all that the manifest does."""
    by_id = {record["image_id"]: record for record in records}
    assert len(by_id) == len(records) == job.manifest.images.num_rows
    for image in job.manifest.image_rows():
        record = by_id[image.image_id]
        assert [record[key] for key in ("width", "height", "split", "annotated")] == [
            image.width, image.height, image.split, image.annotated,
        ]  # fmt: skip
        of_image = job.manifest.annotations_by_image().get(image.image_id, [])
        for row, said in zip(of_image, record["annotations"], strict=True):
            outline = json.loads(row.segmentation) if row.segmentation else None
            assert [said[key] for key in ("label", "label_id", "is_crowd", "area", "attributes", "outline")] == [
                row.label, CLASSES[row.label], row.is_crowd, row.area, row.attributes_dict(), outline,
            ]  # fmt: skip
            points = [value for one in said["keypoints"] or () for key, value in one.items() if key != "name"]
            assert (points or None) == (json.loads(row.keypoints) if row.keypoints else None)
            assert (said["kind"] == "oriented") == (row.kind == "oriented")
            assert said["box"] == (None if row.xmin is None else [row.xmin, row.ymin, row.xmax, row.ymax])


# --- JSON lines


def lines(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_json_lines(odd: ExportJob, labelled: ExportJob, tmp_path: Path) -> None:
    same_bytes(odd, "jsonl", tmp_path)
    folder = written(odd, "jsonl", tmp_path)
    records = [*lines(folder / "train.jsonl"), *lines(folder / "valid.jsonl")]
    assert_records(odd, records)
    for record in records:
        assert PilImage.open(folder / record["image"]).size == (record["width"], record["height"])
    assert_records(labelled, lines(written(labelled, "jsonl", tmp_path / "labels") / "images.jsonl"))


# --- ArrayRecord


def test_data_sources_read_array_records(odd: ExportJob, labelled: ExportJob, tmp_path: Path) -> None:
    pytest.importorskip("array_record", reason="array_record has no wheel here")
    import tensorflow_datasets as tfds

    same_bytes(odd, "array_record", tmp_path)
    folder = written(odd, "array_record", tmp_path)
    source = tfds.builder_from_directory(folder).as_data_source(split="train")
    found = {example["image"]["filename"].decode(): example["image"] for example in source}
    assert len(found) == len(source) == 4
    first = found["a/x.jpg"]
    assert (first["encoded"].shape, first["object"]["class"]["label"]) == ((24, 32, 3), [1, 2])
    assert [share * 32 for share in first["object"]["bbox"]["xmax"]] == [3.5, 12]
    (negative,) = tfds.builder_from_directory(folder).as_data_source(split="valid")
    assert negative["image"]["object"]["class"]["label"] == []
    labels = tfds.builder_from_directory(written(labelled, "array_record", tmp_path / "labels"))
    read = [example["image/class/label"] for example in labels.as_data_source(split="train")]
    assert sorted(np.ravel(one).tolist() for one in read) in ([[1], [1], [4]], [[1], [1, 4], [4]])


def test_grain_reads_the_records_of_tfrecord(odd: ExportJob, tmp_path: Path) -> None:
    pytest.importorskip("array_record", reason="array_record has no wheel here")
    import grain

    from shardsmith.formats.tfrecord.frames import read_frames

    shards = sorted(written(odd, "array_record", tmp_path).glob("*.array_record-*"))
    source = grain.sources.ArrayRecordDataSource([str(path) for path in shards])
    framed = sorted(written(odd, "tfrecord", tmp_path).glob("*.tfrecord-*"))
    assert [source[number] for number in range(len(source))] == [
        data for path in framed for data, _ in read_frames(path)
    ]


def test_without_the_package_its_extra_is_named(
    odd: ExportJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shardsmith.installation.find_spec", lambda module: None)
    with pytest.raises(ModuleNotFoundError) as error:
        written(odd, "array_record", tmp_path)
    assert "shardsmith[array-record]" in remedy(error.value)
