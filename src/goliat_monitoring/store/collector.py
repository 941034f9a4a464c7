"""Python's cycle collector, told how servers live."""

import gc


def spare_the_collector() -> None:
    """Keep it from looking at what lives as long as the process, and from looking all the time.

    A group of a hundred messages makes thousands of short-lived objects, none of them in a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
