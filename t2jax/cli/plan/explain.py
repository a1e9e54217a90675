"""`t2jax plan --explain-model`: the budget under which a model that exists is the best choice."""

from dataclasses import asdict
from typing import Any

from t2jax.cli.law_source import find_law
from t2jax.cli.output import Output
from t2jax.cli.tables.pairs import Pairs, numbers
from t2jax.cli.words import cost, count
from t2jax.files import finite
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.laws import name_of
from t2jax.planning.inverse import ModelExplanation, explain_model
from t2jax.planning.prices.costs import Serving, Training

KEYS = ("params", "tokens", "samples")


def read_model(option: Pairs) -> dict[str, float]:
    """Returns params and tokens, and samples if given. It raises ValueError for anything else."""
    values = numbers("--explain-model", option)
    if unknown := [name for name in values if name not in KEYS]:
        raise ValueError(f"--explain-model: found {unknown[0]!r}, expected params, tokens and perhaps samples")
    if missing := [name for name in KEYS[:2] if name not in values]:
        raise ValueError(f"--explain-model: {missing[0]} is missing, as in params=8e9 tokens=15e12")
    return values


def explain(config: Any, costs: tuple[Training | None, Serving | None]) -> int:
    """Explains the model of a plan's options; returns 0 if a budget makes it the best choice, else 1."""
    model, (training, serving) = read_model(config.explain_model), costs
    with Output("plan", config.output, config) as out:
        source = find_law(config.table, config.law_file, config.fitting, config.held_inputs, True, out)
        if source.law is None:
            return out.finish(1, {"converged": False, **source.answer})
        choice = explain_model(source.law, **model, training=training, serving=serving)
        text = words(choice, name_of(type(source.law)), source.measured, serving)
        out.say(text)
        explanation = {
            name: finite(value) if isinstance(value, float) else value for name, value in asdict(choice).items()
        }
        answer = {**source.answer, "explanation": explanation, "status": choice.status, "words": text}
        return out.finish(0 if choice.ok else 1, answer)


def words(choice: ModelExplanation, law: str, measured: MeasuredRange | None, serving: Serving | None) -> str:
    """Returns sentences on the model, the budget that makes it the best choice, and how far the law is extrapolated."""
    ratio = count(choice.tokens / choice.params)
    lines = [f"{count(choice.params)} parameters on {count(choice.tokens)} tokens ({ratio} per parameter), by {law}."]
    if not choice.ok:
        lines.append(
            f"There is {choice.status}. 1 % more parameters gain {choice.wedge:.3g} times what 1 % more tokens do."
        )
    else:
        queries = "" if serving is None else f"{count(choice.queries)} queries with "
        per = f"{choice.served_tokens / choice.tokens:.3g} times as many as it was trained on"
        lines.append(
            f"It is the best choice if it serves {queries}{count(choice.served_tokens)} tokens over its life, {per}."
        )
        lines.append(
            f"Training costs {cost(choice.train, choice.unit)}, serving"
            f" {cost(choice.total - choice.train, choice.unit)}, at {count(choice.samples)} samples a query."
        )
    beyond = None if measured is None else measured.beyond(choice.params, choice.tokens, None)
    if beyond and (factor := beyond.get("compute")) is not None and factor > 1:
        lines.append(f"Its training compute is {factor:,.3g} times the largest that was measured: a forecast.")
    return "\n".join(lines)
