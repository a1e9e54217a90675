"""The standard corpus: a dictionary, WordNet, the King James Bible and fortunes, from four pinned Debian packages."""

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch

from t2jax.datasets.downloads import retrieve
from t2jax.testbed.text.archive import Corpus, CorpusError, Settings
from t2jax.testbed.text.corpus import build
from t2jax.testbed.text.questions import Document
from t2jax.testbed.text.text_tasks import definition, entry, hypernym, prose, verse
from t2jax.testbed.text.unpack import members, windows

__all__ = ["PACKAGES", "Package", "debian", "documents"]

POOL = "http://deb.debian.org/debian/pool/main/"  # not signed, so every file is checked against its hash


@dataclass(frozen=True)
class Package:
    """One Debian package: version, place in the pool, hash of the file and licence of the text."""

    name: str
    version: str
    place: str
    sha256: str
    licence: str


DICTIONARY = Package(
    name="dict-gcide",
    version="0.48.5+nmu2",
    place="d/dict-gcide/dict-gcide_0.48.5+nmu2_all.deb",
    sha256="7b0af5cfde3cbdef5e9d6e78f92ec335ced7c2790f37a40f49bebc6f7347ac0f",
    licence="GPL-2.0-or-later (GNU Collaborative International Dictionary of English 0.48)",
)
WORDNET = Package(
    name="wordnet-base",
    version="1:3.0-37",
    place="w/wordnet/wordnet-base_3.0-37_all.deb",
    sha256="61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
    licence="WordNet 3.0 licence (Princeton University 2006: any purpose, keep the notice)",
)
BIBLE = Package(
    name="bible-kjv-text",
    version="4.38",
    place="b/bible-kjv/bible-kjv-text_4.38_all.deb",
    sha256="d61b6aad4c51ba9e2800b825325fa6a09e99a0d02a9bb6dc4724fcc4995a1b7a",
    licence="text of 1611, copyright expired (Crown patent in the United Kingdom); files by Chip Chapin, 1989:"
    " unrestricted use with his notice",
)
FORTUNES = Package(
    name="fortunes",
    version="1:1.99.1-7.3",
    place="f/fortune-mod/fortunes_1.99.1-7.3_all.deb",
    sha256="41d0551dc0ff52f875a2ecef7c39da2f672ab468c37e170119f7e0245a9d63c5",
    licence="BSD-3-Clause as a collection (University of California 1991); the quotations are their authors'",
)
PACKAGES = (DICTIONARY, WORDNET, BIBLE, FORTUNES)
# Drawings, foreign text and jokes at the cost of groups of people are left out.
FORTUNE_FILES = (
    "art computers cookie debian definitions disclaimer education food goedel humorists kids knghtbrd law linux"
    " linuxcookie love magic medicine miscellaneous news paradoxum people perl pets platitudes politics science"
    " songs-poems sports startrek tao wisdom work"
)

TAG = re.compile(r"\[(?:1913 Webster|Webster 1913 Suppl|PJC|WordNet|Century|[A-Z]{2,3}\b)[^\]]*\]")
ACCENTED = re.compile(r"\[[=`'^~\".,-]*([A-Za-z]{1,2})(?:um)?[\^`'~\".]*\]")  # such as [=a], [aum] and [ae]
BRACKETED = re.compile(r"\[[^\[\]]*\]")
AUTHOR = re.compile(r"--\s*[A-Z][\w.&' ]{1,30}\.?(?=\s|$)")
HEAD = re.compile(r"(?P<word>[A-Za-z][\w' -]*?) ?\\[^\n]*?\\(?P<rest>.*)", re.DOTALL)
SPEECH = re.compile(r"[\s,;]*(\([^)]*\))?[\s,;]*((prop|pl|imp|p|a|n|v|t|i|adv|adj|prep|conj|interj|pron)\.[\s,;&]*)*")
SENSE = re.compile(r"^\s*(\d+\.|\([a-z]\))?\s*")
LONGEST_MEANING = 160  # characters of a definition that is turned into a question


