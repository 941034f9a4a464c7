"""Dealing by the same rules as `fleet.why`, held against them for every combination."""

from itertools import product

from goliat_monitoring.fleet.dealing import Asker, Head, deal
from goliat_monitoring.fleet.states import AssignmentState
from goliat_monitoring.fleet.why import Machine, Waiting, may_have
from goliat_monitoring.study.requirements import MachineFacts, Requirements

NOW = 1_000
GB = 10**9


def test_a_worker_gets_what_the_rules_of_why_let_it_have() -> None:
    demands = {"none": Requirements(), "24": Requirements(vram_gb=24)}
    for name, prefer, above, failed, vram in product(
        demands, (None, NOW, NOW + 1), (None, 16 * GB, 24 * GB), (frozenset[str](), frozenset({"w"})), (0, 16, 24, 48)
    ):
        facts = MachineFacts(vram_bytes=vram * GB)
        meets = frozenset(text for text, demand in demands.items() if demand.meets(facts).met)
        dealt = deal([Head("a", 0, name, prefer, above, failed)], [Asker("w", vram * GB, meets)], NOW)
        waiting = Waiting(
            AssignmentState.PENDING, demands[name], attempts=1, prefer_until=prefer, failed_on=failed, vram_above=above
        )
        assert bool(dealt) == may_have(waiting, Machine("w", "w", facts), NOW)


def test_each_in_turn_gets_the_first_that_it_may_have_and_nobody_the_same() -> None:
    any_one, large = frozenset({"any"}), frozenset({"any", "large"})
    heads = [Head("a", 0, "large"), Head("b", 1, "any"), Head("c", 2, "any"), Head("d", 3, "large")]
    askers = [Asker("small", 8, any_one), Asker("one", 24, large), Asker("two", 24, large), Asker("last", 8, any_one)]
    dealt = deal(heads, askers, NOW)
    assert {who: head.assignment_id for who, head in dealt.items()} == {"small": "b", "one": "a", "two": "c"}
