"""What SECURITY.md promises of downloads, and of names and addresses as they are shown."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import image_bytes

from shardsmith.cli.main import make_parser
from shardsmith.dataset.errors import RawDataError, ShardsmithError
from shardsmith.formats.readme import plain
from shardsmith.raw import fetch
from shardsmith.workspace import retry
from shardsmith.workspace.workspace import Workspace

SECRET = "secret.jpg"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A server on loopback: /a.jpg, /big, and /to?X that sends on to X."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/to?"):
                self.send_response(302)
                self.send_header("Location", self.path.partition("?")[2])
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *arguments: object) -> None:
            pass

    (tmp_path / "web").mkdir()
    (tmp_path / "web/a.jpg").write_bytes(image_bytes())
    (tmp_path / "web/big").write_bytes(bytes(3000))
    handler = functools.partial(Handler, directory=str(tmp_path / "web"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_downloads_keep_to_what_was_asked(
    tmp_path: Path, web: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(fetch, "MAX_IMAGE_BYTES", 2500)
    (tmp_path / "work/data/raw").mkdir(parents=True)
    (tmp_path / SECRET).write_bytes(image_bytes())
    said: list[str] = []
    here = f"file://{tmp_path}/{SECRET}"
    bad = [
        ("file.jpg", here), ("chain.jpg", f"{web}/a.jpg::{here}"), ("cache.jpg", f"simplecache::{here}"),
        ("local.jpg", str(tmp_path)),
        ("on.jpg", f"{web}/to?{here}"), ("big.jpg", f"{web}/big"), ("..", f"{web}/a.jpg"), (".gitignore",
        f"{web}/a.jpg"),
        ("a\0.jpg", f"{web}/a.jpg"), ("\x1b]0;x\x07.jpg", f"{web}/a.jpg"), ("x" * 300, f"{web}/a.jpg"), ("none.jpg",
        "http://[::1"),
        ("key.jpg", web.replace("//", "//bob:SECRET@") + "/none?token=SECRET"),
    ]  # fmt: skip
    good = [("../../a.jpg", f"{web}/a.jpg"), ("-rf.jpg", f"{web}/to?/a.jpg")]
    came = fetch.fetch_images(Workspace(tmp_path / "work"), [*bad, *good], said.append)
    assert (came, sorted(path.name for path in (tmp_path / "work/data/raw").iterdir())) == (2, ["-rf.jpg", "a.jpg"])
    assert len(said) == len(bad), said
    record_property("attacks", len(bad))
    assert not any(secret in line for line in said for secret in ("SECRET", "\x1b", "\0"))


def test_addresses_are_shown_without_their_secrets() -> None:
    assert fetch.shown_address("https://bob:pw@x.org:8/a.zip?sig=1#f") == "https://x.org:8/a.zip"


def test_names_are_shown_as_text() -> None:
    assert fetch.printable("a\x1b]0;x\x07\u202e|") == "a\\x1b]0;x\\x07\\u202e|"
    assert plain("<script>|`x`[a](b)\x1b]0;x\x07") == r"&lt;script>\|\`x\`\[a\](b)\\x1b\]0;x\\x07"


def test_every_error_here_is_ours() -> None:
    assert issubclass(RawDataError, ShardsmithError)


@pytest.mark.parametrize("option", ["--repo", "--remote"])
@pytest.mark.usefixtures("attack")
def test_secrets_in_addresses_are_not_printed(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retry, "TRIES", 1)
    monkeypatch.chdir(tmp_path)
    address = "https://user:hunter2@127.0.0.1:9/team/birds?token=hunter2"
    options = make_parser().parse_args(["pull", "birds@v1", "--out", str(tmp_path / "out"), option, address])
    with pytest.raises(ShardsmithError, match=r"https://127\.0\.0\.1:9/team/birds") as error:
        options.run(options)
    printed = capsys.readouterr()
    assert "hunter2" not in f"{error.value} {printed.out} {printed.err}"
