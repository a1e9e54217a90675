"""What is saved comes back to the last bit, arbitrary numbers are not saved, and no file is ever half there."""

import dataclasses
import json
import os

import jax
import numpy as np
import pytest
from matplotlib.figure import Figure

import t2jax as t2
from t2jax.files import save_figure, save_json, whole
from t2jax.fitting.law_files import load_bootstrap, load_draws, load_law, save_draws, save_law

TRUE = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(0)
    params, tokens = np.exp(rng.uniform(np.log([1e8, 2e9]), np.log([1e10, 4e11]), (40, 2))).T
    loss = TRUE.E + TRUE.A / params**TRUE.alpha + TRUE.B / tokens**TRUE.beta
    return t2.Table.from_columns(params=params, tokens=tokens, loss=loss * np.exp(0.003 * rng.standard_normal(40)))


@pytest.fixture(scope="module")
def fit(runs):
    return t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0))


@pytest.fixture
def draws():
    rng = np.random.default_rng(1)
    return t2.laws.Chinchilla(**{name: value * rng.uniform(0.9, 1.1, 30) for name, value in TRUE.values().items()})


def test_a_law_comes_back_to_the_last_bit(tmp_path, fit, runs):
    save_law(tmp_path / "law.json", fit, runs)
    back = load_law(tmp_path / "law.json")
    assert type(back) is t2.laws.Chinchilla
    assert back.values() == fit.law.values()
    content = json.loads((tmp_path / "law.json").read_text())
    assert content["parameters"]["E"]["unit"] == "nats/token"
    assert content["objective"] == fit.objective
    assert content["noise"]["model"] == "Huber"
    assert content["table"]["rows"] == 40


def test_a_value_at_an_edge_is_written_as_that_edge(tmp_path, fit, runs, draws):
    """A search that ends at E = 8e-10 found E = 0; a small value inside the domain stays what it is."""
    near = t2.laws.Chinchilla(**TRUE.values() | {"E": 8.24e-10, "alpha": 1e-3})
    save_law(tmp_path / "law.json", dataclasses.replace(fit, law=near), runs)
    back = load_law(tmp_path / "law.json")
    assert back.values() == TRUE.values() | {"E": 0.0, "alpha": 1e-3}
    save_draws(tmp_path / "draws.nc", draws, near, "bootstrap over rows", asked=30, tried=30)
    assert load_draws(tmp_path / "draws.nc", back).values().keys() == TRUE.values().keys()


def test_a_law_on_another_law_comes_back(tmp_path, fit, runs):
    stacked = t2.laws.T2Loss.on(t2.laws.Kaplan)
    values = {"E": 1.0, "A": 2.0, "B": 3.0, "alpha": 0.3, "beta": 0.4, "kappa": 1.1, "G": 0.5, "gamma": 0.2}
    save_law(tmp_path / "law.json", dataclasses.replace(fit, law=stacked(**values)), runs)
    back = load_law(tmp_path / "law.json")
    assert type(back) is stacked
    assert back.values() == values


def test_an_undetermined_parameter_is_null_and_no_law_to_load(tmp_path, fit, runs, monkeypatch):
    monkeypatch.setattr(t2.Fit, "undetermined", ("A",))
    save_law(tmp_path / "law.json", fit, runs)
    written = json.loads((tmp_path / "law.json").read_text())["parameters"]
    assert written["A"]["value"] is None
    assert written["A"]["undetermined"] is True
    assert written["E"]["value"] == fit.law.E
    with pytest.raises(ValueError, match=r"law\.json: the rows did not determine A \(null\)"):
        load_law(tmp_path / "law.json")


