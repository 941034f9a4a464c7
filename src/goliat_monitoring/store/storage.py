"""Where the bytes of result files and screenshots lie: a local folder, or any store that obstore can reach.

Keys are made from ids, never from a worker's text. What `keep` returned from is on disk, so the row that names it may
be committed. A local folder is written and read directly: moving a finished file into place costs nothing, and the
operating system serves it better than a second copy would.
"""

import asyncio
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from goliat_monitoring.wire.errors import Refused

KEY = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)*")
# Small files stay in memory until they are kept; larger ones go to disk in pieces of this size.
PIECE = 1 << 20


class Spool:
    """One file on its way in: hashed and measured while it arrives, on disk once it is large."""

    def __init__(self, folder: Path, limit: int) -> None:
        """`limit`: bytes after which `write` refuses."""
        self._folder = folder
        self._limit = limit
        self._hash = hashlib.sha256()
        self._waiting = bytearray()
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of all that was written so far."""
        return self._hash.hexdigest()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. Raises `Refused` 413 past the limit, 507 when the disk is full."""
        self.size += len(data)
        if self.size > self._limit:
            raise Refused(413, "the file is too large", f"at most {self._limit} bytes are taken")
        self._waiting += data
        if len(self._waiting) >= PIECE:
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        data, self._waiting = self._waiting, bytearray()
        self._hash.update(data)
        try:
            if self._file is None:
                handle, name = tempfile.mkstemp(dir=self._folder, prefix="upload-")
                self._path = Path(name)
                self._file = os.fdopen(handle, "wb")
            self._file.write(data)
        except OSError as problem:
            raise full_disk(problem) from problem

    def settle(self, *, durable: bool) -> Path:
        """Write the rest out and close. Returns the temporary file; with `durable` its bytes survive a power cut."""
        self._flush()
        assert self._file is not None  # noqa: S101 - `_flush` opened it
        assert self._path is not None  # noqa: S101
        try:
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError as problem:
            raise full_disk(problem) from problem
        self._file.close()
        return self._path

    def discard(self) -> None:
        """Drop what is left of it. Does nothing once it was kept."""
        self._waiting.clear()
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class Store(Protocol):
    """What a place for files must do. Keys are checked already."""

    async def keep(self, spool: Spool, key: str, *, durable: bool) -> None:
        """Take the whole file over under `key`."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of `key`, in pieces."""

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """`size` bytes of `key` from byte `start` on. For a thread that may wait."""

    async def delete(self, key: str) -> None:
        """Forget `key`; no error when it is not there."""

    def list(self, folder: str) -> AsyncIterator[list[str]]:
        """Keys below `folder`, some at a time."""

    async def check(self) -> None:
        """Raise unless a file can be written now."""


class LocalFiles:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    async def keep(self, spool: Spool, key: str, *, durable: bool) -> None:
        await asyncio.to_thread(self._keep, spool, self._root / key, durable)

    def _keep(self, spool: Spool, target: Path, durable: bool) -> None:
        source = spool.settle(durable=durable)
        try:
            missing = [folder for folder in target.parents if not folder.exists()]
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
            if durable:
                for folder in {target.parent, *(new.parent for new in missing)}:
                    _sync_folder(folder)
        except OSError as problem:
            raise full_disk(problem) from problem

    async def read(self, key: str) -> AsyncIterator[bytes]:
        path = self._root / key
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:
            raise _gone(key) from None
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
        finally:
            file.close()

    def read_part(self, key: str, start: int, size: int) -> bytes:
        try:
            with (self._root / key).open("rb") as file:
                file.seek(start)
                return file.read(size)
        except FileNotFoundError:
            raise _gone(key) from None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread((self._root / key).unlink, missing_ok=True)

    async def list(self, folder: str) -> AsyncIterator[list[str]]:
        top = self._root / folder
        if not top.is_dir():
            return
        # A folder at a time: all names of all of them may be many.
        walk = os.walk(top)
        while (step := await asyncio.to_thread(next, walk, None)) is not None:
            found, _, files = step
            place = Path(found).relative_to(self._root).as_posix()
            if files:
                yield [f"{place}/{name}" for name in files]

    async def check(self) -> None:
        def probe() -> None:
            with tempfile.TemporaryFile(dir=self._root) as file:
                file.write(b"ok")

        await asyncio.to_thread(probe)


