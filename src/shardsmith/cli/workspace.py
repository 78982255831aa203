"""Commands for the workspace itself: init, sample, fetch, labels, pin, upgrade."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from shardsmith.cli.parser import Commands, add_command, add_json, print_json
from shardsmith.workspace.log import to_stderr


def add(commands: Commands) -> None:
    command = add_command(
        commands, "init", init, "make a workspace: the git repository of one dataset, without data yet",
        "init birds",
        "init ../birds --name wild_birds",
        "init birds --from https://example.org/team/raccoon.git",
    )  # fmt: skip
    command.add_argument("folder", type=Path, metavar="DIR", help="an empty folder, or one to make")
    command.add_argument(
        "--from", dest="source", metavar="PATH_OR_URL", help="a workspace whose stages and flow to take"
    )
    command.add_argument("--name", metavar="DATASET", help="the dataset's name; made from DIR by default")

    command = add_command(
        commands, "sample", sample, "draw the sample dataset", "sample data/raw", "sample pictures --format coco",
        "sample pictures --shapes keypoints",
    )  # fmt: skip
    command.add_argument("folder", type=Path, metavar="DIR", help="an empty folder, or one to make")
    command.add_argument("--format", help="voc (default), or any other that is written; coco where --shapes is given")
    command.add_argument(
        "--shapes",
        default="boxes",
        choices=("boxes", "masks", "oriented", "keypoints"),
        help="what the annotations have beside their boxes (default: nothing)",
    )

    command = add_command(
        commands, "fetch", fetch, "bring raw data to data/raw, and let DVC store it",
        "fetch ~/Downloads/export.zip", "fetch more.zip --add", "fetch s3://bucket/labelled", "fetch --images",
    )  # fmt: skip
    command.add_argument("source", nargs="?", metavar="SRC", help="a folder, a .zip or .tar.gz, or a URL of either")
    command.add_argument("--add", action="store_true", help="add to what data/raw holds; nothing there is replaced")
    command.add_argument("--images", action="store_true", help="download the images that annotations name by URL")

    command = add_command(
        commands, "labels", labels, "print the label map, or start it anew", "labels", "labels --restart"
    )
    command.add_argument("--restart", action="store_true", help="forget all ids: the next build gives new ones")
    command.add_argument("--yes", action="store_true", help="with --restart: do not ask")
    add_json(command)

    add_command(commands, "pin", pin, "write down the code and the packages that run here", "pin")
    add_command(commands, "upgrade", upgrade, "move the workspace to the installed version of shardsmith", "upgrade")


def init(options: argparse.Namespace) -> int:
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.template.init import init as make_workspace

    prepare_environment()
    name = make_workspace(options.folder, options.source, options.name, to_stderr)
    print(
        f"{options.folder}: a workspace for the dataset {name}\n\n"
        "Next:\n"
        f"    cd {options.folder}\n"
        "    put images and annotations into data/raw, in any format that `shardsmith formats` lists\n"
        "    shardsmith build --name v1         # the first version\n"
        "README.md there says how to share versions."
    )
    return 0


def sample(options: argparse.Namespace) -> int:
    from shardsmith.sample.writer import write_sample

    default = "voc" if options.shapes == "boxes" else "coco"
    print(write_sample(options.folder, options.format or default, options.shapes))
    return 0


def fetch(options: argparse.Namespace) -> int:
    if not options.images and not options.source:
        options.wrong("name a source, or --images; for example fetch ~/Downloads/export.zip")
    from shardsmith.dataset.archive import check_there

    if options.source and "://" not in options.source:
        check_there(Path(options.source))
    from shardsmith.raw.addresses import image_addresses
    from shardsmith.raw.fetch import fetch as bring
    from shardsmith.raw.fetch import fetch_images
    from shardsmith.workspace.environment import prepare_environment
    from shardsmith.workspace.paths import RAW
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    prepare_environment()
    if options.source:
        bring(workspace, options.source, to_stderr, options.add)
        print("data/raw: ready; `shardsmith build` makes a version of it")
    if options.images:
        count = fetch_images(workspace, image_addresses(workspace.root / RAW), to_stderr)
        print(f"data/raw: {count} images downloaded")
    return 0


def labels(options: argparse.Namespace) -> int:
    from shardsmith.versions.labels import recorded_map, restart, what_breaks
    from shardsmith.workspace.workspace import Workspace

    workspace = Workspace.find()
    label_map = recorded_map(workspace)
    if options.restart:
        if label_map and label_map.ids and not options.yes:
            print(what_breaks(workspace, label_map), file=sys.stderr)
            if not sys.stdin.isatty():
                options.wrong("--restart asks before it forgets; add --yes to answer here")
            if input("Start the label map anew? [y/N] ").strip().lower() not in ("y", "yes"):
                print("the label map stays as it is")
                return 1
        restart(workspace, to_stderr)
        print("label map: started anew, and committed; `shardsmith build` gives the classes their ids")
    elif options.json:
        print_json(dict(label_map.ids) if label_map else {})
    elif label_map and label_map.ids:
        print("\n".join(f"{label_map.ids[name]:>4}  {name}" for name in label_map.names))
    else:
        print("no class has an id yet; `shardsmith build` gives them")
    return 0


def pin(options: argparse.Namespace) -> int:
    from shardsmith.workspace.template.pin import pin as write_down
    from shardsmith.workspace.workspace import Workspace

    changed = write_down(Workspace.find(), to_stderr)
    print("code.yaml: written; stages whose code changed run again" if changed else "code.yaml: as it was")
    return 0


def upgrade(options: argparse.Namespace) -> int:
    from importlib import metadata

    from shardsmith.workspace.template.upgrade import upgrade as move
    from shardsmith.workspace.workspace import Workspace

    done = move(Workspace.find(), to_stderr)
    for file in done.replaced:
        print(f"{file}: replaced by the new one")
    for file, diff in done.kept.items():
        print(f"{file}: left as you have it; " + (f"the new one differs:\n{diff}\n" if diff else "no newer one"))
    print(f"at shardsmith {metadata.version('shardsmith')}; look with `git diff`, then `git commit -a` and build")
    return 0
