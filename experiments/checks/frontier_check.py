"""Is any plan beaten by brute force? Random laws and budgets of every kind, and nothing of the solver used to check it.

Costs are written out again in NumPy. A grid covers the whole feasible box, with 200 points an axis, or with the best k
at each N and D exactly. It must have no better point, and SciPy from its best point must reach the plan.

    python -m experiments.checks.frontier_check [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

import t2jax as t2
from experiments.shared.brute import BANDWIDTH, CONTEXT, DEVICES, FLOPS, KV_SHARE, MEMORY, PRICE, SHAPE, Case
from experiments.shared.record import command, stage
from t2jax.planning.plan import CONTRADICTORY, UNREACHABLE, Plan
from t2jax.working_precision import scope

KINDS = (
    "separate",
    "attention",
    "total",
    "dollars",
    "spending",
    "queries",
    "latency",
    "caps",
    "data",
    "whole",
    "sizes",
)
SIZES = tuple(np.geomspace(3e7, 1e12, 24))


@dataclass(frozen=True)
class Config:
    """How many problems of each kind, for laws of the loss and of pass@k."""

    laws: int = 200
    """Random laws, each with a budget of its own."""
    points: int = 200
    """Grid points an axis."""
    whole_grids: int = 5
    """Problems of each kind, of additive laws, that are compared with a grid over N, D and k. The others are compared
    with a grid over N and D that has the best k at each point exactly. No point of the first grid can beat this, since
    laws fall in k. Where k is whole, all are compared with a grid over whole k too, with the largest N and D for it."""
    kinds: tuple[str, ...] = KINDS
    """Kinds of problem."""
    laws_of: tuple[str, ...] = ("loss", "pass@k")
    """What the laws predict."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=4, points=30, whole_grids=1, kinds=("total",), laws_of=("loss",))


@dataclass(frozen=True)
class Kind:
    """One kind of problem and law. solved: plans that are optima. refused: with which words others were refused.

    refused_wrongly: of those said to be infeasible, where a grid point meets the limits after all. beaten: plans worse
    than a grid point by more than 1e-9 of what is optimised. gain: by how much SciPy's refined point is better at most,
    relative (to 0.001 at least). difference: of log N to SciPy's, at most; close: share of problems where it is below
    1e-6; scipy_behind: of the others, where SciPy's value is the worse one. kkt, gap: largest. misses: every problem
    that was refused, beaten or not close, in words.
    """

    kind: str
    law: str
    problems: int
    solved: int
    refused: str
    refused_wrongly: int
    beaten: int
    gain: float
    difference: float
    close: float
    scipy_behind: int
    kkt: float
    gap: float
    misses: list[str]


@dataclass(frozen=True)
class Result:
    """One record for each kind of problem and of law."""

    kinds: list[Kind]


def run(config: Config) -> Result:
    results = []
    for pass_k in (response == "pass@k" for response in config.laws_of):
        for kind in config.kinds:
            random = np.random.default_rng([config.seed, KINDS.index(kind), pass_k])
            with stage(f"{kind}, {'pass@k' if pass_k else 'loss'}"):
                results.append(check(kind, pass_k, config, random))
            print(_sentence(results[-1]), flush=True)
            jax.clear_caches()
    return Result(results)


def random_laws(kind: str, pass_k: bool, count: int, random: np.random.Generator) -> t2.Law:
    """Laws spread about published ones."""

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(random.uniform(np.log(low), np.log(high), count))

    values = {"E": spread(0.5, 2.0), "A": spread(100.0, 2000.0), "B": spread(100.0, 5000.0)}
    values |= {"alpha": spread(0.25, 0.5), "beta": spread(0.25, 0.5)}
    if kind == "data":
        values["R_D"] = spread(3.0, 30.0)
    if pass_k:
        values |= {"theta0": random.uniform(1, 3, count), "theta1": random.uniform(1, 2.5, count)}
        values |= {"theta2": random.uniform(0.3, 0.9, count), "theta3": random.uniform(-1, 1, count)}
        values |= {"theta4": random.uniform(-0.6, 0.3, count)}
    else:
        values |= {"G": spread(0.2, 5.0), "gamma": spread(0.05, 0.8)}
    law = t2.laws.T2PassK if pass_k else t2.laws.T2Loss
    return (law.on(t2.laws.DataConstrained) if kind == "data" else law)(**values)


