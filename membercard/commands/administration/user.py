"""`membercard user`: users of the service, administered on the machine that it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from membercard import output, settings
from membercard.commands.listing import every
from membercard.language import text

if TYPE_CHECKING:
    from registry.admin.users import User

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="The name to sign in with.", show_default=False)]
Why = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit.", show_default=False)]


@app.command("add")
def add(
    name: Name,
    role: Annotated[
        list[str],
        typer.Option(
            help="operator, reviewer, registrar, counter, developer, auditor or administrator; may be given again.",
            show_default=False,
        ),
    ],
    display: Annotated[str, typer.Option(help="The name shown, if not the one to sign in with.")] = "",
    lang: Annotated[str, typer.Option(help="Language of the pages: zh or en.")] = "zh",
) -> None:
    """Add a user and print a one-time password, which has to be changed at the first sign-in.

    Example: membercard user add wang.fang --role registrar --role counter --display 王芳
    """
    from reader_service.access.passwords import Passwords, one_time
    from reader_service.principal import Role

    if unknown := sorted(set(role) - set(Role)):
        raise typer.BadParameter(f"there is no role {unknown[0]}; there are {', '.join(Role)}")
    password = one_time()
    with settings.open_registry() as registry:
        stored = Passwords().hash(password)
        user = registry.users.add(name, display or name, stored, role, by=_owner(), language=lang)
    _print_password(user, password)


@app.command("list")
def show(json: output.Json = False) -> None:
    """List all users, with those who are disabled."""
    with settings.open_registry() as registry:
        people = every(lambda cursor: registry.users.page(cursor, 500))
    if json:
        output.as_json([_json(user) for user in people])
        return
    if not people:
        output.say(
            "no users yet: names are recorded as unproven; the first: membercard user add NAME --role administrator"
        )
        return
    rows = [
        (
            person.name,
            person.display,
            ", ".join(map(text, sorted(person.roles))),
            text("disabled") if person.disabled else text("new password") if person.must_change else "",
            output.local_time(person.signed_in_at),
        )
        for person in people
    ]
    output.show(output.table("People", ("name", "shown as", "roles", "state", "last signed in"), rows))


@app.command("disable")
def disable(name: Name, reason: Why) -> None:
    """Disable a user: their sessions end, and the tokens that they made are no longer valid.

    Example: membercard user disable wang.fang --reason "left the union"
    """
    with settings.open_registry() as registry:
        person = registry.users.disable(name, by=_owner(), reason=reason)
    output.say("{name} is disabled", name=person.name)


@app.command("reset")
def reset(
    name: Name,
    reason: Annotated[
        str | None,
        typer.Option(help="Why; it goes into the audit. If not given, that the password is lost.", show_default=False),
    ] = None,
    enable: Annotated[bool, typer.Option("--enable", help="Also enable a user who was disabled.")] = False,
) -> None:
    """Print a new one-time password for a user, whose sessions all end.

    Example: membercard user reset admin
    """
    from reader_service.access.passwords import Passwords, one_time

    password, why = one_time(), text("password lost") if reason is None else reason
    with settings.open_registry() as registry:
        stored = Passwords().hash(password)
        if enable and registry.users.user(name).disabled:
            registry.users.enable(name, by=_owner(), reason=why)
        person = registry.users.set_password(name, stored, by=_owner(), must_change=True, reason=why)
    _print_password(person, password)


def _json(user: User) -> dict[str, object]:
    """The fields of a user; ``created_at`` has been published as ``made_at``."""
    fields: dict[str, object] = output.plain(user) | {"roles": sorted(user.roles)}
    return {"made_at" if name == "created_at" else name: value for name, value in fields.items()}


def _owner() -> str:
    """The actor in the audit for work on the machine itself."""
    from membercard.wiring import identity

    return identity.machine()


def _print_password(person: User, password: str) -> None:
    output.say(
        "{name} ({roles}) signs in once with this password: {password}",
        name=person.name,
        roles=", ".join(map(text, sorted(person.roles))),
        password=password,
    )
    if person.disabled:
        output.say("{name} is disabled, and let in again by: membercard user reset {name} --enable", name=person.name)
