"""Each step that moves pixels against a drawn truth: where the pixels went is measured, not computed."""

import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import simplejpeg
from PIL import Image as PilImage
from scenes import done, draw_scene, iou, measure, operations, overlaps, sample_of, step

from shardsmith.dataset import images
from shardsmith.dataset.errors import ParamsError
from shardsmith.dataset.shapes import from_mask, to_mask
from shardsmith.pipeline.params import parse_params
from shardsmith.transforms.catalogue import AUGMENT, OPERATIONS, PREPROCESS, Sample, perform
from shardsmith.transforms.geometry.frame import Frame
from shardsmith.transforms.geometry.objects import Objects
from shardsmith.transforms.run.make import SourceImage, WantedImage, make
from shardsmith.transforms.run.recipe import Recipe, prepare_process
from shardsmith.transforms.steps.crop import cut
from shardsmith.transforms.steps.rotate import ROTATE


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


SIZE = {"width": 200, "height": 150}
TRUTH = [
    ("resize", {**SIZE, "mode": "stretch"}),
    ("resize", {**SIZE, "mode": "fit"}),
    ("resize", {"width": 150, "height": 200, "mode": "fit", "only_shrink": True}),
    ("resize", {**SIZE, "mode": "within"}),
    ("resize", {**SIZE, "mode": "fill"}),
    ("resize", {**SIZE, "mode": "fill", "only_shrink": True}),
    ("resize", {"width": 640, "height": 640, "mode": "fill"}),
    ("rotate", {"degrees": 15}),
    ("rotate", {"degrees": 180}),
    ("shear", {"horizontal": 30, "vertical": 0}),
    ("shear", {"horizontal": 20, "vertical": 20}),
    ("crop", {"zoom_min": 0.1, "zoom_max": 0.5}),
]
EXACT = [
    ("flip", {"horizontal": 0.5, "vertical": 0.5}),
    ("rotate_90", {"turns": ["clockwise", "counter_clockwise", "upside_down"]}),
]


@pytest.mark.parametrize(("name", "arguments"), TRUTH, ids=str)
def test_boxes_lie_where_the_pixels_went(name: str, arguments: dict) -> None:
    found = overlaps(step(name, **arguments))
    assert found.mean() >= 0.97
    assert found.min() >= 0.9


@pytest.mark.parametrize(("name", "arguments"), EXACT, ids=str)
def test_boxes_lie_exactly_where_the_pixels_went(name: str, arguments: dict) -> None:
    assert overlaps(step(name, **arguments)).min() == 1


@pytest.mark.parametrize("seed", range(60))
def test_crops_and_cuts_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = draw_scene(seed)
    left, top, right, bottom = np.sort(rng.random((2, 2)), axis=0).ravel()
    width, height = rng.integers(20, [scene.width, scene.height])
    x, y = rng.integers(0, [scene.width - width + 1, scene.height - height + 1])
    edges = {"left": left, "top": top, "right": right, "bottom": bottom}
    for operation in (("crop", edges), cut(int(x), int(y), int(width), int(height))):
        after = perform(scene, [operation])
        for box, row in zip(after.objects.boxes(), after.objects.rows, strict=True):
            assert box.tolist() == measure(after.pixels, row).tolist()


@pytest.mark.parametrize("seed", range(60))
def test_a_mosaic_is_exact_but_for_scaling(seed: int) -> None:
    """Each of the four shows in its quarter what is drawn on it: one object each, in a colour channel of its own."""
    scenes = []
    for channel in range(4):
        scene = draw_scene(4 * seed + channel)
        pixels = np.zeros_like(scene.pixels)
        xmin, ymin, xmax, ymax = scene.objects.boxes()[0].astype(int)
        pixels[ymin:ymax, xmin:xmax, min(channel, 2)] = 255 if channel < 3 else 0
        scenes.append(sample_of(pixels, [[xmin, ymin, xmax, ymax]]))
    values = {"partners": [], "x": 0.4, "y": 0.55, "place": seed % 4}
    after = perform(replace(scenes[0], others=scenes[1:]), [("mosaic", values)])
    assert after.pixels.shape == scenes[0].pixels.shape
    for box, row in zip(after.objects.boxes(), after.objects.rows, strict=True):
        if row < 3 and (box[2:] - box[:2]).min() > 12:
            assert iou(box, measure(after.pixels, row)) > 0.9


class _LeftBehind:
    """Turns the pixels, and forgets the boxes."""

    def apply(self, sample: Sample, values: dict) -> Sample:
        return replace(ROTATE.apply(sample, values), objects=sample.objects)


