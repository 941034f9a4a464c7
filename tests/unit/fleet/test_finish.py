"""When all of the work is done."""

from goliat_monitoring.fleet.finish import Finish, finish_of_all
from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Future


def test_the_last_study_decides_and_what_nobody_knows_is_counted() -> None:
    short, long = Future(Spread(10, 20, 90), {}), Future(Spread(15, 40, 80), {})
    assert finish_of_all([short, long]) == Finish(Spread(15, 40, 90))
    assert finish_of_all([short, Future(None, {}), Future(None, {}, stuck=True)]) == Finish(Spread(10, 20, 90), 1, 1)
    assert finish_of_all([Future(None, {})]) == Finish(None, 1)
    assert finish_of_all([]) == Finish(None)
