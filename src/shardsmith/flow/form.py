"""The form on Prefect's page where a person chooses a version's parameters: made from params.yaml's own models.

What is left open stays as params.yaml says; what is chosen becomes settings, as `--set` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from shardsmith.inspect.catalogue import BLOCKS, WRITTEN
from shardsmith.pipeline.params import Fractions

Format = StrEnum("Format", {name: name for name in WRITTEN})  # type: ignore[misc]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Split(_Group):
    """Which image goes to train, valid or test."""

    strategy: Literal["stable", "stratified", "source"] = Field(
        "stable",
        description="of new images: stable: by a hash of the content; stratified: exact shares and balanced classes; "
        "source: as the raw data came. An image that had a split keeps it",
    )
    fractions: Fractions = Field(Fractions(), description="shares of stable and stratified; together 1")
    seed: int = Field(0, description="another number gives new images another stable or stratified split")


def _steps_group(name: str, title: str, catalogue: Mapping[str, type[BaseModel]], **own: Any) -> type[BaseModel]:
    """A switch for each step of a catalogue, with the step's own parameters behind it."""
    steps: dict[str, Any] = {
        step: (model | None, Field(None, title=step, description=(model.__doc__ or "").splitlines()[0]))
        for step, model in catalogue.items()
    }
    return create_model(name, __base__=_Group, __doc__=title, **own, **steps)


Preprocess = _steps_group(
    "Preprocess", "Steps for every image, in this order; none switched on: off.", BLOCKS["preprocess"]
)
Augment = _steps_group(
    "Augment",
    "Random copies of the train images, steps in this order; none switched on: off.",
    BLOCKS["augment"],
    copies=(int, Field(2, ge=1, le=100, description="of each image")),
    keep_original=(bool, Field(True, description="else the copies stand instead of their original")),
    balance=(bool, Field(False, description="images with rarer classes get more copies")),
)


def as_settings(
    split: Split | None, preprocess: BaseModel | None, augment: BaseModel | None, formats: list[Format]
) -> dict[str, Any]:
    """What was chosen, as settings of params.yaml: `{"augment.copies": 3}`."""
    settings: dict[str, Any] = {}
    if split:
        settings |= {f"split.{key}": value for key, value in split.model_dump().items()}
    for block, chosen in (("preprocess", preprocess), ("augment", augment)):
        if chosen:
            values = {key: getattr(chosen, key) for key in type(chosen).model_fields}
            steps = {key: values.pop(key) for key in BLOCKS[block]}
            on = [{key: step.model_dump(exclude_defaults=True)} for key, step in steps.items() if step is not None]
            settings |= {f"{block}.{key}": value for key, value in values.items()}
            settings |= {f"{block}.enabled": bool(on)} | ({f"{block}.steps": on} if on else {})
    if formats:
        settings["export.formats"] = [str(one) for one in formats]
    return settings
