"""`shardsmith serve` against a page of a stranger's in a real browser, other users and other names: nothing runs."""

from __future__ import annotations

import functools
import http.server
import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from browser import CHROMIUM, open_browser
from served import Served, await_
from workspaces import make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flows")]

# each way that a page has to send a request; and, where answers can be read, all that it takes to run a command
ATTACK = """
const api = "http://HOST/api/", said = [];
const send = async (what, path, body, options) => {
  try {
    const answer = await fetch(api + path, {method: "POST", body: JSON.stringify(body), ...options});
    said.push(what + " " + answer.status);
    return answer.type === "opaque" ? {} : await answer.json();
  } catch (error) { said.push(what + " " + error); return {}; }
};
const json = {headers: {"Content-Type": "application/json"}};
const guess = {headers: {"Content-Type": "application/json", "Authorization": "Basic " + btoa("admin:pass")}};
const attack = async () => {
  for (const [what, how] of [["simple", {mode: "no-cors"}], ["read", {}], ["preflight", json], ["guess", guess]]) {
    const flow = await send(what, "flows/", {name: "evil-" + what}, how);
    const run = {"prefect.deployments.steps.run_shell_script": {script: "touch RAN"}};
    const deployment = await send(what, "deployments/", {
      name: "evil", flow_id: flow.id, work_pool_name: "POOL", pull_steps: [run], entrypoint: "x.py:x"}, how);
    await send(what, `deployments/${deployment.id}/create_flow_run`, {}, how);
    await send(what, `deployments/DEPLOYMENT/create_flow_run`, {name: "evil"}, how);
  }
  await new Promise(done => {
    const socket = new WebSocket(api.replace("http", "ws") + "events/in", ["prefect"]);
    socket.onopen = () => socket.send(JSON.stringify({type: "auth", token: ""}));
    socket.onmessage = message => said.push("socket " + message.data);
    socket.onclose = socket.onerror = done;
    setTimeout(done, 5000);
  });
  for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
    const frame = Object.assign(document.createElement("iframe"), {name: type});
    document.body.append(frame);
    const form = Object.assign(document.createElement("form"), {
      method: "post", enctype: type, action: api + "flows/", target: type});
    form.append(Object.assign(document.createElement("input"), {name: '{"name": "evil-form", "x": "', value: '"}'}));
    document.body.append(form);
    await new Promise(done => { frame.onload = done; form.submit(); setTimeout(done, 5000); });
  }
  return said;
};
"""


def flows(served: Served) -> set[str]:
    return {flow["name"] for flow in served.ask("flows/filter", {"limit": 200})}


@pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium here (apt-get install chromium)")
def test_a_page_of_another_origin_runs_nothing(served: Served, tmp_path: Path) -> None:
    ran, site = tmp_path / "ran", tmp_path / "site"
    site.mkdir()
    deployment = served.ask(f"deployments/name/{served.name}/{served.name}-on-demand")["id"]
    words = {"HOST": f"127.0.0.1:{served.port}", "RAN": str(ran), "POOL": served.name, "DEPLOYMENT": deployment}
    script = functools.reduce(lambda text, one: text.replace(*one), words.items(), ATTACK)
    (site / "index.html").write_text(f"<body><script>{script}</script>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    foreign = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=foreign.serve_forever, daemon=True).start()
    known = flows(served)
    with open_browser(tmp_path / "chromium") as page:
        page.open(f"http://localhost:{foreign.server_address[1]}/index.html")
        said = page.run("attack()")
    foreign.shutdown()
    assert len(said) >= 16 and not any(" 2" in line for line in said), said
    assert flows(served) == known
    assert not [run for run in served.ask("flow_runs/filter", {"limit": 50}) if run["name"] == "evil"]
    assert not ran.exists()


def status(request: urllib.request.Request) -> int:
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    ("sent", "get", "post", "why"),
    [
        ({}, 200, 200, "who knows the secret"),
        ({"csrf": False}, 200, 403, "a form of another page, with the browser's password"),
        ({"secret": ""}, 401, 403, "any user of the machine"),
        ({"secret": "admin:pass"}, 401, 403, "who guesses"),
        ({"host": "evil.example"}, 400, 400, "a name that was given this address"),
        ({"host": "127.0.0.1.evil.example:4200"}, 400, 400, "a name that looks like it"),
    ],
)
def test_who_does_not_know_the_secret_is_refused(
    served: Served, sent: dict[str, str], get: int, post: int, why: str
) -> None:
    csrf = {"csrf": False} if post == 403 else {}
    posted = served.request("flows/filter", {"limit": 1}, **(sent | csrf))
    assert (status(served.request("admin/version", **sent)), status(posted)) == (get, post), why


def test_the_secret_is_its_users_alone(served: Served) -> None:
    assert (served.home.stat().st_mode & 0o777, (served.home / "secret").stat().st_mode & 0o777) == (0o700, 0o600)
    assert len(served.secret) > 40
    assert served.secret not in "".join(served.printed)
    logs = [path.read_text() for path in served.home.glob("*.log")]
    assert logs and not any(served.secret in log for log in logs)
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(served.secret.encode() in line for line in lines)


@pytest.mark.parametrize("secret", [None, "admin:pass"])
def test_a_build_with_a_wrong_or_missing_secret_is_one_line(served: Served, secret: str | None) -> None:
    env = {"PREFECT_API_URL": f"http://127.0.0.1:{served.port}/api"}
    done = served.place.build(ok=False, **env, **({"PREFECT_API_AUTH_STRING": secret} if secret else {}))
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: PREFECT_API_URL={env['PREFECT_API_URL']}: refuses us: PREFECT_API_AUTH_STRING")
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_one_line(served: Served) -> None:
    done = served.place.build(ok=False, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert "error: PREFECT_API_URL=http://127.0.0.1:9/api: no Prefect server answers there" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_workspaces_share_a_server(served: Served, tmp_path: Path) -> None:
    """The second joins; what is set on the page or by --cron stays; when the first ends, the second goes on."""
    place = make_workspace(tmp_path / "work", served.home.parents[2])
    place.write("params.yaml", place.read("params.yaml").replace("name: sample", "name: cars"))
    place.commit()
    cars = Served(place, "--cron", "0 3 * * *", "--timezone", "Europe/Berlin", port=served.port)
    try:
        assert cars.name.startswith("cars-") and cars.name != served.name
        made = {one["name"]: one for one in cars.ask("deployments/filter", {"limit": 50})}
        for one, dataset in ((served, "sample"), (cars, "cars")):
            for deployment in (made[f"{one.name}-nightly"], made[f"{one.name}-on-demand"]):
                (step,) = deployment["pull_steps"]
                assert next(iter(step.values()))["directory"] == str(one.place.root)
                assert (deployment["work_pool_name"], deployment["tags"]) == (one.name, [dataset, one.name])
        assert cars.ask(f"deployments/name/{cars.name}/{cars.name}-nightly")
        cars.stop()
        cars.arguments = ()
        cars.start()
        assert cars.printed[-1] == "Schedule: 0 3 * * * (Europe/Berlin)\n"
        assert "runs in this workspace already" in place.shardsmith("serve", ok=False).stderr
        served.stop()
        assert await_(lambda: cars.process_of("flow.server"))
        await_(lambda: cars.is_up())
    finally:
        cars.stop()
