"""`ingest.classes` after a person renamed, merged or left out classes as they came out of it."""

from __future__ import annotations

from collections.abc import Mapping

Classes = dict[str, str | int | None]  # as params.yaml has it: source -> target, None to leave out, or a name's id


def with_classes(now: Mapping[str, str | int | None], wanted: Mapping[str, str | None]) -> Classes:
    """
    Args:
        now: `ingest.classes` as it stands; what it renames already is renamed on.
        wanted: a class as it is now -> its new name, None to leave it out.
    """
    changed = {name: target for name, target in wanted.items() if target != name}
    followed = {name: changed.get(to, to) if isinstance(to, str) else to for name, to in now.items()}
    return followed | {name: to for name, to in changed.items() if not isinstance(now.get(name), str)}