def test_the_measure_catches_boxes_that_stay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "rotate", _LeftBehind())
    found = overlaps(step("rotate"))
    assert found.mean() < 0.97
    assert found.min() < 0.9


def blob_scene(seed: int) -> tuple[Sample, np.ndarray]:
    """A white blob, leaning, once with a polygon and once with a mask; and the mask."""
    rng = np.random.default_rng(seed)
    size = rng.integers(120, 300, 2)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    lean = rng.uniform(-1, 1)
    points = np.stack([np.cos(angles) + lean * np.sin(angles), np.sin(angles)], axis=1)
    points = (points * rng.uniform(0.1, 0.25) * size.min() + size / 2).round(2)
    segmentation = json.dumps([points.ravel().tolist()])
    mask = to_mask(segmentation, int(size[0]), int(size[1]))
    box = [*points.min(axis=0), *points.max(axis=0)]
    sample = sample_of(np.repeat(mask[:, :, None] * 255, 3, axis=2), [box, box], [segmentation, from_mask(mask)])
    return sample, mask


GEOMETRY = [
    *TRUTH[:5],
    ("rotate", {"degrees": 90}),
    ("shear", {}),
    ("crop", {"zoom_min": 0.2, "zoom_max": 0.4}),
    *EXACT,
]


@pytest.mark.parametrize(("name", "arguments"), GEOMETRY, ids=str)
def test_outlines_lie_where_the_pixels_went(name: str, arguments: dict) -> None:
    found = []
    for draw in range(30):
        before, _ = blob_scene(draw)
        after = done(step(name, **arguments), before, draw)
        drawn = after.pixels[:, :, 0] > 127
        if drawn.sum() < 400:
            continue
        for text, box in zip(after.objects.segmentations(), after.objects.boxes(), strict=True):
            assert text
            mask = to_mask(text, after.width, after.height) > 0
            found.append((mask & drawn).sum() / (mask | drawn).sum())
            # the box hugs what is drawn, though the box around a turned box would not
            ys, xs = np.nonzero(drawn)
            assert iou(box, np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])) > 0.9
    assert len(found) > 20
    assert np.mean(found) > 0.97
    assert np.min(found) > 0.9


@pytest.mark.parametrize(
    ("mode", "size", "boxes"),
    [
        # an image of 40 x 20: all of it, its left quarter, its centre
        ("stretch", (20, 20), [[0, 0, 20, 20], [0, 0, 5, 20], [5, 5, 15, 15]]),
        ("fit", (20, 20), [[0, 5, 20, 15], [0, 5, 5, 15], [5, 7.5, 15, 12.5]]),
        ("fit", (80, 80), [[0, 20, 80, 60], [0, 20, 20, 60], [20, 30, 60, 50]]),
        ("within", (20, 20), [[0, 0, 20, 10], [0, 0, 5, 10], [5, 2.5, 15, 7.5]]),
        ("fill", (20, 20), [[0, 0, 20, 20], [0, 5, 20, 15]]),
        ("fill", (40, 40), [[0, 0, 40, 40], [0, 10, 40, 30]]),
        ("fit", (40, 20), [[0, 0, 40, 20], [0, 0, 10, 20], [10, 5, 30, 15]]),
    ],
)
def test_resize_by_hand(mode: str, size: tuple[int, int], boxes: list) -> None:
    whole = sample_of(np.full((20, 40, 3), 9, np.uint8), [[0, 0, 40, 20], [0, 0, 10, 20], [10, 5, 30, 15]])
    after = done(step("resize", width=size[0], height=size[1], mode=mode), whole)
    assert (after.width, after.height) == ((20, 10) if mode == "within" else size)
    assert after.objects.boxes().tolist() == boxes
    assert (after is whole) == (size == (40, 20))


@pytest.mark.parametrize(
    ("mode", "size"),
    [("stretch", (40, 20)), ("within", (40, 20)), ("fill", (33, 20)), ("fit", (100, 60))],
)
def test_small_images_are_not_enlarged(mode: str, size: tuple[int, int]) -> None:
    small = sample_of(np.full((20, 40, 3), 9, np.uint8), [[0, 0, 40, 20]])
    after = done(step("resize", width=100, height=60, mode=mode, only_shrink=True), small)
    assert (after.width, after.height) == size
    assert (after.objects.boxes()[0][2:] - after.objects.boxes()[0][:2]).tolist() == [33 if mode == "fill" else 40, 20]


