"""How GUI messages become items, and which of them may be folded on a full disk."""

import msgspec

from goliat_monitoring.agent.drafts import of_agent, of_message


def test_a_batch_becomes_its_lines() -> None:
    logs = [
        {"type": "status", "message": "one\ntwo", "log_type": "info", "timestamp": 2.0},
        {"type": "status", "message": "Study stopped by user."},
    ]
    drafts = list(of_message({"type": "log_batch", "sequence": 7, "logs": logs}, 5_000_000))
    lines = [msgspec.json.decode(draft.body) for draft in drafts]
    assert [line["text"] for line in lines] == ["one", "two", "Study stopped by user."]
    assert [(draft.time, draft.sequence, draft.position) for draft in drafts] == [
        (2_000_000, 7, 0),
        (2_000_000, 7, 0),
        (5_000_000, 7, 1),
    ]
    assert all(line["k"] == "line" for line in lines)


def test_what_is_no_line_is_passed_on_as_it_came() -> None:
    message = {"type": "something_new", "x": [1, {"y": None}]}
    (draft,) = of_message(message, 5)
    assert msgspec.json.decode(draft.body) == {"k": "message", "sentAt": 5, "message": message}


def test_only_chatter_may_be_folded() -> None:
    def foldable(message: dict[str, object]) -> bool:
        (draft,) = of_message(message, 1)
        return draft.foldable

    assert foldable({"type": "terminal_only", "message": "cell 7 of 9", "log_type": "verbose"})
    assert foldable({"type": "print", "message": "x"})
    # The only sign of a failed far-field simulation.
    assert not foldable({"type": "terminal_only", "message": "ERROR during simulation", "log_type": "error"})
    # The only sign of a cached one.
    assert not foldable({"type": "terminal_only", "message": "Project already done, skipping.", "log_type": "info"})
    assert not foldable({"type": "log_batch", "logs": [{"message": "--- Process exited with code 1 ---"}]})
    assert not foldable({"type": "finished", "message": "x"})


def test_the_agents_own_words_are_lines_of_its_own() -> None:
    (draft,) = of_agent("Started.", "info", 9)
    assert msgspec.json.decode(draft.body) == {
        "k": "line",
        "time": 9,
        "level": "info",
        "source": "agent",
        "text": "Started.",
    }
