"""Result files that are cut off, changed or in another encoding, and what `t2.read_results` makes of them."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import t2jax as t2
from experiments.shared.result_files import CASES, Case
from t2jax.results.results import Results

WRONG_TYPES = (b"null", b"true", b'"x"', b"[]", b"{}", b"-1", b"1e999", b"NaN", b"9" * 5000, b"[" * 100_000)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "cp037", "utf-8-sig")
Mutation = Callable[[bytes, random.Random], bytes]


def cut_off(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def cut_out(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.randint(1, 200) :]


def other_type(data: bytes, draw: random.Random) -> bytes:
    """Puts a value of another type in the place of a number, a word or a text."""
    values = list(re.finditer(rb'(?<=[:\[,\s])("[^"\n]*"|-?\d[\d.eE+-]*|true|false|null)(?=[,\]\}\s])', data))
    if not values:
        return cut_out(data, draw)
    value = draw.choice(values)
    others = [other for other in WRONG_TYPES if not (other == b"true" and value[0] == b"false")]
    if value[0].startswith(b'"'):
        others.remove(b'"x"')
    return data[: value.start()] + draw.choice(others) + data[value.end() :]


def other_encoding(data: bytes, draw: random.Random) -> bytes:
    try:
        return data.decode().encode(draw.choice(ENCODINGS))
    except UnicodeDecodeError:
        return cut_off(data, draw)


def other_bytes(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randint(1, 20)):
        changed[draw.randrange(len(data))] = draw.randrange(128, 256)
    return bytes(changed)


def twice(data: bytes, draw: random.Random) -> bytes:
    return data + data


def other_name(data: bytes, draw: random.Random) -> bytes:
    """Renames one of the names of a JSON object, a YAML mapping or a CSV file."""
    names = list(re.finditer(rb'"(\w[\w /.,@-]*)"(?=:)|^(\w+)(?=:)|(?<=,)([a-z_/]+)(?=,)', data, re.M))
    if not names:
        return cut_off(data, draw)
    name = draw.choice(names)
    return data[: name.start()] + name[0].replace(b"e", b"ee").replace(b"a", b"aa") + data[name.end() :]


def huge(data: bytes, draw: random.Random) -> bytes:
    return draw.choice((b" " * 3_000_000, b"[" * 3_000_000, b"0" * 3_000_000, data + b"\0" * 3_000_000))


MUTATIONS: tuple[Mutation, ...] = (
    cut_off,
    cut_out,
    other_type,
    other_encoding,
    other_bytes,
    twice,
    other_name,
    huge,
)


def outcome(case: Case, path: Path) -> Results | str:
    """The results of a folder, or the sentence that refuses it; any other exception is not caught."""
    try:
        return t2.read_results(path, **case.options)
    except t2.TableError as error:
        sentence = str(error)
        if not sentence or "\n" in sentence or len(sentence) >= 1000:
            raise AssertionError(f"no sentence: {sentence[:1000]!r}") from error
        return sentence


def wrong_rows(case: Case, mutate: Mutation, results: Results) -> list[tuple]:
    """Rows that the whole files do not give, unless a note names what is missing.

    A model may have any name, and so may tasks and metrics of the old scores, whose numbers alone are compared.
    """
    there = [column for column in case.columns if column in results.frame]
    if len(there) != len(case.columns):
        raise AssertionError(f"{case.name}: columns {list(results.frame)}")
    if case.name == "every-eval-ever" and mutate in (cut_off, cut_out):  # a note warns that rows may be missing
        return [row for row in results.frame[there].itertuples(index=False, name=None) if not 1 <= row[1] <= 3]
    warnings = ("have no status", "questions have from", "end at different steps")
    if any(sentence in note for note in results.notes for sentence in warnings):
        return []
    start = int(there[0] == "model")
    rows = [tuple(map(_rounded, row[start:])) for row in results.frame[there].itertuples(index=False, name=None)]
    expected = [tuple(map(_rounded, row[start:])) for row in case.rows]
    if case.name == "olmo-ladder":
        expected.append(("190M-1xC", 3.402, 1966080000.0)[start:])  # of a file that ends with this row
    if results.kind == "scores":
        numbers = {cell for row in expected for cell in row if isinstance(cell, float)}
        return [row for row in rows if not {cell for cell in row if isinstance(cell, float)} <= numbers | {0.0}]
    return [row for row in rows if row not in expected]


def _rounded(cell: object) -> object:
    return float(f"{cell:.12g}") if isinstance(cell, int | float) and cell == cell else 0.0 if cell != cell else cell


@dataclass
class Outcomes:
    """What became of mutated files.

    Attributes:
        refused: How many were refused in one sentence, by kind of mutation.
        unchanged: How many gave the rows of the whole files, or fewer with a note, by kind of mutation.
        wrong: A line for each file that gave other rows.
    """

    refused: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def try_mutations(folder: Path, count: int, seed: int) -> Outcomes:
    """Mutates one file of a case each time. Any exception but a refusal is not caught."""
    draw, outcomes = random.Random(seed), Outcomes()
    for i in range(count):
        case, mutate = CASES[i % len(CASES)], MUTATIONS[(i // len(CASES)) % len(MUTATIONS)]
        place = folder / str(i)
        case.write(place)
        path = draw.choice(sorted(file for file in place.rglob("*") if file.is_file()))
        if mutate is cut_out and (case.kind != "counts" or case.name == "lm-eval-again"):
            mutate = cut_off  # nothing beside a loss, a mean or a response shows that it lacks a character
        path.write_bytes(mutate(path.read_bytes(), draw))
        results = outcome(case, place)
        if isinstance(results, str):
            outcomes.refused[mutate.__name__] += 1
        elif results.kind != case.kind and any(path.name in note for note in results.notes):
            outcomes.refused[mutate.__name__] += 1  # a note names it, and the others give another kind
        elif bad := wrong_rows(case, mutate, results):
            outcomes.wrong.append(f"{i}: {case.name}, {mutate.__name__}, {path.name}: {bad[:2]}")
        else:
            outcomes.unchanged[mutate.__name__] += 1
        shutil.rmtree(place)
    return outcomes
