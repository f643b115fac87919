"""The security page says who may do what as the program has it."""

import re

from reader_service.http.middleware import PAGE_POLICY
from reader_service.principal import ROLE_PERMISSIONS, Permission, Role
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def page_table() -> dict[str, dict[str, bool]]:
    """Permission, role, and whether the page ticks it."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    (head,) = (number for number, line in enumerate(lines) if line.startswith("| permission |"))
    roles = cells(lines[head])[2:]
    rows = [cells(line) for line in lines[head + 2 :] if line.startswith("| `")]
    return {name.strip("`"): dict(zip(roles, (tick == "✓" for tick in ticks), strict=True)) for name, _, *ticks in rows}


def test_the_table_is_the_programs_own() -> None:
    ours = {str(p): {str(role): p in ROLE_PERMISSIONS[role] for role in Role} for p in Permission}
    assert page_table() == ours


def test_each_permission_is_explained() -> None:
    rows = [cells(line) for line in PAGE.splitlines() if re.match(r"\| `[a-z]+(:[a-z]+)?` \|", line)]
    assert len(rows) == len(Permission)
    assert all(row[1] for row in rows)


def test_the_policy_is_the_one_that_is_sent() -> None:
    assert PAGE_POLICY in " ".join(PAGE.split())
