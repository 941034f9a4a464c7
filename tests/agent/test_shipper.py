"""Delivery against answers that a healthy server cannot be made to give: a scripted peer, a few lines of HTTP."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goliat_monitoring.agent.api import Server
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.drafts import Draft, encode
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.orders import Orders
from goliat_monitoring.agent.outbox import Outbox
from goliat_monitoring.agent.shipper import Shipper
from goliat_monitoring.agent.uploads import Shorter, Uploader, Uploads, _pieces
from goliat_monitoring.wire.agent import LineItem
from tests.agent.waiting import until

Answer = tuple[int, dict[str, Any] | str, dict[str, str]]


class Peer:
    """Answers each request with what `script(method, path, body)` says."""

    def __init__(self) -> None:
        self.script: Callable[[str, str, bytes], Answer] = lambda *_: (503, {}, {})
        self.requests = 0
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                peer.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer, headers = peer.script(self.command, self.path, body)
                sent = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            do_PUT = do_POST  # noqa: N815
            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


class Stream:
    """A server's side of a stream, as the real one keeps it; a test may make it forget or refuse."""

    def __init__(self) -> None:
        self.next: dict[str, int] = {}
        self.items: list[Any] = []
        self.poison = ""

    def __call__(self, method: str, path: str, body: bytes) -> Answer:
        if self.poison and self.poison.encode() in body:
            return 413, {"error": "too large"}, {}
        batch = json.loads(body)
        expected = self.next.get(batch["stream"], 0)
        if batch["offset"] > expected:
            return 409, {"error": "items are missing", "next": expected}, {}
        fresh = batch["items"][expected - batch["offset"] :]
        self.items += fresh
        self.next[batch["stream"]] = expected + len(fresh)
        return 200, {"next": expected + len(fresh)}, {}

    @property
    def texts(self) -> list[str]:
        return [item.get("text", item["k"]) for item in self.items]


class Bench:
    """A shipper at work between an outbox and the peer."""

    def __init__(self, folder: Path) -> None:
        self.peer = Peer()
        self.outbox = Outbox(folder / "outbox.sqlite", reorder_s=0)
        self.uploads = Uploads(folder / "uploads.sqlite")
        self.server = Server(self.peer.url, 5.0)
        self.orders = Orders()
        self.notes: list[str] = []
        lease = Lease(60.0)
        self.shipper = Shipper(
            self.outbox,
            self.server,
            lease,
            self.orders,
            run_id="r1",
            fence="f",
            ship_s=0.01,
            retry=Backoff(0.02, 0.05),
        )
        self.uploader = Uploader(
            self.uploads,
            self.server,
            lease,
            run_id="r1",
            fence="f",
            note=lambda text, level: self.notes.append(text),
            retry=Backoff(0.02, 0.05),
        )
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=self.shipper.run, args=(self.stop,)),
            threading.Thread(target=self.uploader.run, args=(self.stop,)),
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def put(self, *texts: str) -> None:
        self.outbox.put([Draft(1, 0, 0, encode(LineItem(1, "info", "status", text))) for text in texts])
        self.outbox.flush()

    def close(self) -> None:
        self.stop.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join()
        self.outbox.close()
        self.uploads.close()
        self.server.close()
        self.peer.server.shutdown()
        self.peer.server.server_close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    "trouble",
    [
        (500, {"error": "x"}, {}),
        (503, "<html>", {"Retry-After": "0.05"}),
        (429, {}, {"Retry-After": "soon"}),
        (302, "", {"Location": "https://elsewhere.example/"}),
        (200, "<html>captive portal</html>", {}),
        (200, {"unexpected": []}, {}),
        (404, {"error": "no such run"}, {}),
        (401, {"error": "no"}, {}),
    ],
)
def test_trouble_delays_and_loses_nothing(bench: Bench, trouble: Answer) -> None:
    stream = Stream()
    bench.peer.script = lambda *_: trouble
    bench.put("a", "b")
    bench.start()
    until(lambda: bench.peer.requests >= 2, "the shipper tries again")
    assert not bench.orders.fenced, "nothing of this is a fence"
    assert bench.outbox.backlog in (0, 2)
    bench.peer.script = stream
    bench.shipper.verify()
    until(lambda: bench.shipper.idle, "everything is delivered")
    assert stream.texts == ["a", "b"]


