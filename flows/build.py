"""How a version of this dataset is made: the flow that `shardsmith build`, the schedule and Prefect's page run.

It is yours: a message when a version is made, a training run that starts with it. docs/your-own.md has an example.
"""

from typing import Any

from shardsmith.flow import form, steps
from shardsmith.flow.engine import flow
from shardsmith.flow.name import flow_name
from shardsmith.versions.publish import Publishing
from shardsmith.versions.record import Outcome
from shardsmith.workspace.workspace import Workspace


def make(
    workspace: Workspace, name: str | None, settings: dict[str, Any], how: Publishing, wait: bool = True
) -> Outcome:
    """The pipeline of dvc.yaml, a task a stage; then TensorFlow's judgement, and the record."""
    with steps.started(workspace, name, settings, wait) as run:
        stage = None
        for stage, lines in run.stages():  # `dvc repro`: DVC decides what there is to do
            steps.run_stage(run, stage, lines)
        if stage:
            steps.read_back(run)
        outcome = steps.record(run, name, how)
    steps.show(run, outcome)
    # what else should happen goes here: outcome.tag is the version, outcome.made whether it is new
    return outcome


@flow(name=flow_name(Workspace.find()), flow_run_name="build", persist_result=False)
@steps.told
def build(
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    push: bool = True,
    verify_remote: bool = False,
    allow_label_change: bool = False,
    check_all: bool = False,
    wait: bool = True,
) -> Any:
    """Build a dataset version in the workspace, from the raw data and params.yaml, and record it under a name.

    Args:
        name: what the version is called; the UTC time if empty.
        settings: params.yaml's values to change, for example {"augment.enabled": true}; kept if the build succeeds.
        push: publish the version, where a DVC remote is configured.
        verify_remote: read every pushed object back.
        allow_label_change: record a label map that breaks readers of the version before.
        check_all: hash all stored data, not what is new alone.
        wait: for a build that is at work in this workspace; else fail.
    """
    how = Publishing(push, verify_remote, allow_label_change, check_all)
    return make(Workspace.find(), name, settings or {}, how, wait)


@flow(name=flow_name(Workspace.find()), persist_result=False)
@steps.told
def build_apart(
    name: str = "",
    split: form.Split | None = None,
    preprocess: form.Preprocess | None = None,  # type: ignore[valid-type]
    augment: form.Augment | None = None,  # type: ignore[valid-type]
    formats: list[form.Format] = [],  # noqa: B006
    other_settings: dict[str, Any] = {},  # noqa: B006
    verify_remote: bool = False,
    allow_label_change: bool = False,
) -> Any:
    """Build a dataset version in a clone of its own, from the newest raw data, and record it under a name.

    Args:
        name: What the version is called; the UTC time if empty.
        split: Which image goes to train, valid or test. Off: as params.yaml says.
        preprocess: Steps for every image. Off: as params.yaml says.
        augment: Random copies of the train images. Off: as params.yaml says.
        formats: What the version is written in. Empty: as params.yaml says.
        other_settings: Any other value of params.yaml, for example {"export.shard_size_mb": 100}.
        verify_remote: Read every pushed object back and compare its hash.
        allow_label_change: Record a label map that breaks readers of the last version.
    """
    clone = steps.refresh(Workspace.find())
    settings = form.as_settings(split, preprocess, augment, formats) | other_settings
    check_all = steps.is_due(clone)  # once a week
    outcome = make(clone, name or None, settings, Publishing(True, verify_remote, allow_label_change, check_all))
    steps.hand_over(clone, outcome)
    return outcome
