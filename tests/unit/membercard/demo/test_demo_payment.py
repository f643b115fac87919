"""The demo's payments, where the profile in use has none."""

from __future__ import annotations

from contextvars import copy_context
from io import StringIO
from pathlib import Path

from rich.console import Console

from membercard import settings
from membercard.demo.payment import _PAYMENTS, BANK, pay, share_masters
from membercard.language import catalogue
from registry.store import Registry
from terminal.keys import MemoryCustody


def test_a_profile_without_payment_application_shares_no_key_and_pays_nothing(tmp_path: Path) -> None:
    custody, out = MemoryCustody(simulation=True), StringIO()

    def pays() -> bool:
        settings.activate(None, data_dir=tmp_path)
        share_masters(custody, tmp_path)
        with Registry.open(f"sqlite:///{tmp_path / 'db'}", custody) as registry:
            return pay(Console(file=out, width=120), registry, custody, tmp_path, {})

    assert copy_context().run(pays)
    assert "union-member has no payment application: nobody pays" in out.getvalue()
    assert not custody.keys()
    assert not (tmp_path / BANK).exists()


def test_every_payment_has_its_chinese_title() -> None:
    assert [one.title for one in _PAYMENTS if one.title not in catalogue()] == []
