"""Each step against a drawn truth: where the pixels went is measured, not computed."""

import subprocess
import sys

import numpy as np
import pytest

from stages.dataset.errors import ParamsError
from stages.params import parse_params
from stages.transforms import AUGMENT, PREPROCESS, Sample, Step, build_steps
from stages.transforms.recipe import Recipe, prepare_process

CATALOGUE = PREPROCESS | AUGMENT
DRAWS = 200
MIN_SIDE_PX = 12


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


def step(name: str, **arguments: object) -> Step:
    return build_steps([{name: arguments}], CATALOGUE)[0]


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three flat rectangles that may overlap, one in each colour channel: (pixels, boxes)."""
    height, width = rng.integers(80, 400, 2)
    pixels, boxes = np.zeros((height, width, 3), np.uint8), []
    for channel in range(3):
        xmin, ymin = rng.integers(0, [width - 30, height - 30])
        xmax, ymax = rng.integers([xmin + 20, ymin + 20], [width + 1, height + 1])
        pixels[ymin:ymax, xmin:xmax, channel] = 255
        boxes.append([xmin, ymin, xmax, ymax])
    return pixels, np.array(boxes, float)


def measure(pixels: np.ndarray, channel: int) -> np.ndarray:
    """The box of what is drawn in a channel; a pixel at an edge counts by how much of it is covered."""
    covered = pixels[:, :, channel] / 255
    return np.array([edge for ends in zip(_ends(covered.max(0)), _ends(covered.max(1)), strict=True) for edge in ends])


def _ends(profile: np.ndarray) -> tuple[float, float]:
    full = np.flatnonzero(profile > 0.98)
    if not len(full):
        return 0, 0
    return full[0] - profile[: full[0]].sum(), full[-1] + 1 + profile[full[-1] + 1 :].sum()


def iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = sides.clip(0).prod()
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def overlaps(one: Step, draws: int = DRAWS) -> np.ndarray:
    """IoU of each box with what is measured, for boxes large enough to measure."""
    found = []
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        pixels, boxes = draw_scene(rng)
        sample = one.apply(Sample.of(pixels, boxes), rng)
        for box, row in zip(sample.boxes, sample.rows, strict=True):
            if (box[2:] - box[:2]).min() > MIN_SIDE_PX:
                found.append(iou(box, measure(sample.pixels, row)))
    assert len(found) > draws
    return np.array(found)


TRUTH = [
    ("resize", {"width": 200, "height": 150, "mode": "stretch"}),
    ("resize", {"width": 200, "height": 150, "mode": "fit"}),
    ("resize", {"width": 150, "height": 200, "mode": "fit"}),
    ("resize", {"width": 200, "height": 150, "mode": "fill"}),
    ("resize", {"width": 640, "height": 640, "mode": "fill"}),
    ("flip", {"horizontal": 0.5}),
    ("rotate", {"degrees": 15}),
    ("rotate", {"degrees": 180}),
]


@pytest.mark.parametrize(("name", "arguments"), TRUTH, ids=lambda value: str(value))
def test_boxes_lie_where_the_pixels_went(name: str, arguments: dict) -> None:
    found = overlaps(step(name, **arguments))
    assert found.mean() >= 0.97
    assert found.min() >= 0.9
    if name == "flip":
        assert found.min() == 1


def test_the_measure_catches_boxes_that_stay_behind() -> None:
    class Broken(type(step("rotate"))):  # type: ignore[misc]
        def apply(self, sample: Sample, rng: np.random.Generator) -> Sample:
            return Sample.of(super().apply(sample, rng).pixels, sample.boxes)

    found = overlaps(Broken(degrees=15))
    assert found.mean() < 0.97
    assert found.min() < 0.9


@pytest.mark.parametrize(
    ("mode", "size", "boxes"),
    [
        # an image of 40 x 20: all of it, its left quarter, its centre
        ("stretch", (20, 20), [[0, 0, 20, 20], [0, 0, 5, 20], [5, 5, 15, 15]]),
        ("fit", (20, 20), [[0, 5, 20, 15], [0, 5, 5, 15], [5, 7.5, 15, 12.5]]),
        ("fit", (80, 80), [[0, 20, 80, 60], [0, 20, 20, 60], [20, 30, 60, 50]]),
        ("fill", (20, 20), [[0, 0, 20, 20], [0, 5, 20, 15]]),
        ("fill", (40, 40), [[0, 0, 40, 40], [0, 10, 40, 30]]),
        ("fit", (40, 20), [[0, 0, 40, 20], [0, 0, 10, 20], [10, 5, 30, 15]]),
    ],
)
def test_resize_by_hand(mode: str, size: tuple[int, int], boxes: list) -> None:
    whole = Sample.of(np.full((20, 40, 3), 9, np.uint8), [[0, 0, 40, 20], [0, 0, 10, 20], [10, 5, 30, 15]])
    sample = step("resize", width=size[0], height=size[1], mode=mode).apply(whole, np.random.default_rng(0))
    assert sample.pixels.shape == (size[1], size[0], 3)
    assert sample.boxes.tolist() == boxes
    assert sample.moved == (size != (40, 20))


def test_fit_pads_with_black_centred() -> None:
    white = Sample.of(np.full((20, 40, 3), 255, np.uint8), [])
    pixels = step("resize", width=40, height=40).apply(white, np.random.default_rng(0)).pixels
    assert pixels[:10].max() == pixels[30:].max() == 0
    assert pixels[10:30].min() == 255


@pytest.mark.parametrize(
    ("box", "visible"),
    [((-5, 0, 5, 10), 0.5), ((2, 2, 8, 8), 1), ((5, 5, 15, 15), 0.25), ((10, 0, 20, 10), None), ((3, 3, 3, 9), None)],
)
def test_boxes_are_cut_at_the_edges(box: tuple, visible: float | None) -> None:
    before = Sample.of(np.zeros((10, 10, 3), np.uint8), [box])
    after = before.moved_to(before.pixels, before.boxes)
    assert after.visible.tolist() == ([] if visible is None else [visible])
    assert len(after.at_least(0.3).boxes) == (visible is not None and visible >= 0.3)


def test_what_steps_cut_off_adds_up() -> None:
    sample = Sample.of(np.zeros((10, 10, 3), np.uint8), [[-5, 0, 5, 10]])
    once = sample.moved_to(sample.pixels, sample.boxes)
    twice = once.moved_to(once.pixels, once.boxes - np.array([2.5, 0, 2.5, 0]))
    assert twice.visible.tolist() == [0.25]


def test_brightness_moves_nothing() -> None:
    pixels, boxes = draw_scene(np.random.default_rng(0))
    sample = step("brightness_contrast").apply(Sample.of(pixels, boxes), np.random.default_rng(1))
    assert not np.array_equal(sample.pixels, pixels)
    assert sample.boxes.tolist() == boxes.tolist()
    assert not sample.moved


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_flip_takes_its_share(share: float) -> None:
    sample = Sample.of(np.zeros((4, 4, 3), np.uint8), [[0, 0, 1, 1]])
    flip = step("flip", horizontal=share)
    flipped = [flip.apply(sample, np.random.default_rng(draw)).moved for draw in range(300)]
    assert np.mean(flipped) == pytest.approx(share, abs=0.08 if 0 < share < 1 else 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_smallest_images(name: str, shape: tuple[int, int]) -> None:
    arguments = {"width": 64, "height": 48, "mode": "fill"} if name == "resize" else {}
    pixels = np.full((*shape, 3), 200, np.uint8)
    pixels.flags.writeable = False  # as Pillow gives them
    after = step(name, **arguments).apply(Sample.of(pixels, [[0, 0, shape[1], shape[0]]]), np.random.default_rng(0))
    assert after.pixels.shape == ((48, 64, 3) if name == "resize" else pixels.shape)
    assert after.pixels.dtype == np.uint8
    assert pixels.min() == 200


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("resize", {"width": 640, "height": 480}, "Resize to 640 x 480 pixels (fit: aspect kept, padded with black)"),
        ("flip", {}, "Horizontal flip, 50 % of images"),
        ("rotate", {"degrees": 12.5}, "Rotation between -12.5 and +12.5 degrees"),
        ("brightness_contrast", {"contrast": 0.05}, "Brightness by up to ±20 %, contrast by up to ±5 %"),
    ],
)
def test_steps_in_plain_words(name: str, arguments: dict, words: str) -> None:
    assert step(name, **arguments).describe() == words


@pytest.mark.parametrize(
    ("block", "listed", "complaint"),
    [
        ("preprocess", "resize: {width: 0, height: 5}", "resize.width: 0: input should be greater than or equal to 1"),
        ("preprocess", "resize: {width: 5}", "resize.height"),
        ("preprocess", "resize: {width: 5, height: 5, mode: zoom}", "'stretch', 'fit' or 'fill'"),
        ("preprocess", "flip: {}", "unknown step 'flip'"),
        ("augment", "flop: {}", "did you mean flip?"),
        ("augment", "flip: {horizontal: 1.5}", "less than or equal to 1"),
        ("augment", "rotate: {angle: 5}", "rotate.angle: unknown key"),
        ("augment", "rotate: {degrees: 181}", "less than or equal to 180"),
        ("augment", "brightness_contrast: {brightness: -1}", "greater than or equal to 0"),
    ],
)
def test_wrong_parameters_are_named(block: str, listed: str, complaint: str) -> None:
    with pytest.raises(ParamsError) as error:
        parse_params(f"{block}: {{steps: [{{{listed}}}]}}")
    assert complaint in str(error.value)


def test_every_parameter_says_what_it_means() -> None:
    fields = [field for one in CATALOGUE.values() for field in one.model_fields.values()]
    assert all(field.description for field in fields)


def test_parameters_are_checked_without_opencv() -> None:
    code = "import sys, stages.params; sys.exit(any(name in sys.modules for name in ('cv2', 'albumentations')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_chance_is_all_that_tells_copies_apart() -> None:
    recipe = Recipe(build_steps([{"rotate": {}}, {"brightness_contrast": {}}], AUGMENT), 0.1, __file__)
    pixels, boxes = draw_scene(np.random.default_rng(0))
    one, again, other = (recipe.apply(pixels, boxes, chance) for chance in ((0, "a", 1), (0, "a", 1), (0, "a", 2)))
    assert np.array_equal(one.pixels, again.pixels)
    assert not np.array_equal(one.pixels, other.pixels)


def test_the_digest_depends_on_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(steps: list, min_visibility: float = 0.1, part: str = "x") -> str:
        return Recipe(build_steps(steps, AUGMENT), min_visibility, __file__).digest(part)

    digests = [
        digest([{"flip": {}}]),
        digest([{"flip": {"horizontal": 0.4}}]),
        digest([{"flip": {}}, {"rotate": {}}]),
        digest([{"rotate": {}}, {"flip": {}}]),
        digest([{"flip": {}}], min_visibility=0.2),
        digest([{"flip": {}}], part="y"),
    ]
    monkeypatch.setattr("stages.transforms.recipe.metadata.version", lambda name: "0")
    digests.append(digest([{"flip": {}}]))
    monkeypatch.setattr(Recipe, "_code", lambda recipe: ["other code"])
    digests.append(digest([{"flip": {}}]))
    assert len(set(digests)) == len(digests)
