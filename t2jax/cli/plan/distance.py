"""How far beyond the measured runs a plan lies, in words."""

from t2jax.fitting.measured_range import FAR_DECADES, horizon_decades


def with_distance(sentence: str, beyond: dict[str, float] | None) -> str:
    """Returns a recommendation and how far beyond the measurements it lies; far beyond, this comes first."""
    if not beyond:
        return sentence
    distance = describe_distance(beyond)
    return f"{distance} {sentence}" if horizon_decades(beyond) > FAR_DECADES else f"{sentence} {distance}"


def describe_distance(beyond: dict[str, float]) -> str:
    """Returns a sentence on how many times beyond the measured ranges a plan lies."""
    parts = []
    for name, factor in beyond.items():
        times = f"{factor:,.0f}" if factor >= 100 else f"{factor:.3g}"
        end, quantity = "largest" if factor > 1 else "smallest", name.replace("_per_param", " per parameter")
        parts.append(f"{times} times the {end} measured {quantity}")
    return f"This is {' and '.join([', '.join(parts[:-1]), parts[-1]] if parts[1:] else parts)}: a forecast."
