"""How the testbed's texts are read: cleaning, encoding, packages, and what is said where something is missing."""

import dataclasses
import io
import re
import sys
import tarfile

import numpy as np
import pytest

from t2jax.testbed.text import debian, unpack
from t2jax.testbed.text.archive import Corpus, CorpusError
from t2jax.testbed.text.corpus import tiny
from t2jax.testbed.text.tokenizer import SEPARATOR, Tokenizer, clean

pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return tiny(0)


def test_clean_keeps_letters_and_common_marks():
    assert clean("  Café\tnaïve\n[x] {y}  “Z”: 3·4 – ﬁn") == 'cafe naive x y "z": 3 4 - fin'


def test_encoding_loses_nothing(corpus):
    tokenizer = Tokenizer(corpus.tokenizer)
    text = "quizzing vexed, jovial foxes (12 + 30)? \"it's & 'twas\" = a/b; x-y!"
    (ids,) = tokenizer.encode([text])
    assert ids[0] == SEPARATOR
    assert tokenizer.decode(ids) == text
    plain, starts = tokenizer.encode_at(text)
    assert np.array_equal(plain, ids[1:])
    assert starts[0] == 0
    with pytest.raises(ValueError, match="entries, expected 256: more text is needed"):
        Tokenizer.train(["a b c"], 256)


def deb(path, files):
    """A Debian package with the given files."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    body = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("data.tar.xz", data.getvalue())):
        body += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        body += b"\n" * (len(content) % 2)
    path.write_bytes(body)
    return path


def test_unpacking_packages(tmp_path):
    package = deb(tmp_path / "p.deb", {"usr/a": b"alpha", "usr/b": b"beta" * 1000, "usr/c": b""})
    assert unpack.members(package, ["usr/b", "usr/a"]) == [b"beta" * 1000, b"alpha"]
    with pytest.raises(ValueError, match=r"p\.deb: found no file 'usr/d' in it"):
        unpack.members(package, ["usr/a", "usr/d"])
    (tmp_path / "q.deb").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"q\.deb: found .* expected a Debian package"):
        unpack.members(tmp_path / "q.deb", ["usr/a"])


def compress(data: bytes) -> bytes:
    """Unix compress -b 16 without its header, all codes of one width written in groups of eight."""
    table, width, codes, out = {bytes([i]): i for i in range(256)}, 9, [], b""
    word, size = b"", 257

    def written(group: list[int], width: int) -> bytes:
        bits = sum(code << (i * width) for i, code in enumerate(group))
        return bits.to_bytes(-(-len(group) * width // 8), "little")

    for byte in data:
        longer = word + bytes([byte])
        if longer in table:
            word = longer
            continue
        codes.append(table[word])
        if size < 1 << 16:
            table[longer] = size
            size += 1
        word = bytes([byte])
        # The reader's table is one entry behind; it widens when that entry fills the width.
        if size - 1 >= 1 << width and width < 16:
            out += written(codes + [0] * (-len(codes) % 8), width)
            codes, width = [], width + 1
    return out + written([*codes, table[word]], width)


def test_expanding_compressed_text():
    rng = np.random.default_rng(0)
    short = b"tobeornottobeortobeornot" * 3
    long = bytes(rng.choice(list(b"abcdefgh"), 60_000).tolist())
    for text in (b"a", b"aaaaaaaaaaaa", short, long):
        assert unpack.expand(compress(text)) == text
    with pytest.raises(ValueError, match="damaged"):
        unpack.expand(b"\xff\xff\xff")
    windows = [compress(short), compress(long)]
    head = bytes(0x50) + b"".join(n.to_bytes(4, "big") for n in (0, 65536, 1, 0x64, 0x64 + len(windows[0])))
    assert unpack.windows(head + b"".join(windows)) == short + long


def test_another_file_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    package = dataclasses.replace(debian.BIBLE, place="nothing.deb")
    monkeypatch.setattr(debian, "POOL", tmp_path.as_uri() + "/")
    (tmp_path / "nothing.deb").write_bytes(b"other")
    with pytest.raises(CorpusError, match=r"nothing\.deb"):
        debian.fetch(package, tmp_path / "kept")


def test_the_dictionary_and_wordnet_are_read():
    entries = """
Bather \\Bath"er\\ (b[=a][th]"[~e]r), n. [Gr. baqo`s [see {Depth}].]
   One who {swims}; a person in water. --Shak.
   [1913 Webster]

   2. A large old boat, used on rivers bather.
      [1913 Webster]

   a thing from elsewhere.
   [WordNet 1.5]
"""
    texts = [document.text for document in debian._dictionary(entries, np.random.default_rng(0))]
    assert len(texts) == 2
    assert texts[0] in ("bather: one who swims; a person in water.", "one who swims; a person in water = bather.")
    assert texts[1] == "bather: a large old boat, used on rivers bather."
    synsets = (
        '00000001 03 n 01 sea_animal 0 000 | one that swims; "a sea animal"  \n'
        "00000002 03 n 02 cod 0 codfish 0 001 @ 00000001 n 0000 | a fish  \n"
    )
    texts_by_seed = [[d.text for d in debian._wordnet([synsets], np.random.default_rng(seed))] for seed in range(6)]
    assert all(texts[0] == 'sea animal: one that swims; "a sea animal"' for texts in texts_by_seed)
    assert ["cod: a fish. cod is a kind of sea animal."] in [texts[1:] for texts in texts_by_seed]
    assert ["codfish is a kind of sea animal.", "cod, codfish: a fish"] in [texts[1:] for texts in texts_by_seed]


def test_packages_are_pinned():
    assert len(debian.PACKAGES) == 4
    for package in debian.PACKAGES:
        assert re.fullmatch("[0-9a-f]{64}", package.sha256)
        assert package.licence
        assert package.version.rpartition(":")[2] in package.place


def test_without_tokenizers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 't2jax\[testbed\]'"):
        tiny(0)
