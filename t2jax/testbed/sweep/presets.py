"""Named sweeps: a tiny one for tests, those of data/testbed/DESIGN.md, and one for accelerators."""

from dataclasses import dataclass

from t2jax.testbed.sweep.grid import Arm, Grid
from t2jax.testbed.sweep.train import Recipe
from t2jax.testbed.sweep.tuning import Tuning
from t2jax.testbed.text.corpus import Source, tiny
from t2jax.testbed.text.debian import PACKAGES, debian


@dataclass(frozen=True)
class Preset:
    """A grid, a recipe, the source of a corpus and post-training; `workers` is as in `sweep_all`."""

    grid: Grid | Arm
    recipe: Recipe
    source: Source
    about: str
    tuning: Tuning | None = None
    workers: int | None = None


DEBIAN = Source(
    "debian " + " ".join(f"{package.name}={package.version}" for package in PACKAGES), lambda: debian(seed=0)
)

WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96, 160)

PRESETS = {
    "tiny": Preset(
        grid=Grid(
            widths=(4, 8, 12),
            longest=(2**17, 2**17, 2**16),
            shortest=2**14,
            first_budget=1.5e8,
            growth=2.0,
            budgets=7,
            seeds=(0,),
        ),
        recipe=Recipe(),
        source=Source("tiny", lambda: tiny(seed=0)),
        tuning=Tuning(epochs=1, factors=(0.1, 0.3), answered=2),
        about="three sizes on made-up sentences, under two minutes on one core",
    ),
    "debian": Preset(
        grid=Grid(
            widths=WIDTHS,
            longest=(2**24.6, 2**24.6, 2**24.6, 2**24.6, 2**24.6, 2**23.6, 2**23.1, 2**22.6, 2**21.8),
            shortest=2**18,
            first_budget=3.75e9,
            growth=2 ** (1 / 3),
            budgets=40,
            seeds=(0, 1, 2),
        ),
        recipe=Recipe(),
        source=DEBIAN,
        tuning=Tuning(),
        about="nine sizes from 2 k to 0.9 M on dictionaries, verses and made-up tasks, with post-training",
    ),
    "rates": Preset(
        grid=Arm(widths=WIDTHS, longest=(2**21,) * 9, lengths=(2**18, 2**21), seeds=(0,), factors=(0.5, 1.0, 2.0)),
        recipe=Recipe(),
        source=DEBIAN,
        about="half and twice the rate of the preset debian, at two lengths of each size",
    ),
    "data-wall": Preset(
        grid=Arm(
            widths=(16, 32, 96),
            longest=(2**26, 2**26, 2**25),
            lengths=tuple(2**j for j in range(20, 27)),
            seeds=(0,),
            unique=(2**20, 2**21, 2**22, 2**23),
        ),
        recipe=Recipe(),
        source=DEBIAN,
        about="three sizes that read 1 to 8 M tokens of the same text up to 64 times",
    ),
    "accelerator": Preset(
        grid=Grid(
            widths=(16, 32, 64, 128, 192, 256, 384, 512),
            longest=(2**27,) * 8,
            shortest=2**20,
            first_budget=1e11,
            growth=2.0,
            budgets=18,
            seeds=(0, 1, 2),
            heads=4,
        ),
        # The rate is that of the preset debian times the root of the larger batch; it was not searched.
        recipe=Recipe(batch=256, rate=0.22 * 32**0.5, even=0.75 * 2**20, warmup=32),
        source=DEBIAN,
        about="up to 9 M parameters and 128 M tokens, batches of 16 k tokens over all devices of a GPU or TPU machine",
        workers=0,
    ),
}
