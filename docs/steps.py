"""Write docs/steps.md, the table of steps, from the catalogue itself.

python -m docs.steps
"""

from __future__ import annotations

from pathlib import Path

from shardsmith.inspect.catalogue import step_rows, steps_markdown


def main() -> None:
    path = Path(__file__).with_suffix(".md")
    path.write_text(steps_markdown(), encoding="utf-8")
    print(f"{path}: {len(step_rows())} steps")


if __name__ == "__main__":
    main()
