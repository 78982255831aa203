"""The catalogue of steps: add one as a file here and a line in PREPROCESS or AUGMENT."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.transforms.base import Sample, Step
from stages.transforms.brightness_contrast import BrightnessContrast
from stages.transforms.flip import Flip
from stages.transforms.resize import Resize
from stages.transforms.rotate import Rotate

PREPROCESS: dict[str, type[Step]] = {"resize": Resize}
AUGMENT: dict[str, type[Step]] = {"flip": Flip, "rotate": Rotate, "brightness_contrast": BrightnessContrast}


def build_steps(
    listed: Sequence[Mapping[str, Mapping[str, Any] | None]], catalogue: Mapping[str, type[Step]]
) -> tuple[Step, ...]:
    """The steps that a block of params.yaml lists, each `name: {parameter: value}`, as load_params has checked them."""
    return tuple(
        catalogue[name].model_validate(arguments or {}) for entry in listed for name, arguments in entry.items()
    )


__all__ = ["AUGMENT", "PREPROCESS", "Sample", "Step", "build_steps"]
