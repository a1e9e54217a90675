"""The testbed's text: what is asked is not read, what is read is as stated, and the made-up answers are right."""

import dataclasses
import re

import numpy as np
import pytest

from t2jax.testbed.text import text_tasks
from t2jax.testbed.text.archive import Corpus, CorpusError, Settings
from t2jax.testbed.text.corpus import from_folder, tiny
from t2jax.testbed.text.questions import Document, ask
from t2jax.testbed.text.tokenizer import SEPARATOR, Tokenizer

pytest.importorskip("tokenizers")
MADE_UP = ("facts", "codes", "chains", "walks", "sums")
REASONING = ("chains", "walks", "sums")
ON_TEXT = ("sentence_end", "headword", "hypernym", "verse_end")
SMALL = Settings(questions_per_task=16, exercises_per_task=16, held_out=0.1, facts=60, codes=60, rules=32, maps=16)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return tiny(0)


def texts_of(corpus: Corpus, stream: np.ndarray) -> list[str]:
    """The decoded documents of a stream."""
    parts = np.split(stream, np.flatnonzero(stream == SEPARATOR)[1:])
    tokenizer = Tokenizer(corpus.tokenizer)
    return [tokenizer.decode(part) for part in parts]


def asked(corpus: Corpus, task: str) -> list[tuple[str, str]]:
    """Prompt and scored answer of each question of a task."""
    questions, tokenizer = corpus.questions, Tokenizer(corpus.tokenizer)
    pairs = []
    for tokens, answer in zip(questions.tokens, questions.answer, strict=True):
        begins, ends = np.flatnonzero(answer)[[0, -1]]
        pairs.append((tokenizer.decode(tokens[:begins]), tokenizer.decode(tokens[begins : ends + 1])))
    return [pairs[i] for i in np.flatnonzero(questions.task == questions.tasks.index(task))]


def task_of(text: str) -> str:
    """The made-up task that a document belongs to; empty for real text."""
    first = text.split()[0]
    if first in ("code", "apply", "map", "count"):
        return {"code": "codes", "apply": "chains", "map": "walks", "count": "sums"}[first]
    return "facts" if re.match(r"\w+ \w+ (lives in|likes|has a|is a friend of|was born in) ", text) else ""


def occurs(needle: np.ndarray, stream: np.ndarray) -> bool:
    """Whether tokens follow each other somewhere in a stream."""
    return needle.tobytes() in stream.tobytes() and any(
        np.array_equal(stream[i : i + len(needle)], needle) for i in np.flatnonzero(stream == needle[0])
    )


def test_arrays_have_the_stated_form(corpus):
    questions, settings = corpus.questions, corpus.settings
    assert questions.tasks == ON_TEXT + MADE_UP
    assert np.array_equal(np.bincount(questions.task), [settings.questions_per_task] * 9)
    assert len(questions) == 9 * settings.questions_per_task
    assert questions.tokens.shape == questions.answer.shape == (len(questions), settings.context + 1)
    assert questions.tokens.dtype == corpus.train.dtype == corpus.held_out.dtype == np.uint16
    assert questions.answer.dtype == bool
    assert corpus.vocabulary == 256
    assert corpus.train.max() < 256
    for stream in (corpus.train, corpus.held_out):
        assert stream[0] == SEPARATOR
        assert stream[-1] != SEPARATOR
        assert not ((stream[1:] == SEPARATOR) & (stream[:-1] == SEPARATOR)).any()


def test_questions_begin_with_a_separator_and_are_padded_at_the_end(corpus):
    for tokens, answer in zip(corpus.questions.tokens, corpus.questions.answer, strict=True):
        length = np.flatnonzero(answer)[-1] + 1
        assert tokens[0] == SEPARATOR
        assert (tokens[1:length] != SEPARATOR).all()
        assert (tokens[length:] == SEPARATOR).all()
        assert np.argmax(answer) > 1


def test_no_question_is_in_training(corpus):
    for task in (*ON_TEXT, *REASONING):
        which = corpus.questions.task == corpus.questions.tasks.index(task)
        for tokens, answer in zip(corpus.questions.tokens[which], corpus.questions.answer[which], strict=True):
            length = np.flatnonzero(answer)[-1] + 1
            assert not occurs(tokens[:length], corpus.train), corpus.decode(tokens)
            assert not occurs(tokens[1:length], corpus.train), corpus.decode(tokens)