class RemoteFiles:
    """Any object store that obstore can reach by URL."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def keep(self, spool: Spool, key: str, *, durable: bool) -> None:  # noqa: ARG002 - an object store always is
        source = await asyncio.to_thread(spool.settle, durable=False)
        try:
            await obstore.put_async(self._store, key, source)
        except BaseError as problem:
            raise Refused(503, "the file storage does not answer", "nothing was kept; try again") from problem

    async def read(self, key: str) -> AsyncIterator[bytes]:
        try:
            found = await obstore.get_async(self._store, key)
        except FileNotFoundError:
            raise _gone(key) from None
        async for piece in found.stream(min_chunk_size=PIECE):
            yield bytes(piece)

    def read_part(self, key: str, start: int, size: int) -> bytes:
        try:
            return bytes(obstore.get_range(self._store, key, start=start, length=size))
        except FileNotFoundError:
            raise _gone(key) from None
        except BaseError as problem:
            raise Refused(503, "the file storage does not answer", "try again in a moment") from problem

    async def delete(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return

    async def list(self, folder: str) -> AsyncIterator[list[str]]:
        async for found in obstore.list(self._store, folder, chunk_size=1000):
            yield [entry["path"] for entry in found]

    async def check(self) -> None:
        await obstore.put_async(self._store, "ready", b"ok")


class Storage:
    """Files by key. `spool_dir` holds what is arriving; for a local folder it must be on the same disk."""

    def __init__(self, url: str, spool_dir: Path) -> None:
        """`url`: `file:///folder`, or what obstore knows (`s3://bucket/prefix`, `memory:///`, ...).

        Raises `Refused` 400 for another one, 500 where a folder cannot be made.
        """
        self.url = url
        parsed = urlparse(url)
        try:
            if parsed.scheme == "file":
                root = Path(url2pathname(unquote(parsed.path) if os.name != "nt" else parsed.path))
                self._store: Store = LocalFiles(root)
                self._spool_dir = root / "incoming"
            else:
                self._store = RemoteFiles(from_url(url))
                self._spool_dir = spool_dir
            self._spool_dir.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise Refused(500, "the folder for files cannot be used", str(problem)) from problem
        except BaseError as problem:
            why = str(problem).partition("\n")[0]
            raise Refused(
                400, "bad storage URL", f"{why}. Use file:///FOLDER, s3://BUCKET, gs://BUCKET or az://CONTAINER"
            ) from problem
        for left in self._spool_dir.glob("upload-*"):
            left.unlink(missing_ok=True)  # of uploads that a crash cut off

    def spool(self, limit: int) -> Spool:
        """Begin to take a file of at most `limit` bytes. Discard it in any case when done."""
        return Spool(self._spool_dir, limit)

    async def keep(self, spool: Spool, key: str, *, durable: bool = True) -> None:
        """Store the spooled file. `durable=False` for what may be lost in a power cut (screenshots)."""
        await self._store.keep(spool, _checked(key), durable=durable)

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The file in pieces. Raises `Refused` 404 at the first one if it is gone."""
        return self._store.read(_checked(key))

    async def read_all(self, key: str) -> bytes:
        """The whole file."""
        return b"".join([piece async for piece in self.read(key)])

    def read_part(self, key: str, start: int, size: int) -> bytes:
        """`size` bytes from byte `start` on, for a thread that may wait. Raises `Refused` 404 if they are gone."""
        part = self._store.read_part(_checked(key), start, size)
        if len(part) != size:
            raise Refused(404, "the file in the storage is too short", f"{key} ends before byte {start + size}")
        return part

    async def delete(self, *keys: str) -> None:
        """Delete files; what is not there is no error."""
        for key in keys:
            await self._store.delete(_checked(key))

    def list(self, folder: str) -> AsyncIterator[list[str]]:
        """Keys below `folder`, some at a time, in any order."""
        return self._store.list(_checked(folder))

    async def check(self) -> None:
        """Raise `Refused` 503 unless a file can be written now."""
        try:
            await self._store.check()
        except (OSError, BaseError) as problem:
            raise Refused(503, "the file storage cannot be written", type(problem).__name__) from problem


def full_disk(problem: OSError) -> Exception:
    """What a failed write means to the sender."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refused(507, "the server's disk is full", "nothing was kept; free space on the server and try again")
    return problem


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


def _gone(key: str) -> Refused:
    return Refused(404, "the file is not in the storage", f"its record names {key}, which is missing there")


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows has no such call; NTFS journals the rename
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
