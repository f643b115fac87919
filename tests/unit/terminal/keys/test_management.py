from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from terminal.crypto import des, rsa
from terminal.errors import KeyMisuse, KeyNotFound, KeyRefused
from terminal.keys import GP_TEST_KEY, Algorithm, KeyComponent, KeyRef, MemoryCustody, Purpose
from terminal.keys.management import ALGORITHMS
from terminal.secret import Secret

NOW = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
STRONG = bytes.fromhex("8C2F4A6D1B3E50798FA1C4D6E8FB0D12")


def test_a_generated_key_has_all_its_attributes(custody: MemoryCustody) -> None:
    info = custody.generate("imk-ac", Purpose.AC, Algorithm.TDES, by="Li Na")
    assert info == custody.info(KeyRef("imk-ac", 1))
    assert (info.algorithm, info.purpose, info.bits) == (Algorithm.TDES, Purpose.AC, 128)
    assert (info.created, info.simulation, info.modulus) == (NOW, False, None)
    assert len(info.kcv) == 3
    assert str(info.ref) == "imk-ac/1"


def test_generated_des_keys_have_odd_parity() -> None:
    source = itertools.count(1)
    custody = MemoryCustody(simulation=False, random=lambda n: bytes(next(source) for _ in range(n)))
    info = custody.generate("imk-ac", Purpose.AC, Algorithm.TDES, by="Li Na")
    assert info.kcv == des.ecb_encrypt(des.adjust_parity(bytes(range(1, 17))), bytes(8))[:3]


def test_a_taken_name_is_not_generated_again(custody: MemoryCustody) -> None:
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
    with pytest.raises(KeyRefused, match="seal exists already: rotate it"):
        custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")


@pytest.mark.parametrize(
    ("purpose", "algorithm"), [(p, a) for p, a in itertools.product(Purpose, Algorithm) if a not in ALGORITHMS[p]]
)
def test_purposes_take_only_their_algorithms(custody: MemoryCustody, purpose: Purpose, algorithm: Algorithm) -> None:
    with pytest.raises(KeyMisuse, match=f"a key for {purpose} is "):
        custody.generate("key", purpose, algorithm, by="Li Na")
    with pytest.raises(KeyMisuse, match=f"a key for {purpose} is "):
        custody.import_key("key", purpose, algorithm, Secret(STRONG), by="Li Na")


@pytest.mark.parametrize("name", ["", "a b", "a/1", "封", "a\n"])
def test_names_are_plain(custody: MemoryCustody, name: str) -> None:
    with pytest.raises(KeyRefused, match="a key name is letters"):
        custody.generate(name, Purpose.SEAL, Algorithm.AES256, by="Li Na")


