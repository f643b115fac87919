"""`membercard gp load`: a CAP file onto a card, and its applets installed in the same session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from membercard import output
from membercard.commands.developers.gp.input import aid_of, hex_bytes, typed
from membercard.commands.developers.gp.keys import Access, Channel, GpProtocol, Key, KeyVersion, Level, Method, Reader
from membercard.language import text
from terminal.globalplatform import Aid, CapFile, Privileges
from terminal.keys import Diversification


def load(
    reader: Reader,
    file: Annotated[Path, typer.Argument(help="A CAP file.", show_default=False)],
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    digest: Annotated[str, typer.Option("--hash", help="Load file data block hash: sha1 or sha256.")] = "",
    install: Annotated[bool, typer.Option("--install", help="Install the applets too, selectable at once.")] = False,
    module: Annotated[
        str | None,
        typer.Option(metavar="AID", help="With --install: this applet only.", show_default=False),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(metavar="AID", help="With --install: its AID on the card; the applet's if not given."),
    ] = None,
    privileges: Annotated[str, typer.Option(metavar="HEX", help="With --install: one byte or three.")] = "00",
    parameters: Annotated[
        str, typer.Option(metavar="HEX", help="With --install: given to the applet's install method.")
    ] = "",
    json: output.Json = False,
) -> None:
    """Load a CAP file, and with --install install its applets in the same session.

    Applets of a file on the card are also installed with `membercard gp install`.

    Example: membercard gp load --reader pcsc:0 applet.cap --install
    """
    if digest not in ("", "sha1", "sha256"):
        raise typer.BadParameter(f"--hash {digest}: sha1 or sha256")
    if not install and (module or instance or parameters or privileges != "00"):
        raise typer.BadParameter("--module, --instance, --privileges and --parameters are for --install")
    cap = CapFile.read(file)
    wanted = _instances(cap, module, instance) if install else {}
    granted, given = typed(privileges, Privileges.parse), hex_bytes(parameters)
    facts: dict[str, Any] = {
        "package": str(cap.package.aid),
        "version": f"{cap.package.major}.{cap.package.minor}",
        "applets": [str(aid) for aid in cap.applets],
    }
    installed: list[str] = []
    with Access(reader, scp, key, key_version, diversification, level).domain() as (domain, *_):
        domain.load(cap, digest=digest)
        if not json:
            output.say(
                "Loaded {package}, applets: {applets}",
                package=cap.package,
                applets=", ".join(map(str, cap.applets)) or text("none"),
            )
        try:
            for applet, aid in wanted.items():
                domain.install(cap.package.aid, applet, aid, privileges=granted, parameters=given)
                installed.append(str(aid))
                if not json:
                    output.say("Installed {aid}", aid=aid)
        finally:  # what is on the card by now, also where an installation was refused
            if json:
                output.as_json(facts | ({"installed": installed} if install else {}))


def _instances(cap: CapFile, module: str | None, instance: str | None) -> dict[Aid, Aid]:
    """The AID on the card of each applet to install. Raises BadParameter before anything is loaded."""
    listed = ", ".join(map(str, cap.applets)) or "none"
    applets = cap.applets if module is None else (aid_of(module),)
    if not applets or not set(applets) <= set(cap.applets):
        raise typer.BadParameter(f"there is no such applet in the file (it has: {listed})", param_hint="--module")
    if instance is not None and len(applets) > 1:
        raise typer.BadParameter(f"name the applet with --module (the file has: {listed})", param_hint="--instance")
    return {applet: applet if instance is None else aid_of(instance) for applet in applets}
