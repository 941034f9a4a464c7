"""What an hour of a worker costs."""

from collections.abc import Mapping

from goliat_monitoring.study.requirements import names_gpu


def price_of(own: float | None, gpu: str, by_gpu: Mapping[str, float]) -> float | None:
    """The worker's own price; without one that of its GPU, where part of the GPU's name has a price: the longest such
    part counts. None where nobody said."""
    if own is not None:
        return own
    known = [part for part in by_gpu if names_gpu(gpu, part)]
    return by_gpu[max(known, key=lambda part: (len(part), part))] if known else None
