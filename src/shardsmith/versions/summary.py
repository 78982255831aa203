"""What a person wants to know of a version, as plain text and as the markdown of Prefect's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shardsmith.dataset.codes import CATALOGUE
from shardsmith.dataset.errors import printable

SPLITS = ("train", "valid", "test")


def summary(metrics: dict[str, Any], tag: str, folder: str) -> str:
    """The end of a build: name, counts, what was dropped and why, folder, size, and how to load it."""
    tfrecord = f"{folder}/tfrecord"
    return "\n".join(
        [
            f"Version {tag}",
            "",
            *table(count_rows(metrics)),
            "",
            f"Dropped: {_dropped(metrics)}",
            f"Folder:  {folder} ({metrics['bytes'] / 1e6:,.1f} MB)",
            f"Page:    shardsmith report {tag}",
            "",
            "Load it:",
            "    import tensorflow_datasets as tfds",
            f'    builder = tfds.builder_from_directory("{tfrecord}")',
            '    train = builder.as_dataset(split="train")',
        ]
    )


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


def _dropped(metrics: dict[str, Any]) -> str:
    parts = [f"{count} {code} ({CATALOGUE[code].meaning})" for code, count in metrics["dropped"].items()]
    return "; ".join(parts) or "nothing"