PUBLISHED = {
    "GP test key": (Algorithm.TDES, GP_TEST_KEY),
    "GP test key, AES": (Algorithm.AES128, GP_TEST_KEY),
    "GP test key, other parity": (Algorithm.TDES, des.adjust_parity(GP_TEST_KEY)),
    "GP test key twice": (Algorithm.AES256, GP_TEST_KEY * 2),
    "GP test key continued": (Algorithm.AES256, bytes(range(0x40, 0x60))),
    "GP test key continued, 24 bytes": (Algorithm.AES192, bytes(range(0x40, 0x58))),
    "GP test key inside": (Algorithm.AES192, b"\x9a\x01\x77\x30" + GP_TEST_KEY + b"\x11\x56\x02\xfe"),
    "card maker's sample": (Algorithm.TDES, b"GEMXPRESSOSAMPLE"),
    "textbook key": (Algorithm.TDES, bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")),
    "zeros": (Algorithm.AES128, bytes(16)),
    "ones": (Algorithm.TDES, b"\xff" * 16),
    "single DES": (Algorithm.TDES, STRONG[:8] * 2),
    "single DES, other parity": (Algorithm.TDES, STRONG[:8] + bytes(b ^ 1 for b in STRONG[:8])),
    "one byte, other parity": (Algorithm.TDES, b"\x22\x23" * 8),
    "counting": (Algorithm.AES128, bytes(range(16))),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("purpose", [Purpose.KMC, Purpose.CARD, Purpose.READ])
def test_published_keys_are_for_simulation_only(custody: MemoryCustody, name: str, purpose: Purpose) -> None:
    algorithm, key = PUBLISHED[name]
    with pytest.raises(KeyRefused, match="published test key or a weak one, for simulation only"):
        custody.import_key("key", purpose, algorithm, Secret(key), by="Li Na")
    assert custody.keys() == []
    assert custody.audit() == ()
    allowed = MemoryCustody(simulation=True).import_key("key", purpose, algorithm, Secret(key), by="Li Na")
    assert allowed.simulation


def test_a_published_key_is_refused_in_any_place_of_a_set(custody: MemoryCustody) -> None:
    for place in range(3):
        keys = [Secret(STRONG)] * 3
        keys[place] = Secret(GP_TEST_KEY)
        with pytest.raises(KeyRefused, match="simulation only"):
            custody.import_key_set("kmc", Purpose.KMC, Algorithm.TDES, (keys[0], keys[1], keys[2]), by="Li Na")


def test_a_published_key_is_refused_in_components_too(custody: MemoryCustody) -> None:
    mask = bytes(a ^ b for a, b in zip(STRONG, GP_TEST_KEY, strict=True))
    parts = [KeyComponent(Secret(STRONG), "Li Na"), KeyComponent(Secret(mask), "Wang Wei")]
    with pytest.raises(KeyRefused, match="simulation only"):
        custody.import_components("kmc", Purpose.KMC, Algorithm.TDES, parts)


def test_key_sets_are_for_card_masters(custody: MemoryCustody) -> None:
    keys = (Secret(STRONG), Secret(STRONG[::-1]), Secret(STRONG[1:] + b"\x10"))
    with pytest.raises(KeyMisuse, match="is not a set of ENC, MAC and DEK"):
        custody.import_key_set("imk-ac", Purpose.AC, Algorithm.TDES, keys, by="Li Na")


@pytest.mark.parametrize("size", [0, 8, 15, 17, 24])
def test_imported_keys_have_the_right_length(custody: MemoryCustody, size: int) -> None:
    with pytest.raises(KeyRefused, match=f"a key of {size} bytes is no 3des key"):
        custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(bytes(size)), by="Li Na")


def test_an_import_checks_the_expected_check_value(custody: MemoryCustody) -> None:
    right = des.ecb_encrypt(STRONG, bytes(8))[:3]
    with pytest.raises(KeyRefused, match=rf"check value {right.hex().upper()}, not 000000"):
        custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(STRONG), by="Li Na", kcv=bytes(3))
    assert custody.keys() == []
    assert custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(STRONG), by="Li Na", kcv=right).kcv == right


def test_importing_a_name_again_makes_its_next_version(custody: MemoryCustody) -> None:
    custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(STRONG), by="Li Na")
    second = custody.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(STRONG[::-1]), by="Li Na")
    assert custody.latest("kmc") == second.ref == KeyRef("kmc", 2)
    with pytest.raises(KeyMisuse, match="kmc/1 is 3des for kmc"):
        custody.import_key("kmc", Purpose.CARD, Algorithm.TDES, Secret(STRONG), by="Li Na")


def test_components_join_by_exclusive_or(custody: MemoryCustody) -> None:
    parts = [bytes([n]) * 8 + STRONG[:8] for n in (1, 2)]
    parts.append(bytes(a ^ b ^ c for a, b, c in zip(*parts, STRONG, strict=True)))
    people = ["Li Na", "Wang Wei", "Zhao Min"]
    components = [KeyComponent(Secret(part), person) for part, person in zip(parts, people, strict=True)]
    info = custody.import_components(
        "kmc", Purpose.KMC, Algorithm.TDES, components, kcv=des.ecb_encrypt(STRONG, bytes(8))[:3]
    )
    (entry,) = custody.audit()
    assert entry.by == "Li Na and Wang Wei and Zhao Min"
    for component in components:
        assert f"{component.by} KCV {component.kcv(Algorithm.TDES).hex().upper()}" in entry.action
    assert info.kcv.hex().upper() in entry.detail


