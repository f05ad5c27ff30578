# An asyncio server with thirty clients, subprocesses and timeouts.
# needs: python3
# compare: native
python3 - <<'END'
import asyncio

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()

async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = []
    for i in range(5):
        writer.write(f"client {n} {i}\n".encode())
        got.append((await reader.readline()).decode().strip())
        await asyncio.sleep(0.001 * n)
    writer.close()
    await writer.wait_closed()
    return got[-1]

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sorted(await asyncio.gather(*(client(port, n) for n in range(30))))[:3])
    p = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    print(await p.communicate(b"via cat"))
    try:
        await asyncio.wait_for(asyncio.sleep(100), 0.2)
    except asyncio.TimeoutError:
        print("timeout")
    server.close()

asyncio.run(main())
END
