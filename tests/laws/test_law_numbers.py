"""The published numbers of each law, its closed forms, and where one law is a special case of another."""

import math

import jax
import mpmath
import numpy as np
import pytest
from scipy.special import betaln

from t2jax.laws.loss.architecture.effective_params import EffectiveParams
from t2jax.laws.loss.architecture.mixture_of_experts import MixtureOfExperts
from t2jax.laws.loss.architecture.quantised import Quantised
from t2jax.laws.loss.broken_power import BrokenPower
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.loss.compute_loss import ComputeLoss
from t2jax.laws.loss.data_constrained import DataConstrained
from t2jax.laws.loss.downstream_error import DownstreamError
from t2jax.laws.loss.excess_params import ExcessParams
from t2jax.laws.loss.interaction import Interaction
from t2jax.laws.loss.interactions.farseer import Farseer
from t2jax.laws.loss.interactions.signed_interaction import SignedInteraction
from t2jax.laws.loss.kaplan import Kaplan
from t2jax.laws.loss.multiple_choice import MultipleChoice
from t2jax.laws.loss.overtraining import Overtraining
from t2jax.laws.loss.repetition.harmful_repetition import HarmfulRepetition
from t2jax.laws.loss.repetition.overfitted_repetition import OverfittedRepetition
from t2jax.laws.loss.shared_exponent import SharedExponent
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.laws.pass_at_k.post_trained import PostTrained
from t2jax.laws.pass_at_k.power_law_k import PowerLawK
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.laws.pass_at_k.t2_pass_k_naive import T2PassKNaive
from tests.helpers.laws import POINTS, chinchilla_values, draw, places


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def test_error_from_loss():
    """Gadre et al.'s link on their law and, in one line, on Chinchilla's."""
    link = {"epsilon": 0.85, "drop": 2.0, "rate": 0.7}
    chinchilla = Chinchilla(**chinchilla_values())
    by_hand = 0.85 - 2.0 * math.exp(-0.7 * float(chinchilla(1e8, 1e10)))
    assert DownstreamError.on(Chinchilla)(**chinchilla.values(), **link)(1e8, 1e10) == pytest.approx(by_hand, rel=1e-13)
    kaplan = Kaplan(**chinchilla_values(), kappa=0.7)
    by_hand = 0.85 - 2.0 * math.exp(-0.7 * float(kaplan(1e8, 1e10)))
    assert DownstreamError.on(Kaplan)(**kaplan.values(), **link)(1e8, 1e10) == pytest.approx(by_hand, rel=1e-13)