@pytest.mark.parametrize(
    "people",
    [
        ["Li Na"],
        ["Li Na", "li na "],
        ["Li Na", "L\u0456 N\u3164a"],
        ["Li Na", ""],
        ["Li Na", "\u2800"],
        ["a", "b", "c", "d"],
    ],
)
def test_components_come_from_different_people(custody: MemoryCustody, people: list[str]) -> None:
    components = [KeyComponent(Secret(bytes([n]) + STRONG[1:]), person) for n, person in enumerate(people)]
    with pytest.raises(KeyRefused, match="each entered by another named person"):
        custody.import_components("kmc", Purpose.KMC, Algorithm.TDES, components)


def test_a_component_of_wrong_length_is_refused_at_once() -> None:
    with pytest.raises(KeyRefused, match="a key of 8 bytes is no 3des key"):
        KeyComponent(Secret(STRONG[:8]), "Li Na").kcv(Algorithm.TDES)


def test_rsa_keys_do_not_come_in_components(custody: MemoryCustody) -> None:
    parts = [KeyComponent(Secret(bytes(132)), "a"), KeyComponent(Secret(bytes(132)), "b")]
    with pytest.raises(KeyMisuse, match="has no components"):
        custody.import_components("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, parts)


def test_rsa_keys_are_imported_by_their_primes(custody: MemoryCustody) -> None:
    key = rsa.generate(1024)
    info = custody.import_key("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, Secret(key.encode()), by="Li Na")
    assert (info.modulus, info.exponent, info.bits) == (key.n, 3, 1024)


def test_other_numbers_are_no_rsa_key(custody: MemoryCustody) -> None:
    composite = rsa.RsaPrivate.from_primes((1 << 511) + 15 * 2 + 1, (1 << 511) + 3, 65537).encode()
    for encoded in (composite, bytes(10), rsa.RsaPrivate.from_primes(251, 241, 7).encode()):
        with pytest.raises(KeyRefused, match="RSA key"):
            custody.import_key("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, Secret(encoded), by="Li Na")


def test_rotation_makes_a_new_version_and_keeps_the_old(custody: MemoryCustody) -> None:
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
    old = custody.seal(KeyRef("seal", 1), b"before", "")
    second = custody.rotate("seal", by="Wang Wei")
    assert second.ref == KeyRef("seal", 2) == custody.latest("seal")
    assert custody.open(old) == Secret(b"before")
    assert custody.seal(second.ref, b"", "").key == second.ref
    assert [(e.by, e.action, e.key) for e in custody.audit()] == [
        ("Li Na", "generate", "seal/1"),
        ("Wang Wei", "rotate", "seal/2"),
    ]


def test_rotation_keeps_rsa_attributes(custody: MemoryCustody) -> None:
    custody.generate("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, by="Li Na", bits=1040, exponent=65537)
    info = custody.rotate("issuer", by="Li Na")
    assert (info.bits, info.exponent, info.ref.version) == (1040, 65537, 2)


@pytest.mark.parametrize(
    ("purpose", "algorithm", "reason"),
    [(Purpose.KMC, Algorithm.TDES, "card supplier"), (Purpose.INDEX, Algorithm.HMAC, "no longer be recognized")],
)
def test_stock_masters_and_index_keys_are_not_rotated(
    custody: MemoryCustody, purpose: Purpose, algorithm: Algorithm, reason: str
) -> None:
    custody.generate("key", purpose, algorithm, by="Li Na")
    with pytest.raises(KeyMisuse, match=reason):
        custody.rotate("key", by="Li Na")


def test_a_destroyed_version_is_gone_for_ever(custody: MemoryCustody) -> None:
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
    sealed = custody.seal(KeyRef("seal", 1), b"", "")
    custody.destroy(KeyRef("seal", 1), by="Wang Wei")
    with pytest.raises(KeyNotFound, match="seal/1 was destroyed"):
        custody.open(sealed)
    with pytest.raises(KeyNotFound, match="was destroyed"):
        custody.destroy(KeyRef("seal", 1), by="Wang Wei")
    assert custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na").ref == KeyRef("seal", 2)
    assert [e.action for e in custody.audit()] == ["generate", "destroy", "generate"]


def test_the_audit_list_cannot_be_changed_from_outside(custody: MemoryCustody) -> None:
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
    entries = custody.audit()
    assert isinstance(entries, tuple)
    assert entries[0].at == NOW
    with pytest.raises(AttributeError):
        entries[0].by = "another"
