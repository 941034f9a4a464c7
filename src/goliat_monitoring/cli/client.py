"""The HTTP API as the commands use it: JSON in, JSON out, and every failure one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from goliat_monitoring.wire.errors import Refused

if TYPE_CHECKING:
    import httpx

CONNECT_S, ANSWER_S = 10.0, 60.0


class Client:
    """One server, until its `with` block ends. Raises `Refused` with a sentence for a person, whatever goes wrong."""

    def __init__(self, server: str, token: str = "") -> None:
        self.server = server.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        import httpx  # noqa: PLC0415 -- 15 MB that a server need not hold

        try:
            self._http = httpx.Client(
                base_url=self.server, headers=headers, timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S)
            )
        except (httpx.InvalidURL, ValueError) as problem:
            raise Refused(400, f"{server} is no address of a server", str(problem)) from problem

    def get(self, path: str, **query: object) -> Any:
        """The JSON answer to a GET."""
        return self._json("GET", path, params={name: str(value) for name, value in query.items() if value is not None})

    def post(self, path: str, body: object = None) -> Any:
        """The JSON answer to a POST."""
        return self._json("POST", path, json=body)

    def patch(self, path: str, body: object) -> Any:
        """The JSON answer to a PATCH."""
        return self._json("PATCH", path, json=body)

    def put(self, path: str, body: object) -> Any:
        """The JSON answer to a PUT."""
        return self._json("PUT", path, json=body)

    def put_file(self, path: str, body: bytes) -> Any:
        """The JSON answer to a PUT of a JSON file as it is."""
        return self._json("PUT", path, content=body, headers={"Content-Type": "application/json"})

    def delete(self, path: str) -> Any:
        """The JSON answer to a DELETE."""
        return self._json("DELETE", path)

    def download(self, path: str, target: Path) -> int:
        """Store the answer as `target`, whole or not at all; its size in bytes."""
        part = target.with_name(f".{target.name}.part")
        try:
            with self._answers(), self._http.stream("GET", path) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise _refusal(answer)
                with part.open("wb") as file:
                    for piece in answer.iter_bytes():
                        file.write(piece)
            part.replace(target)
        except OSError as problem:
            raise Refused(400, f"{target} cannot be written", problem.strerror or str(problem)) from problem
        finally:
            part.unlink(missing_ok=True)
        return target.stat().st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._http.close()

    def _json(self, method: str, path: str, **options: Any) -> Any:
        with self._answers():
            answer = self._http.request(method, path, **options)
            if answer.status_code == 204:
                return None
            if answer.status_code != 200:
                raise _refusal(answer)
            try:
                return answer.json()
            except ValueError as problem:
                raise Refused(502, f"{self.server} is no goliat-monitoring server") from problem

    @contextmanager
    def _answers(self) -> Iterator[None]:
        import httpx  # noqa: PLC0415 -- was imported to get here

        try:
            yield
        except httpx.TimeoutException as problem:
            raise Refused(504, f"{self.server} does not answer in time") from problem
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise Refused(503, f"{self.server} cannot be reached", str(problem)) from problem


def _refusal(answer: "httpx.Response") -> Refused:
    try:
        body = answer.json()
        error, details = str(body["error"]), str(body.get("details", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        error, details = f"the server answered {answer.status_code}", ""
    if answer.status_code == 401:
        details = details or "Give a token with --token or GOLIAT_MONITORING_TOKEN."
    return Refused(answer.status_code, error, details)
