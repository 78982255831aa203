"""Every path of a workspace, relative to its root. Those of a stage's input and output stand in dvc.yaml alone."""

from __future__ import annotations

PARAMS = "params.yaml"
PIPELINE = "dvc.yaml"
LOCK = "dvc.lock"
CODE = "code.yaml"
REQUIREMENTS = "requirements.lock"
FLOW = "flows/build.py"
OWN_SOURCE = "src/shardsmith"  # in Shardsmith's own repository alone

RAW = "data/raw"
POINTER = "data/raw.dvc"
LABEL_MAP = "data/label_map.pbtxt"
WITHDRAWN = "data/withdrawn.csv"
SPLITS = "data/splits.csv"  # where each image stands; the split stage alone writes it
SHARDS = "data/shards.csv"  # which shard holds each image; the export stage alone writes it
DECISIONS = "data/decisions.csv"  # what a person has decided about single images
AUGMENTED = "data/augment"  # the images and annotations of a version, before they are written in any format
EXPORT = "data/export"
METRICS = "data/metrics.json"
PLOTS = "data/plots"
REPORT = "data/report"
PAGE = "index.html"  # in REPORT
TABLES = ("images.parquet", "annotations.parquet")  # in EXPORT
DESCRIPTION = "description.json"  # in EXPORT

# what a version's commit holds, and nothing else
FILES = (
    PARAMS, PIPELINE, LOCK, CODE, REQUIREMENTS, DECISIONS, LABEL_MAP, SPLITS, SHARDS, METRICS, PLOTS,
    ".gitignore", "data/.gitignore", ".dvc/.gitignore", ".dvc/config", ".dvcignore",
)  # fmt: skip

# what is this machine's, and in no commit
BUILDS = ".builds"
BUILD_LOCK = ".dvc/tmp/shardsmith.lock"
KEPT_PARAMS = ".dvc/tmp/shardsmith-params"
KEPT_OUTS = ".dvc/tmp/shardsmith-outs"
KEPT_PAGES = ".dvc/tmp/shardsmith-pages"
JUDGED = ".dvc/tmp/shardsmith-judged.json"
KNOWN = ".dvc/tmp/shardsmith-known.json"
PUBLISHED = ".dvc/tmp/shardsmith-published"
