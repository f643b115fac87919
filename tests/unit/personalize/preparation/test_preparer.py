"""Data preparation: what a dossier holds, and that nothing secret or personal shows."""

import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest

from personalize.dossiers.dossier import Dossier
from personalize.errors import DossierError, PrepareError
from personalize.preparation import batch
from personalize.preparation.batch import prepare_chunk, worker_spec
from personalize.profiles.profile import EntitlementSection, default_profile
from registry.admin.audit import AuditFilter
from registry.errors import RegistryConflict
from registry.values import NewDossier
from terminal.crypto import rsa
from terminal.keys import ApplicationKeys, CardKeys, MemoryCustody, Sealed
from terminal.secret import Secret
from terminal.tlv import decode
from tests.support import issuer

NUMBER = default_profile().card_number.number(7)


@pytest.fixture
def dossier(tmp_path: Path) -> Dossier:
    return issuer.preparer().prepare(issuer.member(), NUMBER, issuer.pool(tmp_path).make())


def test_every_record_is_a_template_of_at_most_254_bytes(dossier: Dossier) -> None:
    records = dossier.member.records()
    assert set(records) == {(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1)}
    for record in records.values():
        assert len(record) <= 254
        assert [int(item.tag) for item in decode(record, padding="reject")] == [0x70]


def test_the_identity_record(dossier: Dossier) -> None:
    items = decode(dossier.member.records()[1, 1])[0].children
    assert items.need(0x5A).hex() == NUMBER + "f"
    assert items.need(0xDF24).decode("gb18030") == "孙波磊"
    assert items.need(0xDF2B) == b"39744135"
    assert items.need(0x5F24).hex() == "361122"


def test_the_category_is_where_a_script_can_change_it(dossier: Dossier) -> None:
    records = dossier.member.records()
    assert decode(records[1, 1])[0].children.find(0xDF26) is None
    validity = decode(records[1, 2])[0].children
    assert [str(item.tag) for item in validity] == ["DF27", "DF29", "DF26"]
    assert validity.need(0xDF26) == b"\x00"


def test_a_card_to_be_activated_has_no_day_of_activation_yet(tmp_path: Path) -> None:
    validity = decode(prepared(tmp_path, activation="required").member.records()[1, 2])[0].children
    assert [str(item.tag) for item in validity] == ["DF27", "DF29", "DF26", "DF2D"]
    assert validity.need(0xDF2D) == bytes(3)


@pytest.mark.parametrize(
    ("entry", "encoded"),
    [
        ({}, "0101 0C 00 04 260101"),
        ({"pin": True}, "0101 0C 00 84 260101"),
        ({"period": "day"}, "0101 0C 00 01 261122"),
        ({"period": "once"}, "0101 0C 00 05 261122"),
        ({"period": "once", "start": date(2026, 12, 15), "pin": True}, "0101 0C 00 85 261215"),
        ({"period": "year", "start": date(2024, 12, 15)}, "0101 0C 00 04 251215"),
        ({"period": "month", "start": date(2026, 8, 23)}, "0101 0C 00 02 261023"),
        ({"period": "quarter", "start": date(2027, 1, 1)}, "0101 0C 00 03 270101"),
    ],
)
def test_an_entitlement_starts_in_the_period_of_the_day(tmp_path: Path, entry: dict[str, object], encoded: str) -> None:
    entitlement = EntitlementSection(benefit_class="0101", limit=12, **entry)  # type: ignore[arg-type]
    record = prepared(tmp_path, entitlements=(entitlement,)).member.records()[3, 1]
    assert decode(record)[0].children.need(0xDF28) == bytes.fromhex(encoded)


def prepared(directory: Path, **layout: object) -> Dossier:
    """A dossier of the default profile with other fields of its member application."""
    profile = default_profile()
    changed = profile.model_copy(update={"member": profile.member.model_copy(update=layout)})
    return issuer.preparer(changed).prepare(issuer.member(), NUMBER, issuer.pool(directory).make())


def test_certificates_recover_to_the_keys_they_certify(dossier: Dossier, tmp_path: Path) -> None:
    """Recovery by plain arithmetic, EMV 4.4 Book 2, 5.3 and 6.4; the terminal's own half is tested elsewhere."""
    keys = issuer.custody()
    ca, issuer_key = keys.info(keys.latest("scheme-ca")), keys.info(keys.latest("issuer"))
    assert ca.modulus
    assert ca.exponent
    assert issuer_key.modulus
    assert issuer_key.exponent
    records = dossier.member.records()
    issuer_plain = rsa.public(rsa.RsaPublic(ca.modulus, ca.exponent), decode(records[2, 1])[0].children.need(0x90))
    assert issuer_plain[:2] == b"\x6a\x02"
    assert issuer_plain[-1:] == b"\xbc"
    assert issuer_plain[15:].startswith(issuer_key.modulus.to_bytes(176, "big"))
    icc = decode(records[2, 2])[0].children
    icc_plain = rsa.public(rsa.RsaPublic(issuer_key.modulus, issuer_key.exponent), icc.need(0x9F46))
    assert icc_plain[:2] == b"\x6a\x04"
    assert icc_plain[2:12].hex() == NUMBER + "f"
    assert len(icc_plain[21:-21] + icc.need(0x9F48)) == 144


def test_a_dossier_survives_storing(dossier: Dossier) -> None:
    assert Dossier.decode(dossier.encode()) == dossier


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"format":9}', b"\xff"])
def test_bytes_that_are_no_dossier(raw: bytes) -> None:
    with pytest.raises(DossierError):
        Dossier.decode(raw)


