"""Tasks on real text: the form of a sentence, a definition, a synset or a verse, and its question."""

import dataclasses
import re

from t2jax.testbed.text.questions import Document
from t2jax.testbed.text.tokenizer import clean

__all__ = ["TEXT_TASKS", "definition", "entry", "hypernym", "prose", "verse"]

TEXT_TASKS = ("sentence_end", "headword", "hypernym", "verse_end")
LAST_WORD = re.compile(r" [a-z']{2,}(?=[.!?;:,\"')]*$)")
TAIL = 6  # words at the end of a text, whose last tokens are asked; no training text may end with the same ones


def prose(text: str) -> Document:
    """Makes a document of any text, whose end may be asked (`sentence_end`)."""
    return _end_document(clean(text), "sentence_end")


def verse(text: str) -> Document:
    """Makes a document of a verse, whose end may be asked (`verse_end`)."""
    return _end_document(clean(text), "verse_end")


def entry(word: str, meaning: str) -> Document:
    """Makes a document of words with a definition, to be read or asked for its end (`sentence_end`)."""
    document = prose(f"{word}: {meaning}")
    return dataclasses.replace(document, keys=(*document.keys, _clean_meaning(meaning)))


def definition(word: str, meaning: str) -> Document:
    """Makes a document of a definition and its word, which may be asked (`headword`)."""
    return _question_document(f"{_clean_meaning(meaning)} =", clean(word), "headword", (_clean_meaning(meaning),))


def hypernym(word: str, kind: str, meaning: str = "") -> Document:
    """Makes a document of a word, its meaning if given, and its kind, which may be asked (`hypernym`)."""
    word, kind, meaning = clean(word), clean(kind), _clean_meaning(meaning)
    prompt = f"{word}: {meaning}. {word}" if meaning else word
    keys = (f"{word} > {kind}", *([meaning] if meaning else []))
    return _question_document(f"{prompt} is a kind of", kind, "hypernym", keys)


def _clean_meaning(text: str) -> str:
    return clean(text).rstrip(" .;:,")


def _question_document(prompt: str, answer: str, task: str, keys: tuple[str, ...]) -> Document:
    end = len(prompt) + 1 + len(answer)
    return Document(f"{prompt} {answer}.", task=task, start=len(prompt), end=end, keys=keys)


def _end_document(text: str, task: str) -> Document:
    last = LAST_WORD.search(text, max(0, len(text) - 40))
    words = text.rsplit(" ", TAIL)
    if last is None or len(words) <= TAIL:
        return Document(text)
    return Document(text, task=task, start=len(words[0]), end=last.end(), keys=(" ".join(words[1:]),))
