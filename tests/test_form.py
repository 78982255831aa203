"""The form of Prefect's page: what is chosen there becomes settings of params.yaml."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shardsmith.flow.form import Augment, Format, Preprocess, Split, as_settings
from shardsmith.pipeline.params import parse_params
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS
from shardsmith.workspace.settings import with_settings

NEEDED: dict[str, dict[str, Any]] = {
    "resize": {"width": 64, "height": 48},
    "tile": {"rows": 2, "columns": 2},
    "min_box_size": {"pixels": 4},
    "filter_tags": {"keep": ["day"]},
    "filter_classes": {"keep": ["cat"]},
    "random_sample": {"images": 5},
    "albumentations": {"transforms": [{"RandomGamma": {}}]},
}


def chosen(**form: Any) -> dict[str, Any]:
    return as_settings(*(form.get(key) for key in ("split", "preprocess", "augment")), form.get("formats", []))


def test_an_untouched_form_changes_nothing() -> None:
    assert chosen() == {}


def test_what_is_chosen_is_set() -> None:
    augment = Augment.model_validate({"copies": 3, "rotate": {"degrees": 5}, "flip": {"horizontal": 0.25}})
    settings = chosen(split=Split(strategy="stratified"), augment=augment, formats=[Format.coco])
    params = parse_params(with_settings("{}", settings))
    assert (params.split.strategy, params.export.formats) == ("stratified", ["coco"])
    assert (params.augment.enabled, params.augment.copies) == (True, 3)
    assert params.augment.steps == [{"flip": {"horizontal": 0.25}}, {"rotate": {"degrees": 5.0}}]


def test_no_step_switched_on_is_off() -> None:
    settings = chosen(preprocess=Preprocess())
    assert settings["preprocess.enabled"] is False
    assert "preprocess.steps" not in settings


@pytest.mark.parametrize(
    ("block", "step"), [*(("preprocess", name) for name in PREPROCESS), *(("augment", name) for name in AUGMENT)]
)
def test_every_step_can_be_chosen(block: str, step: str) -> None:
    form = {"preprocess": Preprocess, "augment": Augment}[block]
    try:
        group = form.model_validate({step: {}})
    except ValidationError:
        group = form.model_validate({step: NEEDED[step]})
    params = parse_params(with_settings("{}", chosen(**{block: group})))
    assert [*getattr(params, block).steps[0]] == [step]


def test_every_step_says_what_it_does() -> None:
    for form in (Preprocess, Augment):
        properties = form.model_json_schema()["properties"]
        assert all(rules.get("description") for rules in properties.values())
