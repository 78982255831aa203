"""Write docs/findings.md, the table of findings, from the catalogue and from what the tests plant.

python -m docs.findings
"""

from __future__ import annotations

from pathlib import Path

from shardsmith.dataset.codes import CATALOGUE
from tests.planted import IN_CROWDS, IN_GROUPS, OF_FORMATS, OF_MASKS, OF_STEPS, PLANTED, REMEMBERED

_HEAD = """# Findings

What Shardsmith says about a dataset, and what it does about it. `shardsmith check` looks without building,
`shardsmith findings` prints this list, and `validate.actions` in params.yaml gives a code another action, as
far as it is allowed. `python -m docs.findings` writes this page anew.
"""
_PLANTED = """
## Planted

Each finding is planted once by `tests/planted.py`, and a test looks for it in its place; nothing else may be found.
To see them all in a table, from the top of the repository:

```console
$ python -c "import pathlib, tests.planted as t; t.plant(pathlib.Path('planted'))"
$ shardsmith check planted
```
"""


def page() -> str:
    """Every code of the catalogue: what it means, and how the tests make one."""
    rules = [["code", "severity", "action", "allowed", "what it means", "what to do"]]
    for code, rule in CATALOGUE.items():
        rules.append([f"`{code}`", rule.severity, rule.action, ", ".join(rule.allowed), rule.meaning, rule.remedy])
    plants = [["code", "planted", "found at"]]
    for code, plant in (PLANTED | IN_GROUPS | REMEMBERED | IN_CROWDS | OF_MASKS | OF_FORMATS | OF_STEPS).items():
        plants.append([f"`{code}`", plant.how, f"`{plant.file}`" if plant.file else ""])
    return "\n".join([_HEAD, *_table(rules), _PLANTED, *_table(plants)]) + "\n"


def _table(rows: list[list[str]]) -> list[str]:
    head, *lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [head, "| " + " | ".join("---" for _ in rows[0]) + " |", *lines]


def main() -> None:
    path = Path(__file__).with_suffix(".md")
    path.write_text(page(), encoding="utf-8")
    print(f"{path}: {len(CATALOGUE)} codes")


if __name__ == "__main__":
    main()
