"""A remote that fails, stalls, or gives other bytes than it was given: right hashes in the end, or a clear refusal."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults import BUCKET, FAULTS, KEYS, Proxy, bucket, no_fault, one_in, s3_server
from workspaces import Place, make_workspace

from shardsmith.dataset.errors import VersionError
from shardsmith.download.pull import pull
from shardsmith.proof.objects import Folder, verify_remote
from shardsmith.proof.verify import read_recorded
from shardsmith.store.pulled import hash_files
from shardsmith.store.stores import Stores, open_stores
from shardsmith.versions.publish import publish_name
from shardsmith.versions.push import confirm, needed
from shardsmith.workspace import retry
from shardsmith.workspace.lock_file import content, page_hash
from shardsmith.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad_remote")]

HARMS = ("damaged", "cut", "empty", "swapped", "gone")


@dataclass(frozen=True)
class Behind:
    """A workspace whose S3 remote is behind a proxy, with a version `every` of four images; the proxy's address."""

    place: Place
    proxy: Proxy
    address: str

    def build(self, *arguments: str) -> str:
        done = self.place.quick_build(*arguments)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("bad")
    with s3_server() as target:
        proxy = Proxy(target)
        with proxy.serve() as address:
            made = make_workspace(folder / "work", folder / "home")
            place = Place(made.root, made.env | KEYS)
            place.dvc("remote", "add", "-q", "-d", "store", f"s3://{BUCKET}/path")
            place.dvc("remote", "modify", "-q", "store", "endpointurl", address)
            place.dvc("remote", "modify", "-q", "store", "read_timeout", "2")
            place.commit("remote")
            for path in list((place.root / "data/raw").glob("0[4-9].*")):
                path.unlink()
            made_behind = Behind(place, proxy, address)
            made_behind.build("every")
            yield made_behind


@contextmanager
def failing(proxy: Proxy, seed: int) -> Iterator[None]:
    proxy.met.clear()
    proxy.rule = one_in(10, seed)
    yield
    proxy.rule = no_fault
    print(f"seed {seed}: {dict(proxy.met)}")
    assert any(proxy.met[fault] for fault in FAULTS)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 8))])
def test_one_request_in_ten_fails(behind: Behind, tmp_path: Path, seed: int) -> None:
    place = behind.place
    for number in range(20):
        place.add_image(f"{number:02}", "cat", 100 * seed + number)
    with failing(behind.proxy, seed):
        behind.build(f"s{seed}", "--verify-remote")
        clone = Place(place.clone(tmp_path / "clone").root, place.env)
        clone.shardsmith("pull", f"s{seed}", "--out", str(tmp_path / "one"))
        outside = Place(tmp_path, place.env)
        remote = ["--remote", f"s3://{BUCKET}/path", "--out", str(tmp_path / "two")]
        outside.shardsmith("pull", f"sample@s{seed}", *remote, AWS_ENDPOINT_URL=behind.address)
    expected = hash_files(place.root / "data/export")
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two") == expected
    held = {key.removeprefix("path/files/md5/").replace("/", ""): one.value for key, one in bucket().items()}
    assert all(hashlib.md5(held[md5]).hexdigest() == md5 for md5 in expected.values())


