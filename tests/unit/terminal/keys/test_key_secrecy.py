"""No key byte in any print, exception or pickle."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable

import pytest

from terminal.errors import MembercardError
from terminal.keys import (
    Algorithm,
    Diversification,
    KeyRef,
    MemoryCustody,
    Purpose,
    Scp,
    Sealed,
    SessionRequest,
    SoftwareKeystore,
    table,
)
from terminal.keys.derivation import SessionKeys, StaticKeys
from terminal.secret import Secret

PLANTED = bytes.fromhex("8C2F4A6D1B3E50798FA1C4D6E8FB0D12")
LONG = PLANTED + PLANTED[::-1]


def shows(text: str, key: bytes = PLANTED) -> bool:
    return any(form in text for form in (key.hex(), key.hex().upper(), str(key), str(key)[2:-1], str(list(key))))


@pytest.fixture
def planted(custody: MemoryCustody) -> MemoryCustody:
    custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(PLANTED), by="Li Na")
    custody.import_key("seal", Purpose.SEAL, Algorithm.AES256, Secret(LONG), by="Li Na")
    custody.import_key("index", Purpose.INDEX, Algorithm.HMAC, Secret(LONG), by="Li Na")
    return custody


def test_nothing_printable_shows_a_key(planted: MemoryCustody) -> None:
    keys = planted.card_keys(KeyRef("kmc"), Diversification.NONE, b"", 0xFF)
    session = planted.open_session(keys, SessionRequest(Scp.SCP02, 0x15, bytes(8), bytes(6), bytes(2)))
    state = planted._table
    things: list[object] = [planted, planted.keys(), planted.audit(), keys, session, session.dek, state]
    things += [state.records, *state.records.values(), StaticKeys(PLANTED, PLANTED, PLANTED)]
    things.append(SessionKeys(*[PLANTED] * 6))
    for thing in things:
        for text in (repr(thing), str(thing), f"{thing}", f"{vars(thing)}" if hasattr(thing, "__dict__") else ""):
            assert not shows(text)
            assert not shows(text, session.enc.reveal())


def test_custodians_keys_and_sessions_are_not_pickled(
    planted: MemoryCustody, make_keystore: Callable[..., SoftwareKeystore]
) -> None:
    keys = planted.card_keys(KeyRef("kmc"), Diversification.NONE, b"", 0xFF)
    session = planted.open_session(keys, SessionRequest(Scp.SCP02, 0x15, bytes(8), bytes(6), bytes(2)))
    record = planted._table.get(KeyRef("kmc"))
    for thing in (planted, make_keystore(), session, record, planted._table):
        for serialize in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                serialize(thing)
    assert pickle.loads(pickle.dumps(keys)) == keys  # noqa: S301 - references travel freely


def test_no_exception_shows_a_key(planted: MemoryCustody) -> None:
    kmc, seal, index = KeyRef("kmc"), KeyRef("seal"), KeyRef("index")
    faults: list[Callable[[], object]] = [
        lambda: planted.seal(kmc, PLANTED, ""),
        lambda: planted.index(seal, PLANTED),
        lambda: planted.sign(index, PLANTED),
        lambda: planted.open(Sealed(seal, LONG * 2, "")),
        lambda: planted.import_key("kmc", Purpose.KMC, Algorithm.AES192, Secret(PLANTED), by="Li Na"),
        lambda: planted.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(PLANTED), by="Li Na", kcv=bytes(3)),
        lambda: planted.import_key("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, Secret(LONG), by="Li Na"),
        lambda: MemoryCustody.from_snapshot(LONG * 2, Secret(LONG)),
        lambda: table.decode(b'{"keys": [{"material": ["' + PLANTED.hex().encode() + b'zz"]}]}'),
    ]
    for fault in faults:
        with pytest.raises(MembercardError) as caught:
            fault()
        assert not shows("".join(traceback.format_exception(caught.value)))
