"""Declared parameters: mistakes in declaring them, and the centred coordinates that fits work in."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Beta, HalfNormal, LogNormal, Normal, Uniform
from scipy import stats

import t2jax as t2
from t2jax.laws import priors
from t2jax.laws.coordinates import Coordinates
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import Param
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.typing import Scalar
from tests.helpers.laws import LAWS
from tests.helpers.tables import count_compilations

CENTRE = {"N": 18.5, "D": 23.25, "k": 3.0, "compute": 44.0, "total_params": 20.0}
every = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def coordinates(law: type[t2.Law], fixed: Any = None, centre: Any = CENTRE) -> Coordinates:
    return Coordinates(tuple(law.declared().items()), fixed or {}, centre)


def random_values(law: type[t2.Law], seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {name: float(parameter.prior.icdf(rng.uniform(0.05, 0.95))) for name, parameter in law.declared().items()}


@every
@pytest.mark.parametrize("places", [(), (0,), (1, -1), (0, -2)], ids=str)
def test_to_the_real_line_and_back(law, places):
    fixed = {list(law.declared())[i] for i in places}
    for seed in range(3):
        values = random_values(law, seed)
        there = coordinates(law, {name: values[name] for name in fixed})
        assert there.free == tuple(name for name in law.declared() if name not in fixed)
        u = there.unconstrain(values)
        assert u.shape == (len(there.free),) and u.dtype == np.float64 and np.all(np.isfinite(u))
        back = there.values(u)
        assert list(back) == list(values)
        np.testing.assert_allclose(list(back.values()), list(values.values()), rtol=1e-12)
        assert all(float(back[name]) == values[name] for name in fixed)
        np.testing.assert_allclose(there.unconstrain(back), u, rtol=1e-12, atol=1e-12)


def test_centred_coordinate_is_the_log_of_the_term_at_the_centre():
    values = {"E": 1.8, "A": 482.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37, "G": 0.7, "gamma": 0.2}
    u = dict(zip(T2Loss.declared(), coordinates(T2Loss).unconstrain(values), strict=True))
    for name, exponent, log_centre in (("A", "alpha", 18.5), ("B", "beta", 23.25), ("G", "gamma", 3.0)):
        assert u[name] == pytest.approx(np.log(values[name]) - values[exponent] * log_centre, rel=1e-12)
    for name in ("E", "alpha", "beta", "gamma"):
        assert u[name] == pytest.approx(np.log(values[name]), rel=1e-12)
    plain = coordinates(Chinchilla, centre={}).unconstrain(values)
    np.testing.assert_allclose(plain, np.log([values[name] for name in Chinchilla.declared()]), rtol=1e-12)


@every
def test_centring_keeps_volume(law):
    """Centring is a shear: the Jacobian from centred to plain coordinates has determinant one."""
    centred, plain = coordinates(law), coordinates(law, centre={})
    u = centred.unconstrain(random_values(law, 7))
    jacobian = jax.jacfwd(lambda u: plain.unconstrain(centred.values(u)))(u)
    assert np.linalg.det(jacobian) == pytest.approx(1.0, rel=1e-9)
    moved = np.max(np.abs(np.asarray(jacobian) - np.eye(len(u))))
    assert moved > 1.0 if any(parameter.power for parameter in law.declared().values()) else moved < 1e-12


def test_quantiles_of_any_prior():
    """NumPyro has those of a Beta only with another library, and of some none: they come from draws."""
    shares = np.array([0.05, 0.5, 0.95])
    for prior, exact in ((Normal(1.0, 2.0), stats.norm(1.0, 2.0)), (Beta(2.0, 5.0), stats.beta(2, 5))):
        parameter = Param(prior, unit="1", doc="any")
        np.testing.assert_allclose(parameter.quantiles(shares), exact.ppf(shares), rtol=0.03)
        assert parameter.median() == pytest.approx(exact.median(), rel=0.02)


@pytest.mark.parametrize(
    ("prior", "numpyro"),
    [
        (priors.Normal(1.0, 2.0), Normal(1.0, 2.0)),
        (priors.LogNormal(0.5, 2.0), LogNormal(0.5, 2.0)),
        (priors.HalfNormal(3.0), HalfNormal(3.0)),
        (priors.Uniform(-1.0, 4.0), Uniform(-1.0, 4.0)),
    ],
)
def test_priors_without_numpyro_are_those_of_numpyro(prior, numpyro):
    """Family, numbers, domain, quantiles and coordinates; and of a wide batch of shares, ends included."""
    ours, theirs = Param(prior, unit="1", doc="any"), Param(numpyro, unit="1", doc="any")
    assert type(ours.prior) is type(numpyro) and priors.plain(numpyro) == prior
    value = ours.median()
    assert ours.prior.log_prob(value) == theirs.prior.log_prob(value)
    support = numpyro.support
    ends = getattr(support, "lower_bound", -np.inf), getattr(support, "upper_bound", np.inf)
    assert ours.domain == theirs.domain == ends
    shares = np.linspace(0.0, 1.0, 7)
    np.testing.assert_allclose(ours.quantiles(shares), np.asarray(numpyro.icdf(shares)), rtol=1e-12, atol=1e-15)
    assert ours.coordinate(value) == pytest.approx(float(theirs.unconstrain(value)), rel=1e-14, abs=1e-14)


def test_subclasses_and_batches_of_priors_are_not_plain():
    class Shifted(Normal):
        pass

    assert priors.plain(Shifted(1.0, 2.0)) is None and priors.plain(Normal(np.zeros(2), 1.0)) is None


@pytest.mark.parametrize(
    ("prior", "exact"),
    [
        (Normal(1.0, 2.0), stats.norm(1.0, 2.0)),
        (LogNormal(0.5, 2.0), stats.lognorm(2.0, scale=np.exp(0.5))),
        (HalfNormal(3.0), stats.halfnorm(scale=3.0)),
        (Uniform(-1.0, 4.0), stats.uniform(-1.0, 5.0)),
    ],
)
def test_quantiles_of_the_usual_priors_are_exact_and_compile_nothing(prior, exact):
    parameter, shares = Param(prior, unit="1", doc="any"), np.array([1e-6, 0.05, 0.5, 0.95])
    with count_compilations() as count:
        np.testing.assert_allclose(parameter.quantiles(shares), exact.ppf(shares), rtol=1e-12)
        assert parameter.median() == pytest.approx(exact.median(), rel=1e-14)
    assert count() == 0


def test_constraining_follows_the_support_of_the_prior():
    for prior, u, value in ((LogNormal(0.0, 1.0), -2.0, np.exp(-2.0)), (Normal(0.0, 1.0), -2.0, -2.0)):
        parameter = t2.param(prior, unit="1", doc="a number")
        assert parameter.constrain(u) == pytest.approx(value, rel=1e-14)
        assert parameter.unconstrain(value) == pytest.approx(u, rel=1e-14)
    share = t2.param(Uniform(0.0, 1.0), unit="1", doc="a share")
    assert share.constrain(1.5) == pytest.approx(1 / (1 + np.exp(-1.5)), rel=1e-14)
    assert 0 < share.constrain(-30.0) < share.constrain(30.0) < 1


def test_domain_is_the_support_of_the_prior():
    declared = T2PassK.declared()
    assert declared["theta2"].domain == (0.0, 1.0) and declared["theta2"].edge == (0.0, 1.0, 1e-6)
    assert declared["E"].edge is not None
    low, high, near = declared["E"].edge  # the median of LogNormal(0, 1) is 1
    assert declared["E"].domain == (low, high) == (0.0, np.inf) and near == pytest.approx(1e-9)
    assert declared["theta0"].domain == (-np.inf, np.inf) and declared["theta0"].edge is None


def test_declarations_say_what_they_are():
    for law in t2.laws.ALL:
        for name, parameter in law.declared().items():
            assert isinstance(parameter, Param) and parameter.unit and parameter.doc, f"{law.__name__}.{name}"
            assert all(of in law.inputs() and exponent in law.declared() for of, exponent in parameter.power)
    assert T2Loss.declared()["G"].power == (("k", "gamma"),) and T2Loss.declared()["E"].power == ()


def test_works_in_float32():
    with jax.enable_x64(False):
        values = random_values(Chinchilla, 1)
        there = coordinates(Chinchilla)
        back = there.values(there.unconstrain(values))
        assert all(value.dtype == jnp.float32 for value in back.values())
        np.testing.assert_allclose(list(back.values()), list(values.values()), rtol=1e-4)


def test_a_mistaken_law_is_told_what_is_wrong():
    def prior():
        return LogNormal(0.0, 1.0)

    with pytest.raises(TypeError, match=r"^Bare\.A has no prior: declare it as A: Scalar = t2\.param"):

        @t2.law
        class Bare(t2.Law):
            A: Scalar

    with pytest.raises(TypeError, match=r"^Dangling\.A multiplies N\^-alpha, which the law lacks$"):

        @t2.law
        class Dangling(t2.Law):
            A: Scalar = t2.coefficient(prior(), unit="1", doc="size", of="N", exponent="alpha")

            def __call__(self, N, D):
                return self.A / N / D

    with pytest.raises(TypeError, match=r"^Curved names 'B' in linear or gauge, which is no parameter of it$"):

        @t2.law
        class Curved(t2.Law):
            A: Scalar = t2.param(prior(), unit="1", doc="size")
            linear: ClassVar[tuple[str, ...]] = ("A", "B")

            def __call__(self, N, D):
                return self.A / N / D

    with pytest.raises(TypeError, match=r"the prior of a parameter must be a NumPyro distribution, not 3.0.*'size'"):
        t2.param(3.0, unit="1", doc="size")  # pyright: ignore[reportArgumentType]
    table = t2.Table.from_columns(params=[1e7, 1e8], tokens=[1e9, 1e10], loss=[3.0, 2.0])
    with pytest.raises(t2.TableError, match="column 'samples', needed by T2Loss, is missing"):
        t2.fit(T2Loss, table.with_columns(neg_log_pass=[1.0, 2.0]), key=jax.random.key(0))

    @t2.law
    class Widened(t2.Law):
        A: Scalar = t2.param(prior(), unit="1", doc="size")

        def __call__(self, N, D, width):
            return self.A * width / N / D

    with pytest.raises(t2.TableError, match="column 'width', needed by Widened, is missing"):
        t2.fit(Widened, table, key=jax.random.key(0))
