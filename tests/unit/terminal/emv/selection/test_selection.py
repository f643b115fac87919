"""The candidate list and the choice from it, one exact conversation for each rule. EMV 4.4 Book 1, 12."""

from __future__ import annotations

import pytest

from terminal.emv.selection.selection import MOST_NEXT, Candidate, Supported, build_candidates, choose, display_name
from terminal.emv.transaction.outcome import Result
from tests.support.cards.kernel_state import (
    CREDIT,
    DEBIT,
    PSE,
    VISA,
    Person,
    Turn,
    card_with,
    fci,
    new_state,
    read,
    select,
    stops,
    text,
    texts,
    tlv,
)

UNIONPAY, VISA_ONLY = Supported(bytes.fromhex("A000000333")), Supported(bytes.fromhex(VISA))
NO_MORE = "6A83"


def entry(name: str, label: str, *more: str) -> str:
    return tlv("61", tlv("4F", name), tlv("50", text(label)), *more)


def record(*entries: str) -> str:
    return tlv("70", *entries) + "9000"


def directory(*records: str, end: str = NO_MORE, sfi: int = 1) -> list[Turn]:
    turns = [select(PSE, fci(PSE, tlv("88", f"{sfi:02X}")))]
    turns += [read(sfi, number, answer) for number, answer in enumerate(records, 1)]
    return [*turns, read(sfi, len(records) + 1, end)] if end else turns


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.name.hex().upper() for candidate in candidates]


def candidate(name: str, priority: int = 0, confirm: bool = False) -> Candidate:
    return Candidate(bytes.fromhex(name), UNIONPAY, name[-2:], priority, confirm)


def test_directory_gives_candidates_in_the_order_of_their_priority() -> None:
    state = new_state()
    first = record(entry(CREDIT, "CREDIT", tlv("87", "02")), entry(DEBIT, "DEBIT", tlv("87", "01")))
    other = record(entry(VISA, "VISA"), entry("A0000003330199", "LAST"))
    with card_with(*directory(first, other)) as sender:
        candidates = build_candidates(state, sender, [UNIONPAY])
    assert names(candidates) == [DEBIT, CREDIT, "A0000003330199"]
    assert [(c.label, c.priority, c.confirm) for c in candidates] == [
        ("DEBIT", 1, False),
        ("CREDIT", 2, False),
        ("LAST", 0, False),
    ]
    assert "names 4 applications, the terminal knows 3" in texts(state)
    assert state.steps[0].source == "EMV 4.4 Book 1, 12.3.2"


def test_candidates_without_priority_come_last_in_the_order_of_the_card() -> None:
    listed = record(entry(VISA, "V"), entry(CREDIT, "C"), entry(DEBIT, "D", tlv("87", "0F")))
    with card_with(*directory(listed)) as sender:
        assert names(build_candidates(new_state(), sender, [UNIONPAY, VISA_ONLY])) == [DEBIT, VISA, CREDIT]


def test_a_directory_entry_needs_a_full_match_where_the_terminal_asks_for_it() -> None:
    exact = Supported(bytes.fromhex("A000000333"), partial=False)
    whole = Supported(bytes.fromhex(CREDIT), partial=False)
    with card_with(*directory(record(entry(DEBIT, "D"), entry(CREDIT, "C")))) as sender:
        candidates = build_candidates(new_state(), sender, [exact, whole])
    assert names(candidates) == [CREDIT]
    assert candidates[0].supported is whole


def test_the_longest_entry_of_the_terminal_claims_an_application() -> None:
    longer = Supported(bytes.fromhex(DEBIT[:12]))
    with card_with(*directory(record(entry(DEBIT, "D")))) as sender:
        assert build_candidates(new_state(), sender, [UNIONPAY, longer])[0].supported is longer


def test_an_entry_without_a_name_or_twice_is_passed_over() -> None:
    nameless, short = tlv("61", tlv("50", text("X"))), tlv("61", tlv("4F", "A0000003"))
    with card_with(*directory(record(nameless, short, entry(DEBIT, "D"), entry(DEBIT, "AGAIN")))) as sender:
        assert [c.label for c in build_candidates(new_state(), sender, [UNIONPAY])] == ["D"]


