"""What viewers of the live page cost the tracker: ``python -m studies.web_viewers --engines DIR --clip DIR``.

One process tracks a clip of 1280x720 in its own time and serves the page. In turns of a hundred frames nobody looks, or
four viewers do, in a process of their own: two draw every frame, one draws five a second, one never says that it has
drawn; ``--fours 2`` makes them eight. Printed are the medians of the tracker's own time of a frame, without and with
viewers, their ratio with its interval over the turns, the same of its thread's processor time, which other programs on
the machine leave alone, and the frames a second that the viewers were sent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import cv2
import numpy as np

from runtime.followed import Followed
from runtime.open_engines import open_locators
from runtime.tracker import Tracker
from sequences.layouts import open_sequences
from serving.live import requests
from serving.live.live import Live
from serving.live.requests import Request
from serving.live.shown import Shown
from serving.web.screen import Screen
from serving.web.server import Server
from siamtrt import Array, BoundingBox, Manifest, cli, documents
from siamtrt.environment import describe

SIZE = (1280, 720)
TURN, WARM_UP = 100, 10
FOUR_S: dict[str, float | None] = {"fast": 0.0, "also fast": 0.0, "slow": 0.2, "asleep": None}


class Clip:
    """A clip scaled to 720p, over and over, at a rate of its own."""

    def __init__(self, folder: Path) -> None:
        self.count: int | None = 1 << 30
        self.fps = 30.0
        video = open_sequences(folder)[0]
        self._frames = [cv2.resize(video.frame(index), SIZE) for index in range(len(video))]
        height, width = video.frame(0).shape[:2]
        box, across, down = video.start_box(0), SIZE[0] / width, SIZE[1] / height
        self.box = BoundingBox(box.x * across, box.y * down, box.width * across, box.height * down)

    def frames(self) -> Iterator[Array]:
        """The clip forwards and backwards, so that the target never jumps."""
        while True:
            yield from self._frames
            yield from reversed(self._frames[1:-1])


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    viewers = {f"{name} {four + 1}": pause for four in range(options.fours) for name, pause in FOUR_S.items()}
    clip, screen, seen_once = Clip(options.clip), Screen(), threading.Event()
    times: list[Times] = []
    processor_ns = 0

    def show(shown: Shown) -> None:
        nonlocal processor_ns
        before, processor_ns = processor_ns, time.thread_time_ns()
        for _, state in shown.targets:
            if state.score is not None:
                times.append(Times(sum(state.times.values()) / 1e6, (processor_ns - before) / 1e6))
        screen.show(shown)
        seen_once.set()

    def open_trackers(count: int) -> list[Tracker]:
        return [Tracker(locator) for locator in open_locators(options.engines, count, threads=options.threads)]

    with contextlib.ExitStack() as stack:
        followed = stack.enter_context(Followed(open_trackers))
        live = Live(lambda: clip, followed, Path(), show)
        runner = threading.Thread(target=live.run)
        server = stack.enter_context(Server(screen, live.ask, {}, Path(), host="127.0.0.1", port=0, token=None))
        runner.start()
        stack.callback(runner.join)
        stack.callback(live.stop)
        seen_once.wait()
        live.ask(Request(requests.FOLLOW, clip.box))
        live.ask(Request(requests.GO))
        turns = [_turn(server.url, times, viewers if number % 2 else {}) for number in range(2 * options.turns)]
    alone, seen = turns[::2], turns[1::2]
    if options.out:
        document = {
            "command": cli.command_line("studies.web_viewers"),
            "environment": describe(),
            "load_average": os.getloadavg(),
            "engines_manifest": asdict(Manifest.load(options.engines, stage="engines")),
            "threads": options.threads,
            "turns": [asdict(turn) for turn in turns],
        }
        documents.write(options.out, document, indent=None)
    for name, median in (("wall clock", Turn.median_ms), ("processor", Turn.median_processor_ms)):
        before, after = ([median(turn) for turn in part] for part in (alone, seen))
        ratios = [one / other for other, one in zip(before, after)]
        low, high = _interval(ratios)
        medians = f"{statistics.median(before):6.2f} ms a frame alone, {statistics.median(after):6.2f} ms"
        figures = f"{medians} with {len(viewers)} viewers"
        print(f"{name:10} {figures}, ratio {statistics.mean(ratios):.3f}, {low:.3f} to {high:.3f}")  # noqa: T201
    for name in viewers:
        rates = [turn.rates[name] for turn in seen]
        print(f"sent to {name:12} {statistics.median(rates):.1f} frames a second")  # noqa: T201


@dataclass(frozen=True)
class Times:
    """What a frame took: the tracker by the wall clock, and its thread of the processor from frame to frame."""

    wall_ms: float
    processor_ms: float


@dataclass(frozen=True)
class Turn:
    """A run of frames.

    Attributes:
        rates: frames a second that each viewer was sent; empty without viewers.
        times: of each frame.
    """

    rates: dict[str, float]
    times: list[Times]

    def median_ms(self) -> float:
        """The median of the frames by the wall clock."""
        return statistics.median(one.wall_ms for one in self.times)

    def median_processor_ms(self) -> float:
        """The median of the frames by the processor."""
        return statistics.median(one.processor_ms for one in self.times)


def _turn(url: str, times: list[Times], viewers: dict[str, float | None]) -> Turn:
    """Wait for a turn's frames, with *viewers* or without; the first few do not count."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_look, args=(url, viewers, theirs))
    if viewers:
        process.start()
        ours.recv()
    first = len(times) + WARM_UP
    while len(times) < first + TURN:
        time.sleep(0.01)
    rates: dict[str, float] = {}
    if viewers:
        ours.send(None)
        rates = ours.recv()
        process.join()
    return Turn(rates, times[first : first + TURN])


def _look(url: str, viewers: dict[str, float | None], pipe: Connection) -> None:
    """Be the viewers until told to stop, then tell the frames a second that each got; the process of its own."""
    pipe.send(asyncio.run(_viewers(url, viewers, pipe)))


async def _viewers(url: str, viewers: dict[str, float | None], pipe: Connection) -> dict[str, float]:
    counts = dict.fromkeys(viewers, 0)

    async def view(name: str, pause_s: float | None) -> None:
        async with session.ws_connect(f"{url}stream", max_msg_size=0) as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    counts[name] += 1
                    if pause_s is not None:
                        await asyncio.sleep(pause_s)
                        await socket.send_str("seen")

    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.ensure_future(view(name, pause_s)) for name, pause_s in viewers.items()]
        while not all(counts.values()):
            await asyncio.sleep(0.01)
        before, started = dict(counts), time.perf_counter()
        pipe.send(None)
        while not pipe.poll():
            await asyncio.sleep(0.02)
        elapsed_s = time.perf_counter() - started
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {name: (counts[name] - before[name]) / elapsed_s for name in counts}


def _interval(ratios: list[float]) -> tuple[float, float]:
    """The interval of the mean, by bootstrap over the turns."""
    rng = np.random.default_rng(0)
    means = rng.choice(ratios, (10_000, len(ratios))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.web_viewers", "What viewers of the live page cost the tracker.")
    arguments.add_argument("--engines", type=Path, required=True)
    arguments.add_argument("--clip", type=Path, required=True, help="a sequence in any layout, scaled to 720p")
    arguments.add_argument("--turns", type=cli.count, default=10, help="pairs of turns, without and with viewers")
    arguments.add_argument("--fours", type=cli.count, default=1, help="how many times the four viewers")
    arguments.add_argument("--threads", type=cli.count, default=1, help="of the CPU backend")
    arguments.add_argument("--out", type=Path, help="a JSON file with every sample")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
