"""`shardsmith show NAME --code KIND`: code that downloads a version and loads it, without any of our packages.

It holds a digest of the list of files and their MD5s, and compares each file: DVC hands out a damaged object without a
word. It names addresses as the workspace has them, without their credentials.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from string import Template

import pyarrow.parquet as pq

from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.label_map import parse_label_map
from shardsmith.dataset.manifest import SPLITS
from shardsmith.snippets import texts as snippets
from shardsmith.snippets import trackers, training
from shardsmith.store.release import VERSIONS
from shardsmith.versions.files import files_of, read_files
from shardsmith.versions.version import Version, find_version
from shardsmith.workspace.addresses import without_secrets
from shardsmith.workspace.git import subfolder
from shardsmith.workspace.lock_file import content
from shardsmith.workspace.paths import EXPORT, LABEL_MAP
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class _Kind:
    """packages: that it needs. boxes, labels: how it loads a version of boxes, and one of labels of whole images.

    boxes_as, labels_as: the stored format that it reads. labels: "" where it has no use for them.
    """

    packages: str
    boxes: str
    labels: str
    boxes_as: str = "tfrecord"
    labels_as: str = "tfrecord"


_GRAIN = "grain array-record tensorflow-datasets pillow"
_KINDS = {
    "tfds": _Kind("tensorflow tensorflow-datasets", snippets.TFDS_BOXES, snippets.TFDS_LABELS),
    "tf.data": _Kind("tensorflow", snippets.TF_DATA_BOXES, snippets.TF_DATA_LABELS),
    "keras": _Kind("tensorflow", snippets.KERAS_BOXES, snippets.KERAS_LABELS),
    "torch": _Kind("torch pillow tfrecord", snippets.TORCH_BOXES, snippets.TORCH_LABELS),
    "yolo": _Kind("ultralytics", snippets.YOLO_BOXES, snippets.YOLO_LABELS, "ultralytics", "class_folders"),
    **{
        f"yolo-{task}": _Kind("ultralytics", snippets.YOLO_BOXES, "", stored)
        for task, stored in (("seg", "ultralytics"), ("pose", "ultralytics_pose"), ("obb", "ultralytics_obb"))
    },
    "hf": _Kind("datasets pillow", training.HF_BOXES, training.HF_LABELS, "huggingface", "huggingface"),
    "webdataset": _Kind(
        "webdataset pillow", training.WEBDATASET_BOXES, training.WEBDATASET_LABELS, "webdataset", "webdataset"
    ),
    "grain": _Kind(_GRAIN, training.GRAIN_BOXES, training.GRAIN_LABELS, "array_record", "array_record"),
}
_EXTRAS = ("azure", "gdrive", "gs", "hdfs", "oss", "s3", "ssh", "webdav", "webdavs", "webhdfs")  # of DVC, by scheme
_ALONE = {"": "", "gs": " gcsfs", "http": " aiohttp", "https": " aiohttp", "s3": " s3fs", "ssh": " sshfs"}
# what to do with a folder that `shardsmith pull --format` made
_LOAD_FOLDER = {
    **{name: f"load DIR/{name}" for name in ("array_record", "huggingface", "tfrecord", "webdataset")},
    "ultralytics": 'YOLO("yolo11n.pt").train(data="DIR/ultralytics/data.yaml")',
    "ultralytics_pose": 'YOLO("yolo11n-pose.pt").train(data="DIR/ultralytics_pose/data.yaml")',
    "ultralytics_obb": 'YOLO("yolo11n-obb.pt").train(data="DIR/ultralytics_obb/data.yaml")',
    "class_folders": 'YOLO("yolo11n-cls.pt").train(data="DIR/class_folders")',
}
_quoted = partial(json.dumps, ensure_ascii=False)


@dataclass(frozen=True)
class VersionShape:
    """What of a version its code depends on.

    labels: of whole images: "none" where there are boxes, "one" for every image, or "many".
    split: the first that has images. size_px: (height, width) of every image; None where they differ.
    captions_alone: there is no annotation, but captions.
    """

    labels: str
    split: str
    size_px: tuple[int, int] | None
    captions_alone: bool = False


def code_for(workspace: Workspace, name: str, kind: str, alone: bool) -> str:
    """Code to paste into a notebook; it ends by printing the shape of what it has loaded.

    Args:
        kind: tfds, tf.data, keras, torch, yolo, yolo-seg, yolo-pose, yolo-obb, hf, webdataset, grain, mlflow or wandb.
        alone: download from the DVC remote alone, without git.

    Raises:
        VersionError: no such version, it is not stored in the format that `kind` reads, has labels of whole images that
            `kind` has no use for, or there is no remote.
    """
    version = find_version(workspace, name)
    if kind in ("mlflow", "wandb"):
        return _tracked(workspace, version, kind, alone)
    held = contents(*read_files(workspace, version, ["images.parquet", "annotations.parquet"]))
    if held.captions_alone:
        raise VersionError(
            f"{version.tag}: has captions alone, for which there is no code here; its README.md says how each "
            "format is loaded"
        )
    boxed, loading = held.labels == "none", _KINDS[kind]
    if not boxed and not loading.labels:
        raise VersionError(f"{version.tag}: has labels of whole images, which {kind} does not learn; use --code yolo")
    stored_as = loading.boxes_as if boxed else loading.labels_as
    files = _files(workspace, version, stored_as)
    places = _from_remote(workspace, version) if alone else _from_git(workspace)
    values = {
        **places,
        "packages": f"{places['packages']} {loading.packages}",
        "tag": _quoted(version.tag),
        "dataset": version.dataset,
        "format": stored_as,
        "weights": kind.replace("yolo", "yolo11n"),
        "digest": digest(files),
        "split": held.split,
        "hf_split": held.split.replace("valid", "validation"),
        **_sizes(held),
        **_labels(workspace, version, held.labels),
    }
    download = snippets.FROM_REMOTE if alone else snippets.FROM_GIT
    return Template(download + (loading.boxes if boxed else loading.labels)).substitute(values)


def _tracked(workspace: Workspace, version: Version, kind: str, alone: bool) -> str:
    """W&B refers to the files in the DVC remote, whatever is asked for."""
    if kind == "wandb":
        places = _from_remote(workspace, version, "--code wandb", "it refers to the files there; mlflow needs none")
    else:
        places = _from_remote(workspace, version) if alone else _from_git(workspace)
    values = {
        **places,
        "packages": f"{places['packages']} wandb",
        "tag": _quoted(version.tag),
        "dataset": version.dataset,
        "name": _quoted(version.name),
        "commit": version.commit,
        "data": content(workspace.lock_file(version.tag))[EXPORT],
    }
    return Template(trackers.MLFLOW if kind == "mlflow" else trackers.WANDB).substitute(values)


def contents(images: bytes, annotations: bytes) -> VersionShape:
    """Of a version's images.parquet and annotations.parquet."""
    table = pq.read_table(io.BytesIO(images))
    captions = "captions" in table.column_names and table["captions"].null_count < len(table)
    image_rows = table.select(["split", "width", "height"]).to_pydict()
    rows = pq.read_table(io.BytesIO(annotations), columns=["image_id", "xmin"])
    labels = "none"
    if rows.num_rows and rows["xmin"].null_count == rows.num_rows:
        of_image = Counter(rows["image_id"].to_pylist())
        labels = "one" if set(of_image.values()) == {1} and len(of_image) == len(image_rows["split"]) else "many"
    sizes = set(zip(image_rows["height"], image_rows["width"], strict=True))
    splits = {split or "train" for split in image_rows["split"]}
    return VersionShape(
        labels,
        next(split for split in SPLITS if split in splits),
        sizes.pop() if len(sizes) == 1 else None,
        captions and not rows.num_rows,
    )


