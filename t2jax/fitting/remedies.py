"""Sums of terms that the rows determine together, and which parameters to fix so that the others are determined."""

import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.frames import sum_frame
from t2jax.tables.table import Table


def remedy(law: Law, table: Table, flat: tuple[str, ...]) -> str:
    """Writes a sentence on terms that the rows determine only as a sum, such as E + A/N^alpha at one N.

    Args:
        law: The fitted law, whose sum is the one that the rows determine.
        table: The table.
        flat: Parameters whose values are arbitrary.

    Returns:
        The sentence, or an empty text where no such terms exist.
    """
    inputs = {of: table[column] for of, column in type(law).columns().items() if column in table}
    frame = sum_frame(type(law), inputs) if set(inputs) >= type(law).needed() else None
    if frame is None:
        return ""
    declared, sentences = law.declared(), []
    for group in frame.groups:
        exponents = [exponent for name in group for _, exponent in declared[name].power]
        if not set(flat) & set(group) or set(flat) - {*group, *exponents}:
            continue
        first, *others = group
        values = law.values() | dict.fromkeys(set(law.linear) - set(group), 0.0)
        total = float(np.asarray(type(law)(**values)(**frame.inputs)))
        fixed = [f"{name}=0" for name in others]
        fixed += [f"{exponent}={declared[exponent].median():.1g}" for exponent in dict.fromkeys(exponents)]
        terms = [name + "".join(f"/{of}^{exponent}" for of, exponent in declared[name].power) for name in group]
        sentences.append(
            f"of these terms they determine only the sum, {' + '.join(terms)} = {total:.5g}; "
            f"to fit it as {first} alone, fix the others: --fixed {' '.join(fixed)}"
        )
    return "; ".join(sentences)
