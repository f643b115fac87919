"""The installed program: its signals first, then everything else."""

from __future__ import annotations

from typing import NoReturn

from membercard import signals


def main() -> None:
    """Run the command line. A signal ends it with a sentence and its exit code also while it is imported."""
    signals.take()
    try:
        from membercard import cli
    except (KeyboardInterrupt, signals.Ended) as e:
        _end(e)
    cli.main()


def _end(request: BaseException) -> NoReturn:
    import sys

    from membercard.language import sentence

    sys.stderr.write(f"membercard: {sentence('ended before it began; nothing was done')}\n")
    sys.exit(request.code if isinstance(request, signals.Ended) else 130)