def test_all_questions_on_text_have_four_scored_tokens(corpus):
    for task in ON_TEXT:
        assert set(corpus.questions.of(task).answer.sum(axis=1)) == {4}


def test_exercises_are_other_texts_than_questions_and_training(corpus):
    """None of them is asked; those on text and of reasoning are not in training either."""
    exercises = corpus.exercises
    assert exercises.tasks == ("hypernym", "facts", "chains") and np.bincount(exercises.task).tolist() == [16] * 3
    for task in exercises.tasks:
        asked = {tokens.tobytes() for tokens in corpus.questions.of(task).tokens}
        practised = {tokens.tobytes() for tokens in exercises.of(task).tokens}
        assert len(practised) == 16 and practised.isdisjoint(asked)
    for task in ("hypernym", "chains"):
        for tokens, answer in zip(exercises.of(task).tokens, exercises.of(task).answer, strict=True):
            assert not occurs(tokens[1 : np.flatnonzero(answer)[-1] + 1], corpus.train)


def test_facts_asked_are_in_training(corpus):
    training_texts = set(texts_of(corpus, corpus.train))
    hits = [prompt + answer in training_texts for prompt, answer in asked(corpus, "facts")]
    assert np.mean(hits) > 0.9  # the rarest may not have been drawn
    counts = [sum(text == p + a for text in texts_of(corpus, corpus.train)) for p, a in asked(corpus, "facts")]
    assert max(counts) > 10 * max(1, min(counts))


def test_held_out_documents_are_not_in_training(corpus):
    train, held_out = set(texts_of(corpus, corpus.train)), texts_of(corpus, corpus.held_out)
    assert len(held_out) == len(set(held_out))
    assert train.isdisjoint(held_out)
    assert not any(map(task_of, held_out))
    real = sum(not task_of(text) for text in texts_of(corpus, corpus.train))
    assert len(held_out) / (real + len(held_out)) == pytest.approx(corpus.settings.held_out, abs=0.001)


def test_text_questions_come_from_held_out_documents(corpus):
    held_out = texts_of(corpus, corpus.held_out)
    for task in ON_TEXT:
        for prompt, answer in asked(corpus, task):
            assert any(prompt + answer in text for text in held_out), prompt + answer


def test_formats_asked_are_in_training(corpus):
    texts = texts_of(corpus, corpus.train)
    counts = {task: sum(task_of(text) == task for text in texts) for task in MADE_UP}
    assert min(counts.values()) > 100
    assert sum(" = " in text for text in texts) > 100
    assert sum("is a kind of" in text for text in texts) > 100


@pytest.mark.parametrize("scored", [1, 2, 4])
def test_answers_on_text_are_scored_at_their_end(corpus, scored):
    """So many tokens of the answer, never its first; an answer that is too short is not asked."""
    tokenizer = Tokenizer(corpus.tokenizer)
    for last in ("jerusalem", "the"):  # many tokens, and one
        text = f"a town that they went away to = {last}"
        document = Document(text, task="headword", start=len(text) - len(last) - 1, end=len(text))
        word, _ = tokenizer.encode_at(text[document.start :])
        row = ask(document, tokenizer, 64, scored)
        if len(word) <= scored:
            assert row is None
            continue
        assert row is not None
        tokens, answer = row
        assert np.array_equal(tokens[answer], word[-scored:])
        shown = tokenizer.decode(tokens[: np.argmax(answer)])
        assert shown == text[: document.start] + tokenizer.decode(word[:-scored])


def test_long_prompts_lose_whole_clauses(corpus):
    tokenizer = Tokenizer(corpus.tokenizer)
    document = text_tasks.verse("and ann said, " * 30 + "and una went unto london")
    row = ask(document, tokenizer, 64, 4)
    assert row is not None
    assert tokenizer.decode(row[0]).startswith("and ")
    assert row[1].any()
    endless = Document("and ann said " * 40 + "jerusalem.", task="verse_end", start=519, end=529)
    assert ask(endless, tokenizer, 64, 1) is None


def test_the_made_up_share_is_as_stated(corpus):
    tokens: dict[str, int] = dict.fromkeys(("", *MADE_UP), 0)
    lengths = np.diff(np.append(np.flatnonzero(corpus.train == SEPARATOR), len(corpus.train)))
    for text, length in zip(texts_of(corpus, corpus.train), lengths, strict=True):
        tokens[task_of(text)] += length
    assert 1 - tokens[""] / len(corpus.train) == pytest.approx(corpus.settings.synthetic_share, abs=0.002)
    for task in MADE_UP:
        assert tokens[task] / len(corpus.train) == pytest.approx(corpus.settings.synthetic_share / 5, abs=0.001)


