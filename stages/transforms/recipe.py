"""What a stage does to every image: its steps, and the digest that changes with anything their result depends on."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np

from stages.dataset import images
from stages.transforms.base import Sample, Step

# Distributions whose version can change a pixel; images.codec_versions() has the rest.
_DISTRIBUTIONS = ("albucore", "albumentations", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Recipe:
    """
    steps: in the order of params.yaml.
    min_visibility: a box of which a smaller share of its area is left after all steps is lost.
    stage_file: the stage's module.
    """

    steps: tuple[Step, ...]
    min_visibility: float
    stage_file: str

    def apply(self, pixels: np.ndarray, boxes: object, chance: object) -> Sample:
        """
        Args:
            pixels: (height, width, 3) uint8, RGB, upright.
            boxes: (n, 4) float pixels, xmin ymin xmax ymax.
            chance: all that random choices depend on, as JSON values; the same gives the same.
        """
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(_json(chance)).digest()))
        sample = Sample.of(pixels, boxes)
        for step in self.steps:
            sample = step.apply(sample, rng)
        return sample.at_least(self.min_visibility)

    def digest(self, *parts: object) -> str:
        """32 hex digits: of `parts` (JSON values), the steps, the code that runs them, and the libraries' versions."""
        return hashlib.sha256(_json([self._digest, parts])).hexdigest()[:32]

    @cached_property
    def _digest(self) -> str:
        steps = [[type(step).__name__, step.model_dump()] for step in self.steps]
        versions = {name: metadata.version(name) for name in _DISTRIBUTIONS} | images.codec_versions()
        return hashlib.sha256(_json([steps, self.min_visibility, versions, self._code()])).hexdigest()

    def _code(self) -> list[str]:
        files = [*sorted(Path(__file__).parent.glob("*.py")), Path(images.__file__), Path(self.stage_file)]
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def prepare_process() -> None:
    """Make OpenCV's results independent of the CPU; call it once in each process before any step.

    Its optimised and IPP code rounds differently with and without AVX2. Its own threads only take CPU from the other
    processes.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import cv2

    cv2.setNumThreads(0)
    cv2.setUseOptimized(False)
    cv2.ipp.setUseIPP(False)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
