"""Turns: generator's ceiling, echo, server, and again. What disturbs the machine disturbs neighbours alike."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from bench.options import Options
from bench.processes import module
from bench.rows import Row, Verdict, at_least, ratio_of, spread, whole
from bench.wrk import Load

# Below this the load generator, not the echo, may be what was measured.
HEADROOM = 1.5


@dataclass(slots=True)
class Turns:
    """The loads of each taker of turns by name, in the order of the rounds."""

    loads: dict[str, list[Load]] = field(default_factory=dict)

    def rates(self, name: str) -> list[float]:
        """Answered requests a second, by round."""
        return [load.rate for load in self.loads[name]]

    def rate(self, name: str) -> float:
        """The median of the rounds."""
        return median(self.rates(name))

    def ratio(self, name: str, limit: str) -> float:
        """The median over the rounds of one against the other."""
        return ratio_of(self.rates(name), self.rates(limit))

    def p99_ms(self, name: str) -> float:
        """The median over the rounds of the 99th percentile."""
        return median(load.p99 for load in self.loads[name]) / 1000


def take_turns(options: Options, takers: Mapping[str, Callable[[int], Load]]) -> Turns:
    """Let each taker have its load in each round. A taker gets the number of the round, from 0."""
    turns = Turns({name: [] for name in takers})
    for number in range(options.rounds):
        for name, load in takers.items():
            turns.loads[name].append(load(number))
        rates = ", ".join(f"{name} {whole(turns.loads[name][-1].rate)}/s" for name in takers)
        options.say(f"  round {number + 1} of {options.rounds}: {rates}")
    return turns


def against_echo(
    options: Options, load: Callable[[int, float], Load], ours: Mapping[str, Callable[[int], Load]]
) -> Turns:
    """Rounds of `ceiling`, `echo` and `ours`. `load(port, seconds)` is the load that all of them get."""
    with ExitStack() as running:
        ceiling, echo = running.enter_context(module("bench.ceiling")), running.enter_context(module("bench.echo"))
        load(echo, 1.0)
        return take_turns(
            options,
            {
                "ceiling": lambda _number: load(ceiling, options.seconds),
                "echo": lambda _number: load(echo, options.seconds),
                **ours,
            },
        )


def echo_row(what: str, turns: Turns, name: str, bar: float, note: str) -> Row:
    """Requests a second against the bare echo. Counts only where the generator could have asked for more."""
    ratio, headroom = turns.ratio(name, "echo"), turns.ratio("ceiling", "echo")
    verdict = at_least(ratio, bar) if headroom >= HEADROOM else Verdict.NOT_COUNTED
    return Row(
        what=what,
        verdict=verdict,
        ours=f"{whole(turns.rate(name))} requests/s",
        limit=f"echo {whole(turns.rate('echo'))} requests/s",
        ratio=f"{ratio:.2f}",
        bar=f"≥ {bar:.2f} of the echo",
        note=f"rounds {spread(turns.rates(name))}; {note}",
    )


def ceiling_row(what: str, turns: Turns) -> Row:
    """How much more the load generator could have asked for."""
    headroom = turns.ratio("ceiling", "echo")
    return Row(
        what=f"{what}: load generator's own ceiling",
        verdict=at_least(headroom, HEADROOM),
        ours=f"{whole(turns.rate('ceiling'))} requests/s",
        limit=f"echo {whole(turns.rate('echo'))} requests/s",
        ratio=f"{headroom:.2f}",
        bar=f"≥ {HEADROOM:.1f} of the echo, else no ratio counts",
        note=f"ceiling {spread(turns.rates('ceiling'))}, echo {spread(turns.rates('echo'))}",
    )
