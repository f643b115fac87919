"""Every operation on a key of every purpose: the right ones work, all others are KeyMisuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from terminal.errors import KeyMisuse
from terminal.keys import (
    EMV_CSK,
    TRACKS_MARK,
    Algorithm,
    ApplicationKeys,
    CardKeys,
    Diversification,
    KeyCustody,
    KeyRef,
    MemoryCustody,
    PinBlock,
    PinFormat,
    Purpose,
    Scp,
    Sealed,
    SealedKeys,
    SessionDek,
    SessionRequest,
    WrappedSecret,
)
from terminal.secret import Secret

KDD = bytes(range(10))
PAN = "6200001234567890"
NO_KCVS = (bytes(3), bytes(3), bytes(3))
SCP02 = SessionRequest(Scp.SCP02, 0x15, bytes(8), bytes(6), bytes(2))
SCP03 = SessionRequest(Scp.SCP03, 0x70, bytes(8), bytes(8), bytes(3))

Operation = Callable[[MemoryCustody, KeyRef], object]


def method_for(ref: KeyRef) -> Diversification:
    return Diversification.KDF3 if ref.name == Purpose.READ else Diversification.EMV_CPS


def known_card_keys(custody: MemoryCustody, ref: KeyRef) -> CardKeys:
    """Right card keys where custody makes them; a forged reference where it does not."""
    method = method_for(ref)
    try:
        return custody.card_keys(ref, method, KDD, 1)
    except KeyMisuse:
        return CardKeys(ref, method, KDD, 1, NO_KCVS)


def udks(custody: MemoryCustody, ref: KeyRef, position: int) -> tuple[KeyRef, KeyRef, KeyRef]:
    refs = [KeyRef(p.value) for p in (Purpose.AC, Purpose.SMI, Purpose.SMC)]
    refs[position] = ref
    return refs[0], refs[1], refs[2]


def dek(custody: MemoryCustody) -> SessionDek:
    return custody.open_session(known_card_keys(custody, KeyRef(Purpose.KMC.value)), SCP02).dek


def derive(custody: MemoryCustody, ref: KeyRef) -> object:
    return custody.card_keys(ref, method_for(ref), KDD, 1)


def open_session(custody: MemoryCustody, ref: KeyRef) -> object:
    return custody.open_session(known_card_keys(custody, ref), SCP03 if ref.name == Purpose.READ else SCP02)


def put_key(custody: MemoryCustody, ref: KeyRef) -> object:
    return custody.wrap_card_keys(dek(custody), known_card_keys(custody, ref))


def wrap_key_set(custody: MemoryCustody, ref: KeyRef) -> object:
    return custody.wrap_for_card(dek(custody), known_card_keys(custody, ref), pad=False)


def application(position: int) -> Operation:
    return lambda custody, ref: custody.application_keys(udks(custody, ref, position), PAN, 1)


def wrap_application(position: int) -> Operation:
    def operation(custody: MemoryCustody, ref: KeyRef) -> object:
        masters = udks(custody, ref, position)
        try:
            keys = custody.application_keys(masters, PAN, 1)
        except KeyMisuse:
            keys = ApplicationKeys(masters, PAN, 1, NO_KCVS)
        return custody.wrap_for_card(dek(custody), keys, pad=False)

    return operation


def card(custody: MemoryCustody, ref: KeyRef, position: int) -> ApplicationKeys:
    """Right card keys where custody makes them; a forged reference where it does not."""
    masters = udks(custody, ref, position)
    try:
        return custody.application_keys(masters, PAN, 1)
    except KeyMisuse:
        return ApplicationKeys(masters, PAN, 1, NO_KCVS)


def pin(custody: MemoryCustody, ref: KeyRef) -> PinBlock:
    try:
        return custody.encrypt_pin(ref, PinFormat.ISO0, Secret(b"12345"), PAN)
    except KeyMisuse:
        return PinBlock(ref, PinFormat.ISO0, bytes(8), PAN)


def signing_sm2(custody: MemoryCustody, ref: KeyRef) -> object:
    two = KeyRef(f"{ref.name}-sm2")
    return custody.sign_sm2(two if two in {info.ref for info in custody.keys()} else ref, b"x")


def sealed(custody: MemoryCustody, ref: KeyRef) -> Sealed:
    return custody.seal(ref, bytes(16), "c") if ref.name == Purpose.SEAL else Sealed(ref, bytes(40), "c")


TRANSPORT = KeyRef(Purpose.TRANSPORT.value)


def wrapped(custody: MemoryCustody) -> WrappedSecret:
    return custody.to_transport(TRANSPORT, card(custody, KeyRef(Purpose.AC.value), 0))


def data(custody: MemoryCustody) -> bytes:
    return custody.to_transport(TRANSPORT, sealed(custody, KeyRef(Purpose.SEAL.value))).ciphertext


def blocks(custody: MemoryCustody) -> tuple[str, str, str]:
    return custody.key_blocks(TRANSPORT, card(custody, KeyRef(Purpose.AC.value), 0))


def brought(custody: MemoryCustody, ref: KeyRef) -> SealedKeys:
    """Card keys of a bank, sealed under a SEAL key; a forged reference where the key is for anything else."""
    seal = KeyRef(Purpose.SEAL.value)
    keys = custody.keys_from_transport(TRANSPORT, wrapped(custody), Algorithm.TDES, seal, "c")
    return replace(keys, sealed=replace(keys.sealed, key=ref))


def drawn_pin(custody: MemoryCustody, ref: KeyRef) -> Sealed:
    return replace(custody.new_pin(6, KeyRef(Purpose.SEAL.value), "card 1/8010"), key=ref)


OPERATIONS: dict[str, tuple[Operation, set[Purpose]]] = {
    "card_keys": (derive, {Purpose.KMC, Purpose.CARD, Purpose.READ}),
    "open_session": (open_session, {Purpose.KMC, Purpose.CARD, Purpose.READ}),
    "wrap_card_keys": (put_key, {Purpose.CARD}),
    "wrap_for_card, key set": (wrap_key_set, {Purpose.READ}),
    "application_keys, AC": (application(0), {Purpose.AC}),
    "application_keys, SMI": (application(1), {Purpose.SMI}),
    "application_keys, SMC": (application(2), {Purpose.SMC}),
    "wrap_for_card, AC": (wrap_application(0), {Purpose.AC}),
    "wrap_for_card, SMI": (wrap_application(1), {Purpose.SMI}),
    "wrap_for_card, SMC": (wrap_application(2), {Purpose.SMC}),
    "wrap_for_card, sealed": (
        lambda custody, ref: custody.wrap_for_card(dek(custody), sealed(custody, ref), pad=True),
        {Purpose.SEAL},
    ),
    "sign": (
        lambda custody, ref: custody.sign(ref, bytes(128)),
        {Purpose.SIGN_CA, Purpose.SIGN_ISSUER, Purpose.SIGN_LIST},
    ),
    "cryptogram": (lambda c, ref: c.cryptogram(card(c, ref, 0), EMV_CSK, bytes(2), b"x"), {Purpose.AC}),
    "verify_cryptogram": (
        lambda c, ref: c.verify_cryptogram(ref, EMV_CSK, PAN, 1, bytes(2), b"x", bytes(8)),
        {Purpose.AC},
    ),
    "arpc": (lambda c, ref: c.arpc(card(c, ref, 0), EMV_CSK, bytes(2), bytes(8), bytes(2), 1), {Purpose.AC}),
    "script_mac": (lambda c, ref: c.script_mac(card(c, ref, 1), EMV_CSK, bytes(2), bytes(8), b"x"), {Purpose.SMI}),
    "script_encrypt": (
        lambda c, ref: c.script_encrypt(card(c, ref, 2), EMV_CSK, bytes(2), bytes(8), b"x"),
        {Purpose.SMC},
    ),
    "encrypt_pin": (lambda c, ref: c.encrypt_pin(ref, PinFormat.ISO0, Secret(b"1234"), PAN), {Purpose.PIN}),
    "translate_pin, from": (
        lambda c, ref: c.translate_pin(pin(c, ref), KeyRef(Purpose.PIN.value), PinFormat.ISO3),
        {Purpose.PIN},
    ),
    "translate_pin, to": (
        lambda c, ref: c.translate_pin(pin(c, KeyRef(Purpose.PIN.value)), ref, PinFormat.ISO3),
        {Purpose.PIN},
    ),
    "seal_pin, PIN": (lambda c, ref: c.seal_pin(pin(c, ref), KeyRef(Purpose.SEAL.value), "c"), {Purpose.PIN}),
    "seal_pin, seal": (lambda c, ref: c.seal_pin(pin(c, KeyRef(Purpose.PIN.value)), ref, "c"), {Purpose.SEAL}),
    "pin_for_card, PIN": (
        lambda c, ref: c.pin_for_card(card(c, KeyRef(Purpose.SMC.value), 2), EMV_CSK, bytes(2), bytes(8), pin(c, ref)),
        {Purpose.PIN},
    ),
    "pin_for_card, SMC": (
        lambda c, ref: c.pin_for_card(card(c, ref, 2), EMV_CSK, bytes(2), bytes(8), pin(c, KeyRef(Purpose.PIN.value))),
        {Purpose.SMC},
    ),
    "to_transport, transport": (
        lambda c, ref: c.to_transport(ref, card(c, KeyRef(Purpose.AC.value), 0)),
        {Purpose.TRANSPORT},
    ),
    "to_transport, keys": (
        lambda c, ref: c.to_transport(KeyRef(Purpose.TRANSPORT.value), card(c, ref, 0)),
        {Purpose.AC},
    ),
    "to_transport, sealed": (
        lambda c, ref: c.to_transport(KeyRef(Purpose.TRANSPORT.value), sealed(c, ref)),
        {Purpose.SEAL},
    ),
    "keys_from_transport, transport": (
        lambda c, ref: c.keys_from_transport(ref, wrapped(c), Algorithm.TDES, KeyRef(Purpose.SEAL.value), "c"),
        {Purpose.TRANSPORT},
    ),
    "keys_from_transport, seal": (
        lambda c, ref: c.keys_from_transport(TRANSPORT, wrapped(c), Algorithm.TDES, ref, "c"),
        {Purpose.SEAL},
    ),
    "data_from_transport, transport": (
        lambda c, ref: c.data_from_transport(ref, data(c), KeyRef(Purpose.SEAL.value), "c"),
        {Purpose.TRANSPORT},
    ),
    "data_from_transport, seal": (
        lambda c, ref: c.data_from_transport(TRANSPORT, data(c), ref, "c"),
        {Purpose.SEAL},
    ),
    "key_blocks, transport": (
        lambda c, ref: c.key_blocks(ref, card(c, KeyRef(Purpose.AC.value), 0)),
        {Purpose.TRANSPORT},
    ),
    "key_blocks, AC": (lambda c, ref: c.key_blocks(TRANSPORT, card(c, ref, 0)), {Purpose.AC}),
    "key_blocks, SMI": (lambda c, ref: c.key_blocks(TRANSPORT, card(c, ref, 1)), {Purpose.SMI}),
    "key_blocks, SMC": (lambda c, ref: c.key_blocks(TRANSPORT, card(c, ref, 2)), {Purpose.SMC}),
    "keys_from_blocks, transport": (
        lambda c, ref: c.keys_from_blocks(ref, blocks(c), wrapped(c).kcvs, KeyRef(Purpose.SEAL.value), "c"),
        {Purpose.TRANSPORT},
    ),
    "keys_from_blocks, seal": (
        lambda c, ref: c.keys_from_blocks(TRANSPORT, blocks(c), wrapped(c).kcvs, ref, "c"),
        {Purpose.SEAL},
    ),
    "card_verification_value": (
        lambda c, ref: c.card_verification_value(ref, PAN, "3611", "220"),
        {Purpose.CVK},
    ),
    "tracks_from_transport": (
        lambda c, ref: c.tracks_from_transport(
            ref, c.to_transport(TRANSPORT, c.seal(KeyRef(Purpose.SEAL.value), TRACKS_MARK + b"1=2", "c")).ciphertext
        ),
        {Purpose.TRANSPORT},
    ),
    "transport_mac": (lambda c, ref: c.transport_mac(ref, b"file", b"x"), {Purpose.TRANSPORT}),
    "cryptogram, sealed": (lambda c, ref: c.cryptogram(brought(c, ref), EMV_CSK, bytes(2), b"x"), {Purpose.SEAL}),
    "wrap_for_card, sealed keys": (
        lambda c, ref: c.wrap_for_card(dek(c), brought(c, ref), pad=False),
        {Purpose.SEAL},
    ),
    "new_pin": (lambda custody, ref: custody.new_pin(6, ref, "c"), {Purpose.SEAL}),
    "open_pins": (
        lambda c, ref: c.open_pins([drawn_pin(c, ref)], "B20261122-001", by="Li Na", second="Wang Fang"),
        {Purpose.SEAL},
    ),
    "same_secret, one": (
        lambda c, ref: c.same_secret(sealed(c, ref), sealed(c, KeyRef(Purpose.SEAL.value))) or None,
        {Purpose.SEAL},
    ),
    "same_secret, other": (
        lambda c, ref: c.same_secret(sealed(c, KeyRef(Purpose.SEAL.value)), sealed(c, ref)) or None,
        {Purpose.SEAL},
    ),
    "sign_sm2": (signing_sm2, {Purpose.SIGN_CA, Purpose.SIGN_ISSUER}),
    "seal": (lambda custody, ref: custody.seal(ref, b"x", "c"), {Purpose.SEAL}),
    "open": (lambda custody, ref: custody.open(sealed(custody, ref)), {Purpose.SEAL}),
    "index": (lambda custody, ref: custody.index(ref, b"x"), {Purpose.INDEX}),
}


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("name", OPERATIONS)
def test_only_keys_of_the_right_purpose_work(full_custody: MemoryCustody, name: str, purpose: Purpose) -> None:
    operation, allowed = OPERATIONS[name]
    ref = KeyRef(purpose.value)
    if purpose in allowed:
        assert operation(full_custody, ref) is not None
    else:
        with pytest.raises(KeyMisuse):
            operation(full_custody, ref)


def test_every_operation_of_custody_is_in_the_matrix() -> None:
    expected = {name.split(",")[0] for name in OPERATIONS} | {"keys", "info", "latest", "pins_opened"}
    assert expected == {name for name in vars(KeyCustody) if not name.startswith("_")}


def test_a_refusal_says_what_was_being_done_and_what_the_key_is_for(full_custody: MemoryCustody) -> None:
    with pytest.raises(KeyMisuse, match=r"^sealing: index/1 is a key for index, not seal$"):
        full_custody.seal(KeyRef("index"), b"", "")


def test_memory_custody_is_a_key_custody(full_custody: MemoryCustody) -> None:
    custody: KeyCustody = full_custody
    assert {info.ref.name for info in custody.keys()} >= {p.value for p in Purpose}