@pytest.mark.parametrize(
    "turns",
    [
        [select(PSE, "6A82")],
        [select(PSE, "6283")],
        [select(PSE, "6D00")],
        [select(PSE, "9000")],
        [select(PSE, "FFFF9000")],
        [select(PSE, fci(PSE))],
        [select(PSE, fci(PSE, tlv("88", "0B")))],
        [select(PSE, fci(PSE, tlv("88", "00")))],
        [select(PSE, fci(DEBIT, tlv("88", "01")))],
        directory(end=NO_MORE),
        directory(end="6985"),
        directory("77029F009000", end=""),
        directory("9000", end=""),
        directory(record(entry(DEBIT, "D")), end="6700"),
        directory(record(entry(VISA, "V"))),
    ],
    ids=lambda turns: turns[-1][1][:12],
)
def test_without_a_directory_that_can_be_used_the_list_of_aids_is(turns: list[Turn]) -> None:
    state = new_state()
    with card_with(*turns, select("A000000333", fci(DEBIT)), select("A000000333", "6A82", following=True)) as sender:
        assert names(build_candidates(state, sender, [UNIONPAY])) == [DEBIT]
    assert "list of AIDs is used" in texts(state) or "gives 1 application" in texts(state)


def test_a_terminal_may_skip_the_directory() -> None:
    with card_with(select(VISA, fci(VISA))) as sender:
        assert names(build_candidates(new_state(), sender, [VISA_ONLY], pse=False)) == [VISA]


def test_nothing_in_common_leaves_another_reading_of_the_card() -> None:
    state = new_state()
    with card_with(select(VISA, "6A82")) as sender:
        with stops(state, Result.TRY_ANOTHER_INTERFACE, "card and terminal have no application in common"):
            build_candidates(state, sender, [VISA_ONLY], pse=False)


def test_what_is_blocked_is_not_paid_with_in_another_way() -> None:
    state = new_state()
    with card_with(select(VISA, fci(VISA)[:-4] + "6283")) as sender:
        with stops(state, Result.TERMINATED, "every application in common is blocked"):
            build_candidates(state, sender, [VISA_ONLY], pse=False)


@pytest.mark.parametrize("turns", [[select(PSE, "6A81")], [select(PSE, "6A82"), select(VISA, "6A81")]])
def test_a_blocked_card_ends_the_transaction(turns: list[Turn]) -> None:
    state = new_state()
    with card_with(*turns) as sender, stops(state, Result.TERMINATED, "the card is blocked or knows no SELECT: 6A81"):
        build_candidates(state, sender, [VISA_ONLY])


def test_select_next_gives_partial_names() -> None:
    turns = [
        select("A000000333", fci(DEBIT, tlv("50", text("DEBIT")), tlv("87", "82"))),
        select("A000000333", fci(CREDIT, tlv("87", "01")), following=True),
        select("A000000333", "6A82", following=True),
        select(VISA, fci(VISA)),
    ]
    with card_with(*turns) as sender:
        candidates = build_candidates(new_state(), sender, [UNIONPAY, VISA_ONLY], pse=False)
    assert [(c.name.hex().upper(), c.priority, c.confirm) for c in candidates] == [
        (CREDIT, 1, False),
        (DEBIT, 2, True),
        (VISA, 0, False),
    ]
    assert candidates[2].label == VISA


def test_blocked_applications_are_no_candidates_and_the_search_goes_on() -> None:
    state = new_state()
    blocked = fci(DEBIT)[:-4] + "6283"
    turns = [
        select("A000000333", blocked),
        select("A000000333", fci(CREDIT), following=True),
        select("A000000333", "6A82", following=True),
    ]
    with card_with(*turns) as sender:
        assert names(build_candidates(state, sender, [UNIONPAY], pse=False)) == [CREDIT]
    assert f"{DEBIT} is no candidate: 6283" in texts(state)


def test_a_warning_is_no_candidate_but_not_the_end_of_the_search() -> None:
    """SELECT next goes on after 62xx and 63xx, and ends with any other status word, 6A81 too."""
    turns = [
        select("A000000333", fci(DEBIT)),
        select("A000000333", fci(VISA.replace("A000000003", "A000000333"))[:-4] + "6200", following=True),
        select("A000000333", fci(CREDIT), following=True),
        select("A000000333", "6A81", following=True),
    ]
    with card_with(*turns) as sender:
        assert names(build_candidates(new_state(), sender, [UNIONPAY], pse=False)) == [DEBIT, CREDIT]


