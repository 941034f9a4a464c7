"""The lease is kept on the steady clock, and nothing is sent after a sleep before it is renewed."""

from goliat_monitoring.agent.lease import Lease


class Clocks:
    """A wall clock and a steady clock that stand still until they are moved."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.steady = 50.0

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def lease(self) -> Lease:
        return Lease(20.0, lambda: self.wall, lambda: self.steady)


def test_the_lease_counts_from_the_asking() -> None:
    clocks = Clocks()
    lease = clocks.lease()
    asked = lease.now()
    clocks.pass_time(3)
    lease.renew(asked, 600)
    assert lease.left() == 597


def test_after_a_sleep_calls_wait_for_the_renewal() -> None:
    clocks = Clocks()
    lease = clocks.lease()
    lease.renew(lease.now(), 600)
    assert not lease.slept()
    clocks.wall += 3600  # the steady clock stood still
    assert lease.slept()
    assert not lease.wait_renewed(0.01)
    lease.renew(lease.now(), 600)
    assert lease.wait_renewed(0.01)


def test_a_lease_that_ran_out_waits_too() -> None:
    clocks = Clocks()
    lease = clocks.lease()
    lease.renew(lease.now(), 600)
    clocks.pass_time(601)
    assert lease.slept()
    lease.renew(lease.now(), 600)
    assert not lease.slept()


def test_a_clock_set_back_is_no_sleep() -> None:
    clocks = Clocks()
    lease = clocks.lease()
    clocks.wall -= 7200
    assert not lease.slept()


def test_without_a_run_nothing_runs_out() -> None:
    clocks = Clocks()
    lease = clocks.lease()
    lease.renew(lease.now(), 600)
    lease.drop()
    clocks.pass_time(10_000)
    assert not lease.slept()
    assert lease.left() is None
