"""The card's memory: a tear at any point leaves the old state or the new, never a mix."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.card.memory import MemoryDamaged, Nvm, PowerLost, RamImage, TearAt
from tests.support.thorough import repeats

SCOPES = ("isd", "app/F04D")
State = dict[str, dict[str, bytes]]


@dataclass
class Step:
    """One transaction: puts (value given), removals (None) and drops of a scope (no name)."""

    writes: list[tuple[str, str | None, bytes | None]] = field(default_factory=list)


writes = st.tuples(
    st.sampled_from(SCOPES),
    st.none() | st.sampled_from(["a", "b", "记录"]),
    st.none() | st.binary(max_size=200),
)
steps = st.lists(st.builds(Step, st.lists(writes, min_size=1, max_size=4)), max_size=6)


def run(nvm: Nvm, step: Step) -> None:
    with nvm.transaction():
        for scope, name, value in step.writes:
            if name is None:
                nvm.drop(scope)
            elif value is None:
                nvm.scope(scope).pop(name, None)
            else:
                nvm.scope(scope)[name] = value


def model(state: State, step: Step) -> State:
    new = {scope: dict(values) for scope, values in state.items()}
    for scope, name, value in step.writes:
        if name is None:
            new[scope].clear()
        elif value is None:
            new[scope].pop(name, None)
        else:
            new[scope][name] = value
    return new


def state_of(nvm: Nvm) -> State:
    return {scope: dict(nvm.scope(scope)) for scope in SCOPES}


@given(steps)
def test_power_cycles_keep_everything(steps: list[Step]) -> None:
    image = RamImage()
    nvm = Nvm(image)
    expected: State = {scope: {} for scope in SCOPES}
    for step in steps:
        run(nvm, step)
        expected = model(expected, step)
        assert state_of(nvm) == expected
    again = Nvm(image)
    again.load()
    assert state_of(again) == expected


@settings(max_examples=repeats(100, 2000))
@given(steps, st.integers(0, 30), st.booleans())
def test_a_tear_leaves_old_or_new(steps: list[Step], page: int, after: bool) -> None:
    nvm = Nvm(RamImage())
    nvm.tear = TearAt(page, after=after)
    old: State = {scope: {} for scope in SCOPES}
    for step in steps:
        new = model(old, step)
        try:
            run(nvm, step)
        except PowerLost:
            nvm.tear = None
            with pytest.raises(PowerLost):
                nvm.scope("isd")["c"] = b"without power"
            nvm.load()
            assert state_of(nvm) == (new if after else old)
            run(nvm, step)
            assert state_of(nvm) == new
        old = new
    assert state_of(nvm) == old


@given(steps, st.data())
def test_a_log_cut_anywhere_opens_with_a_state_that_was(steps: list[Step], data: st.DataObject) -> None:
    image = RamImage()
    nvm = Nvm(image)
    states = [state_of(nvm)]
    for step in steps:
        run(nvm, step)
        states.append(state_of(nvm))
    whole = image.read()
    cut = data.draw(st.integers(0, len(whole)))
    zeros = data.draw(st.sampled_from([0, 5, 40]))
    again = Nvm(RamImage(whole[:cut]))
    again.load()
    assert state_of(again) in states
    again.scope("isd")["next"] = b"\x01"
    assert again.scope("isd")["next"] == b"\x01"
    if cut == len(whole):
        tail = Nvm(RamImage(whole + bytes(zeros)))
        tail.load()
        assert state_of(tail) == states[-1]


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_changed_byte_is_detected(value: bytes, data: st.DataObject) -> None:
    image = RamImage()
    nvm = Nvm(image)
    nvm.scope("isd")["key"] = value
    nvm.scope("isd")["key2"] = value
    raw = bytearray(image.read())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MemoryDamaged, match="damaged at byte"):
        Nvm(RamImage(bytes(raw))).load()