def test_a_longer_name_is_no_candidate_where_a_full_match_is_required() -> None:
    state = new_state()
    exact = Supported(bytes.fromhex("A000000333"), partial=False)
    with card_with(select("A000000333", fci(DEBIT))) as sender:  # and no further name: EMV 4.4 Book 1, 12.3.3, step 6
        with stops(state, Result.TRY_ANOTHER_INTERFACE, "no application in common"):
            build_candidates(state, sender, [exact], pse=False)
    assert "a full match is asked" in texts(state)


@pytest.mark.parametrize("answer", ["9000", fci(VISA), tlv("6F", tlv("A5")) + "9000", "84019000"])
def test_an_answer_that_names_another_application_is_no_candidate(answer: str) -> None:
    state = new_state()
    with card_with(select("A000000333", answer)) as sender:
        with stops(state, Result.TRY_ANOTHER_INTERFACE, "no application in common"):
            build_candidates(state, sender, [UNIONPAY], pse=False)


def test_a_card_that_repeats_itself_does_not_hold_the_terminal() -> None:
    turns = [select("A000000333", fci(DEBIT)), select("A000000333", fci(DEBIT), following=True)]
    with card_with(*turns) as sender:
        assert names(build_candidates(new_state(), sender, [UNIONPAY], pse=False)) == [DEBIT]


def test_a_card_that_never_ends_its_names_gets_a_limited_number_of_selects() -> None:
    turns = [select("A000000333", fci(f"A0000003330{n:05X}"), following=n > 0) for n in range(MOST_NEXT)]
    with card_with(*turns) as sender:
        assert len(build_candidates(new_state(), sender, [UNIONPAY], pse=False)) == MOST_NEXT


def test_the_only_application_is_selected_without_a_question() -> None:
    state, person = new_state(), Person()
    inside = (tlv("50", text("DEBIT")), tlv("9F38", "9F3704"), tlv("BF0C", tlv("9F4D", "0B0A")))
    with card_with(select(DEBIT, fci(DEBIT, *inside))) as sender:
        selected, left = choose(state, sender, [candidate(DEBIT)], person)
    assert (selected.name.hex().upper(), selected.label, selected.pdol.hex(), left) == (DEBIT, "DEBIT", "9f3704", [])
    assert person.offered == []
    assert state.aid == bytes.fromhex(DEBIT)
    assert {0x84, 0x50, 0x9F38, 0x9F4D} == set(state.card)


def test_the_cardholder_chooses_among_several() -> None:
    person = Person(chooses=1)
    with card_with(select(CREDIT, fci(CREDIT))) as sender:
        selected, left = choose(new_state(), sender, [candidate(DEBIT, 1), candidate(CREDIT, 2)], person)
    assert (selected.name.hex().upper(), left) == (CREDIT, [candidate(DEBIT, 1, True)])
    assert [choice.label for choice in person.offered[0]] == ["01", "02"]


def test_one_application_that_needs_confirmation_is_confirmed_first() -> None:
    state, person = new_state(), Person(chooses=None)
    with card_with() as sender, stops(state, Result.CANCELLED, "the cardholder chose no application"):
        choose(state, sender, [candidate(DEBIT, 1, True)], person)
    assert len(person.offered) == 1


def test_a_terminal_without_a_choice_takes_the_first_that_needs_no_confirmation() -> None:
    with card_with(select(CREDIT, fci(CREDIT))) as sender:
        selected, _ = choose(new_state(), sender, [candidate(DEBIT, 1, True), candidate(CREDIT, 2)], None)
    assert selected.name.hex().upper() == CREDIT
    state = new_state()
    with card_with() as sender, stops(state, Result.TERMINATED, "asks for the cardholder's confirmation"):
        choose(state, sender, [candidate(DEBIT, 1, True)], None)


