"""Finding people by name as people type names: without accents, in any order, with or without commas. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Words beyond these are not searched: nobody has more names, and each one is another look at everybody.
SEARCH_WORDS = 4
# Letters that are no letter plus accent in Unicode, as people without such a keyboard write them.
LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
# Nobody remembers whether it was O'Brien, O’Brien or OBrien.
LEFT_OUT = str.maketrans("", "", "'’‘ʼ`´")
SEPARATORS = str.maketrans({",": " ", ";": " "})


def folded(text: str) -> str:
    """Small letters of the plain alphabet: "Łukasz Müller-Groß" is "lukasz muller-gross"."""
    if text.isascii():
        return text.lower().translate(LEFT_OUT)
    # Before the marks are split off: NFKD makes "´" a space and an accent.
    plain = unicodedata.normalize("NFKD", text.translate(LEFT_OUT).casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(LETTERS)


def search_words(search: str) -> list[str]:
    return folded(search.translate(SEPARATORS)).split()[:SEARCH_WORDS]


def is_found(words: Iterable[str], *, bib: str, names: Iterable[str]) -> bool:
    """Whether each word is a part of the name or the beginning of the bib."""
    name, number = folded(" ".join(names)), folded(bib)
    return all(word in name or number.startswith(word) for word in words)
