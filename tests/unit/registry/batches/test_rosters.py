"""Import, approval and discarding of rosters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from registry.db.paging import BadCursor, write_cursor
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import BatchState, KnownMember, RejectedRow
from terminal.keys.custody import KeyRef
from terminal.keys.memory import MemoryCustody
from terminal.localtime import time_zone
from tests.support.registry.databases import fresh
from tests.support.registry.registrar import UNIT, approved, chip, claimed, prepare, ready, row, rows


def test_an_imported_roster_is_a_draft_batch(registry: Registry) -> None:
    bad = RejectedRow(9, 7, ("ID_CHECKSUM", "PHONE_FORMAT"), "身份证号 130102198001010001 校验位不符")
    batch = registry.rosters.import_roster(UNIT, rows(3), [bad], source="form.xlsx", digest="d1", by="张")

    assert batch.id == "B20261122-001"
    assert (batch.state, batch.accepted, batch.rejected, batch.unit) == (BatchState.DRAFT, 3, 1, UNIT)
    assert registry.batches.all() == [batch]
    lines = registry.rosters.rows(batch.id)
    assert [line.sheet_row for line in lines] == [3, 4, 5, 9]
    assert (lines[0].seq, lines[0].accepted, lines[0].id_masked) == (1, True, "*" * 14 + "0001")
    assert (lines[0].name_masked, lines[0].mobile_masked) == ("欧****", "*" * 7 + "0001")
    assert (lines[3].accepted, lines[3].codes, lines[3].message) == (False, bad.codes, bad.message)


def test_batches_of_a_day_are_numbered(registry: Registry) -> None:
    names = [registry.rosters.import_roster(UNIT, [], [], source="f", digest=str(n), by="张").id for n in range(3)]
    assert names == ["B20261122-001", "B20261122-002", "B20261122-003"]


def test_the_same_file_is_imported_once_while_its_batch_lives(registry: Registry) -> None:
    first = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="same", by="张")
    with pytest.raises(RegistryConflict, match=first.id):
        registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="same", by="张")
    registry.batches.discard(first.id)
    assert registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="same", by="张").accepted == 1


def test_persons_of_a_draft_are_known_and_busy(registry: Registry) -> None:
    registry.rosters.import_roster(UNIT, rows(2), [], source="f", digest="d", by="张")
    known = registry.rosters.known_members([row(1).person.id_number, row(2).person.id_number, row(3).person.id_number])
    assert known == {row(1).person.id_number: KnownMember(UNIT, True), row(2).person.id_number: KnownMember(UNIT, True)}


def test_a_person_in_another_living_batch_is_refused_and_nothing_is_stored(registry: Registry) -> None:
    registry.rosters.import_roster(UNIT, rows(2), [], source="f", digest="d1", by="张")
    with pytest.raises(RegistryConflict, match="row 4: this person has a card") as caught:
        registry.rosters.import_roster(UNIT, [row(3), row(2)], [], source="f", digest="d2", by="张")
    assert row(2).person.id_number not in str(caught.value)
    assert len(registry.batches.all()) == 1
    assert registry.rosters.known_members([row(3).person.id_number]) == {}


def test_a_person_of_another_unit_is_refused(registry: Registry, custody: MemoryCustody) -> None:
    registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d1", by="张")
    with pytest.raises(RegistryConflict, match=f"registered by {UNIT}"):
        registry.rosters.import_roster("别的单位", [row(1, unit="别的单位")], [], source="f", digest="d2", by="张")


def test_a_person_twice_in_one_roster_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryConflict, match="twice"):
        registry.rosters.import_roster(UNIT, [row(1), row(1)], [], source="f", digest="d1", by="张")


@pytest.mark.parametrize("by", ["Li Na", "li na", " Li  Na "])
def test_a_name_written_otherwise_is_no_second_person(registry: Registry, by: str) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d1", by="Li Na")
    with pytest.raises(RegistryConflict, match="a second person"):
        registry.batches.approve(batch.id, by)
    assert registry.batches.approve(batch.id, "Li Nan").approved_by == "Li Nan"


def test_the_importer_may_not_approve(registry: Registry) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d1", by="张")
    with pytest.raises(RegistryConflict, match="a second person"):
        registry.batches.approve(batch.id, "张")
    with pytest.raises(RegistryConflict, match="needs the name"):
        registry.batches.approve(batch.id, " ")
    with pytest.raises(RegistryConflict, match="six digits"):
        registry.batches.approve(batch.id, "李", scheme="13")
    assert registry.batches.batch(batch.id).state is BatchState.DRAFT


def test_approval_gives_member_numbers_and_unit_codes(registry: Registry) -> None:
    batch_id = approved(registry, rows(3))
    members = registry.dossiers.to_prepare(batch_id)
    assert [member.member_number for member in members] == ["130000000001", "130000000002", "130000000003"]
    assert {member.unit_code for member in members} == {"130000GH0000000001"}
    assert len(members[0].unit_code) == 18
    first = members[0]
    assert (first.person.id_number, first.person.name, first.person.gender, first.person.mobile) == (
        row(1).person.id_number,
        row(1).person.name,
        row(1).person.gender,
        row(1).person.mobile,
    )
    assert (first.unit_name, first.category, first.card_number, first.sequence) == (UNIT, 0, None, 1)
    batch = registry.batches.batch(batch_id)
    assert (batch.state, batch.approved_by, batch.to_prepare) == (BatchState.APPROVED, "审核员", 3)


def test_a_batch_is_approved_once(registry: Registry) -> None:
    batch_id = approved(registry, rows(1))
    with pytest.raises(RegistryConflict, match="only a draft"):
        registry.batches.approve(batch_id, "王")


def test_a_draft_that_is_given_up_forgets_its_persons(registry: Registry) -> None:
    batch = registry.rosters.import_roster(UNIT, rows(2), [], source="f", digest="d1", by="张")
    assert registry.batches.discard(batch.id).state is BatchState.DISCARDED
    assert registry.rosters.known_members([row(1).person.id_number]) == {}
    assert registry.rosters.rows(batch.id) == []
    assert (
        registry.rosters.import_roster(
            "别的单位", [row(1, unit="别的单位")], [], source="f", digest="d1", by="张"
        ).accepted
        == 1
    )


def test_an_approved_batch_without_cards_can_be_given_up(registry: Registry, custody: MemoryCustody) -> None:
    batch_id = ready(registry, custody, 3)
    given_up = registry.batches.discard(batch_id, "张", reason="单位名称有误")
    assert (given_up.state, given_up.dossiers) == (BatchState.DISCARDED, 0)
    assert registry.dossiers.stored(batch_id) == []
    assert registry.rosters.known_members([row(1).person.id_number]) == {}
    other = [row(1, unit="别的单位")]
    again = registry.rosters.import_roster("别的单位", other, [], source="f", digest="d1", by="张")
    assert registry.batches.approve(again.id, "王").state is BatchState.APPROVED
    with pytest.raises(RegistryConflict, match="discarded already"):
        registry.batches.discard(batch_id)


def test_a_batch_with_a_card_or_an_unsettled_chip_cannot_be_given_up(
    registry: Registry, custody: MemoryCustody
) -> None:
    batch_id = ready(registry, custody, 2)
    claim = claimed(registry, batch_id, 1)
    with pytest.raises(RegistryConflict, match="chips in a reader"):
        registry.batches.discard(batch_id)
    assert registry.batches.accounts(batch_id).waiting == 1  # nothing was deleted
    registry.line.verified(claim, {}, 1.0)
    with pytest.raises(RegistryConflict, match="has cards already"):
        registry.batches.discard(batch_id)


def test_a_batch_given_up_after_rejected_chips_still_balances(registry: Registry, custody: MemoryCustody) -> None:
    batch_id = ready(registry, custody, 2)
    registry.line.reject(claimed(registry, batch_id, 1), "read-back", "readback", "rejects")
    registry.batches.discard(batch_id)
    accounts = registry.batches.accounts(batch_id)
    assert (accounts.members, accounts.remade, accounts.chips_rejected, accounts.balanced) == (0, 1, 1, True)


def test_members_who_returned_with_a_batch_leave_again_when_it_is_given_up(
    registry: Registry, custody: MemoryCustody
) -> None:
    first = ready(registry, custody, 1)
    card = registry.line.verified(claimed(registry, first, 1), {}, 1.0)
    member = card.member_id
    registry.members.withdraw(member, by="张", reason="离职")
    back = approved(registry, rows(1), digest="d2")
    assert registry.members.member(member).withdrawn_at is None
    registry.batches.discard(back)
    assert registry.members.member(member).withdrawn_at is not None


def test_a_draft_that_is_given_up_keeps_persons_of_other_batches(registry: Registry, custody: MemoryCustody) -> None:
    first = ready(registry, custody, 1)
    registry.line.verified(claimed(registry, first, 1), {}, 1.0)
    registry.rosters.import_roster(UNIT, rows(1, 2), [], source="f", digest="d2", by="张")
    third = registry.rosters.import_roster(UNIT, rows(1, 3), [], source="f", digest="d3", by="张")
    registry.batches.discard(third.id)
    assert set(registry.rosters.known_members([row(n).person.id_number for n in (1, 2, 3)])) == {
        row(1).person.id_number,
        row(2).person.id_number,
    }


def test_new_data_of_a_known_person_count_from_the_approval_on(registry: Registry, custody: MemoryCustody) -> None:
    first = ready(registry, custody, 1)
    card = registry.line.verified(claimed(registry, first, 1), {}, 1.0)
    registry.cards.change(card.card_number, "lost", "前台", "挂失")
    assert registry.rosters.known_members([row(1).person.id_number]) == {
        row(1).person.id_number: KnownMember(UNIT, False)
    }

    changed = row(1, name="上官新", mobile="13700000000")
    second = registry.rosters.import_roster(UNIT, [changed], [], source="f", digest="d2", by="张")
    assert registry.rosters.rows(second.id)[0].name_masked == "欧****"
    registry.batches.approve(second.id, "李")
    assert registry.rosters.rows(second.id)[0].name_masked == "上**"
    (member,) = registry.dossiers.to_prepare(second.id)
    assert (member.person.name, member.person.mobile, member.person.id_number) == (
        "上官新",
        "13700000000",
        row(1).person.id_number,
    )
    assert member.member_number == "130000000001"
    assert (member.card_number, member.sequence) == (None, 1)
    prepare(registry, custody, second.id)
    assert registry.line.verified(claimed(registry, second.id, 2), {}, 1.0).chip_serial == chip(2)


def test_names_that_are_not_on_record(registry: Registry) -> None:
    for ask in (registry.batches.batch, registry.dossiers.to_prepare, registry.batches.discard):
        with pytest.raises(NotOnRecord, match="no batch B1"):
            ask("B1")
    with pytest.raises(NotOnRecord, match="no batch B1"):
        registry.batches.approve("B1", "李")
    with pytest.raises(NotOnRecord, match="no card 62"):
        registry.cards.card("62")


def test_a_long_roster_is_looked_up_whole(registry: Registry) -> None:
    many = rows(4100)
    registry.rosters.import_roster(UNIT, many, [], source="f", digest="d", by="张")
    id_numbers = [one.person.id_number for one in rows(4200)]
    assert set(registry.rosters.known_members(id_numbers)) == {one.person.id_number for one in many}


def test_rows_come_in_pages_of_one_kind(registry: Registry) -> None:
    bad = [RejectedRow(20 + number, None, ("PHONE_MISSING",), "没有填写手机号码。") for number in range(3)]
    good = [replace(one, codes=("NAME_NORMALIZED",)) if one.sheet_row == 4 else one for one in rows(3)]
    batch = registry.rosters.import_roster(UNIT, good, bad, source="form.xlsx", digest="d1", by="张")

    first = registry.rosters.page(batch.id, None, 4)
    rest = registry.rosters.page(batch.id, first.next, 4)
    assert [*first.items, *rest.items] == registry.rosters.rows(batch.id)
    assert (len(first.items), rest.next) == (4, None)

    def rows_of(only: str) -> list[int]:
        return [line.sheet_row for line in registry.rosters.page(batch.id, only=only).items]

    assert rows_of("rejected") == [20, 21, 22]
    assert (rows_of("accepted"), rows_of("noted")) == ([3, 4, 5], [4])
    with pytest.raises(BadCursor):
        registry.rosters.page(batch.id, "nonsense")
    with pytest.raises(NotOnRecord):
        registry.rosters.page("B20261122-999")


@pytest.mark.parametrize("time", ["x", "2026-11-22", "0001-01-01T00:00:00+14:00"])
def test_forged_cursors_of_batches(registry: Registry, time: str) -> None:
    with pytest.raises(RegistryConflict, match="ask for its first page"):
        registry.batches.page(write_cursor(time, "B1"))


def test_a_batch_is_numbered_by_the_day_of_the_zone(custody: MemoryCustody, tmp_path: Path) -> None:
    """At one in the morning in China it is yesterday in UTC."""
    late = datetime(2026, 11, 22, 17, tzinfo=UTC)
    url = fresh(tmp_path)
    with Registry.open(url, custody, clock=lambda: late, zone=time_zone("Asia/Shanghai")) as store:
        assert store.rosters.import_roster(UNIT, [], [], source="f", digest="1", by="张").id == "B20261123-001"
    with Registry.open(url, custody, clock=lambda: late) as store:
        assert store.rosters.import_roster(UNIT, [], [], source="f", digest="2", by="张").id == "B20261122-001"


def test_what_is_stored_of_a_file_does_not_give_its_content_away(registry: Registry, custody: MemoryCustody) -> None:
    content = "序号,身份证号\n1,130102198001010001\n".encode()
    digest = sha256(content).hexdigest()
    source = "张三 130102198001010001.csv"
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source=source, digest=digest, by="clerk")
    key = custody.index(KeyRef("index", 1), b"content\x00" + digest.encode()).hex()
    assert (batch.digest, batch.source) == (f"hmac:{key}", "张三 ****0001.csv")
    assert digest not in batch.digest
