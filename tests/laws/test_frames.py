"""Frames, in which chains and fits move where rows determine some parameters only together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal, Uniform

import t2jax as t2
from t2jax.laws.coordinates import Coordinates
from t2jax.laws.frames import SumFrame, sum_frame
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.loss.interaction import Interaction
from t2jax.laws.loss.overtraining import Overtraining
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.posterior.density import density
from t2jax.typing import Scalar

KEY = jax.random.key(0)
CENTRE = {"N": 18.5, "D": 23.25, "k": 3.0}
CONSTANT = {
    "one D": (Chinchilla, ("D",), {}, (("E", "B"),)),
    "one N": (Chinchilla, ("N",), {}, (("E", "A"),)),
    "one N and D": (Chinchilla, ("N", "D"), {}, (("E", "A", "B"),)),
    "E held": (Chinchilla, ("N", "D"), {"E": 1.5}, (("E", "A", "B"),)),
    "B held": (Chinchilla, ("D",), {"B": 400.0}, (("E", "B"),)),
    "a product": (Interaction, ("D",), {}, (("E", "B"), ("A", "F"))),
    "one D and k": (T2Loss, ("D", "k"), {}, (("E", "B", "G"),)),
}


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def assert_undone_with_its_volume(coordinates, u):
    """There and back from u, and log |det ∂values/∂u| by autodiff."""
    np.testing.assert_allclose(coordinates.unconstrain(coordinates.values(u)), u, atol=1e-12)
    matrix = jax.jit(jax.jacfwd(coordinates.values))(u)
    volume = np.linalg.slogdet(np.stack([matrix[name] for name in coordinates.free]))[1]
    np.testing.assert_allclose(sum(coordinates.log_slopes(u).values(), coordinates.frame_volume(u)), volume, rtol=1e-12)


@pytest.mark.parametrize("fixed", [{}, {"E": 0.0, "theta1": 1.0}, {"theta2": 0.4}, {"theta0": 1.0}], ids=str)
def test_a_frame_is_undone_and_counts_its_volume(fixed):
    """There and back, and log |det| by autodiff, with all or some of the parameters that the frame of T2PassK moves."""
    frame = T2PassK.frame({"N": np.array([1e8, 1e9]), "D": np.array([1e10, 1e11])})
    coordinates = Coordinates(tuple(T2PassK.declared().items()), fixed, CENTRE, frame)
    u = jnp.linspace(-0.5, 0.7, len(coordinates.free))
    assert_undone_with_its_volume(coordinates, u)
    # the stand-in of θ0 is the logit of the mean success at the largest sizes
    if not {"theta0", "theta2"} & set(fixed):
        a, b = T2PassK(**coordinates.values(u)).questions(1e9, 1e11)
        assert float(jnp.log(a / b)) == pytest.approx(float(u[coordinates.free.index("theta0")]), rel=1e-10)


@pytest.mark.parametrize("case", CONSTANT)
def test_a_level_is_undone_and_counts_its_volume(case):
    """There and back, and log |det| by autodiff; the first of a group stands for the sum of its terms."""
    law, same, fixed, groups = CONSTANT[case]
    spread = {of: np.exp(CENTRE[of]) * np.array([0.1, 1.0, 30.0]) for of in law.inputs()}
    frame = sum_frame(law, spread | {of: np.exp(CENTRE[of]) * np.array([1.0, 0.999, 1.001]) for of in same})
    assert frame is not None and frame.groups == groups
    coordinates = Coordinates(tuple(law.declared().items()), fixed, CENTRE, frame)
    assert_undone_with_its_volume(coordinates, jnp.linspace(-0.5, 0.7, len(coordinates.free)))


def test_what_stands_for_e_at_one_length_is_all_that_the_rows_know():
    """E + B/D^β at D = 10¹⁰ is e^u, whatever the coordinates of B and β; where both inputs vary there is no frame."""
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
    target, _ = density(Chinchilla, table, None, {}, {})
    at = {name: i for i, name in enumerate(target.names)}
    for move in (0.0, 1.5, -4.0):
        u = jnp.zeros(len(at)).at[at["E"]].set(0.7).at[at["B"]].set(move).at[at["beta"]].set(-1 + move / 8)
        law, _ = target.split(u)
        assert isinstance(law, Chinchilla)
        assert float(law.E + law.B / 1e10**law.beta) == pytest.approx(np.exp(0.7), rel=1e-12)
        assert float(law.B / 1e10**law.beta / law.E) == pytest.approx(np.exp(move), rel=1e-12)
    both = table.with_columns(tokens=[1e9, 1e10, 1e11])
    assert density(Chinchilla, both, None, {}, {})[0].coordinates.frame is None


def test_the_sum_is_of_the_law_s_own_terms():
    """Overtraining's b is multiplied by 6^-η too: at one D, what stands for E is the loss without the size term."""
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
    target, _ = density(Overtraining, table, None, {}, {})
    for move in (0.0, 1.5):
        u = jnp.full(len(target.names), move).at[target.names.index("E")].set(0.7)
        law, _ = target.split(u)
        assert isinstance(law, Overtraining)
        assert float(law.E + law.b * 6**-law.eta * 1e10 ** (-2 * law.eta)) == pytest.approx(np.exp(0.7), rel=1e-12)


