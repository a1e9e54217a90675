"""Named sweeps: a tiny one for tests, the one whose tables are in data/testbed, and one for accelerators."""

from dataclasses import dataclass

from t2jax.testbed.sweep.grid import Grid
from t2jax.testbed.sweep.train import Recipe
from t2jax.testbed.text.corpus import Source, tiny
from t2jax.testbed.text.debian import PACKAGES, debian


@dataclass(frozen=True)
class Preset:
    """A grid, a recipe and the source of a corpus; `workers` is as in `sweep_all`."""

    grid: Grid
    recipe: Recipe
    source: Source
    about: str
    workers: int | None = None


DEBIAN = Source(
    "debian " + " ".join(f"{package.name}={package.version}" for package in PACKAGES), lambda: debian(seed=0)
)

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
        about="three sizes on made-up sentences, under two minutes on one core",
    ),
    "debian": Preset(
        grid=Grid(
            widths=(8, 12, 16, 24, 32, 48, 64, 96, 160),
            longest=(2**24.6, 2**24.1, 2**24.1, 2**23.1, 2**23.1, 2**22.6, 2**22.1, 2**21.6, 2**20.6),
            shortest=2**15.4,
            first_budget=9.3e8,
            growth=2**0.5,
            budgets=30,
            seeds=(0, 1, 2),
        ),
        recipe=Recipe(),
        source=DEBIAN,
        about="nine sizes from 2 k to 0.9 M on dictionaries, verses and made-up tasks; what data/testbed holds",
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
        recipe=Recipe(batch=256, rate=0.1),
        source=DEBIAN,
        about="up to 9 M parameters and 128 M tokens, batches of 16 k tokens over all devices of a GPU or TPU machine",
        workers=0,
    ),
}
