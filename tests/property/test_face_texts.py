"""Texts of a face stay in their boxes, whatever they are."""

from __future__ import annotations

from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st

from personalize.face.design import TextField
from personalize.face.fonts import FontChain, chains
from personalize.face.geometry import FaceArea
from personalize.face.text import fit, mask_of

WORDS = st.text(st.sampled_from("ABgjpqyWM|_ 09-.,'ÅÉçÖß·"), min_size=1, max_size=60).map(str.strip).filter(bool)
FIELDS = st.builds(
    TextField,
    field=st.just("any"),
    content=st.just("any"),
    box=st.builds(FaceArea, st.just(5.0), st.just(5.0), st.floats(5, 70), st.floats(2, 12)),
    size=st.floats(6, 24),
    floor=st.floats(4, 6),
    align=st.sampled_from(("left", "center", "right")),
    spacing=st.sampled_from((0.0, 0.4)),
    bold=st.sampled_from((0.0, 0.2)),
    lines=st.integers(1, 4),
)


@cache
def latin() -> FontChain:
    return chains({"sans": ("dejavu-sans",)}, {})["sans"]


@example(TextField(field="any", content="any", box=FaceArea(5, 5, 5, 2), size=6, floor=4, bold=0.2), "__")
@given(FIELDS, WORDS)
def test_a_text_that_fits_is_whole_and_in_its_box(field: TextField, text: str) -> None:
    fitted = fit(field, latin(), text)
    if fitted is None:
        return
    assert field.floor <= fitted.size <= field.size
    assert len(fitted.lines) <= field.lines
    assert "".join(fitted.lines).replace(" ", "") == text.replace(" ", "")
    mask = mask_of(field, latin(), fitted)
    larger = mask_of(field.model_copy(update={"box": wider(field.box)}), latin(), fitted)
    assert abs(sum(larger.histogram()[64:]) - sum(mask.histogram()[64:])) <= 0.06 * sum(larger.histogram()[64:]) + 12


def wider(box: FaceArea) -> FaceArea:
    """The same middle with 2 mm more on each side, where nothing is cut off."""
    return FaceArea(box.left - 2, box.top - 2, box.width + 4, box.height + 4)


@given(FIELDS, WORDS)
def test_a_shorter_text_is_never_smaller(field: TextField, text: str) -> None:
    one_line = field.model_copy(update={"lines": 1})
    whole, part = fit(one_line, latin(), text), fit(one_line, latin(), text[: len(text) // 2 + 1].strip())
    assert part is not None or whole is None
    assert whole is None or part is None or part.size >= whole.size
