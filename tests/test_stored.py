"""No name without its data: a disk that is full while DVC stores, what is there before a commit, and `repair`."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from faults import BUCKET, KEYS, bucket, s3_server
from ruamel.yaml import YAML
from test_kills import in_folder, not_whole
from workspaces import QUICK, Place, copied, make_workspace

from shardsmith.dataset.errors import VersionError
from shardsmith.repair.repair import repair
from shardsmith.store.confirm import Known, harmed
from shardsmith.store.store import Store
from shardsmith.store.stores import open_stores
from shardsmith.versions.push import check_stored, needed_folders, places_of, push_data
from shardsmith.versions.recorded.objects import all_objects
from shardsmith.workspace.retry import is_final
from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stored")]


def make(folder: Path) -> Place:
    place = make_workspace(folder / "work", folder / "home")
    for number in range(4, 10):
        for suffix in ("jpg", "xml"):
            (place.root / f"data/raw/{number:02}.{suffix}").unlink()
    (folder / "fault").mkdir()
    shutil.copy2(Path(__file__).with_name("full_disk.py"), folder / "fault/sitecustomize.py")
    place.add_store(folder / "store")
    place.commit("remote")
    return place


def with_faults(place: Place) -> str:
    """PYTHONPATH for what is to meet a full disk."""
    return f"{place.root.parent / 'fault'}{os.pathsep}{place.env['PYTHONPATH']}"


def build_on_full_disk(place: Place, name: str, full: str) -> subprocess.CompletedProcess[str]:
    count = place.root.parent / "count"
    count.unlink(missing_ok=True)
    return place.run(*QUICK, name, ok=False, FULL=f"{count} {full}", PYTHONPATH=with_faults(place))


def is_whole(place: Place) -> bool:
    """Every object of every version is in the cache, and in the remote if there is one, by its hash."""
    store = place.root.parent / "store"
    stores = [place.root / ".dvc/cache", *([store] if store.exists() else [])]
    return not_whole(place, [in_folder(folder) for folder in stores], place.tags()) == []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A workspace with `sample@one` and a remote, whose first build met a full disk at the last transfers of export.
    Not to be changed: take `place`.
    """
    place = make(tmp_path_factory.mktemp("stored"))
    first = build_on_full_disk(place, "one", "28 30")
    assert (first.returncode, place.tags()) == (1, []), first.stdout
    assert "failed to transfer" in first.stderr
    assert "free some space and try again" in first.stderr
    place.quick_build("one")
    assert place.tags() == ["sample@one"]
    assert is_whole(place)
    return place


@pytest.fixture
def place(built: Place, tmp_path: Path) -> Place:
    return copied(built, tmp_path / "copy")


def without_tag(place: Place) -> Workspace:
    """As after `dvc repro`, before the version is recorded."""
    place.git("tag", "-d", "sample@one")
    (place.root / ".dvc/tmp/shardsmith-known.json").unlink()
    return Workspace(place.root)


def at(folder: Path, md5: str) -> Path:
    return folder / "files/md5" / md5[:2] / md5[2:]


def harm(path: Path, how: str) -> None:
    path.chmod(0o644)
    data = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:] if how == "flipped" else data[:-1])


def test_what_the_cache_lacks_comes_from_the_workspace_else_there_is_no_name(place: Place) -> None:
    """Each object in turn, as two builds and `dvc gc` between repro and record leave it."""
    workspace = without_tag(place)
    with open_stores(workspace) as stores:
        folders = needed_folders(workspace.lock_file())
        objects = places_of(folders, stores)
    (place.root / ".dvc/config").write_text("")  # no remote: nothing else has it
    for number, md5 in enumerate(sorted(objects)):
        held = at(place.root / ".dvc/cache", md5)
        harm(held, ("gone", "flipped", "cut")[number % 3])
        check_stored(workspace, print)
        assert hashlib.md5(held.read_bytes()).hexdigest() == md5.removesuffix(".dir")
    shutil.rmtree(place.root / ".dvc/cache/files")
    check_stored(workspace, print)
    assert is_whole(place)
    for folder, remedy in (("data/raw", "put it back there"), ("data/export", "remove data/export")):
        md5, path = next((md5, path) for md5, path in objects.items() if path.startswith(f"{folder}/"))
        harm(at(place.root / ".dvc/cache", md5), "gone")
        (place.root / path).rename(place.root / "away")
        with pytest.raises(VersionError, match=f"{path}: in no store, .*{remedy}.*, and build again"):
            check_stored(workspace, print)
        (place.root / "away").rename(place.root / path)


