"""Label Studio's tasks as JSON -> what was annotated on which image; no disk.

Of several annotations of a task, one counts: the ground truth, else the newest (the SDK's converter has it first);
what the others hold is counted as not carried. Cancelled (skipped) annotations, drafts and predictions are no labels.
Source: "Export annotations" of Label Studio's guide, and converter.py of label-studio-sdk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shardsmith.formats.label_studio.regions import Item, parse_results

_LISTS = ("annotations", "completions")
_NOT_DONE = ("predictions", "drafts")


@dataclass
class Task:
    """One task: `data` names its images; `labelled` is whether somebody looked at it."""

    place: str
    data: dict[str, Any] = field(default_factory=dict)
    file_upload: str = ""
    labelled: bool = False
    items: list[Item] = field(default_factory=list)
    problem: str = ""


def parse_task(entry: Any, place: str, not_carried: Counter[str]) -> Task:
    """
    Args:
        not_carried: counts what is passed over.
    """
    if not isinstance(entry, dict):
        return Task(place, problem="it is no JSON object")
    if isinstance(entry.get("task"), dict) and "result" in entry:  # a target storage has a file an annotation
        entry = {**entry["task"], "annotations": [entry], "predictions": []}
    data = entry.get("data")
    if not isinstance(data, dict):
        return Task(place, problem="it has no data, which names the image")
    upload = entry.get("file_upload")
    task = Task(place, data, upload if isinstance(upload, str) else "")
    predictions = entry.get("predictions")
    if isinstance(predictions, list) and predictions:
        not_carried["predictions, which are no labels,"] += len(predictions)
    key = next((key for key in _LISTS if key in entry), None)
    if key is None:
        if not any(isinstance(entry.get(name), list) and entry[name] for name in _NOT_DONE):
            task.labelled, task.problem = True, "it has no annotations"
        return task
    annotations = entry[key]
    if not isinstance(annotations, list):
        task.labelled, task.problem = True, f"its {key} are a {type(annotations).__name__}, and no list"
        return task
    _take(annotations, task, not_carried)
    return task


def _take(annotations: list[Any], task: Task, not_carried: Counter[str]) -> None:
    done = [(number, each) for number, each in enumerate(annotations, start=1) if not _is_cancelled(each)]
    broken = [number for number, each in done if not isinstance(each, dict)]
    for number in broken:
        task.labelled = True
        task.items.append(Item("", f"annotation {number}", code="annotation-unreadable", reason="it is no JSON object"))
    made = [(number, each) for number, each in done if isinstance(each, dict)]
    if not made:
        return
    task.labelled = True
    number, chosen = made[newest([each for _, each in made])]
    if made[1:]:
        lost = sum(len(each["result"]) for _, each in made if each is not chosen and _has_list(each))
        not_carried["further annotations of a task, by others or older,"] += len(made) - 1
        not_carried["results of further annotations"] += lost
    if not _has_list(chosen):
        task.problem = f"its annotation {number} has no list result"
        return
    task.items += parse_results(chosen["result"], not_carried, f"annotation {number}, " if made[1:] else "")


def newest(annotations: Iterable[dict[str, Any]]) -> int:
    """Which one counts: the last ground truth, else the one of the latest date; the first of equals."""
    ranks = [(each.get("ground_truth") is True, _date(each)) for each in annotations]
    return ranks.index(max(ranks))


def _date(annotation: dict[str, Any]) -> str:
    dates = (annotation.get(key) for key in ("updated_at", "created_at"))
    return next((str(date) for date in dates if isinstance(date, str | int | float)), "")


def _is_cancelled(annotation: Any) -> bool:
    return isinstance(annotation, dict) and bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def _has_list(annotation: dict[str, Any]) -> bool:
    return isinstance(annotation.get("result"), list)