def test_documents_are_mixed(corpus):
    synthetic = np.array([bool(task_of(text)) for text in texts_of(corpus, corpus.train)])
    halves = [half.mean() for half in np.array_split(synthetic, 4)]
    assert max(halves) - min(halves) < 0.1


def test_the_seed_decides_everything(corpus):
    assert tiny(0).digest == corpus.digest
    assert tiny(1).digest != corpus.digest
    for name, value in (
        ("questions_per_task", 15),
        ("held_out", 0.12),
        ("synthetic_share", 0.25),
        ("facts", 50),
        ("codes", 50),
        ("rules", 30),
        ("maps", 15),
        ("highest", 29),
        ("scored", 3),
    ):
        assert tiny(0, dataclasses.replace(SMALL, **{name: value})).digest != corpus.digest
    assert dataclasses.replace(corpus, seed=1).digest != corpus.digest


def test_save_and_load(corpus, tmp_path):
    path = tmp_path / "new" / "corpus.npz"
    corpus.save(path)
    again = Corpus.load(path)
    assert again.digest == corpus.digest
    assert again.settings == corpus.settings
    assert again.questions.tasks == corpus.questions.tasks
    assert np.array_equal(again.train, corpus.train)
    assert np.array_equal(again.questions.answer, corpus.questions.answer)
    assert [file.name for file in path.parent.iterdir()] == ["corpus.npz"]
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["train"][5] += 1
    np.savez(path, allow_pickle=False, **arrays)
    with pytest.raises(CorpusError, match=r"corpus\.npz: found digest .* its content was changed"):
        Corpus.load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"none\.npz: there is no such file"):
        Corpus.load(tmp_path / "none.npz")
    for name, data in (("empty.npz", b""), ("text.npz", b"not a corpus"), ("zip.npz", b"PK\x03\x04 cut off")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CorpusError, match=rf"{name}: found another file \("):
            Corpus.load(tmp_path / name)
    np.savez(tmp_path / "other.npz", allow_pickle=False, train=np.arange(3))
    with pytest.raises(CorpusError, match=r"other\.npz: found another file"):
        Corpus.load(tmp_path / "other.npz")


def test_settings_are_checked():
    with pytest.raises(CorpusError, match=r"found held_out=1\.5, expected a share above 0 and below 1"):
        Settings(held_out=1.5)
    with pytest.raises(CorpusError, match="found context=0, expected a whole number from 1"):
        Settings(context=0)
    with pytest.raises(CorpusError, match="found facts=10, expected from 32"):
        tiny(0, dataclasses.replace(SMALL, facts=10))


def test_a_folder_of_text(tmp_path, corpus):
    real = [text for text in texts_of(corpus, corpus.train) if not task_of(text)]
    (tmp_path / "below").mkdir()
    (tmp_path / "one.txt").write_bytes(b"\xef\xbb\xbf" + "\n\n".join(real[:700]).encode())
    (tmp_path / "below" / "two.txt").write_text("\r\n \r\n".join(real[700:]).upper(), newline="")
    loaded = from_folder(tmp_path, SMALL, 3)
    assert loaded.questions.tasks == ("sentence_end", *MADE_UP)
    read = texts_of(loaded, loaded.train) + texts_of(loaded, loaded.held_out)
    assert {text for text in read if not task_of(text)} == set(real)
    with pytest.raises(CorpusError, match=r"found \d+ questions for task 'sentence_end' in \d+ held-out documents"):
        from_folder(tmp_path, dataclasses.replace(SMALL, held_out=0.001), 3)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(CorpusError, match=r"found no file whose name ends with \.txt"):
        from_folder(tmp_path, SMALL, 0)
    path = tmp_path / "bad.txt"
    path.write_bytes(b"good \xff text")
    with pytest.raises(CorpusError, match=r"bad\.txt: found byte 0xff at offset 5, expected text in UTF-8"):
        from_folder(tmp_path, SMALL, 0)
    path.write_bytes(b"\xef\xbb\xbfgood \xff text")
    with pytest.raises(CorpusError, match=r"byte 0xff at offset 8"):
        from_folder(tmp_path, SMALL, 0)
    path.write_text("too little text.")
    with pytest.raises(CorpusError, match="expected 256: more text is needed"):
        from_folder(tmp_path, SMALL, 0)
