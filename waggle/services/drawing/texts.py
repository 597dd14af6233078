"""Words in a picture: how wide they are in Arial, and how they are broken into lines."""

from typing import Final

FONT: Final = "Arial, Helvetica, sans-serif"

# In thousandths of the font's size; the characters of one string are equally wide.
_WIDTHS: Final = {
    **dict.fromkeys("ijl'|", 222),
    **dict.fromkeys(" fIt.,:;/\\![]", 278),
    **dict.fromkeys("r()-`", 333),
    **dict.fromkeys("ckJsvxyz", 500),
    **dict.fromkeys('*"', 390),
    **dict.fromkeys("FTZ", 611),
    **dict.fromkeys("ABEKPSVXY&", 667),
    **dict.fromkeys("CDHNRUw", 722),
    **dict.fromkeys("GOQ", 778),
    **dict.fromkeys("mM", 833),
    **dict.fromkeys("W", 944),
    **dict.fromkeys("%", 889),
    **dict.fromkeys("=+<>~", 584),
}
_USUAL: Final = 556


def width_px(text: str, size_px: float) -> float:
    """Return how wide *text* stands in the picture, to within a few percent."""
    return sum(_WIDTHS.get(character, _USUAL) for character in text) * size_px / 1000


def wrapped(text: str, width: float, size_px: float) -> list[str]:
    """Return *text* in lines of at most *width*; a word that is too long for one is broken, best after a hyphen."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if width_px(longer, size_px) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *whole, line = _pieces(word, width, size_px)
            lines += whole
        lines.append(line)
    return lines


def _pieces(word: str, width: float, size_px: float) -> list[str]:
    pieces = []
    while width_px(word, size_px) > width:
        fitting = max(1, next(n for n in range(len(word), 0, -1) if n == 1 or width_px(word[:n], size_px) <= width))
        after_hyphen = word.rfind("-", 0, fitting) + 1
        cut = after_hyphen or fitting
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word] if word else pieces
