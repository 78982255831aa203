"""Who the page answers: the holder of its token, by its own name, from itself. And work in processes of its own."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paged import TOKEN, Served, serve_page

from shardsmith.app.access import check_host
from shardsmith.app.job import Job
from shardsmith.dataset.errors import UsageError


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_page(folder=tmp_path_factory.mktemp("empty")) as served:
        yield served


def ask(
    served: Served, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(served.address.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()


def cookie(served: Served) -> str:
    status, headers, _ = ask(served, f"/?token={TOKEN}&a=b%20c")
    assert status == 303 and headers["location"] == "/?a=b+c"
    assert "HttpOnly" in headers["set-cookie"] and "SameSite=strict" in headers["set-cookie"]
    return headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({}, "GET", 401),
        ({"cookie": "shardsmith_1=x"}, "GET", 401),
        ({"authorization": "Bearer wrong"}, "GET", 401),
        ({"authorization": f"Bearer {TOKEN}"}, "GET", 200),
        ({"cookie": "OWN"}, "GET", 200),
        ({"cookie": "OWN", "host": "evil.example:80"}, "GET", 421),
        ({"cookie": "OWN", "host": "127.0.0.1"}, "GET", 421),
        ({"authorization": f"Bearer {TOKEN}", "host": "evil.example"}, "GET", 421),
        ({"cookie": "OWN"}, "POST", 403),  # without an Origin, as an old form of another page
        ({"cookie": "OWN", "origin": "http://evil.example"}, "POST", 403),
        ({"cookie": "OWN", "origin": "null"}, "DELETE", 403),
        ({"cookie": "OWN", "origin": "OWN", "sec-fetch-site": "cross-site"}, "PUT", 403),
        ({"cookie": "OWN", "origin": "OWN", "sec-fetch-site": "same-origin"}, "POST", 405),  # let in: there is no such
        ({"authorization": f"Bearer {TOKEN}"}, "POST", 405),
    ],
)
def test_who_is_answered(served: Served, headers: dict[str, str], method: str, status: int) -> None:
    own = {"cookie": cookie(served), "origin": served.address}
    sent = {name: own[name] if value == "OWN" else value for name, value in headers.items()}
    assert ask(served, "/", method, **sent)[0] == status


def test_a_page_carries_its_policy(served: Served) -> None:
    _, headers, text = ask(served, "/", cookie=cookie(served))
    assert (
        "default-src 'none'" in headers["content-security-policy"]
        and "unsafe" not in headers["content-security-policy"]
    )
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert " style=" not in text and "onclick" not in text and "hx-on" not in text


def test_a_person_may_type_the_token(served: Served) -> None:
    status, _, text = ask(served, "/", accept="text/html")
    assert status == 401 and 'action="/enter"' in text
    posted = {"origin": served.address, "content_type": "application/x-www-form-urlencoded"}
    assert ask(served, "/enter", "POST", b"token=wrong", **posted)[0] == 401
    assert ask(served, "/enter", "POST", b"token=" + b"x" * 9000, **posted)[0] == 413
    assert ask(served, "/enter", "POST", f"token={TOKEN}".encode(), origin="http://evil.example")[0] == 403
    status, headers, _ = ask(served, "/enter", "POST", f"token={TOKEN}".encode(), **posted)
    assert status == 303 and headers["set-cookie"].startswith("shardsmith_")


def test_what_is_not_there_is_a_page(served: Served) -> None:
    status, _, text = ask(served, "/d/none/", cookie=cookie(served))
    assert status == 404 and "No such dataset" in text
    status, headers, text = ask(served, "/api/d/none/versions", authorization=f"Bearer {TOKEN}")
    assert status == 404 and headers["content-type"] == "application/json" and "No such dataset" in text


@pytest.mark.parametrize(("host", "password", "right"), [("0.0.0.0", "", False), ("::", "short", False), ("0.0.0.0", "x" * 12, True), ("127.0.0.1", "", True)])  # noqa: E501  # fmt: skip
def test_others_need_a_password(host: str, password: str, right: bool) -> None:
    if right:
        check_host(host, password)
        return
    with pytest.raises(UsageError, match="SHARDSMITH_PASSWORD"):
        check_host(host, password)


WORK = """
import sys, time, os
from shardsmith.dataset.workers import note_stage, progress
note_stage("ingest")
bar = progress(3, "reading", "image")
for number in range(3):
    bar.update()
try:
    print("result"); print("said", file=sys.stderr, flush=True)
    time.sleep(float(sys.argv[1]))
except KeyboardInterrupt:
    print("put back", file=sys.stderr); sys.exit(130)
sys.exit(int(sys.argv[2]))
"""


def ended(job: Job, state: str = "running") -> str:
    end = time.monotonic() + 60
    while job.state == state and time.monotonic() < end:
        time.sleep(0.05)
    return job.state


@pytest.mark.parametrize(("code", "state"), [(0, "done"), (3, "failed")])
def test_a_job_to_its_end(tmp_path: Path, code: int, state: str) -> None:
    job = Job(tmp_path / "job")
    assert job.state == "none" and job.progress == {} and job.lines == []
    assert job.start([sys.executable, "-c", WORK, "0", str(code)], tmp_path, {"name": "v1"})
    assert ended(job) == state and job.about == {"name": "v1"}
    assert job.lines[-1] == "said" and job.result == "result\n"
    assert (job.progress["stage"], job.progress["done"], job.progress["total"]) == ("ingest", 3, 3)


def test_a_job_is_cancelled_by_whoever_finds_it(tmp_path: Path) -> None:
    job = Job(tmp_path / "job")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a shell's background
    job.start([sys.executable, "-c", WORK, "60", "0"], tmp_path)
    signal.signal(signal.SIGINT, before)
    assert not job.start(["true"], tmp_path)
    while "said" not in job.lines:
        time.sleep(0.05)
    Job(tmp_path / "job").cancel(patience_s=20)
    assert job.state == "cancelled" and job.lines[-1] == "put back"
    assert job.start(["true"], tmp_path) and ended(job) == "done"


def test_a_job_whose_process_was_killed_is_lost(tmp_path: Path) -> None:
    import json

    job = Job(tmp_path / "job")
    job.start([sys.executable, "-c", WORK, "60", "0"], tmp_path)
    while "said" not in job.lines:
        time.sleep(0.05)
    os.kill(json.loads((tmp_path / "job/job.json").read_text())["pid"], signal.SIGKILL)
    assert ended(job) == "lost"


def test_the_page_starts_without_what_is_slow_to_import(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from shardsmith.app.opened import Opened;"
        "from shardsmith.app.serve import create_app; create_app(Opened(Path('.')), 't', '127.0.0.1', 1);"
        "print({'prefect', 'tensorflow', 'dvc', 'pandas', 'cv2'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr
