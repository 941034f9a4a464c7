"""Forms with files, taken as a stream: each file goes to a spool while it arrives, nothing is held whole in memory."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from goliat_monitoring.server.body import too_large
from goliat_monitoring.store.storage import Spool, Storage
from goliat_monitoring.wire.errors import Refused

SCREENSHOT_LIMIT = 25 * 2**20
FILE_LIMIT = 2 * 2**30
MOST_PARTS = 500
TEXT_LIMIT = 64 * 2**10
# The parser drops such a folder from a file name without a word. A name with one is refused instead.
WINDOWS_FOLDER = re.compile(r'filename\s*=\s*"?(?:[A-Za-z]:|\\\\)')


@dataclass
class FilePart:
    """One file of a form. `name`: of its field; both names are the sender's text."""

    name: str
    filename: str
    spool: Spool


@dataclass
class Form:
    """What a form held. `discard` it in any case when done."""

    texts: dict[str, str] = field(default_factory=dict)
    files: list[FilePart] = field(default_factory=list)

    def discard(self) -> None:
        """Drop every file that was not kept."""
        for part in self.files:
            part.spool.discard()


async def read_form(
    stream: AsyncIterator[bytes], content_type: str, storage: Storage, *, file_limit: int, total_limit: int
) -> Form:
    """All parts of a multipart form. Raises `Refused` 400 for a broken one and 413 past the limits (bytes)."""
    form = Form()
    try:
        await _Reader(form, storage, file_limit, total_limit).read(stream, _boundary(content_type))
    except ParserLimitReached as problem:
        form.discard()
        raise Refused(413, "the form is too large", str(problem)) from None
    except MultipartError as problem:
        form.discard()
        raise Refused(400, "malformed multipart form", str(problem.args[0])) from None
    except BaseException:
        form.discard()
        raise
    return form


def _boundary(content_type: str) -> str:
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise Refused(400, "a multipart form is needed", "send multipart/form-data with a boundary")
    return str(boundary)


class _Reader:
    def __init__(self, form: Form, storage: Storage, file_limit: int, total_limit: int) -> None:
        self._form = form
        self._storage = storage
        self._file_limit = file_limit
        self._total_limit = total_limit
        self._part: MultipartSegment | None = None
        self._spool: Spool | None = None
        self._text = bytearray()

    async def read(self, stream: AsyncIterator[bytes], boundary: str) -> None:
        """Feed the parser until the form ends; the rest of the stream is read and ignored."""
        size = 0
        with PushMultipartParser(
            boundary, max_segment_count=MOST_PARTS, max_segment_size=self._file_limit, header_charset="utf8"
        ) as parser:
            async for piece in stream:
                size += len(piece)
                if size > self._total_limit:
                    raise too_large(self._total_limit)
                for event in parser.parse(piece):
                    await self._take(event)

    async def _take(self, event: "MultipartSegment | bytearray | bytes | None") -> None:
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._end()
        elif self._spool is not None:
            await self._spool.write(event)
        else:
            self._text += event
            if len(self._text) > TEXT_LIMIT:
                raise Refused(413, "a text field is too large", f"at most {TEXT_LIMIT} bytes are taken")

    def _begin(self, part: MultipartSegment) -> None:
        self._part = part
        self._text.clear()
        if part.filename is None:
            return
        if WINDOWS_FOLDER.search(str(part.header("Content-Disposition", ""))):
            raise Refused(400, "the file name cannot be stored", "it has a folder or a drive; send the bare name")
        self._spool = self._storage.spool(self._file_limit)
        # As it came: no system but Linux's can have a quote in a name.
        filename = str(part.filename).replace('"', "%22")
        self._form.files.append(FilePart(str(part.name), filename, self._spool))

    def _end(self) -> None:
        if self._spool is None and self._part is not None:
            try:
                self._form.texts.setdefault(str(self._part.name), self._text.decode())
            except UnicodeDecodeError:
                raise Refused(400, "malformed multipart form", f"field {self._part.name!r} is no UTF-8") from None
        self._part = self._spool = None


async def read_file(stream: AsyncIterator[bytes], storage: Storage, limit: int) -> Spool:
    """A raw body as one file. Raises `Refused` 413 past `limit` bytes."""
    spool = storage.spool(limit)
    try:
        async for piece in stream:
            await spool.write(piece)
    except BaseException:
        spool.discard()
        raise
    return spool
