"""A real browser for the tests of pages: Chromium, through its DevTools protocol; no driver is needed."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-extensions", "--remote-debugging-port=0", "about:blank",
]  # fmt: skip
_PATIENCE_S = 60


class Page:
    """A tab. `said` holds what went wrong in it: errors, warnings, refusals of its policy."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._numbers = connection, itertools.count(1)
        self.said: list[str] = []
        self.requests: list[str] = []
        self._events: list[str] = []
        self.presses = 0  # of the pointer and of keys
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := self._next()).get("id") != number:
            pass
        assert "error" not in message, f"{method}: {message['error']}"
        return message["result"]

    def _next(self) -> dict[str, Any]:
        message = json.loads(self._connection.recv(timeout=_PATIENCE_S))
        method, params = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            self.said.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.said.append(str(params["args"]))
        elif method == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.requests.append(params["request"]["url"])
        return message

    def open(self, page: Path | str) -> None:
        """A file, or an address."""
        self._events.clear()
        self.do("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._next()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str) -> None:
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9, " ": 32}
        code = codes[key]
        text = {"text": "\r" if key == "Enter" else key} if key in ("Enter", " ") else {}
        self.presses += 1
        for kind in ("keyDown", "keyUp"):
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")  # events that follow are handled

    def wait(self, script: str, patience_s: float = 30) -> Any:
        """The value of a JavaScript expression once it is true; a screen may change meanwhile."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            try:
                if value := self.run(script):
                    return value
            except AssertionError:  # between two screens
                pass
            time.sleep(0.05)
        raise TimeoutError(f"{script}: {self.run('document.body.innerText')[:2000]}")

    def click(self, selector: str) -> None:
        """A press of the pointer in the middle of an element, once it is there."""
        chosen = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{chosen} !== null")
        self.run(f"{chosen}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        x, y = self.run(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({chosen}.getBoundingClientRect())")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            more = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self.presses += 1

    def fill(self, selector: str, text: str) -> None:
        """Type into an element, over what it holds."""
        self.run(f"(field => {{ field.focus(); field.select(); }})(document.querySelector({json.dumps(selector)}))")
        self.do("Input.insertText", text=text)

    def drop(self, *paths: Path, x: int = 200, y: int = 200) -> None:
        """Files and folders from outside, let go above the page."""
        dragged = {"items": [], "files": [str(path.resolve()) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.do("Input.dispatchDragEvent", type=kind, x=x, y=y, data=dragged)
        self.presses += 1

    def view(self, width_px: int, height_px: int, dark: bool = False) -> None:
        size = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": width_px < 600}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, to: Path, whole: bool = True) -> None:
        self.run(
            "Promise.all([...document.images].filter(image => image.checkVisibility()).map(image => {"
            "image.loading = 'eager'; return image.decode().catch(() => 0); })).then(() => 0)"
        )
        shot = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        to.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def open_browser(home: Path) -> Iterator[Page]:
    """A tab of a new browser, whose files stand in `home`."""
    assert CHROMIUM
    process = subprocess.Popen(
        [CHROMIUM, *_FLAGS, f"--user-data-dir={home}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with connect(_address(home, process), max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(20)


def _address(home: Path, process: subprocess.Popen[bytes]) -> str:
    """The tab's: the browser writes its port into its folder, and lists its tabs there."""
    from urllib.request import urlopen

    file = home / "DevToolsActivePort"
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        lines = file.read_text().split() if file.exists() else []
        if len(lines) == 2:
            with urlopen(f"http://127.0.0.1:{lines[0]}/json") as listed:
                tabs = [tab for tab in json.load(listed) if tab["type"] == "page"]
            if tabs:
                return tabs[0]["webSocketDebuggerUrl"]
        time.sleep(0.1)
    raise TimeoutError("Chromium did not start")
