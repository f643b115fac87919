"""Who works on the command line: proven by a password or a token once there are users, recorded as unproven before."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, IssuerDirectory, csv_form

PASSWORD = "a sentence of somebody"
USERS = {
    "root": ("administrator", "reviewer", "operator"),
    "li.na": ("registrar",),
    "wang": ("reviewer",),
    "new": ("reviewer",),
}


@pytest.fixture(scope="module")
def home(home: IssuerDirectory, tmp_path_factory: pytest.TempPathFactory) -> IssuerDirectory:
    return home.copy(tmp_path_factory.mktemp("identity") / "home")


def registry_of(cli: Cli) -> Registry:
    keystore = SoftwareKeystore.unlock(cli.data / "keystore", Secret(PASSPHRASE.encode()))
    return Registry.open(f"sqlite:///{cli.data / 'membercard.db'}", keystore)


@pytest.fixture(scope="module")
def peopled(home: IssuerDirectory) -> tuple[Cli, str]:
    """The command line with users on record, and the secret of a registrar token that root created."""
    secret = new_token()
    with registry_of(home.cli) as registry:
        stored = Passwords(CHEAP).hash(PASSWORD)
        for name, roles in USERS.items():
            registry.users.add(name, name, stored, roles, by="tests", must_change=name == "new")
        until = datetime.now(UTC) + timedelta(days=1)
        registry.tokens.make("scan", key_of(secret), ["registrar"], until=until, by="root")
    return home.cli, secret


def test_without_users_a_name_is_recorded_as_unproven(home: IssuerDirectory) -> None:
    shown = home.cli.ok("batch", "show", home.done, "--json").json["batch"]
    assert (shown["imported_by"], shown["approved_by"]) == ("clerk (unproven)", "reviewer (unproven)")
    assert "reviewer (unproven)" in home.cli.ok("batch", "show", home.done).out
    audit = home.cli.ok("audit", "list", "--action", "batch.approve", "--json").json
    assert audit[0]["deed"]["actor"] == "reviewer (unproven)"
    receipt = home.cli.ok("stock", "receive", 1, "--supplier-batch", "L-9", "--by", "Xu Lin")
    assert "recorded as Xu Lin (unproven)" in receipt.err
    done = home.cli.run("batch", "approve", home.draft, "--by", " ＣＬＥＲＫ")
    assert "a second person approves it" in done.complaint
    assert "two different people" in home.cli.run("batch", "close", home.done, "--by", "a", "--second", "A").complaint


def test_a_unit_is_put_below_another_and_the_undo_command_works(home: IssuerDirectory) -> None:
    unit = home.cli.ok("unit", "list", "--json").json[0]["unit"]
    refused = home.cli.run("unit", "place", unit, "--above", "河北省总工会", "--reason", "letter")
    assert "no unit 河北省总工会 on record" in refused.complaint
    placing = ("unit", "place", unit, "--above", "河北省总工会", "--new", "--reason", "letter")
    done = home.cli.ok(*placing, "--by", "clerk")
    assert f"{unit} is 河北省总工会 / {unit} now" in done.out
    assert "recorded as clerk (unproven)" in done.err
    undo = shlex.split(done.out.partition("membercard ")[2])
    assert home.cli.ok(*undo, "--json").json["unit"] == unit
    assert home.cli.run("unit", "place", unit, "--reason", "letter").status == 2
    assert unit in home.cli.ok("unit", "list", unit).out


def test_who_enters_a_key_component_proves_it(peopled: tuple[Cli, str]) -> None:
    cli, _ = peopled
    importing = ("keys", "import", "kmc-supplier", "--purpose", "kmc", "--algorithm", "aes128")
    env = {"PYTHONWARNINGS": "ignore"}  # without a terminal, getpass warns that it cannot hide what is typed
    parts = ["0123456789abcdef0011223344556677", "fedcba98765432108899aabbccddeeff"]

    def typed(second: str) -> str:
        return "".join(
            f"{name}\n{password}\n{part}\n"
            for name, password, part in zip(("wang", "li.na"), (PASSWORD, second), parts, strict=True)
        )

    guessed = cli.run(*importing, input=typed("guess"), env=env)
    assert "name or password is wrong" in guessed.err
    cli.ok(*importing, input=typed(PASSWORD), env=env)
    entry = next(one for one in cli.ok("keys", "audit", "--json").json if one["key"] == "kmc-supplier/1")
    assert entry["by"] == "wang and li.na"


def key_changes(cli: Cli) -> list[tuple[str, str, str]]:
    return [(one["by"], one["action"], one["key"]) for one in cli.ok("keys", "audit", "--json").json]


def test_without_users_changes_of_keys_are_recorded_as_unproven(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    operator = {"MEMBERCARD_OPERATOR": "root"}
    cli.ok("keys", "init", env=operator)
    assert {by for by, _, _ in key_changes(cli)} == {"root (unproven)"}
    rotated = cli.ok("keys", "rotate", "list-signer", env=operator)
    assert "recorded as root (unproven)" in rotated.err
    assert "recorded as Li Na (unproven)" in cli.ok("keys", "rotate", "seal", "--by", "Li Na").err
    assert key_changes(cli)[-2:] == [
        ("root (unproven)", "rotate", "list-signer/2"),
        ("Li Na (unproven)", "rotate", "seal/2"),
    ]


@pytest.mark.parametrize("changing", [("rotate", "zmk"), ("add-standard",)], ids=" ".join)
def test_who_changes_keys_proves_it(peopled: tuple[Cli, str], changing: tuple[str, ...]) -> None:
    cli, secret = peopled
    before = key_changes(cli)
    keys = ("keys", *changing)
    root = {"MEMBERCARD_OPERATOR": "root"}
    assert "has to give a password" in cli.run(*keys, env=root).complaint
    assert "say who does this" in cli.run(*keys, env={"MEMBERCARD_OPERATOR": "nobody"}, input="x\n").complaint
    assert "name or password is wrong" in cli.run(*keys, "--by", "wang", input="guess\n").complaint
    token = root | {"MEMBERCARD_TOKEN": secret}
    assert "name or password is wrong" in cli.run(*keys, env=token, input=f"{secret}\n").complaint
    assert key_changes(cli) == before, "nothing was changed"
    assert cli.ok(*keys, "--by", "WANG", input=f"{PASSWORD}\n").err == ""
    if changing[0] == "rotate":
        assert key_changes(cli)[len(before) :] == [("wang", "rotate", "zmk/2")]


def test_the_machine_or_a_proven_actor_publishes_lists(peopled: tuple[Cli, str], tmp_path: Path) -> None:
    cli, secret = peopled
    publishing = ("lists", "publish", tmp_path / "lists")
    cli.ok(*publishing, env={"MEMBERCARD_OPERATOR": "li.na"})
    cli.ok(*publishing, env={"MEMBERCARD_TOKEN": secret})
    cli.ok(*publishing, "--by", "li.na", input=f"{PASSWORD}\n")
    refused = cli.run(*publishing, "--by", "wang", input=f"{PASSWORD}\n")
    assert "needs one of the roles registrar" in refused.complaint
    rows = cli.ok("audit", "list", "--action", "list.publish", "--json").json
    assert [row["deed"]["actor"] for row in rows] == ["li.na", "scan (token 1)", "li.na (command line)"]


def test_with_users_a_name_needs_its_password(peopled: tuple[Cli, str], home: IssuerDirectory, tmp_path: Path) -> None:
    cli, _ = peopled
    form = csv_form(tmp_path / "form.csv", 1, start=700)
    importing = ("roster", "import", form, "--json", "--by")
    assert "has to give a password" in cli.run(*importing, "li.na", input="").complaint
    assert "name or password is wrong" in cli.run(*importing, "li.na", input="guess\n").complaint
    assert "name or password is wrong" in cli.run(*importing, "nobody", input=f"{PASSWORD}\n").complaint
    assert "needs one of the roles registrar" in cli.run(*importing, "wang", input=f"{PASSWORD}\n").complaint
    imported = cli.ok(*importing, "LI.NA", input=f"{PASSWORD}\n")
    assert (imported.json["imported_by"], imported.err) == ("li.na", "")
    batch = imported.json["batch"]
    approving = ("batch", "approve", batch, "--by")
    assert "change the password first" in cli.run(*approving, "new", input=f"{PASSWORD}\n").complaint
    nobody = cli.run("batch", "approve", batch, env={"MEMBERCARD_OPERATOR": "nobody"}, input=f"{PASSWORD}\n")
    assert "say who does this" in nobody.complaint
    assert "has to give a password" in cli.run(*approving, "wang", env={"MEMBERCARD_OPERATOR": "wang"}).complaint
    approved = cli.ok("batch", "approve", batch, env={"MEMBERCARD_OPERATOR": "wang"}, input=f"{PASSWORD}\n")
    assert "approved by wang." in approved.out
    assert cli.run("stock", "receive", 1, "--supplier-batch", "L-8", "--by", "Xu Lin").status == 1


def test_a_token_works_for_its_issuer_who_then_does_not_approve(peopled: tuple[Cli, str], tmp_path: Path) -> None:
    cli, secret = peopled
    form, file = csv_form(tmp_path / "form.csv", 1, start=800), tmp_path / "token"
    file.write_text(f"{secret}\n")
    bearing = {"MEMBERCARD_TOKEN": secret}
    importing = ("roster", "import", form, "--json")
    assert "not in force" in cli.run(*importing, env={"MEMBERCARD_TOKEN": new_token()}).complaint
    assert "the token is that of scan (token 1)" in cli.run(*importing, "--by", "li.na", env=bearing).complaint
    imported = cli.ok("--token-file", file, *importing).json
    assert imported["imported_by"] == "scan (token 1)"
    batch = imported["batch"]
    assert "password" in cli.run("batch", "approve", batch, "--by", "wang", env=bearing).complaint
    refused = cli.run("batch", "approve", batch, "--by", "root", input=f"{PASSWORD}\n")
    assert "a second person approves it" in refused.complaint
    cli.ok("batch", "approve", batch, "--by", "wang", input=f"{PASSWORD}\n")


def test_what_waits_for_a_second_person_is_listed(peopled: tuple[Cli, str], tmp_path: Path) -> None:
    cli, _ = peopled
    form = csv_form(tmp_path / "form.csv", 1, start=850)
    batch = cli.ok("roster", "import", form, "--by", "li.na", "--json", input=f"{PASSWORD}\n").json["batch"]

    def listed(*options: str) -> list[tuple[str, bool]]:
        rows = cli.ok("waiting", *options, "--json").json
        return [(row["kind"], row["own"]) for row in rows if row["key"] == batch]

    assert listed() == listed("--for", "wang") == [("review", False)]
    assert listed("--for", "li.na") == [("review", True)]
    shown = cli.ok("waiting", "--for", "Wang").out
    assert "approve a draft with: membercard batch approve" in shown
    assert "审核草稿" in cli.ok("--lang", "zh", "waiting").out
    assert "no user of that name" in cli.run("waiting", "--for", "nobody").complaint
    with registry_of(cli) as registry:
        registry.reviews.submit(batch, by="li.na")
    assert listed() == [("review", False)]
    cli.ok("batch", "approve", batch, "--by", "wang", input=f"{PASSWORD}\n")
    assert listed() == []


def test_two_people_give_their_passwords_to_close(peopled: tuple[Cli, str], home: IssuerDirectory) -> None:
    cli, _ = peopled
    closing = ("batch", "close", home.done, "--by", "root", "--second")
    assert "two different people" in cli.run(*closing, "ROOT", input=f"{PASSWORD}\n{PASSWORD}\n").complaint
    assert "name or password" in cli.run(*closing, "wang", input=f"{PASSWORD}\nguess\n").complaint
    cli.ok(*closing, "wang", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert cli.ok("batch", "show", home.done, "--json").json["batch"]["closed_by"] == ["root", "wang"]


def test_wrong_passwords_count_against_the_name_and_the_command_line(peopled: tuple[Cli, str]) -> None:
    cli, _ = peopled
    keys = ("name root", "address command line")

    def counts() -> list[int]:
        with registry_of(cli) as registry:
            known = registry.login_failures.of(keys)
            return [known[key].count if key in known else 0 for key in keys]

    before = counts()
    wrong = cli.run("stock", "receive", 1, "--supplier-batch", "x", "--by", "root", input="guess\n")
    assert "name or password is wrong" in wrong.complaint
    assert counts() == [number + 1 for number in before]
