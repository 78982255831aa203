"""The texts by which a tracker of experiments learns which version a run was trained on; nothing is downloaded.

As in texts.py; each names the version, its commit and the hash of its files, which `shardsmith show` prints.
"""

from __future__ import annotations

MLFLOW = """\
# pip install mlflow
import mlflow
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset

source = CodeDatasetSource(
    {
        "mlflow.source.type": "PROJECT",
        "mlflow.source.name": $place,$note
        "mlflow.source.git.commit": "$commit",
    }
)
dataset = MetaDataset(source, name=$tag, digest="$data")
with mlflow.start_run() as run:  # your training
    mlflow.log_input(dataset, context="training")
print(run.info.run_id, dataset.name, dataset.digest)
"""

WANDB = """\
# pip install $packages
import json

import fsspec
import wandb

fs, root = fsspec.url_to_fs($address)$note
version = json.loads(fs.cat_file(root + $manifest))
artifact = wandb.Artifact("$dataset", type="dataset", metadata={"version": $tag, "commit": "$commit", "data": "$data"})
for name, file in version["files"].items():  # by reference: each stays where it is
    place = f"{root}/files/md5/{file['md5'][:2]}/{file['md5'][2:]}"
    artifact.add_reference(fs.unstrip_protocol(place), name=name, checksum=False)
with wandb.init(project="$dataset", job_type="dataset") as run:
    run.log_artifact(artifact, aliases=[$name])  # your training says run.use_artifact("$dataset:" + $name)
print(artifact.name, len(artifact.manifest.entries))
"""