@pytest.mark.parametrize(
    "answer", ["6283", "6A82", "6F009000", "9000", fci(CREDIT), tlv("6F", tlv("84", DEBIT)) + "9000"]
)
def test_an_application_that_does_not_open_gives_way_to_the_next(answer: str) -> None:
    state = new_state()
    with card_with(select(DEBIT, answer), select(CREDIT, fci(CREDIT))) as sender:
        selected, left = choose(state, sender, [candidate(DEBIT, 1), candidate(CREDIT, 2)], None)
    assert (selected.name.hex().upper(), left) == (CREDIT, [])
    assert "it is a candidate no more" in texts(state)


def test_after_a_choice_that_does_not_open_the_last_application_needs_confirmation_too() -> None:
    """EMV 4.4 Book 1, 12.4: after a choice that came to nothing, none is selected without the cardholder."""
    person = Person(chooses=0)
    with card_with(select(DEBIT, "6283"), select(CREDIT, fci(CREDIT))) as sender:
        selected, _ = choose(new_state(), sender, [candidate(DEBIT, 1), candidate(CREDIT, 2)], person)
    assert selected.name.hex().upper() == CREDIT
    assert [len(choices) for choices in person.offered] == [2, 1]


def test_no_candidate_opens() -> None:
    state = new_state()
    with card_with(select(DEBIT, "6283")) as sender, stops(state, Result.TERMINATED, "opens no application"):
        choose(state, sender, [candidate(DEBIT)], None)


def test_an_answer_without_a_status_word_ends_the_transaction() -> None:
    state = new_state()
    with card_with(select(PSE, "90")) as sender, stops(state, Result.TERMINATED, "gave no answer that can be read"):
        build_candidates(state, sender, [UNIONPAY])


@pytest.mark.parametrize(
    ("label", "preferred", "table", "shown"),
    [
        (b"DEBIT", "Débit".encode("latin-1"), b"\x01", "Débit"),
        (b"DEBIT", "дебет".encode("iso8859-5"), b"\x05", "дебет"),
        (b"DEBIT", b"Debet", b"\x02", "DEBIT"),
        (b"DEBIT", b"Debet", b"\x63", "DEBIT"),
        (b"DEBIT", b"Debet", None, "DEBIT"),
        (b"DEBIT", b"Debet", b"", "DEBIT"),
        (b"  \x1b\x07 ", None, None, "AABB"),
        (b"\x1b[2JDEBIT", None, None, "[2JDEBIT"),
        (None, None, None, "AABB"),
    ],
)
def test_what_the_display_calls_it(
    label: bytes | None, preferred: bytes | None, table: bytes | None, shown: str
) -> None:
    assert display_name(b"\xaa\xbb", label, preferred, table, {1, 5, 0x63}) == shown


def test_a_code_table_that_only_the_directory_names_serves_its_applications() -> None:
    """EMV 4.4 Book 1, 12.2.2."""
    state = new_state()
    preferred = tlv("9F12", "ПЛАТА".encode("iso8859-5").hex())
    directory = tlv("6F", tlv("84", PSE), tlv("A5", tlv("88", "01"), tlv("9F11", "05"))) + "9000"
    turns = [
        select(PSE, directory),
        read(1, 1, tlv("70", tlv("61", tlv("4F", DEBIT), tlv("50", text("DEBIT")), preferred)) + "9000"),
        read(1, 2, "6A83"),
        select(DEBIT, fci(DEBIT, tlv("50", text("DEBIT")), preferred)),
    ]
    with card_with(*turns) as sender:
        candidates = build_candidates(state, sender, [UNIONPAY])
        selected, _ = choose(state, sender, candidates, None)
    assert (candidates[0].label, selected.label) == ("ПЛАТА", "ПЛАТА")


def test_what_belongs_into_records_is_not_taken_from_an_fci() -> None:
    """A card number or CDOL1 beside the label does not stand in for the record's. EMV 4.4 Book 3, 7.2, 7.5."""
    state = new_state()
    inside = (tlv("50", text("DEBIT")), tlv("5A", "6225000000000006"), tlv("8C", "9F3704"))
    with card_with(select(DEBIT, fci(DEBIT, *inside))) as sender:
        choose(state, sender, [candidate(DEBIT)], None)
    assert set(state.card) == {0x84, 0x50}