def debian(folder: str | Path | None = None, settings: Settings | None = None, seed: int = 0) -> Corpus:
    """Makes the corpus of the four packages with all tasks: about 30 million training tokens in one to three minutes.

    The packages (24 MB) are downloaded once into `folder`, or into the user's cache folder; see `fetch`.
    """
    files = tuple(fetch(package, folder) for package in PACKAGES)
    texts = list(documents(files, np.random.default_rng(seed)))
    return build(texts, settings or Settings(), seed, name="the Debian texts")


def fetch(package: Package, folder: str | Path | None = None) -> Path:
    """Downloads the file of a package into `folder` unless it is there, and checks its hash.

    An unavailable or different file raises CorpusError.
    """
    cache = Path(folder or pooch.os_cache("t2jax") / "testbed")
    otherwise = f"put the file there, which `apt-get download {package.name}={package.version}` also gives"
    return retrieve(POOL + package.place, package.sha256, cache, otherwise, CorpusError)


def documents(files: Sequence[Path], rng: np.random.Generator) -> Iterator[Document]:
    """Yields all documents of the files of PACKAGES, in order; `rng` selects the definitions that become questions."""
    dictionary, wordnet, bible, fortunes = files
    (text,) = members(dictionary, ["usr/share/dictd/gcide.dict.dz"])
    synsets = members(wordnet, [f"usr/share/wordnet/data.{part}" for part in ("noun", "verb", "adj", "adv")])
    (verses,) = members(bible, ["usr/lib/bible.data"])
    quotations = members(fortunes, [f"usr/share/games/fortunes/{name}" for name in FORTUNE_FILES.split()])
    yield from _dictionary(gzip.decompress(text).decode(errors="replace"), rng)  # a few bytes are not UTF-8
    yield from _wordnet([data.decode() for data in synsets], rng)
    for line in windows(verses).decode("ascii").splitlines()[1:]:
        yield verse(line.partition(" ")[2])  # without its place, such as "Ge1:1"
    for data in quotations:
        for quotation in data.decode(errors="replace").split("\n%\n"):
            yield prose(quotation)


def _dictionary(text: str, rng: np.random.Generator) -> Iterator[Document]:
    """Yields one document per sense, without the senses from WordNet, which come from WordNet itself."""
    for head in filter(None, map(HEAD.match, re.split(r"\n(?=\S)", text))):
        word = head["word"]
        for index, sense in enumerate(head["rest"].split("\n\n")):
            if "[WordNet" in sense:
                continue
            plain = _remove_marks(sense)
            meaning = SENSE.sub("", SPEECH.sub("", plain, count=1) if index == 0 else plain).strip()
            if len(meaning) < 3:
                continue
            askable = len(meaning) <= LONGEST_MEANING and word.lower() not in meaning.lower()
            yield definition(word, meaning) if askable and rng.random() < 0.5 else entry(word, meaning)


def _remove_marks(text: str) -> str:
    """Removes braces, accents, etymologies, authors and source tags from dictionary text."""
    text = ACCENTED.sub(r"\1", TAG.sub("", text.replace("{", "").replace("}", "")))
    for _ in range(3):  # brackets within brackets
        text = BRACKETED.sub("", text)
    return AUTHOR.sub("", text).lstrip()


def _wordnet(parts: list[str], rng: np.random.Generator) -> Iterator[Document]:
    """Yields documents of synsets with words and gloss; half of the nouns state their kind in the same document."""
    lines = [line for part in parts for line in part.splitlines() if not line.startswith("  ")]
    nouns = {}
    for line in lines:
        fields = line.split(" ")
        if fields[2] == "n":
            nouns[fields[0]] = fields[4].replace("_", " ")
    for line in lines:
        data, _, gloss = line.partition(" | ")
        fields = data.split(" ")
        words = [fields[4 + 2 * i].replace("_", " ").split("(")[0] for i in range(int(fields[3], 16))]
        kind = nouns[fields[fields.index("@") + 1]] if fields[2] == "n" and "@" in fields else ""
        meaning, _, examples = gloss.strip().partition(";")
        if kind and len(meaning) <= LONGEST_MEANING and rng.random() < 0.5:
            yield hypernym(words[0], kind, meaning)
            continue
        if kind:
            yield hypernym(words[int(rng.integers(len(words)))], kind)
        yield entry(", ".join(words), f"{meaning};{examples}" if examples else meaning)
