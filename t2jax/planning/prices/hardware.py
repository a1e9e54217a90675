"""Accelerators: their peak speeds (`peaks`), their memory and the price of an hour."""

from dataclasses import dataclass

import numpy as np

from t2jax.planning.prices.peaks import PEAKS
from t2jax.pytrees import register
from t2jax.typing import ArrayLike
from t2jax.working_precision import is_traced


@dataclass(frozen=True)
class Accelerator:
    """One device with its peaks, how much of them a program reaches, and its price.

    Every number may be an array, which gives one problem per entry. `t2.accelerator` returns known devices by name.

    Args:
        name: Name of the device.
        flops: Peak arithmetic in FLOP/s.
        bandwidth: Peak memory bandwidth in bytes/s.
        memory: Memory of one device in bytes.
        devices: Number of devices that serve one replica of the model. They share the work evenly, and communication
            between them is not counted.
        utilisation: Share of `flops` that programs reach when arithmetic limits them.
        bandwidth_utilisation: Share of `bandwidth` that programs reach when memory traffic limits them.
        price: Dollars per device-hour. Without a price, costs are in device-seconds.
        hours: Whether costs without a price are in device-hours instead.

    Raises:
        ValueError: When a number is not positive, or a share is above 1. The message names the field and its value.
            Or when there are both a price and hours.

    Examples:
        >>> chip = t2.Accelerator("my chip", flops=1e15, bandwidth=4e12, memory=96e9, price=3.0)
        >>> chip.charge(7200.0), chip.unit
        (6.0, 'dollars')
    """

    name: str
    flops: ArrayLike
    bandwidth: ArrayLike
    memory: ArrayLike
    devices: ArrayLike = 8.0
    utilisation: ArrayLike = 0.4
    bandwidth_utilisation: ArrayLike = 0.8
    price: ArrayLike | None = None
    hours: bool = False

    def __post_init__(self):
        check_positive(self, _FIELDS)
        if self.hours and self.price is not None:
            raise ValueError(
                f"{type(self).__name__}: with a price costs are dollars, not device-hours: give one of them"
            )
        for name in ("utilisation", "bandwidth_utilisation"):
            value = getattr(self, name)
            if not is_traced(value) and np.max(value) > 1:
                raise ValueError(f"{type(self).__name__}.{name} is a share of the peak, not {np.max(value):g}")

    @property
    def unit(self) -> str:
        """Unit of `charge`: "dollars" with a price, otherwise "device-hours" or "device-seconds"."""
        if self.price is not None:
            return "dollars"
        return "device-hours" if self.hours else "device-seconds"

    def charge(self, seconds: ArrayLike) -> ArrayLike:
        """Converts device-seconds to a cost.

        Args:
            seconds: Device-seconds.

        Returns:
            The cost in `unit`.
        """
        if self.price is None:
            return seconds / 3600.0 if self.hours else seconds  # pyright: ignore
        return seconds * self.price / 3600.0  # pyright: ignore


_FIELDS = ("flops", "bandwidth", "memory", "devices", "utilisation", "bandwidth_utilisation", "price")
register(Accelerator, _FIELDS, ("name", "hours"))


def accelerator(
    name: str,
    *,
    devices: ArrayLike = 8.0,
    utilisation: ArrayLike = 0.4,
    bandwidth_utilisation: ArrayLike = 0.8,
    price: ArrayLike | None = None,
    hours: bool = False,
) -> Accelerator:
    """Returns a known accelerator by name.

    Args:
        name: "A100", "B200", "H100", "H200", "L40S", "MI300X", "TPU v5e", "TPU v5p" or "TPU v6e", in any case, with or
            without spaces and hyphens. The sources are in `t2jax.planning.prices.peaks`.
        devices: Number of devices that serve one replica of the model.
        utilisation: Share of peak FLOP/s that programs reach. The default is typical of tuned programs, not a
            measurement, so give your own.
        bandwidth_utilisation: Share of peak memory bandwidth that programs reach. The same caution holds.
        price: Dollars per device-hour. Without a price, costs are in device-seconds.
        hours: Whether costs without a price are in device-hours instead.

    Returns:
        The accelerator with the vendor's peaks.

    Raises:
        ValueError: When the name is unknown. The message lists the known names.

    Examples:
        >>> chip = t2.accelerator("tpu-v5e", devices=4)
        >>> chip.name, chip.memory, chip.unit
        ('TPU v5e', 16000000000.0, 'device-seconds')
    """

    def normalised(name: str) -> str:
        """Lower-case letters and digits of a name."""
        return "".join(letter for letter in name.casefold() if letter.isalnum())

    names = {normalised(name): name for name in PEAKS}
    if normalised(name) not in names:
        listed = ", ".join(PEAKS)
        raise ValueError(f"unknown accelerator {name!r}: expected one of {listed}, or your own t2.Accelerator(...)")
    match = names[normalised(name)]
    return Accelerator(match, *PEAKS[match][:3], devices, utilisation, bandwidth_utilisation, price, hours)


def check_positive(record: object, names: tuple[str, ...]) -> None:
    """Raises ValueError unless every field is None, or positive and finite in every entry."""
    for name in names:
        value = getattr(record, name)
        if value is None or is_traced(value):
            continue
        array = np.asarray(value, float)
        invalid = ~(np.isfinite(array) & (array > 0))
        if invalid.any():
            given = f"{array[invalid].flat[0]:g}"
            raise ValueError(f"{type(record).__name__}.{name} must be positive and finite, not {given}")