def cost_of(law: t2.Law, unique: float | None) -> tuple[Any, Any]:
    """The law's cost in (N, D, k), and its slope in their logs; additive laws in NumPy, others by JAX."""
    v = law.values()
    if "G" in v:

        def additive(n: Any, d: Any, k: Any) -> Any:
            if unique is not None:
                new = np.where(np.real(d) <= unique, 0.0, d / unique - 1)
                d = np.where(np.real(d) <= unique, d, unique * (1 - v["R_D"] * np.expm1(-new / v["R_D"])))
            return v["E"] + v["A"] * n ** -v["alpha"] + v["B"] * d ** -v["beta"] + v["G"] * k ** -v["gamma"]

        def slope(x: np.ndarray) -> np.ndarray:
            return np.array([np.imag(additive(*np.exp(x + 1e-30j * e))) / 1e-30 for e in np.eye(3)])

        return additive, slope
    more = {} if unique is None else {"U": unique}
    plain = jax.tree.map(np.float64, law)

    def cost(n: Any, d: Any, k: Any) -> Any:
        n, d, k = np.broadcast_arrays(n, d, k)
        with scope():
            return np.asarray(_cost(plain, [np.asarray(values, float) for values in (n, d, k)], more))

    def slope(x: np.ndarray) -> np.ndarray:
        with scope():
            return np.asarray(_slope(plain, np.asarray(x), more))

    return cost, slope


@jax.jit
def _cost(law: t2.Law, places: list[Any], more: dict[str, Any]) -> Any:
    return law.cost(*places, **more)


@jax.jit
def _slope(law: t2.Law, x: Any, more: dict[str, Any]) -> Any:
    return jax.grad(lambda x: law.cost(*jnp.exp(x), **more))(x)


def pose(kind: str, laws: t2.Law, count: int, random: np.random.Generator) -> tuple[t2.Budget, list[Case]]:
    """Budgets of one kind about random places, as t2jax and as NumPy have them."""

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(random.uniform(np.log(low), np.log(high), count))

    n, k, ratio = spread(3e8, 3e10), spread(2.0, 200.0), spread(5.0, 500.0)
    prompt, generated, batch, share = spread(100, 1e4), spread(30, 3e3), spread(1, 256), spread(0.1, 10.0)
    unique = n * ratio * spread(0.01, 1.0)
    slack = spread(1.5, 10.0)
    names = ("params_min", "params_max", "tokens_min", "tokens_max", "samples_min", "samples_max")
    ends = ((1e-3, 0.5), (0.6, 5.0)) * 3
    caps = {name: spread(*end) for name, end in zip(names, ends, strict=True)}
    late = spread(0.1, 1.5)
    cases = []
    for i in range(count):
        law = jax.tree.map(lambda leaf, i=i: float(leaf[i]), laws)
        cost, slope = cost_of(law, float(unique[i]) if kind == "data" else None)
        case = Case(cost, slope, kind, {}, prompt[i], generated[i], batch[i])
        trained = float(case.train(n[i], n[i] * ratio[i]))
        served = max(float(a + k[i] * b) for a, b in case.serve(n[i]))
        limits = {"train": trained, "inference": served}
        if kind in ("total", "dollars", "latency", "sizes"):
            limits = {"queries": trained * share[i] / served, "total": trained * (1 + share[i])}
        if kind == "latency":
            seconds = max((a + batch[i] * b) / DEVICES / PRICE * 3600 for a, b in case.serve(n[i]))
            limits["latency"] = float(seconds * late[i])
        if kind in ("spending", "queries"):
            limits = {"target": float(cost(n[i], n[i] * ratio[i], k[i]))}
            limits |= {"queries": trained / served * share[i]} if kind == "spending" else {"total": trained * slack[i]}
        if kind == "caps":
            place = {"params": n[i], "tokens": n[i] * ratio[i], "samples": k[i]}
            limits |= {name: max(float(caps[name][i] * place[name.split("_")[0]]), 1.0) for name in names}
        cases.append(replace(case, limits=limits))
    given: Any = {name: np.array([case.limits[name] for case in cases]) for name in cases[0].limits}
    if "target" in given and laws.response[0] == "pass_at_k":
        given["target"] = np.exp(-given["target"])
    if cases[0].priced:
        on = t2.Accelerator("H100", FLOPS / 0.4, BANDWIDTH / 0.8, MEMORY, price=PRICE) if cases[0].rented else None
        shape = t2.Shape(SHAPE, KV_SHARE)
        given["training"] = t2.Training(shape, CONTEXT, on)
        given["serving"] = t2.Serving(prompt, generated, shape, batch, on=on)
    if kind == "data":
        given["unique_tokens"] = unique
    budget = t2.Budget(**given, whole_samples=kind == "whole", sizes=SIZES if kind == "sizes" else None)
    return budget, cases


