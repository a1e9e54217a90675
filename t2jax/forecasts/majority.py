"""maj@k: the chance that the most frequent of k sampled answers is right, from the answers of each question."""

from collections import Counter
from collections.abc import Sequence
from math import comb

import numpy as np

MOST = 1000
"""Largest number of samples of a question: beyond it the binomials leave float64."""
NO_ANSWER = ""


def majority_at_k(answers: Sequence[str], right: Sequence[bool], k: int) -> float:
    """Computes the chance that the most frequent answer of k samples, drawn without replacement, is right.

    Ties are broken at random. A sample without an answer casts no vote. The sum over all subsets of k samples is exact
    up to rounding. For each right answer and each number t of its votes, it counts the subsets in which every other
    answer has at most t votes. Source: Wang et al. 2022 (2203.11171) for the vote.

    Args:
        answers: The answer of each sample, shape (samples,); empty for a sample without one.
        right: Whether each sample is right, shape (samples,). Equal answers must agree.
        k: Number of samples that vote, from 1 to the number of samples.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: k is out of range, there are more than 1,000 samples, lengths differ, or an answer is both right
            and wrong.

    Examples:
        >>> round(t2.forecasts.majority_at_k(["4", "4", "4", "7"], [True, True, True, False], 2), 3)
        0.75
    """
    n = len(answers)
    if len(right) != n or not 1 <= k <= n or n > MOST:
        raise ValueError(f"found k = {k}, {n} answers and {len(right)} verdicts, expected 1 <= k <= n <= {MOST}")
    votes = Counter(answers)
    verdicts: dict[str, bool] = {}
    for answer, verdict in zip(answers, right, strict=True):
        if verdicts.setdefault(answer, bool(verdict)) != bool(verdict):
            raise ValueError(f"found the answer {answer[:60]!r} both right and wrong, expected equal answers to agree")
    silent = votes.pop(NO_ANSWER, 0)
    if verdicts.get(NO_ANSWER):
        raise ValueError("found a right sample without an answer, expected an answer in each right sample")
    if k == n:  # there is one subset only
        most = max(votes.values(), default=0)
        winners = [verdicts[answer] for answer, count in votes.items() if count == most]
        return sum(winners) / len(winners) if winners else 0.0
    total = sum(
        comb(count, t) * _ways(k - t, t, [other for name, other in votes.items() if name != answer], silent)
        for answer, count in votes.items()
        if verdicts[answer]
        for t in range(1, min(count, k) + 1)
    )
    return min(float(total / comb(n, k)), 1.0)


def _ways(size: int, most: int, others: Sequence[int], silent: int) -> float:
    """Sums over choices of `size` samples of other answers, with at most `most` of each, 1 / (1 + answers with `most`).

    Samples without an answer may be any number of them.
    """
    ties = size // most
    ways = np.zeros((ties + 1, size + 1))  # by the number of answers with `most` votes, and by the samples chosen
    ways[0] = [float(comb(silent, chosen)) for chosen in range(size + 1)]
    for count in others:
        below = np.array([float(comb(count, votes)) for votes in range(min(most - 1, count, size) + 1)])
        longer = np.stack([np.convolve(row, below)[: size + 1] for row in ways])
        if count >= most and ties:
            longer[1:, most:] += float(comb(count, most)) * ways[:-1, : size + 1 - most]
        ways = longer
    return float(np.sum(ways[:, size] / (1 + np.arange(ties + 1))))
