"""Broken result files give one sentence, or exactly what they gave before: never a traceback, never another count."""

from experiments.shared.mutated_results import try_mutations

TRIED = 240  # `python -m experiments.checks.doors` tries 2,000


def test_broken_files_are_refused_or_give_what_they_gave(tmp_path):
    outcomes = try_mutations(tmp_path, TRIED, seed=0)
    assert not outcomes.wrong, "\n".join(outcomes.wrong)
    refused = outcomes.refused.total()
    assert refused + outcomes.unchanged.total() == TRIED and refused > TRIED // 2
