"""`shardsmith serve` for real: server, deployments, worker; what is killed is started again, the next run goes on."""

from __future__ import annotations

import os
import re
import signal
import socket
import urllib.error
from pathlib import Path

import pytest
from served import Served, await_
from staged import STAGES
from workspaces import make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]


def test_a_press_of_the_button_makes_a_version_with_what_was_chosen(served: Served) -> None:
    run = served.run(name="v1", augment={"copies": 1, "flip": {"horizontal": 1}}, formats=["tfrecord", "coco"])
    state, message = served.ended(run)
    assert (state, message.partition(" at ")[0]) == ("Completed", "recorded sample@v1")
    assert served.place.tags() == ["sample@v1"]
    assert served.place.git("status", "--porcelain") == ""
    params = served.place.git("show", "sample@v1:params.yaml")
    assert "formats: [tfrecord, coco]" in params
    assert list(served.said(run)) == [*STAGES, "report", "read back", "record", "announce"]
    for stage in [*STAGES, "report"]:
        await_(lambda stage=stage: f"{stage}: " in served.said(run)[stage])  # Prefect sends lines when it comes to it
    shown = served.artifact("version")
    assert all(
        words in shown for words in ("# sample@v1", "## Class balance", "data:image/jpeg;base64,", "shardsmith pull")
    )


def test_a_version_is_an_event_and_an_asset(served: Served) -> None:
    if "sample@v1" not in served.place.tags():
        served.ended(served.run(name="v1"))
    (made,) = await_(lambda: served.events("shardsmith.version.made"))
    assert made["resource"]["prefect.resource.id"] == "shardsmith.dataset.sample"
    digest = re.search(
        r"path: data/export\n\s+hash: md5\n\s+md5: (\S+)", served.place.git("show", "sample@v1:dvc.lock")
    )
    assert digest and made["payload"] == {
        "dataset": "sample", "version": "v1", "tag": "sample@v1", "digest": digest[1],
    }  # fmt: skip
    (asset,) = await_(lambda: served.events("prefect.asset.materialization.succeeded"))
    assert asset["resource"]["prefect.resource.id"] == "shardsmith://sample"
    assert asset["payload"] == made["payload"]


@pytest.mark.long
def test_new_data_is_seen_and_compared(served: Served) -> None:
    if "sample@v1" not in served.place.tags():
        served.ended(served.run(name="v1"))
    served.place.add_image("10", "bird", 10)
    assert served.ended(served.run(name="v2"))[0] == "Completed"
    assert "## Since sample@v1" in served.artifact("version")
    assert "bird" in served.artifact("version")
    state, message = served.ended(served.run())
    assert (state, message) == ("Completed", "nothing changed since sample@v2")


def test_a_failed_build_says_what_to_do(served: Served) -> None:
    state, message = served.ended(served.run(name="bad name?"))
    assert state == "Failed"
    assert "not a version's name" in message
    assert "## What to do" in served.artifact("failure")


def test_the_page_refuses_what_params_would_refuse(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError, match=r"409|422"):
        served.run(augment={"copies": "many"})


@pytest.mark.long
@pytest.mark.parametrize("victim", ["prefect.engine", "worker start", "flow.server", "everything"])
def test_what_is_killed_mid_run_is_made_good(served: Served, victim: str) -> None:
    served.place.add_image(f"killed {victim}", "cat", len(victim))
    run = served.run(name=f"first-{victim.split()[0]}")
    await_(lambda: served.process_of("dvc repro"))
    if victim == "everything":
        served.stop(signal.SIGKILL)
        served.start()
    else:
        os.kill(served.process_of(victim), signal.SIGKILL)
    state, _ = served.ended(run)
    assert state == ("Completed" if victim == "flow.server" else "Crashed")
    name = f"again-{victim.split()[0]}"
    assert served.ended(served.run(name=name))[0] == "Completed"
    assert served.place.shardsmith("verify", name).returncode == 0
    print(f"{victim} killed mid-run: {state}; the next run recorded sample@{name}")


@pytest.mark.long
def test_a_schedule_of_a_minute(tmp_path: Path) -> None:
    served = Served(make_workspace(tmp_path / "work", tmp_path / "home"), "--cron", "* * * * *")
    try:

        def messages() -> list[str]:
            done = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "sort": "EXPECTED_START_TIME_ASC"}
            return [run["state"]["message"] for run in served.ask("flow_runs/filter", done)]

        for runs in (1, 2):
            await_(lambda runs=runs: len(messages()) >= runs)
        served.place.add_image("10", "bird", 10)
        await_(lambda: len(served.place.tags()) == 2)
        await_(lambda: messages()[-1].startswith("nothing changed since"))
        assert sum(message.startswith("recorded") for message in messages()) == 2
    finally:
        served.stop()


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    place = make_workspace(tmp_path / "work", tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "choose another port" in place.shardsmith("serve", "--port", port, ok=False).stderr
