# An app that speaks WebSocket by the library `websockets`: it echoes, closes when it is asked to, and tells its standard output how
# each connection ended. It sends no pings: what is idle is idle.
import asyncio
import os

from websockets.asyncio.server import serve


async def chat(connection):
    async for message in connection:
        if message == "close me":
            await connection.close(4001, "as you wish")
            break
        await connection.send(message)
    print(f"closed {connection.close_code} {connection.close_reason}", flush=True)


async def main():
    async with serve(chat, "127.0.0.1", int(os.environ["APP_PORT"]), ping_interval=None) as server:
        await server.serve_forever()


asyncio.run(main())
