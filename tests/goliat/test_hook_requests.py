"""What the hook does to single requests, with the `requests` of GOLIAT's own environment."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.goliat.environment import goliat_python, hooked_environment
from tests.goliat.recorder import Recorder

HARD_CODED = "https://monitor.goliat.waves-ugent.be"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there

# Sends each request of a list, and tells how each of them ended.
SCRIPT = """
import json, sys, requests
for method, url in json.loads(sys.argv[1]):
    try:
        answer = requests.request(method, url, json={"of": url} if method == "POST" else None, timeout=3)
        print(answer.status_code, answer.text)
    except requests.RequestException as error:
        print(type(error).__name__)
"""


@pytest.fixture
def relay() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def proxy() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


def send(base: str, proxy: Recorder, *requests: tuple[str, str], **options: Any) -> list[str]:
    """How each request ended, one line each; whatever is not for the relay's machine goes to `proxy`."""
    environment = hooked_environment(base, more={"http_proxy": proxy.url, "https_proxy": proxy.url}, **options)
    command = [str(goliat_python()), "-c", SCRIPT, json.dumps(requests)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_hard_coded_host_becomes_the_relay(relay: Recorder, proxy: Recorder) -> None:
    url = HARD_CODED + "/api/super-studies?name=a%20b"
    ended = send(relay.url + "/r/1/", proxy, ("POST", HARD_CODED + "/api/gui-update"), ("GET", url), token="t")
    assert [line.split()[0] for line in ended] == ["200", "200"]
    assert [request.path for request in relay.requests] == ["/r/1/api/gui-update", "/r/1/api/super-studies"]
    assert {request.headers["authorization"] for request in relay.requests} == {"Bearer t"}
    assert {request.headers["host"] for request in relay.requests} == {relay.url.removeprefix("http://")}
    assert proxy.requests == []


def test_own_address_is_answered_here(relay: Recorder, proxy: Recorder) -> None:
    assert send(relay.url, proxy, ("GET", "https://api.ipify.org"), machine_id="m-1") == ["200 m-1"]
    assert (relay.requests, proxy.requests) == ([], [])


def test_others_get_neither_token_nor_redirect(relay: Recorder, proxy: Recorder) -> None:
    send(relay.url + "/r/1", proxy, ("GET", "http://example.org/api/gui-update"), token="t")
    assert relay.requests == []
    (request,) = proxy.requests
    assert "authorization" not in request.headers


def test_token_is_for_the_base_only(relay: Recorder, proxy: Recorder) -> None:
    send(relay.url + "/r/1", proxy, ("GET", relay.url.replace("127.0.0.1", "127.0.0.2") + "/r/1/x"), token="t")
    send(relay.url + "/r/1", proxy, ("GET", proxy.url + "/r/10/x"), token="t")
    assert all("authorization" not in request.headers for request in (*relay.requests, *proxy.requests))


def test_report_is_spooled_but_a_claim_fails(proxy: Recorder, tmp_path: Path) -> None:
    requests = [
        ("POST", HARD_CODED + "/api/gui-update"),
        ("POST", NOBODY + "/r/1/api/heartbeat"),
        ("POST", HARD_CODED + "/api/assignments/a/claim"),
        ("POST", HARD_CODED + "/api/super-studies"),
        ("GET", HARD_CODED + "/api/super-studies"),
    ]
    ended = send(NOBODY + "/r/1", proxy, *requests, spool=tmp_path / "spool")
    assert [line.split()[0] for line in ended] == ["200", "200", *["ConnectionError"] * 3]
    heads = [json.loads(file.read_text().split("\n")[0]) for file in sorted((tmp_path / "spool").iterdir())]
    assert [head["path"] for head in heads] == ["/api/gui-update", "/api/heartbeat"]


def test_without_a_spool_goliat_sees_the_error(proxy: Recorder) -> None:
    assert send(NOBODY, proxy, ("POST", HARD_CODED + "/api/gui-update")) == ["ConnectionError"]


def test_spool_that_cannot_be_written_lets_goliat_see_the_error(proxy: Recorder, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    assert send(NOBODY, proxy, ("POST", HARD_CODED + "/api/gui-update"), spool=tmp_path / "spool") == [
        "ConnectionError"
    ]


def test_refusal_of_the_relay_is_passed_on(relay: Recorder, proxy: Recorder, tmp_path: Path) -> None:
    relay.refusals = [409]
    ended = send(relay.url, proxy, ("POST", HARD_CODED + "/api/gui-update"), spool=tmp_path / "spool")
    assert ended[0].split()[0] == "409"
    assert not (tmp_path / "spool").exists()
