"""Account numbers: from the range, from the bank's file, never twice, and the same again for a card made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from personalize.errors import ProfileError
from personalize.payment.pan import BankNumbers, assign, load_numbers
from personalize.profiles.payment import PanRange
from registry.errors import RegistryConflict
from registry.store import Registry
from registry.values import NewDossier
from tests.support import issuer

RULE = PanRange(prefix="62109713", length=19)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Registry]:
    with issuer.registry(f"sqlite:///{tmp_path / 'registry.db'}") as opened:
        yield opened


def cards(store: Registry, count: int) -> tuple[str, list[tuple[object, str]]]:
    batch_id = issuer.batch(store, count)
    members = store.dossiers.to_prepare(batch_id)
    return batch_id, [(member, f"91561300{at:011d}") for at, member in enumerate(members)]


def add(store: Registry, batch_id: str, given: list[tuple[object, str]], pans: list[str]) -> None:
    custody = issuer.custody()
    sealed = custody.seal(custody.latest("seal"), b"dossier", "test")
    store.dossiers.add(
        batch_id,
        [
            NewDossier(member.member_id, card, 1, sealed, "p", "d", pan)  # type: ignore[attr-defined]
            for (member, card), pan in zip(given, pans, strict=True)
        ],
    )


def test_numbers_of_the_range_are_given_once_and_stay_taken(store: Registry) -> None:
    batch_id, given = cards(store, 3)
    pans = assign(store, RULE, given, None)  # type: ignore[arg-type]
    assert pans == [RULE.number(serial) for serial in (1, 2, 3)]
    add(store, batch_id, given, pans)
    assert assign(store, RULE, given, None) == pans  # type: ignore[arg-type]
    assert store.pans.taken([*pans, RULE.number(4)]) == set(pans)
    assert list(store.pans.allocate_serials(RULE.prefix, 1)) == [4]


def test_a_number_belongs_to_one_card(store: Registry) -> None:
    batch_id, given = cards(store, 2)
    with pytest.raises(RegistryConflict, match="belongs to another card"):
        add(store, batch_id, given, [RULE.number(1), RULE.number(1)])
    add(store, batch_id, given[:1], [RULE.number(1)])
    with pytest.raises(RegistryConflict, match="belongs to another card"):
        add(store, batch_id, given[1:], [RULE.number(1)])
    assert store.batches.batch(batch_id).dossiers == 1


def test_numbers_are_sealed_in_the_registry(store: Registry, tmp_path: Path) -> None:
    batch_id, given = cards(store, 1)
    add(store, batch_id, given, [RULE.number(7)])
    assert store.pans.of_cards([given[0][1]]) == {given[0][1]: RULE.number(7)}
    store.close()
    assert RULE.number(7).encode() not in b"".join(p.read_bytes() for p in tmp_path.glob("registry.db*"))
    assert RULE.number(7) not in repr(NewDossier(1, "1", 1, None, "p", "d", RULE.number(7)))  # type: ignore[arg-type]


def test_a_file_of_the_bank(tmp_path: Path, store: Registry) -> None:
    batch_id, given = cards(store, 3)
    person = given[1][0].person.id_number  # type: ignore[attr-defined]
    path = tmp_path / "numbers.txt"
    path.write_text(
        f"# from the bank\n{RULE.number(10)}\n\n{person.lower()}, {RULE.number(11)}\n{RULE.number(12)}  # last\n"
    )
    numbers = load_numbers(path, RULE)
    assert RULE.number(11) not in repr(numbers)
    pans = assign(store, RULE, given, numbers)  # type: ignore[arg-type]
    assert pans == [RULE.number(10), RULE.number(11), RULE.number(12)]
    add(store, batch_id, given, pans)
    other = issuer.batch(store, 1, start=100)
    more = [(store.dossiers.to_prepare(other)[0], "9156130099999999999")]
    with pytest.raises(ProfileError, match="no account number left"):
        assign(store, RULE, more, numbers)


def test_a_number_that_a_person_has_on_another_card_is_not_given_again(store: Registry) -> None:
    batch_id, given = cards(store, 2)
    person = given[1][0].person.id_number  # type: ignore[attr-defined]
    add(store, batch_id, given[:1], [RULE.number(1)])
    numbers = BankNumbers({person: RULE.number(1)}, (RULE.number(2),))
    assert assign(store, RULE, given[1:], numbers) == [RULE.number(2)]  # type: ignore[arg-type]


GOOD = RULE.number(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"62109713\n", ":1: an account number of 8 digits"),
        (b"# x\n\n6210971300000000000\n", ":3: the check digit is wrong"),
        (b"6210971400000000017\n", ":1: the account number does not begin with 62109713"),
        (b"621097130000000001x\n", ":1: an account number is decimal digits"),
        (GOOD.encode() + b"\n" + GOOD.encode(), ":2: the same account number as in line 1"),
        (b"a," + GOOD.encode() + b"\nA," + RULE.number(2).encode(), ":2: this person has an account number already"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_faults_of_a_file_name_the_line_and_not_the_number(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "numbers.txt"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=message) as caught:
        load_numbers(path, RULE)
    assert GOOD not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot read the bank's account numbers"):
        load_numbers(tmp_path / "none", RULE)
