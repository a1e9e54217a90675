"""The compute-optimal (N, D, k): closed forms, SciPy, brute force, bounds, derivatives, and certificates."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal
from scipy.optimize import minimize_scalar

import t2jax as t2
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.planning.plan import CONSTRAINTS
from t2jax.planning.two_budgets import balanced
from t2jax.typing import Scalar

LAW = T2Loss(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.5, gamma=0.3)
ANSWERS = ("params", "tokens", "samples")
NAMES: tuple[str, ...] = CONSTRAINTS


def random_laws(law: type[t2.Law], count: int) -> Any:
    rng = np.random.default_rng(0)
    values = {"E": rng.uniform(1, 2, count), "A": rng.uniform(100, 900, count), "B": rng.uniform(300, 5000, count)}
    values |= {"alpha": rng.uniform(0.25, 0.45, count), "beta": rng.uniform(0.25, 0.45, count)}
    values |= {"G": rng.uniform(0.1, 1, count), "gamma": rng.uniform(0.1, 0.6, count)}
    values |= {"theta0": rng.uniform(2, 3, count), "theta1": rng.uniform(1, 2.5, count)}
    values |= {"theta2": rng.uniform(0.3, 0.9, count), "theta3": rng.uniform(-1, 1, count)}
    values |= {"theta4": rng.uniform(-0.6, 0.3, count)}
    return law(**{name: values[name] for name in law.declared()})


def one_of(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def loss(law, n, d, k) -> Any:
    """T2Loss written out, in NumPy's float64."""
    v = law.values()
    return v["E"] + v["A"] * n ** -v["alpha"] + v["B"] * d ** -v["beta"] + v["G"] * k ** -v["gamma"]


def least(f, low, high) -> tuple[float, float]:
    """Where and how low a function of one variable with a single minimum is, by SciPy."""
    result: Any = minimize_scalar(f, bounds=(low, high), method="bounded", options={"xatol": 1e-12, "maxiter": 500})
    ends = [(f(x), x) for x in (low, high)]
    value, x = min([(result.fun, result.x), *ends])
    return x, value


def best_n(law, limits) -> tuple[float, float]:
    """log N and loss of the best allocation: at any N, as many tokens and samples as the limits allow."""
    top = np.log(min(limits["params_max"], limits["inference"] / 2, limits["train"] / 6))

    def at(log_n):
        n = np.exp(log_n)
        return loss(law, n, min(limits["train"] / 6 / n, limits["tokens_max"]), limits["inference"] / 2 / n)

    return least(at, np.log(limits["params_min"]), top)


def test_chinchilla_closed_form():
    laws, flops = random_laws(Chinchilla, 16), np.geomspace(1e17, 1e28, 32)
    plan = t2.frontier(laws, t2.Budget(train=flops))
    v = {name: value[:, None] for name, value in laws.values().items()}
    g = (v["alpha"] * v["A"] / (v["beta"] * v["B"])) ** (1 / (v["alpha"] + v["beta"]))
    n = g * (flops / 6) ** (v["beta"] / (v["alpha"] + v["beta"]))
    d = flops / 6 / n
    np.testing.assert_allclose(plan.params, n, rtol=1e-12)
    np.testing.assert_allclose(plan.tokens, d, rtol=1e-12)
    np.testing.assert_allclose(plan.tokens_per_param, d / n, rtol=2e-12)
    np.testing.assert_allclose(plan.value, v["E"] + v["A"] * n ** -v["alpha"] + v["B"] * d ** -v["beta"], rtol=1e-12)
    assert np.all(plan.samples == 1) and np.all(plan.ok) and plan.params.shape == (16, 32)
    assert plan.status.startswith("512 of 512 optimal: the global optimum, certified by convexity")


