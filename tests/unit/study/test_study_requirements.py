"""What assignments demand of machines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.study.requirements import MachineFacts, RequirementProblem, Requirements, parse


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], Requirements()),
        (["vram>=24"], Requirements(vram_gb=24)),
        ([" VRAM >= 24.5 GB "], Requirements(vram_gb=24.5)),
        (["vram>=24", "vram>=16"], Requirements(vram_gb=24)),
        (["gpu=RTX 4090"], Requirements(gpus=("RTX 4090",))),
        (["gpu=RTX 4090", "gpu=H100", "gpu=rtx 4090"], Requirements(gpus=("RTX 4090", "H100"))),
        (["tag=fast", "tag=a=b"], Requirements(tags=("fast", "a=b"))),
        (["goliat>=1.5", "goliat>=1.10", "goliat>=1.9.9"], Requirements(goliat="1.10")),
    ],
)
def test_parse(texts: list[str], expected: Requirements) -> None:
    assert parse(texts) == expected


@pytest.mark.parametrize(
    "text",
    ["", "vram", "vram>=", "vram=24", "vram>=0", "vram>=-1", "vram>=x", "vram>=1e9", "gpu>=RTX", "gpu=", "tag>=x",
     "goliat=1.5", "goliat>=new", "goliat>=1..5", "ram>=64", "tag=a\nb", "tag=\x1b[2J", "tag=" + "x" * 200],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(RequirementProblem):
        parse([text])


def test_a_refusal_says_what_was_meant() -> None:
    for text in ("vram=24", "vram=>24", "vram= > 24"):
        with pytest.raises(RequirementProblem, match=r"^Write vram>=24, not "):
            parse([text])


def test_the_number_of_names_is_bounded() -> None:
    with pytest.raises(RequirementProblem, match="At most"):
        parse(f"tag={i}" for i in range(1000))


CARD = MachineFacts("NVIDIA GeForce RTX 4090", 24564 * 1024**2, ("Fast", "office"), "1.5.0")


@pytest.mark.parametrize(
    ("demand", "facts", "reason"),
    [
        ("", MachineFacts(), ""),
        ("vram>=24", CARD, ""),
        ("vram>=25.7", CARD, ""),
        ("vram>=32", CARD, "it has 26 GB of VRAM, 32 GB are needed"),
        ("vram>=24", MachineFacts(), "its VRAM is unknown, 24 GB are needed"),
        ("gpu=rtx 4090", CARD, ""),
        ("gpu=RTX 40", CARD, "its GPU is NVIDIA GeForce RTX 4090, RTX 40 is needed"),
        ("gpu=H100", MachineFacts(), "its GPU is unknown, H100 is needed"),
        ("tag=fast", CARD, ""),
        ("tag=night", CARD, "it lacks the tag night"),
        ("goliat>=1.5", CARD, ""),
        ("goliat>=1.5.1", CARD, "it has GOLIAT 1.5.0, 1.5.1 is needed"),
        ("goliat>=1.5", CARD._replace(goliat="1.10.2"), ""),
        ("goliat>=1.5", CARD._replace(goliat="1.5"), ""),
        ("goliat>=1.5.0", CARD._replace(goliat="1.5"), ""),
        ("goliat>=1.5", CARD._replace(goliat="nightly"), "its GOLIAT version is unknown, 1.5 is needed"),
    ],
)
def test_meets(demand: str, facts: MachineFacts, reason: str) -> None:
    verdict = parse([demand] if demand else []).meets(facts)
    assert (verdict.met, verdict.reason) == (not reason, reason)


def test_any_gpu_and_all_tags() -> None:
    assert parse(["gpu=H100", "gpu=RTX 4090"]).meets(CARD).met
    assert not parse(["tag=fast", "tag=night"]).meets(CARD).met
    assert parse(["vram>=99", "tag=night"]).meets(CARD).reason.count(";") == 1


_texts = st.lists(
    st.one_of(
        st.integers(1, 999).map("vram>={}".format),
        st.sampled_from(["RTX 4090", "H100", "é 1"]).map("gpu={}".format),
        st.text("abc-é=, ", min_size=1, max_size=5).filter(str.strip).map("tag={}".format),
        st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda it: f"goliat>={it[0]}.{it[1]}"),
    ),
    max_size=6,
)


@given(_texts)
def test_json_round_trip(texts: list[str]) -> None:
    demand = parse(texts)
    assert Requirements.from_json(demand.to_json()) == demand
    assert all(demand.to_json().values())


@pytest.mark.parametrize("value", [{"cpu": 4}, {"vramGb": "x"}, {"tags": ["a\nb"]}, {"goliat": "new"}])
def test_refuses_json(value: dict[str, object]) -> None:
    with pytest.raises(RequirementProblem):
        Requirements.from_json(value)


def test_text() -> None:
    assert str(parse(["vram>=24", "gpu=RTX 4090", "tag=fast", "goliat>=1.5"])) == (
        "vram>=24, gpu=RTX 4090, tag=fast, goliat>=1.5"
    )
