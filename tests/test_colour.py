"""Steps that change pixels and leave objects where they are."""

from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, Operation, Sample, perform
from shardsmith.transforms.run.recipe import prepare_process
from shardsmith.transforms.steps.blur import line_weights
from tests.scenes import done, draw_scene, operations, sample_of, step

RANDOM = [
    "hue", "saturation", "brightness", "brightness_contrast", "exposure", "blur", "motion_blur", "noise", "camera_gain",
    "jpeg_compression", "cutout",
]  # fmt: skip
FIXED: list[Operation] = [
    ("grayscale", {}),
    ("contrast", {"method": "stretch", "low": 2, "high": 98}),
    ("contrast", {"method": "equalize"}),
    ("contrast", {"method": "clahe", "clip_limit": 2, "grid": 8}),
]


@pytest.fixture(autouse=True, scope="module")
def _stable_opencv() -> None:
    prepare_process()


def result(pixels: np.ndarray, name: str, **values: object) -> np.ndarray:
    return perform(sample_of(pixels, []), [(name, values)]).pixels


def colour(*rgb: int, height: int = 1, width: int = 1) -> np.ndarray:
    return np.full((height, width, 3), rgb, np.uint8)


def grey(*levels: int) -> np.ndarray:
    """One row."""
    return np.repeat(np.array([levels], np.uint8)[..., np.newaxis], 3, axis=2)


