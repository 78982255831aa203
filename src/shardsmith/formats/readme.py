"""The README.md in each format's folder: what this dataset is, in words. No clock, no version name: content alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shardsmith.dataset.codes import CATALOGUE
from shardsmith.dataset.findings import in_words
from shardsmith.dataset.label_map import LabelMap
from shardsmith.dataset.manifest import SPLITS

_NAMES = {
    "description": "Description", "license": "Licence", "citation": "Citation", "homepage": "Homepage",
    "title": "Title", "contributor": "Contributor", "version": "Version of the source", "year": "Year",
    "date_created": "Created", "see_also": "See also",
}  # fmt: skip
_GROUP = "annotation_group"
_FRONT = re.compile(r"---\n.*?^---\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Description:
    """All that the README says; counts as `count_manifest` gives them, steps in plain words.

    findings: code -> action -> how often.
    facts: about the whole dataset, as the source or params.yaml says them.
    left_out: what this format cannot carry, with counts.
    """

    label_map: LabelMap
    annotation_group: str
    source: str
    counts: dict[str, Any]
    findings: Mapping[str, Mapping[str, int]]
    split: str
    preprocessing: list[str]
    augmentation: list[str]
    facts: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """What a version says of itself, as data: `description.json` in its export."""
        return {
            "dataset": self.label_map.dataset,
            "annotation_group": self.annotation_group,
            "source": self.source,
            "split": self.split,
            "preprocessing": self.preprocessing,
            "augmentation": self.augmentation,
            "findings": self.findings,
            "facts": self.facts,
        }


def write_readme(folder: Path, about: Description, loading: str) -> None:
    """README.md in a format's folder; front matter (YAML between lines of `---`) that is there stays at its head."""
    path = folder / "README.md"
    there = _FRONT.match(path.read_text(encoding="utf-8")) if path.is_file() else None
    text = format_readme(about, loading)
    path.write_text(f"{there[0]}\n{text}" if there else text, encoding="utf-8")


def format_readme(about: Description, loading: str) -> str:
    counts, name, kind = about.counts, about.label_map.dataset, about.counts["annotation_kind"]
    around = "" if kind == "labels" else f" around {plain(about.annotation_group)}"
    lines = [
        f"# {name}",
        "",
        f"{counts['images']:,} images with {counts['boxes']:,} {kind}{around} of {_classes(len(counts['classes']))}"
        f"{_captions(counts)}.",
        "",
        f"| split | images | {kind} | negatives | augmented copies |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_split_row(split, counts["splits"][split]) for split in SPLITS),
        _split_row("all", counts),
        "",
        "A negative is an image that was looked at and holds no object.",
        "",
        "## Classes",
        "",
        "| id | class | " + " | ".join(SPLITS) + " |",
        "| ---: | --- |" + " ---: |" * len(SPLITS),
        *(_class_row(about, class_name) for class_name in about.label_map.names),
        "",
        *_facts(about.facts),
        "## How it was made",
        "",
        f"- Source: {plain(about.source)}.",
        f"- Split: {about.split}.",
        "- Preprocessing: " + (_steps(about.preprocessing) or "none: every image's bytes are the source's."),
        "- Augmentation: " + (_steps(about.augmentation) or "none."),
        "- Every image stands upright and is a JPEG or a PNG, or a WebP where that was asked for (not in TFRecord).",
        "- `images.parquet`, beside this folder, says of each image which one of the source it comes from, by which "
        "operations, with which values drawn; `annotations.parquet` has every annotation, in pixels.",
        "",
        "## Findings",
        "",
        *_findings(about.findings),
        *(
            ["", f"This format cannot carry, and leaves out: {plain(', '.join(about.left_out))}."]
            if about.left_out
            else []
        ),
        "",
        "## How to load it",
        "",
        loading.strip().replace("DATASET", name),
        "",
    ]
    return "\n".join(lines)


def group_of(facts: Mapping[str, str], wanted: str) -> str:
    """What the labels are labels of: as params.yaml says, else as the source does."""
    return facts.get(_GROUP, wanted) if wanted == "objects" else wanted


def named_facts(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """("Licence", "CC BY 4.0") of each."""
    return [(_NAMES.get(name, name), text) for name, text in facts.items() if name != _GROUP]


def _facts(facts: Mapping[str, str]) -> list[str]:
    told = [f"- {plain(name)}: {plain(text)}" for name, text in named_facts(facts)]
    return ["## About the data", "", *told, ""] if told else []


def _captions(counts: Mapping[str, Any]) -> str:
    return f", and {counts['captions']:,} captions of whole images" if "captions" in counts else ""


def _classes(count: int) -> str:
    return f"{count:,} class{'' if count == 1 else 'es'}"


def plain(text: str) -> str:
    """Text from the data, so that it is shown as it is and is no markup."""
    seen = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in " ".join(text.split()))
    escaped = seen.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in r"\`*_[]|#!" else character for character in escaped)


def _split_row(name: str, counts: dict[str, int]) -> str:
    return f"| {name} | {counts['images']:,} | {counts['boxes']:,} | {counts['negatives']:,} | {counts['copies']:,} |"


def _class_row(about: Description, name: str) -> str:
    counts = about.counts["classes"].get(name, {})
    cells = " | ".join(f"{counts.get(split, 0):,}" for split in SPLITS)
    return f"| {about.label_map.ids[name]} | {plain(name)} | {cells} |"


def _steps(steps: list[str]) -> str:
    return "; ".join(steps) + "." if steps else ""


def _findings(findings: Mapping[str, Mapping[str, int]]) -> list[str]:
    if not findings:
        return ["None."]
    lines = [f"- {plain(in_words(code, actions))}" for code, actions in findings.items()]
    return [*lines, "", f"{len(CATALOGUE)} kinds of findings were looked for."]