def test_many_problems_against_scipy():
    """2048 certificates; for 50 laws SciPy along the path where both budgets are spent; grids of 200³ points."""
    laws = random_laws(T2Loss, 64)
    train, inference = np.geomspace(1e18, 1e26, 32), np.geomspace(1e9, 1e13, 32)
    plan = t2.frontier(laws, t2.Budget(train=train, inference=inference))
    assert np.all(plan.ok) and plan.kkt.shape == (64, 32) and np.max(plan.kkt) <= 1e-10
    np.testing.assert_allclose(6 * plan.params * plan.tokens, np.broadcast_to(train, (64, 32)), rtol=1e-11)
    np.testing.assert_allclose(2 * plan.params * plan.samples, np.broadcast_to(inference, (64, 32)), rtol=1e-11)
    none = {"params_min": 1.0, "params_max": np.inf, "tokens_max": np.inf}
    for i in range(50):
        j = 7 * i % 32
        x, value = best_n(one_of(laws, i), none | {"train": train[j], "inference": inference[j]})
        assert np.log(plan.params[i, j]) == pytest.approx(x, abs=1e-6)
        assert plan.value[i, j] <= value * (1 + 1e-13)
    for i in range(0, 64, 13):  # a grid about the optimum, on both sides of the budgets
        law, (n, d, k) = one_of(laws, i), (getattr(plan, name)[i, 5] for name in ANSWERS)
        box = np.exp(np.linspace(-0.3, 0.3, 200))
        n, d, k = (n * box)[:, None, None], (d * box)[None, :, None], (k * box)[None, None, :]
        affordable = (6 * n * d <= train[5]) & (2 * n * k <= inference[5])
        assert 0.1 < np.mean(affordable) < 0.9
        assert plan.value[i, 5] <= np.min(np.where(affordable, loss(law, n, d, k), np.inf)) * (1 + 1e-13)


SIZE = 16
LOOSE = {"train": 1e22, "inference": 1e11, "params_min": 2.0, "params_max": 1e12, "tokens_max": 1e15}


def limited(*rows: dict[str, float]) -> Any:
    """Plans of LAW under rows of limits, always 16 of them so that one compiled program serves."""
    rows = (*rows, *({},) * (SIZE - len(rows)))
    limits: Any = {name: np.array([(LOOSE | row)[name] for row in rows]) for name in LOOSE}
    return t2.frontier(LAW, t2.Budget(**limits))


BINDING = (
    {},
    {"tokens_max": 2e11},
    {"params_max": 1e8},
    {"params_min": 3e10},
    {"tokens_max": 1e10, "params_min": 4e10},
)
INFEASIBLE = ({"inference": 1e6, "params_min": 6e5}, {"train": 1e9, "params_min": 2e8}, {"tokens_max": 0.5})


def test_bounds_and_infeasible_budgets_side_by_side():
    plan = limited(*BINDING, *INFEASIBLE)
    for i, row in enumerate(BINDING):
        x, value = best_n(LAW, LOOSE | row)
        row_plan = one_of(plan, i)
        assert np.log(row_plan.params) == pytest.approx(x, abs=1e-6) and row_plan.value == pytest.approx(
            value, rel=1e-12
        ), row
        assert row_plan.ok and row_plan.kkt <= 1e-10
        binding = [name for name in row if row_plan.active[NAMES.index(name)]]
        assert binding == list(row)
        for name in row:
            assert (
                row_plan.params == pytest.approx(row[name], rel=1e-9)
                if name != "tokens_max"
                else row_plan.tokens <= row[name] * (1 + 1e-9)
            )
        message = ", ".join(name for name in CONSTRAINTS if name in row)
        assert row_plan.status.startswith(
            f"optimal within bounds: limited by {message}" if row else "optimal: the global optimum"
        )
    reasons = (
        "inference budget is below 2·N of the smallest model",
        *("training budget does not pay for one token",) * 2,
    )
    for i, reason in enumerate(reasons, start=len(BINDING)):
        row_plan = one_of(plan, i)
        assert not row_plan.ok and row_plan.status.startswith("infeasible: ") and reason in row_plan.status
        assert np.all(
            np.isnan([row_plan.params, row_plan.tokens, row_plan.samples, row_plan.value, *row_plan.shadow_prices])
        )
    for name in (*ANSWERS, "value", "kkt"):  # neighbours of infeasible budgets are as they would be alone
        rest = getattr(plan, name)[len(BINDING) + len(INFEASIBLE) :]
        np.testing.assert_array_equal(rest, np.broadcast_to(getattr(plan, name)[0], rest.shape))
    assert "1 of 16 infeasible: the inference" in plan.status and "2 of 16 infeasible: the training" in plan.status


