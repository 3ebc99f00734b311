"""The page's server: its files, its recordings, and a socket a viewer, on a thread beside the tracker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from aiohttp import WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from serving.live import recorder, requests
from serving.live.requests import Request
from serving.live.shown import Shown
from serving.web.access import add_headers, guard
from serving.web.screen import Screen
from siamtrt import PipelineError, UsageError

MOST_VIEWERS = 16
_AHEAD = 2  # frames on their way to a viewer that has not drawn them yet; a slow one misses frames
_HEARTBEAT_S = 20.0
_GOODBYE_S = 1.0
_PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

log = logging.getLogger(__name__)


def _is_about_us(record: logging.LogRecord) -> bool:
    """Whether a line of the log is about this server, not about a request that was no HTTP and was answered so."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


log.addFilter(_is_about_us)


class Server:
    """Serves while its block runs.

    Args:
        screen: what viewers see.
        ask: takes their requests.
        about: of the model and the source, ready for JSON.
        recordings: folder that recordings are downloaded from.
        host: name or address to bind.
        port: 0 for a free one.
        token: see :func:`serving.web.access.guard`.
    """

    def __init__(
        self,
        screen: Screen,
        ask: Callable[[Request], None],
        about: dict[str, object],
        recordings: Path,
        *,
        host: str,
        port: int,
        token: str | None,
    ) -> None:
        self._screen, self._ask, self._about, self._recordings = screen, ask, about, recordings
        self._host, self._port, self._token = host, port, token
        self._viewers: set[web.WebSocketResponse] = set()
        self._files = {path.name: path.read_bytes() for path in _PAGE.iterdir() if path.suffix in _TYPES}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def __enter__(self) -> Server:
        """Start to serve.

        Raises:
            UsageError: the address cannot be bound.
        """
        with contextlib.ExitStack() as stack:
            self._thread.start()
            stack.callback(self._end)
            try:
                self._port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
            except OSError as error:
                problem = f"cannot serve at {self._host}:{self._port}: {error.strerror or error}"
                raise UsageError(problem, hint="another --port; is a page served there already?") from error
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._end()

    @property
    def url(self) -> str:
        """The address to open."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/" + (f"?token={quote(self._token)}" if self._token else "")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> int:
        application = web.Application(middlewares=[guard(self._token)])
        application.on_response_prepare.append(add_headers)
        application.router.add_get("/", self._page)
        application.router.add_get("/stream", self._stream)
        application.router.add_get("/recordings/{name}", self._recording)
        application.router.add_get("/{name}", self._page)
        self._runner = web.AppRunner(application, access_log=None, logger=log, shutdown_timeout=_GOODBYE_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._screen.open()
        port: int = self._runner.addresses[0][1]
        return port

    async def _stop(self) -> None:
        self._screen.close()
        for viewer in tuple(self._viewers):
            await viewer.close()
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        if name not in self._files:
            raise web.HTTPNotFound(text="there is no such page\n")
        return web.Response(body=self._files[name], content_type=_TYPES[Path(name).suffix], charset="utf-8")

    async def _recording(self, request: web.Request) -> web.FileResponse:
        path = recorder.find(self._recordings, request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound(text="there is no such recording\n")
        return web.FileResponse(path, headers={"Content-Disposition": f'attachment; filename="{path.name}"'})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        if len(self._viewers) >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} pages are open already\n")
        socket = web.WebSocketResponse(max_msg_size=requests.LONGEST_BYTES, compress=False, heartbeat=_HEARTBEAT_S)
        self._viewers.add(socket)
        try:
            await socket.prepare(request)
            await self._serve(socket)
        finally:
            self._viewers.discard(socket)
        return socket

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        viewer = _Viewer(socket, self._screen)
        async with viewer.sending(self._about):
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                if message.data == "seen":
                    viewer.seen()
                    continue
                try:
                    self._ask(requests.parse(message.data))
                except PipelineError as error:
                    await viewer.refuse(error)


class _Viewer:
    """Sends one viewer what is on the screen, as fast as it draws."""

    def __init__(self, socket: web.WebSocketResponse, screen: Screen) -> None:
        self._socket, self._screen = socket, screen
        self._turn = asyncio.Lock()
        self._free, self._ahead = asyncio.Event(), 0
        self._free.set()

    def seen(self) -> None:
        """A frame was drawn."""
        self._ahead = max(0, self._ahead - 1)
        self._free.set()

    async def refuse(self, error: PipelineError) -> None:
        with contextlib.suppress(ConnectionError):
            async with self._turn:
                await self._socket.send_str(json.dumps({"refused": error.problem}))

    @contextlib.asynccontextmanager
    async def sending(self, about: dict[str, object]) -> AsyncIterator[None]:
        """Send within the block."""
        task = asyncio.ensure_future(self._send(about))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _send(self, about: dict[str, object]) -> None:
        shown: Shown | None = None
        with contextlib.suppress(ConnectionError):
            await self._socket.send_str(json.dumps({"about": about}))
            while True:
                await self._free.wait()
                shown = await self._screen.after(shown)
                message = await self._screen.encoded(shown)
                self._ahead += 1  # before it is sent: the answer may be here before the sending is over
                if self._ahead >= _AHEAD:
                    self._free.clear()
                async with self._turn:
                    await self._socket.send_bytes(message)
