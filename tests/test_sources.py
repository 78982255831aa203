"""Several formats in one folder, files that are not read, and turned images that do not say how they are meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import image_bytes
from PIL import Image as PilImage
from test_formats import OBJECT, XML, corners, raw_folder

from shardsmith.conversion.check import check, fails, make_check_params
from shardsmith.conversion.convert import convert
from shardsmith.dataset.errors import ParamsError, RawDataError, ShardsmithError
from shardsmith.dataset.findings import Finding, found
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Annotation, Manifest
from shardsmith.formats.registry import READERS
from shardsmith.formats.shared.raw_folder import ImageEntry, Source
from shardsmith.pipeline.ingest import ingest, write_source
from shardsmith.pipeline.intake.find import find_formats
from shardsmith.pipeline.intake.merge import merge
from shardsmith.pipeline.intake.read import read_raw
from shardsmith.pipeline.intake.unread import UNREAD, find_unread, with_kind
from shardsmith.pipeline.params import IngestParams, parse_params

A, B, C = image_bytes(), image_bytes(seed=1), image_bytes(seed=2)
XML_A = XML.format(OBJECT.format("cat", 2, 3, 12, 13))
CSV = "filename,width,height,class,xmin,ymin,xmax,ymax\n{}"
EXIF = PilImage.Exif()
EXIF[0x0112] = 6  # stored 32 x 24, displayed 24 x 32


def taken_in(tmp_path: Path, files: dict, **params: object) -> tuple[Manifest, LabelMap, list[Finding], str]:
    raw_folder(tmp_path, files)
    return ingest(tmp_path, IngestParams(**params), LabelMap("d"), tmp_path.parent / "out")  # type: ignore[arg-type]


def coco(name: str, *boxes: tuple) -> str:
    rows = [{"id": n, "image_id": 1, "category_id": 1, "bbox": list(box)} for n, box in enumerate(boxes)]
    images = [{"id": 1, "file_name": name, "width": 32, "height": 24}]
    return json.dumps({"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]})


def test_each_file_is_read_by_its_own_format(tmp_path: Path) -> None:
    files = {"one/a.jpg": A, "one/a.xml": XML_A, "two/b.jpg": B, "two/l.csv": CSV.format("b.jpg,32,24,cat,1,1,9,9\n")}
    files |= {"three/c.jpg": C, "three/c.json": coco("c.jpg", (1, 1, 5, 5))}
    manifest, label_map, findings, name = taken_in(tmp_path, files)
    rows = [(row.image_id, row.label) for row in manifest.annotation_rows()]
    assert rows == [("one/a.jpg", "cat"), ("three/c.jpg", "cat"), ("two/b.jpg", "cat")]
    assert (dict(label_map.ids), findings, name) == ({"cat": 1}, [], "coco + tfod_csv + voc")


def test_yolo_beside_voc_takes_no_image_of_it_for_a_negative(tmp_path: Path) -> None:
    files = {"a.jpg": A, "a.xml": XML_A, "b.jpg": B, "b.txt": "0 0.5 0.5 0.5 0.5", "data.yaml": "names: [cat]"}
    manifest, _, findings, name = taken_in(tmp_path, files)
    assert ([row.image_id for row in manifest.annotation_rows()], name) == (["a.jpg", "b.jpg"], "ultralytics + voc")
    assert findings == []


TWICE = [  # rows of the CSV, annotations, codes, why
    (["2,3,12,13"], 1, ["not-carried"], "equal ones are one"),
    (["2.4,3,12,13.3"], 1, ["not-carried"], "formats round"),
    (["2,3,12,13", "20,3,30,13"], 2, ["image-annotated-twice", "not-carried"], "one more"),
    (["20,3,30,13"], 2, ["image-annotated-twice"], "another one"),
    ([], 1, [], "not annotated twice"),
]


@pytest.mark.parametrize(("boxes", "count", "codes", "why"), TWICE, ids=[row[-1] for row in TWICE])
def test_an_image_that_is_annotated_twice(tmp_path: Path, boxes: list, count: int, codes: list, why: str) -> None:
    lines = "".join(f"a.jpg,32,24,cat,{box}\n" for box in boxes) + "b.jpg,32,24,cat,1,1,9,9\n"
    files = {"a.jpg": A, "a.xml": XML_A, "b.jpg": B, "l.csv": CSV.format(lines)}
    manifest, _, findings, _ = taken_in(tmp_path, files)
    assert sum(row.image_id == "a.jpg" for row in manifest.annotation_rows()) == count, why
    assert [one.code for one in findings] == codes
    assert all(one.image_id == "a.jpg" for one in findings if one.code == "image-annotated-twice")


def test_a_negative_of_one_format_with_boxes_of_another_is_named(tmp_path: Path) -> None:
    files = {"a.jpg": A, "a.xml": XML.format(""), "l.csv": CSV.format("a.jpg,32,24,cat,1,1,9,9\n")}
    _, _, (finding,), _ = taken_in(tmp_path, files)
    assert (finding.code, "1 by tfod_csv, 0 by voc" in finding.reason) == ("image-annotated-twice", True)


def test_the_outline_is_kept_and_keys_stay_apart() -> None:
    def source(*rows: Annotation) -> Source:
        return Source({"a": ImageEntry()}, list(rows), shapes=len(rows))

    outlined = Annotation("a", "cat", 0, 0, 4, 4, segmentation="[[0,0,4,0,4,4]]", source_key="2")
    boxes = [Annotation("a", "cat", 0, 0, 4, 4, source_key="1"), Annotation("a", "cat", 9, 9, 12, 12, source_key="2")]
    whole = merge({"x": source(boxes[0]), "y": source(outlined, boxes[1])})
    assert [(row.source_key, bool(row.segmentation)) for row in whole.annotations] == [("1", True), ("2", False)]
    assert whole.shapes == 2
    other = Annotation("a", "cat", 20, 9, 24, 12, source_key="2")
    assert [row.source_key for row in merge({"x": source(boxes[1]), "z": source(other)}).annotations] == ["2", "z:2"]


def test_a_format_is_forced(tmp_path: Path) -> None:
    files = {"a.jpg": A, "a.xml": XML_A, "l.csv": CSV.format("a.jpg,32,24,cat,1,1,9,9\n")}
    assert taken_in(tmp_path, files, format="voc")[3] == "voc"


@pytest.mark.parametrize("name", [*READERS, "panlabel:bdd100k"])
def test_a_forced_format_of_which_nothing_is_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(RawDataError, match=f"{tmp_path}: (nothing of the format {name} .*|no YAML file names)"):
        taken_in(tmp_path, {"a.jpg": A, "b.jpg": B}, format=name)


def test_a_file_that_two_formats_claim_is_refused_with_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = raw_folder(tmp_path, {"a.jpg": A, "a.xml": XML_A})
    monkeypatch.setitem(READERS, "coco", READERS["voc"])
    with pytest.raises(RawDataError, match=r"a\.xml could be of coco and voc; .*set ingest\.format to coco or voc"):
        find_formats(folder)


def test_source_json_names_all_formats(tmp_path: Path) -> None:
    write_source(tmp_path, "coco + voc", {})
    said = json.loads((tmp_path / "source.json").read_text())
    description = "data labelled as COCO JSON and PASCAL VOC XML"
    assert said == {"format": "coco + voc", "description": description, "facts": {}}


UNREAD_FILES = [
    ("clip.mp4", "x", "a video"),
    ("IMG_1.HEIC", "x", "a HEIC photo"),
    ("gt.mat", "x", "a MATLAB file"),
    ("t.jsonl", '{"image": "a.jpg", "prefix": "detect cat", "suffix": "<loc1> cat"}', "a JSONL file"),
    ("more.zip", "x", "an archive"),
    ("scan.nii.gz", "x", "a DICOM or NIfTI image"),
    ("train-images-idx3-ubyte.gz", "x", "a file of MNIST or CIFAR"),
    ("r.json", '[{"image_id": 1, "category_id": 1, "bbox": [], "score": 0.9}]', "a detector's results and no labels"),
    ("gt_x.txt", "377,117,463,117,465,130,378,130,Genaxis Theatre\n", "a label file of ICDAR"),
    ("gt_x.txt", '38, 43, 920, 215, "Tiredness"\n', "a label file of ICDAR"),
    ("w_bbx_gt.txt", "0--Parade/a.jpg\n1\n449 330 122 149 0 0 0 0 0 0\n", "a list of WIDER FACE"),
    ("gt/gt.txt", "1,1,912,484,97,109,0,7,1\n", "a file of MOT"),
    ("list.txt", "cat/a.jpg 0\ndog/b.jpg 1\n", "a list of images and class numbers"),
    ("bb.csv", "NAME_ID,X,Y,W,H\nn1/a,1,2,3,4\n", "a file of VGGFace2"),
    (
        "sa_1.json",
        '{"image":{"image_id":1,"file_name":"a.jpg"},"annotations":[{"id":1}]}',
        "a file of Segment Anything",
    ),
    ("labels.json", '{"classes": ["cat"], "labels": {"a": [{"label": 0}]}}', "a labels.json of FiftyOne"),
    ("p.json", '{"file_name": "a.jpg", "predictions": [{"category_id": 1}]}', "a file of predictions"),
]


@pytest.mark.parametrize(("file", "content", "kind"), UNREAD_FILES)
def test_a_file_that_is_not_read_is_named_with_what_to_do(tmp_path: Path, file: str, content: str, kind: str) -> None:
    findings = taken_in(tmp_path, {"a.jpg": A, "a.xml": XML_A, file: content})[2]
    (finding,) = [one for one in findings if one.code == "file-not-read"]
    assert (finding.file, finding.reason.startswith(f"it is {kind}")) == (file, True)


def test_files_that_are_not_read_alone_are_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(RawDataError, match=r"clip\.mp4: it is a video; export its frames"):
        read_raw(raw_folder(tmp_path, {"a.jpg": A, "clip.mp4": "x"}).root, IngestParams())


def test_a_video_that_an_annotation_names_is_no_missing_image() -> None:
    (video, image) = (with_kind(found("image-missing", "a.json", value=name)) for name in ("v.mp4", "v.jpg"))
    assert (video.reason.partition(";")[0], image.reason) == ("what it names is a video", "")


def test_tags_of_a_csv_are_kept(tmp_path: Path) -> None:
    text = "image,tag,tag2\na.jpg,night; rain,wet\nb.jpg,day,\nA.JPG,night,dusk\n"
    manifest, _, findings, _ = taken_in(tmp_path, {"a.jpg": A, "a.xml": XML_A, "tags.csv": text})
    assert [image.tags for image in manifest.image_rows()] == [["night", "rain", "wet", "dusk"]]
    assert sorted((one.code, one.value) for one in findings) == [
        ("image-name-matched", "A.JPG"), ("metadata-not-carried", "1"),
    ]  # fmt: skip


def test_an_image_that_two_files_of_a_format_annotate_is_named(tmp_path: Path) -> None:
    files = {"a.jpg": A, "one/a.xml": XML_A, "two/a.xml": XML_A}
    manifest, _, findings, _ = taken_in(tmp_path, files)
    said = "annotations stand twice: 1 in one/a.xml; 1 in two/a.xml"
    assert [(one.code, one.image_id, one.reason) for one in findings] == [("image-annotated-twice", "a.jpg", said)]
    assert manifest.annotations.num_rows == 2  # validate drops the equal one


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("labels/a.txt", "0 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4\n"),  # YOLO OBB
        ("train.txt", "data/a.jpg\ndata/b.jpg\n"),  # Darknet
        ("boxes.txt", "a.jpg 1,2,3,4,0 5,6,7,8,1\n"),  # Keras
        ("ImageSets/Main/cat_train.txt", "a 1\nb -1\n"),
        ("label_2/a.txt", "Car 0 0 0 2 3 12 13 0 0 0 0 0 0 0\n"),
        ("notes.txt", "3 cats in 4 pictures\n"),
        ("coco.json", '{"images": [], "annotations": [], "categories": []}'),
    ],
)
def test_what_is_no_kind_of_those(tmp_path: Path, file: str, content: str) -> None:
    assert find_unread(raw_folder(tmp_path, {"a.jpg": A, file: content})) == []


def test_each_kind_says_what_to_do() -> None:
    assert all(one.remedy and one.suffixes for one in UNREAD)


def turned(seed: int) -> bytes:
    return image_bytes(32, 24, seed=seed, exif=EXIF)


def sized(box: tuple, size: tuple | None) -> str:
    declared = "<size><width>{}</width><height>{}</height></size>".format(*size) if size else ""
    return f"<annotation>{declared}{OBJECT.format('cat', *box)}</annotation>"


BOX, ON_DISPLAYED = (2, 3, 12, 13), [11, 2, 21, 12]  # as it stands; turned with the stored image
VOTES = [  # the other image's box and declared size, ingest.orientation, the undecided image's box, code, why
    (BOX, (32, 24), "auto", ON_DISPLAYED, "orientation-decided", "the other's declared size is the stored one"),
    (BOX, (24, 32), "auto", list(BOX), "orientation-decided", "the other's declared size is the displayed one"),
    ((2, 3, 31, 13), None, "auto", ON_DISPLAYED, "orientation-decided", "the other's box would lie outside"),
    ((2, 3, 12, 31), None, "auto", list(BOX), "orientation-decided", "the other's box fits as displayed alone"),
    (BOX, None, "auto", list(BOX), "orientation-ambiguous", "nobody can tell"),
    (BOX, None, "stored", ON_DISPLAYED, "", "said"),
    (BOX, None, "displayed", list(BOX), "", "said"),
]


@pytest.mark.parametrize(("box", "size", "way", "expected", "code", "why"), VOTES, ids=[row[-1] for row in VOTES])
def test_the_whole_source_votes_on_which_way_boxes_are_meant(
    tmp_path: Path, box: tuple, size: tuple | None, way: str, expected: list, code: str, why: str
) -> None:
    files = {"a.jpg": turned(1), "a.xml": sized(BOX, None), "b.jpg": turned(2), "b.xml": sized(box, size)}
    manifest, _, findings, _ = taken_in(tmp_path, files, orientation=way)
    assert corners(manifest.annotation_rows()[0]) == expected, why
    assert {one.code for one in findings} == ({code} if code else set())


def test_shares_of_a_stored_image_are_turned_too(tmp_path: Path) -> None:
    files = {"a.jpg": turned(1), "a.txt": "0 0.25 0.5 0.5 1", "classes.txt": "cat"}
    manifest, _, _, _ = taken_in(tmp_path, files, orientation="stored")
    assert corners(manifest.annotation_rows()[0]) == [0, 0, 24, 16]


def test_orientation_is_one_of_three() -> None:
    with pytest.raises(ParamsError, match="orientation"):
        parse_params("ingest: {orientation: sideways}")


# --- what could not be read is never a negative, all the way to the closing lines


BRUSH = {"id": "r", "type": "brushlabels", "from_name": "l", "to_name": "i", "original_width": 32,
         "original_height": 24, "value": {"format": "rle", "rle": [0, 0, 1], "brushlabels": ["cat"]}}  # fmt: skip
LOST = {
    "six columns": {"data.yaml": "train: .\nnames: [cat]", "a.txt": "0 0.5 0.5 0.2 0.2 0.9\n"},
    "brush": {"l.json": [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"id": 1, "result": [BRUSH]}]}]},
    "no number": {
        "c.json": {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, "x", 4]}],
        }
    },
}


@pytest.mark.parametrize("case", LOST)
def test_an_image_that_lost_all_is_dropped_and_named(tmp_path: Path, case: str) -> None:
    files = {name: text if isinstance(text, str) else json.dumps(text) for name, text in LOST[case].items()}
    raw_folder(tmp_path / "raw", {"a.jpg": A, **files})
    done = check(tmp_path / "raw", make_check_params(None, "auto"))
    assert (done.all_lost, fails(done, "error")) == (True, True)
    assert "image-left-empty" in {one.code for one in done.findings if one.action == "drop"}
    with pytest.raises(ShardsmithError, match="none of 1 images is left:\nerror image-left-empty"):
        convert(tmp_path / "raw", "coco", tmp_path / "out")
