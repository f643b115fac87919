"""A recorded trace explained: each exchange with its data objects in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from membercard.wiring.member_application import dictionary_in_use
from terminal.apdu import Trace, TraceEntry
from terminal.emv.data.conversation import Conversation
from terminal.emv.data.explain import Explained, Explainer


def explain_trace(trace: Trace, *, reveal: bool) -> Iterator[tuple[TraceEntry, tuple[Explained, ...]]]:
    """Every entry of a trace that was recorded with its data, and their explanation, by the dictionary of payment and
    member data elements. Unless ``reveal``, the entries are redacted again."""
    conversation = Conversation(Explainer(reveal=reveal, dictionary=dictionary_in_use()))
    for entry in trace:
        explanation = conversation.entry(entry)
        yield entry if reveal else replace(entry, command_data=None, response_data=None), explanation
