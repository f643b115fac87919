"""The service of boxes: cards ticked off in a reader, roles, and refusals in the service's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from reader_service.errors import Conflict, Forbidden, NotFound, OwnWork, ReaderOut
from reader_service.readers.manager import ReaderManager
from reader_service.services.issuing.boxes import BoxService
from registry.handover.values import Box, Level
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import open_reader
from terminal.member.trust import TrustList
from tests.support import issuer
from tests.support.service.reader_rig import ReaderRig, reader_rig
from tests.support.service.registry_rig import AUDITOR, CLERK, OPERATOR

Rig = tuple[ReaderRig, ReaderManager, BoxService, Box]


@pytest.fixture
def packing(tmp_path: Path) -> Iterator[Rig]:
    """A box for one issued card, which is in the first reader; a blank is in the second, and the third is empty."""
    home = tmp_path
    (home / "own").mkdir()
    issued = reader_rig(home / "own")
    batch = issuer.prepared(issued.registry, 1, home)
    list(make_stock(home / "stock", 1, CardConfig(blank())))
    (result,) = PersonalizationLine(issuer.job(issued.registry, batch), remake=lambda: None).run(
        [open_reader(f"sim:{home / 'stock'}")]
    )
    assert not result.fault, result.message
    card = next((home / "stock" / "issued").iterdir())
    (chip,) = make_stock(home / "blank", 1, CardConfig(blank()))
    slots = (f"sim:slot/Card?card={card}", f"sim:slot/Blank?card={chip}", "sim:slot/Empty")
    url = str(issued.registry._context.database.engine.url)
    served = reader_rig(home, *slots, url=url)
    (box,) = served.registry.boxes.create(batch, "李娜")
    with served.manager() as manager:
        yield served, manager, BoxService(served.parts, manager), box
    served.registry.close()
    issued.registry.close()


def test_the_card_in_a_reader_is_ticked_off(packing: Rig) -> None:
    _, manager, service, box = packing
    readers = {view.url.split("?")[0].rpartition("/")[2]: view.id for view in service.readers(CLERK)}
    with_card, with_blank, empty = readers["Card"], readers["Blank"], readers["Empty"]
    done = service.tick_inserted(CLERK, box.id, with_card)
    assert (done.card.place, done.again, done.left) == (1, False, 0)
    assert service.tick_inserted(CLERK, box.id, with_card).again
    with pytest.raises(Conflict) as refused:
        service.tick_inserted(CLERK, box.id, with_blank)
    assert refused.value.params["reason"] == "card-unread"
    with pytest.raises(ReaderOut):
        service.tick_inserted(CLERK, box.id, empty)
    lease = manager.leases.take(OPERATOR, with_card, 60)
    with pytest.raises(Conflict) as refused:
        service.tick_inserted(CLERK, box.id, with_card)
    assert refused.value.params["reason"] == "reader-in-use"
    assert with_card not in [view.id for view in service.readers(CLERK)]
    manager.leases.give_back(OPERATOR, with_card, lease.token)


def test_a_card_whose_chip_does_not_prove_itself_is_not_ticked_off(
    packing: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of what can be read has the number, and not the key."""
    served, _, service, box = packing
    with_card = next(view.id for view in service.readers(CLERK) if "/Card?" in view.url)
    lists = served.parts.lists()
    strangers = replace(lists, trust=TrustList.of((), lists.trust.issue))
    monkeypatch.setattr(service, "_parts", replace(served.parts, lists=lambda: strangers))
    with pytest.raises(Conflict) as refused:
        service.tick_inserted(CLERK, box.id, with_card)
    assert refused.value.params["reason"] == "card-unread"
    assert service.box(CLERK, box.id).ticked == 0


def test_only_registrars_pack(packing: Rig) -> None:
    _, _, service, box = packing
    for change in (
        lambda: service.create(AUDITOR, box.batch_id),
        lambda: service.tick(AUDITOR, box.id, "1"),
        lambda: service.close(OPERATOR, box.id),
        lambda: service.list_pdf(OPERATOR, box.id),
        lambda: service.readers(AUDITOR),
    ):
        with pytest.raises(Forbidden):
            change()


def test_refusals_are_those_of_the_service(packing: Rig) -> None:
    served, _, service, box = packing
    with pytest.raises(NotFound):
        service.box(CLERK, "X20261122-099")
    (card,) = service.cards(CLERK, box.id)
    service.tick(CLERK, box.id, card.card_number)
    move = service.close(CLERK, box.id)
    with pytest.raises(OwnWork):
        service.hand_over(CLERK, box.id, Level.UNIT, CLERK.name)
    served.registry.moves.undo(move.id, CLERK.name)