def test_a_remote_that_never_answers_ends(behind: Behind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every request stalls: an error in bounded time. What ends it is s3fs's and botocore's, here at 1 s for 15."""
    for key, value in (KEYS | {"AWS_MAX_ATTEMPTS": "1"}).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(retry, "ENOUGH_S", 1)
    behind.place.dvc("remote", "modify", "-q", "--local", "store", "read_timeout", "1")
    behind.proxy.rule = lambda method, path, before: "stall"
    try:
        began = time.monotonic()
        with open_stores(Workspace(behind.place.root)) as stores:
            assert stores.remote
            with pytest.raises(VersionError, match="cannot be read"):
                stores.remote.read_file("versions/x.json")
        assert time.monotonic() - began < 120
    finally:
        behind.proxy.rule = no_fault
        behind.place.dvc("remote", "modify", "-q", "--local", "--unset", "store", "read_timeout")


def harmed(harm: str, data: bytes, other: bytes) -> bytes | None:
    """What the remote gives instead; None for nothing."""
    return {
        "damaged": bytes([data[0] ^ 1]) + data[1:],
        "cut": data[: len(data) // 2],
        "empty": b"",
        "swapped": other,
        "gone": None,
    }[harm]


@pytest.fixture
def every(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """The stores of the version `every`, in this process; waits between tries take no time."""
    for key, value in (KEYS | {"AWS_ENDPOINT_URL": behind.address}).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.chdir(behind.place.root)
    with open_stores(Workspace(behind.place.root)) as stores:
        yield stores


def place_of(md5: str) -> str:
    return f"path/files/md5/{md5[:2]}/{md5[2:]}"


@pytest.mark.parametrize("turns", [1, pytest.param(len(HARMS), marks=pytest.mark.long)])
def test_every_object_in_turn(behind: Behind, every: Stores, tmp_path: Path, turns: int) -> None:
    """Behind the server's back each object of a version is damaged, cut, emptied, swapped or removed, one at a time:
    pull refuses and names the file, verify names it, and to publish again repairs it."""
    workspace, objects, remote = Workspace(behind.place.root), bucket(), every.remote
    assert remote
    recorded = read_recorded(workspace, "sample@every")
    hashes = {"data/export": content(recorded.lock)["data/export"], "data/raw": recorded.raw}
    hashes |= {"data/report": page_hash(recorded.lock) or ""}
    folders = [Folder(path, md5, every.listing(md5)) for path, md5 in hashes.items()]
    files = {md5: file for folder in folders for file, md5 in folder.objects.items()}
    assert set(files) == needed(workspace, every, "sample@every")
    tally: Counter[str] = Counter()
    for number, (md5, file) in enumerate(files.items()):
        if file.startswith("data/report/") and file.endswith(".csv"):  # as index.html, five times
            continue
        key, other = place_of(md5), place_of(list(files)[number - 1])
        for turn in range(turns):
            harm, whole, out = HARMS[(number + turn) % len(HARMS)], objects[key].value, tmp_path / f"{number}.{turn}"
            give(key, harmed(harm, whole, objects[other].value))
            if file.startswith("data/export/"):
                with pytest.raises(VersionError, match=file.removeprefix("data/export/")):
                    pull("sample@every", out, print, remote=f"s3://{BUCKET}/path")
            assert not out.exists()
            named = [
                damage.file for folder in folders for damage in verify_remote(remote, folder, "sample@every", {}).damage
            ]
            assert named
            assert all(name.startswith(file) for name in named)
            confirm(every, remote, set(files), print, verify=True)
            assert objects[key].value == whole
            tally[harm] += 1
    print(f"{len(files)} objects, {dict(tally)}: each refused, named and repaired; 0 wrong bytes delivered")


@pytest.mark.long
def test_to_build_again_repairs_what_is_published(behind: Behind, every: Stores) -> None:
    """With nothing changed: `--verify-remote` looks at what is published all the same."""
    behind.build("again")
    objects = sorted(needed(Workspace(behind.place.root), every), key=lambda md5: md5.endswith(".dir"))
    whole = {place_of(md5): bucket()[place_of(md5)].value for md5 in objects}
    for md5 in (objects[0], objects[-1]):  # a file and a list of files
        give(place_of(md5), harmed("damaged", whole[place_of(md5)], b""))
    assert "nothing changed" in behind.build("again")
    assert any(bucket()[key].value != value for key, value in whole.items())
    assert "1 objects in the remote 'store' are not as they are here" in behind.build("again", "--verify-remote")
    assert all(bucket()[key].value == value for key, value in whole.items())


@pytest.mark.long
def test_an_older_version_is_repaired_from_its_tag(behind: Behind, every: Stores) -> None:
    place = behind.place
    place.add_image("newer", "dog", 88)
    behind.build("newer", "--no-push")
    place.git("checkout", "-q", "sample@every")
    place.dvc("checkout", "-q", "--force")
    md5 = max(needed(Workspace(place.root), every))
    whole = bucket()[place_of(md5)].value
    give(place_of(md5), harmed("cut", whole, b""))
    assert "nothing changed since sample@every" in behind.build("--verify-remote")
    assert bucket()[place_of(md5)].value == whole
    place.git("checkout", "-q", "-")
    place.dvc("checkout", "-q", "--force")


@pytest.mark.parametrize("harm", ["cut", "gone", "damaged"])
def test_a_harmed_manifest_is_published_again(behind: Behind, every: Stores, tmp_path: Path, harm: str) -> None:
    key = "path/versions/sample@every.json"
    whole = bucket()[key].value
    give(key, harmed(harm, whole, b""))
    with pytest.raises(VersionError, match="every"):
        pull("sample@every", tmp_path / "out", print, remote=f"s3://{BUCKET}/path")
    publish_name(Workspace(behind.place.root), "sample@every", print)
    assert bucket()[key].value == whole


def test_a_harmed_cache_does_not_get_into_the_remote(behind: Behind, every: Stores) -> None:
    md5 = min(needed(Workspace(behind.place.root), every, "sample@every"))
    cached = behind.place.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    whole = cached.read_bytes()
    cached.chmod(0o644)
    cached.write_bytes(whole[:-1])
    assert every.remote
    give(place_of(md5), None)
    with pytest.raises(VersionError, match="damaged in the cache"):
        confirm(every, every.remote, {md5}, print)
    give(place_of(md5), whole)
    cached.unlink()
    confirm(every, every.remote, {md5}, print, verify=True)  # the remote has what is not here
    give(place_of(md5), None)
    with pytest.raises(VersionError, match="neither in the cache nor, as it was, in"):
        confirm(every, every.remote, {md5}, print, verify=True)
    cached.write_bytes(whole)
    confirm(every, every.remote, {md5}, print, verify=True)
    assert bucket()[place_of(md5)].value == whole


def give(key: str, data: bytes | None) -> None:
    import boto3

    client = boto3.client("s3")
    if data is None:
        client.delete_object(Bucket=BUCKET, Key=key)
    else:
        client.put_object(Bucket=BUCKET, Key=key, Body=data)
