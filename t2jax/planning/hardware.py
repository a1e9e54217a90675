"""Accelerators: how fast they compute and read memory, how much they hold, and what an hour of one costs.

Peaks are of dense bf16 arithmetic, per device, from the vendors' own pages:
  A100: NVIDIA A100 80GB datasheet (nvidia-a100-datasheet-us-nvidia-1758950-r4), SXM4.
  H100: NVIDIA H100 datasheet, SXM5; it quotes 1,979 TFLOP/s with sparsity, half of which is dense.
  H200: NVIDIA H200 datasheet, SXM5; likewise.
  TPU v5e: cloud.google.com/tpu/docs/v5e, per chip.
"""

from dataclasses import dataclass

import numpy as np

from t2jax.pytrees import register
from t2jax.typing import ArrayLike
from t2jax.working_precision import is_traced

_PEAKS = {  # FLOP/s, bytes/s, bytes
    "H100": (989e12, 3.35e12, 80e9),
    "H200": (989e12, 4.8e12, 141e9),
    "A100": (312e12, 2.039e12, 80e9),
    "TPU v5e": (197e12, 819e9, 16e9),
}


@dataclass(frozen=True)
class Accelerator:
    """One device and how it is used. Every number may be an array, giving one problem per entry.

    flops: peak FLOP/s. bandwidth: bytes/s of its memory. memory: bytes. devices: how many serve one replica of the
    model together; they share work evenly, and what they say to each other is not counted. utilisation,
    bandwidth_utilisation: share of each peak that is reached where it is what limits. price: dollars per device-hour;
    left out, costs are device-seconds. `accelerator` knows some by name.

    Raises ValueError, naming the field and its value, for one that is not positive, or a share above 1.
    """

    name: str
    flops: ArrayLike
    bandwidth: ArrayLike
    memory: ArrayLike
    devices: ArrayLike = 8.0
    utilisation: ArrayLike = 0.4
    bandwidth_utilisation: ArrayLike = 0.8
    price: ArrayLike | None = None

    def __post_init__(self):
        check_positive(self, _FIELDS)
        for name in ("utilisation", "bandwidth_utilisation"):
            value = getattr(self, name)
            if not is_traced(value) and np.max(value) > 1:
                raise ValueError(f"{type(self).__name__}.{name} is a share of the peak, not {np.max(value):g}")

    @property
    def unit(self) -> str:
        """What `charge` returns: "dollars" with a price, else "device-seconds"."""
        return "device-seconds" if self.price is None else "dollars"

    def charge(self, seconds: ArrayLike) -> ArrayLike:
        """What device-seconds cost, in `unit`."""
        return seconds if self.price is None else seconds * self.price / 3600.0  # pyright: ignore


_FIELDS = ("flops", "bandwidth", "memory", "devices", "utilisation", "bandwidth_utilisation", "price")
register(Accelerator, _FIELDS, ("name",))


def accelerator(
    name: str,
    *,
    devices: ArrayLike = 8.0,
    utilisation: ArrayLike = 0.4,
    bandwidth_utilisation: ArrayLike = 0.8,
    price: ArrayLike | None = None,
) -> Accelerator:
    """A known accelerator: "H100", "H200", "A100" or "TPU v5e", in any case and with or without spaces and hyphens.

    devices, utilisation, bandwidth_utilisation, price: as in `Accelerator`; the shares are what well-tuned programs
    reach, not measurements, so give your own. Raises ValueError that lists the known names for another.
    Example: `t2.accelerator("H100", price=2.5)`.
    """

    def plain(name: str) -> str:
        return "".join(letter for letter in name.casefold() if letter.isalnum())

    known = {plain(one): one for one in _PEAKS}
    if plain(name) not in known:
        raise ValueError(f"unknown accelerator {name!r}: known are {', '.join(_PEAKS)}; others as t2.Accelerator(...)")
    named = known[plain(name)]
    return Accelerator(named, *_PEAKS[named], devices, utilisation, bandwidth_utilisation, price)


def check_positive(one: object, names: tuple[str, ...]) -> None:
    """Raise ValueError for a field of a dataclass that is neither None nor positive and finite in every entry."""
    for name in names:
        value = getattr(one, name)
        if value is None or is_traced(value):
            continue
        array = np.asarray(value, float)
        wrong = ~(np.isfinite(array) & (array > 0))
        if wrong.any():
            raise ValueError(f"{type(one).__name__}.{name} must be positive and finite, not {array[wrong].flat[0]:g}")
