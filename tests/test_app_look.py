"""Images on the page: what is searched is found, what is decided stands in data/decisions.csv, and holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import image_bytes
from paged import TOKEN, Served, looked_at, needs_browser, serious, serve_page
from test_formats import OBJECT, XML
from test_preview import draw_raw
from workspaces import Place

from shardsmith.app.opened import Dataset
from shardsmith.dataset.errors import StageError
from shardsmith.dataset.findings import about
from shardsmith.dataset.manifest import Annotation, Image, Manifest
from shardsmith.inspect.search import Query, Searchable
from shardsmith.pipeline.splits.decisions import Decisions, decide, read_decisions, take_back

TABLES = Searchable(
    Manifest.of(
        [
            Image("a/one.jpg", "", "1", 100, 50, "jpeg", split="train", tags=["night"]),
            Image("b/Two.jpg", "", "2", 300, 50, "jpeg", split="test"),
            Image("c/three_%.jpg", "", "3", None, None, None, annotated=False),
            Image("d/four.jpg", "", "4", 50, 200, "jpeg", split="train"),
        ],
        [Annotation(*one, 1, 1, 9, 9) for one in (("a/one.jpg", "cat"), ("a/one.jpg", "dog"), ("b/Two.jpg", "dog"))],
    ),
    [about("box-tiny", "a/one.jpg"), about("image-near-duplicate", "b/Two.jpg", other="d/four.jpg")],
)
DECIDED = Decisions(
    {"b/Two.jpg": "valid"}, {"d/four.jpg": ""}, {"d/four.jpg": ["wet"]}, {"b/Two.jpg": "", "d/four.jpg": ""}
)
FOUND = [
    (Query(), [0, 1, 2, 3]),
    (Query(text="tWO"), [1]),
    (Query(text="_%"), [2]),
    (Query(label="dog"), [0, 1]),
    (Query(split="train"), [0, 3]),
    (Query(split="none"), [2]),
    (Query(tag="night"), [0]),
    (Query(tag="wet"), [3]),
    (Query(finding="image-near-duplicate"), [1, 3]),
    (Query(state="annotated"), [0, 1]),
    (Query(state="empty"), [3]),
    (Query(state="unlabelled"), [2]),
    (Query(state="excluded"), [3]),
    (Query(state="decided"), [1, 3]),
    (Query(least=200), [1, 3]),
    (Query(most=199), [0]),
    (Query(label="dog", split="test", least=100), [1]),
    (Query(label="dog", text="four"), []),
]


@pytest.mark.parametrize(("query", "rows"), FOUND, ids=[str(row[0]).replace("''", "") for row in FOUND])
def test_what_is_asked_for_is_found(query: Query, rows: list[int]) -> None:
    assert TABLES.find(query, DECIDED) == rows
    assert [image.image_id for image, _ in TABLES.rows(rows)] == [
        TABLES.images["image_id"][row].as_py() for row in rows
    ]


def test_what_can_be_asked_for_says_how_many_it_finds() -> None:
    choices = TABLES.choices(DECIDED)
    for name, field in (("label", choices.labels), ("split", choices.splits), ("tag", choices.tags)):
        assert {value: len(TABLES.find(Query(**{name: value}), DECIDED)) for value in field} == field
    assert choices.findings == {"box-tiny": 1, "image-near-duplicate": 2}


def test_decisions_are_added_changed_and_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "data/decisions.csv"
    decide(path, ["a.jpg", "b,c.jpg"], "train", 'it, "said"')
    decide(path, ["a.jpg"], "test", "")
    decide(path, ["a.jpg"], "excluded", "blurred")
    decide(path, ["a.jpg", "a.jpg"], "tag:night", "")
    now = read_decisions(path)
    assert (now.splits, now.excluded) == ({"a.jpg": "test", "b,c.jpg": "train"}, {"a.jpg": "blurred"})
    assert now.tags == {"a.jpg": ["night"]}
    take_back(path, ["a.jpg"], "excluded")
    assert (read_decisions(path).excluded, read_decisions(path).tags) == ({}, {"a.jpg": ["night"]})
    take_back(path, ["a.jpg"])
    assert path.read_text() == 'image_id,decision,why\n"b,c.jpg",train,"it, ""said"""\n'
    with pytest.raises(StageError, match="did you mean excluded"):
        decide(path, ["a.jpg"], "excludd", "")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """32 small images, looked at."""
    return looked_at(tmp_path_factory.mktemp("look") / "pets", draw_raw)


