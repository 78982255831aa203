"""The commands that the documents show."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


def commands_in(file: str) -> list[str]:
    """Every `shardsmith ...` line of a document's code blocks, and of its inline code."""
    text = (ROOT / file).read_text()
    blocks = re.findall(r"```(?:console|bash|sh)\n(.*?)```", text, re.DOTALL)
    lines = [re.split(r" # | > | && ", line.removeprefix("$ "))[0] for block in blocks for line in block.splitlines()]
    return [
        line.strip() for line in [*lines, *re.findall(r"`(shardsmith [^`]+)`", text)] if line.startswith("shardsmith ")
    ]
