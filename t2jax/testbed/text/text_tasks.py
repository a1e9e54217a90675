"""Tasks on real text: how a sentence, a definition, a synset or a verse is written, and which part of it is asked."""

import dataclasses
import re

from t2jax.testbed.text.questions import Document
from t2jax.testbed.text.tokenizer import clean

__all__ = ["TEXT_TASKS", "definition", "entry", "hypernym", "prose", "verse"]

TEXT_TASKS = ("final_word", "headword", "hypernym", "verse_end")
LAST_WORD = re.compile(r" [a-z']{2,}(?=[.!?;:,\"')]*$)")
TAIL = 6  # words at the end of a text that no training text may end with, if it is to be a question


def prose(text: str) -> Document:
    """Any text: its last word may be asked (`final_word`)."""
    return _ending(clean(text), "final_word")


def verse(text: str) -> Document:
    """A verse: its last word may be asked (`verse_end`)."""
    return _ending(clean(text), "verse_end")


def entry(word: str, meaning: str) -> Document:
    """A word or words followed by a definition, only to be read, or asked for its last word (`final_word`)."""
    document = prose(f"{word}: {meaning}")
    return dataclasses.replace(document, keys=(*document.keys, _meaning(meaning)))


def definition(word: str, meaning: str) -> Document:
    """A definition followed by the word it belongs to, which may be asked (`headword`)."""
    return _asked(f"{_meaning(meaning)} =", clean(word), "headword", (_meaning(meaning),))


def hypernym(word: str, kind: str, meaning: str = "") -> Document:
    """What kind of thing a word names, after its meaning where that is given; the kind may be asked (`hypernym`)."""
    word, kind, meaning = clean(word), clean(kind), _meaning(meaning)
    told = f"{word}: {meaning}. {word}" if meaning else word
    keys = (f"{word} > {kind}", *([meaning] if meaning else []))
    return _asked(f"{told} is a kind of", kind, "hypernym", keys)


def _meaning(text: str) -> str:
    return clean(text).rstrip(" .;:,")


def _asked(prompt: str, answer: str, task: str, keys: tuple[str, ...]) -> Document:
    end = len(prompt) + 1 + len(answer)
    return Document(f"{prompt} {answer}.", task=task, start=len(prompt), end=end, keys=keys)


def _ending(text: str, task: str) -> Document:
    last = LAST_WORD.search(text, max(0, len(text) - 40))
    words = text.rsplit(" ", TAIL)
    if last is None or len(words) <= TAIL:
        return Document(text)
    return Document(text, task=task, start=last.start(), end=last.end(), keys=(" ".join(words[1:]),))
