"""What rows determine of parameters that they leave open, and which to hold so that the others are determined."""

import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.frames import sum_frame
from t2jax.tables.table import Table


def remedy(law: Law, table: Table, flat: tuple[str, ...]) -> str:
    """A sentence on terms that only their sum tells apart, as E + A/N^alpha at one N; empty where that is not so.

    law: the fitted law, whose sum is the one that the rows determine. flat: the parameters whose values are arbitrary.
    """
    inputs = {of: table[column] for of, column in type(law).columns().items() if column in table}
    found = sum_frame(type(law), inputs) if set(inputs) >= type(law).needed() else None
    if found is None:
        return ""
    declared, said = law.declared(), []
    for group in found.groups:
        exponents = [exponent for name in group for _, exponent in declared[name].power]
        if not set(flat) & set(group) or set(flat) - {*group, *exponents}:
            continue
        first, *others = group
        values = law.values() | dict.fromkeys(set(law.linear) - set(group), 0.0)
        total = float(np.asarray(type(law)(**values)(**found.inputs)))
        held = [f"{name}=0" for name in others]
        held += [f"{exponent}={declared[exponent].median():.1g}" for exponent in dict.fromkeys(exponents)]
        terms = [name + "".join(f"/{of}^{exponent}" for of, exponent in declared[name].power) for name in group]
        said.append(
            f"of these terms they determine only the sum, {' + '.join(terms)} = {total:.5g}; "
            f"to have it as {first}, hold the others: --fixed {' '.join(held)}"
        )
    return "; ".join(said)
