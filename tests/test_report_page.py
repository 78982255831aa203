"""report: a page that says what is in the data, shows names as text, stays small, and is always the same."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from page_inputs import Seen, columns_of, label, page_of, row, some_images
from PIL import Image as PilImage
from staged import run_stage

from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import about, found
from shardsmith.dataset.images import probe
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS, Annotation, Image, Manifest
from shardsmith.pipeline.checks.boxes import check_boxes
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.stage import write_stage
from shardsmith.report import samples
from shardsmith.report.areas import Box, Viewport, box_of, frame_of, point
from shardsmith.report.blocks import found_blocks
from shardsmith.report.marks import MOST_MARKS
from shardsmith.report.pictures import shrink

HOSTILE = "<img src=x onerror=alert(1)>"
ENDING = "</script></style>\"'<script>alert(2)</script>"


# what it says


def test_it_says_what_and_how_many(tmp_path: Path) -> None:
    rows = some_images(tmp_path, 4)
    negative = make_image(tmp_path, "none.jpg", image_bytes(seed=9), split="test")
    finding = found("box-over-edge", "01.jpg", "box 1", "x 3", "a little", image_id="01.jpg")
    page = Seen(page_of(make_manifest(*rows, negative), finding))
    for words in (
        "5 images with 8 boxes around objects, in 2 classes.",
        "train 2 40% 4 0",
        "all 5 100% 8 1",
        "cat 1 2 1 1 4 4",  # id, boxes in each split and in all, images
        "warning box-over-edge 1 found",
        "01.jpg repaired box 1: a little; x 3 64 x 48 pixels; in valid",
        "by a hash of each image's content (train 70%, valid 20%, test 10%)",
        "data labelled as X",
        "shardsmith pull ds@NAME --out FOLDER",
        'tfds.builder_from_directory("FOLDER/tfrecord")',
        "negative: nothing to find here",
    ):
        assert words in page.text, words


def test_it_says_what_is_known_of_the_data(tmp_path: Path) -> None:
    params = parse_params("dataset: {license: CC <b>, homepage: 'http://x'}")
    page = Seen(page_of(make_manifest(*some_images(tmp_path, 1)), params=params))
    assert "LicenceCC <b> Homepagehttp://x " in page.text


def test_a_finding_about_two_images_shows_both(tmp_path: Path) -> None:
    images = [make_image(tmp_path, f"{n}.jpg", image_bytes(48, 40, n), split="train") for n in range(3)]
    finding = about("image-duplicate-conflict", "1.jpg", other="2.jpg")
    page = Seen(page_of(make_manifest(*images, *(box(image.image_id) for image in images)), finding))
    assert len(page.all("div", **{"class": "twins"})) == 1
    assert [one["alt"] for one in page.all("img")[3:]] == ["1.jpg", "2.jpg"]
    assert "2.jpg the other 48 x 40 pixels; in train" in page.text


def test_classification_speaks_of_labels_and_draws_no_box(tmp_path: Path) -> None:
    images = [make_image(tmp_path, f"{n}.jpg", image_bytes(seed=n), split="train") for n in range(3)]
    page = Seen(page_of(make_manifest(*images, *(label(image.image_id, "cat") for image in images))))
    assert "3 labels of objects" in page.text
    assert "Labels per class" in page.text and "Labels per image" in page.text
    assert not page.all("svg", **{"class": "overlay"})
    assert not re.search(r"box(es)? (sizes|shapes|lie|per)", page.text, re.IGNORECASE)


ODD = {
    "one image without annotation": ((32, 24), []),
    "one pixel": ((1, 1), [(0.0, 0.0, 1.0, 1.0)]),
    "long and thin": ((20000, 10), [(5.0, 1.0, 9000.0, 9.0)]),
    "high and thin": ((3, 5000), [(0.0, 0.0, 3.0, 2.0)]),
    "very many boxes": ((640, 480), [(n % 600, n % 400, n % 600 + 9, n % 400 + 9) for n in range(3000)]),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_sets_have_a_page(tmp_path: Path, case: str) -> None:
    (width, height), boxes = ODD[case]
    image = make_image(tmp_path, "a.png", image_bytes(width, height, format="PNG"), split="valid")
    page = page_of(make_manifest(image, *(box("a.png", "cat", *corners) for corners in boxes)))
    (picture,) = Seen(page).all("img")
    assert len(Seen(page).all("rect")) == min(len(boxes), MOST_MARKS)
    assert f"{width} x {height} pixels" in page
    assert int(picture["width"] or 0) <= 2000 and len(page) < 400_000


def test_a_thousand_classes(tmp_path: Path) -> None:
    rows: list[Image | Annotation] = []
    for number in range(50):
        rows.append(make_image(tmp_path, f"{number}.jpg", image_bytes(seed=number), split="train"))
        rows += [box(f"{number}.jpg", f"class {number * 20 + of}") for of in range(20)]
    page = Seen(page_of(make_manifest(*rows)))
    assert "in 1,000 classes" in page.text and "The 980 classes with fewest are in the table alone." in page.text
    assert len(page.all("option")) == 1001


def test_copies_stand_beside_their_original(tmp_path: Path) -> None:
    origin = '{"stages": [{"operations": [["flip", {"axis": "horizontal"}], ["rotate", {"degrees": -12.345}]]}]}'
    images = [make_image(tmp_path, "a.jpg", split="train")]
    for copy in (1, 2):
        more = {"split": "train", "parent_id": "a.jpg", "copy": copy, "origin": origin}
        images.append(make_image(tmp_path, f"a.jpg#{copy}", **more))
    page = Seen(page_of(make_manifest(*images, *(box(image.image_id) for image in images))))
    assert "flip: horizontal · rotate: degrees -12.3" in page.text
    assert [name for name in ("original", "copy 1", "copy 2") if name in page.text] == ["original", "copy 1", "copy 2"]
    assert len(page.all("img")) == 4  # the gallery has no copy


def test_an_image_that_changed_is_an_error(tmp_path: Path) -> None:
    image = make_image(tmp_path, "a.jpg", split="train")
    Path(image.path).write_bytes(image_bytes(seed=77))
    with pytest.raises(StageError, match=r"a\.jpg: the image changed since it was ingested"):
        page_of(make_manifest(image))
    Path(image.path).unlink()
    with pytest.raises(StageError, match=r"a\.jpg: the image is gone"):
        page_of(make_manifest(image))


# names are text


def test_names_from_the_data_are_text(tmp_path: Path) -> None:
    name = 'x" onload="alert(3) <b>&amp;.jpg'
    image = make_image(tmp_path, name, image_bytes(seed=1), split="train")
    rows = (image, box(name, HOSTILE), box(name, ENDING), box(name, "a\x00b\u202e"))
    finding = found("box-over-edge", ENDING, HOSTILE, HOSTILE, ENDING)
    params = Params.model_validate({"dataset": {"annotation_group": HOSTILE}})
    page = page_of(make_manifest(*rows), finding, params=params)
    seen = Seen(page)
    assert len(seen.all("script")) == len(seen.all("style")) == 1
    assert all((one["src"] or "").startswith("data:image/webp;base64,") for one in seen.all("img"))
    assert not [key for _, attributes in seen.elements for key in attributes if key.startswith("on")]
    assert not seen.all("b")
    assert HOSTILE in seen.text and seen.all("span", title=name)
    charts = [part for part in page.split('class="drawing"')[1:] if "mark-text" in part]
    assert charts and all(HOSTILE not in chart for chart in charts)


def test_a_policy_lets_nothing_in_but_the_page_s_own_style_and_script(tmp_path: Path) -> None:
    seen = Seen(page_of(make_manifest(make_image(tmp_path, "a.jpg", split="train"), box())))
    (policy,) = seen.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert (policy["content"] or "").startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in (policy["content"] or "")
    assert not [one for _, one in seen.elements if "style" in one]
    links = [one["href"] or "" for _, one in seen.elements if "href" in one]
    assert links and all(link.startswith("#") for link in links)


def test_charts_do_not_count_on(tmp_path: Path) -> None:
    """Vega numbers what is clipped through a whole process: the second page would differ from the first."""
    manifest = make_manifest(*some_images(tmp_path, 5))
    page = page_of(manifest)
    assert "url(" not in page and page == page_of(manifest)


# always the same, and small


def test_the_same_bytes_with_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    for place, workers in (("one", "1"), ("another", "2")):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        monkeypatch.setenv("SHARDSMITH_WORKERS", workers)
        monkeypatch.setattr("shardsmith.dataset.workers.ALONE_S", 0)
        manifest = make_manifest(*some_images(Path("raw"), 30))
        write_stage(Path("in"), manifest, [about("image-turned", "03.jpg"), about("image-unlabelled", "left.jpg")])
        manifest.write(Path("ingest"))
        make_manifest(make_image(Path("raw"), "left.jpg")).write(Path("ingest/left_out"))
        Path("ingest/source.json").write_text('{"description": "data"}')
        Path("map.pbtxt").write_text(LabelMap("ds", {"cat": 1, "dog": 2}).format())
        Path("params.yaml").write_text("dataset: {name: ds}")
        run_stage("report", "in ingest map.pbtxt data/report")
        pages.append({path.name: path.read_bytes() for path in Path("data/report").iterdir()})
    assert pages[0] == pages[1]
    assert pages[0]["classes.csv"].splitlines()[:2] == [b"class,split,order,boxes", b"cat,train,0,10"]
    page = pages[0]["index.html"]
    assert str(tmp_path).encode() not in page and b'alt="left.jpg"' in page


@pytest.mark.slow
def test_twenty_thousand_images_take_less_than_5_mb(tmp_path: Path) -> None:
    """Noise, which compresses worst; outlines of many points; 100 boxes an image where images are shown."""
    rng = np.random.default_rng(0)
    files = [(tmp_path / f"{n}.jpg", image_bytes(640, 480, n)) for n in range(3)]
    for path, data in files:
        path.write_bytes(data)
    infos = [probe(data) for _, data in files]
    outline = [[float(value) for value in rng.integers(0, 300, 400)]]
    images, annotations = [], []
    for n in range(20_000):
        name, info = f"{'folder/' * 9}{n:05}.jpg", infos[n % 3]
        split = SPLITS[n % 3]
        images.append(Image(name, str(files[n % 3][0]), info.sha256, 640, 480, "jpeg", split=split))
        boxes = 100 if n < 300 else 2
        for k in range(boxes):
            one = box(name, f"class with a name that is long {(n + k) % 900}", 10, 20, 200, 300)
            one.segmentation = str(outline) if n < 300 else None
            annotations.append(one)
    manifest = Manifest.of(images, annotations)
    findings = [about("box-over-edge", image.image_id, place="box 1") for image in images]
    page = page_of(manifest, *findings)
    assert 1_000_000 < len(page.encode()) < 5_000_000
    assert 0 < page.count("<img ") <= samples.GALLERY + 30


def test_pictures_keep_their_budget_and_their_shape(tmp_path: Path) -> None:
    noise = make_image(tmp_path, "noise.jpg", image_bytes(3000, 2000))
    turned = make_image(tmp_path, "turned.jpg", image_bytes(40, 20, exif=_turned()))
    large, upright = shrink([noise, turned])
    assert abs(large.width / large.height - 1.5) < 0.02
    assert len(base64.b64decode(large.uri.partition(",")[2])) <= 80_000
    assert (upright.width, upright.height) == (20, 40)
    with PilImage.open(io.BytesIO(base64.b64decode(upright.uri.partition(",")[2]))) as picture:
        assert picture.size == (20, 40)


def _turned() -> PilImage.Exif:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    return exif


# what is chosen


def test_each_class_and_split_is_in_the_gallery_and_rare_ones_first() -> None:
    rows: list[Image | Annotation] = []
    for n in range(3000):
        name = f"{n:04}.jpg"
        rows.append(row(name, SPLITS[n % 3]))
        if n % 10:
            rows.append(box(name, "common"))
        if n in (5, 6, 7):
            rows.append(box(name, "rare"))
    manifest = make_manifest(*rows)
    columns = columns_of(manifest)
    ids = manifest.images["image_id"].to_pylist()
    chosen = samples.choose_gallery(columns, samples.shuffled(pa.array(ids)), 30)
    assert len(chosen) == len(set(chosen)) == 30
    assert {ids[n] for n in chosen[:3]} == {"0005.jpg", "0006.jpg", "0007.jpg"}
    empty = {int(columns.split_of[n]) for n in chosen if not columns.per_image[n]}
    assert empty == {0, 1, 2}
    assert {int(columns.split_of[n]) for n in chosen} == {0, 1, 2}


def test_what_is_chosen_depends_on_names_and_not_on_what_else_there_is() -> None:
    few = [row(f"{n}.jpg") for n in range(50)]
    ids = [image.image_id for image in few]
    order = [ids[n] for n in np.argsort(samples.shuffled(pa.array(ids)))]
    fewer = sorted(ids[:25])
    assert [name for name in order if name in fewer] == [
        fewer[n] for n in np.argsort(samples.shuffled(pa.array(fewer)))
    ]
    assert order != sorted(order)


def test_copies_are_in_the_gallery_only_where_a_split_has_nothing_else() -> None:
    manifest = make_manifest(
        row("a"), row("a#1", parent_id="a", copy=1), row("b#1", "valid", parent_id="b", copy=1), box("a"), box("a#1")
    )
    chosen = samples.choose_gallery(columns_of(manifest), samples.shuffled(pa.array(["a", "a#1", "b#1"])))
    assert sorted(chosen) == [0, 2]


def test_findings_find_their_images() -> None:
    findings = [
        about("box-over-edge", "JPEGImages/b.jpg", source_key="n1"),
        found("size-declared-wrong", "Annotations/a.xml", image_id="JPEGImages/a.jpg"),
        found("box-empty", "c.jpg"),
        about("image-turned", "JPEGImages/a.jpg"),
        *(about("box-inverted", f"{n}.jpg") for n in range(9)),
        found("orientation-ambiguous", "all.json", image_id="JPEGImages/b.jpg"),
        found("copy-identical", "0.jpg#r1c2", "copy 1", image_id="0.jpg", made="0.jpg#r1c2#1"),
        found("class-rare", "0.jpg"),
        *(found("split-lacks-class", "", f"split {split}") for split in ("valid", "test")),
    ]
    ids = ["JPEGImages/a.jpg", "JPEGImages/b.jpg", "x/c.jpg", "y/c.jpg", *(f"{n}.jpg" for n in range(9))]
    blocks = {block.code: block for block in found_blocks(findings, pa.array(ids))}
    rows = {code: [row for _, row, _ in block.shown] for code, block in blocks.items()}
    assert list(blocks)[:3] == ["box-empty", "box-inverted", "split-lacks-class"]  # the only error; then most warnings
    assert rows["box-empty"] == []  # it says of no image
    assert rows["box-over-edge"] == [1]
    assert rows["size-declared-wrong"] == rows["image-turned"] == [0]
    assert rows["box-inverted"] == [4, 5, 6, 7] and blocks["box-inverted"].rest == 5
    assert rows["orientation-ambiguous"] == [1]
    assert rows["copy-identical"] == [4]
    assert rows["class-rare"] == []  # a class, though it is called like an image


# the box of a finding


ROWS = [
    label("a", "cat"),
    box("a", "cat", 10, 10, 60, 50),
    box("a", "big cat 7", -1, 10, 30, 50),
    box("a", "cat", 300, 10, 330, 50),
    box("a", "cat", 40, 40, 40, 60),
    box("a", "cat", 90, 90, 80, 95),
    box("a", "cat", 10, 10, 60, 50),
    box("a", "dog", 10, 10, 60, 51),
    box("a", "cat", 0.1234567, 70, 2.5, 90),
    box("a", "cat", float("nan"), 70, 2.5, 90),
]
WHERE = {
    "box-over-edge": (-1, 10, 30, 50), "box-outside-image": (300, 10, 330, 50), "box-empty": (40, 40, 40, 60),
    "box-inverted": (80, 90, 90, 95), "box-duplicate": (10, 10, 60, 50), "box-overlap": (10, 10, 60, 51),
    "box-tiny": (0.1234567, 70, 2.5, 90), "box-not-finite": None,
}  # fmt: skip


def test_a_finding_s_box_is_the_one_that_validate_saw() -> None:
    _, findings = check_boxes(make_manifest(row("a"), *ROWS), {}, 0.05, 4)
    assert {finding.code: box_of(finding, ROWS) for finding in findings} == WHERE


@pytest.mark.parametrize("key", ["", "n1", "n99", "n10"], ids=["none", "of the whole image", "not there", "no number"])
def test_a_box_that_cannot_be_told_is_not_marked(key: str) -> None:
    make_manifest(*ROWS)
    assert box_of(about("box-lost", "a", source_key=key), ROWS) is None


@pytest.mark.parametrize(
    ("box", "frame", "marked"),
    [
        ((10.0, 20.0, 60.0, 70.0), (0, 0, 200, 100), ("5", "20", "25", "50")),
        ((-50.0, 20.0, 60.0, 70.0), (-62, 0, 262, 100), ("4.58", "20", "41.98", "50")),
        ((0.0, 0.0, 400.0, 900.0), (0, 0, 400, 200), ("0", "0", "100", "100")),  # cut at the frame
    ],
)
def test_a_frame_holds_the_image_and_the_box(box: Box, frame: tuple[float, ...], marked: tuple[str, ...]) -> None:
    around = frame_of(row("a", width=200, height=100), box)
    assert (around.left, around.top, around.width, around.height) == frame
    area = point(around, box).box
    assert area and (area.left, area.top, area.width, area.height) == marked


@pytest.mark.parametrize(
    ("box", "arrow"),
    [((900.0, 900.0, 950.0, 950.0), "↘"), ((-900.0, 10.0, -850.0, 60.0), "←"), ((10.0, -500.0, 60.0, -450.0), "↑")],
)
def test_a_box_far_away_is_pointed_to(box: Box, arrow: str) -> None:
    around = frame_of(row("a", width=200, height=100), box)
    assert point(around, box).arrow == arrow and around.width * around.height < 200 * 100 * 1.5


def test_a_small_box_has_a_ring_and_a_large_one_none() -> None:
    frame = Viewport(0, 0, 100, 100)
    assert point(frame, (50, 50, 50, 50)).ring and point(frame, (50, 50, 52, 90)).ring
    assert point(frame, (20, 20, 60, 60)).ring is None


def test_findings_show_dropped_images_and_say_which_cannot_be_shown(tmp_path: Path) -> None:
    there = [make_image(tmp_path, "a.jpg", image_bytes(100, 100), split="train"), box("a.jpg", "cat", 10, 10, 60, 50)]
    dropped = [make_image(tmp_path, f"{name}.jpg", image_bytes(seed=n)) for n, name in enumerate(("far", "cut"))]
    Path(dropped[1].path).write_bytes(b"no image")
    far = about("image-size-far", "far.jpg", "drop")
    findings = [
        about("image-unreadable", "cut.jpg"), far, about("box-tiny", "a.jpg", place="box 1", source_key="n1")
    ]  # fmt: skip
    page = page_of(make_manifest(*there), *findings, taken_in=make_manifest(*there, *dropped))
    seen = Seen(page)
    assert len(seen.all("img")) == 3  # the gallery's, and two in findings
    assert "It cannot be shown: it does not decode. cut.jpg dropped" in seen.text
    assert seen.all("img", alt="far.jpg") and seen.all("img", alt="a.jpg; box 1 is marked")
    (line,) = seen.all("rect", **{"class": "line box"})
    assert [line[side] for side in ("x", "y", "width", "height")] == ["10%", "10%", "50%", "40%"]
