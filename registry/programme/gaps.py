"""Transaction counters of a card that nobody has uploaded, as ranges that shrink when they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field

Gap = tuple[int, int]
"""The first and the last missing transaction counter."""


@dataclass(slots=True)
class CounterGaps:
    """The gaps of one card below its highest booked transaction counter, 0 for none. ``known`` are those on record with
    the number of their finding; after ``take``, ``resolved`` are the findings that are over, and ``new`` the gaps that
    are not on record. A gap that a person has closed is not among them, and does not come back."""

    last: int
    known: dict[Gap, int] = field(default_factory=dict)
    resolved: list[int] = field(default_factory=list)
    new: set[Gap] = field(default_factory=set)

    def take(self, counter: int) -> None:
        """A transaction counter that was just booked."""
        if counter > self.last:
            if counter > self.last + 1:
                self.new.add((self.last + 1, counter - 1))
            self.last = counter
            return
        for gap in (*self.known, *self.new):
            first, last = gap
            if first <= counter <= last:
                if gap in self.known:
                    self.resolved.append(self.known.pop(gap))
                self.new.discard(gap)
                self.new.update(rest for rest in ((first, counter - 1), (counter + 1, last)) if rest[0] <= rest[1])
                return
