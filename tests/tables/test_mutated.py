"""600 tables with one or two mistakes: each is refused in one sentence or read, and few that are read are nonsense."""

from collections import Counter

import numpy as np
import pytest

from experiments.shared.mutated_tables import HEADER, attempts

TABLES = 600


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    return attempts(tmp_path_factory.mktemp("mutated") / "runs.csv", TABLES, seed=0)


def test_each_is_read_or_refused_in_one_sentence(tried):
    """Any other exception fails the fixture."""
    for attempt in tried:
        if attempt.table is None:
            refusal = attempt.refusal
            assert "\n" not in refusal and "runs.csv" in refusal and len(refusal) < 700, attempt.data
        else:
            for name in (name for name in HEADER if name in attempt.table):
                numbers = attempt.table[name]
                assert np.all(np.isfinite(numbers)) and np.all(numbers > 0), attempt.data


def test_few_that_are_read_are_nonsense(tried):
    """Nonsense is a row that differs from every true one by more than a factor of two.

    The one that is left has ten times fewer tokens than it should, and a note asks about their fractions.
    """
    kinds = Counter(attempt.kind for attempt in tried)
    assert kinds["right"] > 75 and kinds["doubted"] <= 1 and kinds["nonsense"] == 0