@pytest.mark.parametrize(
    ("edges", "colour"),
    [("black", [0, 0, 0]), ("white", [255] * 3), ("#102030", [16, 32, 48]), ("reflect", [7, 8, 9])],
)
def test_edges(edges: str, colour: list) -> None:
    plain = sample_of(np.full((20, 40, 3), [7, 8, 9], np.uint8), [])
    fitted = done(step("resize", width=40, height=40, edges=edges), plain).pixels
    assert fitted[0, 0].tolist() == fitted[39, 39].tolist() == colour
    assert fitted[10, 0].tolist() == fitted[29, 39].tolist() == [7, 8, 9]
    turned = perform(plain, [("rotate", {"degrees": 45, "edges": edges})]).pixels
    assert turned[0, 0].tolist() == colour


@pytest.mark.parametrize(
    ("box", "visible"),
    [((-5, 0, 5, 10), 0.5), ((2, 2, 8, 8), 1), ((5, 5, 15, 15), 0.25), ((10, 0, 20, 10), None), ((3, 3, 3, 9), 1)],
)
def test_boxes_are_cut_at_the_edges(box: tuple, visible: float | None) -> None:
    shift = Frame(10, 10, tx=-20, ty=-20)
    after = Objects.of([np.add(box, 20)]).moved(shift)
    assert after.visible.tolist() == ([] if visible is None else [visible])


def test_what_steps_cut_off_adds_up() -> None:
    once = Objects.of([[0, 0, 10, 10]]).moved(Frame(10, 10, tx=-5))
    assert once.moved(Frame(10, 10, tx=-2.5)).visible.tolist() == [0.25]


def test_what_is_cut_twice_stays_within_what_was_cut_before() -> None:
    """A turned box that is then cropped: the box around its cut corners, not around the box around them."""
    diamond = Objects.of([[40, 40, 60, 60]]).moved(Frame(100, 100, 0.5, 0.5, 0, -0.5, 0.5, 50))
    assert diamond.boxes().tolist() == [[40, 40, 60, 60]]
    halved = diamond.moved(Frame(100, 45))
    assert halved.boxes().tolist() == [[45, 40, 55, 45]]


def test_a_cut_object_hugs_its_outline() -> None:
    """An L: of its right part, only the foot is left."""
    foot = "[[0, 0, 10, 0, 10, 30, 40, 30, 40, 40, 0, 40]]"
    after = Objects.of([[0, 0, 40, 40]], [foot]).moved(Frame(20, 40, tx=-20))
    assert after.boxes().tolist() == [[0, 30, 20, 40]]
    assert after.visible.tolist() == [pytest.approx(200 / 700)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"cut", "mosaic", "albumentations"}))
def test_the_smallest_images(name: str, shape: tuple[int, int]) -> None:
    arguments = {"width": 64, "height": 48, "mode": "fill"} if name == "resize" else {}
    catalogue = {"zoom": "crop", "box_zoom": "box_crop"}
    pixels = np.full((*shape, 3), 200, np.uint8)
    pixels.flags.writeable = False  # as Pillow gives them
    after = done(step(catalogue.get(name, name), **arguments), sample_of(pixels, [[0, 0, shape[1], shape[0]]]))
    assert after.pixels.dtype == np.uint8
    assert after.pixels.ndim == 3
    assert min(after.pixels.shape) >= 1
    assert pixels.min() == 200


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("resize", {"width": 640, "height": 480}, "Resize to 640 x 480 pixels (fit: aspect kept, padded with black)"),
        ("flip", {}, "Horizontal flip, 50 % of images"),
        ("flip", {"vertical": 0.1}, "Horizontal flip, 50 % of images, Vertical flip, 10 % of images"),
        ("rotate", {"degrees": 12.5}, "Rotation between -12.5 and +12.5 degrees"),
        ("rotate", {"probability": 0.3}, "Rotation between -15 and +15 degrees, 30 % of copies"),
        ("rotate_90", {}, "Rotation by 90° clockwise or 90° counter-clockwise, 50 % of copies"),
        ("shear", {"classes": ["cat"]}, "Shear by up to ±10° horizontally and ±10° vertically, only images with cat"),
        ("brightness_contrast", {"contrast": 0.05}, "Brightness by up to ±20 %, contrast by up to ±5 %"),
        ("tile", {"width": 640, "height": 512, "overlap": 0.2}, "Tiles of 640 x 512 pixels, overlap 20 %"),
        ("mosaic", {}, "Mosaic of four images, 50 % of copies"),
    ],
)
def test_steps_in_plain_words(name: str, arguments: dict, words: str) -> None:
    assert step(name, **arguments).describe() == words


