"""Every step on images that are odd but allowed: it works, or says in one message which it cannot take, and why."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import box, image_bytes, make_image, make_manifest
from PIL import Image as PilImage
from PIL import ImageOps

from shardsmith.dataset.errors import ParamsError, StageError
from shardsmith.dataset.findings import Finding
from shardsmith.dataset.images import decode
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.pipeline.augment import augment
from shardsmith.pipeline.params import AugmentParams, PreprocessParams, parse_params
from shardsmith.pipeline.preprocess import preprocess
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS

CHANNELS: dict[str, tuple[int, ...]] = {"L": (), "I;16": (), "LA": (2,), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}
TURNED = PilImage.Exif()
TURNED[0x0112] = 6


def picture(mode: str, format: str, size: tuple[int, int] = (40, 30), **save: object) -> bytes:
    depth = np.uint16 if mode == "I;16" else np.uint8
    shape = (size[1], size[0], *CHANNELS[mode])
    pixels = np.random.default_rng(1).integers(0, np.iinfo(depth).max, shape, depth)
    return saved(PilImage.frombytes(mode, size, pixels.tobytes()), format, **save)


def saved(image: PilImage.Image, format: str, **save: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **save)
    return stream.getvalue()


PALETTE = PilImage.fromarray(np.random.default_rng(2).integers(0, 256, (30, 40, 3), np.uint8)).quantize(16)
FRAMES = [PilImage.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
ODD = {
    "1x1.jpg": picture("RGB", "JPEG", (1, 1)),
    "1x1.png": picture("RGB", "PNG", (1, 1)),
    "2x300.jpg": picture("RGB", "JPEG", (2, 300)),
    "300x2.png": picture("RGB", "PNG", (300, 2)),
    "16-bit.png": picture("I;16", "PNG"),
    "cmyk.jpg": picture("CMYK", "JPEG"),
    "rgba.png": picture("RGBA", "PNG"),
    "la.png": picture("LA", "PNG"),
    "grey.jpg": picture("L", "JPEG"),
    "palette.png": saved(PALETTE, "PNG"),
    "transparent.png": saved(PALETTE, "PNG", transparency=3),
    "turned.jpg": picture("RGB", "JPEG", exif=TURNED),
    "animated.gif": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "a.webp": picture("RGB", "WEBP"),
    "a.bmp": picture("RGB", "BMP"),
    "a.tif": picture("RGB", "TIFF"),
}
NORMAL = "normal.jpg"
TINY = {"1x1.jpg", "1x1.png"}
# where a step has no defaults, or they would do nothing here
ARGUMENTS: dict[str, dict[str, dict]] = {
    "preprocess": {
        "resize": {"width": 64, "height": 48},
        "crop": {"left": 0.4, "right": 0.6, "top": 0.4, "bottom": 0.6},
        "tile": {"width": 16, "height": 16, "overlap": 0.2},
        "isolate_objects": {"padding": 0.5},
        "min_box_size": {"side": 3},
        "filter_tags": {"drop": ["odd"]},
        "filter_classes": {"keep": ["odd"]},
        "random_sample": {"images": 5},
    },
    "augment": {
        "flip": {"horizontal": 1, "vertical": 0.5},
        "albumentations": {"RandomResizedCrop": {"size": [24, 24]}},
    },
}
STEPS = [(block, name) for block, names in (("preprocess", PREPROCESS), ("augment", AUGMENT)) for name in names]


def run(manifest: Manifest, step: str, block: str, out: Path, **arguments: object) -> tuple[Manifest, list[Finding]]:
    listed: list = [{step: {**ARGUMENTS[block].get(step, {}), **arguments}}]
    if block == "preprocess":
        result, findings, _ = preprocess(manifest, PreprocessParams(enabled=True, steps=listed), out)
    else:
        listed[0][step].setdefault("probability", 1)
        result, findings, _ = augment(manifest, AugmentParams(enabled=True, copies=3, steps=listed), out)
    return result, findings


def manifest_of(folder: Path, files: dict[str, bytes]) -> Manifest:
    """Each image with a box over all of it, and one over its top left quarter."""
    rows: list[Image | Annotation] = []
    for name, data in files.items():
        image = make_image(folder, name, data, split="train")
        assert image.width and image.height
        corners = (0, 0, image.width, image.height)
        rows += [image, box(name, "odd", *corners), box(name, "quarter", *(side / 2 for side in corners))]
    return make_manifest(*rows)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return manifest_of(tmp_path_factory.mktemp("raw"), {**ODD, NORMAL: image_bytes()})


def upright(row: Image) -> np.ndarray:
    """As Pillow alone reads what a stage wrote."""
    with PilImage.open(row.path) as file:
        assert (file.format or "").lower() == row.format
        assert file.getexif().get(0x0112, 1) == row.orientation == 1
        assert file.n_frames == 1 if hasattr(file, "n_frames") else True
        return np.asarray(file.convert("RGB"))


def problems(result: Manifest, raw: Manifest) -> Iterator[str]:
    """What is not as it should be."""
    originals = {row.sha256 for row in raw.image_rows()}
    for row, of_image in result.pairs():
        if row.origin is None:
            continue  # an original beside its copies
        pixels = upright(row)
        if pixels.shape != (row.height, row.width, 3):
            yield f"{row.image_id}: {pixels.shape}, and the row says {row.width} x {row.height}"
        if row.sha256 not in originals:  # one that no step changes keeps its bytes, grey or not
            with PilImage.open(row.path) as file:
                if file.mode != "RGB":
                    yield f"{row.image_id}: {file.mode}"
        for a in of_image:
            if a.xmin is None:
                continue
            assert a.ymin is not None and a.xmax is not None and a.ymax is not None and row.width and row.height
            if not (0 <= a.xmin < a.xmax <= row.width and 0 <= a.ymin < a.ymax <= row.height):
                yield f"{row.image_id}: {a}"


@pytest.mark.parametrize(("block", "name"), [one for one in STEPS if one[1] != "mosaic"])
def test_a_step_takes_every_odd_image(odd: Manifest, tmp_path: Path, block: str, name: str) -> None:
    result, findings = run(odd, name, block, tmp_path)
    assert list(problems(result, odd)) == []
    made = {(row.parent_id or row.image_id).partition("#")[0] for row in result.image_rows()}
    left_out = {finding.file for finding in findings if finding.code == "image-left-out"}
    assert made | left_out == {*ODD, NORMAL}
    assert not made & left_out


def test_what_leaves_an_image_is_what_is_seen(tmp_path: Path) -> None:
    """Format by format: mirrored twice by hand, the pixels are those of the source as it is displayed."""
    raw = manifest_of(tmp_path / "raw", {name: ODD[name] for name in ODD if not name.endswith((".jpg", ".webp"))})
    params = AugmentParams(enabled=True, copies=1, steps=[{"flip": {"horizontal": 1}}], keep_original=False)
    result, *_ = augment(raw, params, tmp_path / "out")
    for row in result.image_rows():
        with PilImage.open(tmp_path / "raw" / (row.parent_id or "")) as file:
            depth = file.mode.startswith("I;16")
            shown = (np.asarray(file) >> 8).astype(np.uint8) if depth else np.asarray(file.convert("RGBA"))[..., :3]
        shown = np.repeat(shown[..., None], 3, axis=2) if depth else shown
        assert np.array_equal(upright(row)[:, ::-1], shown), row.parent_id


def test_the_first_frame_and_the_upright_image_are_used(odd: Manifest, tmp_path: Path) -> None:
    result, _ = run(odd, "resize", "preprocess", tmp_path, width=30, height=40, mode="stretch")
    rows = {row.image_id: row for row in result.image_rows()}
    assert np.array_equal(upright(rows["animated.gif"]), np.full((40, 30, 3), (255, 0, 0)))
    assert (rows["animated.gif"].format, rows["a.webp"].format, rows["a.tif"].format) == ("png", "webp", "png")
    with PilImage.open(io.BytesIO(ODD["turned.jpg"])) as file:
        shown = np.asarray(ImageOps.exif_transpose(file)).astype(int)  # 30 wide and 40 high: only encoded once more
    assert np.abs(upright(rows["turned.jpg"]) - shown).mean() < 12


# what Pillow is to do with pixels as stored, so that they stand upright
UPRIGHT = {
    1: None,
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_270,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_90,
}
BACK = {6: 8, 8: 6}  # the others undo themselves


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("block", ["preprocess", "augment", "augment then mirror"])
def test_every_orientation_stands_upright_with_its_boxes_on_the_objects(
    tmp_path: Path, block: str, orientation: int
) -> None:
    """A PNG, so that nothing but the turn changes a pixel; a red object off the middle, measured in what comes out."""
    shown = np.random.default_rng(3).integers(0, 100, (30, 40, 3), np.uint8)
    shown[4:11, 25:37] = (255, 0, 0)
    back = UPRIGHT[BACK.get(orientation, orientation)]
    stored = PilImage.fromarray(shown) if back is None else PilImage.fromarray(shown).transpose(back)
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    image = make_image(tmp_path / "raw", "a.png", saved(stored, "PNG", exif=exif), split="train")
    assert (image.width, image.height, image.orientation) == (40, 30, orientation)
    raw = make_manifest(image, box("a.png", "red", 25, 4, 37, 11))
    if block == "preprocess":
        result, _ = run(raw, "crop", block, tmp_path / "out", left=0.25, right=1, top=0, bottom=1)
        expected = shown[:, 10:]
    else:
        mirrored = block.endswith("mirror")
        steps: list = [{"flip": {"horizontal": int(mirrored), "vertical": 1}}]
        params = AugmentParams(enabled=True, copies=1, steps=steps, keep_original=False)
        result, *_ = augment(raw, params, tmp_path / "out")
        expected = shown[::-1, ::-1] if mirrored else shown[::-1]
    ((row, (red,)),) = result.pairs()
    assert np.array_equal(upright(row), expected)
    ys, xs = np.nonzero((expected == (255, 0, 0)).all(axis=2))
    assert (red.xmin, red.ymin, red.xmax, red.ymax) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


# --- mosaic


def test_a_mosaic_takes_every_image_that_has_quarters(tmp_path: Path) -> None:
    raw = manifest_of(
        tmp_path / "raw", {**{name: ODD[name] for name in ODD if name not in TINY}, NORMAL: image_bytes()}
    )
    result, _ = run(raw, "mosaic", "augment", tmp_path / "out")
    assert list(problems(result, raw)) == []
    assert sum(row.copy > 0 for row in result.image_rows()) > 3 * len(ODD) * 0.8


@pytest.mark.parametrize("name", sorted(TINY))
def test_a_mosaic_of_one_pixel_is_left_out_or_names_it(tmp_path: Path, name: str) -> None:
    raw = manifest_of(tmp_path / "raw", {name: ODD[name], NORMAL: image_bytes()})
    works_or_says(lambda: run(raw, "mosaic", "augment", tmp_path / "out")[0], raw, name)


def works_or_says(work: Callable[[], Manifest], raw: Manifest, name: str) -> None:
    """It gives good images, or one StageError that names the file, its size and a remedy."""
    try:
        result = work()
    except StageError as error:
        assert re.search(rf"{re.escape(name)}: .*\d+ x \d+.*; .*leave", str(error)), error
        assert len(str(error).splitlines()) == 1
    else:
        assert list(problems(result, raw)) == []


@pytest.mark.parametrize("count", [1, 2])
def test_a_mosaic_of_too_few_images_is_none_or_repeats_them(tmp_path: Path, count: int) -> None:
    raw = manifest_of(tmp_path / "raw", {name: image_bytes(seed=number) for number, name in enumerate("ab"[:count])})
    result, findings = run(raw, "mosaic", "augment", tmp_path / "out")
    assert result.images.num_rows == (1 if count == 1 else 8)
    assert [finding.code for finding in findings if finding.code != "box-lost"] == ["copy-identical"] * (
        3 if count == 1 else 0
    )


# --- what is too small, too large or outside


@pytest.mark.parametrize(
    "crop",
    [
        {"left": 0.5, "right": 0.5}, {"top": 0.9, "bottom": 0.1}, {"left": 1}, {"right": 0}, {"right": 1.5},
        {"left": -0.1},
    ],
    ids=str,
)  # fmt: skip
def test_a_crop_of_nothing_or_outside_is_refused_before_any_work(crop: dict) -> None:
    with pytest.raises(ParamsError, match=r"preprocess\.steps\[0\]\.crop"):
        parse_params(f"preprocess: {{enabled: true, steps: [{{crop: {crop}}}]}}")


@pytest.mark.parametrize("crop", [{"left": 0.999}, {"right": 1e-9}, {"top": 0.4999, "bottom": 0.5001}], ids=str)
def test_a_crop_of_less_than_a_pixel_leaves_one(odd: Manifest, tmp_path: Path, crop: dict) -> None:
    result, *_ = preprocess(odd, PreprocessParams(enabled=True, steps=[{"crop": crop}]), tmp_path)
    assert list(problems(result, odd)) == []
    assert all(row.width == 1 or row.height == 1 for row in result.image_rows())


def test_images_smaller_than_a_tile_stay_whole_and_are_named(odd: Manifest, tmp_path: Path) -> None:
    result, findings = run(odd, "tile", "preprocess", tmp_path, width=640, height=640)
    assert [row.image_id for row in result.image_rows()] == sorted([*ODD, NORMAL])
    assert {(finding.code, finding.file) for finding in findings} == {
        ("image-smaller-than-tile", name) for name in [*ODD, NORMAL]
    }
    assert [row.sha256 for row in result.image_rows() if row.image_id == "1x1.png"] == [
        row.sha256 for row in odd.image_rows() if row.image_id == "1x1.png"
    ]


@pytest.mark.parametrize("mode", ["stretch", "fit", "within", "fill"])
def test_one_pixel_becomes_a_huge_image(tmp_path: Path, mode: str) -> None:
    raw = manifest_of(tmp_path / "raw", {"1x1.png": ODD["1x1.png"]})
    result, _ = run(raw, "resize", "preprocess", tmp_path / "out", width=3000, height=3000, mode=mode)
    (row,) = result.image_rows()
    assert (row.width, row.height) == (3000, 3000)
    assert (upright(row) == decode(ODD["1x1.png"])).all()


@pytest.mark.parametrize(
    ("size", "format", "step"),
    [
        ((20_000, 1), "webp", {"grayscale": {}}),
        ((70_000, 1), "jpeg", {"grayscale": {}}),
        ((1, 1), "webp", {"resize": {"width": 16384, "height": 1, "mode": "stretch"}}),
    ],
    ids=["webp", "jpeg", "resize"],
)
def test_an_image_larger_than_its_format_allows_is_named(
    tmp_path: Path, size: tuple[int, int], format: str, step: dict
) -> None:
    raw = make_manifest(make_image(tmp_path, "long.png", picture("RGB", "PNG", size)))
    params = PreprocessParams(enabled=True, steps=[step], image_format=format)  # type: ignore[arg-type]
    with pytest.raises(StageError, match=rf"long\.png: .*{format}.*; "):
        preprocess(raw, params, tmp_path / "out")


@pytest.mark.parametrize("name", AUGMENT)
def test_copies_of_an_image_longer_than_opencv_warps(tmp_path: Path, name: str) -> None:
    """cv2.remap takes no side of 32,768 pixels."""
    files = {"long.png": picture("RGB", "PNG", (33_000, 2)), NORMAL: image_bytes()}
    raw = manifest_of(tmp_path / "raw", files)
    works_or_says(lambda: run(raw, name, "augment", tmp_path / "out")[0], raw, "long.png")


def test_an_unknown_transform_is_refused_before_any_work() -> None:
    with pytest.raises(ParamsError, match=r"augment\.steps\[0\]\.albumentations.*Blurr.*no such transform.*Blur"):
        parse_params("augment: {enabled: true, steps: [{albumentations: {Blurr: {}}}]}")


@pytest.mark.parametrize("transform", ["RandomCrop: {height: 20, width: 20}", "GridDistortion: {}", "ToGray: {}"])
def test_a_transform_that_an_image_is_too_small_for_names_it(tmp_path: Path, transform: str) -> None:
    raw = manifest_of(tmp_path / "raw", {"1x1.png": ODD["1x1.png"], NORMAL: image_bytes()})
    steps = parse_params(f"augment: {{enabled: true, steps: [{{albumentations: {{{transform}}}}}]}}").augment
    works_or_says(lambda: augment(raw, steps, tmp_path / "out")[0], raw, "1x1.png")