def test_an_answer_that_is_lost_repeats_nothing(bench: Bench) -> None:
    stream = Stream()
    lost = iter([True, False, True])

    def script(*request: Any) -> Answer:
        answer = stream(*request)
        return (502, {}, {}) if next(lost, False) else answer

    bench.peer.script = script
    bench.start()
    for text in ("a", "b", "c"):
        bench.put(text)
    until(lambda: bench.shipper.idle, "everything is delivered")
    assert stream.texts == ["a", "b", "c"]


def test_a_server_that_forgot_gets_what_it_lacks(bench: Bench) -> None:
    stream = Stream()
    bench.peer.script = stream
    bench.start()
    bench.put(*"abcde")
    until(lambda: bench.shipper.idle, "everything is delivered")
    # Restored from a backup of two items ago.
    stream.items = stream.items[:2]
    stream.next = dict.fromkeys(stream.next, 2)
    bench.put("f")
    until(lambda: len(stream.items) == 6, "what it lost arrives again")
    assert stream.texts == list("abcdef")
    # Once more, and nothing new is to be said: it is asked.
    stream.items.clear()
    stream.next.clear()
    bench.shipper.verify()
    until(lambda: bench.shipper.idle, "everything is delivered")
    assert stream.texts == list("abcdef")


def test_what_is_not_kept_any_more_begins_a_new_stream(bench: Bench) -> None:
    stream = Stream()
    bench.peer.script = stream
    bench.start()
    bench.put(*"abc")
    until(lambda: bench.shipper.idle, "everything is delivered")
    bench.outbox.prune(1 << 60, 1 << 60)
    before = bench.outbox.position.stream
    stream.items.clear()
    stream.next.clear()
    bench.put("d")
    until(lambda: stream.texts == ["d"], "the rest arrives")
    assert bench.outbox.position.stream != before
    until(lambda: bench.outbox.backlog == 0, "everything is acknowledged")


def test_one_item_that_is_refused_does_not_hold_up_the_others(bench: Bench) -> None:
    stream = Stream()
    stream.poison = "POISON"
    bench.peer.script = stream
    bench.put(*(f"line {n}" for n in range(20)), "POISON", *(f"line {n}" for n in range(20, 40)))
    bench.start()
    until(lambda: bench.shipper.idle, "everything is delivered")
    assert stream.texts == [*(f"line {n}" for n in range(20)), "gap", *(f"line {n}" for n in range(20, 40))]
    (gap,) = [item for item in stream.items if item["k"] == "gap"]
    assert "too large" in gap["reason"]


def test_fenced_is_told_once_and_for_all(bench: Bench) -> None:
    bench.peer.script = lambda *_: (409, {"error": "not yours", "fenced": True}, {})
    bench.put("a")
    bench.start()
    until(lambda: bench.orders.fenced, "the fence is heard")


def test_a_late_answer_is_a_fence_too(bench: Bench) -> None:
    bench.peer.script = lambda *_: (200, {"next": 1, "late": True, "reason": "the run is over"}, {})
    bench.put("a")
    bench.start()
    until(lambda: bench.orders.fenced, "the fence is heard")
    until(lambda: bench.outbox.backlog == 0, "everything is acknowledged")


def test_directives_arrive_with_each_batch(bench: Bench) -> None:
    bench.peer.script = lambda *_: (200, {"next": 1, "directive": "stop", "reason": "asked"}, {})
    bench.put("a")
    bench.start()
    until(lambda: bench.orders.stop, "the directive is heard")
    assert (bench.orders.kill, bench.orders.reason) == (False, "asked")


