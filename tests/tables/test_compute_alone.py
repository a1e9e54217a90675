"""Tables of compute and a measurement, without params and tokens."""

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.fitting.measured_range import MeasuredRange

FLOPS = np.geomspace(1e17, 1e22, 14)
LOSS = 1.75 + 60 * FLOPS**-0.09
"""Exact losses of E = 1.75, A = 60 and α = 0.09."""


def write(path, names: str, flops=FLOPS, loss=LOSS):
    rows = "\n".join(f"{c!r},{y!r}" for c, y in zip(map(float, flops), map(float, loss), strict=True))
    path.write_text(f"{names}\n{rows}\n")
    return path


@pytest.mark.parametrize("name", ["compute", "flops", "train_flops", "C"])
def test_is_read_under_any_name_of_compute(tmp_path, name):
    path = write(tmp_path / "runs.csv", f"{name},loss")
    if name == "compute":
        table = t2.read_table(path)
    else:
        with pytest.warns(UserWarning, match=f"column '{name}' is read as compute, since there are no params"):
            table = t2.read_table(path)
    assert table.columns == ("compute", "loss") and not table.has_sizes
    np.testing.assert_array_equal(table.compute(), FLOPS)
    assert len(set(table.runs())) == 14
    ranges = MeasuredRange.of(table)
    assert ranges.compute == (FLOPS[0], FLOPS[-1]) and ranges.params is None
    beyond = t2.Table.from_columns(compute=[1e20, 1e24])
    np.testing.assert_allclose(ranges.horizons(beyond), [0.0, 2.0], atol=1e-12)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"compute": -FLOPS, "loss": LOSS}, "row 0, column 'compute': found -1e.17, expected a training compute > 0"),
        ({"compute": FLOPS / 1e15, "loss": LOSS}, "largest value is 1e.07, expected FLOPs: .*units={'compute': 1e15}"),
        ({"compute": FLOPS, "params": 1e8, "loss": LOSS}, "column 'tokens', needed by every table, is missing"),
        ({"tokens": FLOPS, "loss": LOSS}, "'params', .*where all rows have one number of params, as in a curve over"),
        (
            {"compute": [1e18, 1e18], "model": ["a", "a"], "loss": [3.0, 3.0]},
            "row 1: repeats row 0 .model='a', compute=1e.18",
        ),
    ],
)
def test_bad_tables_are_refused(columns, message):
    with pytest.raises(t2.TableError, match=message):
        t2.Table.from_columns(**columns)


def test_checkpoints_of_one_model_are_different_rows():
    table = t2.Table.from_columns(compute=[1e18, 2e18], model="a", loss=[3.0, 2.9])
    assert set(table.runs()) == {0}
    swept = t2.Table.from_columns(compute=[1e18, 1e18, 2e18], lr=[1.0, 2.0, 1.0], loss=[3.0, 2.9, 2.8])
    np.testing.assert_array_equal(swept.keep_lowest("loss")["loss"], [2.9, 2.8])


def test_a_law_of_compute_is_fitted_exactly_and_cannot_plan():
    table = t2.Table.from_columns(compute=FLOPS, loss=LOSS)
    fit = t2.fit(t2.laws.ComputeLoss, table, key=jax.random.key(0), starts=2)
    assert fit.converged
    np.testing.assert_allclose([fit.law.E, fit.law.A, fit.law.alpha], [1.75, 60.0, 0.09], rtol=1e-9)
    with pytest.raises(
        ValueError, match=r"its inputs are compute: runs of equal compute are alike to it, so it cannot"
    ):
        t2.allocate(fit.law, t2.Budget(train=1e22))
    with pytest.raises(t2.TableError, match=r"'params', needed by Chinchilla, .* ComputeLoss \(--law compute-loss\)"):
        t2.fit(t2.laws.Chinchilla, table, key=jax.random.key(0))
