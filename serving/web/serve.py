"""``python -m serving web``: a page on which a target is drawn by mouse and followed."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import secrets
from pathlib import Path

from runtime.followed import Followed
from runtime.open_engines import DECODES, open_locators
from runtime.policies.parse import HELP
from runtime.sources import KINDS, open_source
from runtime.tracker import Tracker
from siamtrt import GraphPrecisions, Manifest, MissingDependencyError, ModelCard, cli
from siamtrt.libraries.cuda import WAITS

DEFAULT_PORT = 8090


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--source", required=True, help=KINDS)
    parser.add_argument("--out", type=Path, default=Path("build/live"), help="folder of what pages record")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve at; any but this machine's needs a token")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 for a free one")
    parser.add_argument("--token", help="what a browser has to name; at an outside address a new one by default")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--wait", choices=WAITS, help="for the GPU: on a core or asleep; by default as CUDA likes")
    parser.add_argument("--policy", help=f"where a model with exits stops: {HELP}")
    parser.add_argument("--decode", choices=DECODES, help="where the box is chosen; by default the GPU on TensorRT")


def main(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C, and print the address."""
    if importlib.util.find_spec("aiohttp") is None:
        raise MissingDependencyError("the page needs aiohttp", hint="pip install -r requirements/web.txt")
    from serving.live.live import Live
    from serving.web.access import is_loopback
    from serving.web.screen import Screen
    from serving.web.server import Server

    backend = {name: getattr(options, name) for name in ("threads", "decode", "wait", "policy")}

    def open_trackers(count: int) -> list[Tracker]:
        return [Tracker(locator) for locator in open_locators(options.engines, count, **backend)]

    token = options.token or (None if is_loopback(options.host) else secrets.token_urlsafe())
    with contextlib.ExitStack() as stack:
        followed = stack.enter_context(Followed(open_trackers))
        followed.make_room(1)
        screen = Screen()
        live = Live(lambda: open_source(options.source), followed, options.out, screen.show)
        stack.callback(live.close)
        about = {**_about(options.engines), "source": options.source, "frames": live.source.count}
        address = {"host": options.host, "port": options.port, "token": token}
        server = stack.enter_context(Server(screen, live.ask, about, options.out, **address))
        print(server.url, flush=True)  # noqa: T201
        live.run()


def _about(engines: Path) -> dict[str, object]:
    settings = Manifest.load(engines, stage="engines").settings
    precision = GraphPrecisions.parse(settings["precision"]).label
    return {"model": ModelCard.load(engines).name, "backend": settings["backend"], "precision": precision}


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)
