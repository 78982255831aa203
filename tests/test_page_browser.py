"""The page in a real browser: it can be filtered, looked through and read, and nothing in it runs that should not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, open_browser
from conftest import box, image_bytes, make_image, make_manifest
from test_report_page import ENDING, HOSTILE, page_of

from shardsmith.dataset.findings import about, found
from shardsmith.dataset.manifest import SPLITS, Annotation, Image
from shardsmith.pipeline.params import Params
from shardsmith.report.marks import COLOURS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ, reason="no Chromium here (apt-get install chromium)"
    ),
]
SHOWN = "[...document.querySelectorAll('#cards .card')].filter(card => card.offsetParent)"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of nine images, three in each split: cats on all, dogs on the first three, and names that are markup."""
    folder = tmp_path_factory.mktemp("page")
    rows: list[Image | Annotation] = []
    for number in range(9):
        name = f"{number} {HOSTILE}.jpg" if number == 8 else f"{number}.jpg"
        rows.append(make_image(folder, name, image_bytes(160, 120, number), split=SPLITS[number % 3]))
        rows.append(box(name, "cat", 40, 30, 120, 90, segmentation="[[40, 30, 120, 30, 80, 90]]"))
        rows += [box(name, "dog", 100, 60, 160, 120)] if number < 3 else []
        rows += [box(name, HOSTILE), box(name, ENDING)] if number == 7 else []
    rows.append(make_image(folder, "thin.png", image_bytes(900, 4, format="PNG"), split="train"))
    rows += [make_image(folder, f"0.jpg#{n}", split="train", parent_id="0.jpg", copy=n, origin="{}") for n in (1, 2)]
    findings = [found("box-over-edge", "3.jpg", HOSTILE, ENDING), found("image-turned", ENDING)]
    findings.append(about("box-tiny", "0.jpg", place="box 1", value="cat 40 30 120 90", source_key="n1"))
    findings.append(about("class-omitted", "thin.png", place="box -900 1 300 2", source_key="n1"))
    findings.append(about("box-outside-image", "1.jpg", place="box 80 60 320 120", source_key="n3"))
    findings.append(about("box-outside-image", "2.jpg", place="box 9000 10 9010 20", source_key="n3"))
    findings.append(about("image-unreadable", "thin.png"))
    gone = [box("thin.png", "cat", -900, 1, 300, 2), box("1.jpg", "cat", 80, 60, 320, 120)]
    taken_in = make_manifest(*rows, *gone, box("2.jpg", "cat", 9000, 10, 9010, 20))
    page = folder / "index.html"
    params = Params.model_validate({"export": {"formats": ["tfrecord", "coco", "voc"]}})
    page.write_text(page_of(make_manifest(*rows), *findings, params=params, taken_in=taken_in), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(browser: Page, file: Path) -> Iterator[Page]:
    """The page, freshly opened; at its end nothing was said in the console, and nothing else was asked for."""
    browser.said.clear()
    browser.requests.clear()
    browser.view(1440, 900)
    browser.open(file)
    yield browser
    browser.run("1")  # what was said so far has arrived
    assert browser.said == []
    assert set(browser.requests) == {file.as_uri()}


def choose(page: Page, selector: str, value: str) -> None:
    page.run(
        f"(() => {{ const one = document.querySelector({selector!r}); one.value = {value!r};"
        "one.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def test_filter_by_class_and_by_split(page: Page) -> None:
    assert page.run(f"{SHOWN}.length") == 10
    option = page.run("[...document.querySelectorAll('option')].find(one => one.text === 'dog (3)').value")
    choose(page, "#by-class", option)
    assert page.run(f"{SHOWN}.map(card => card.querySelector('.id').textContent).sort()") == ["0.jpg", "1.jpg", "2.jpg"]
    page.run("document.querySelector('input[value=valid]').click()")
    assert page.run(f"{SHOWN}.map(card => card.querySelector('.id').textContent)") == ["1.jpg"]
    assert page.run("document.getElementById('shown').textContent") == "1 image"
    choose(page, "#by-class", "-1")
    assert page.run(f"{SHOWN}.length") == 0
    assert page.run("document.getElementById('none').offsetParent !== null")


def test_open_an_image_go_on_and_come_back(page: Page) -> None:
    page.run("document.querySelector('input[value=valid]').click()")
    page.run(f"{SHOWN}[0].querySelector('button').focus()")
    first, second = page.run(f"{SHOWN}.slice(0, 2).map(card => card.querySelector('.id').textContent)")
    page.press("Enter")
    assert page.run("document.getElementById('viewer').open")
    title = "document.getElementById('viewer-title').textContent"
    assert page.run(title) == first
    assert page.run("document.querySelectorAll('#stage rect').length") > 0
    assert page.run("document.querySelector('#stage img').getBoundingClientRect().width") > 600
    page.press("ArrowRight")
    assert page.run(title) == second
    page.press("ArrowLeft")
    page.press("ArrowLeft")  # round to the last
    assert page.run("document.getElementById('viewer-place').textContent") == "3 of 3"
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press("Escape")
    assert not page.run("document.getElementById('viewer').open")
    assert page.run("document.activeElement.closest('.card').querySelector('.id').textContent") == second


def test_boxes_lie_on_the_picture_where_they_are_on_the_image(page: Page) -> None:
    page.run(f"{SHOWN}.find(card => card.querySelector('.id').textContent === '3.jpg').querySelector('button').click()")
    x, y, width, height = page.run(
        "(() => { const one = document.querySelector('#stage rect').getBoundingClientRect();"
        "const all = document.querySelector('#stage img').getBoundingClientRect();"
        "return [(one.x - all.x) / all.width, (one.y - all.y) / all.height, one.width / all.width,"
        "one.height / all.height]; })()"
    )
    assert (x, y, width, height) == pytest.approx((40 / 160, 30 / 120, 80 / 160, 60 / 120), abs=0.01)
    outline = page.run(
        "(() => { const one = document.querySelector('#stage polygon').getBoundingClientRect();"
        "const all = document.querySelector('#stage img').getBoundingClientRect();"
        "return [(one.x - all.x) / all.width, one.width / all.width]; })()"
    )
    assert outline == pytest.approx([0.25, 0.5], abs=0.02)


def marked(page: Page, alt: str) -> list[float]:
    """Where the box of a finding is marked, as shares of the image's sides."""
    return page.run(
        f"(() => {{ const img = document.querySelector('#findings img[alt^=\"{alt}\"]');"
        "const one = img.parentNode.querySelector('.line.box').getBoundingClientRect();"
        "const all = img.getBoundingClientRect();"
        "return [(one.x - all.x) / all.width, (one.y - all.y) / all.height, one.right / all.width - all.x / all.width,"
        "(one.bottom - all.y) / all.height]; })()"
    )


@pytest.mark.parametrize("width", [390, 1440])
def test_the_box_of_a_finding_is_marked_where_it_is(page: Page, file: Path, width: int) -> None:
    page.view(width, 900)
    page.open(file)
    assert marked(page, "0.jpg; box 1") == pytest.approx([0.25, 0.25, 0.75, 0.75], abs=0.02)
    assert marked(page, "1.jpg; box 80") == pytest.approx([0.5, 0.5, 2, 1], abs=0.02)  # it passes the edge


def test_a_box_far_outside_has_an_arrow_that_is_on_the_picture(page: Page) -> None:
    inside = page.run(
        "(() => { const one = document.querySelector('.arrow'), box = one.getBoundingClientRect();"
        "const all = one.closest('.pic').getBoundingClientRect();"
        "return one.textContent + (box.left >= all.left && box.right <= all.right + 1 && box.top >= all.top - 4 "
        "&& box.bottom <= all.bottom + 4); })()"
    )
    assert inside == "→true"


def test_the_mark_of_a_finding_stays_when_boxes_are_hidden_and_when_it_is_opened(page: Page) -> None:
    page.run("document.getElementById('with-boxes').click()")
    page.run("document.querySelector('#findings img[alt^=\"0.jpg; box 1\"]').closest('button').click()")
    widths = (
        "['.line.box', '.others rect'].map(of => document.querySelector('#stage ' + of).getBoundingClientRect().width)"
    )
    mark, other = page.run(widths)
    assert mark > 300 and not other
    page.press("Escape")


def test_boxes_and_names_can_be_hidden(page: Page) -> None:
    rect, text = "document.querySelector('.overlay rect')", "document.querySelector('.overlay text')"
    assert page.run(f"{rect}.checkVisibility() && {text}.checkVisibility()")
    page.run("document.getElementById('with-names').click()")
    assert page.run(f"{rect}.checkVisibility() && !{text}.checkVisibility()")
    page.run("document.getElementById('with-boxes').click()")
    assert not page.run(f"{rect}.checkVisibility()")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_nothing_passes_the_edge(page: Page, file: Path, width: int, dark: bool) -> None:
    page.view(width, 900, dark)
    page.open(file)
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    outside = page.run(
        "[...document.querySelectorAll('main *, header *')].filter(one => {"
        "const box = one.getBoundingClientRect();"
        "return !one.closest('.scroll, pre, .unseen, svg, dialog, .id, .holds') && box.right > innerWidth + 1; })"
        ".map(one => one.outerHTML.slice(0, 80))"
    )
    assert outside == []
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.run(colour) == ("rgb(15, 20, 19)" if dark else "rgb(251, 251, 249)")


def test_charts_follow_light_and_dark(page: Page, file: Path) -> None:
    drawn = "'.drawing .mark-rect path, .drawing .mark-symbol path, .drawing text'"
    fills = f"[...document.querySelectorAll({drawn})].map(one => getComputedStyle(one).fill)"
    light = page.run(fills)
    page.view(1440, 900, dark=True)
    dark = page.run(fills)
    assert len(light) > 100 and all(before != after for before, after in zip(light, dark, strict=True))
    assert "rgb(0, 0, 0)" not in {*light, *dark}


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(page: Page, file: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    page.view(1440, 900, dark)
    pairs = page.run(
        "(() => { const style = getComputedStyle(document.documentElement);"
        "return ['--ink', '--soft', '--accent', '--error', '--warning'].flatMap(text =>"
        "['--page', '--raised'].map(ground => [style.getPropertyValue(text), style.getPropertyValue(ground)])); })()"
    )
    assert len(pairs) == 10
    assert [pair for pair in pairs if _contrast(*pair) < 4.5] == []


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one.strip()), _luminance(other.strip())), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_for_a_screen_reader(page: Page) -> None:
    """What it is told: every picture, drawing and control has a name; headings do not skip; ids are unique."""
    assert _unnamed(page) == []
    page.run(f"{SHOWN}[0].querySelector('button').click()")
    assert _unnamed(page) == []
    page.press("Escape")
    levels = page.run(
        "[...document.querySelectorAll('h1, h2, h3')].filter(one => one.checkVisibility()).map(one => +one.tagName[1])"
    )
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))
    assert (
        page.run("(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map(one => one.id))")
        == 0
    )
    assert page.run("document.querySelectorAll('main, header, nav, footer').length") == 4