def test_what_was_read_is_known_by_size_and_time(place: Place) -> None:
    workspace = Workspace(place.root)
    check_stored(workspace, print)
    md5 = min(md5 for md5 in by_store(place)[place.root / ".dvc/cache"] if not md5.endswith(".dir"))
    held, when = at(place.root / ".dvc/cache", md5), at(place.root / ".dvc/cache", md5).stat()
    harm(held, "flipped")
    os.utime(held, ns=(when.st_atime_ns, when.st_mtime_ns))
    check_stored(workspace, print)
    assert hashlib.md5(held.read_bytes()).hexdigest() != md5
    known = place.root / ".dvc/tmp/shardsmith-known.json"
    known.write_text(known.read_text().replace('"all_read": 1', '"all_read": 0'))
    with open_stores(workspace) as stores:
        assert stores.known.age_s(stores.cache) > 7 * 24 * 3600
    place.quick_build("--check-all")  # nothing changed, and yet all is read
    with open_stores(workspace) as stores:
        assert stores.known.age_s(stores.cache) < 3600
    assert hashlib.md5(held.read_bytes()).hexdigest() == md5.removesuffix(".dir")


def test_a_push_to_a_full_disk_ends_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(place.root.parent / "store/files")
    monkeypatch.setenv("PYTHONPATH", with_faults(place))
    monkeypatch.setenv("FULL", f"{place.root.parent / 'count'} 1 9999")
    said: list[str] = []
    with pytest.raises(VersionError, match="No space left on device; free some space") as raised:
        push_data(Workspace(place.root), said.append)
    assert is_final(raised.value)
    assert not any("trying again" in line for line in said)


def by_store(place: Place) -> dict[Path, dict[str, str]]:
    """Cache and remote -> object -> a path that it has."""
    workspace = Workspace(place.root)
    with open_stores(workspace) as stores:
        places = places_of(needed_folders(workspace.lock_file("sample@one")), stores)
    return {place.root / ".dvc/cache": places, place.root.parent / "store": dict(places)}


def test_repair_heals_each_store_from_the_other(place: Place) -> None:
    """All objects of a version, each harmed in the cache and in the workspace, or in the remote."""
    whole = by_store(place)
    cache, store = whole
    harmed_count = 0
    for turn in (0, 1):
        for number, (md5, path) in enumerate(sorted(whole[cache].items())):
            harm(at((cache, store)[(number + turn) % 2], md5), ("gone", "flipped", "cut")[number % 3])
            harmed_count += 1
            if (number + turn) % 2 == 0 and path.startswith("data/export/"):
                harm(place.root / path, "cut")
        tag, changes = repair(Workspace(place.root), None, print)
        assert (tag, [change for change in changes if not change.did]) == ("sample@one", [])
        assert is_whole(place)
        assert {change.file for change in changes} >= set(whole[cache].values())
    assert harmed_count >= 50
    assert repair(Workspace(place.root), "one", print)[1] == []
    assert "as recorded" in place.shardsmith("verify", "--remote").stdout


