"""The one form of every refusal: what is wrong, where, and what to do."""

import msgspec


class ApiError(msgspec.Struct, omit_defaults=True):
    """Body of every answer that is not a success."""

    error: str
    details: str = ""


class Refused(Exception):
    """A request that cannot be served; becomes an `ApiError` with `status`.

    Raised by any floor above `wire`; only the edge (HTTP or command line) turns it into words on the wire.
    """

    def __init__(self, status: int, error: str, details: str = "", extra: dict[str, object] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.details = details
        self.extra = extra or {}

    def __reduce__(self) -> tuple[object, ...]:
        """It travels from the writer's process to the one that answers."""
        return type(self), (self.status, self.error, self.details, self.extra)

    def body(self) -> dict[str, object]:
        """The JSON object to answer with."""
        return {"error": self.error, **({"details": self.details} if self.details else {}), **self.extra}