def _unnamed(page: Page) -> list[str]:
    """The roles of those that need a name in words, and have none."""
    need = {"image", "button", "link", "combobox", "checkbox", "radio", "region", "navigation", "heading", "dialog"}
    nodes = [node for node in page.do("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    assert len(roles) > 10
    return [role for role, name in roles if role in need and not re.search("[A-Za-z0-9]", name)]


def test_names_that_are_markup_are_shown_as_text(page: Page) -> None:
    assert page.run("document.querySelectorAll('img[src=x]').length + document.scripts.length") == 1
    assert page.run(f"[...document.querySelectorAll('option')].some(one => one.text === {HOSTILE + ' (1)'!r})")
    assert page.run(f"{SHOWN}.some(card => card.querySelector('.id').textContent.includes({HOSTILE!r}))")
    assert page.run("[...document.querySelectorAll('.drawing text')].some(one => one.textContent.startsWith('<img'))")


def test_without_scripts_everything_is_there_but_the_filter(page: Page, file: Path) -> None:
    page.do("Emulation.setScriptExecutionDisabled", value=True)
    page.open(file)
    page.do("Emulation.setScriptExecutionDisabled", value=False)
    assert page.run(f"{SHOWN}.length") == 10
    assert page.run("document.querySelector('.filters').offsetParent === null")


def test_every_colour_of_a_class_is_in_the_style(page: Page) -> None:
    colours = page.run(
        f"Array.from({{length: {COLOURS}}}, (_, n) => {{ const one = document.querySelector('.overlay rect');"
        "one.setAttribute('class', 'c' + n); return getComputedStyle(one).stroke; })"
    )
    assert len(set(colours)) == COLOURS and "none" not in colours
