"""New version on the page: what is chosen is what `--set` takes, and what is shown is what a build makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browser import Page
from paged import Served, look_again, looked_at, needs_browser, serious, serve_page
from test_preview import built, draw_raw

from shardsmith.app.opened import Dataset
from shardsmith.app.raw import raw_taken
from shardsmith.app.screens.new import Wanted, name_problem, show, split_preview
from shardsmith.app.stepping import controls
from shardsmith.app.stepping.session import IMAGES, session
from shardsmith.app.stepping.settings import choose_params, differences, present
from shardsmith.dataset.manifest import SPLITS
from shardsmith.inspect.catalogue import BLOCKS
from shardsmith.inspect.rows import look
from shardsmith.pipeline.params import Params, parse_params
from shardsmith.pipeline.splits.decisions import Decisions
from shardsmith.pipeline.splits.record import Record, read_record, write_record
from shardsmith.pipeline.splits.split import place, split
from shardsmith.workspace.settings import with_settings

STEPS = [f"{block}.{name}" for block, steps in BLOCKS.items() for name in steps]
ON = {
    "preprocess.enabled": True,
    "preprocess.steps": [{"resize": {"width": 40, "height": 36}}],
    "augment.enabled": True,
    "augment.steps": [{"rotate": {"degrees": 30}}, {"mosaic": {}}],
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """32 small images, looked at."""
    return looked_at(tmp_path_factory.mktemp("page") / "pets", draw_raw)


def test_every_step_begins_with_values_that_are_allowed() -> None:
    for key in STEPS:
        block, _, name = key.partition(".")
        card = controls.card(key)
        parse_params(json.dumps({block: {"steps": [{name: controls.arguments(card)}]}}))
        assert card.group != "Other", f"{key}: its group stands in texts.yaml"


def test_a_card_keeps_what_params_yaml_says() -> None:
    (card,) = controls.cards_listed("augment", [{"flip": {"horizontal": 0.5, "classes": ["a, b"]}}], on=False)
    assert controls.arguments(card) == {"horizontal": 0.5, "classes": ["a, b"]}, "a default that is given stays given"
    assert not card.on


def test_a_slider_goes_as_far_as_is_allowed() -> None:
    by_name = {one.name: one for one in controls.card("augment.cutout").own}
    assert (by_name["size"].least, by_name["size"].most, by_name["size"].step) == (0.01, 1, 0.01)
    assert controls.card("augment.rotate").own[0].step == 1
    assert not controls.card("preprocess.resize").own[0].has_slider, "16,384 pixels are typed"


def test_what_is_shown_is_what_a_build_makes(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = choose_params(dataset, ON).params
    assert params
    now = session(raw_taken(dataset).folder, dataset.root, params.split)
    effects = now.effects(params, 0, tmp_path / "kept")
    monkeypatch.chdir(dataset.root)
    bytes_of = {name: image.sha256 for name, (image, _) in built(params, tmp_path).items()}
    for one in effects:
        shown = [*one.preprocessed, *one.copies]
        assert len(shown) == 3
        assert [made.sha256 for made in shown if not made.remark] == [
            bytes_of[made.picture.image_id] for made in shown if not made.remark
        ]
        assert one.copies[0].picture.marks, "with boxes"


def test_an_image_alone_is_planned_like_one_of_all(dataset: Dataset, tmp_path: Path) -> None:
    """Where no step looks at others, only the images shown are planned."""
    params = choose_params(dataset, {**ON, "augment.steps": [{"flip": {}}, {"crop": {}}]}).params
    assert params
    now = session(raw_taken(dataset).folder, dataset.root, params.split)
    rows = look(dataset.root / "data/raw", params, IMAGES, tmp_path)
    copies = [[made.sha256 for made in one.copies] for one in now.effects(params, 0, tmp_path / "kept")]
    assert copies == [[cell.planned.image.sha256 for cell in row.copies] for row in rows]


def test_other_images(dataset: Dataset) -> None:
    first, second = (
        [one.original.picture.image_id for one in show(dataset, Wanted(turn=turn)).effects] for turn in (0, 1)
    )
    assert len(first) == len(second) == IMAGES
    assert set(first) != set(second)


def test_how_many_images_come_out(dataset: Dataset) -> None:
    shown = show(
        dataset, Wanted(settings={"augment.enabled": True, "augment.copies": 3, "augment.keep_original": False})
    )
    assert shown.result
    assert shown.places
    assert shown.result.images == {**shown.places.total, "train": 3 * shown.places.total["train"]}
    halves = {"preprocess.enabled": True, "preprocess.steps": [{"tile": {"rows": 2, "columns": 1}}]}
    tiles = show(dataset, Wanted(settings=halves))
    assert tiles.result
    assert tiles.result.total == 2 * sum(shown.places.total.values())


def test_a_step_that_leaves_an_image_out(dataset: Dataset) -> None:
    settings = {"preprocess.enabled": True, "preprocess.steps": [{"filter_classes": {"keep": ["unicorn"]}}]}
    few = {"preprocess.enabled": True, "preprocess.steps": [{"random_sample": {"images": 2}}]}
    effects = show(dataset, Wanted(settings=few)).effects
    assert len(effects) == 2
    assert all(one.preprocessed for one in effects), "those that stay are shown"
    assert "leaves no image" in show(dataset, Wanted(settings=settings)).problems[""]


def test_wrong_values_are_said_by_key(dataset: Dataset) -> None:
    settings = {"augment.steps": [{"rotate": {}}, {"flip": {"horizontal": 2}}], "augment.copies": 0}
    problems = show(dataset, Wanted(settings=settings)).problems
    assert problems == {"augment.copies": "0: allowed: 1 and more; for example 2"}
    del settings["augment.copies"]
    problems = show(dataset, Wanted(settings=settings)).problems
    assert problems == {"augment.steps[1].flip.horizontal": "2: allowed: up to 1; for example 0.5"}


def test_the_era_moves_as_many_as_split_says(dataset: Dataset) -> None:
    params = Params()
    taken = raw_taken(dataset)
    first = place(taken.valid(), params, Decisions(), Record())
    turned = {name: SPLITS[(number + 1) % 3] for number, name in enumerate(SPLITS)}
    record = dataset.root / "data/splits.csv"
    write_record([row.__class__(row.image_id, row.pixels, turned[row.split]) for row in first.rows], record)
    try:
        look_again(dataset)
        shown = show(dataset, Wanted())
        assert shown.places
        assert (sum(shown.places.stay.values()), shown.places.new, shown.places.moved) == (len(first.rows), 0, 0)
        anew = params.split.model_copy(update={"era": 2})
        findings = split(taken.valid(), Params(split=anew), Decisions(), read_record(record))[1]
        (moved,) = [one for one in findings if one.code == "split-moved"]
        count = split_preview(dataset, Wanted(settings={"split.era": 2}))["moved"]
        assert count > 0
        assert moved.value == f"{count:,} of {len(first.rows):,} images"
    finally:
        record.unlink()


def test_differences_in_words(dataset: Dataset) -> None:
    before = dataset.workspace.params()
    after = choose_params(
        dataset, {"augment.enabled": True, "split.fractions": {"train": 1, "valid": 0, "test": 0}}
    ).params
    assert after
    assert [(one.key, one.was, one.will) for one in differences(before, after)] == [
        ("split.fractions", "train 70%, valid 20%, test 10%", "train 100%, valid 0%, test 0%"),
        ("augment.enabled", "off", "on"),
    ]


def test_names(dataset: Dataset) -> None:
    assert not name_problem(dataset, "")
    assert not name_problem(dataset, "v1.0")
    assert name_problem(dataset, "a b").startswith("'a b': not a version's name")


@pytest.fixture(scope="module")
def served(dataset: Dataset) -> Iterator[Served]:
    with serve_page(dataset.root) as served:
        yield served


def test_by_script(served: Served, dataset: Dataset) -> None:
    said = served.json("/api/d/pets/parameters")
    assert said["present"] == present(dataset.workspace.params())
    assert [one["key"] for one in said["steps"]] == STEPS
    shown = served.json("/api/d/pets/preview", {"settings": ON})
    assert shown["effects"][0]["copies"][0]["picture"]["url"].startswith("data:image/jpeg;base64,")
    places = served.json("/api/d/pets/split-preview", {"settings": {"split.strategy": "stratified"}})
    assert (places["new"], places["moved"]) == (32, 0)
    wrong = served.json("/api/d/pets/split-preview", {"settings": {"split.strategy": "chance"}})
    assert list(wrong["problems"]) == ["split.strategy"]


# --- in a browser


@pytest.fixture(scope="module")
def tab(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with served.browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def screen(tab: Page, served: Served) -> Page:
    tab.open(f"{served.address}/d/pets/new")
    _idle(tab)
    tab.said.clear()
    return tab


IDLE = """new Promise(done => {
  const isDone = () => document.querySelector('#effects').ariaBusy === 'false'
    && !document.querySelector('.step.is-on .thumb:empty');
  const look = () => isDone() ? done() : setTimeout(look, 30);
  setTimeout(look, 200);
})"""


def _idle(page: Page) -> None:
    page.run(IDLE)


def _click(page: Page, selector: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).click()")
    page.run("new Promise(done => setTimeout(done, 150))")
    _idle(page)


def _settings(page: Page) -> dict[str, Any]:
    return json.loads(page.run("JSON.stringify(settings())"))


@needs_browser
def test_one_press_each(screen: Page, dataset: Dataset) -> None:
    assert _settings(screen) == {}
    before = screen.run("document.querySelector('#effects').innerHTML")
    _click(screen, "[data-add='preprocess.resize']")
    _click(screen, "[data-copies='3']")
    assert _settings(screen) == {"preprocess.enabled": True, "augment.enabled": True, "augment.copies": 3}
    assert screen.run("document.querySelector('#effects').innerHTML") != before
    after = parse_params(with_settings(dataset.workspace.params_text(), _settings(screen), dataset.root))
    assert after.augment.copies == 3
    sent = "new Promise(done => { form.addEventListener('submit', event => { event.preventDefault(); "
    sent += "done(JSON.stringify([...new FormData(form)])); }); document.querySelector('.bottom button').click(); })"
    assert json.loads(screen.run(sent)) == [
        ["settings", json.dumps(_settings(screen), separators=(",", ":"))],
        ["name", ""],
    ]
    screen.open(screen.run("location.href"))
    _idle(screen)
    assert _settings(screen)["augment.copies"] == 3, "a reload keeps what was chosen"
    _click(screen, "#as-uploaded")
    assert _settings(screen) == {"augment.copies": 3}
    assert not screen.said


@needs_browser
def test_generate_reaches_the_build(screen: Page) -> None:
    """A form says where it comes from, and is let in; what is wrong with it is said, and no build begins."""
    screen.run("form.elements.settings.value = '{\"augment.copies\": 0}', form.submit()")
    screen.wait("location.pathname === '/d/pets/build' && document.readyState === 'complete'")
    assert "augment.copies: 0: allowed: 1 and more" in screen.run("document.body.innerText")


@needs_browser
def test_the_form_gives_back_each_steps_values(screen: Page, dataset: Dataset) -> None:
    classes = raw_taken(dataset).classes
    script = "(async () => { const found = {}; for (const key of %s) found[key] = argumentsOf(await add(key)); "
    given = json.loads(screen.run(script % json.dumps(STEPS) + "return JSON.stringify(found); })()"))
    assert given == {key: controls.arguments(controls.card(key, classes=classes)) for key in STEPS}


@needs_browser
def test_a_wrong_value_is_said_at_its_control(screen: Page) -> None:
    _click(screen, "[data-add='augment.flip']")
    field = ".step[data-step='augment.flip'] [data-name=horizontal] "
    number = json.dumps(field + "[type=number]")
    change = "dispatchEvent(new Event('change', {bubbles: true}))"
    screen.run(f"(one => {{ one.value = '7'; one.{change}; }})(document.querySelector({number}))")
    screen.run("new Promise(done => setTimeout(done, 200))")
    _idle(screen)
    assert screen.run(f"document.querySelector({json.dumps(field + '.problem')}).textContent").startswith(
        "7: allowed: up to 1"
    )
    assert screen.run(f"document.querySelector({number}).value") == "7"
    screen.run("document.querySelector('.bottom button').click()")
    assert screen.run("document.activeElement.closest('.field').dataset.name") == "horizontal", "it is not sent"


@needs_browser
def test_order_by_keyboard(screen: Page) -> None:
    order = "[...document.querySelectorAll('#steps-augment > .step')].map(one => one.dataset.step).join()"
    _click(screen, "[data-copies='2']")
    assert screen.run(order) == "augment.flip,augment.rotate,augment.brightness_contrast"
    screen.run('document.querySelector(\'[data-step="augment.rotate"] [data-move="-1"]\').focus()')
    screen.press("Enter")
    assert screen.run(order) == "augment.rotate,augment.flip,augment.brightness_contrast"
    assert screen.run("document.activeElement.closest('.step').dataset.step") == "augment.rotate"
    _idle(screen)
    assert [next(iter(one)) for one in _settings(screen)["augment.steps"]] == ["rotate", "flip", "brightness_contrast"]


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_for_everybody(screen: Page, served: Served, width: int, dark: bool) -> None:
    screen.view(width, 900, dark)
    screen.open(f"{served.address}/d/pets/new?settings={quote(json.dumps(ON))}")
    _idle(screen)
    screen.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert screen.run("document.documentElement.scrollWidth") <= width
    assert not serious(screen)
    assert not screen.said
