"""A headless Chromium, driven by mouse over the DevTools protocol: https://chromedevtools.github.io/devtools-protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import time

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage")


def program():
    """The path of a browser, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page of a browser of its own; use it as a context manager.

    Args:
        profile: an empty folder for what the browser keeps.
        size: width and height of the page.
    """

    def __init__(self, profile, size=(1280, 800)):
        self._profile, self._size, self._sent = profile, size, 0
        self._loop = asyncio.new_event_loop()
        self.errors = []

    def __enter__(self):
        width, height = self._size
        options = [*_OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={self._profile}"]
        command = [program(), *options, f"--window-size={width},{height}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._loop.run_until_complete(self._connect())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        if hasattr(self, "_session"):
            self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self._process.wait(20)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def call(self, method, **parameters):
        """Call a method of the protocol and return its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), 30))

    def value(self, expression):
        """The value of an expression of JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression, timeout_s=20):
        """Wait until the expression is true, and return its value."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            value = self.value(expression)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{expression} stayed {value!r}")

    def drag(self, start, end, modifiers=0):
        """Press the left button at *start*, move to *end* and release it there, in pixels of the page."""
        self.mouse("mousePressed", start, modifiers)
        middle = [(a + b) / 2 for a, b in zip(start, end)]
        for place in (middle, end):
            self.mouse("mouseMoved", place, modifiers)
        self.mouse("mouseReleased", end, modifiers)

    def mouse(self, kind, place, modifiers=0):
        pressed = {"button": "left", "buttons": 1, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], modifiers=modifiers, **pressed)

    def click(self, selector):
        """Click in the middle of an element."""
        self.value(f"document.querySelector({selector!r}).scrollIntoView({{block: 'nearest'}})")
        area = f"document.querySelector({selector!r}).getBoundingClientRect()"
        place = self.value(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({area})")
        self.mouse("mousePressed", place)
        self.mouse("mouseReleased", place)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    async def _connect(self):
        file = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not file.is_file() or not file.read_text().strip():
            assert self._process.poll() is None, "the browser did not start"
            assert time.monotonic() < deadline, "the browser opened no port"
            await asyncio.sleep(0.05)
        port = file.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
        self._socket = await self._session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
        for method in ("Page.enable", "Runtime.enable", "Log.enable"):
            await self._call(method, {})

    async def _call(self, method, parameters):
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.errors.append(answer["params"])
