"""What the fuzz, the valid files, the attacks and other people's tools came to, at the end of pytest's output.

Tests note it as their reports' properties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    notes = [(*note, report.passed) for report in ran if report.when == "call" for note in report.user_properties]
    for line in (
        fuzz_line([value for name, value, _ in notes if name == "fuzz"]),
        *shapes_lines([value for name, value, _ in notes if name == "shapes"]),
        attacks_line([(value, passed) for name, value, passed in notes if name == "attacks"]),
        *tool_lines([value for name, value, _ in notes if name == "tool"]),
        *reader_lines([value for name, value, _ in notes if name == "reader"]),
    ):
        if line:
            terminalreporter.write_line(line)


@pytest.fixture
def attack(record_property: Callable[[str, object], None]) -> None:
    """Counts a test as an attack, refused if it passes."""
    record_property("attacks", 1)


def fuzz_line(tallies: list[dict[str, Any]]) -> str:
    """As `fuzz: 17 formats, 8,500 cases: 0 tracebacks, 0 images with lost objects taken as negatives, slowest 0.4 s,
    largest 310 MB, 58 s of CPU`; "" for none."""
    if not tallies:
        return ""
    formats = len({tally["format"] for tally in tallies})
    counted = ("cases", "crashes", "negatives", "cpu_s")
    cases, crashes, negatives, cpu_s = (sum(tally[at] for tally in tallies) for at in counted)
    slowest_s, largest_mb = (max(tally[at] for tally in tallies) for at in ("slowest_s", "largest_mb"))
    return (
        f"fuzz: {formats} formats, {cases:,} cases: {crashes:,} tracebacks, {negatives:,} images with lost objects "
        f"taken as negatives, slowest {slowest_s:.1f} s, largest {largest_mb:,} MB, {cpu_s:.0f} s of CPU"
    )


def shapes_lines(tallies: list[dict[str, Any]]) -> list[str]:
    """A line a format, as `  coco: 500 images, 871 shapes in = 612 kept + 259 named`, and one of all; [] for none."""
    whole = {at: sum(tally[at] for tally in tallies) for at in ("images", "shapes", "kept", "named")}
    rows = [*tallies, {"format": f"shapes of {len(tallies)} forms", **whole}] if tallies else []
    return [
        "{format}: {images:,} images, {shapes:,} shapes in = {kept:,} kept + {named:,} named".format(**row)
        for row in rows
    ]


def attacks_line(counts: list[tuple[int, bool]]) -> str:
    """As `security: 400 attacks, 400 refused`; "" where none ran."""
    refused = sum(count for count, passed in counts if passed)
    return f"security: {sum(count for count, _ in counts):,} attacks, {refused:,} refused" if counts else ""


def tool_lines(tallies: list[dict[str, Any]]) -> list[str]:
    """As `globox 2.9.0: 7 formats, 70 shapes: 70 right, 0 named, 0 wrong`, and all of them together; [] for none."""
    counts = ("formats", "right", "named", "wrong")
    known = [(f"{one['tool']} {one['version']}", *(one[at] for at in counts)) for one in tallies]
    total = (f"tools' exports: {len(known)} tools", *(sum(one[at] for one in tallies) for at in counts))
    return [
        f"{what}: {formats} formats, {right + named + wrong:,} shapes: {right:,} right, {named:,} named, {wrong} wrong"
        for what, formats, right, named, wrong in (*sorted(known), *([total] if known else []))
    ]


def reader_lines(tallies: list[dict[str, Any]]) -> list[str]:
    """A line a program and format, as `supervision 0.31.2 reads coco: 7 images, 13 labels: same`; [] for none."""
    return [
        "{program} {version} reads {format}: {images} images, {labels} labels: {said}".format(
            **one, said="same" if one["same"] else "NOT THE SAME"
        )
        for one in tallies
    ]
