"""Label Studio's JSON-MIN and CSV, a row an annotation -> tasks as tasks.py has them; no disk.

A row has the task's data, then a column a control, then who annotated it and when. A control holds a list of regions,
one choice as plain text, or several choices; regions have no ids, so that equal places of two controls are one region.
In a CSV nothing tells a choice from a task's own text: a column of few short words that come again is taken for it.
Other short words are named: a task that has nothing else may be no negative.
Source: `convert_to_json_min`, `prettify_result` and csv2.py of label-studio-sdk.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from shardsmith.formats.label_studio.regions import Item, has_place, parse_results
from shardsmith.formats.label_studio.tasks import Task, newest
from shardsmith.formats.shared.json import paired

_ABOUT = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history"}
)
_FIGURE_KEYS = ("x", "y", "width", "height", "rotation", "points", "radiusX", "radiusY", "rle", "imageDataURL")
_FACETS = ("choices", "taxonomy", "text", "rating", "number", "datetime", "ranker")
_REGION = re.compile(r'"(original_width|\w*labels|choices|taxonomy)"\s*:')
_ADDRESS = re.compile(r"[\\/]|^\w+:|\.\w{2,5}$")
_LONGEST = 64  # characters of a choice
_WORDS = 5
_FEW = 5  # rows that need no choice twice

Rows = list[tuple[str, dict[str, Any]]]


def is_row(entry: Any) -> bool:
    """Whether it is a row of JSON-MIN."""
    return isinstance(entry, dict) and "annotation_id" in entry and not isinstance(entry.get("data"), dict)


def csv_rows(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a CSV with a header; cells that hold JSON are read."""
    first = text.partition("\n")[0]
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    while True:
        try:
            row = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {lines.line_num}", {"": f"({error})"}
            continue
        yield (
            f"line {lines.line_num}",
            {key: _cell(cell) for key, cell in row.items() if key and cell not in ("", None)},
        )


def _cell(text: Any) -> Any:
    if isinstance(text, str) and text[:1] in ("[", "{"):
        try:
            return json.loads(paired(text))
        except (ValueError, RecursionError):
            return text
    return text


def parse_rows(rows: Rows, not_carried: Counter[str], ordered: bool) -> Iterator[Task]:
    """
    Args:
        rows: (place, row) of one file.
        ordered: whether a row's keys stand as JSON-MIN has them: data, `id`, controls, `annotator`.
    """
    texts = _short_texts(rows) if not ordered else {}
    controls = {name for name, values in texts.items() if _are_choices(values)} if not ordered else None
    by_task: dict[str, Rows] = defaultdict(list)
    for place, row in rows:
        same = row.get("id") if isinstance(row.get("id"), str | int) else place
        by_task[str(same)].append((place, row))
    for of_task in by_task.values():
        done = [(place, row) for place, row in of_task if row.get("annotation_id") not in (None, "")]
        place, row = (done or of_task)[newest([row for _, row in done or of_task])]
        if done[1:]:
            not_carried["further annotations of a task, by others or older,"] += len(done) - 1
        names = _outputs(row) if controls is None else controls & row.keys()
        task = Task(
            place, {key: value for key, value in row.items() if key not in {*names, *_ABOUT}}, labelled=bool(done)
        )
        for name in row:
            value = row[name]
            is_control = name in names or _has_regions(value)
            if done and is_control and name not in _ABOUT:
                task.data.pop(name, None)
                task.items += _items(name, value)
        unsure = [name for name in row if done and name in texts.keys() - names]
        if task.items:
            not_carried.update(f"words in the column {name}, a choice or the task's own," for name in unsure)
        else:
            task.items += map(_unsure, unsure)
        results = [item for item in task.items if isinstance(item, dict)]
        task.items = [item for item in task.items if isinstance(item, Item)] + parse_results(results, not_carried)
        yield task


def _outputs(row: dict[str, Any]) -> set[str]:
    """The controls of a row of JSON-MIN: what stands between `id` and `annotator`."""
    keys = list(row)
    start = keys.index("id") + 1 if "id" in keys else 0
    end = keys.index("annotator") if "annotator" in keys else keys.index("annotation_id")
    return set(keys[start:end])


def _short_texts(rows: Rows) -> dict[str, list[str]]:
    """The columns of a CSV with plain texts that may be choices."""
    texts: dict[str, list[str]] = defaultdict(list)
    for _, row in rows:
        for name, value in row.items():
            if isinstance(value, str) and name and name not in _ABOUT:
                texts[name].append(value)
    may_be = {name for name, values in texts.items() if all(map(is_short, values))}
    return {name: texts[name] for name in may_be if not any(map(_ADDRESS.search, texts[name]))}


def _are_choices(values: list[str]) -> bool:
    return len(values) < _FEW or len(set(values)) <= len(values) // 2


def _unsure(name: str) -> Item:
    reason = f"the column {name} may be a choice or the task's own text; export JSON, which tells"
    return Item("", name, code="annotation-unreadable", reason=reason)


def is_short(text: str) -> bool:
    """Whether a text may be a choice, and is no sentence."""
    return len(text) <= _LONGEST and len(text.split()) <= _WORDS and "\n" not in text


def _has_regions(value: Any) -> bool:
    if isinstance(value, str):
        return value[:1] in ("[", "{") and _REGION.search(value) is not None  # JSON that cannot be read
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and (has_place(first) or any(map(_is_of_region, first)))


def _is_of_region(key: str) -> bool:
    """Whether a key says that what holds it is a region or an answer; one that is misspelt a little does, too."""
    return key.endswith("labels") or bool(difflib.get_close_matches(key.lower(), _FACETS, 1, 0.85))


def _items(name: str, value: Any) -> list[Any]:
    """Results as tasks.py has them, of one control; an item of its own for what is none."""
    results: list[Any] = []
    for number, region in enumerate(value if isinstance(value, list) else [value], start=1):
        place = f"{name} {number}"
        if isinstance(region, str) and _has_regions(region):
            results.append(Item("", place, code="annotation-unreadable", reason="it is no JSON that can be read"))
        elif isinstance(region, str) and is_short(region):
            results.append({"type": "choices", "from_name": name, "value": {"choices": [region]}})
        elif isinstance(region, dict):
            results.append(_result(name, region))
        elif isinstance(region, str):
            results.append(Item("text", place, code="shape-not-carried", reason="free text is no class"))
        else:
            results.append(Item("", place, code="annotation-unreadable", reason=f"{str(region)[:60]} is no region"))
    return results


def _result(name: str, value: dict[str, Any]) -> dict[str, Any]:
    kind = next((key for key in value if key.endswith("labels")), None)
    kind = kind or next((key for key in _FACETS if key in value), None) or "labels"
    result = {"type": "textarea" if kind == "text" else kind, "from_name": name, "value": value}
    result |= {key: value[key] for key in ("original_width", "original_height") if key in value}
    figure = [value[key] for key in _FIGURE_KEYS if key in value]
    return result | ({"id": json.dumps(figure)} if has_place(value) else {})
