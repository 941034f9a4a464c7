"""Files by key: a local folder, and any other store behind the same calls."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from goliat_monitoring.store.storage import PIECE, Storage
from goliat_monitoring.wire.errors import Refused

CONTENT = bytes(range(256)) * (PIECE // 128)


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    url = (tmp_path / "files with spaces").as_uri() if request.param == "folder" else "memory:///"
    return Storage(url, tmp_path / "incoming")


async def put(storage: Storage, key: str, content: bytes) -> str:
    spool = storage.spool(10 * PIECE)
    try:
        for start in range(0, len(content), 10_000):
            await spool.write(content[start : start + 10_000])
        await storage.keep(spool, key)
        assert spool.size == len(content)
        return spool.sha256
    finally:
        spool.discard()


def test_what_is_kept_is_read_back(storage: Storage) -> None:
    async def test() -> None:
        for name, content in (("large", CONTENT), ("small", b"x"), ("empty", b"")):
            assert await put(storage, f"artifacts/run/{name}", content) == hashlib.sha256(content).hexdigest()
            assert await storage.read_all(f"artifacts/run/{name}") == content
        await storage.check()
        await storage.delete("artifacts/run/large", "artifacts/run/never-was")
        with pytest.raises(Refused) as refused:
            await storage.read_all("artifacts/run/large")
        assert refused.value.status == 404

    asyncio.run(test())


def test_keys_are_never_paths(storage: Storage) -> None:
    for key in ("../x", "/etc/passwd", "a//b", "a\\b", "", "a/", "A", "a.b"):
        with pytest.raises(ValueError, match="storage key"):
            storage.read(key)


def test_too_large_and_discarded_leave_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        storage = Storage((tmp_path / "files").as_uri(), tmp_path)
        spool = storage.spool(PIECE + 5)
        await spool.write(b"x" * PIECE)
        with pytest.raises(Refused) as refused:
            await spool.write(b"x" * 6)
        assert refused.value.status == 413
        spool.discard()
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []

    asyncio.run(test())


def test_uploads_that_a_crash_cut_off_are_cleared_at_the_next_start(tmp_path: Path) -> None:
    async def test() -> None:
        url = (tmp_path / "files").as_uri()
        spool = Storage(url, tmp_path).spool(10 * PIECE)
        await spool.write(b"x" * (2 * PIECE))
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
        Storage(url, tmp_path)
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []
        spool.discard()

    asyncio.run(test())


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    for url, said in ((taken.as_uri(), str(taken)), ("foo://bar", "s3://BUCKET"), ("s3://", "s3://BUCKET")):
        with pytest.raises(Refused) as refused:
            Storage(url, tmp_path / "incoming")
        assert said in refused.value.details
