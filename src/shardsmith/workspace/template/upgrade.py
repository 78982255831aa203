"""`shardsmith upgrade`: move a workspace to the installed version of Shardsmith."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from shardsmith.dataset.errors import VersionError
from shardsmith.installation import need
from shardsmith.workspace.lock_file import read_leniently
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import CODE, DECISIONS
from shardsmith.workspace.template.files import add_decisions, template, text_hash, upgradable
from shardsmith.workspace.template.pin import pin_code, pin_requirements
from shardsmith.workspace.workspace import Workspace


@dataclass(frozen=True)
class Upgrade:
    """What became of the template's files.

    replaced: those that the user had not changed. kept: file of the user's -> how it differs from the new one, as a
    diff; "" where the new one is as the old one was.
    """

    replaced: list[str]
    kept: dict[str, str]


def upgrade(workspace: Workspace, log: Log) -> Upgrade:
    """Bring the template's files, requirements.lock and code.yaml to what is installed; nothing is committed.

    A file that the user has changed is left as it is.

    Raises:
        VersionError: it is Shardsmith's own repository.
    """
    if workspace.is_own_repository():
        raise VersionError(f"{workspace.root}: is Shardsmith's own repository; `git pull` upgrades it")
    need("cv2", "dvc", "prefect")
    path = workspace.root / CODE
    recorded = read_leniently(path.read_text(encoding="utf-8")).get("template") if path.exists() else None
    known = recorded if isinstance(recorded, dict) else {}
    done = Upgrade([], {})
    for file, new in upgradable(template(workspace.params().dataset.name)).items():
        place = workspace.root / file
        own = place.read_text(encoding="utf-8", errors="replace") if place.is_file() else None
        if own == new:
            continue
        if (own is None and file not in known) or (own is not None and known.get(file) == text_hash(own)):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(new, encoding="utf-8")
            done.replaced.append(file)
        else:
            done.kept[file] = _diff(own or "", new, file) if known.get(file) != text_hash(new) else ""
    done.replaced.extend([DECISIONS] * add_decisions(workspace))
    pin_requirements(workspace, log)
    pin_code(workspace, renew_template=True)
    return done


def _diff(own: str, new: str, file: str) -> str:
    lines = difflib.unified_diff(own.splitlines(), new.splitlines(), f"{file} (yours)", f"{file} (new)", lineterm="")
    return "\n".join(lines)