@pytest.mark.parametrize(
    ("block", "listed", "complaint"),
    [
        ("preprocess", "resize: {width: 0, height: 5}", "resize.width: 0: allowed: 1 and more"),
        ("preprocess", "resize: {width: 5}", "resize.height"),
        ("preprocess", "resize: {width: 5, height: 5, mode: zoom}", "allowed: stretch, fit, within, fill"),
        ("preprocess", "resize: {width: 5, height: 5, edges: '#12345'}", "resize.edges"),
        ("preprocess", "flip: {}", "unknown step 'flip'"),
        ("preprocess", "crop: {left: 0.5, right: 0.5}", "left below right"),
        ("preprocess", "tile: {rows: 2}", "rows and columns, or width and height"),
        ("preprocess", "tile: {rows: 2, columns: 2, width: 5, height: 5}", "rows and columns, or width and height"),
        ("preprocess", "tile: {rows: 2, columns: 2, overlap: 0.1}", "overlap needs width and height"),
        ("preprocess", "random_sample: {}", "images or per_class"),
        ("preprocess", "filter_tags: {keep: [a], drop: [b]}", "keep or drop"),
        ("augment", "flop: {}", "did you mean flip?"),
        ("augment", "flip: {horizontal: 1.5}", "allowed: up to 1"),
        ("augment", "rotate: {angle: 5}", "rotate.angle: unknown key"),
        ("augment", "rotate: {degrees: 181}", "allowed: up to 180"),
        ("augment", "rotate_90: {turns: [left]}", "turns"),
        ("augment", "crop: {zoom_min: 0.3}", "zoom_min is above zoom_max"),
        ("augment", "brightness_contrast: {brightness: -1}", "allowed: 0 and more"),
    ],
)
def test_wrong_parameters_are_named(block: str, listed: str, complaint: str) -> None:
    with pytest.raises(ParamsError) as error:
        parse_params(f"{block}: {{steps: [{{{listed}}}]}}")
    assert complaint in str(error.value)


def test_every_parameter_says_what_it_means() -> None:
    fields = [field for one in [*PREPROCESS.values(), *AUGMENT.values()] for field in one.model_fields.values()]
    assert all(field.description for field in fields)


def test_parameters_are_checked_without_opencv() -> None:
    code = "import sys, shardsmith.pipeline.params; sys.exit(bool({'cv2', 'albumentations'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_digest_depends_on_everything() -> None:
    def digest(part: str = "x", min_visibility: float = 0.1, min_size_px: float = 1) -> str:
        return Recipe(min_visibility, min_size_px).digest(part)

    digests = [digest(), digest("y"), digest(min_visibility=0.2), digest(min_size_px=2)]
    digests.append(Recipe(0.1, 1, "other code").digest("x"))
    assert len(set(digests)) == len(digests)


def test_what_is_too_small_or_too_little_is_lost_with_its_step() -> None:
    scene = sample_of(np.zeros((100, 100, 3), np.uint8), [[0, 0, 10, 10], [50, 50, 54, 90], [20, 20, 60, 60]])
    edges = {"left": 0.095, "top": 0, "right": 1, "bottom": 1}
    listed = [("crop", edges), *operations(step("resize", width=45, height=50))]
    outcome = Recipe(0.1, 3).carry_out(scene, listed)
    assert outcome.lost == {0: "crop", 1: "size"}
    assert outcome.sample.objects.rows.tolist() == [2]
    assert outcome.moved


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["stretch", "fit", "within", "fill"])
def test_a_large_jpeg_is_decoded_small_and_looks_the_same(
    mode: str, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    small = np.random.default_rng(0).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PilImage.fromarray(small).resize((2405, 1803), PilImage.Resampling.BICUBIC).save(stream, "JPEG", exif=exif)
    source = SourceImage("a.jpg", "", "jpeg", orientation, [(240, 180, 1200, 900)], [None])
    wanted = [WantedImage([source], operations(step("resize", width=320, height=256, mode=mode)), "png", 95)]
    sizes, decode, outcomes = [], simplejpeg.decode_jpeg, []

    def noted(data: bytes, **enough: int) -> np.ndarray:
        pixels = decode(data, **enough)
        sizes.append(pixels.shape[1])
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", noted)
    for least in (images.REDUCED_FROM, 10**9):
        monkeypatch.setattr(images, "REDUCED_FROM", least)
        ((_, outcome),) = make(wanted, Recipe(0, 0), lambda source: stream.getvalue())
        outcomes.append(outcome.sample)
    reduced, full = outcomes
    assert sizes[0] < sizes[1] == 2405
    assert reduced.pixels.shape == full.pixels.shape
    assert reduced.objects.boxes().tolist() == full.objects.boxes().tolist()
    assert np.abs(reduced.pixels.astype(int) - full.pixels).mean() < 1