def test_a_failed_fit_is_no_law_to_load(tmp_path, fit, runs):
    failed = dataclasses.replace(fit, converged=False, status="failed: no", objective=float("nan"))
    save_law(tmp_path / "law.json", failed, runs)
    assert json.loads((tmp_path / "law.json").read_text())["objective"] is None
    with pytest.raises(ValueError, match=r"law\.json: the fit failed \(failed: no\)"):
        load_law(tmp_path / "law.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"law": "chinchilla"}'])
def test_other_files_are_no_laws(tmp_path, text):
    (tmp_path / "law.json").write_text(text)
    with pytest.raises(ValueError, match=r"law\.json: not a law that t2jax wrote"):
        load_law(tmp_path / "law.json")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("A", "abc", "found A = 'abc', expected a number in its domain, 0 to inf"),
        ("A", True, "found A = True, expected a number in its domain, 0 to inf"),
        ("E", float("nan"), "found E = nan, expected a number in its domain, 0 to inf"),
        ("E", -5.0, "found E = -5.0, expected a number in its domain, 0 to inf"),
        ("E", float("inf"), "found E = inf, expected a finite number"),
        ("G", 1.0, "G is no parameter of Chinchilla; its parameters are E, A, B, alpha, beta"),
        ("beta", None, "beta is missing; its parameters are E, A, B, alpha, beta"),
    ],
)
def test_a_damaged_law_names_file_and_parameter(tmp_path, fit, runs, name, value, message):
    path = tmp_path / "law.json"
    save_law(path, fit, runs)
    content = json.loads(path.read_text())
    if value is None:
        del content["parameters"][name]
    else:
        content["parameters"][name] = {"value": value}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError) as stop:
        load_law(path)
    assert str(stop.value) == f"{path}: {message}"


def test_draws_come_back_to_the_last_bit(tmp_path, draws):
    save_draws(tmp_path / "draws.nc", draws, TRUE, "bootstrap over rows", asked=35, tried=35)
    back = load_draws(tmp_path / "draws.nc", TRUE)
    assert type(back) is t2.laws.Chinchilla
    for name, values in draws.values().items():
        np.testing.assert_array_equal(back.values()[name], values)
    with pytest.raises(ValueError, match="belong to another fit"):
        load_draws(tmp_path / "draws.nc", t2.laws.Chinchilla(**{**TRUE.values(), "E": 1.81}))


def test_draws_cut_short_say_so(tmp_path, draws):
    save_draws(tmp_path / "draws.nc", draws, TRUE, "bootstrap over rows", asked=40, tried=35)
    with pytest.warns(UserWarning, match=r"draws\.nc: the drawing was interrupted, 35 of 40 draws were made"):
        back = load_draws(tmp_path / "draws.nc", TRUE)
    np.testing.assert_array_equal(back.alpha, draws.alpha)


def test_arviz_reads_draws(tmp_path, draws):
    arviz = pytest.importorskip("arviz")
    save_draws(tmp_path / "draws.nc", draws, TRUE, "bootstrap over rows", asked=40, tried=35)
    read = arviz.from_netcdf(tmp_path / "draws.nc")
    posterior = read.posterior
    assert (posterior.attrs["asked"], posterior.attrs["made"]) == (40, 35)
    assert dict(posterior.sizes) == {"chain": 1, "draw": 30}
    np.testing.assert_array_equal(posterior["alpha"].values[0], draws.alpha)
    assert posterior["E"].attrs["units"] == "nats/token"
    read.close()


def test_other_files_are_no_draws(tmp_path):
    (tmp_path / "draws.nc").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"draws\.nc: not draws that t2jax wrote"):
        load_draws(tmp_path / "draws.nc", TRUE)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "law.json"
    save_json(path, {"a": 0.1})
    with pytest.raises(ValueError, match="JSON compliant"):
        save_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 0.1}
    assert os.listdir(tmp_path) == ["law.json"]


def test_a_figure_is_written_in_the_formats_asked_for(tmp_path):
    figure = Figure()
    figure.subplots().plot([1, 2])
    paths = save_figure(tmp_path / "new" / "loss", figure, ("png", "pdf"))
    assert [path.name for path in paths] == ["loss.png", "loss.pdf"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert sorted(os.listdir(tmp_path / "new")) == ["loss.pdf", "loss.png"]
    assert save_figure(tmp_path / "one", figure) == (tmp_path / "one.png",)


def test_draws_of_a_file_keep_how_many_failed_and_what_they_do_not_show(tmp_path):
    """A quarter of 40 draws failed, and the sentence on shared errors returns from the status that was written."""
    laws = t2.laws.Chinchilla(**{name: np.full(30, value) for name, value in TRUE.values().items()})
    caution = "24 rows are of 4 runs: rows of one run share errors, so intervals over rows are too narrow"
    boot = t2.Bootstrap(laws, 40, 10, "rows", caution)
    save_draws(tmp_path / "draws.nc", laws, TRUE, f"bootstrap: {boot.status}", asked=40, tried=40)
    back = load_bootstrap(tmp_path / "draws.nc", TRUE)
    assert (back.draws, back.failed, back.caution) == (40, 10, caution)
    assert back.no_band().startswith("10 of 40 draws reached no optimum")