def photograph(height: int = 60, width: int = 80) -> Sample:
    """All levels and many colours, not to be written to."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(40, 200, width)[np.newaxis, :, np.newaxis]
    pixels = np.clip(ramp + rng.normal(0, 20, (height, width, 3)), 0, 255).astype(np.uint8)
    pixels.flags.writeable = False
    return sample_of(pixels, [[0, 0, width, height / 2]])


# What holds for all of them


@pytest.mark.parametrize("shape", [(60, 80), (1, 1), (1, 300), (300, 1), (7, 9)])
@pytest.mark.parametrize("drawn", [*RANDOM, *FIXED], ids=str)
def test_places_shape_and_source_stay(drawn: str | Operation, shape: tuple[int, int]) -> None:
    before = photograph(*shape)
    copy = before.pixels.copy()
    for draw in range(5):
        after = perform(before, operations(step(drawn), draw) if isinstance(drawn, str) else [drawn])
        assert (after.pixels.shape, after.pixels.dtype) == (copy.shape, np.uint8)
        assert after.objects.boxes().tolist() == before.objects.boxes().tolist()
        assert (before.pixels == copy).all()


@pytest.mark.parametrize("name", RANDOM)
def test_same_draw_same_bytes(name: str) -> None:
    results = [[done(step(name), photograph(), draw).pixels.tobytes() for draw in (0, 1, 3)] for _ in range(2)]
    assert results[0] == results[1] and len(set(results[0])) == 3


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hue", {"degrees": 0.9}),
        ("saturation", {"share": 0}),
        ("brightness", {"share": 0.001}),
        ("brightness_contrast", {"brightness": 0, "contrast": 0}),
        ("exposure", {"gamma": 1}),
        ("blur", {"sigma": 0.2}),
        ("motion_blur", {"length": 1, "degrees": 30}),
        ("noise", {"share": 0, "seed": 1}),
        ("camera_gain", {"strength": 0, "seed": 1}),
        ("cutout", {"holes": [[0.5, 0.5, 0.501, 0.501]], "colour": "black"}),
    ],
)
def test_nothing_to_do_gives_the_very_same_pixels(name: str, values: dict) -> None:
    pixels = photograph().pixels
    assert result(pixels, name, **values) is pixels


@pytest.mark.parametrize("operation", FIXED, ids=str)
def test_what_is_grey_and_flat_stays_as_it_is(operation: Operation) -> None:
    pixels = colour(90, 90, 90, height=40, width=40)
    assert result(pixels, operation[0], **operation[1]) is pixels


def test_blur_below_its_least_sigma_would_change_nothing() -> None:
    dot = np.zeros((9, 9, 3), np.uint8)
    dot[4, 4] = 255
    assert [(result(dot, "blur", sigma=sigma) == dot).all() for sigma in (0.28, 0.3)] == [True, False]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("grayscale", {"probability": 1.1}),
        ("hue", {"degrees": 181}),
        ("saturation", {"share": -0.1}),
        ("brightness", {"share": 2}),
        ("exposure", {"share": -1}),
        ("blur", {"sigma": 11}),
        ("motion_blur", {"length": 0.5}),
        ("noise", {"share": 1.5}),
        ("camera_gain", {"strength": 2}),
        ("cutout", {"size": 0}),
        ("cutout", {"count": 0}),
        ("cutout", {"colour": "reflect"}),
        ("jpeg_compression", {"quality_min": 0}),
        ("jpeg_compression", {"quality_min": 80, "quality_max": 70}),
        ("contrast", {"method": "auto"}),
        ("contrast", {"low": 60}),
        ("contrast", {"grid": 0}),
    ],
)
def test_bad_parameters_are_refused(name: str, bad: dict) -> None:
    with pytest.raises(ValidationError):
        step(name, **bad)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("grayscale", {}, "Grayscale, 15 % of copies"),
        ("hue", {}, "Hue between -25° and +25°"),
        ("saturation", {}, "Saturation between -25 % and +25 %"),
        ("brightness", {}, "Brightness between -15 % and +15 %"),
        ("exposure", {}, "Exposure by a gamma from 0.91 to 1.1"),
        ("blur", {"probability": 0.5}, "Blur up to 1.5 px, 50 % of copies"),
        ("motion_blur", {}, "Motion blur up to 9 px at any angle"),
        ("noise", {}, "Noise on up to 2 % of pixels"),
        ("camera_gain", {}, "Camera noise (high ISO) of strength up to 0.2"),
        ("cutout", {}, "Cutout: 3 boxes of 10 % of the side"),
        ("cutout", {"count": 1, "size": 0.25}, "Cutout: 1 box of 25 % of the side"),
        ("jpeg_compression", {}, "JPEG compression at quality 30 to 90"),
        ("contrast", {}, "Contrast stretched: percentiles 2 and 98 become black and white"),
        ("contrast", {"method": "equalize"}, "Contrast by histogram equalisation"),
        ("contrast", {"method": "clahe"}, "Contrast by CLAHE (8 x 8 tiles, clip limit 2)"),
    ],
)
def test_in_plain_words(name: str, arguments: dict, words: str) -> None:
    assert step(name, **arguments).describe() == words


@pytest.mark.parametrize(
    ("name", "arguments", "value", "low", "high"),
    [
        ("hue", {"degrees": 30}, "degrees", -30, 30),
        ("saturation", {"share": 0.4}, "share", -0.4, 0.4),
        ("brightness", {"share": 0.3}, "share", -0.3, 0.3),
        ("exposure", {"share": 1}, "gamma", 0.5, 2),
        ("blur", {"sigma": 4}, "sigma", 0, 4),
        ("motion_blur", {"length": 20}, "length", 1, 20),
        ("motion_blur", {}, "degrees", 0, 180),
        ("noise", {"share": 0.5}, "share", 0, 0.5),
        ("camera_gain", {"strength": 1}, "strength", 0, 1),
        ("jpeg_compression", {"quality_min": 20, "quality_max": 50}, "quality", 20, 50),
    ],
)
def test_draws_fill_their_range(name: str, arguments: dict, value: str, low: float, high: float) -> None:
    one = step(name, **arguments)
    drawn = [operations(one, draw)[0][1][value] for draw in range(300)]
    near = (high - low) / 20
    assert low <= min(drawn) < low + near and high - near < max(drawn) <= high


def test_brighter_is_as_likely_as_darker() -> None:
    gammas = np.array([operations(step("exposure", share=1), draw)[0][1]["gamma"] for draw in range(1000)])
    assert 0.45 < (gammas < 1).mean() < 0.55


# Colour


@pytest.mark.parametrize(
    ("rgb", "luminance"),
    [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((10, 10, 10), 10), ((255, 255, 255), 255)],
)
def test_grayscale_is_luminance_in_three_channels(rgb: Sequence[int], luminance: int) -> None:
    assert result(colour(*rgb), "grayscale").tolist() == [[[luminance] * 3]]


def test_grayscale_is_in_both_catalogues() -> None:
    assert operations(PREPROCESS["grayscale"]()) == operations(AUGMENT["grayscale"]()) == [("grayscale", {})]


@pytest.mark.parametrize(
    ("before", "degrees", "after"),
    [
        ((255, 0, 0), 120, (0, 255, 0)),
        ((255, 0, 0), -120, (0, 0, 255)),
        ((255, 0, 0), 180, (0, 255, 255)),
        ((200, 100, 100), 60, (200, 200, 100)),
        ((0, 0, 255), 30, (127, 0, 255)),
        ((80, 80, 80), 77, (80, 80, 80)),
    ],
)
def test_hue_turns_the_colour_wheel(before: Sequence[int], degrees: float, after: Sequence[int]) -> None:
    assert np.abs(result(colour(*before), "hue", degrees=degrees)[0, 0].astype(int) - after).max() <= 1


@pytest.mark.parametrize(
    ("share", "after"),
    [(-1, (122, 122, 122)), (-0.5, (161, 111, 86)), (0.25, (220, 95, 32)), (1, (255, 78, 0))],
)
def test_saturation_moves_colours_from_their_grey(share: float, after: Sequence[int]) -> None:
    pixels = colour(200, 100, 50)  # luminance 124.2, which is rounded
    assert np.abs(result(pixels, "saturation", share=share)[0, 0].astype(int) - after).max() <= 2


# Light


@pytest.mark.parametrize(
    ("share", "levels"), [(0.2, (51, 151, 255)), (-0.2, (0, 49, 204)), (1, (255, 255, 255)), (-1, (0, 0, 0))]
)
def test_brightness_adds_a_share_of_white(share: float, levels: Sequence[int]) -> None:
    assert (result(grey(0, 100, 255), "brightness", share=share) == grey(*levels)).all()


@pytest.mark.parametrize(("gamma", "middle"), [(2, 25), (0.5, 143), (1.1, 71)])
def test_exposure_is_a_gamma(gamma: float, middle: int) -> None:
    """255 * (80 / 255) ** gamma, by hand."""
    assert (result(grey(0, 80, 255), "exposure", gamma=gamma) == grey(0, middle, 255)).all()
    levels = result(grey(*range(256)), "exposure", gamma=gamma)[0, :, 0].astype(int)
    assert (np.diff(levels) >= 0).all()


# Contrast


def test_stretch_uses_the_full_range() -> None:
    pixels = grey(*range(100, 151)).repeat(4, axis=0)
    after = result(pixels, "contrast", method="stretch", low=0, high=100)
    assert (after[:, 0] == 0).all() and (after[:, 25] == 128).all() and (after[:, 50] == 255).all()


def test_stretch_passes_over_the_few_beyond_its_percentiles() -> None:
    pixels = grey(0, *[100] * 49, *[150] * 49, 255)
    after = result(pixels, "contrast", method="stretch", low=2, high=98)
    assert (after == grey(0, *[0] * 49, *[255] * 49, 255)).all()


def test_stretch_keeps_white_balance() -> None:
    pixels = np.stack([colour(60, 50, 40), colour(160, 150, 140)], axis=1)[0]
    after = result(pixels, "contrast", method="stretch", low=0, high=100).astype(int)
    assert (after[..., 0] >= after[..., 1]).all() and (after[..., 1] >= after[..., 2]).all()


def test_equalize_spreads_levels_by_their_frequency() -> None:
    """(upto - first) / (all - first): 0 of 3, 1 of 3, 3 of 3."""
    assert (result(grey(10, 20, 30, 30), "contrast", method="equalize") == grey(0, 85, 255, 255)).all()


@pytest.mark.parametrize("method", [{"method": "equalize"}, {"method": "clahe", "clip_limit": 4, "grid": 2}])
def test_equalizing_keeps_the_hue(method: dict) -> None:
    ramp = np.arange(60, 124, dtype=np.uint8).repeat(8).reshape(16, 32)
    after = result(np.stack([ramp + 20, ramp, ramp - 20], axis=2), "contrast", **method).astype(int)
    assert np.abs(after[..., 0] - after[..., 1] - 20)[4:12].max() <= 2
    assert np.ptp(after[..., 1]) > 1.5 * np.ptp(ramp)


def test_clahe_equalizes_place_by_place() -> None:
    """A dark and a bright half come to look alike with tiles, and not with one tile for all."""
    pixels = np.random.default_rng(3).integers(0, 60, (64, 128, 1), np.uint8).repeat(3, axis=2)
    pixels[:, 64:] += 180
    apart = []
    for grid in (8, 1):
        after = result(pixels, "contrast", method="clahe", clip_limit=100, grid=grid).astype(float)
        apart.append(after[:, 80:].mean() - after[:, :48].mean())
    assert apart[0] < 20 and apart[1] > 100


# Blur


def impulse(side: int = 41) -> np.ndarray:
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[side // 2, side // 2] = 255
    return pixels


def spread(pixels: np.ndarray, degrees: float) -> float:
    """Standard deviation in px along a direction, counter-clockwise from level."""
    y, x = np.indices(pixels.shape[:2]) - pixels.shape[0] // 2
    along = x * np.cos(np.radians(degrees)) - y * np.sin(np.radians(degrees))
    weight = pixels[..., 0] / pixels[..., 0].sum()
    assert abs((weight * along).sum()) < 0.1  # nothing moves
    return float(np.sqrt((weight * along**2).sum()))


@pytest.mark.parametrize("sigma", [1, 2])
def test_blur_spreads_by_sigma_all_round(sigma: float) -> None:
    square = np.zeros((41, 41, 3), np.uint8)
    square[18:23, 18:23] = 255  # a standard deviation of the square root of 2
    after = result(square, "blur", sigma=sigma)
    assert [spread(after, degrees) for degrees in (0, 45, 90)] == pytest.approx([np.sqrt(2 + sigma**2)] * 3, rel=0.03)


@pytest.mark.parametrize(("name", "values"), [("blur", {"sigma": 3}), ("motion_blur", {"length": 15, "degrees": 70})])
def test_blur_keeps_the_mean(name: str, values: dict) -> None:
    pixels = photograph().pixels
    after = result(pixels, name, **values)
    assert after.mean() == pytest.approx(pixels.mean(), abs=0.5) and after.std() < pixels.std()
    assert (result(colour(255, 128, 1, height=30, width=30), name, **values) == (255, 128, 1)).all()


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 117.5, 180])
def test_motion_blur_spreads_along_its_line_only(degrees: float) -> None:
    after = result(impulse(), "motion_blur", length=17, degrees=degrees)
    assert spread(after, degrees) == pytest.approx(16 / np.sqrt(12), rel=0.06)
    assert spread(after, degrees + 90) < 0.5


@pytest.mark.parametrize("length", [1, 1.2, 2, 9, 31.7, 32])
def test_no_light_is_lost_on_a_line(length: float) -> None:
    for degrees in range(0, 181, 7):
        weights = line_weights(length, degrees)
        assert weights.sum() == 256 and max(weights.shape) <= length + 2


# Noise


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_noise_hits_its_share_of_pixels(share: float) -> None:
    after = result(colour(90, 120, 150, height=400, width=400), "noise", share=share, seed=7).reshape(-1, 3)
    hit = after[(after != (90, 120, 150)).any(axis=1)]
    assert len(hit) / len(after) == pytest.approx(share, rel=0.05)
    assert (hit == hit[:, :1]).all() and set(hit.ravel().tolist()) == {0, 255}
    assert (hit == 255).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", ["noise", "camera_gain"])
def test_noise_is_that_of_its_seed(name: str) -> None:
    pixels, how_much = photograph().pixels, {"share": 0.1} if name == "noise" else {"strength": 0.1}
    once, again, other = (result(pixels, name, seed=seed, **how_much) for seed in (1, 1, 2))
    assert (once == again).all() and (once != other).any()


@pytest.mark.parametrize(("level", "deviation"), [(40, 5.0), (120, 7.3), (200, 9.1)])
def test_camera_noise_grows_with_light_and_keeps_the_mean(level: int, deviation: float) -> None:
    """0.2 * sqrt(16² + 48² * level / 255), by hand."""
    after = result(colour(level, level, level, height=300, width=300), "camera_gain", strength=0.2, seed=3)
    noise = after.astype(float) - level
    assert noise.std() == pytest.approx(deviation, rel=0.03) and abs(noise.mean()) < 0.05
    between_channels = np.corrcoef(noise.reshape(-1, 3).T)[0, 1]
    assert between_channels == pytest.approx(0.64, abs=0.02)  # the grey part
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02


def test_lower_quality_is_farther_from_the_original() -> None:
    y, x = np.indices((96, 96))
    pixels = np.stack([2 * x, 2 * y, 128 + 60 * np.sin(x * y / 300)], axis=2).astype(np.uint8)
    errors = [
        np.square(result(pixels, "jpeg_compression", quality=quality) - pixels.astype(float)).mean()
        for quality in (95, 70, 40, 10)
    ]
    assert errors == sorted(errors) and errors[0] * 2 < errors[-1]


def test_an_image_too_long_for_jpeg_stays() -> None:
    pixels = colour(1, 2, 3, width=70_000)
    assert result(pixels, "jpeg_compression", quality=50) is pixels


# Cutout


def test_holes_lie_where_they_are_drawn_and_hide_objects() -> None:
    boxes = [[10, 10, 20, 30], [40, 0, 100, 50], [20, 10, 30, 20], [15.1, 12.3, 19.7, 22.9]]
    white = sample_of(colour(255, 255, 255, height=50, width=100), boxes)
    holes = [[0.1, 0.2, 0.2, 0.4], [0.15, 0.2, 0.2, 0.6]]  # px: 10 10 20 20, 15 10 20 30
    after = perform(white, [("cutout", {"holes": holes, "colour": "#102030"})])
    painted = (after.pixels == (16, 32, 48)).all(axis=2)
    assert painted[10:20, 10:20].all() and painted[10:30, 15:20].all() and painted.sum() == 150
    assert after.objects.visible.tolist() == pytest.approx([0.25, 1, 1])
    assert after.objects.boxes().tolist() == boxes[:3]  # nothing of the last is visible


@pytest.mark.parametrize(("count", "size"), [(1, 0.25), (3, 0.1), (2, 1)])
def test_cutout_draws_whole_holes_of_its_size(count: int, size: float) -> None:
    for draw in range(50):
        ((_, values),) = operations(step("cutout", count=count, size=size), draw)
        holes = np.array(values["holes"])
        assert holes.shape == (count, 4) and holes.min() >= 0 and holes.max() <= 1
        assert holes[:, 2:] - holes[:, :2] == pytest.approx(size)


def test_cutout_of_a_drawn_scene_covers_what_it_says() -> None:
    """The share hidden of each object, against the colour counted in its pixels."""
    for draw in range(30):
        before = draw_scene(draw)
        after = done(step("cutout", count=4, size=0.3), before, draw)
        whole, left = ((one.pixels == 255).sum(axis=(0, 1)) for one in (before, after))
        assert after.objects.visible.tolist() == pytest.approx((left / whole)[left > 0].tolist())
