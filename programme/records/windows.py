"""The windows of a programme as matters are held by them: who is above and below, and what a window may open."""

from __future__ import annotations

from programme.errors import NotInProgramme
from programme.programme import Programme
from programme.sections.matters import MatterKind
from registry.matters.values import MatterChannel, NewMatter, WindowPlace


def window_place(programme: Programme, code: str) -> WindowPlace:
    """Raises NotInProgramme."""
    windows = programme.federation.windows
    if code not in windows:
        raise NotInProgramme(f"there is no window {code} in the programme; it has {', '.join(windows) or 'none'}")
    return WindowPlace(code, windows[code].level)


def window_above(programme: Programme, code: str) -> WindowPlace:
    """The window one level above. Raises NotInProgramme where there is none."""
    window_place(programme, code)
    above = programme.federation.windows[code].under
    if above is None:
        raise NotInProgramme(f"no window is above {code}")
    return window_place(programme, above)


def window_below(programme: Programme, code: str, below: str) -> WindowPlace:
    """One of the windows a level below. Raises NotInProgramme."""
    window_place(programme, code)
    mine = [name for name, window in programme.federation.windows.items() if window.under == code]
    if below not in mine:
        raise NotInProgramme(f"window {below} is not below {code}; there are {', '.join(mine) or 'none'}")
    return window_place(programme, below)


def matter_kind(programme: Programme, code: str) -> MatterKind:
    """Raises NotInProgramme."""
    if code not in programme.matters:
        listed = ", ".join(programme.matters) or "none"
        raise NotInProgramme(f"there is no kind of matter {code} in the programme; it has {listed}")
    return programme.matters[code]


def new_matter(
    programme: Programme,
    kind: str,
    window: str,
    *,
    channel: MatterChannel,
    words: str = "",
    member: int | None = None,
) -> NewMatter:
    """A matter of that kind, to be opened at a window. Raises NotInProgramme."""
    days = matter_kind(programme, kind).days
    return NewMatter(kind, channel, window_place(programme, window), days, words, member)
