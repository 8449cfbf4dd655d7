#!/usr/bin/env python3
"""A TCP proxy that delays what passes: a long link on one machine. Usage: delay_proxy.py PORT MILLISECONDS

Every byte arrives that long (half a round trip) after it was sent, in both directions, without limiting the bandwidth; a
connection costs a round trip more, as its handshake would. Prints the port that it listens on.
"""
import asyncio
import sys


async def delayed(reader, writer, delay):
    """Passes on each piece `delay` seconds after it came; pieces do not wait for each other."""
    loop = asyncio.get_running_loop()
    pieces = asyncio.Queue(maxsize=1024)

    async def send():
        while (piece := await pieces.get()) is not None:
            due, data = piece
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    sender = asyncio.create_task(send())
    try:
        while data := await reader.read(65536):
            await pieces.put((loop.time() + delay, data))
    except ConnectionError:
        pass
    await pieces.put((loop.time() + delay, b""))
    try:
        await sender
    except ConnectionError:
        pass


async def main(port, delay):
    async def connected(reader, writer):
        await asyncio.sleep(2 * delay)  # the handshake that the loopback did at once
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(delayed(reader, up_writer, delay), delayed(up_reader, writer, delay))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 2000))
