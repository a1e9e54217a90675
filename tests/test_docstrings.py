"""Docstrings: complete for every public name, short sentences everywhere, and examples that print what they show."""

import doctest
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import t2jax as t2
from tests.helpers import public_api
from tests.helpers.public_api import has_example, lacks

NAMES = {documented.name: documented for documented in public_api.public_names()}
METHODS = {documented.name: documented for documented in public_api.public_methods()}


@cache
def namespace() -> dict[str, Any]:
    """What every example may use, as `docs/api/index.md` shows it."""
    law = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    params, tokens = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 4))
    places: Any = {"params": params.ravel(), "tokens": tokens.ravel()}
    runs = t2.Table.from_columns(**places, loss=law.predict(places))
    fit = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0))
    return {"jax": jax, "jnp": jnp, "np": np, "t2": t2, "law": law, "runs": runs, "fit": fit}


@pytest.mark.parametrize("name", [*NAMES, *METHODS])
def test_docstring_names_arguments_result_and_errors(name):
    assert lacks((NAMES | METHODS)[name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_example_prints_what_it_shows(name):
    assert has_example(NAMES[name])
    parsed = doctest.DocTestParser().get_doctest(NAMES[name].docstring, dict(namespace()), name, None, None)
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed, out=failures.append)
    assert not failures, "".join(failures)


def test_sentences_are_short():
    offences = [
        f"{place}: {sentence}"
        for place, text in public_api.docstrings_of_files()
        for sentence in public_api.long_sentences(text)
    ]
    assert not offences, "\n".join(offences)
