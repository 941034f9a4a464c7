"""A multipart body, read piece by piece from a socket or a file: nothing of it is held in memory as a whole."""

from collections.abc import Callable, Iterator

import multipart

# A bound for hostile bodies; GOLIAT sends at most eight parts.
MAX_PARTS = 200


class BadBody(ValueError):
    """The body is not what its headers say; the text names the reason."""


class Part:
    """The head of one part. `filename` is None for a plain field; both are hostile text."""

    def __init__(self, name: str, filename: str | None) -> None:
        self.name = name
        self.filename = filename


def events(read: Callable[[int], bytes], length: int, content_type: str) -> Iterator[Part | bytes | None]:
    """For each part its head, its bytes in pieces, and None at its end.

    Raises BadBody for anything that is not a complete multipart/form-data body of `length` bytes.
    """
    kind, options = multipart.parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind.lower() != "multipart/form-data" or not boundary:
        raise BadBody("the body must be multipart/form-data with a boundary")
    try:
        parser = multipart.PushMultipartParser(
            boundary, content_length=length, max_segment_count=MAX_PARTS, header_charset="utf8"
        )
        for event in parser.parse_blocking(read):
            if event is None or isinstance(event, (bytes, bytearray)):
                yield None if event is None else bytes(event)
            else:
                yield Part(event.name or "", event.filename)
    except (multipart.MultipartError, UnicodeError) as error:
        raise BadBody(f"the multipart body is broken: {error}") from error