def test_repair_heals_what_stages_hand_on_in_the_remote(place: Place) -> None:
    """`dvc pull` in a fresh clone asks for it."""
    workspace, store = Workspace(place.root), place.root.parent / "store"
    with open_stores(workspace) as stores:
        every = all_objects(stores, workspace.lock_file("sample@one")) - by_store(place)[store].keys()
    handed_on = {md5 for md5 in every if at(store, md5).exists()}
    for number, md5 in enumerate(sorted(handed_on)):
        harm(at(store, md5), ("gone", "flipped", "cut")[number % 3])
    changes = repair(workspace, "one", print)[1]
    assert {change.where for change in changes} == {"the remote 'store'"}
    assert len(changes) == len(handed_on) > 10
    found = {md5: hashlib.md5(at(store, md5).read_bytes()).hexdigest() for md5 in handed_on}
    assert found == {md5: md5.removesuffix(".dir") for md5 in handed_on}


def test_repair_says_what_it_would_do_and_what_is_lost(place: Place) -> None:
    store, cache = place.root.parent / "store", place.root / ".dvc/cache"
    shutil.copytree(store, place.root.parent / "other")
    places = {path: md5 for md5, path in by_store(place)[cache].items()}
    for path in ("data/raw/00.xml", "data/raw/01.xml"):
        for folder in (store, cache):
            harm(at(folder, places[path]), "gone")
        harm(place.root / path, "flipped")
    harm(at(place.root.parent / "other", places["data/raw/01.xml"]), "cut")
    harm(store / "versions/sample@one.json", "flipped")
    place.dvc("remote", "add", "-q", "--local", "other", str(place.root.parent / "other"))
    planned = place.shardsmith("repair", "one", "--dry-run", ok=False)
    done = place.shardsmith("repair", "one", ok=False)
    lines = done.stdout.splitlines()
    assert "repaired: data/raw/00.xml in the remote 'store': missing; from the remote 'other'" in lines
    assert "repaired: data/raw/00.xml in the cache: missing; from the remote 'store'" in lines
    assert any(line.startswith("repaired: versions/sample@one.json in the remote 'store': damaged") for line in lines)
    lost = [line for line in lines if line.startswith("LOST")]
    assert len(lost) == 2
    assert all("data/raw/01.xml" in line and "put the same file into data/raw" in line for line in lost)
    assert (done.returncode, lines[-1]) == (1, "sample@one: 3 repaired, 2 LOST, see above")
    assert (planned.returncode, planned.stdout.splitlines()[-1]) == (
        1, "sample@one: 3 would be repaired, 2 LOST, see above",
    )  # fmt: skip
    harm(place.root / "data/raw/01.xml", "flipped")  # the bit turns back
    again = json.loads(place.shardsmith("repair", "--json").stdout)
    assert (again["ok"], len(again["changes"])) == (True, 2)
    assert is_whole(place)


@pytest.mark.long
def test_repair_makes_again_what_is_nowhere(place: Place) -> None:
    for md5, path in by_store(place)[place.root / ".dvc/cache"].items():
        if not path.startswith("data/raw"):
            for folder in (place.root.parent / "store", place.root / ".dvc/cache"):
                harm(at(folder, md5), "gone")
    shutil.rmtree(place.root / "data/export")
    shutil.rmtree(place.root / "data/report")
    _, changes = repair(Workspace(place.root), "one", print)
    assert all(change.did for change in changes)
    assert is_whole(place)


@pytest.mark.parametrize("size", [1000, pytest.param(101 << 20, marks=pytest.mark.long)])
def test_s3_is_asked_for_the_hash_and_read_where_it_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    file, read = tmp_path / "file", []
    file.write_bytes(random.Random(1).randbytes(size))
    md5 = hashlib.md5(file.read_bytes()).hexdigest()
    with s3_server() as (host, port):
        for key, value in (KEYS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}).items():
            monkeypatch.setenv(key, value)
        store, known = Store.bare(f"s3://{BUCKET}/path"), Known(tmp_path / "known")
        read_once = store.read_many
        monkeypatch.setattr(store, "read_many", lambda md5s: read.append(md5s) or read_once(md5s))
        store.write(md5, file)
        assert harmed(store, {md5}, known, etags=lambda _: file) == {}
        assert read == []
        key = f"path/files/md5/{md5[:2]}/{md5[2:]}"
        bucket()[key].value = file.read_bytes()[:-1] + b"?"  # same size; a put gives it another ETag
        store.write(md5, tmp_path / "other") if (tmp_path / "other").write_bytes(bucket()[key].value) else None
        assert set(harmed(store, {md5}, known, etags=lambda _: file)) == {md5}
        store.write(md5, file)
        monkeypatch.setattr(type(bucket()[key]), "etag", property(lambda _: '"0123456789abcdef0123456789abcdef"'))
        for _ in range(2):  # as with KMS: read once
            assert harmed(store, {md5}, known, etags=lambda _: file) == {}
        assert len(read) == 2
        assert harmed(store, {md5}, known, everything=True) == {}
        assert len(read) == 3


