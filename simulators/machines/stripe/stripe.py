"""The stripe of one virtual card, kept in a file beside its card file: written by one machine, read by another."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from simulators.machines.stripe.formats import ISO_FORMATS, TrackFault, TrackFormat, TrackUnreadable
from terminal.errors import CodecError, ReaderFault

SUFFIX: Final = ".stripe"
TRACKS: Final = (1, 2, 3)
HIGH, LOW = "high", "low"


@dataclass(frozen=True, slots=True)
class RecordedTrack:
    """Bits as the head records them, with their density in bits an inch."""

    bits: str
    density: int


@dataclass(frozen=True, slots=True)
class Stripe:
    """A stripe: its coercivity (``high`` or ``low``), and the tracks that were written."""

    coercivity: str = HIGH
    tracks: Mapping[int, RecordedTrack] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Numbers of tracks only: they hold card numbers and check values."""
        return f"<Stripe {self.coercivity}, tracks {sorted(self.tracks)}>"

    def with_track(self, track: int, recorded: RecordedTrack | None) -> Self:
        """The same stripe with one track written, or erased."""
        tracks = {number: bits for number, bits in self.tracks.items() if number != track}
        if recorded is not None:
            tracks[track] = recorded
        return type(self)(self.coercivity, tracks)

    def text(self, track: int, coding: TrackFormat | None = None, density: int | None = None) -> str:
        """The text of a track in its ISO format, or another one; empty for a blank track.

        Raises TrackUnreadable, also for a track of another density than the head reads.
        """
        recorded = self.tracks.get(track)
        if recorded is None:
            return ""
        coding = coding or ISO_FORMATS[track]
        if recorded.density != (density or coding.density):
            raise TrackUnreadable(TrackFault.DENSITY)
        return coding.decode(recorded.bits)


class StripeFile:
    """The file of a card's stripe (mode 0600, replaced whole). A card without one has a blank stripe.

    Raises ReaderFault for a file that cannot be read or written, or that holds no stripe.
    """

    def __init__(self, card: Path, coercivity: str = HIGH) -> None:
        self.path = card.with_suffix(SUFFIX)
        self._blank = Stripe(coercivity)

    def read(self) -> Stripe:
        try:
            content = json.loads(self.path.read_bytes())
            tracks = {int(track): RecordedTrack(**recorded) for track, recorded in content["tracks"].items()}
            return Stripe(content["coercivity"], tracks)
        except FileNotFoundError:
            return self._blank
        except OSError as error:
            raise ReaderFault(f"reading {self.path.name}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReaderFault(f"{self.path.name} holds no stripe") from error

    def write(self, stripe: Stripe) -> None:
        """Replace the stripe, whole or not at all."""
        content = {
            "coercivity": stripe.coercivity,
            "tracks": {
                str(track): {"bits": recorded.bits, "density": recorded.density}
                for track, recorded in sorted(stripe.tracks.items())
            },
        }
        replace_file(self.path, (json.dumps(content, indent=1) + "\n").encode())


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside others of a card, whole or not at all. Raises ReaderFault."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ReaderFault(f"writing {path.name}: {error.strerror}") from error


def write_text(stripe: Stripe, track: int, text: str, coding: TrackFormat, density: int | None = None) -> Stripe:
    """The stripe with one track written in a format. Raises CodecError for a text that cannot be written."""
    if track not in TRACKS:
        raise CodecError(f"a stripe has no track {track}")
    return stripe.with_track(track, RecordedTrack(coding.encode(text), density or coding.density))
