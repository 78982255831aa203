"""`shardsmith formats`: the table of formats, from the registry itself."""

from __future__ import annotations

from stages.formats import CARRYABLE, FORMATS


def format_rows() -> list[list[str]]:
    """A header, then a row a format: its title, name, whether it is read and written, and what it carries."""
    rows = [["format", "name", "read", "written", "carries"]]
    for name, module in FORMATS.items():
        yes_no = ["yes" if hasattr(module, verb) else "no" for verb in ("read", "write")]
        rows.append([module.TITLE, name, *yes_no, ", ".join(word for word in CARRYABLE if word in module.CARRIES)])
    return rows
