"""Sending stored files to browsers and scripts. They came from workers: never rendered with the server's own rights."""

import unicodedata
from collections.abc import AsyncIterator
from urllib.parse import quote

from litestar.response import Stream

from goliat_monitoring.server.services import Services

# What may be shown in a browser as it is. Everything else is a download.
SHOWN = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".json": "application/json",
    ".log": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
}
# No scripts, no network, no cookies, an origin of its own: the page of a hostile result can only be looked at.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


async def file_answer(services: Services, key: str, filename: str, size: int, *, show: bool = False) -> Stream:
    """A stored file as a download, or with `show` to be looked at in a sandbox. Raises `Refused` 404 if it is gone."""
    suffix = "." + filename.rpartition(".")[2].lower()
    media_type = SHOWN.get(suffix, "application/octet-stream") if show else "application/octet-stream"
    shown = show and suffix in SHOWN
    headers = {
        # Not as the answer's media type: that of a handler that may also answer with JSON would win.
        "Content-Type": media_type,
        "Content-Length": str(size),
        "Content-Disposition": disposition(filename, inline=shown),
        "Content-Security-Policy": SANDBOX,
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    return Stream(await opened(services.storage.read(key)), headers=headers, status_code=200)


async def opened(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`pieces`, after the first was read: a file that is gone is refused before the answer begins."""
    first = await anext(pieces, b"")

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return rest()


def disposition(filename: str, *, inline: bool = False) -> str:
    """A `Content-Disposition` for any name: plain ASCII for old clients, RFC 8187 for all others."""
    ascii_name = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    ascii_name = "".join(c if c.isprintable() and c not in '"\\;%' else "_" for c in ascii_name) or "file"
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(filename, safe='')}"
