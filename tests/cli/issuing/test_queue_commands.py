"""`membercard queue` and the deliveries of blank chips, as a station's foreman uses them."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Cli, csv_form


def test_the_queue_is_placed_and_moved_and_the_blanks_are_accounted_for(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    cli.set_up()
    assert cli.ok("queue", "list").out.strip() == "no approved batch waits for its cards"
    batch = cli.ok("roster", "import", csv_form(tmp_path / "form.csv", 2), "--by", "clerk", "--json").json["batch"]
    assert "only an approved batch" in cli.run("queue", "up", batch).complaint
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    placed = cli.ok("queue", "place", batch, "--priority", "urgent", "--due", "2020-01-02", "--by", "op")
    assert f"{batch}: urgent, due 2020-01-02" in placed.out
    assert "2020-01-02, late" in cli.ok("queue", "list").out
    assert "加急" in cli.ok("--lang", "zh", "queue", "list").out
    assert "is the first of its priority" in cli.run("queue", "up", batch).complaint
    assert "请改用更低的优先级" in cli.run("--lang", "zh", "queue", "down", batch).complaint
    short = cli.run("stock", "deliveries")
    assert (short.status, "2 cards are to be made" in short.err) == (1, True)
    cli.ok("stock", "receive", 5, "--supplier-batch", "L-1", "--by", "op")
    cli.ok("stock", "spoil", 2, "--supplier-batch", "L-1", "--reason", "scratched", "--by", "op")
    wrong = cli.run("stock", "spoil", 9, "--supplier-batch", "L-1", "--reason", "x")
    assert "of L-1 3 are left, 2 written off" in wrong.complaint
    assert cli.ok("stock", "show", "--json").json["spoilt"] == 2
    assert cli.ok("stock", "deliveries", "--json").json["stock"]["deliveries"][0]["left"] == 3
    assert "L-1" in cli.ok("stock", "deliveries").out
    assert "+ spoilt 2 + left 3" in cli.ok("batch", "show", batch).out
