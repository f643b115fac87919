"""Tickets that a counter has taken: each once, whatever programs of the counter take it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reader_service.redemptions.used_tickets import UsedTickets
from registry.rush.uses import TicketUse

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_ticket_is_taken_once_and_the_time_of_its_first_use_stays(tmp_path: Path) -> None:
    used = UsedTickets(tmp_path / "used")
    assert used.uses() == []
    assert used.take(17, AT) is None
    assert UsedTickets(tmp_path / "used").take(17, AT + MINUTE) == AT
    assert used.take(9, AT + MINUTE) is None
    assert used.uses() == [TicketUse(9, AT + MINUTE), TicketUse(17, AT)]


def test_of_programs_that_take_a_ticket_at_once_one_has_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: UsedTickets(tmp_path).take(1, AT), range(24)))
    assert sorted(map(str, answers)) == sorted(["None", *[str(AT)] * 23])
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_the_folder_and_its_files_are_private_and_a_half_written_file_is_no_use(tmp_path: Path) -> None:
    used = UsedTickets(tmp_path / "used")
    used.take(1, AT)
    (tmp_path / "used" / ".half").write_text("")
    assert (tmp_path / "used").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "used" / "1").stat().st_mode & 0o777 == 0o600
    assert used.uses() == [TicketUse(1, AT)]
