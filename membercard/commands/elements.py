"""What a trace says, by the dictionary of payment and member data elements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from terminal.apdu import Trace, TraceEntry
from terminal.emv.data.conversation import Conversation
from terminal.emv.data.explain import Explained, Explainer
from terminal.member.words import dictionary


def told(trace: Trace, *, reveal: bool) -> Iterator[tuple[TraceEntry, tuple[Explained, ...]]]:
    """Every entry of a trace that kept its data, redacted again unless ``reveal``, and what it says."""
    talk = Conversation(Explainer(reveal=reveal, dictionary=dictionary()))
    for entry in trace:
        said = talk.entry(entry)
        yield entry if reveal else replace(entry, command_data=None, response_data=None), said
