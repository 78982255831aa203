"""`shardsmith pin`: write down the code that runs (code.yaml) and the environment (requirements.lock).

code.yaml holds a digest of each stage's code, which dvc.yaml lists as params; and, under keys that no stage depends on,
the version that wrote it and the hashes of the template's files.
"""

from __future__ import annotations

from importlib import metadata

from shardsmith.installation import need
from shardsmith.pipeline.code import digests
from shardsmith.workspace.lock_file import read_leniently
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import CODE, REQUIREMENTS
from shardsmith.workspace.template.files import template, text_hash, upgradable
from shardsmith.workspace.template.requirements import requirements
from shardsmith.workspace.workspace import Workspace

_HEAD = """\
# Written by `shardsmith build` and `shardsmith pin`. stages: a digest of the code that each stage's bytes depend on,
# and of the libraries it runs through; dvc.yaml lists them as params, so that other code makes a stage run again.
"""


def pin(workspace: Workspace, log: Log) -> bool:
    """Bring code.yaml and requirements.lock up to date with what runs here; returns whether code.yaml changed.

    Raises:
        ParamsError: params.yaml is not allowed.
    """
    pin_requirements(workspace, log)
    return pin_code(workspace)


def pin_code(workspace: Workspace, renew_template: bool = False) -> bool:
    """Write code.yaml where its digests are not those of the code that runs; returns whether it changed.

    Args:
        renew_template: take the template's files of the installed version for those that the workspace has.
    """
    need("dvc", "cv2")  # a digest names the versions of libraries, those of [build] too
    path = workspace.root / CODE
    params = workspace.params()
    recorded = read_leniently(path.read_text(encoding="utf-8")) if path.exists() else {}
    stages, hashes = digests(params), recorded.get("template")
    if renew_template or not isinstance(hashes, dict):
        hashes = {file: text_hash(text) for file, text in upgradable(template(params.dataset.name)).items()}
    if path.exists() and recorded.get("stages") == stages and recorded.get("template") == hashes:
        return False
    text = f'{_HEAD}shardsmith: "{metadata.version("shardsmith")}"\n'
    for key, values in (("stages", stages), ("template", hashes)):
        text += f"{key}:\n" + "".join(f'  {name}: "{value}"\n' for name, value in values.items())
    path.write_text(text, encoding="utf-8")
    return True


def pin_requirements(workspace: Workspace, log: Log) -> None:
    """Write requirements.lock; not in Shardsmith's own repository, whose lock is for its developers too."""
    need("dvc", "prefect")
    if workspace.is_own_repository():
        return
    text, warning = requirements()
    if warning:
        log(f"warning: {REQUIREMENTS}: {warning}: others cannot install that line; install from a git address or index")
    (workspace.root / REQUIREMENTS).write_text(text, encoding="utf-8")
