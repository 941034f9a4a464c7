"""A thread goes on after an exception that nobody foresaw."""

import threading

import pytest

from goliat_monitoring.agent import guard


def test_work_that_fails_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "AGAIN_S", 0.0)
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ZeroDivisionError

    guard.keep_going(work, threading.Event())
    assert len(tries) == 3