def check(kind: str, pass_k: bool, config: Config, random: np.random.Generator) -> Kind:
    """Solve random problems of one kind in one call, and look for anything better."""
    count = config.laws
    laws = random_laws(kind, pass_k, count, random)
    budget, cases = pose(kind, laws, count, random)
    with scope() as dtype:
        pairs = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, dtype), (count,)), (laws, budget))
        plans = jax.tree.map(np.asarray, jax.vmap(t2.allocate)(*pairs))
    wrong, result, misses = 0, [], []
    for i, case in enumerate(cases):
        best_k = pass_k or i >= config.whole_grids
        if not plans.ok[i]:
            value, _ = case.on_grid(case.axes(config.points, 0.0, SIZES), best_k)
            wrong += bool(np.isfinite(value)) and plans.code[i] in (CONTRADICTORY, UNREACHABLE)
            misses.append(f"problem {i} is refused: {jax.tree.map(lambda leaf, i=i: leaf[i], plans).status}")
            continue
        problem = compare(case, jax.tree.map(lambda leaf, i=i: leaf[i], plans), config.points, best_k)
        result.append(problem)
        if problem.beaten or problem.moved >= 1e-6:
            misses.append(f"problem {i}: {problem}")
    ok = plans.ok
    moved = np.array([problem.moved for problem in result])
    return Kind(
        kind=kind,
        law=type(laws).__name__,
        problems=count,
        solved=int(ok.sum()),
        refused="" if ok.all() else jax.tree.map(lambda leaf: leaf[~ok], plans).status,
        refused_wrongly=wrong,
        beaten=sum(problem.beaten for problem in result),
        gain=max(0.0, *((problem.ours - problem.refined) / max(abs(problem.refined), 1e-3) for problem in result)),
        difference=float(np.max(moved)),
        close=float(np.mean(moved < 1e-6)),
        scipy_behind=sum(problem.moved >= 1e-6 and problem.refined > problem.ours for problem in result),
        kkt=float(np.max(plans.kkt[ok])),
        gap=float(np.max(plans.gap[ok])),
        misses=misses,
    )


@dataclass(frozen=True)
class Comparison:
    """A plan beside brute force: what is least of ours, of the grid's best point and of that refined by SciPy; moved:
    by how much log N differs from SciPy's."""

    ours: float
    grid: float
    refined: float
    moved: float

    @property
    def beaten(self) -> bool:
        """Whether the grid's best is better by more than 1e-9 of it."""
        return self.ours > self.grid + 1e-9 * abs(self.grid)

    def __str__(self) -> str:
        above = f"the grid's best is {self.grid - self.ours:.1e} above ours, SciPy's {self.refined - self.ours:.1e}"
        return f"log N differs by {self.moved:.1e}; of {self.ours:.6g}, {above}"


def compare(case: Case, plan: Plan, points: int, best_k: bool) -> Comparison:
    """A plan beside the best of a grid, of N, D and k or (best_k) of N and D, and SciPy from there."""
    place = np.log([plan.params, plan.tokens, plan.samples])
    if "target" in case.limits:
        ours = float(np.log(plan.spent) if "queries" in case.limits else -np.log(plan.queries))
    else:
        ours = float(case.cost(*np.exp(place)))
    grids = [case.on_grid(case.axes(points, ours, SIZES), best_k)]
    grids += [case.on_whole(points)] if case.kind == "whole" else []
    value, where = min(grids, key=lambda optimum: optimum[0])
    begin = where if np.isfinite(value) else place
    fixed_logs = [{}]
    if case.kind == "sizes":
        at = [int(np.argmin(np.abs(np.log(SIZES) - log_size))) for log_size in (begin[0], place[0])]
        near = sorted({j + step for j in at for step in (-1, 0, 1) if 0 <= j + step < len(SIZES)})
        fixed_logs = [{0: np.log(SIZES[j])} for j in near]
    if case.kind == "whole":
        counts = {round(np.exp(log_count)) + step for log_count in (begin[2], place[2]) for step in range(-2, 3)}
        fixed_logs = [{2: np.log(count)} for count in sorted(counts) if count >= 1]
    refined, x = min((case.refined(begin, value, logs) for logs in fixed_logs), key=lambda optimum: optimum[0])
    return Comparison(ours, value, refined, float(abs(x[0] - place[0])))


def words(result: Result) -> list[str]:
    return [_sentence(kind) for kind in result.kinds]


def _sentence(kind: Kind) -> str:
    message = f"{kind.kind:9s} {kind.law}: {kind.solved} of {kind.problems} solved, {kind.beaten} beaten by the grid; "
    message += (
        f"SciPy better by {kind.gain:.1e} at most, log N within {kind.difference:.1e} ({kind.close:.1%} within 1e-6); "
    )
    message += f"KKT {kind.kkt:.1e}, gap {kind.gap:.1e}"
    message += f"; refused ({kind.refused_wrongly} wrongly): {kind.refused}" if kind.refused else ""
    return message + "".join(f"\n    {miss}" for miss in kind.misses)


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
