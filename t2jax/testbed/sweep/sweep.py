"""A sweep: every checkpoint of a grid trained, measured and kept, whatever interrupts it.

Below the sweep's folder: settings.json says what is swept and from which text, corpus.npz is that text; trunks/ holds
the trunk of every run at its last branch, models/ the parameters of every finished checkpoint, cells/ its measurements.
A cell's file is written last and at once, so a cell is finished or not begun.
"""

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from t2jax.files import save_json, whole
from t2jax.testbed.sweep.grid import Cell, Grid, Run
from t2jax.testbed.sweep.measure import answer_nll, text_loss
from t2jax.testbed.sweep.train import Recipe, State, Windows, begin, branch, branch_step, trunk
from t2jax.testbed.text.archive import Corpus
from t2jax.testbed.text.corpus import Source

SETTINGS, CORPUS, TRUNKS, MODELS, CELLS = "settings.json", "corpus.npz", "trunks", "models", "cells"
HELD_OUT_WINDOWS = 4096


class SweepError(ValueError):
    """The folder belongs to a sweep of other settings, or holds no sweep."""


class Measured(NamedTuple):
    """A finished cell. nll (questions,): of the answers, in nats. loss: nats/token of held-out text. seconds: taken."""

    run: Run
    cell: Cell
    nll: np.ndarray
    loss: float
    seconds: float


@dataclass(frozen=True)
class Sweep:
    """What is trained, on what, and where it is kept."""

    folder: Path
    grid: Grid
    recipe: Recipe
    corpus: Corpus

    def runs(self) -> list[Run]:
        """All runs of the grid, the costliest of each seed first."""
        return list(self.grid.runs(self.recipe, self.corpus.vocabulary))

    def claim(self, source: str) -> None:
        """Write down the settings, or check that the folder's are the same. Raises SweepError naming what differs.

        Seeds do not count: more can be added to a folder. Nor does a source that the folder does not name.
        """
        ours = json.loads(json.dumps({"grid": self.grid, "recipe": self.recipe}, default=dataclasses.asdict))
        ours |= {"source": source, "corpus": self.corpus.digest}
        path = self.folder / SETTINGS
        if path.exists():
            theirs = _settings(path)
            kept = {"source": source, **dict(_leaves(theirs))}
            for where, mine in _leaves(ours):
                if kept.get(where) != mine and where != "grid.seeds":
                    raise SweepError(
                        f"{path}: {where} is {kept.get(where)} there and {mine} now; a changed setting needs a folder"
                        " of its own"
                    )
            ours["grid"]["seeds"] = sorted({*ours["grid"]["seeds"], *theirs["grid"]["seeds"]})
        save_json(path, ours)

    def finished(self, run: Run, cell: Cell) -> bool:
        """Whether a cell has been trained and measured."""
        return self._cell(run, cell).exists()

    def count(self) -> int:
        """How many cells are finished."""
        return sum(self.finished(run, cell) for run in self.runs() for cell in run.cells)

    def go(self, run: Run) -> Iterator[Cell]:
        """Train and measure the unfinished cells of a run, yielding each when it is kept."""
        data = Windows.cut(self.corpus.train, self.recipe.context, run.seed)
        for cell in run.cells:
            if not self.finished(run, cell):
                began = time.perf_counter()
                state = self._trunk(run, branch_step(cell.steps), data)
                state = branch(state, cell.steps, run.shape, self.recipe, data)
                self._keep(run, cell, state, began)
            yield cell

    def measured(self) -> Iterator[Measured]:
        """What is kept of every finished cell."""
        for run in self.runs():
            for cell in run.cells:
                if self.finished(run, cell):
                    with np.load(self._cell(run, cell), allow_pickle=False) as kept:
                        yield Measured(run, cell, kept["nll"], float(kept["loss"]), float(kept["seconds"]))

    def params(self, run: Run, cell: Cell) -> Any:
        """The parameters of a finished cell."""
        like = jax.eval_shape(lambda: begin(run.shape, self.recipe, run.seed).params)
        with ocp.StandardCheckpointer() as checkpoints:
            return checkpoints.restore(self._model(run, cell), like)

    def _trunk(self, run: Run, step: int, data: Windows) -> State:
        """The trunk at `step`, from where it was last kept; kept again."""
        folder = (self.folder / TRUNKS / run.label).absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        with ocp.CheckpointManager(folder, options=options) as kept:
            state = begin(run.shape, self.recipe, run.seed)
            if (last := kept.latest_step()) is not None and last <= step:
                state = State(*kept.restore(last, args=ocp.args.StandardRestore(tuple(state))))
            state = trunk(state, step, run.shape, self.recipe, data)
            if last is None or last < step:
                kept.save(step, args=ocp.args.StandardSave(tuple(state)))
        return state

    def _keep(self, run: Run, cell: Cell, state: State, began: float) -> None:
        nll = answer_nll(run.shape, state.params, self.corpus.questions)
        held_out = Windows.cut(self.corpus.held_out, self.recipe.context, 0).windows[:HELD_OUT_WINDOWS]
        loss = text_loss(run.shape, state.params, held_out)
        with ocp.StandardCheckpointer() as checkpoints:
            checkpoints.save(self._model(run, cell), state.params, force=True)
        seconds = time.perf_counter() - began
        path = self._cell(run, cell)
        with whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, nll=nll.astype(np.float32), loss=loss, seconds=seconds)

    def _model(self, run: Run, cell: Cell) -> Path:
        return (self.folder / MODELS / run.name(cell)).absolute()

    def _cell(self, run: Run, cell: Cell) -> Path:
        return self.folder / CELLS / f"{run.name(cell)}.npz"


def sweep_at(folder: Path, grid: Grid, recipe: Recipe, source: Source) -> Sweep:
    """A sweep in a folder. Raises SweepError as `claim`.

    The corpus is made where the folder has none yet, or does not say what it was made from: only its digest tells then.
    """
    kept, settings = folder / CORPUS, folder / SETTINGS
    known = kept.exists() and settings.exists() and "source" in _settings(settings)
    sweep = Sweep(folder, grid, recipe, Corpus.load(kept) if known else source.make())
    sweep.claim(source.name)
    if not known:
        sweep.corpus.save(kept)
    return sweep


def sweep_in(folder: Path) -> Sweep:
    """The sweep that a folder holds, with all its seeds. Raises SweepError if it holds none."""
    said = _settings(folder / SETTINGS)
    try:
        grid: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in said["grid"].items()
        }
        return Sweep(folder, Grid(**grid), Recipe(**said["recipe"]), Corpus.load(folder / CORPUS))
    except (KeyError, TypeError, AttributeError) as error:
        raise SweepError(f"{folder / SETTINGS}: {error}, expected the settings of a sweep") from None


def _settings(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SweepError(f"{path}: {error}, expected the settings of a sweep") from None


def _leaves(tree: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for name, branch in tree.items():
            yield from _leaves(branch, f"{where}.{name}" if where else name)
    else:
        yield where, tuple(tree) if isinstance(tree, Sequence) and not isinstance(tree, str) else tree
