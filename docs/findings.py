"""Write docs/findings.md, the table of findings, from the catalogue itself.

python -m docs.findings
"""

from __future__ import annotations

from pathlib import Path

from stages.dataset.findings import CATALOGUE
from tools.check import findings_markdown


def main() -> None:
    path = Path(__file__).with_suffix(".md")
    path.write_text(findings_markdown(), encoding="utf-8")
    print(f"{path}: {len(CATALOGUE)} codes")


if __name__ == "__main__":
    main()
