"""`membercard batch edit` and `roster import --corrects`: a returned roster is mended without another batch."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Cli, csv_form

UNIT = "石家庄铁道大学工会"
WHY = ("--reason", "as on the paper", "--by", "Li Na")


def test_a_row_is_edited_and_a_corrected_form_accepted(tmp_path: Path) -> None:
    issuing = Cli(tmp_path / "data")
    issuing.set_up()
    form = csv_form(tmp_path / "form.csv", 2, start=700, unit=UNIT)
    batch = issuing.ok("roster", "import", form, "--by", "Li Na", "--json").json["batch"]
    done = issuing.ok("batch", "edit", batch, "2", "--mobile", "13700000001", "--json", *WHY).json
    assert (done["change"], done["fields"]) == ("changed", ["mobile"])
    assert done["after"]["mobile_masked"] == "*" * 7 + "0001"
    longer = csv_form(tmp_path / "longer.csv", 3, start=700, unit=UNIT)
    refused = issuing.run("roster", "import", longer, "--corrects", batch, *WHY, input="n\n")
    assert "row added" in refused.out
    assert issuing.ok("batch", "show", batch, "--json").json["batch"]["accepted"] == 2
    accepted = issuing.ok("roster", "import", longer, "--corrects", batch, "--yes", *WHY)
    assert f"{batch}: 1 rows changed, 1 added, 0 left out, 1 as before" in accepted.out
    history = issuing.ok("batch", "edits", batch, "--json").json
    assert [(one["corrected"], one["difference"]["change"]) for one in history] == [
        (True, "added"),
        (True, "changed"),
        (False, "changed"),
    ]
    assert issuing.run("batch", "approve", batch, "--by", "Li Na").status == 1
    issuing.ok("batch", "approve", batch, "--by", "Wang Fang")
    assert "no draft" in issuing.run("batch", "edit", batch, "2", "--leave-out", *WHY).err
