"""A sweep: every checkpoint of a grid is trained, measured and saved, and resumes after any interruption.

The folder of a sweep has settings.json with the settings and the source of the text, and the text in corpus.npz.
trunks/ has the trunk of every run at its last branch, models/ the parameters of every finished checkpoint.
cells/ has its measurements. A cell's file is written last and at once, so a cell is either finished or not begun.
followups/ has what is measured afterwards at some checkpoints: strong wrong answers, and the questions of a task after
post-training.
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
from t2jax.testbed.sweep.answers import wrong_answers
from t2jax.testbed.sweep.grid import Arm, Cell, Grid, Run
from t2jax.testbed.sweep.measure import answer_nll, text_loss
from t2jax.testbed.sweep.train import Recipe, State, Windows, begin, branch, branch_step, trunk
from t2jax.testbed.sweep.tuning import STAGES, Tuning, choose_factor, fine_tune
from t2jax.testbed.text.archive import Corpus
from t2jax.testbed.text.corpus import Source

SETTINGS, CORPUS, TRUNKS, MODELS, CELLS = "settings.json", "corpus.npz", "trunks", "models", "cells"
FOLLOWUPS, ANSWERS = "followups", "answers"
HELD_OUT_WINDOWS = 4096


class SweepError(ValueError):
    """Error for a folder that has a sweep of other settings, or no sweep."""


class Measured(NamedTuple):
    """Measurements of a finished cell.

    Attributes:
        run: Its run.
        cell: Its cell.
        nll: Negative log-likelihoods of the answers in nats, shape (questions,).
        loss: Loss on held-out text in nats/token.
        seconds: Wall time of training and measurement.
    """

    run: Run
    cell: Cell
    nll: np.ndarray
    loss: float
    seconds: float


class Tuned(NamedTuple):
    """Measurements of a checkpoint after post-training on one task.

    Attributes:
        stage: "ft" or "sft".
        task: The task.
        nll: Negative log-likelihoods of the task's answers in nats, shape (questions,).
        factor: Factor of the rate.
    """

    stage: str
    task: str
    nll: np.ndarray
    factor: float


@dataclass(frozen=True)
class Sweep:
    """The grid, recipe, corpus, folder and post-training (None for none) of a sweep."""

    folder: Path
    grid: Grid | Arm
    recipe: Recipe
    corpus: Corpus
    tuning: Tuning | None = None

    def runs(self) -> list[Run]:
        """Lists all runs of the grid, with the most expensive run of each seed first."""
        return list(self.grid.runs(self.recipe, self.corpus.vocabulary))

    def claim(self, source: str) -> None:
        """Writes the settings, or raises SweepError with the first difference from the settings in the folder.

        Seeds may differ, since more can be added to a folder. A folder without a source accepts any.
        """
        parts = {"grid": self.grid, "recipe": self.recipe, "tuning": self.tuning}
        settings = json.loads(json.dumps(parts, default=dataclasses.asdict))
        settings |= {"source": source, "corpus": self.corpus.digest}
        path = self.folder / SETTINGS
        if path.exists():
            stored = _settings(path)
            stored_leaves = {"source": source, **dict(_leaves(stored))}
            for where, value in _leaves(settings):
                if stored_leaves.get(where) != value and where != "grid.seeds":
                    raise SweepError(
                        f"{path}: {where} is {stored_leaves.get(where)} there and {value} now; a changed setting needs"
                        " a folder of its own"
                    )
            settings["grid"]["seeds"] = sorted({*settings["grid"]["seeds"], *stored["grid"]["seeds"]})
        save_json(path, settings)

    def finished(self, run: Run, cell: Cell) -> bool:
        """Checks whether a cell has been trained and measured."""
        return self._cell(run, cell).exists()

    def count(self) -> int:
        """Counts the finished cells."""
        return sum(self.finished(run, cell) for run in self.runs() for cell in run.cells)

    def complete(self, run: Run) -> bool:
        """Checks whether all cells of a run are finished, with what follows them."""
        followed = all(self._followup(run, cell, part).exists() for cell, part in self._followups(run))
        return followed and all(self.finished(run, cell) for cell in run.cells)

    def recipe_of(self, run: Run) -> Recipe:
        """Computes the recipe of a run, with its own rate."""
        return dataclasses.replace(self.recipe, rate=self.recipe.rate * run.factor)

    def unique_tokens(self, run: Run, cell: Cell) -> int:
        """Counts the different tokens of text that a cell has read."""
        windows = (len(self._stream(run)) - 1) // self.recipe.context
        return min(cell.steps * self.recipe.tokens_per_step, windows * self.recipe.context)

    def train(self, run: Run, cell: Cell) -> None:
        """Trains, measures and saves a cell, unless it is finished; shorter cells of the run come first."""
        if self.finished(run, cell):
            return
        recipe = self.recipe_of(run)
        data = Windows.cut(self._stream(run), recipe.context, run.seed)
        began = time.perf_counter()
        state = self._trunk(run, branch_step(cell.steps), data)
        state = branch(state, cell.steps, run.shape, recipe, data)
        self._save_cell(run, cell, state, began)

    def follow(self, run: Run) -> None:
        """Measures wrong answers and post-training at the chosen checkpoints of a finished run."""
        if (tuning := self.tuning) is None:
            return
        unfinished = [pair for pair in self._followups(run) if not self._followup(run, *pair).exists()]
        factors = self._factors(run, tuning) if unfinished else {}
        for cell, part in unfinished:
            params = self.params(run, cell)
            if part == ANSWERS:
                values, factor = self._wrong_answers(run, params, tuning), 0.0
            else:
                stage, task = part.split("-")
                exercises, factor = self.corpus.exercises.of(task), factors[stage]
                params = fine_tune(run.shape, params, exercises, stage, factor, self.recipe, tuning)
                values = answer_nll(run.shape, params, self.corpus.questions.of(task))
            with whole(self._followup(run, cell, part)) as temporary, temporary.open("wb") as file:
                np.savez(file, values=values.astype(np.float32), factor=factor)

    def tuned(self, run: Run, cell: Cell) -> Iterator[Tuned]:
        """Yields what a cell answered after post-training, as far as it is finished."""
        for followed, part in self._followups(run):
            if followed == cell and part != ANSWERS and (path := self._followup(run, cell, part)).exists():
                with np.load(path, allow_pickle=False) as file:
                    stage, task = part.split("-")
                    yield Tuned(stage, task, file["values"], float(file["factor"]))

    def wrong_answers(self, run: Run, cell: Cell) -> np.ndarray | None:
        """Loads the probabilities of a cell's strongest wrong answers, of the first questions of each task in turn."""
        path = self._followup(run, cell, ANSWERS)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            return file["values"]

    def measured(self) -> Iterator[Measured]:
        """Yields the measurements of every finished cell."""
        for run in self.runs():
            for cell in run.cells:
                if self.finished(run, cell):
                    with np.load(self._cell(run, cell), allow_pickle=False) as file:
                        yield Measured(run, cell, file["nll"], float(file["loss"]), float(file["seconds"]))

    def params(self, run: Run, cell: Cell) -> Any:
        """Loads the parameters of a finished cell."""
        like = jax.eval_shape(lambda: begin(run.shape, self.recipe, run.seed).params)
        with ocp.StandardCheckpointer() as checkpoints:
            return checkpoints.restore(self._model(run, cell), like)

    def _stream(self, run: Run) -> np.ndarray:
        return self.corpus.train[: run.unique + 1] if run.unique else self.corpus.train

    def _followups(self, run: Run) -> list[tuple[Cell, str]]:
        """Lists the checkpoints and parts that are measured afterwards: the last cell and every n-th before it."""
        if self.tuning is None:
            return []
        parts = [ANSWERS, *(f"{stage}-{task}" for task in self.corpus.exercises.tasks for stage in STAGES)]
        cells = run.cells[:: -self.tuning.every][::-1]
        return [(cell, part) for cell in cells for part in parts]

    def _factors(self, run: Run, tuning: Tuning) -> dict[str, float]:
        """Chooses the rate of each stage at the middle one of a run's followed checkpoints, on the first tuned task."""
        path = self.folder / FOLLOWUPS / f"{run.label}-rates.json"
        if not path.exists():
            cells = run.cells[:: -tuning.every]
            params = self.params(run, cells[len(cells) // 2])
            exercises = self.corpus.exercises.of(self.corpus.exercises.tasks[0])
            choices = (choose_factor(run.shape, params, exercises, stage, self.recipe, tuning) for stage in STAGES)
            save_json(path, dict(zip(STAGES, choices, strict=True)))
        return json.loads(path.read_text(encoding="utf-8"))

    def _wrong_answers(self, run: Run, params: Any, tuning: Tuning) -> np.ndarray:
        tasks = self.corpus.questions.tasks
        asked = (self.corpus.questions.of(task, tuning.answered) for task in tasks)
        return np.concatenate([wrong_answers(run.shape, params, questions) for questions in asked])

    def _trunk(self, run: Run, step: int, data: Windows) -> State:
        """Trains the trunk up to `step` from its last saved state, and saves it."""
        folder = (self.folder / TRUNKS / run.label).absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        with ocp.CheckpointManager(folder, options=options) as manager:
            recipe = self.recipe_of(run)
            state = begin(run.shape, recipe, run.seed)
            if (last := manager.latest_step()) is not None and last <= step:
                state = State(*manager.restore(last, args=ocp.args.StandardRestore(tuple(state))))
            state = trunk(state, step, run.shape, recipe, data)
            if last is None or last < step:
                manager.save(step, args=ocp.args.StandardSave(tuple(state)))
        return state

    def _save_cell(self, run: Run, cell: Cell, state: State, began: float) -> None:
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

    def _followup(self, run: Run, cell: Cell, part: str) -> Path:
        return self.folder / FOLLOWUPS / f"{run.name(cell)}-{part}.npz"

    def _cell(self, run: Run, cell: Cell) -> Path:
        return self.folder / CELLS / f"{run.name(cell)}.npz"


def sweep_at(folder: Path, grid: Grid | Arm, recipe: Recipe, source: Source, tuning: Tuning | None = None) -> Sweep:
    """Opens or creates a sweep in a folder; raises SweepError as `claim`.

    A corpus is made unless the folder has one and names its source; without a source only the digest identifies it.
    """
    corpus_file, settings = folder / CORPUS, folder / SETTINGS
    has_source = corpus_file.exists() and settings.exists() and "source" in _settings(settings)
    corpus = Corpus.load(corpus_file) if has_source else source.make()
    sweep = Sweep(folder, grid, recipe, corpus, tuning)
    sweep.claim(source.name)
    if not has_source:
        sweep.corpus.save(corpus_file)
    return sweep


def sweep_in(folder: Path) -> Sweep:
    """Opens the sweep in a folder with all its seeds; raises SweepError if there is none."""
    settings = _settings(folder / SETTINGS)
    try:
        grid, tuning = _tuples(settings["grid"]), settings["tuning"]
        kind = Arm if "lengths" in grid else Grid
        tuning = None if tuning is None else Tuning(**_tuples(tuning))
        return Sweep(folder, kind(**grid), Recipe(**settings["recipe"]), Corpus.load(folder / CORPUS), tuning)
    except (KeyError, TypeError, AttributeError) as error:
        raise SweepError(f"{folder / SETTINGS}: {error}, expected the settings of a sweep") from None


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


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
