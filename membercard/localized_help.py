"""Help and usage errors of the command line in the current language, where Typer and its parser have English."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from membercard.language import Language, current, prose, sentence, text

_TITLES = ("ARGUMENTS_PANEL_TITLE", "OPTIONS_PANEL_TITLE", "COMMANDS_PANEL_TITLE", "ERRORS_PANEL_TITLE")
_NOTES = ("ABORTED_TEXT", "DEFAULT_STRING", "REQUIRED_LONG_STRING", "ENVVAR_STRING", "RICH_HELP")


def localize(command: Any, context: Any) -> None:
    """Translate the help of a command, of its options and of the commands below it."""
    command.help = prose(command.help)
    command.epilog = prose(command.epilog)
    for parameter in command.get_params(context):
        if getattr(parameter, "help", None):
            parameter.help = prose(parameter.help)
    for below in getattr(command, "commands", {}).values():
        localize(below, context)


def localize_typer(context: Any) -> None:
    """Set the words of Typer's own panels; English ones are its defaults."""
    if current() is not Language.CHINESE:
        return
    from typer import rich_utils

    kind = type(context)
    if issubclass(kind.formatter_class, _ChineseUsage):
        return
    for name in (*_TITLES, *_NOTES):
        setattr(rich_utils, name, sentence(getattr(rich_utils, name)))
    plain = rich_utils._make_rich_text  # no setting of Typer lets Chinese text break between characters
    rich_utils._make_rich_text = partial(_folding, plain)
    kind.formatter_class = type("ChineseHelp", (_ChineseUsage, kind.formatter_class), {})


def _folding(original: Callable[..., Any], **options: Any) -> Any:
    text = original(**options)
    text.overflow = "fold"
    return text


class _ChineseUsage:
    """Comes before the parser's own formatter."""

    def write_usage(self, program: str, arguments: str = "", prefix: str | None = None) -> None:
        super().write_usage(program, arguments, prefix or text("Usage: "))  # type: ignore[misc]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Usage errors raised inside have their message in the current language."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is not None and current() is Language.CHINESE:
            chinese = sentence(message())
            if (context := getattr(error, "ctx", None)) is not None:
                localize_typer(context)
            error.format_message = lambda: chinese  # type: ignore[attr-defined]
        raise
