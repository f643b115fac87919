"""Help and usage errors of the command line in the current language, where Typer and its parser have English."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from membercard.language import Language, catalogue, current, prose, sentence, text

_PLACEHOLDERS = ("options_metavar", "subcommand_metavar")
_TITLES = ("ARGUMENTS_PANEL_TITLE", "OPTIONS_PANEL_TITLE", "COMMANDS_PANEL_TITLE", "ERRORS_PANEL_TITLE")
_NOTES = ("ABORTED_TEXT", "DEFAULT_STRING", "REQUIRED_LONG_STRING", "ENVVAR_STRING", "RICH_HELP")


def localize(command: Any, context: Any) -> None:
    """Translate the help of a command, of its options and of the commands below it."""
    command.help = prose(command.help)
    command.epilog = prose(command.epilog)
    for name in _PLACEHOLDERS:
        if getattr(command, name, None):
            setattr(command, name, sentence(getattr(command, name)))
    for parameter in command.get_params(context):
        if getattr(parameter, "help", None):
            parameter.help = prose(parameter.help)
        if current() is Language.CHINESE:
            _localize_parameter(parameter)
    command.format_help = partial(whole_names, command.format_help)
    for below in getattr(command, "commands", {}).values():
        localize(below, context)


def whole_names(show: Callable[..., None], *arguments: Any) -> None:
    """Show help with the names of options whole, which Typer cuts on a narrow terminal."""
    from typer import rich_utils

    from membercard.tables import OptionTable  # imports rich, which a call does without

    vars(rich_utils)["Table"] = OptionTable
    show(*arguments)


def _localize_parameter(parameter: Any) -> None:
    """Translate the placeholder of a value, and the name of an argument."""
    if parameter.metavar is not None:
        parameter.metavar = sentence(parameter.metavar)
    elif parameter.param_type_name == "argument" and parameter.nargs == 1:
        parameter.metavar = catalogue().get(f"{parameter.name} (argument)")
    parameter.display_type = partial(_typed, parameter.display_type)


def _typed(original: Callable[..., str], ctx: Any) -> str:
    """The kind of a value: ``<int range>`` becomes ``<整数>``; choices stay."""
    return sentence(original(ctx))


def localize_typer(context: Any) -> None:
    """Set the words of Typer's own panels; English ones are its defaults. ``context``: None for an error before any."""
    if current() is not Language.CHINESE:
        return
    from typer import rich_utils

    for name in (*_TITLES, *_NOTES):
        setattr(rich_utils, name, sentence(getattr(rich_utils, name)))
    kind = type(context)
    if context is None or issubclass(kind.formatter_class, _ChineseUsage):
        return
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
            localize_typer(getattr(error, "ctx", None))
            error.format_message = lambda: chinese  # type: ignore[attr-defined]
        raise
