"""The commands of the printed face, from a batch that cannot be printed to a face that is: nothing is lost before."""

from __future__ import annotations

import io
import re
from pathlib import Path

from PIL import Image

from tests.support import profiles
from tests.support.cli import Cli, csv_form
from tests.support.faces import DESIGN, design_folder, portrait

LATIN = DESIGN.replace('content: "{name}"', 'content: "{member_number}"').replace(
    'content: "{unit}"', 'content: "UNIT"'
)


def test_a_batch_is_prepared_when_its_faces_can_be_printed(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "home")
    cli.set_up()
    profile = tmp_path / "profile.yaml"
    profile.write_text(profiles.text().replace("face: null ", "face: {design: trial} "), "utf-8")
    imported = cli.ok("roster", "import", csv_form(tmp_path / "form.csv", 1, unit="示例厂工会"), "--by", "李娜")
    batch = re.findall(r"B[0-9]{8}-001", imported.out)[0]
    cli.ok("--profile", profile, "batch", "approve", batch, "--by", "王芳")
    design_folder(cli.data / "designs" / "trial")

    refused = cli.run("--profile", profile, "batch", "prepare", batch)
    assert refused.status == 1
    lines = [line.removeprefix("membercard: ") for line in refused.err.strip().splitlines()]
    assert [line.partition(": ")[0] for line in lines] == ["member 130000000001"] * 3
    assert "front name: no font of the design has U+" in lines[0]
    assert lines[2].endswith("front photo: the member has no photo")

    design_folder(cli.data / "designs" / "trial", LATIN)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "130000000001.jpg").write_bytes(portrait())
    assert cli.ok("face", "photos", batch, "--from", photos, "--json").json == {
        "stored": 1,
        "without": [],
        "unknown": [],
    }
    cli.ok("--profile", profile, "batch", "prepare", batch)
    card = profiles.plain().card_number.number(1)
    cli.ok("--profile", profile, "face", "render", batch, "--card", card, "-o", tmp_path / "card.png", "--by", "李娜")
    picture = tmp_path / "card.png"
    assert picture.stat().st_mode & 0o077 == 0
    with Image.open(io.BytesIO(picture.read_bytes())) as shown:
        assert shown.size == (1012, 2 * 638 + 24)
    audit = cli.ok("audit", "list", "--json").out
    assert '"face.show"' in audit
    assert '"photos.store"' in audit
