"""A kept HTTP/1.1 connection with as little work as can be: hundreds of them share the machine with the server."""

import asyncio
from collections.abc import AsyncIterator, Mapping


class Connection:
    """One call at a time; opened with the first, and anew after the server closed it."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None) -> None:
        self._port = port
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer. Raises `OSError` or `asyncio.IncompleteReadError`."""
        reader = await self._send(method, path, body)
        status, headers = await _head(reader)
        content = await _body(reader, headers)
        if headers.get(b"connection", b"").lower() == b"close":
            await self.close()
        return status, content

    async def events(self, path: str) -> AsyncIterator[str]:
        """Names of the server-sent events of `path`, until the server ends the stream. Raises `OSError`."""
        reader = await self._send("GET", path, b"")
        status, _ = await _head(reader)
        if status != 200:
            raise ConnectionError(f"{path} was answered {status}")
        while line := await reader.readline():
            # The lines of chunked encoding between them are numbers.
            if line.startswith(b"event: "):
                yield line[7:].strip().decode()

    async def close(self) -> None:
        """Let go of it."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _send(self, method: str, path: str, body: bytes) -> asyncio.StreamReader:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{self._headers}"
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if method != "GET" else ""
        self._writer.write(f"{head}{length}\r\n".encode() + body)
        return self._reader


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    pairs = (line.partition(b":") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: Mapping[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding", b"") != b"chunked":
        return await reader.readexactly(int(headers.get(b"content-length", b"0")))
    pieces = []
    while size := int(await reader.readline(), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(pieces)