def test_path_that_spends_the_budgets_holds_the_optimum():
    """The guess for an additive law is its optimum, whichever limits hold, with samples and without."""
    plan = limited(*BINDING)
    with jax.enable_x64(True):
        for i, row in enumerate(BINDING):
            limits = LOOSE | row
            tops = (limits["train"] / 6, 1 / limits["params_min"], limits["params_max"], 1.0, limits["tokens_max"])
            b = jnp.log(jnp.array([*tops, limits["inference"] / 2, 1.0]))
            guess = balanced(lambda x: LAW.cost(*jnp.exp(x)), b, 3)
            np.testing.assert_allclose(guess, np.log([getattr(plan, name)[i] for name in ANSWERS]), atol=1e-7)
            single = balanced(lambda x: LAW.loss(*jnp.exp(x)), b, 2)
            n, d = np.exp(single)
            best, value = best_n(
                LAW, limits | {"inference": np.inf, "params_max": min(tops[2], limits["inference"] / 2)}
            )
            assert single[0] == pytest.approx(best, abs=1e-6) and LAW.loss(n, d) == pytest.approx(value, rel=1e-12)


def test_a_convex_law_that_rises_in_tokens_leaves_training_compute_unspent():
    """Least of B/D^β + C D^c: D = (βB/(cC))^(1/(β+c)), and as large a model as is allowed; no path of budgets."""

    @t2.law
    class Overtrained(t2.Law):
        B: Scalar = t2.param(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term")
        C: Scalar = t2.param(LogNormal(-6.0, 2.0), unit="nats/tokens^0.2", doc="what too many tokens cost")
        convex: ClassVar[bool] = True

        def __call__(self, N, D):
            return 480.0 * N**-0.35 + self.B * D**-0.37 + self.C * D**0.2

    plan = t2.frontier(
        Overtrained(B=np.array([2100.0, 900.0]), C=np.array([3e-3, 1e-2])), t2.Budget(train=1e24, params_max=1e10)
    )
    assert np.all(plan.ok) and np.max(plan.kkt) <= 1e-10 and not np.any(plan.active[:, NAMES.index("train")])
    np.testing.assert_allclose(plan.tokens, (0.37 / 0.2 * np.array([7e5, 9e4])) ** (1 / 0.57), rtol=1e-9)
    np.testing.assert_allclose(plan.params, 1e10, rtol=1e-12)


def test_shadow_prices_are_slopes_of_the_best_loss():
    h, cases = 1e-4, ({}, {"tokens_max": 2e11}, {"params_max": 1e8}, {"params_min": 3e10})
    for case in cases:
        moved = [case | {name: (LOOSE | case)[name] * np.exp(s)} for name in LOOSE for s in (h, -h)]
        plan = limited(case, *moved)
        slopes = dict(zip(LOOSE, (plan.value[1:11:2] - plan.value[2:12:2]) / (2 * h), strict=True))
        prices = dict(zip(NAMES, plan.shadow_prices[0], strict=True))
        slopes["params_min"] *= -1  # a higher lower limit is a tighter one
        for name in LOOSE:
            assert prices[name] == pytest.approx(-slopes[name], rel=1e-6, abs=1e-10), (case, name)
        assert all(prices[name] > 1e-4 for name in case)


def test_whole_samples():
    laws, inference = random_laws(T2Loss, 8), np.geomspace(3e8, 3e11, 8)
    plan = t2.frontier(laws, t2.Budget(train=1e20, inference=inference, whole_samples=True))
    assert np.all(plan.ok) and np.all(plan.samples == np.round(plan.samples)) and np.min(plan.samples) >= 1
    assert len(np.unique(plan.samples)) > 5
    for i, j in np.ndindex(8, 8):
        law, k = one_of(laws, i), plan.samples[i, j]
        for other in (k + np.arange(-3, 4))[k + np.arange(-3, 4) >= 1]:
            top = np.log(inference[j] / 2 / other)
            x, value = least(lambda x, law=law, k=other: loss(law, np.exp(x), 1e20 / 6 / np.exp(x), k), 0.0, top)
            assert plan.value[i, j] <= value * (1 + 1e-12)
            if other == k:
                assert np.log(plan.params[i, j]) == pytest.approx(x, abs=1e-6)


def test_shapes_and_refusals():
    laws = random_laws(T2Loss, 5)
    grid = t2.Budget(train=np.array([[1e20], [1e22], [1e24]]), inference=np.array([1e9, 1e10, 1e11, 1e12]))
    plan = t2.frontier(laws, grid)
    assert plan.params.shape == plan.code.shape == (5, 3, 4) and plan.active.shape == (5, 3, 4, len(CONSTRAINTS))
    single = t2.allocate(one_of(laws, 3), t2.Budget(train=1e22, inference=1e12))
    assert isinstance(single.params, float) and single.params == pytest.approx(plan.params[3, 1, 3], rel=1e-11)
    with pytest.raises(ValueError, match="allocate takes one law and one budget; use frontier for batches"):
        t2.allocate(laws, t2.Budget(train=1e22))
    with pytest.raises(ValueError, match=r"must share one shape \(draws,\)"):
        t2.frontier(T2Loss(**laws.values() | {"E": np.ones(4)}), t2.Budget(train=1e22))
    tiny = T2Loss(E=1.0, A=1e-9, B=2000.0, alpha=0.3, beta=0.3, G=2.0, gamma=0.3)
    lost = t2.allocate(tiny, t2.Budget(train=1e22, inference=1e11))
    assert np.isnan(lost.params) and lost.status.startswith("without optimum: the objective keeps falling towards one")


def test_budgets_that_are_refused():
    for name in ("train", "inference", "params_min", "params_max", "tokens_max"):
        for value in (-1.0, 0.0, np.nan, np.inf):
            with pytest.raises(ValueError, match=rf"Budget\.{name} must be positive and finite, not {value:g}"):
                limits: Any = {"train": 1e20} | {name: np.array([1e10, value])}
                t2.Budget(**limits)
    for high, shown in ((1e9, r"1e\+09"), (5e8, r"5e\+08")):
        with pytest.raises(ValueError, match=rf"params_min=1e\+09 must be below Budget\.params_max={shown}"):
            t2.Budget(train=1e20, params_min=1e9, params_max=np.array([1e10, high]))
    assert t2.Budget(train=1e20, inference=1e9).given() == {"train": 1e20, "inference": 1e9}


X = np.array([*LAW.values().values(), 1e22, 1e11])


def answers(x):
    """Params, tokens and samples as a function of the law's seven parameters and the two budgets."""
    law = T2Loss(**dict(zip(LAW.values(), x[:7], strict=True)))
    plan = t2.allocate(law, t2.Budget(train=x[7], inference=x[8]))
    return jnp.stack([getattr(plan, name) for name in ANSWERS])


@pytest.fixture(scope="module")
def differences() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of log answers in log inputs: values (3,), Jacobian (3, 9) and Hessian (3, 9, 9), by central differences."""
    first, second = 1e-4 * np.eye(9), 2e-3 * np.eye(9)
    pairs = [s * a + t * b for a in second for b in second for s in (1, -1) for t in (1, -1)]
    steps = np.stack([np.zeros(9), *first, *-first, *pairs])
    with jax.enable_x64(True):
        logs = np.log(np.asarray(jax.jit(jax.vmap(answers))(X * np.exp(steps))))
    mixed = logs[19:].reshape(9, 9, 4, 3)
    hessian = (mixed[:, :, 0] - mixed[:, :, 1] - mixed[:, :, 2] + mixed[:, :, 3]) / (4 * 2e-3**2)
    return logs[0], (logs[1:10] - logs[10:19]).T / 2e-4, hessian.transpose(2, 0, 1)


def log_answers(logs):
    return jnp.log(answers(jnp.exp(logs)))


def test_derivatives(differences):
    """Forward and reverse mode equal central differences in every parameter and budget; E moves nothing."""
    with jax.enable_x64(True):
        for jacobian in (jax.jacfwd, jax.jacrev):
            result = np.asarray(jax.jit(jacobian(log_answers))(jnp.log(jnp.asarray(X))))
            np.testing.assert_allclose(result, differences[1], rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(result[:, 0], 0, atol=1e-12)
            assert np.all(np.abs(result[:, 1:]) > 1e-3)


def test_derivatives_of_chinchilla_are_those_of_the_closed_form():
    law = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    with jax.enable_x64(True):
        law = jax.tree.map(jnp.asarray, law)
        flops = jnp.asarray(1e24)
        ours, exact = (
            jax.jit(jax.jacrev(f, argnums=(0, 1)))(law, flops)
            for f in (
                lambda law, c: jnp.log(t2.allocate(law, t2.Budget(train=c)).params),
                lambda law, c: jnp.log(law.optimum(c)[0]),
            )
        )
    np.testing.assert_allclose(jax.tree.leaves(ours), jax.tree.leaves(exact), rtol=1e-9, atol=1e-13)


def test_second_derivatives(differences):
    with jax.enable_x64(True):
        hessian = jax.jit(jax.hessian(lambda logs: log_answers(logs)[0]))(jnp.log(jnp.asarray(X)))
    np.testing.assert_allclose(hessian, differences[2][0], rtol=1e-4, atol=1e-4)
    assert np.max(np.abs(hessian)) > 1


def test_documented_example_in_a_float32_program(differences):
    """Without 64-bit mode the derivative is right to float32's own rounding, and under jit it is float32 throughout."""
    logs, slopes, _ = differences
    budget = t2.Budget(train=1e22, inference=1e11)
    result = jax.jacobian(lambda law: t2.allocate(law, budget).params)(LAW)
    assert type(result) is T2Loss and result.G.dtype == jnp.float32
    np.testing.assert_allclose(
        list(result.values().values()), slopes[0, :7] * np.exp(logs[0]) / X[:7], rtol=2e-6, atol=1e-3
    )

    def log_params(train):
        return jnp.log(t2.allocate(LAW, t2.Budget(train=train, inference=1e11)).params)

    value, slope = jax.jit(jax.value_and_grad(log_params))(1e22)
    assert value.dtype == jnp.float32 and value == pytest.approx(logs[0], abs=1e-3)
    assert slope * 1e22 == pytest.approx(slopes[0, 7], rel=1e-2)


def test_pass_at_k_is_not_beaten_by_a_grid():
    """Five laws: 60 x 60 x 40 feasible points over five decades of N, from a thousandth of the tokens and samples."""
    laws = random_laws(T2PassK, 5)
    plan = t2.frontier(laws, t2.Budget(train=1e21, inference=1e11))
    assert np.all(plan.ok), plan.status
    assert plan.status.startswith("5 of 5 optimal: the best of several starts")
    n = np.geomspace(5e5, 4.9e10, 60)[:, None, None]
    d, k = 1e21 / 6 / n * np.geomspace(1e-3, 1, 60)[:, None], (1e11 / 2 / n) ** np.linspace(0, 1, 40)
    n, d, k = np.broadcast_arrays(n, d, k)
    with jax.enable_x64(True):
        cost = jax.jit(lambda law, n, d, k: law.cost(n, d, k))
        for i in range(5):
            law = one_of(laws, i)
            ours = cost(law, *(getattr(plan, name)[i] for name in ANSWERS))
            assert ours <= np.min(cost(law, n, d, k)) * (1 + 1e-12)
            assert plan.value[i] == pytest.approx(np.exp(-float(ours)), rel=1e-12)


@pytest.mark.long
def test_a_start_where_the_law_overflows_does_not_win():
    """Far below the measured sizes ν overflows; such starts must lose, in small and in vectorised batches alike."""
    law = t2.laws.T2PassK(
        E=0.0, A=25565.3, B=181040.0, alpha=0.527434, beta=0.516606,
        theta0=-3.99573, theta1=1.0, theta2=1.0, theta3=3.24453, theta4=0.794873,
    )  # fmt: skip
    plan = t2.frontier(law, t2.Budget(train=np.full(100, 1e21), inference=1e12, tokens_max=3e11))
    assert plan.ok.all(), plan.status
    np.testing.assert_allclose(plan.params, plan.params[0], rtol=1e-9)
    assert np.isfinite(plan.value).all()
    assert (plan.kkt < 1e-10).all()