def digest(files: Mapping[str, str]) -> str:
    """The MD5 of a list of files (path -> MD5), as the code makes it too."""
    return hashlib.md5(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()


def _scheme(address: str) -> str:
    return address.partition("://")[0] if "://" in address else ""


def _files(workspace: Workspace, version: Version, stored_as: str) -> dict[str, str]:
    """The files of one stored format: path below the export -> MD5."""
    own = {path: md5 for path, md5 in files_of(workspace, version).items() if path.startswith(f"{stored_as}/")}
    if not own:
        raise VersionError(
            f"{version.tag}: is not stored as {stored_as}, which this code reads; add {stored_as} to export.formats in "
            f"params.yaml and build, or run `shardsmith pull {version.name} --format {stored_as} --out DIR`, then "
            f"{_LOAD_FOLDER[stored_as]}"
        )
    return own


def _from_git(workspace: Workspace) -> dict[str, str]:
    """The workspace's own path where there is no origin, or no DVC remote for those who come by it."""
    remote, _ = _dvc_remote(workspace)
    origin, below = str(workspace.root), ""
    if remote and workspace.git_ok("remote", "get-url", "origin"):
        origin = workspace.git("remote", "get-url", "origin").strip()
        if "://" not in origin and (workspace.root / origin).exists():
            origin = str((workspace.root / origin).resolve())
        below = "" if (place := subfolder(workspace.root)) == "." else f"{place}/"
    scheme = _scheme(remote)
    dvc = f'"dvc[{scheme}]"' if scheme in _EXTRAS else "dvc"
    place = _quoted(without_secrets(origin))
    address = place + (", subrepos=True" if below else "")
    return {"packages": dvc, "place": place, "address": address, "note": _note(origin), "below": below}


def _from_remote(
    workspace: Workspace,
    version: Version,
    asked: str = "--remote",
    remedy: str = "leave it out for code that downloads by git",
) -> dict[str, str]:
    """
    Args:
        asked, remedy: what needs the remote, and what to do without one, for the message.

    Raises:
        VersionError: there is no DVC remote, or none that fsspec reads by its address alone.
    """
    remote, endpoint = _dvc_remote(workspace)
    scheme = _scheme(remote)
    if not remote or scheme not in _ALONE:
        why = f"the DVC remote is at {scheme}://, which cannot be read alone" if remote else "there is no DVC remote"
        raise VersionError(f"{asked}: {why}; {remedy}")
    address = place = _quoted(without_secrets(remote))
    if endpoint:
        address += f", endpoint_url={_quoted(without_secrets(endpoint))}"
    return {
        "packages": f"fsspec{_ALONE[scheme]}",
        "place": place,
        "address": address,
        "note": _note(remote) or _note(endpoint),
        "manifest": _quoted(f"/{VERSIONS}/{version.tag}.json"),
    }


def _dvc_remote(workspace: Workspace) -> tuple[str, str]:
    """The address of the default remote, and its endpointurl; each "" where there is none."""
    lines = workspace.dvc("config", "--list").splitlines()
    config = {key: value for key, _, value in (line.partition("=") for line in lines)}
    name = config.get("core.remote", "")
    return config.get(f"remote.{name}.url", ""), config.get(f"remote.{name}.endpointurl", "")


def _note(address: str) -> str:
    return "" if without_secrets(address) == address else "  # the credentials are left out"


def _sizes(held: VersionShape) -> dict[str, int]:
    side_px = 640 if held.labels == "none" else 224
    height, width = held.size_px or (side_px, side_px)
    return {"height": height, "width": width}


def _labels(workspace: Workspace, version: Version, labels: str) -> dict[str, str]:
    """What the code for labels of whole images says otherwise where an image may have many."""
    classes = len(parse_label_map(workspace.file_at(version.tag, LABEL_MAP) or "", LABEL_MAP).names_by_id())
    one = {
        "feature": "",
        "hf_label": "label",
        "label_feature": "FixedLenFeature([], tf.int64)",
        "keras_label": 'row["image/class/label"]',
        "torch_label": "labels[0]",
    }
    many = {
        "feature": ".feature",
        "hf_label": "labels",
        "label_feature": "RaggedFeature(tf.int64)",
        "keras_label": 'tf.reduce_sum(tf.one_hot(row["image/class/label"], CLASSES), axis=0)',
        "torch_label": f"torch.zeros({classes}).index_fill(0, labels, 1.0)  # background is class 0",
    }
    return {"classes": str(classes), **(many if labels == "many" else one)}