def stored(body: bytes, digest: str) -> Answer:
    return 200, {"artifactId": "x", "version": 1, "size": len(body), "sha256": digest}, {}


def test_a_file_is_offered_until_it_is_stored(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "sar_results.json"
    file.write_text("{}")
    bench.uploads.add("far_field/x", file.name, file)
    bench.start()
    until(lambda: bench.peer.requests >= 2, "it is offered again")
    assert bench.uploads.manifest() == []
    bodies = []

    def script(method: str, path: str, body: bytes) -> Answer:
        bodies.append((method, body))
        return stored(body, path.partition("sha256=")[2].partition("&")[0])

    bench.peer.script = script
    until(lambda: bench.uploader.idle, "it is stored")
    assert bodies == [("PUT", b"{}")]
    assert [(path, name) for path, name, _ in bench.uploads.manifest()] == [("far_field/x", "sar_results.json")]


def test_a_log_that_grew_after_it_was_hashed_is_sent_as_it_was(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "verbose.log"
    file.write_text("one\n")
    bench.uploads.add("p", file.name, file)
    file.write_text("one\ntwo\n")
    bodies = []

    def script(method: str, path: str, body: bytes) -> Answer:
        bodies.append(body)
        return stored(body, path.partition("sha256=")[2].partition("&")[0])

    bench.peer.script = script
    bench.start()
    until(lambda: bench.uploader.idle, "it is stored")
    assert bodies == [b"one\n"]


def test_a_file_that_is_being_written_anew_is_sent_when_it_is_whole(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("x" * 1000)
    bench.uploads.add("p", file.name, file)
    waiting = bench.uploads.next_waiting(0)
    assert waiting is not None
    file.write_text("")
    bodies = []

    def script(method: str, path: str, body: bytes) -> Answer:
        bodies.append(body)
        return stored(body, path.partition("sha256=")[2].partition("&")[0])

    bench.peer.script = script
    # It shrinks between the look and the sending, which the operating system cannot be asked to time.
    bench.uploader._offer(waiting, bench.stop)
    with pytest.raises(Shorter):
        list(_pieces(file, 1000))
    file.write_text("y" * 1000)
    bench.start()
    until(lambda: bench.uploader.idle, "it is stored")
    assert bodies[-1] in (b"", b"y" * 1000)
    assert bench.uploads.manifest() != []


def test_a_file_that_vanished_or_is_refused_is_told_and_passed_over(bench: Bench, tmp_path: Path) -> None:
    for name in ("gone.json", "refused.json"):
        (tmp_path / name).write_text("{}")
        bench.uploads.add("p", name, tmp_path / name)
    (tmp_path / "gone.json").unlink()
    bench.peer.script = lambda *_: (413, {"error": "the file is too large"}, {})
    bench.start()
    until(lambda: bench.uploader.idle, "both are settled")
    assert len(bench.notes) == 2
    assert "gone.json" in bench.notes[0]
    assert "too large" in bench.notes[1]
    assert bench.uploads.manifest() == []


def test_another_runs_file_is_not_offered_as_this_ones(bench: Bench, tmp_path: Path) -> None:
    """After a restore the agent offers files again, but the folder may hold a later run's by then."""
    sent = []

    def script(method: str, path: str, body: bytes) -> Answer:
        sent.append(body)
        return stored(body, path.partition("sha256=")[2].partition("&")[0])

    bench.peer.script = script
    for name in ("same.json", "replaced.json"):
        (tmp_path / name).write_text(name)
        bench.uploads.add("p", name, tmp_path / name)
    bench.start()
    until(lambda: bench.uploader.idle, "both are stored")
    (tmp_path / "replaced.json").write_text("a later run's")
    sent.clear()
    bench.uploader.verify()
    until(lambda: bench.uploader.idle, "it was offered again")
    assert sent == [b"same.json"]
