"""`shardsmith report`: opens or writes a version's page. Whatever is slow to import is imported inside."""

from __future__ import annotations

import argparse
import shutil
import webbrowser


def report(options: argparse.Namespace) -> int:
    from flows.environment import prepare_environment
    from flows.page import find_page
    from flows.repository import Workspace

    workspace = Workspace.find()
    prepare_environment(workspace.root)
    page = find_page(workspace, options.name)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, options.out)
        page = options.out
    else:
        webbrowser.open(page.resolve().as_uri())
    print(page)
    return 0
