"""The catalogue: a step is a file here and a line in PREPROCESS or AUGMENT, an operation a line in OPERATIONS."""

from collections.abc import Mapping, Sequence
from typing import Any

from shardsmith.transforms import boxes
from shardsmith.transforms.albumentations.library import ALBUMENTATIONS
from shardsmith.transforms.albumentations.step import Albumentations
from shardsmith.transforms.base import Operation, Operator, Sample, Step
from shardsmith.transforms.steps.blur import BLUR, MOTION_BLUR, Blur, MotionBlur
from shardsmith.transforms.steps.colour import GRAYSCALE, HUE, SATURATION, Grayscale, Hue, RandomGrayscale, Saturation
from shardsmith.transforms.steps.crop import CROP, CUT, ZOOM, Crop, RandomCrop
from shardsmith.transforms.steps.cutout import CUTOUT, Cutout
from shardsmith.transforms.steps.flip import FLIP, Flip
from shardsmith.transforms.steps.mosaic import MOSAIC, Mosaic
from shardsmith.transforms.steps.noise import CAMERA_GAIN, JPEG_COMPRESSION, NOISE, CameraGain, JpegCompression, Noise
from shardsmith.transforms.steps.parts import IsolateObjects, Tile
from shardsmith.transforms.steps.resize import RESIZE, Resize
from shardsmith.transforms.steps.rotate import ROTATE, ROTATE_90, SHEAR, Rotate, Rotate90, Shear
from shardsmith.transforms.steps.select import FilterClasses, FilterNegatives, FilterTags, MinBoxSize, RandomSample
from shardsmith.transforms.steps.tone import (
    BRIGHTNESS,
    BRIGHTNESS_CONTRAST,
    CONTRAST,
    EXPOSURE,
    Brightness,
    BrightnessContrast,
    Contrast,
    Exposure,
)

PREPROCESS: dict[str, type[Step]] = {
    "resize": Resize,
    "crop": Crop,
    "tile": Tile,
    "grayscale": Grayscale,
    "contrast": Contrast,
    "isolate_objects": IsolateObjects,
    "min_box_size": MinBoxSize,
    "filter_negatives": FilterNegatives,
    "filter_tags": FilterTags,
    "filter_classes": FilterClasses,
    "random_sample": RandomSample,
}
AUGMENT: dict[str, type[Step]] = {
    "flip": Flip,
    "rotate": Rotate,
    "rotate_90": Rotate90,
    "shear": Shear,
    "crop": RandomCrop,
    "mosaic": Mosaic,
    "grayscale": RandomGrayscale,
    "hue": Hue,
    "saturation": Saturation,
    "brightness": Brightness,
    "brightness_contrast": BrightnessContrast,
    "exposure": Exposure,
    "blur": Blur,
    "motion_blur": MotionBlur,
    "noise": Noise,
    "camera_gain": CameraGain,
    "jpeg_compression": JpegCompression,
    "cutout": Cutout,
    "albumentations": Albumentations,
    **boxes.STEPS,
}
OPERATIONS: dict[str, Operator] = {
    "resize": RESIZE,
    "crop": CROP,
    "cut": CUT,
    "zoom": ZOOM,
    "mosaic": MOSAIC,
    "flip": FLIP,
    "rotate": ROTATE,
    "rotate_90": ROTATE_90,
    "shear": SHEAR,
    "grayscale": GRAYSCALE,
    "contrast": CONTRAST,
    "hue": HUE,
    "saturation": SATURATION,
    "brightness": BRIGHTNESS,
    "brightness_contrast": BRIGHTNESS_CONTRAST,
    "exposure": EXPOSURE,
    "blur": BLUR,
    "motion_blur": MOTION_BLUR,
    "noise": NOISE,
    "camera_gain": CAMERA_GAIN,
    "jpeg_compression": JPEG_COMPRESSION,
    "cutout": CUTOUT,
    "albumentations": ALBUMENTATIONS,
    **boxes.OPERATIONS,
}


def build_steps(
    listed: Sequence[Mapping[str, Mapping[str, Any] | None]], catalogue: Mapping[str, type[Step]]
) -> tuple[Step, ...]:
    """The steps that a block of params.yaml lists, each `name: {parameter: value}`, as load_params has checked them."""
    return tuple(
        catalogue[name].model_validate(arguments or {}) for entry in listed for name, arguments in entry.items()
    )


def perform(sample: Sample, operations: Sequence[Operation]) -> Sample:
    """The operations in order. Objects of which something is visible stay; too little for what is the caller's rule."""
    for name, values in operations:
        sample = OPERATIONS[name].apply(sample, values)
    return sample


__all__ = ["AUGMENT", "OPERATIONS", "PREPROCESS", "Operation", "Operator", "Sample", "Step", "build_steps", "perform"]
