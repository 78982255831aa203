"""params.yaml: every wrong key or value is named, with what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from shardsmith.dataset.codes import CATALOGUE, SEVERITIES
from shardsmith.dataset.errors import ParamsError
from shardsmith.pipeline.params import Params, load_params, parse_params

PARAMS_YAML = Path(__file__).parents[1] / "params.yaml"


def test_params_yaml_shows_the_defaults() -> None:
    shown, defaults = load_params(PARAMS_YAML).model_dump(by_alias=True), Params().model_dump(by_alias=True)
    for block in ("preprocess", "augment"):
        assert shown[block].pop("steps"), "an example to switch on"
        assert defaults[block].pop("steps") == []
    assert shown == defaults


def test_params_yaml_holds_every_key() -> None:
    content = YAML(typ="safe", pure=True).load(PARAMS_YAML)
    defaults = Params().model_dump(by_alias=True)
    assert {block: set(keys) for block, keys in content.items()} == {block: set(defaults[block]) for block in defaults}
    assert set(content["split"]["fractions"]) == set(defaults["split"]["fractions"])


def test_an_empty_file_means_the_defaults() -> None:
    assert parse_params("") == Params()


WRONG = [
    ("datset: {name: a}", "datset: unknown key; did you mean dataset? allowed: dataset, ingest, validate"),
    ("split: {sed: 1}", "split.sed: unknown key; did you mean seed? allowed: strategy, fractions, seed"),
    ("split: {fractions: {trian: 1}}", "split.fractions.trian: unknown key; did you mean train?"),
    ("validate: {actions_: {}}", "validate.actions_: unknown key; did you mean actions?"),
    (
        "dataset: {name: Raccoon}",
        "dataset.name: 'Raccoon': allowed: a to z, 0 to 9 and _, a letter first; for",
    ),
    ("dataset: {annotation_group: ''}", "dataset.annotation_group: '': must not be empty"),
    ("ingest: {format: vok}", "ingest.format: 'vok': did you mean voc? allowed: auto, captions, class_folders"),
    ("ingest: {unlabelled: lose}", "ingest.unlabelled: 'lose': allowed: drop, negative, keep"),
    ("ingest: {classes: {a: 0}}", "ingest: classes: each pinned id is a whole number from 1"),
    ("ingest: {classes: {a: true}}", "ingest.classes"),
    ("ingest: {classes: {a: 1, b: 1}}", "no two classes share one"),
    ("ingest: {classes: {a: b, b: c}}", "classes: 'a': 'b' is itself empty or renamed"),
    ("validate: {max_over_edge: 1.5}", "validate.max_over_edge: 1.5: allowed: up to 1; for example 0.05"),
    ("validate: {actions: {box-lots: drop}}", "validate: actions: unknown code 'box-lots'; did you mean box-lost?"),
    ("validate: {actions: {box-empty: keep}}", "actions: box-empty: 'keep'; allowed: drop, fail"),
    ("validate: {actions: {box-empty: burn}}", "validate.actions.box-empty: 'burn': allowed: keep, repair, drop, fail"),
    ("split: {strategy: random}", "split.strategy: 'random': allowed: stable, stratified, source"),
    ("split: {fractions: {train: 0.7, valid: 0.2, test: 0.2}}", "are 1.1 together; allowed: shares that make 1"),
    ("split: {fractions: {train: 1.2, valid: -0.2, test: 0}}", "split.fractions.train: 1.2"),
    ("split: {seed: zero}", "split.seed: 'zero': not a whole number; for example 0"),
    ("split: {group_pattern: '('}", "split.group_pattern: '(': not a regular expression"),
    ("split: {group_pattern: 'a'}", "exactly one (group)"),
    ("preprocess: {enabled: off}", "preprocess.enabled: 'off': write true or false; for example false"),
    ("preprocess: {steps: [{rezise: {}}]}", "preprocess.steps[0]: unknown step 'rezise'"),
    ("preprocess: {steps: [{a: {}, b: {}}]}", "preprocess.steps[0]: {'a': {}, 'b': {}}: each step is one"),
    ("augment: {copies: 0}", "augment.copies: 0: allowed: 1 and more; for example 2"),
    ("augment: {steps: [{}]}", "augment.steps[0]: {}: each step is one"),
    ("export: {formats: []}", "export.formats: []: needs at least 1"),
    ("export: {formats: [tfrecrod]}", "export.formats.0: 'tfrecrod': did you mean tfrecord? allowed: "),
    ("export: {shard_size_mb: 0}", "export.shard_size_mb: 0: allowed: above 0; for example 16"),
    ("- a", "['a']: not a mapping of blocks; allowed: dataset"),
    ("split: 3", "split: 3: not a mapping of keys"),
    ("split: {a", "not YAML (expected"),
    ("split: {seed: 1, seed: 2}", "not YAML (found duplicate key"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong(text: str, said: str) -> None:
    with pytest.raises(ParamsError) as error:
        parse_params(text)
    assert re.match(r"params\.yaml(:\d+)?: ", str(error.value))
    assert said in str(error.value)


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(ParamsError) as error:
        parse_params("split: {seed: a}\nexport: {shard_size_mb: -1}")
    assert len(str(error.value).splitlines()) == 2


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"no such file; run from the workspace's top folder"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("code", CATALOGUE)
def test_catalogue(code: str) -> None:
    rule = CATALOGUE[code]
    assert rule.severity in SEVERITIES
    assert rule.action in rule.allowed
    assert "fail" in rule.allowed or "fail" in rule.remedy
    assert rule.action != "fail", "a bad item never takes good items down by default"
    assert rule.meaning and rule.remedy
