"""What `shardsmith verify` compares, without a workspace."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from pathlib import Path

import pytest

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.messages import Example
from shardsmith.formats.tfrecord.frames import frame
from shardsmith.proof.checks import Check, Damage, Recorded, check_params, check_tag, committed_hash
from shardsmith.proof.rebuild import check_room, differing_files
from shardsmith.proof.records.contents import ShardContents, first_difference, read_contents
from shardsmith.proof.records.sets import compare_counts
from shardsmith.store.objects import Seen
from shardsmith.store.pulled import tree_hash
from shardsmith.workspace.lock_file import lock_hash


def make_record(image: str = "a.jpg") -> bytes:
    example = Example()
    example.features.feature["image/source_id"].bytes_list.value.append(image.encode())
    return example.SerializeToString(deterministic=True)


def write(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(b"".join(frame(record)) for record in records))
    return path


@pytest.mark.parametrize(
    ("stored", "rebuilt", "expected"),
    [
        ([make_record()], [make_record()], ""),
        ([make_record("a")], [make_record("c")], "record 1 is a in the stored file, and c in the rebuilt one"),
        ([make_record("a")], [make_record("a"), make_record("b")], "record 2 (b) is only in the rebuilt file"),
        ([make_record("a"), make_record("b")], [make_record("a")], "record 2 (b) is only in the stored file"),
        ([b"\xff\xff"], [make_record("a")], "record 1 (a): the stored one is no tf.train.Example"),
    ],
)  # fmt: skip
def test_the_first_record_that_differs(
    tmp_path: Path, stored: list[bytes], rebuilt: list[bytes], expected: str
) -> None:
    assert first_difference(write(tmp_path / "a", *stored), write(tmp_path / "b", *rebuilt)) == expected


def test_a_length_that_is_damaged_ends_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a", make_record(), make_record())
    path.write_bytes(struct.pack("<Q", 5) + path.read_bytes()[8:])
    contents = read_contents(path, {})
    assert (contents.records, "its length is damaged" in contents.problems[0]) == (1, True)


COUNTS = {
    "images": 3,
    "boxes": 2,
    "splits": {"train": {"images": 2, "boxes": 1}, "valid": {"images": 1, "boxes": 1}},
    "classes": {"cat": {"train": 1, "valid": 0}, "dog": {"train": 0, "valid": 1}},
}


@pytest.mark.parametrize(
    ("train", "counts", "expected"),
    [
        ({"cat": 1}, COUNTS, []),
        ({"cat": 1}, {"images": 3}, []),
        ({"dog": 1}, COUNTS, ["boxes of 'cat' in train", "boxes of 'dog' in train"]),
        ({"cow": 1}, {"classes": COUNTS["classes"]}, ["boxes of 'cat' in train", "boxes of 'cow' in train"]),
        ({}, {"boxes": 2}, ["boxes"]),
    ],
)
def test_counts_against_records(train: dict, counts: dict, expected: list[str]) -> None:
    contents = {
        "x-train.tfrecord-00000-of-00001": ShardContents(2, Counter(train)),
        "x-valid.tfrecord-00000-of-00001": ShardContents(1, Counter(dog=1)),
    }
    assert [key for key, _, _ in compare_counts(contents, counts)] == expected


def recorded(message: str = "", lock: dict | None = None, **files: bytes) -> Recorded:
    return Recorded("a@1", message, lock or {}, {}, files)


def test_params_that_differ_are_named_by_their_key() -> None:
    stage = {"params": {"params.yaml": {"split": {"seed": 0, "fractions": {"train": 0.7}}, "dataset.name": "a"}}}
    params = {"split": {"seed": 0, "fractions": {"train": 0.8}}, "dataset": {"name": "a"}}
    (damage,) = check_params(recorded(lock={"stages": {"split": stage, "export": stage}}), params, "undo")
    assert str(damage) == "params.yaml: split.fractions.train is 0.8, and a@1 was built with 0.7: undo"


def test_the_tag_must_name_what_stands_at_its_commit() -> None:
    outs = [{"path": "data/export", "md5": "1.dir"}, {"path": "data/label_map.pbtxt", "md5": "2"}]
    lock = {"stages": {"export": {"outs": outs}}}
    right = f"a@1\n\ndata/export: 1.dir\ndata/label_map.pbtxt: 2\ndvc.lock: {lock_hash('x')}"
    assert not check_tag(recorded(right, lock, **{"dvc.lock": b"x"})).damage
    assert len(check_tag(recorded(right, lock, **{"dvc.lock": b"y"})).damage) == 1
    assert len(check_tag(recorded("a@1", lock)).damage) == 2


def test_a_folder_has_the_hash_that_dvc_gives_it() -> None:
    files = {"a/b/c.py": b"1", "a/d.py": b"2", "ab/e.py": b"3"}
    md5 = {name: hashlib.md5(files[name]).hexdigest() for name in files}
    assert committed_hash(files, "a") == tree_hash({"b/c.py": md5["a/b/c.py"], "d.py": md5["a/d.py"]})
    assert (committed_hash(files, "a/d.py"), committed_hash(files, "x")) == (md5["a/d.py"], None)


def test_a_disk_that_will_not_hold_it() -> None:
    check_room(10, 10, "/tmp")
    with pytest.raises(VersionError, match=r"needs 2.0 GB, and 1.0 GB are free; set TMPDIR"):
        check_room(2 * 10**9, 10**9, "/tmp")


def test_files_that_differ() -> None:
    rebuilt = {"a": Seen("1"), "b": Seen("3"), "d": Seen("4")}
    assert differing_files({"a": "1", "b": "2", "c": "3"}, rebuilt) == [
        ("b", ""), ("c", "was recorded, and does not come out"), ("d", "comes out, and was not recorded"),
    ]  # fmt: skip


def test_many_damages_are_cut_on_the_terminal() -> None:
    lines = Check("files", "", [Damage(f"{n}", "missing", "pull again") for n in range(30)]).lines()
    assert (len(lines), lines[-1]) == (21, "DAMAGED: files: and 10 more; --json lists all")
