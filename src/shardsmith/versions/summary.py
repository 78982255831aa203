"""What a person wants to know of a version, as plain text and as the markdown of Prefect's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shardsmith.dataset.codes import CATALOGUE, SEVERITIES
from shardsmith.dataset.errors import paint, printable

SPLITS = ("train", "valid", "test")
_LOADING = {
    "tfrecord": [
        "import shardsmith",
        'train = shardsmith.open("{root}").tf_dataset("train")',
    ],
    "ultralytics": ["from ultralytics import YOLO", 'YOLO("yolo11n.pt").train(data="{folder}/data.yaml")'],
    "coco": ["from pycocotools.coco import COCO", 'train = COCO("{folder}/annotations/instances_train.json")'],
    "huggingface": ["import datasets", 'data = datasets.load_dataset("imagefolder", data_dir="{folder}")'],
    "array_record": [
        "import tensorflow_datasets as tfds",
        'train = tfds.builder_from_directory("{folder}").as_data_source("train")',
    ],
    "class_folders": ["import keras", 'train = keras.utils.image_dataset_from_directory("{folder}/train")'],
}
_SEE = "# {folder}/README.md says how"


def summary(metrics: dict[str, Any], tag: str, folder: str, formats: Sequence[str] = ("tfrecord",)) -> str:
    """The end of a build: name, counts, findings, what was dropped and lost, folder and size, what to do next.

    Args:
        formats: those that the version is written in.
    """
    page = f"shardsmith report {tag}"
    counts = severities(metrics)
    found = ", ".join(_many(count, name) for name, count in counts.items())
    return "\n".join(
        [
            paint(f"Version {tag}", "strong"),
            "",
            *table(count_rows(metrics)),
            "",
            "Findings: " + (f"{paint(found, next(iter(counts)))}: {page}" if counts else "none"),
            f"Dropped:  {_dropped(metrics)}",
            *([f"Lost:     {lost}"] if (lost := _lost(metrics)) else []),
            f"Folder:   {folder} ({metrics['bytes'] / 1e6:,.1f} MB)",
            *([] if counts else [f"Page:     {page}"]),
            "",
            "Load it, here or on another machine:",
            *(f"    {line}" for line in how_to_load(tag, formats)),
        ]
    )


def how_to_load(tag: str, formats: Sequence[str]) -> list[str]:
    """The command that brings a version, and a line or two for each format that it is written in."""
    folder = tag.replace("@", "-").replace("/", "-")
    lines = [f"shardsmith pull {tag} --out {folder}"]
    for name in formats:
        lines += [line.format(folder=f"{folder}/{name}", root=folder) for line in _LOADING.get(name, [_SEE])]
    return lines


def severities(metrics: dict[str, Any]) -> dict[str, int]:
    """Severity -> how many findings, the worst first; a code that is no more is a warning."""
    counts = dict.fromkeys(reversed(SEVERITIES), 0)
    for code, count in metrics["findings"].items():
        counts[CATALOGUE[code].severity if code in CATALOGUE else "warning"] += count
    return {name: count for name, count in counts.items() if count}


def markdown(metrics: dict[str, Any], tag: str, folder: str) -> str:
    """The same for Prefect's page."""
    header, *rows = count_rows(metrics)
    lines = [
        f"# {escape(tag)}",
        "",
        "| " + " | ".join(map(escape, header)) + " |",
        "| --- |" + " ---: |" * (len(header) - 1),
        *("| " + " | ".join(map(escape, row)) + " |" for row in rows),
        "",
        f"**Dropped:** {escape(_dropped(metrics))}",
        "",
        f"**Size:** {metrics['bytes'] / 1e6:,.1f} MB in `{folder}`",
        "",
        "```",
        f"shardsmith pull {tag} --out DIR",
        f"shardsmith report {tag}",
        "```",
    ]
    return "\n".join(lines)


def count_rows(metrics: dict[str, Any]) -> list[list[str]]:
    """Images, then boxes of each class, per split and in all; a header first."""
    splits, classes = metrics["splits"], metrics["classes"]
    rows = [["", *SPLITS, "all"]]
    for key, shown in (("images", "images"), ("boxes", kind_of(metrics)), ("negatives", "negatives")):
        rows.append([shown, *(f"{splits[split][key]:,}" for split in SPLITS), f"{metrics[key]:,}"])
    for name, per in sorted(classes.items(), key=lambda item: -sum(item[1].values())):
        rows.append([f"  {name}", *(f"{per[split]:,}" for split in SPLITS), f"{sum(per.values()):,}"])
    return rows


def kind_of(metrics: dict[str, Any]) -> str:
    """What `boxes` counts: "labels" of a version that has no box. Older versions do not say."""
    return str(metrics.get("annotation_kind", "boxes"))


def how_it_was_made(facts: Mapping[str, Any]) -> list[str]:
    """Source, split and steps in plain words, a line each: of a version's description.json."""
    return [
        f"- Source: {facts.get('source', 'unknown')}.",
        f"- Split: {facts.get('split', 'unknown')}.",
        f"- Preprocessing: {'; '.join(facts.get('preprocessing', [])) or 'none'}.",
        f"- Augmentation: {'; '.join(facts.get('augmentation', [])) or 'none'}.",
    ]


def table(rows: list[list[str]], left: int = 1) -> list[str]:
    """Rows as lines with columns aligned: the first `left` ones to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def escape(text: str) -> str:
    """Text from the data, so that it is shown as it is in a cell of a markdown table."""
    shown = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(shown.split())


def _lost(metrics: dict[str, Any]) -> str:
    count = metrics["findings"].get("not-exported", 0)
    outlines = metrics.get("outlines_without_masks", 0)
    masks = f"; export.masks: true writes the masks of {_many(outlines, 'outline')}" if outlines else ""
    return f"{_many(count, 'kind')} of content that a format cannot carry; the page names them{masks}" if count else ""


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 or name == 'info' else 's'}"


def _dropped(metrics: dict[str, Any]) -> str:
    parts = [f"{count:,} {code} ({CATALOGUE[code].meaning})" for code, count in metrics["dropped"].items()]
    return "; ".join(parts) or "nothing"
