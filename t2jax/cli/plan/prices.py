"""Options of prices: accelerators, models that exist, and ranges of what is not known."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from t2jax.planning.prices.costs import Serving, Training
    from t2jax.planning.prices.hardware import Accelerator
    from t2jax.planning.prices.shape import Shape

DEVICE_OPTIONS = ("batch", "devices", "utilisation", "bandwidth_utilisation", "weight_bytes")
OF_DEVICES = ("devices", "utilisation", "bandwidth_utilisation", "price")
"""Options that a file of an accelerator may give too."""
PEAKS = ("flops", "bandwidth", "memory")
RANGES = ("price", "utilisation", "bandwidth_utilisation")
"""Options that may be a range LOW..HIGH."""
DEFAULTS = {
    "batch": 1.0,
    "devices": 8.0,
    "utilisation": 0.4,
    "bandwidth_utilisation": 0.8,
    "weight_bytes": 2.0,
    "kv_share": 1.0,
}
MaybeRange = Annotated[float | str | None, tyro.conf.arg(metavar="NUMBER|LOW..HIGH")]


@dataclass(frozen=True)
class PriceOptions:
    """Prices of training and serving. Without any: 6ND FLOPs, and 2Nk FLOPs for each token served."""

    prompt: float | None = None
    """Tokens of a query's prompt, which all its samples share; 0 for none."""
    generated: float = 1.0
    """Tokens of each sample."""
    context: float | None = None
    """Tokens of a training sequence; adds the costs of attention, and of the KV cache in serving."""
    model_config: Annotated[Path | None, tyro.conf.arg(metavar="config.json")] = None
    """Hugging Face config.json of a model whose layers, heads and experts the plan keeps in proportion."""
    model_params: float | None = None
    """N of that model as the table counts it; by default its active parameters with embeddings."""
    shared_prompt: bool = False
    """All samples of a query read the prompt's KV cache together, not each for itself."""
    accelerator: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE.toml")] = None
    """H100, H200, A100, B200, L40S, MI300X, TPU v5e, v5p or v6e, or a file: costs in device-seconds."""
    flops: float | None = None
    """Peak FLOP/s of an accelerator of your own, with --bandwidth and --memory."""
    bandwidth: float | None = None
    """Peak memory bandwidth in bytes/s."""
    memory: float | None = None
    """Memory of one device in bytes."""
    price: MaybeRange = None
    """Dollars per device-hour: costs in dollars. A range LOW..HIGH widens the intervals."""
    device_hours: bool = False
    """Costs and budgets in device-hours, where there is no price."""
    batch: float | None = None
    """Sequences that are decoded together, 1 by default."""
    devices: float | None = None
    """Devices that serve one copy of the model together, 8 by default."""
    utilisation: MaybeRange = None
    """Share of the peak arithmetic that training and serving reach, 0.4 by default; or a range."""
    bandwidth_utilisation: MaybeRange = None
    """Share of the peak memory bandwidth that decoding reaches, 0.8 by default; or a range."""
    kv_share: float | None = None
    """Key-value heads over query heads, with --context: 0.125 in many grouped-query models; 1 by default."""
    weight_bytes: float | None = None
    """Bytes of a parameter when serving, 2 by default."""

    def costs(self) -> "tuple[Training | None, Serving | None]":
        """Returns the prices, None for those of the paper. A range counts by its geometric middle.

        It raises ValueError for an unknown accelerator, a file that is none or a wrong number.
        """
        from t2jax.planning.prices.costs import Serving, Training  # import JAX, which --help need not

        device, shape = self._device(), self._shape()
        training = None if device is None and shape is None else Training(shape=shape, context=self.context, on=device)
        plain = device is None and shape is None and not self.prompt and self.generated == 1.0
        if plain:
            return training, None
        serving = Serving(
            prompt=self.prompt,
            generated=self.generated,
            shape=shape,
            batch=self.value("batch"),
            weight_bytes=self.value("weight_bytes"),
            on=device,
            shared_prompt=self.shared_prompt,
        )
        return training, serving

    def value(self, name: str) -> Any:
        """Returns the value of an option, its default, or the geometric middle of a range."""
        value = getattr(self, name)
        if isinstance(value, str) and name in RANGES:
            low, high = _ends(name, value)
            return math.sqrt(low * high)
        return DEFAULTS.get(name) if value is None else value

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Returns the ends of every option that is a range. It raises ValueError for other texts."""
        texts = {name: value for name in RANGES if isinstance(value := getattr(self, name), str)}
        return {name: _ends(name, text) for name, text in texts.items()}

    def over_ranges(self, count: int) -> Iterator["PriceOptions"]:
        """Yields options whose ranges are replaced by numbers, evenly spread in logs and independent of each other."""
        import numpy as np

        rng, ranges = np.random.default_rng(0), self.ranges()
        shares = {name: (rng.permutation(count) + 0.5) / count for name in ranges}
        for i in range(count):
            points = {name: float(low * (high / low) ** shares[name][i]) for name, (low, high) in ranges.items()}
            yield replace(self, **points)

    def _device(self) -> "Accelerator | None":
        from t2jax.planning.prices.accelerator_file import read_accelerator
        from t2jax.planning.prices.hardware import Accelerator, accelerator

        peaks = [name for name in PEAKS if getattr(self, name) is not None]
        if self.accelerator is None and not peaks:
            if self.price is not None:
                raise ValueError("--price is per device-hour, so it needs a device, such as --accelerator H100")
            if self.device_hours:
                raise ValueError("--device-hours needs a device, such as --accelerator H100")
            for name in DEVICE_OPTIONS:
                if getattr(self, name) is not None:
                    option = name.replace("_", "-")
                    raise ValueError(f"--{option} needs a device, such as --accelerator H100")
            return None
        if self.accelerator is not None and peaks:
            raise ValueError(f"--{peaks[0]} describes an accelerator of your own; leave out --accelerator")
        if peaks and len(peaks) < len(PEAKS):
            missing = next(name for name in PEAKS if name not in peaks)
            raise ValueError(f"--{peaks[0]} needs --{missing} too: a device has --flops, --bandwidth and --memory")
        if self.device_hours and self.price is not None:
            raise ValueError("--device-hours is for costs without a price: leave out --price")
        settings = {name: self.value(name) for name in OF_DEVICES}
        hours = self.device_hours
        if peaks:
            return Accelerator("devices of your own", *(getattr(self, name) for name in PEAKS), **settings, hours=hours)
        assert self.accelerator is not None
        if not self.accelerator.endswith(".toml"):
            return accelerator(self.accelerator, **settings, hours=hours)
        given = {name: setting for name, setting in settings.items() if getattr(self, name) is not None}
        given |= {"price": None, "hours": True} if hours else {}
        return replace(read_accelerator(self.accelerator), **given)

    def _shape(self) -> "Shape | None":
        from t2jax.planning.prices.shape import Shape

        if self.model_config is None and self.model_params is not None:
            raise ValueError("--model-params is N of a model, so it needs --model-config")
        if self.context is None:
            for name in ("kv_share", "model_config"):
                if getattr(self, name) is not None:
                    raise ValueError(f"--{name.replace('_', '-')} needs --context, which adds the KV cache")
            return None
        if self.model_config is None:
            return Shape(kv_share=self.value("kv_share"))
        if self.kv_share is not None:
            raise ValueError("--model-config says how many key-value heads there are; leave out --kv-share")
        return Shape.from_config(self.model_config, self.model_params)


def _ends(name: str, text: str) -> tuple[float, float]:
    """Returns the ends of a range such as "2..4". It raises ValueError for another text."""
    option = f"--{name.replace('_', '-')}"
    low, dots, high = text.partition("..")
    try:
        ends = float(low), float(high)
    except ValueError:
        raise ValueError(f"{option}: found {text!r}, expected a number or a range such as 2..4") from None
    if not dots or not 0 < ends[0] < ends[1]:
        raise ValueError(f"{option}: found {text!r}, expected a range from a lower to a higher number above zero")
    return ends


PRICE_NAMES = tuple(option.name for option in fields(PriceOptions) if option.name != "device_hours")
"""Options that --what-if may change: not the unit, in which the plan is compared."""
