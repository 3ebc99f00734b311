from __future__ import annotations

import asyncio
import http.client
import json
import socket
import struct
import time
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs the packages of requirements/web.txt")
import contextlib

import aiohttp

from serving.web.server import MOST_VIEWERS
from tests.serving.web.served import FRAME, Memory, serving

BOX = [40, 30, 50, 40]


def get(server, path, **headers):
    """Status, headers and body of a request that is sent as it is, with no part of the path tidied."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=10)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def talk(server, conversation):
    """Run the coroutine ``conversation(socket)`` on a socket of the server."""

    async def run():
        async with aiohttp.ClientSession() as session, session.ws_connect(server.url + "stream") as opened:
            return await asyncio.wait_for(conversation(opened), 20)

    return asyncio.run(run())


def unpack(message):
    (length,) = struct.unpack("<I", message[:4])
    return json.loads(message[4 : 4 + length]), cv2.imdecode(np.frombuffer(message[4 + length :], np.uint8), 1)


async def next_note(opened):
    """The note of the next frame, which is drawn at once."""
    message = await opened.receive()
    while message.type is not aiohttp.WSMsgType.BINARY:
        message = await opened.receive()
    await opened.send_str("seen")
    return unpack(message.data)[0]


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as served:
        yield served


def test_a_viewer_sees_the_model_then_frames_with_their_targets(server):
    async def follow(opened):
        about = await opened.receive_json()
        note, picture = unpack((await opened.receive()).data)
        await opened.send_str("seen")
        await opened.send_json({"action": "follow", "box": BOX})
        while not note["targets"] or note["targets"][0]["score"] is None:
            note = await next_note(opened)
        return about, picture, note

    about, picture, note = talk(server, follow)
    assert about["about"]["model"] == "stub"
    assert picture.shape == FRAME.shape
    assert note["size"] == [160, 120]
    (target,) = note["targets"]
    assert target["target"] == 1
    assert len(target["box"]) == 4
    assert {"crop", "network", "decode"} <= set(target["times_ms"])


def test_what_a_viewer_must_not_ask_is_told_and_nothing_ends(server):
    async def garbage(opened):
        for text in ("", "{", "[]", '{"action": "follow", "box": [1, 2, 3, NaN]}'):
            await opened.send_str(text)
        await opened.send_bytes(b"\x00\xff")
        refused = []
        while len(refused) < 4:
            message = await opened.receive()
            if message.type is aiohttp.WSMsgType.TEXT and "refused" in message.json():
                refused.append(message.json()["refused"])
            else:
                await opened.send_str("seen")
        return refused, await next_note(opened)

    refused, note = talk(server, garbage)
    assert "a box is four numbers" in refused[-1]
    assert note["frame"] >= 0


def test_a_message_that_is_too_long_ends_its_own_socket_only(server):
    async def long(opened):
        await opened.send_str("x" * 100_000)
        while (await opened.receive()).type is not aiohttp.WSMsgType.CLOSE:
            pass
        return opened.close_code

    assert talk(server, long) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    assert talk(server, next_note)["frame"] >= 0


def test_a_viewer_that_does_not_draw_misses_frames_and_keeps_nobody_waiting(server):
    async def sleepy(opened):
        got = []
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            try:
                message = await asyncio.wait_for(opened.receive(), 0.2)
            except asyncio.TimeoutError:
                break
            if message.type is aiohttp.WSMsgType.BINARY:
                got.append(unpack(message.data)[0]["frame"])
        before = len(got)
        await asyncio.sleep(0.3)
        await opened.send_str("seen")
        got.append((await next_note(opened))["frame"])
        return before, got

    before, frames = talk(server, sleepy)
    assert before == 2  # on their way at most
    assert frames[-1] > frames[-2] + 10  # the newest, not the one after


def test_viewers_are_bounded_and_those_who_leave_make_room(server):
    async def crowd():
        async with aiohttp.ClientSession() as session:
            opened = [await session.ws_connect(server.url + "stream") for _ in range(MOST_VIEWERS)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(server.url + "stream")
            for one in opened:
                await one.close()
            await asyncio.sleep(0.2)
            await (await session.ws_connect(server.url + "stream")).close()
            return refused.value.status

    assert asyncio.run(crowd()) == 503


def test_a_viewer_that_vanishes_leaves_the_others_alone(server):
    port = urlsplit(server.url).port
    for _ in range(MOST_VIEWERS + 4):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(
                b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert raw.recv(12) == b"HTTP/1.1 101"
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no goodbye
        time.sleep(0.02)
    assert talk(server, next_note)["frame"] > 0


@pytest.mark.parametrize("name", ["", "page.js", "page.css", "plots.js", "picture.js", "icon.svg"])
def test_the_files_of_the_page(server, name):
    status, headers, body = get(server, f"/{name}")
    assert status == 200
    assert body
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/..%2fserver.py",
        "/%2e%2e/server.py",
        "//etc/passwd",
        "/page/page.js",
        "/recordings/../secret.jsonl",
        "/recordings/..%2fsecret.jsonl",
        "/recordings/%2e%2e%2fsecret.jsonl",
        "/recordings//secret.jsonl",
        "/recordings/",
        "/recordings/recording-001.jsonl%00",
        "/server.py",
        "/%7f",
    ],
)
def test_no_other_file_is_served(tmp_path, path):
    (tmp_path / "secret.jsonl").write_text("secret")
    (tmp_path / "in").mkdir()
    with serving(tmp_path / "in") as server:
        status, _, body = get(server, path)
    assert status in (400, 403, 404)
    assert b"secret" not in body


def test_a_recording_is_downloaded_whole(tmp_path):
    with serving(tmp_path) as server:

        async def record(opened):
            note = await next_note(opened)
            await opened.send_json({"action": "record"})
            await opened.send_json({"action": "follow", "box": BOX})
            while not note["recording"] or note["recording"]["lines"] < 5:
                note = await next_note(opened)
            await opened.send_json({"action": "stop"})
            while note["recording"]["runs"]:
                note = await next_note(opened)
            return note["recording"]

        recording = talk(server, record)
        status, headers, body = get(server, f"/recordings/{recording['name']}")
    assert status == 200
    assert "attachment" in headers["Content-Disposition"]
    lines = [json.loads(line) for line in body.splitlines()]
    assert len(lines) == recording["lines"]
    assert {line["target"] for line in lines} == {1}


# Who may ask


def test_without_a_token_only_names_of_this_machine_and_its_own_page(server):
    assert get(server, "/", Host="localhost:8090")[0] == 200
    assert get(server, "/", Host="[::1]:8090")[0] == 200
    assert get(server, "/", Host="evil.example")[0] == 403  # a name that was pointed here
    assert get(server, "/", Host="127.0.0.1", Origin="http://127.0.0.1")[0] == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1.evil.example"):
        assert get(server, "/stream", Host="127.0.0.1", Origin=origin)[0] == 403


def test_with_a_token_nothing_is_served_without_it(tmp_path):
    with serving(tmp_path, token="a b/ü") as server:
        for path in (
            "/",
            "/page.js",
            "/stream",
            "/recordings/recording-001.jsonl",
            "/?token=",
            "/?token=a",
            "/nothing",
        ):
            assert get(server, path)[0] == 403
        assert get(server, "/", Cookie="siamtrt_token=%FF%00")[0] == 403
        status, headers, _ = get(server, urlsplit(server.url).path + "?" + urlsplit(server.url).query)
        assert (status, headers["Location"]) == (302, "/")
        assert "HttpOnly" in headers["Set-Cookie"]
        cookie = headers["Set-Cookie"].partition(";")[0]
        assert get(server, "/", Cookie=cookie)[0] == 200
        assert get(server, "/", Cookie=cookie, Host="board.local:8090")[0] == 200


def test_requests_that_are_no_http_end_quietly(server, caplog):
    port = urlsplit(server.url).port
    for data in (
        b"\x16\x03\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"A" * 100_000,
        b"GET / HTTP/1.1\r\nHost:",
    ):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(data)
            raw.settimeout(0.3)
            with contextlib.suppress(socket.timeout, ConnectionError):
                raw.recv(1000)
    assert get(server, "/")[0] == 200
    assert "Traceback" not in caplog.text


def test_a_port_that_is_taken_is_one_sentence(server, tmp_path):
    from serving.web.screen import Screen
    from serving.web.server import Server
    from siamtrt import UsageError

    port = urlsplit(server.url).port
    address = {"host": "127.0.0.1", "port": port, "token": None}
    with pytest.raises(UsageError, match=f"cannot serve at 127.0.0.1:{port}"), Server(
        Screen(), lambda request: None, {}, tmp_path, **address
    ):
        pass


def test_a_page_that_is_closed_while_a_frame_is_encoded_ends_in_time(tmp_path):
    large = np.zeros((2000, 3000, 3), np.uint8)
    started = time.monotonic()
    with serving(tmp_path, lambda: Memory([large for _ in range(1000)], count=1000)) as server:
        talk(server, next_note)
    assert time.monotonic() - started < 10
