"""A planning problem written out in NumPy, apart from t2jax, and solved by a grid and by SciPy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

SHAPE, CONTEXT, KV_SHARE, PRICE = 128.0, 4096.0, 0.125, 2.5
FLOPS, BANDWIDTH, MEMORY, DEVICES = 989e12 * 0.4, 3.35e12 * 0.8, 80e9, 8.0


@dataclass(frozen=True)
class Case:
    """One problem in plain numbers: a law's cost as a function of N, D, k, and limits by name."""

    cost: Callable[..., Any]
    slope: Callable[[np.ndarray], np.ndarray]
    kind: str
    limits: dict[str, float]
    prompt: float
    generated: float
    batch: float

    def train(self, n: Any, d: Any) -> Any:
        """What training costs."""
        attention = 3 * 4 * self.square(n) * CONTEXT / 2 if self.priced else 0.0
        flops = (6 * n + attention) * d
        return flops / FLOPS * PRICE / 3600 if self.rented else flops

    def serve(self, n: Any) -> list[tuple[Any, Any]]:
        """Pairs (prompt, each sample), of whose sums a query costs the largest."""
        if not self.priced:
            return [(0.0, 2 * n)]
        square, p, g = self.square(n), self.prompt, self.generated
        seen = p * g + g * (g + 1) / 2
        prompt, sample = 2 * n * p + 4 * square * p * (p + 1) / 2, 2 * n * g + 4 * square * seen
        if not self.rented:
            return [(prompt, sample)]
        cache = 2 * 2 * KV_SHARE * square
        moved = 2 * n + cache * p, g * 2 * n / self.batch + cache * seen
        per_second = PRICE / 3600
        return [
            (before * per_second, after * per_second)
            for before in (prompt / FLOPS, moved[0] / BANDWIDTH)
            for after in (sample / FLOPS, moved[1] / BANDWIDTH)
        ]

    def sizes(self, n: Any) -> list[Any]:
        """Numbers that must not be above zero, whatever D and k."""
        if not self.rented:
            return []
        longest = self.prompt + self.generated
        memory = 2 * n + self.batch * 2 * 2 * KV_SHARE * self.square(n) * longest
        rows = [np.log(memory / (MEMORY * DEVICES))]
        if "latency" in self.limits:
            seconds = [(a + self.batch * b) / DEVICES / PRICE * 3600 for a, b in self.serve(n)]
            rows += [np.log(second / self.limits["latency"]) for second in seconds]
        return rows

    @property
    def priced(self) -> bool:
        return self.kind in ("attention", "dollars", "latency")

    @property
    def rented(self) -> bool:
        return self.kind in ("dollars", "latency")

    @staticmethod
    def square(n: Any) -> Any:
        """Depth times width."""
        depth = (n / (12 * SHAPE**2)) ** (1 / 3)
        return SHAPE * depth**2

    def rows(self, x: Any) -> list[Any]:
        """Numbers that must not be above zero at (log N, log D, log k[, level])."""
        n, d, k = np.exp(x[0]), np.exp(x[1]), np.exp(x[2])
        at, rows = self.limits, self.sizes(n)
        costs = [prompt + k * sample for prompt, sample in self.serve(n)]
        if "train" in at:
            rows.append(np.log(self.train(n, d) / at["train"]))
        if "inference" in at:
            rows += [np.log(cost / at["inference"]) for cost in costs]
        if "queries" in at:
            over = np.exp(x[3]) if "target" in at else at["total"]
            rows += [np.log((self.train(n, d) + at["queries"] * cost) / over) for cost in costs]
        elif "target" in at:
            rows += [np.log((self.train(n, d) + np.exp(-x[3]) * cost) / at["total"]) for cost in costs]
        for name, i in (("params", 0), ("tokens", 1), ("samples", 2)):
            rows += [np.log(at[f"{name}_min"]) - x[i]] if f"{name}_min" in at else []
            rows += [x[i] - np.log(at[f"{name}_max"])] if f"{name}_max" in at else []
        return [*rows, -x[0], -x[1], -x[2]]

    def worth(self, n: Any, d: Any, k: Any) -> Any:
        """What is least: the law's cost, log spending, or -log queries; infinite where a limit is violated."""
        with np.errstate(all="ignore"):
            paid = np.max(np.stack(np.broadcast_arrays(*(a + k * b for a, b in self.serve(n)))), axis=0)
            trained = self.train(n, d)
            if "target" not in self.limits:
                level, free = 0.0, self.cost(n, d, k)
            elif "queries" in self.limits:
                level = free = np.log(trained + self.limits["queries"] * paid)
            else:
                level = free = -np.log((self.limits["total"] - trained) / paid)
            conditions = [np.max(np.stack(np.broadcast_arrays(*self.sizes(n))), axis=0) <= 1e-12] if self.rented else []
            at = self.limits
            conditions += [trained <= at["train"] * (1 + 1e-12)] if "train" in at else []
            conditions += [paid <= at["inference"] * (1 + 1e-12)] if "inference" in at else []
            conditions += (
                [trained + at["queries"] * paid <= at["total"] * (1 + 1e-12)] if {"queries", "total"} <= set(at) else []
            )
            conditions += [self.cost(n, d, k) <= at["target"] * (1 + 1e-12)] if "target" in at else []
            for name, value in (("params", n), ("tokens", d), ("samples", k)):
                conditions += [value >= at[f"{name}_min"] * (1 - 1e-12)] if f"{name}_min" in at else []
                conditions += [value <= at[f"{name}_max"] * (1 + 1e-12)] if f"{name}_max" in at else []
            good = np.isfinite(level)
            for condition in conditions:
                good = good & condition
            return np.where(good & ~np.isnan(free), free, np.inf)

    def most_samples(self, n: np.ndarray, d: np.ndarray) -> np.ndarray:
        """The largest k that the budgets allow at N and D, or the least that reaches the target."""
        at = self.limits
        with np.errstate(all="ignore"):
            if "target" in at:

                def lacks(logs: np.ndarray) -> np.ndarray:
                    return np.log(self.cost(n, d, np.exp(logs)) / at["target"])

                low, high = np.zeros_like(n + d), np.full_like(n + d, 40.0)
                for _ in range(13):
                    middle = (low + high) / 2
                    enough = lacks(middle) <= 0
                    low, high = np.where(enough, low, middle), np.where(enough, middle, high)
                # between so close ends the secant through the last two points takes the digits that are left
                last, new = (low, lacks(low)), (high, lacks(high))
                for _ in range(5):
                    step = new[1] * (new[0] - last[0]) / (new[1] - last[1])
                    at_k = np.clip(new[0] - np.nan_to_num(step), low, high)
                    last, new = new, (at_k, lacks(at_k))
                    high = np.where(new[1] <= 0, np.minimum(high, at_k), high)
                close = np.minimum(new[0] + 1e-11, high)
                high = np.where(lacks(close) <= 1e-12, close, high)
                return np.maximum(np.exp(high), at.get("samples_min", 1.0))
            most = np.full_like(n + d, at.get("samples_max", np.inf))
            for prompt, sample in self.serve(n):
                if "inference" in at:
                    most = np.minimum(most, (at["inference"] - prompt) / sample)
                if "total" in at:
                    most = np.minimum(most, ((at["total"] - self.train(n, d)) / at["queries"] - prompt) / sample)
            most = np.floor(most * (1 + 1e-12)) if self.kind == "whole" else most
            return np.where(most >= 1, most, np.nan)

    def axes(self, points: int, best: float, sizes: tuple[float, ...]) -> list[np.ndarray]:
        """Axes of a grid over the whole feasible box: beyond it no plan keeps to the limits or is as good as best."""
        at = self.limits
        spare = at.get("train", at.get("total", np.inf))
        spare = 10 * np.exp(best) if "target" in at and "queries" in at else spare
        low = at.get("params_min", 1.0)
        n = np.exp(np.linspace(np.log(low), np.log(at.get("params_max", 1e20)), 2000))
        good = self.train(n, at.get("tokens_min", 1.0)) <= spare
        cost = np.max([prompt + sample for prompt, sample in self.serve(n)], axis=0)
        queries = 0.1 * np.exp(-best) if "target" in at and "queries" not in at else at.get("queries", 0.0)
        good &= queries * cost <= spare
        good &= cost <= at.get("inference", np.inf)
        for row in self.sizes(n):
            good &= row <= 0
        high = n[good][-1] if good.any() else n[1]
        tokens = min(at.get("tokens_max", np.inf), spare / self.train(low, 1.0))
        slope = (
            min(sample for _, sample in self.serve(low))
            if not self.rented
            else max(sample for _, sample in self.serve(low))
        )
        samples = min(at.get("inference", np.inf), spare / queries if queries else np.inf) / slope
        samples = min(at.get("samples_max", np.inf), max(samples, 2.0))
        results = [np.geomspace(low, high, points), np.geomspace(at.get("tokens_min", 1.0), max(tokens, 2.0), points)]
        results.append(np.geomspace(at.get("samples_min", 1.0), samples, points))
        if self.kind == "whole":
            results[2] = np.unique(np.round(results[2]))
        if self.kind == "sizes":
            results[0] = np.array(sizes)
        return results

    def on_grid(self, axes: list[np.ndarray], best_k: bool) -> tuple[float, np.ndarray]:
        """The best value on a grid and where it is; best_k: with the best k at each N and D, exactly."""
        n, d, k = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
        return self.least(n, d, self.most_samples(n, d) if best_k else k)

    def on_whole(self, points: int) -> tuple[float, np.ndarray]:
        """As `on_grid` for whole k, each with parts, up to all of it, of the N that serves it and the D that trains N.

        No grid of N meets the sizes that spend the whole budget on a whole k.
        """
        most = self.limits["inference"] / 2
        k = np.unique(np.round(np.append(np.arange(1.0, points // 2), np.geomspace(points // 2, most, points // 2))))
        part = np.geomspace(1e-6, 1.0, points // 4)
        n = part[:, None, None] * most / k
        return self.least(n, part[:, None] * self.limits["train"] / 6 / n, k)

    def least(self, n: np.ndarray, d: np.ndarray, k: np.ndarray) -> tuple[float, np.ndarray]:
        """The best value over arrays that broadcast, and (log N, log D, log k) there."""
        worth = self.worth(n, d, k)
        at = np.unravel_index(np.argmin(worth), worth.shape)
        place = [float(np.broadcast_to(values, worth.shape)[at]) for values in (n, d, k)]
        return float(worth[at]), np.log(place)

    def refined(self, place: np.ndarray, best: float, fixed: dict[int, float]) -> tuple[float, np.ndarray]:
        """SciPy's optimum from a place (log N, log D, log k) of value best, with some of the three fixed."""
        target = "target" in self.limits
        x = np.array([*place, best + 1e-3]) if target else np.array(place)

        def limits(x: np.ndarray) -> np.ndarray:
            reached = [np.log(self.cost(*np.exp(x[:3])) / self.limits["target"])] if target else []
            return -np.array([*self.rows(x), *reached], float)

        def slopes(x: np.ndarray) -> np.ndarray:
            # complex steps: exact derivatives without differences
            moved = [np.imag(self.rows(x + 1e-30j * e)) / 1e-30 for e in np.eye(len(x))]
            table = np.array(moved, float).T
            if target:
                cost = float(self.cost(*np.exp(x[:3])))
                table = np.vstack([table, np.append(self.slope(x[:3]) / cost, 0.0)])
            return -table

        scale = 1.0 if target else 1.0 / np.max(np.abs(self.slope(x[:3])))

        def value(x: np.ndarray) -> tuple[float, np.ndarray]:
            if target:
                return float(x[3]), np.eye(4)[3]
            return scale * float(self.cost(*np.exp(x))), scale * self.slope(x)

        ranges = [(fixed.get(i, 0.0), fixed.get(i, 100.0)) for i in range(3)] + [(-200.0, 200.0)] * target
        constraint = {"type": "ineq", "fun": limits, "jac": slopes}
        options = {"ftol": 1e-15, "maxiter": 500}
        begin, inwards = x, np.array([float(i < 3 and i not in fixed) for i in range(len(x))])
        with np.errstate(all="ignore"):
            for i in range(4):  # each time from a fresh curvature, and a bit farther inside where it made no step
                result = minimize(
                    value, begin, jac=True, method="SLSQP", bounds=ranges, constraints=[constraint], options=options
                )
                good = np.isfinite(result.x).all() and limits(result.x).min() > -1e-9
                if good and value(result.x)[0] <= value(x)[0]:
                    x = result.x
                begin = x if good and result.nit > 1 else x - 1e-3 * (i + 1) * inwards
        return (float(x[3]) if target else float(self.cost(*np.exp(x)))), x
