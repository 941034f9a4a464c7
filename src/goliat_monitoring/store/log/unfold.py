"""The lines behind folded records, in the order in which they came."""

from collections.abc import Iterator, Sequence

import msgspec

from goliat_monitoring.store.log.counting import Growth, grown, growth, parts_of
from goliat_monitoring.store.log.fold import Record, Repeat


class Occurrence(msgspec.Struct, frozen=True):
    """One line as it came. `time` and `text` are None where only their first and last were kept."""

    time: int | None
    level: str
    source: str
    text: str | None


def unfold(records: Sequence[tuple[Record, Repeat | None]]) -> Iterator[Occurrence]:
    """Every line of `records`, which follow each other. Blocks that reach beyond either end give what is there."""
    start = 0
    while start < len(records):
        record, repeat = records[start]
        if repeat is None:
            yield Occurrence(record.time, record.level, record.source, record.text)
            start += 1
            continue
        end = start + repeat.period - repeat.position
        yield from _block(records[start:end])
        start = end


def _block(records: Sequence[tuple[Record, Repeat | None]]) -> Iterator[Occurrence]:
    block = [(record, repeat, parts_of(record.text), _growing(record, repeat)) for record, repeat in records if repeat]
    for times in range(max(repeat.count for _, repeat, _, _ in block)):
        for record, repeat, parts, growing in block:
            if times >= repeat.count:
                continue
            time: int | None = None
            text: str | None = None if growing is None else grown(parts, growing, times)
            if times == 0:
                time, text = record.time, record.text
            elif times == repeat.count - 1:
                time, text = repeat.last_time, record.text if repeat.last_text is None else repeat.last_text
            yield Occurrence(time, record.level, record.source, text)


def _growing(record: Record, repeat: Repeat) -> Growth | None:
    if repeat.kind != "repeat":
        return None
    return () if repeat.last_text is None else growth(record.text, repeat.last_text, repeat.count - 1)
