"""A recorded trace explained: each exchange with its data objects in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from terminal.apdu import Trace, TraceEntry
from terminal.emv.data.conversation import Conversation
from terminal.emv.data.explain import Explained, Explainer
from terminal.member.elements import dictionary


def explain_trace(trace: Trace, *, reveal: bool) -> Iterator[tuple[TraceEntry, tuple[Explained, ...]]]:
    """Every entry of a trace that was recorded with its data, and their explanation, by the dictionary of payment and
    member data elements. Unless ``reveal``, the entries are redacted again."""
    conversation = Conversation(Explainer(reveal=reveal, dictionary=dictionary()))
    for entry in trace:
        explanation = conversation.entry(entry)
        yield entry if reveal else replace(entry, command_data=None, response_data=None), explanation