def test_losses_without_samples_are_of_one_sample():
    """E + G·1^-γ is one level, with the column of ones and without it; lengths a thousandth apart are one length."""
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=[1e9, 4e9, 2e10], loss=[3.4, 2.9, 2.6])
    for measured in (table, table.with_columns(samples=1.0)):
        frame = density(T2Loss, measured, None, {}, {})[0].coordinates.frame
        assert isinstance(frame, SumFrame) and frame.groups == (("E", "G"),)
    ragged = table.with_columns(tokens=[1e10, 1.0005e10, 0.9995e10])
    frame = density(T2Loss, ragged, None, {}, {})[0].coordinates.frame
    assert isinstance(frame, SumFrame) and frame.groups == (("E", "B", "G"),)


def test_terms_of_nothing_leave_a_frame():
    """A coefficient whose term is zero in every row: there and back, and the volume is that of autodiff."""

    @t2.law
    class Late(t2.Law):
        """E + B·(D > 10¹⁰)."""

        E: Scalar = t2.param(LogNormal(0.0, 1.0), unit="nats/token", doc="constant")
        B: Scalar = t2.param(LogNormal(0.0, 1.0), unit="nats/token", doc="of long runs")
        linear = ("B", "E")

        def __call__(self, D):
            return self.E + self.B * (D > 1e10)

    coordinates = Coordinates(tuple(Late.declared().items()), {}, {}, sum_frame(Late, {"D": np.array([1e9, 2e9])}))
    assert_undone_with_its_volume(coordinates, jnp.array([0.3, -0.8]))


def test_a_prior_on_another_interval_is_left_out_of_the_frame():
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
    target, _ = density(Chinchilla, table, None, {}, {"E": Uniform(1.0, 2.0)})
    u = jnp.linspace(-0.3, 0.4, len(target.names))
    assert float(target.split(u)[0].values()["E"]) == pytest.approx(1 + jax.nn.sigmoid(u[target.names.index("E")]))


def test_starts_outside_a_prior_s_interval_keep_what_was_drawn():
    """At one D the rows leave E + B/D^β, so the E solved for lies outside 1.6 to 1.8; chains start all the same."""
    n = np.geomspace(1e7, 1e9, 8)
    table = t2.Table.from_columns(params=n, tokens=2e9, loss=2.7 + 400 / n**0.34)
    target, data = density(Chinchilla, table, None, {}, {"E": Uniform(1.6, 1.8)})
    starts = target.starts(target.rows(data.on_device(jnp.float64)), 4, KEY)
    assert np.isfinite(starts).all()


def test_one_length_gives_the_prior_on_the_sheet_that_the_rows_leave():
    """At one D, A and α held, the rows know c = E + B/D^β to 0.03 %; on that sheet the posterior is the
    prior's: p(E) p(β) p_B((c - E) D^β) D^β, integrated on a grid. With the smallest steps that the status advises: by
    default a few of 8000 draws may diverge where E is next to nothing."""
    n, d, sigma = np.geomspace(1e7, 1e9, 12), 2e9, 1e-3
    fixed = {"A": 400.0, "alpha": 0.34, "sigma": sigma}
    loss = (2.7 + 400 / n**0.34) * np.exp(sigma * np.random.default_rng(0).normal(size=12))
    table = t2.Table.from_columns(params=n, tokens=d, loss=loss)
    small = {"warmup": 1000, "draws": 2000, "accept": 0.99}
    post = t2.sample(Chinchilla, table, t2.noise.Gaussian(), key=KEY, fixed=fixed, **small)
    assert post.converged, post.status
    assert {"B", "beta"} <= set(post.diagnosis.left), post.status
    prior = {name: parameter.prior for name, parameter in Chinchilla.declared().items()}
    weight = 1 / (2.7 + 400 / n**0.34) ** 2
    c = np.average(loss - 400 / n**0.34, weights=weight)
    # E = c/(1 + t) with t = B/D^β/E, which may be next to nothing: even steps in log t and log β
    t, beta = np.meshgrid(np.geomspace(1e-12, 1e3, 1500), np.geomspace(0.02, 8, 600), indexing="ij")
    e = c / (1 + t)
    log = prior["E"].log_prob(e) + np.log(e * t / (1 + t)) + prior["beta"].log_prob(beta) + np.log(beta)
    log = np.asarray(log + prior["B"].log_prob(e * t * d**beta) + beta * np.log(d))
    mass = np.exp(log - log.max())
    mass /= mass.sum()
    drawn = post.laws.values()
    ratio = drawn["B"] / d ** drawn["beta"] / drawn["E"]
    for name, values, grid, cumulated in (
        ("t", ratio, t[:, 0], mass.sum(axis=1).cumsum()),
        ("beta", drawn["beta"], beta[0], mass.sum(axis=0).cumsum()),
    ):
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            below = np.mean(values < np.interp(share, cumulated, grid))
            assert below == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 1000)), (name, share)
    np.testing.assert_allclose(drawn["E"] * (1 + ratio), c, rtol=5 * sigma / np.sqrt(12))