def test_published_coefficients():
    """Losses that follow from the papers' coefficients; Gopher's and Chinchilla's are 1.993 and 1.936."""
    hoffmann = Chinchilla(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    assert hoffmann(280e9, 300e9) == pytest.approx(1.993, abs=5e-4)
    assert hoffmann(70e9, 1.4e12) == pytest.approx(1.936, abs=1e-3)
    n, d = 3e8, 2e10  # eq. 1.5 of Kaplan et al. 2020 in its own parameters
    kaplan = Kaplan(E=0.0, A=8.8e13 ** (0.076 / 0.095), alpha=0.076 / 0.095, B=5.4e13, beta=1.0, kappa=0.095)
    assert kaplan(n, d) == pytest.approx(((8.8e13 / n) ** (0.076 / 0.095) + 5.4e13 / d) ** 0.095, rel=1e-13)
    assert Kaplan(**hoffmann.values(), kappa=1.0)(n, d) == pytest.approx(float(hoffmann(n, d)), rel=1e-13)


def test_gadre_is_chinchilla_with_one_exponent():
    """L(C, M) by its own formula, and as Chinchilla's and as the tied law with A = a·6^-η and α = β = 2η."""
    laws, (n, d) = draw(Overtraining, POINTS), places(Overtraining, POINTS)
    c, m = 6 * n * d, d / n
    by_hand = laws.E + (laws.a * m**laws.eta + laws.b * m**-laws.eta) * c**-laws.eta
    np.testing.assert_allclose(laws(n, d), by_hand, rtol=1e-12)
    values = {"E": laws.E, "A": laws.a * 6**-laws.eta, "B": laws.b * 6**-laws.eta, "alpha": 2 * laws.eta}
    np.testing.assert_allclose(SharedExponent(**values)(n, d), by_hand, rtol=1e-12)
    np.testing.assert_allclose(Chinchilla(**values, beta=2 * laws.eta)(n, d), by_hand, rtol=1e-12)


def test_repeated_tokens_are_worth_less():
    """Muennighoff et al.: four epochs at R_D = 15.4 are worth 3.73 of them; few repeats all, no end of them 1 + R_D."""
    law = DataConstrained(E=0.0, A=0.0, B=1.0, alpha=0.3, beta=1.0, R_D=15.39)  # its loss is one over D'
    worth = 1 + 15.39 * (1 - math.exp(-3 / 15.39))
    assert 1 / float(law(1e9, 4e9, 1e9)) / 1e9 == pytest.approx(worth, rel=1e-12) and worth == pytest.approx(
        3.73, abs=0.01
    )
    assert float(law(1e9, 1e9, 1e9)) == float(law(1e9, 1e9)) == float(law(1e9, 1e9, 1e12)) == pytest.approx(1e-9)
    assert 1 / float(law(1e9, 1e15, 1e9)) / 1e9 == pytest.approx(16.39, rel=1e-12)


def test_excess_parameters_are_worth_less():
    """Muennighoff et al.'s eq. 7 with their coefficients, N_opt from Hoffmann et al.'s stationarity; never free."""
    results = {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.353, "beta": 0.353}
    law, plain = ExcessParams(**results, R_D=15.4, R_N=5.3), Chinchilla(**results)
    unique = 1e9
    needed = (521 / 1488) ** (1 / 0.353) * unique  # α·A/N^α = β·B/D^β with α = β
    n, d = 20 * needed, 8 * unique
    size = needed * (1 + 5.3 * (1 - math.exp(-19 / 5.3)))
    data = unique * (1 + 15.4 * (1 - math.exp(-7 / 15.4)))
    by_hand = 1.87 + 521 / size**0.353 + 1488 / data**0.353
    assert float(law(n, d, unique)) == pytest.approx(by_hand, rel=1e-12)
    assert float(law(needed / 2, d)) == pytest.approx(float(plain(needed / 2, d)), rel=1e-14)
    assert float(law(1e3 * needed, unique)) > float(plain(1e3 * needed, unique)) + 0.01
    constrained = DataConstrained(**results, R_D=15.4)
    without_end = ExcessParams(**results, R_D=15.4, R_N=1e12)
    assert float(without_end(n, d, unique)) == pytest.approx(float(constrained(n, d, unique)), rel=1e-9)


def test_a_break_changes_the_exponent():
    """Slopes of log(L - E) in log C far before and far after the break, and no interaction is no law but Chinchilla."""
    law = BrokenPower(E=0.0, A=100.0, alpha=0.1, C1=1e20, c=0.2, f=0.5)
    for n, slope in ((1e2, -0.1), (1e18, -0.3)):
        result = math.log(float(law(n * 10, 1e10)) / float(law(n, 1e10))) / math.log(10)
        assert result == pytest.approx(slope, rel=1e-6)
    chinchilla = {"E": 1.0, "A": 100.0, "B": 500.0, "alpha": 0.3, "beta": 0.4}
    assert Interaction(**chinchilla, F=0.0)(1e8, 1e10) == pytest.approx(float(Chinchilla(**chinchilla)(1e8, 1e10)))
    gained = float(Interaction(**chinchilla, F=7.0)(1e8, 1e10)) - float(Chinchilla(**chinchilla)(1e8, 1e10))
    assert gained == pytest.approx(7.0 * 1e8**-0.3 * 1e10**-0.4, rel=1e-9)


def test_laws_of_k_alone():
    """The Beta law against SciPy; far out 1 - pass@k is its tail, a power law of slope -a."""
    law = BetaTail(a=0.4, b=6.0)
    k = np.array([1.0, 10.0, 100.0])
    np.testing.assert_allclose(law(k), -np.expm1(betaln(0.4, 6.0 + k) - betaln(0.4, 6.0)), rtol=1e-11)
    missed = 1 - np.asarray(law(np.array([1e6, 1e7])))
    assert math.log(missed[1] / missed[0]) / math.log(10) == pytest.approx(-0.4, abs=1e-5)
    assert PowerLawK(A=2.0, b=0.5)(16.0) == pytest.approx(0.5, rel=1e-14)


def test_closed_form_optimum_is_stationary_and_spends_the_budget():
    laws = draw(Chinchilla, POINTS)
    flops = 10 ** np.linspace(18, 26, POINTS)
    n, d = laws.optimum(flops)
    np.testing.assert_allclose(6 * n * d, flops, rtol=1e-12)
    np.testing.assert_allclose(laws.alpha * laws.A * n**-laws.alpha, laws.beta * laws.B * d**-laws.beta, rtol=1e-11)


def test_one_sample_is_the_loss_law():
    laws = draw(T2Loss, POINTS)
    values = laws.values()
    single = Chinchilla(**{n: values[n] for n in Chinchilla.declared()} | {"E": values["E"] + values["G"]})
    n, d, _ = places(T2Loss, POINTS)
    np.testing.assert_allclose(laws(n, d, 1.0), single(n, d), rtol=1e-14)


def mean_and_size(laws, n, d):
    """μ and ν of laws of pass@k on Chinchilla, written out."""
    values = laws.values()
    loss = values["E"] + values["A"] * n ** -values["alpha"] + values["B"] * d ** -values["beta"]
    mean = laws.theta2 / (1 + np.exp(laws.theta1 * (loss - laws.theta0)))
    return mean, np.exp(values.get("theta3", 0.0) + values.get("theta4", 0.0) * loss)


def test_pass_at_k_against_the_formula():
    """1 - B(a, b+k)/B(a, b) by SciPy where that keeps its digits, by mpmath everywhere; at k = 1 it is the mean μ."""
    laws = draw(T2PassK, POINTS)
    n, d, k = places(T2PassK, POINTS)
    mean, size = mean_and_size(laws, n, d)
    np.testing.assert_allclose(laws(n, d, 1.0), mean, rtol=1e-12)
    a, b = mean * size, (1 - mean) * size
    benign = (mean > 1e-3) & (size > 0.1) & (size < 100) & (k < 1e3)
    assert benign.sum() >= 10
    by_scipy = -np.expm1(betaln(a, b + k) - betaln(a, b))
    np.testing.assert_allclose(np.asarray(laws(n, d, k))[benign], by_scipy[benign], rtol=1e-9)

    def exact(mean, size, k):
        a, b, k = mpmath.mpf(mean) * mpmath.mpf(size), (1 - mpmath.mpf(mean)) * mpmath.mpf(size), mpmath.mpf(k)
        return float(-mpmath.log(1 - mpmath.beta(a, b + k) / mpmath.beta(a, b)))

    with mpmath.workdps(60):
        costs = [exact(*map(float, point)) for point in zip(mean, size, k, strict=True)]
    np.testing.assert_allclose(laws.cost(n, d, k), costs, rtol=1e-10)


def test_naive_is_an_upper_bound():
    """1 - (1-μ)^k is at least the mean of 1 - (1-p)^k over questions of mean μ (Jensen), and equal to it at k = 1."""
    laws = draw(T2PassK, POINTS)
    n, d, k = places(T2PassK, POINTS)
    naive = T2PassKNaive(**{name: laws.values()[name] for name in T2PassKNaive.declared()})
    mean, _ = mean_and_size(naive, n, d)
    np.testing.assert_allclose(naive(n, d, k), -np.expm1(k * np.log1p(-mean)), rtol=1e-11)
    np.testing.assert_allclose(naive.cost(n, d, 1.0), laws.cost(n, d, 1.0), rtol=1e-12)
    # equal to rounding where questions hardly differ (ν large): there 1 - naive/pass is of order k/ν
    assert np.all(np.asarray(naive.cost(n, d, k)) <= np.asarray(laws.cost(n, d, k)) * (1 + 1e-12))
    assert np.mean(np.asarray(naive(n, d, k)) > 1.01 * np.asarray(laws(n, d, k))) > 0.3


def power_law(values, n, d):
    """E + A/N^α + B/D^β with mpmath's digits."""
    terms = (("A", n, "alpha"), ("B", d, "beta"))
    return mpmath.mpf(values["E"]) + sum(mpmath.mpf(values[c]) * mpmath.mpf(x) ** -values[e] for c, x, e in terms)


def close(value, exact):
    assert float(value) == pytest.approx(float(exact), rel=1e-12)


def test_muennighoffs_published_coefficients():
    """The pitfall of N': D/7 unique tokens call for fewer than 8.7e9 params; plain Chinchilla gives 2.192164."""
    results = {"E": math.exp(0.6254804), "A": math.exp(6.255414), "B": math.exp(7.3049974)}
    results |= {"alpha": 0.3526596, "beta": 0.3526596}
    law = ExcessParams(**results, R_N=5.309743, R_D=15.387756)
    assert float(law(8.7e9, 178e9, 178e9 / 7)) == pytest.approx(2.226081, abs=5e-7)
    assert float(Chinchilla(**results)(8.7e9, 178e9)) == pytest.approx(2.192164, abs=5e-7)


def test_farseers_public_refit():
    """The paper's form at a public refit by mpmath, .539 of its printed digits, and a bend of zero as a power of N."""
    a3, gamma, b3, a2, beta, b2 = -2.082316, 0.0530760, 1.277014, 6.521068, -0.1257767, -1.853805
    a1, alpha, b1 = -3.640181, 0.0422716, 2.426767
    terms = ({"a": a3, "q": gamma, "b": b3}, {"a": a2, "q": beta, "b": b2}, {"a": a1, "q": alpha, "b": b1})
    law = Farseer.of_paper(*terms)
    assert float(law(1e9, 2e10)) == pytest.approx(0.539, abs=5e-4)
    for n, d in ((2e8, 2e9), (1e9, 2e10), (6.4e9, 3.2e11), (1e11, 1e13)):
        size = mpmath.mpf(n) / mpmath.mpf(10) ** 9
        exponent = mpmath.exp(a1 * size**alpha + b1)
        data = mpmath.exp(a2 * size**beta + b2) * mpmath.mpf(d) ** -exponent
        assert float(law(n, d)) == pytest.approx(float(mpmath.exp(a3 * size**gamma + b3) + data), rel=1e-10)
    straight = {"E": 2.0, "E_slope": -0.1, "B": 500.0, "B_slope": -0.5, "beta": 0.3, "beta_slope": -0.1}
    for bend in (0.0, 1e-9):  # the series on one side of 1e-3, and its limit
        bent = Farseer(**straight, E_bend=bend, B_bend=bend, beta_bend=bend)
        by_hand = 2.0 * 100**-0.1 + 500.0 * 100**-0.5 * 1e12 ** -(0.3 * 100**-0.1)
        assert float(bent(1e11, 1e12)) == pytest.approx(by_hand, rel=1e-7)
    for bend in (2.17e-4, 2.175e-4):  # on both sides of the end of the series
        bent = mpmath.expm1(bend * mpmath.log(100)) / bend
        exact = 2 * mpmath.exp(-bent / 10)
        exact += 500 * mpmath.exp(-bent / 2 - mpmath.mpf(0.3) * mpmath.exp(-bent / 10) * mpmath.log(10**12))
        result = Farseer(**straight, E_bend=bend, B_bend=bend, beta_bend=bend)(1e11, 1e12)
        assert float(result) == pytest.approx(float(exact), rel=1e-12)


def test_experts_of_the_paper():
    """Abnar et al. at N = 1e9 params in all and D = 2e10, at sparsities of 0, .5 and .9."""
    terms = {"E": 0.94, "A": 16612.50, "B": 5455.67, "C": 0.4598, "G": 17.26}
    exponents = {"alpha": 0.5962, "beta": 0.3954, "lam": -0.1666, "delta": 0.1603, "gamma": 0.1595}
    law = MixtureOfExperts(**terms, **exponents)
    for sparsity, published in ((0.0, 2.5657), (0.5, 2.5899), (0.9, 2.7019)):
        assert float(law((1 - sparsity) * 1e9, 2e10, 1e9)) == pytest.approx(published, abs=5e-5)
        share = 1 - mpmath.mpf(sparsity)
        joint = 17.26 / (share**0.1603 * mpmath.mpf(10) ** (9 * 0.1595))
        exact = 0.94 + 16612.5 * mpmath.mpf(10) ** (-9 * 0.5962) + 5455.67 * mpmath.mpf(2e10) ** -0.3954
        close(law((1 - sparsity) * 1e9, 2e10, 1e9), exact + 0.4598 * share**0.1666 + joint)


def test_bits_of_the_paper():
    """Kumar et al.: what 16, 8 and 4 bits of weights, activations and cache are worth, and the loss at that N'."""
    law = EffectiveParams(**chinchilla_values(), gamma_weight=2.6745, gamma_activation=2.2102, gamma_cache=0.9578)
    for bits, published in ((16.0, 0.9968), (8.0, 0.9241), (4.0, 0.6389)):
        assert float(law.share(bits, bits, bits)) == pytest.approx(published, abs=5e-5)
        share = mpmath.fprod(1 - mpmath.exp(-bits / mpmath.mpf(scale)) for scale in (2.6745, 2.2102, 0.9578))
        close(law(1e9, 2e10, bits, bits, bits), power_law(chinchilla_values(), 1e9 * share, 2e10))
    assert float(law(1e9, 2e10)) == float(Chinchilla(**chinchilla_values())(1e9, 2e10))


def test_overtrained_models_lose_more_in_few_bits():
    """δ = C_T·D^γD/N^γN·e^(-P/γ) by mpmath; four times the tokens lose 4^γD times as much, one bit less e^(1/γ)."""
    law = Quantised(**chinchilla_values(), C=20.0, gamma_D=0.5, gamma_N=0.4, gamma=0.6)
    scale = mpmath.mpf(10) ** (9 * (mpmath.mpf(0.4) - mpmath.mpf(0.5)))  # C_T = C·1e9^(γN - γD)
    lost = 20 * scale * mpmath.mpf(2e10) ** 0.5 / mpmath.mpf(3e9) ** 0.4 * mpmath.exp(-4 / mpmath.mpf(0.6))
    close(law.lost(3e9, 2e10, 4.0), lost)
    close(law(3e9, 2e10, 4.0), power_law(chinchilla_values(), 3e9, 2e10) + lost)
    close(law.lost(3e9, 8e10, 4.0) / law.lost(3e9, 2e10, 4.0), 2.0)
    close(law.lost(3e9, 2e10, 3.0) / law.lost(3e9, 2e10, 4.0), mpmath.exp(1 / mpmath.mpf(0.6)))
    assert float(law(3e9, 2e10)) == float(Chinchilla(**chinchilla_values())(3e9, 2e10))


def test_repetition_that_harms():
    """Both published forms by mpmath; new tokens alone are Chinchilla's, and epochs have a least loss."""
    values = chinchilla_values()
    law = HarmfulRepetition(**values, P=0.05, delta=0.4, kappa=0.7)
    for n, d, unique in ((1e8, 3e9, 1e9), (1e9, 6e10, 1e8)):
        repeats = mpmath.mpf(d) / unique - 1
        harm = mpmath.mpf(0.05) * repeats**0.4 * (mpmath.mpf(n) / unique) ** 0.7
        close(law(n, d, unique), power_law(values, n, d) + harm)
    for unique in (3e9, 1e12, np.inf):
        assert float(law(1e8, 3e9, unique)) == float(Chinchilla(**values)(1e8, 3e9))
    slopes = [float(jax.grad(lambda d: law(1e9, d, 1e9))(d)) for d in (2e9, 1e12)]
    assert slopes[0] < 0 < slopes[1]
    assert np.isfinite(jax.grad(lambda d: law(1e9, d, 1e9))(1e9))
    assert np.isfinite(jax.grad(lambda u: law(1e9, 1e9, u))(np.inf))
    bounded = OverfittedRepetition(**values, L0=10.0, C=0.05, gamma=0.5, delta=0.6)
    for n, d, unique in ((1e8, 3e9, 1e9), (1e10, 6e10, 1e8), (1e8, 3e9, 1e12)):
        distinct = mpmath.mpf(min(d, unique))
        paper = mpmath.mpf(0.05) * mpmath.mpf(10) ** (9 * (mpmath.mpf(0.6) - mpmath.mpf(0.5)))  # c of the paper
        height = power_law(values | {"E": 0.0}, n, d) + paper * mpmath.mpf(n) ** 0.5 / distinct**0.6
        close(bounded(n, d, unique), 1.5 + (10 - 1.5) * height / (1 + height))


def test_interaction_of_either_sign():
    """F = f·A·B, so it is `Interaction` for f > 0, and with f < 0 a token is worth more to a larger model."""
    values = chinchilla_values()
    signed, positive = SignedInteraction(**values, f=0.3), Interaction(**values, F=0.3 * 200.0 * 900.0)
    assert float(signed(1e8, 1e10)) == pytest.approx(float(positive(1e8, 1e10)), rel=1e-13)
    gain = jax.grad(lambda d, n: SignedInteraction(**values, f=-0.3)(n, d))
    assert float(gain(1e10, 1e10)) < float(gain(1e10, 1e8)) < 0


def test_multiple_choice_has_a_floor_and_a_ceiling():
    """1 - (.25 + .5/(1 + e^(4(L - 2.6)))) by hand; half of the gain at the midpoint, and chance for no model."""
    link = {"floor": 0.25, "gain": 0.5, "steepness": 4.0, "midpoint": 2.6}
    law = MultipleChoice(E=1.8, A=470.0, B=2000.0, alpha=0.345, beta=0.365, **link)
    loss = 1.8 + 470.0 * 7e9**-0.345 + 2000.0 * 3e13**-0.365
    assert float(law(7e9, 3e13)) == pytest.approx(1 - (0.25 + 0.5 / (1 + math.exp(4 * (loss - 2.6)))), rel=1e-13)
    assert float(law(7e9, 3e13)) == pytest.approx(0.294, abs=5e-4)
    at_midpoint = MultipleChoice(E=2.6, A=0.0, B=0.0, alpha=1.0, beta=1.0, **link)
    assert float(at_midpoint(1e9, 1e10)) == pytest.approx(0.5, rel=1e-13)
    assert float(law(1.0, 1.0)) == pytest.approx(0.75, rel=1e-13)


def test_compute_alone():
    """A power of compute, and Chinchilla's frontier, whose exponent is αβ/(α + β)."""
    law = ComputeLoss(E=1.75, A=60.0, alpha=0.09)
    assert float(law(1e20)) == pytest.approx(1.75 + 60.0 * 10**-1.8, rel=1e-13)
    values = chinchilla_values() | {"E": 0.0}
    along = Chinchilla(**values)
    best = [float(along(*along.optimum(flops))) for flops in (1e20, 1e22)]
    power = {"A": best[0] * 1e20 ** (0.3 * 0.35 / 0.65), "alpha": 0.3 * 0.35 / 0.65}
    assert float(ComputeLoss(E=0.0, **power)(1e22)) == pytest.approx(best[1], rel=1e-12)


def test_post_training_moves_the_cost_of_the_base_model():
    """By hand: 1.8 + 480/1e9^.35 + 2100/8e10^.37 + .8/16^.5 = 2.458 nats, and .5 · 2.458^1.1 · 4^.02 after it."""
    law = PostTrained(
        E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.8, gamma=0.5, scale=0.5, power=1.1, drift=0.02
    )
    base = 1.8 + 480 * 1e9**-0.35 + 2100 * 8e10**-0.37 + 0.8 / 4
    assert float(law(1e9, 8e10, 16.0, 0.0)) == pytest.approx(base, rel=1e-14)
    assert float(law(1e9, 8e10, 16.0, 1.0)) == pytest.approx(0.5 * base**1.1 * 4**0.02, rel=1e-14)
