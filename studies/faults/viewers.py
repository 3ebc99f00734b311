"""Eight clients at the live page: ``python -m studies.faults.viewers --engines E --source CLIP``.

The clip is followed on the page in turns, seen by one client and by eight. Of the eight one takes a second over each
frame and one never answers. Does any of them change what a frame takes the tracker, and do the others see all of it?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from benchmarks.reports.collect import paper_trail
from sequences.layouts import open_sequences
from siamtrt import Manifest, ProbeError, cli, documents
from siamtrt.environment import describe

_FEW, _MANY = 1, 8
_SLOW_S = 1.0
_SETTLE_S = 0.5


@dataclass(frozen=True)
class Turn:
    """One play of the clip.

    Attributes:
        clients: how many saw it.
        tracker_ms: median of what a frame took the tracker, all stages.
        frames_seen: of each client.
        requests_s: seconds until the page answered the first client's request with a frame.
    """

    clients: int
    tracker_ms: float
    frames_seen: tuple[int, ...]
    requests_s: float


def main(options: argparse.Namespace) -> None:
    """Play in turns, and print the ratio of the medians."""
    words = ["serving", "web", "--engines", options.engines, "--source", options.source, "--port", 0, "--threads", 1]
    page = subprocess.Popen([sys.executable, "-m", *map(str, words)], stdout=subprocess.PIPE, text=True)
    try:
        address = page.stdout.readline().strip() if page.stdout else ""
        box = open_sequences(options.source)[0].start_box(0)
        turns = asyncio.run(_turns(address, [box.x, box.y, box.width, box.height], options.rounds, options.seconds))
        if page.poll() is not None:
            raise ProbeError(f"the page ended by itself with {page.returncode}")
    finally:
        page.terminate()
        page.wait()
    medians = {count: [turn.tracker_ms for turn in turns if turn.clients == count] for count in (_FEW, _MANY)}
    ratios = [many / few for few, many in zip(*medians.values())]
    few, many = (statistics.median(medians[count]) for count in (_FEW, _MANY))
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"tracker {few:.2f} ms seen by one, {many:.2f} by eight: {statistics.median(ratios):.3f} ({spread})")  # noqa: T201
    if options.out:
        about = {"environment": describe(), "command": cli.command_line("studies.faults.viewers")}
        trail = paper_trail(Manifest.load(options.engines, stage="engines"))
        figures = {"ratio": round(statistics.median(ratios), 4), "turns": [asdict(turn) for turn in turns]}
        documents.write(options.out, {**about, **trail, **figures})


async def _turns(address: str, box: list[float], rounds: int, seconds: float) -> list[Turn]:
    async with ClientSession() as session:
        return [await _turn(session, address, box, count, seconds) for _ in range(rounds) for count in (_FEW, _MANY)]


async def _turn(session: ClientSession, address: str, box: list[float], count: int, seconds: float) -> Turn:
    sockets = [await session.ws_connect(f"{address}stream") for _ in range(count)]
    notes: list[list[dict[str, object]]] = [[] for _ in sockets]
    waits = [_SLOW_S if number == 1 else None if number == 2 else 0.0 for number in range(count)]
    tasks = [asyncio.ensure_future(_watch(*each)) for each in zip(sockets, notes, waits)]
    started = time.monotonic()
    await sockets[0].send_str(json.dumps({"action": "again"}))
    await asyncio.sleep(_SETTLE_S)  # the first frame is there
    await sockets[0].send_str(json.dumps({"action": "follow", "box": box}))
    await sockets[0].send_str(json.dumps({"action": "go"}))
    while not _tracked(notes[0]) and time.monotonic() - started < seconds:
        await asyncio.sleep(0.01)
    answered = time.monotonic() - started - _SETTLE_S
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    for socket in sockets:
        await socket.close()
    times = _tracked(notes[0])
    if not times:
        raise ProbeError("the page followed nothing", hint="a longer clip, or more --seconds")
    return Turn(count, round(statistics.median(times), 4), tuple(map(len, notes)), round(answered, 3))


async def _watch(socket: ClientWebSocketResponse, notes: list[dict[str, object]], wait_s: float | None) -> None:
    """Take frames; None as *wait_s* never says that one was seen."""
    async for message in socket:
        if message.type is not WSMsgType.BINARY:
            continue
        (length,) = struct.unpack("<I", message.data[:4])
        notes.append(json.loads(message.data[4 : 4 + length]))
        if wait_s is not None:
            await asyncio.sleep(wait_s)
            await socket.send_str("seen")


def _tracked(notes: list[dict[str, object]]) -> list[float]:
    """Milliseconds of the tracker in each frame that it followed; a frame that is shown twice counts once."""
    times = {}
    for note in notes:
        for target in note["targets"]:  # type: ignore[attr-defined]
            stages = {name: value for name, value in target["times_ms"].items() if value is not None}
            if target["score"] is not None:
                times[note["frame"]] = sum(stages.values())
    return list(times.values())


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.faults.viewers", "Eight clients at the live page beside one.")
    arguments.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    arguments.add_argument("--source", type=Path, required=True, help="a folder of images with their truth")
    arguments.add_argument("--rounds", type=cli.count, default=10)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    arguments.add_argument("--out", type=Path, help="a JSON file of every turn")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
