"""Which images come out of a stage, and by which operations: decided before a pixel is read.

Every choice depends on params.yaml, the seed and the images' own ids alone: not on workers, order, or, as far as a
step allows, on the other images.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from shardsmith.dataset.findings import Finding
from shardsmith.transforms.base import FixedStep, Move, Operation, RandomStep, Step
from shardsmith.transforms.catalogue import OPERATIONS
from shardsmith.transforms.run.recipe import Recipe
from shardsmith.transforms.scene import Planned, Scene, SetStep, objects_of
from shardsmith.transforms.steps.mosaic import Mosaic, Partners

MOST_REPEATS = 8


def plan_preprocess(
    images: Iterable[Planned], steps: Sequence[Step], recipe: Recipe
) -> tuple[Iterable[Planned], list[Finding]]:
    """The images after all steps, in the order listed, and a finding for each image or box that one left out.

    Steps that look at one image only are planned as it is asked for.
    """
    planned, findings = images, []
    for step in steps:
        if isinstance(step, FixedStep):
            planned = map(partial(_then, step.operations()), planned)
        elif isinstance(step, SetStep):
            planned, left_out = step.plan([replace(one, scene=_scene(one, recipe)) for one in planned])
            findings += left_out
    return (replace(one, scene=None) for one in planned), findings


class CopyPlan:
    """Which copies each image gets."""

    def __init__(
        self,
        images: Callable[[], Iterable[Planned]],
        steps: Sequence[Step],
        copies: int,
        seed: int,
        balance: bool = False,
    ) -> None:
        """
        Args:
            images: gives all that get copies, anew each time.
            copies: how many of each.
            balance: more of those with rarer classes, by repeat_factors.
        """
        self.steps, self.copies, self.seed = steps, copies, seed
        self.partners = Partners(images()) if any(isinstance(step, Mosaic) for step in steps) else Partners(())
        self.factors = repeat_factors(images()) if balance else {}

    def of(self, image: Planned) -> Iterator[Planned]:
        """The copies of one image, numbered from 1."""
        factor = max((self.factors.get(label, 1) for label in image.labels()), default=1)
        count = _whole(self.copies * factor, self.seed, image.image.image_id)
        return (_copy(image, self.steps, number, self.seed, self.partners) for number in range(1, count + 1))


def repeat_factors(images: Iterable[Planned]) -> dict[str, float]:
    """Class -> how many times as many copies an image with it gets as one of the commonest class, 1 to MOST_REPEATS.

    The square root of how many times more images hold the commonest one.

    Source: Gupta, Dollár and Girshick, LVIS, 2019, "repeat factor sampling", with the commonest class as threshold.
    """
    holding = Counter(label for one in images for label in one.labels())
    most = max(holding.values(), default=1)
    return {label: min(MOST_REPEATS, (most / count) ** 0.5) for label, count in holding.items()}


def _whole(count: float, seed: int, image_id: str) -> int:
    """Rounded up for as large a share of the images as the fraction says."""
    whole, part = divmod(count, 1)
    return int(whole) + (part > 0 and chance_of(seed, image_id, "copies").random() < part)


def chance_of(*parts: str | int) -> np.random.Generator:
    """A generator that depends on nothing but these parts."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()))


def _then(operations: Sequence[Operation], planned: Planned) -> Planned:
    return planned.then(operations)


def _copy(source: Planned, steps: Sequence[Step], number: int, seed: int, partners: Partners) -> Planned:
    planned = source.part(str(number), copy=number)
    labels = source.labels()
    for place, step in enumerate(steps):
        assert isinstance(step, RandomStep)
        # one generator a step: what one draws does not depend on another's parameters
        rng = chance_of(seed, source.image.image_id, number, place)
        if rng.random() >= step.probability or not step.suits(labels):
            continue
        planned = step.join(planned, rng, partners) if isinstance(step, Mosaic) else planned.then(step.draw(rng))
    return planned


def _scene(planned: Planned, recipe: Recipe) -> Scene:
    image = planned.image
    scene = before = Scene(image.width or 0, image.height or 0, objects_of(planned.boxed()))
    for name, values in planned.operations:
        operator = OPERATIONS[name]
        if isinstance(operator, Move):
            frame = operator.frame(scene.width, scene.height, **values)
            objects = recipe.visible_enough(scene.objects.moved(frame))
            scene = Scene(frame.width, frame.height, objects)
    moved = scene.objects is not before.objects
    return replace(scene, objects=recipe.large_enough(scene.objects)) if moved else scene
