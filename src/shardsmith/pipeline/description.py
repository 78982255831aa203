"""Params in plain words: what the version's README and its page say about how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shardsmith.dataset.findings import Finding, count_actions
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import Manifest, check_sums
from shardsmith.formats.readme import Description, group_of
from shardsmith.formats.shared.facts import chosen
from shardsmith.ledger.counts import count_manifest
from shardsmith.pipeline.params import Params
from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, build_steps


def describe_split(params: Params) -> str:
    fractions = params.split.fractions
    shares = f"train {fractions.train:.0%}, valid {fractions.valid:.0%}, test {fractions.test:.0%}"
    how = {
        "stable": f"by a hash of each image's content ({shares}), and an image stays in its split as the dataset grows",
        "stratified": f"exact shares and balanced classes ({shares}), and an image stays in its split",
        "source": "as the source has it",
    }[params.split.strategy]
    pattern = params.split.group_pattern
    return how + (f"; images of one group (`{pattern}`) stay together" if pattern else "")


def describe_preprocessing(params: Params) -> list[str]:
    steps = params.preprocess.steps if params.preprocess.enabled else []
    return [step.describe() for step in build_steps(steps, PREPROCESS)]


def describe_augmentation(params: Params) -> list[str]:
    if not params.augment.enabled:
        return []
    own = params.augment
    more = ", more where a rarer class is on it," if own.balance else ""
    place = "beside the original" if own.keep_original else "instead of the original"
    count = "1 random copy" if own.copies == 1 else f"{own.copies} random copies"
    copies = f"{count}{more} of each {' and '.join(own.splits)} image {place}"
    return [copies, *(step.describe() for step in build_steps(params.augment.steps, AUGMENT))]


def describe_version(
    manifest: Manifest, label_map: LabelMap, findings: list[Finding], source: Path, params: Params
) -> Description:
    """What the README of each format says of the version.

    Args:
        source: the file source.json of ingest.
    """
    facts = chosen(read_facts(source), params.dataset.facts())
    return Description(
        label_map=label_map,
        annotation_group=group_of(facts, params.dataset.annotation_group),
        source=read_source(source),
        counts=count_manifest(manifest),
        findings=count_actions(findings),
        split=describe_split(params),
        preprocessing=describe_preprocessing(params),
        augmentation=describe_augmentation(params),
        facts=facts,
    )


def read_facts(path: Path) -> dict[str, str]:
    """What the source says of itself; {} where ingest was run by an older version.

    Args:
        path: of source.json.
    """
    return dict(_read(path).get("facts", {}))


def read_source(path: Path) -> str:
    """What the raw data was labelled as, in words."""
    return str(_read(path)["description"])


def _read(path: Path) -> dict[str, Any]:
    check_sums(path.parent, path.name)
    said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return said
