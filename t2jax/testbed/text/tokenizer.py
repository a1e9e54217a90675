"""Byte-pair encoding with a few hundred entries, from cleaned text to token ids and back."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["SEPARATOR", "VOCABULARY", "Tokenizer", "clean"]

VOCABULARY = 256  # entries of the encoding, where nothing else is said
SEPARATOR = 0  # begins every document, and pads questions at their end
SEPARATOR_NAME = "<doc>"
# A word takes the blank before it along; digits stand alone, so that numbers are read digit by digit.
PIECES = r" ?[a-z']+| ?[0-9]| ?[^ a-z0-9']+| "
KEPT = "abcdefghijklmnopqrstuvwxyz0123456789 .,;:!?'\"()+=&/-"
PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "--"})
UNKEPT = re.compile(f"[^{re.escape(KEPT)}]+")
BATCH = 20_000  # documents encoded at once: the encoder's own records take a hundred times the memory of ids


def clean(text: str) -> str:
    """Converts text to one line of lower case without accents: letters, digits, blanks and common punctuation."""
    if not text.isascii():
        split = unicodedata.normalize("NFKD", text.translate(PLAIN))
        text = "".join(letter for letter in split if not unicodedata.combining(letter))
    return " ".join(UNKEPT.sub(" ", text.lower()).split())


class Tokenizer:
    """A trained byte-pair encoding, as the JSON text of the `tokenizers` package."""

    def __init__(self, json: str):
        self.json = json
        self._encoder = _package().Tokenizer.from_str(json)

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int) -> "Tokenizer":
        """Trains the encoding with `vocabulary` entries, including the separator, that shortens cleaned `texts` most.

        The same texts give the same encoding. Texts with too few different pairs raise ValueError.
        """
        package = _package()
        encoder = package.Tokenizer(package.models.BPE())
        split = package.pre_tokenizers.Split(package.Regex(PIECES), behavior="isolated")
        encoder.pre_tokenizer = split
        encoder.decoder = package.decoders.Fuse()
        trainer = package.trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[SEPARATOR_NAME],
            initial_alphabet=list(KEPT),
            show_progress=False,
        )
        encoder.train_from_iterator(texts, trainer)
        if encoder.get_vocab_size() != vocabulary:
            size = encoder.get_vocab_size()
            raise ValueError(
                f"the text gives an encoding of {size} entries, expected {vocabulary}: more text is needed"
            )
        return cls(encoder.to_str())

    def encode(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """Yields the token ids of each cleaned text, uint16 of shape (1 + tokens,), with a leading separator."""
        iterator = iter(texts)
        while batch := list(itertools.islice(iterator, BATCH)):
            for encoding in self._encoder.encode_batch_fast(batch, add_special_tokens=False):
                yield np.array([SEPARATOR, *encoding.ids], dtype=np.uint16)

    def encode_at(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Encodes one cleaned text to token ids (tokens,) and the first character (tokens,) of each."""
        encoding = self._encoder.encode(text, add_special_tokens=False)
        return np.array(encoding.ids, dtype=np.uint16), np.array([start for start, _ in encoding.offsets], dtype=int)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Decodes token ids to text without separators."""
        return self._encoder.decode([int(i) for i in ids])


def _package() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise ImportError("the testbed's text needs the package 'tokenizers': pip install 't2jax[testbed]'") from None
    return tokenizers