def test_nothing_personal_or_secret_prints(dossier: Dossier) -> None:
    shown = repr(dossier) + "".join(repr(part) for part in dossier.member.parts)
    for planted in ("孙波磊", "130102197605153974", "18801434135", "130102", "石家庄"):
        assert planted not in shown


def test_secrets_are_references_or_sealed(dossier: Dossier) -> None:
    kinds = {part.number: type(part.value) for part in dossier.member.parts if part.secret}
    assert kinds == {
        0x8010: Sealed,
        0x8000: ApplicationKeys,
        0x8030: CardKeys,
        0x0501: Sealed,
        **dict.fromkeys(range(0x8201, 0x8206), Sealed),
    }


def read_keys(dossier: Dossier) -> tuple[bytes, bytes, bytes]:
    """Check values of the read keys."""
    return dossier.member.secret(0x8030, CardKeys).kcvs


def test_a_remade_dossier_has_other_keys(tmp_path: Path) -> None:
    first = issuer.preparer().prepare(issuer.member(), NUMBER, issuer.pool(tmp_path).make())
    again = issuer.preparer().prepare(issuer.member(sequence=2), NUMBER, issuer.pool(tmp_path).make())
    assert read_keys(first) != read_keys(again)
    assert first.member.plain(0x9000) != again.member.plain(0x9000)


@pytest.mark.parametrize(("field", "value"), [("name", "长" * 31), ("unit_name", ""), ("unit_name", "工" * 31)])
def test_texts_that_do_not_fit_are_refused(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(PrepareError, match="60"):
        issuer.preparer().prepare(issuer.member(**{field: value}), NUMBER, issuer.pool(tmp_path).make())


def test_worker_processes_make_the_same_kind_of_dossier(tmp_path: Path) -> None:
    preparer = issuer.preparer()
    task = (issuer.member(), NUMBER, issuer.pool(tmp_path).make())
    with (
        worker_spec(preparer, issuer.custody()) as spec,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers,
    ):
        assert "snapshot" not in repr(spec)
        (prepared,) = workers.submit(prepare_chunk, spec, [task]).result()
    opened = Dossier.decode(issuer.custody().open(prepared.sealed).reveal())
    assert opened.member.records()[1, 1] == preparer.prepare(*task).member.records()[1, 1]


def test_what_goes_to_a_worker_opens_only_with_a_secret_that_goes_another_way() -> None:
    with worker_spec(issuer.preparer(), issuer.custody()) as spec:
        transport = spec.transport.read_bytes()
        assert transport not in pickle.dumps(spec)
        assert spec.transport.stat().st_mode & 0o077 == 0
        assert MemoryCustody.from_snapshot(spec.snapshot, Secret(transport)).latest("issuer")
    assert not spec.transport.exists()


def test_a_snapshot_for_workers_has_no_ca_key() -> None:
    assert issuer.preparer().profile.trust.ca_key not in issuer.preparer().key_names
    assert pickle.loads(pickle.dumps(issuer.preparer().chain)) == issuer.preparer().chain  # noqa: S301


def test_two_stations_prepare_one_batch_and_each_member_gets_one_dossier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 2)
    store = issuer.registry(f"sqlite:///{tmp_path / 'registry.db'}")
    batch_id, pool = issuer.batch(store, 6), issuer.pool(tmp_path)
    pool.fill(14)
    serials = count(100_000)
    other = iter([1, 2])  # what the other station made of this chunk while it was made here

    def meanwhile(chunk: Sequence[NewDossier]) -> list[NewDossier]:
        rival = issuer.preparer()
        members = {member.member_id: member for member in store.dossiers.to_prepare(batch_id)}
        for one in chunk[: next(other, 0)]:
            again = rival.new_dossier(
                members[one.member_id], default_profile().card_number.number(next(serials)), pool.take()
            )
            store.dossiers.add(batch_id, [again], by="station 2")
        return list(chunk)

    unchanged = batch._prepared
    monkeypatch.setattr(batch, "_prepared", lambda *args: map(meanwhile, unchanged(*args)))
    ticks: list[int] = []
    with pytest.raises(RegistryConflict, match="another station is preparing") as caught:
        batch.prepare_batch(store, batch_id, issuer.preparer(), pool, tick=ticks.append, by="station 1")
    assert (caught.value.reason, ticks) == ("prepared-elsewhere", [1])
    assert batch.prepare_batch(store, batch_id, issuer.preparer(), pool, tick=ticks.append, by="station 1") == 2
    accounts = store.batches.accounts(batch_id)
    assert (accounts.dossiers, accounts.waiting, accounts.to_prepare) == (6, 6, 0)
    actors = [row.entry.actor for row in store.audit.page(where=AuditFilter(action="batch.prepare")).items]
    assert actors == ["station 1", "station 2", "station 2", "station 1", "station 2"]
    store.close()


def test_chip_keys_are_taken_for_few_chunks_ahead_of_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CHUNK", 1)
    monkeypatch.setattr(batch, "AHEAD", 2)
    store = issuer.registry(f"sqlite:///{tmp_path / 'registry.db'}")
    batch_id = issuer.batch(store, 4)
    pool = issuer.pool(tmp_path)
    pool.fill(4)
    left: list[int] = []

    def full(count: int) -> None:
        left.append(len(pool))
        raise KeyboardInterrupt

    with worker_spec(issuer.preparer(), issuer.custody()) as spec, ThreadPoolExecutor(1) as workers:
        with pytest.raises(KeyboardInterrupt):
            batch.prepare_batch(store, batch_id, issuer.preparer(), pool, executor=(workers, spec), tick=full)
        assert left == [2]
        assert batch.prepare_batch(store, batch_id, issuer.preparer(), pool, executor=(workers, spec)) == 3
    store.close()
