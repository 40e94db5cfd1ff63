"""The tokens of a text, by a tokenizer file, without torch."""

from collections.abc import Callable, Sequence
from pathlib import Path

Tokens = tuple[Sequence[int], Sequence[tuple[int, int]]]
"""The ids of a text's tokens, without special ones, and where each stands in the text, in code points."""


def tokenizer_in(file: Path) -> Callable[[str], Tokens]:
    """What makes the tokens of a text, of all of it however long it is."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def tokens(text: str) -> Tokens:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        return encoded.ids, encoded.offsets

    return tokens
