# A client that speaks WebSocket by the library `websockets`, through the sidecar beside it:
#   client.py echo COUNT      sends so many messages while it reads their echoes, and closes
#   client.py idle SECONDS    says one thing, waits, and says another
#   client.py close           asks the app to close
import asyncio
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def message(index):
    return f"message {index}" if index % 2 == 0 else os.urandom(1 + index % 300)


async def echo(connection, count):
    sent = [message(index) for index in range(count)]

    async def send():
        for one in sent:
            await connection.send(one)

    sending = asyncio.create_task(send())
    same = 0
    for one in sent:
        same += await connection.recv() == one
    await sending
    await connection.close(1000, "that was all")
    print(f"echoed {same}")


async def idle(connection, seconds):
    await connection.send("before")
    before = await connection.recv()
    await asyncio.sleep(seconds)
    await connection.send("after")
    print(before, await connection.recv())


async def close(connection):
    await connection.send("close me")
    try:
        await connection.recv()
    except ConnectionClosed as closed:
        print(f"closed {closed.rcvd.code} {closed.rcvd.reason}")


async def main(what, *numbers):
    url = f"ws://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/v1.0/invoke/chat/method/room"
    async with connect(url, ping_interval=None, proxy=None) as connection:
        await {"echo": echo, "idle": idle, "close": close}[what](connection, *map(int, numbers))


asyncio.run(main(*sys.argv[1:]))