STAGE = """
import shutil
from pathlib import Path
for out in {outs}:
    saved, out = Path({saved!r}, out), Path(out)
    shutil.copytree(saved, out, dirs_exist_ok=True) if saved.is_dir() else shutil.copy(saved, out)
"""


def not_built(built: Place, to: Path) -> Place:
    """A copy before its first build, with stages that take no time: each copies what it wrote before."""
    place = copied(built, to)
    (to / "saved").mkdir()
    shutil.copytree(place.root / "data", to / "saved/data", ignore=shutil.ignore_patterns("raw"))
    place.git("tag", "-d", "sample@one")
    place.git("reset", "-q", "--hard", "HEAD~1")
    for folder in (place.root / ".dvc/cache", place.root / ".dvc/tmp", to / "store"):
        shutil.rmtree(folder)
    (to / "store").mkdir()
    for name, stage in YAML(typ="safe", pure=True).load(place.read("dvc.yaml"))["stages"].items():
        outs = [out if isinstance(out, str) else next(iter(out)) for out in stage["outs"] + stage.get("metrics", [])]
        place.write(f"stages/{name}.py", STAGE.format(outs=outs, saved=str(to / "saved")))
        for out in outs:
            shutil.rmtree(place.root / out, ignore_errors=True)
    place.run("git", "add", "stages")
    place.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "quick stages")
    return place


@pytest.mark.parametrize(
    ("remote", "moments"),
    [
        (True, [60]),  # some 45 transfers into the cache, and as many objects into the remote
        pytest.param(True, range(1, 80, 5), marks=pytest.mark.long),
        pytest.param(False, range(1, 48, 6), marks=pytest.mark.long),
    ],
)
def test_full_at_each_moment(built: Place, tmp_path: Path, remote: bool, moments: Sequence[int]) -> None:
    """At one transfer, at some, or from one on; then freed, and built again."""
    start, failed = not_built(built, tmp_path / "start"), 0
    if not remote:
        (tmp_path / "start/store").rmdir()
        start.dvc("config", "-q", "--unset", "core.remote")
        start.commit("no remote")
    for number, first in enumerate(moments):
        place = copied(start, tmp_path / str(number))
        last = (first, first + 3, 9999)[number % 3]
        done = build_on_full_disk(place, "one", f"{first} {last}")
        failed += done.returncode == 1
        assert "Traceback" not in done.stderr
        assert (done.returncode == 1) == (place.tags() == []), done.stderr
        assert is_whole(place), (first, last)
        place.quick_build("one")
        assert place.tags() == ["sample@one"]
        assert is_whole(place), (first, last)
        shutil.rmtree(tmp_path / str(number))
    print(f"{len(moments)} moments, {failed} builds failed: 0 names without data")


@pytest.mark.long
def test_full_at_a_large_file(built: Place, tmp_path: Path) -> None:
    place = not_built(built, tmp_path / "start")
    (place.root / "data/raw/notes.bin").write_bytes(random.Random(2).randbytes(101 << 20))
    done = build_on_full_disk(place, "one", f"+{100 << 20}")
    assert (done.returncode, place.tags()) == (1, []), done.stderr
    place.quick_build("one")
    assert place.tags() == ["sample@one"]
    assert is_whole(place)
