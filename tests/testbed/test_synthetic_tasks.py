"""The testbed's made-up tasks: right answers, skills of Zipf frequency, and questions apart from exercises."""

import numpy as np
import pytest

from t2jax.testbed.text.questions import Document
from t2jax.testbed.text.synthetic_tasks import Reasoning, Recall, chains, codes, facts, sums, walks


def answers(document: Document) -> list[str]:
    return [document.text[start:end].strip() for start, end in document.spans]


def zipf_error(counts: np.ndarray) -> float:
    """The largest deviation of counts by rank from their expectation under 1/r, in standard errors of a binomial."""
    expected = 1 / np.arange(1, len(counts) + 1)
    share, total = expected / expected.sum(), counts.sum()
    return float(np.max(np.abs(counts - total * share) / np.sqrt(total * share * (1 - share))))


def test_statements_recur_by_zipfs_law():
    rng = np.random.default_rng(0)
    task = Recall.drawn("codes", codes(rng), 50, 20, 10, rng)
    place = {document.text: rank for rank, document in enumerate(task.documents)}
    counts = np.bincount([place[document.text] for document in task.training(20_000, rng)], minlength=50)
    assert zipf_error(counts) < 4
    assert len(answers(task.documents[0])[0].split()) == 6


def test_what_is_asked_runs_from_common_to_rare_and_is_not_practised():
    rng = np.random.default_rng(0)
    task = Recall.drawn("facts", facts(rng), 2000, 100, 50, rng)
    asked = [task.documents.index(question) for question in task.questions]
    practised = [task.documents.index(exercise) for exercise in task.exercises]
    assert (len(asked), len(practised)) == (100, 50) and set(asked).isdisjoint(practised)
    assert min(asked + practised) == 0 and max(asked + practised) == 1999
    assert 50 < np.median(asked) < 250  # evenly in the logarithm it would be 45, but low ranks are too few
    with pytest.raises(ValueError, match=r"found facts=100, expected from 150 \(questions and exercises\) to 7800"):
        Recall.drawn("facts", facts(rng), 100, 100, 50, rng)


def test_rules_are_permutations_of_zipf_frequency():
    """Every rule maps each digit to one digit, no two to the same; the name of rank r is seen 1/r as often."""
    rng = np.random.default_rng(0)
    seen: dict[str, dict[int, int]] = {}
    counts: dict[str, int] = {}
    for document in chains(8, rng)(2000, rng):
        _, value, *steps = document.text.removesuffix(".").split()
        assert answers(document) == steps[1::2]
        for name, result in zip(steps[::2], steps[1::2], strict=True):
            assert seen.setdefault(name, {}).setdefault(int(value), int(result)) == int(result)
            counts[name] = counts.get(name, 0) + 1
            value = result
    assert len(seen) == 8 and all(sorted(rule.values()) == list(range(10)) for rule in seen.values())
    assert zipf_error(-np.sort(-np.array(list(counts.values())))) < 5


def test_maps_lead_from_every_place_to_one_place():
    rng = np.random.default_rng(0)
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for document in walks(4, rng)(2000, rng):
        _, name, _, place, *steps = document.text.removesuffix(".").split()
        for way, after in zip(steps[::2], steps[1::2], strict=True):
            assert seen.setdefault((name, way), {}).setdefault(place, after) == after
            place = after
        assert answers(document) == steps[1::2]
    assert len(seen) == 16 and all(sorted(way.values()) == list("abcdefgh") for way in seen.values())


def test_sums_are_right():
    rng = np.random.default_rng(0)
    for document in sums(29, rng)(300, rng):
        _, total, *steps = document.text.removesuffix(".").split()
        for sign, step, equals, result in zip(*(steps[i::4] for i in range(4)), strict=True):
            assert equals == "=" and int(result) == min(29, max(10, int(total) + int(sign + step)))
            total = result
        assert answers(document) == steps[3::4]


def test_reasoning_is_asked_once_and_never_read():
    rng = np.random.default_rng(0)
    task = Reasoning.drawn("chains", chains(2, rng), 60, 40, rng)
    asked, practised = ({document.text for document in part} for part in (task.questions, task.exercises))
    assert (len(asked), len(practised)) == (60, 40) and asked.isdisjoint(practised)
    read = {document.text for document in task.training(5000, rng)}
    assert len(read) > 300 and read.isdisjoint(asked | practised)
    with pytest.raises(ValueError, match=r"task 'chains': found \d+ different .* ask fewer questions_per_task"):
        Reasoning.drawn("chains", chains(1, rng), 60, 40, rng)
