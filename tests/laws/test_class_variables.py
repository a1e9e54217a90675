"""Class variables of a law are told from parameters however their annotations are written."""

import importlib.util
import sys

import pytest

import t2jax as t2

MODULE = '''
{future}
import typing
import typing as t
from typing import ClassVar
from typing import ClassVar as Shared

import t2jax as t2
from numpyro.distributions import LogNormal


@t2.law
class PowerLaw(t2.Law):
    """L(N) = E + N^-alpha."""

    E: float = t2.param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
    alpha: float = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    notes: {annotation} = {{"source": "none"}}

    def __call__(self, N):
        return self.E + N**-self.alpha
'''
SPELLINGS = (
    *("ClassVar", "ClassVar[dict]", "typing.ClassVar", "typing.ClassVar[dict[str, str]]", "t.ClassVar[dict]"),
    *("Shared[dict]", '"ClassVar"', '"ClassVar[dict]"', '"t.ClassVar[dict]"'),
)


@pytest.mark.parametrize("annotation", SPELLINGS)
@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
@pytest.mark.parametrize("imported", [True, False])
def test_class_variables_are_no_parameters(tmp_path, monkeypatch, annotation, future, imported):
    path = tmp_path / "written_law.py"
    path.write_text(MODULE.format(annotation=annotation, future=future), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_law", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if imported:  # a module that is only run, as notebooks do, is not among Python's modules
        monkeypatch.setitem(sys.modules, "written_law", module)
    if not imported and ("Shared" in annotation and (future or '"' in annotation)):
        pytest.skip("nothing says what a name of such a module means")
    spec.loader.exec_module(module)
    assert tuple(module.PowerLaw.declared()) == ("E", "alpha")
    assert module.PowerLaw.notes == {"source": "none"}
    assert float(module.PowerLaw(E=2.0, alpha=0.5)(4.0)) == 2.5


@pytest.mark.parametrize("given", [type("Plain", (), {}), lambda N: N])
def test_the_decorator_is_for_laws(given):
    with pytest.raises(TypeError, match=r"@law is for classes of laws: write class (Plain|<lambda>)\(t2.Law\)"):
        t2.law(given)
