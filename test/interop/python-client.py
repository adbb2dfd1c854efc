"""One conversation with an echo server, by Python's websockets.

python-client.py STEP URL: does what the step of that name says, and ends with status 0 and the
line `done`, or with a traceback. Uses nothing that version 10 of the package did not have.
"""
import asyncio
import sys

import websockets

TEXTS = ["hello", "", "grüß Gott, 世界 🌍", "\0\x7f\u0080\u07ff\u0800\uffff\U0010ffff", "é" * 2**19]
LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 2**20]
CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]


def connect(url, **options):
    return websockets.connect(url, max_size=None, open_timeout=10, close_timeout=5, **options)


async def echoes(ws, data):
    await ws.send(data)
    got = await ws.recv()
    assert type(got) is type(data), (type(got), type(data))
    assert got == data, "the echo differs"


async def text(url):
    async with connect(url) as ws:
        for data in TEXTS:
            await echoes(ws, data)


async def binary(url):
    async with connect(url) as ws:
        for length in LENGTHS:
            await echoes(ws, bytes(i * 7 % 251 for i in range(length)))


async def fragments(url):
    async with connect(url) as ws:
        for pieces in (["frag", "", "mé", "nts"], [b"\x00", b"", b"\xff\xfe"], ["x" * 1000] * 1000):
            await ws.send(pieces)
            got = await ws.recv()
            assert got == type(pieces[0])().join(pieces), "the echo differs"


async def pings(url):
    async with connect(url, ping_interval=None) as ws:
        for payload in (b"", b"are you there?", bytes(range(125))):
            pong = await ws.ping(payload)
            await asyncio.wait_for(pong, 5)

        async def pieces():
            yield "before"
            await asyncio.wait_for(await ws.ping(b"between"), 5)
            yield "after"

        await ws.send(pieces())
        assert await ws.recv() == "beforeafter"
        await ws.pong(b"nobody asked")
        await echoes(ws, "still here")


async def in_flight(url):
    async with connect(url) as ws:

        async def send():
            for number in range(5000):
                await ws.send(str(number))

        sending = asyncio.ensure_future(send())
        for number in range(5000):
            assert await ws.recv() == str(number)
        await sending


async def crowd(url):
    async def one(number):
        async with connect(url) as ws:
            for turn in range(5):
                await echoes(ws, f"{number} in turn {turn}")

    await asyncio.gather(*(one(number) for number in range(100)))


async def compression(url):
    """It is offered by default, and not taken."""
    async with connect(url, compression="deflate") as ws:
        assert list(ws.extensions if hasattr(ws, "extensions") else ws.protocol.extensions) == []
        await echoes(ws, "a" * 10_000)


async def subprotocol(url):
    async with connect(url, subprotocols=["other", "chat"]) as ws:
        assert ws.subprotocol == "chat", ws.subprotocol
        await echoes(ws, "hello")


async def close_codes(url):
    for code in CLOSE_CODES:
        async with connect(url) as ws:
            await ws.close(code, f"because of {code}, grüße")
            assert ws.close_code == code, (ws.close_code, code)


async def closed_by_server(url):
    """One byte more than the server takes."""
    async with connect(url) as ws:
        await ws.send(bytes(2**20 + 1))
        try:
            await ws.recv()
        except websockets.ConnectionClosed:
            pass
        assert ws.close_code == 1009, ws.close_code
        assert "larger" in ws.close_reason, ws.close_reason


async def shutdown(url):
    async with connect(url) as ws:
        await echoes(ws, "hello")
        print("open", flush=True)
        try:
            await ws.recv()
        except websockets.ConnectionClosed:
            pass
        assert ws.close_code == 1001, ws.close_code


step, url = sys.argv[1:]
asyncio.run(asyncio.wait_for(globals()[step](url), 60))
print("done")
