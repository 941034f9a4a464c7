"""A zip made while it is sent: no more than one piece of one file is in memory, and nothing of it on disk."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterable

from goliat_monitoring.store.read.runs import Artifact
from goliat_monitoring.store.storage import Storage
from goliat_monitoring.wire.clock import EPOCH, SECOND

# What is packed already gains nothing from another pass.
PACKED = (".jpg", ".jpeg", ".png", ".zip", ".gz", ".h5")


class _Sink(io.RawIOBase):
    """Takes what the zip file writes, hands it on, and cannot be wound back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data


async def zip_pieces(storage: Storage, files: Iterable[Artifact]) -> AsyncIterator[bytes]:
    """The bytes of a zip that holds `files` as `relative path/file name`."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for file in files:
            with archive.open(_entry(file), "w", force_zip64=file.size >= 2**31) as target:
                async for piece in storage.read(file.storage_key):
                    await asyncio.to_thread(target.write, piece)
                    if data := sink.take():
                        yield data
            if data := sink.take():
                yield data
    yield sink.take()


def _entry(file: Artifact) -> zipfile.ZipInfo:
    moment = (EPOCH.replace(tzinfo=None)).fromtimestamp(file.received_at / SECOND, tz=EPOCH.tzinfo)
    path = f"{file.relative_path}/{file.filename}" if file.relative_path else file.filename
    # A zip knows no time before 1980.
    entry = zipfile.ZipInfo(path, max(moment.timetuple()[:6], (1980, 1, 1, 0, 0, 0)))
    packed = file.filename.lower().endswith(PACKED)
    entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