@pytest.fixture
def served(dataset: Dataset) -> Iterator[Served]:
    (dataset.root / "data/decisions.csv").unlink(missing_ok=True)
    with serve_page(dataset.root) as served:
        yield served


def get(served: Served, path: str) -> str:
    return get_bytes(served, path).decode()


def get_bytes(served: Served, path: str) -> bytes:
    with urlopen(Request(f"{served.address}{path}", headers={"authorization": f"Bearer {TOKEN}"})) as answer:
        return answer.read()


def test_a_script_searches_and_decides_and_needs_no_new_look(served: Served, dataset: Dataset) -> None:
    found = served.json("/api/d/pets/look")
    first, second = (one["image_id"] for one in found["images"][:2])
    asked = {"text": first}
    assert served.json("/api/d/pets/decisions", {"asked": asked, "decision": "excluded", "why": "dark"}) == {
        "images": 1
    }
    served.json("/api/d/pets/decisions", {"images": [second], "decision": "tag:night"})
    assert (dataset.root / "data/decisions.csv").read_text() == (
        f"image_id,decision,why\n{first},excluded,dark\n{second},tag:night,\n"
    )
    assert served.json("/api/d/pets/look?state=excluded")["images"][0]["decided"] == ["excluded"]
    assert served.json("/api/d/pets/look?tag=night")["count"] == 1
    assert f'value="{first}"' in get(served, "/d/pets/look?state=excluded")
    for wrong in ({"decision": "excluded"}, {"images": [first], "decision": "trian"}):
        with pytest.raises(HTTPError, match="400"):
            served.json("/api/d/pets/decisions", wrong)


@pytest.mark.parametrize(
    "path", ["look?split=trian", "look?least=a", "look?of=nothing", "look/image?image=nothing.jpg"]
)
def test_what_is_not_there_is_said(served: Served, path: str) -> None:
    with pytest.raises(HTTPError, match=r"40[04]|422") as error:
        get(served, f"/d/pets/{path}")
    assert "Traceback" not in error.value.read().decode()


def test_names_from_data_are_text(tmp_path: Path) -> None:
    def fill(raw: Path) -> None:
        folder = raw / "<script>alert(1)<"
        folder.mkdir()
        (folder / 'a".jpg').write_bytes(image_bytes())
        (folder / 'a".xml').write_text(XML.format(OBJECT.format("&lt;script&gt;alert(2)", 2, 3, 12, 13)))

    root = looked_at(tmp_path / "odd", fill).root
    with serve_page(root) as served:
        text = get(served, "/d/odd/look") + get(served, "/d/odd/look/image?image=%3Cscript%3Ealert(1)%3C/a%22.jpg")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text and "&lt;script&gt;alert(2)" in text


def test_a_version_is_searched_with_the_pictures_that_it_was_made_with(two_versions: Place) -> None:
    with serve_page(two_versions.root) as served:
        found = served.json(f"/api/d/{two_versions.root.name}/look?of=one")
        assert found["count"] == len(found["images"]) > 0
        sha256 = found["images"][0]["sha256"]
        assert get_bytes(served, f"/d/{two_versions.root.name}/look/pictures/160/{sha256}?of=one").startswith(b"RIFF")


@needs_browser
def test_by_keys_alone(served: Served, dataset: Dataset, tmp_path: Path) -> None:
    with served.browser(tmp_path) as page:
        page.view(390, 900)
        page.open(f"{served.address}/d/pets/look")
        page.run("document.querySelector('.pick input').focus()")
        for key in (" ", "ArrowRight", " "):
            page.press(key)
        page.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'x', bubbles: true}))")
        page.wait("document.querySelectorAll('.tile.out').length == 2")
        assert (dataset.root / "data/decisions.csv").read_text().count("excluded") == 2
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        page.run("document.querySelector('.tile.out a').click()")
        page.wait("document.querySelector('.large') !== null")
        assert (serious(page), page.said) == ([], [])
        page.press("ArrowRight")
        page.wait("document.body.innerText.includes('2 of')")
