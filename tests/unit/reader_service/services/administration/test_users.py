"""The user service: what is done to users is audited with its reason."""

from __future__ import annotations

from pathlib import Path

from reader_service.principal import Principal, Role
from tests.support.service.accounts import accounts_app
from tests.support.service.registry_rig import last_audit_entry

ADMINISTRATOR = Principal("root", frozenset({Role.ADMINISTRATOR}))


def test_a_password_that_was_reset_is_on_record_with_its_reason(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path)
    rig.person("li.na", Role.REGISTRAR)
    reset = rig.service.users.reset(ADMINISTRATOR, "li.na", "forgotten, called from 13903110001")
    assert reset.user.must_change
    entry = ("root", "user.password", "user:li.na", "forgotten, called from ****0001")
    assert last_audit_entry(rig.registry) == entry
