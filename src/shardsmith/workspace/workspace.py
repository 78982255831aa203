"""The workspace: one dataset's git repository, with DVC. What is done in it goes through this class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shardsmith.dataset.archive import check_file
from shardsmith.dataset.errors import VersionError
from shardsmith.dataset.yaml import YamlError, load_yaml
from shardsmith.workspace import dvc, git
from shardsmith.workspace.lock import lock
from shardsmith.workspace.log import Log
from shardsmith.workspace.paths import LOCK, OWN_SOURCE, PARAMS, PIPELINE

if TYPE_CHECKING:
    from shardsmith.pipeline.params import Params


@dataclass(frozen=True)
class Workspace:
    """A folder with dvc.yaml, params.yaml, .git and .dvc."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """
        Raises:
            VersionError: neither `start` (the current folder) nor a folder above it is a workspace.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / PIPELINE).is_file() and (folder / PARAMS).is_file():
                git.set_merge_driver(folder)  # the first command in a clone
                return cls(folder)
        raise VersionError(
            f"{here}: no workspace here or above (dvc.yaml with params.yaml); go to one, or make one: "
            "shardsmith init DIR"
        )

    def git(self, *arguments: str) -> str:
        """What git prints; see `git.git`."""
        return git.git(self.root, *arguments)

    def git_ok(self, *arguments: str) -> bool:
        """Whether git exits with 0."""
        return git.git_ok(self.root, *arguments)

    def file_at(self, revision: str, path: str) -> str | None:
        """A file's text at a commit or tag; None where it has none."""
        return git.file_at(self.root, revision, path)

    def dvc(self, *arguments: str, log: Log | None = None) -> str:
        """What dvc prints; see `dvc.dvc`."""
        self._check_dvc_config()
        return dvc.dvc(self.root, *arguments, log=log)

    def repro(self) -> Iterator[tuple[str, Iterator[str]]]:
        """`dvc repro`, a stage after the other; see `dvc.repro`."""
        self._check_dvc_config()
        return dvc.repro(self.root, self._stages())

    def stage_names(self) -> list[str]:
        """Those of dvc.yaml."""
        return list(self._stages())

    def lock(self, log: Log, wait: bool = True) -> AbstractContextManager[None]:
        """Hold the workspace for a build; see `lock.lock`."""
        return lock(self.root, log, wait)

    def has_remote(self) -> bool:
        return dvc.has_remote(self.root)

    def mentions_remote(self) -> bool:
        return dvc.mentions_remote(self.root)

    def remote_config(self, is_clone: bool) -> dict[str, Any]:
        """DVC's settings of its remotes, as far as they are believed; see `dvc.remote_config`."""
        return dvc.remote_config(self.root, is_clone, not is_clone and self._wrote_local_config())

    def _check_dvc_config(self) -> None:
        """
        Raises:
            VersionError: git brought a place for DVC's database, from which DVC would load what runs as code.
        """
        for file in (".dvc/config", *(() if self._wrote_local_config() else (".dvc/config.local",))):
            path = self.root / file
            if path.is_file() and "site_cache_dir" in path.read_text("utf-8", errors="replace").lower():
                raise VersionError(
                    f"{file}: names core.site_cache_dir, where DVC keeps what it runs, and comes with the repository; "
                    "take it out, and name it with `dvc config --global` if you need it"
                )

    def _wrote_local_config(self) -> bool:
        """Whether .dvc/config.local is of this machine: git brought neither it nor a link or submodule it is in."""
        brought = self.git("ls-files", "-z", "--", ":(icase).dvc").lower().split("\0")
        return not {".dvc", ".dvc/config.local"} & {*brought}

    def remote_address(self) -> str:
        return dvc.remote_address(self.root)

    def cache_folder(self) -> Path:
        return dvc.cache_folder(self.root)

    def cache_links(self) -> bool:
        return dvc.cache_links(self.root)

    def code(self) -> list[str]:
        """What git tracks of all that a version depends on, beside its data: the deps of dvc.yaml.

        In Shardsmith's own repository, which is a workspace too, also the package.
        """
        deps = {dep for stage in self._stages().values() for dep in stage["deps"]}
        deps |= {OWN_SOURCE} if self.is_own_repository() else set()
        return sorted(dep for dep in deps if not dep.startswith("data/"))

    def is_own_repository(self) -> bool:
        """Whether this is Shardsmith's own repository, or a clone of it."""
        return (self.root / OWN_SOURCE).is_dir()

    def lock_file(self, revision: str | None = None) -> dict[str, Any]:
        """dvc.lock as of a commit or tag, or as it stands; {} where there is none."""
        here = (self.root / LOCK).exists()
        text = self.file_at(revision, LOCK) if revision else self.read(LOCK) if here else None
        return _as_mapping(text or "", LOCK)

    def read(self, file: str) -> str:
        """A text file of the workspace, as it stands.

        Raises:
            VersionError: it is not UTF-8.
            RawDataError: it is no file.
        """
        check_file(self.root / file)
        try:
            return (self.root / file).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise VersionError(
                f"{file}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8, or restore it: "
                f"git checkout {file}"
            ) from None

    def params_text(self) -> str:
        """params.yaml as it stands."""
        return self.read(PARAMS)

    def params(self) -> Params:
        """params.yaml as it stands, checked.

        Raises:
            ParamsError: it is not allowed.
        """
        from shardsmith.pipeline.params import parse_params  # and with it numpy and pyarrow: 0.3 s

        return parse_params(self.params_text(), PARAMS, self.root)

    def status(self) -> dict[str, Any]:
        """What `dvc repro` would do: {} for nothing."""
        return json.loads(self.dvc("status", "--json") or "{}")

    def _stages(self) -> dict[str, Any]:
        stages = _as_mapping(self.read(PIPELINE), PIPELINE).get("stages")
        if not isinstance(stages, dict):
            raise VersionError("dvc.yaml: has no stages; restore it: git checkout dvc.yaml")
        return stages


def _as_mapping(text: str, file: str) -> dict[str, Any]:
    try:
        content = load_yaml(text) or {}
    except YamlError as error:
        raise VersionError(f"{file}{error.place}: {error}; correct it, or restore it: git checkout {file}") from None
    return content if isinstance(content, dict) else {}
