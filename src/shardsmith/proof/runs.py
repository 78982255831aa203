"""`shardsmith verify`: DVC's run cache, by which it takes what a stage once made for what it would make now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shardsmith.proof.checks import Check, Damage
from shardsmith.workspace.lock_file import read_leniently


def verify_runs(cache: Path, lock: Mapping[str, Any]) -> Check:
    """What it has of the stages of a dvc.lock says what it was written to say.

    Args:
        cache: DVC's folder.
    """
    damage, count = [], 0
    for stage in lock.get("stages", {}).values():
        key = _hash({**stage, "outs": [out["path"] for out in stage.get("outs", [])]})
        for path in sorted((cache / "runs" / key[:2] / key).glob("*")):
            count += 1
            said = read_leniently(path.read_text(encoding="utf-8", errors="replace"))
            if said != stage if path.name == _hash(stage) else path.name != _hash(said):
                damage.append(Damage(str(path), "not what DVC wrote there", "remove it; the next build does without"))
    return Check("run cache", f"{count} stages of this version, as DVC noted them", damage, here=count > 0)


def _hash(entry: Mapping[str, Any]) -> str:
    """As dvc/stage/cache.py has it."""
    return hashlib.sha256(json.dumps(_unmeasured(entry), sort_keys=True, default=str).encode()).hexdigest()


def _unmeasured(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {key: _unmeasured(value) for key, value in entry.items() if key not in ("size", "nfiles")}
    return [_unmeasured(value) for value in entry] if isinstance(entry, list) else entry
