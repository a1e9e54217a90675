"""`t2jax testbed`: plan, train, tabulate and check a sweep of small language models."""

import json
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from t2jax.cli.output import Output, OutputOptions
from t2jax.cli.words import columns, count, evenly
from t2jax.files import whole

DEVICES = {"h100": "H100", "a100": "A100", "v5e": "TPU v5e"}
"""Names in `t2.accelerator` of the choices of --device."""


@dataclass(frozen=True)
class PlanConfig:
    """Print sizes, budgets, tokens per parameter and device-hours of a grid, without training anything."""

    preset: Literal["paper", "tiny", "debian", "rates", "data-wall", "accelerator"] = "paper"
    """`paper`: 16 sizes at 12 budgets of Roberts et al. 2026; the others are sweeps of t2jax."""
    device: Literal["h100", "a100", "v5e"] = "h100"
    """Accelerator of the device-hours."""
    utilisation: float = 0.4
    """Share of the accelerator's peak bf16 rate that training reaches."""
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class SweepConfig:
    """Train and measure every checkpoint of a grid. After an interruption, run it again to continue."""

    folder: tyro.conf.Positional[Path]
    """Folder of the sweep: corpus, settings, checkpoints, measurements, and the tables at the end."""
    preset: Literal["tiny", "debian", "rates", "data-wall", "accelerator"] = "debian"
    """The grid and its corpus."""
    text: Path | None = None
    """Folder of .txt files to train on, instead of the preset's text."""
    seeds: tuple[int, ...] = ()
    """Seeds to train, instead of the preset's; a later run can add more to the folder."""
    workers: int | None = None
    """Processes of one core each; 0 trains in one process over all devices, for GPUs and TPUs. The default is 0 for the
    preset `accelerator`, and the number of cores for the others."""
    json: bool = False
    """Print the result as JSON on stdout, and nothing else there."""


@dataclass(frozen=True)
class TableConfig:
    """Write the tables of a sweep's finished checkpoints, also during the sweep."""

    folder: tyro.conf.Positional[Path]
    """The folder of the sweep."""
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class CheckConfig:
    """Compare the exact probabilities of right answers with sampled answers, at three checkpoints of a sweep."""

    folder: tyro.conf.Positional[Path]
    """The folder of the sweep."""
    draws: int = 1000
    """Samples of each question."""
    seed: int = 0
    """Seed of the draws."""
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class TestbedConfig:
    """Our own measurements: sweeps of small language models, from a grid on paper to tables."""

    action: (
        Annotated[PlanConfig, tyro.conf.subcommand("plan")]
        | Annotated[SweepConfig, tyro.conf.subcommand("sweep")]
        | Annotated[TableConfig, tyro.conf.subcommand("table")]
        | Annotated[CheckConfig, tyro.conf.subcommand("check")]
    )


def run(config: TestbedConfig) -> int:
    """Runs the chosen action and returns the exit status.

    It raises SweepError or CorpusError, which are ValueErrors.
    """
    match config.action:
        case PlanConfig():
            return _plan(config.action)
        case SweepConfig():
            return _sweep(config.action)
        case TableConfig():
            return _table(config.action)
        case CheckConfig():
            return _check(config.action)


def _plan(config: PlanConfig) -> int:
    """Prints and saves the cells of a grid with their costs."""
    from t2jax.planning.prices.hardware import accelerator
    from t2jax.testbed.sweep.layout import PAPER_BUDGETS, PAPER_PARAMS, layout, of_grid
    from t2jax.testbed.sweep.presets import PRESETS

    peak = float(np.asarray(accelerator(DEVICES[config.device]).flops))
    if config.preset == "paper":
        cells = layout(PAPER_PARAMS, PAPER_BUDGETS, peak, config.utilisation)
    else:
        preset = PRESETS[config.preset]
        cells = of_grid(preset.grid, preset.recipe, peak, config.utilisation)
    with Output("testbed plan", config.output, config) as out:
        rows = [
            (count(params), f"{budget:.3g}", count(tokens), f"{ratio:.3g}", f"{hours:.3g}")
            for params, budget, tokens, ratio, hours in cells.to_numpy().tolist()
        ]
        out.say(columns(("params", "training FLOPs", "tokens", "tokens/param", f"{config.device}-hours"), rows), "")
        flops, total = (float(np.sum(cells[name].to_numpy())) for name in ("budget", "device_hours"))
        out.say(f"{len(cells)} runs, {flops:.3g} FLOPs: {total:.3g} {config.device}-hours at")
        out.say(f"{config.utilisation:.0%} of {peak:.3g} FLOP/s, if every cell is trained on its own.")
        with out.file("plan.csv") as path, whole(path) as unfinished:
            cells.to_csv(unfinished, index=False)
        return out.finish(0, {"runs": len(cells), "flops": flops, "device_hours": total})


def _sweep(config: SweepConfig) -> int:
    """Trains and measures a sweep, and writes its tables."""
    from tqdm import tqdm

    from t2jax.testbed.sweep.presets import PRESETS
    from t2jax.testbed.sweep.sweep import sweep_at, sweep_in
    from t2jax.testbed.sweep.tables import write_tables
    from t2jax.testbed.sweep.workers import sweep_all
    from t2jax.testbed.text.archive import Corpus, Settings
    from t2jax.testbed.text.corpus import text_source

    preset = PRESETS[config.preset]
    grid = replace(preset.grid, seeds=config.seeds) if config.seeds else preset.grid
    source = text_source(config.text, Settings(), seed=0) if config.text else preset.source
    workers = preset.workers if config.workers is None else config.workers
    say = partial(print, file=sys.stderr if config.json else sys.stdout, flush=True)

    def make_corpus() -> Corpus:
        say("making the corpus; this takes one to three minutes for the Debian texts")
        return source.make()

    sweep = sweep_at(config.folder, grid, preset.recipe, replace(source, make=make_corpus), preset.tuning)
    total = sum(len(run.cells) for run in sweep.runs())
    with tqdm(total=total, desc="checkpoints") as bar:
        sweep_all(sweep, workers, lambda done: bar.update(done - bar.n))
    whole_sweep = sweep_in(config.folder)  # includes the seeds of earlier sweeps
    written = write_tables(whole_sweep, config.folder)
    if config.json:
        files = [path.name for path in written]
        answer = {
            "command": "testbed sweep",
            "folder": str(config.folder),
            "files": files,
            "checkpoints": whole_sweep.count(),
        }
        print(json.dumps(answer, ensure_ascii=False))
    else:
        say(f"\nWritten: {', '.join(map(str, written))}")
    return 0


def _table(config: TableConfig) -> int:
    """Writes the tables of a sweep."""
    from t2jax.testbed.sweep.sweep import sweep_in
    from t2jax.testbed.sweep.tables import write_tables

    sweep = sweep_in(config.folder)
    with Output("testbed table", config.output, config) as out:
        for path in write_tables(sweep, out.folder):
            with out.file(path.name):
                pass
        return out.finish(0, {})


def _check(config: CheckConfig) -> int:
    """Prints z-scores of sampled answers against their exact chances at three checkpoints; it does not judge them."""
    import jax

    from t2jax.testbed.sweep.measure import agreement
    from t2jax.testbed.sweep.sweep import sweep_in

    sweep = sweep_in(config.folder)
    cells = list(sweep.measured())
    if not cells:
        raise ValueError(f"{config.folder}: no checkpoint is finished, expected at least one")
    chosen = [cells[i] for i in evenly(len(cells), 3)]
    rows, answer = [], []
    with Output("testbed check", config.output, config) as out:
        for (run, cell, nll, _, _), key in zip(chosen, jax.random.split(jax.random.key(config.seed), 3), strict=False):
            with out.progress(run.name(cell)) as bar:
                result = agreement(cell.shape, sweep.params(run, cell), sweep.corpus.questions, nll, config.draws, key)
                bar.update()
            rows.append((run.name(cell), f"{result.mean:+.3f}", f"{result.spread:.3f}", f"{result.questions}"))
            checked = {"mean_z": result.mean, "spread": result.spread, "questions": result.questions}
            answer.append({"model": run.name(cell), **checked})
        out.say(
            f"z-scores of {config.draws} samples per question against the exact probability; a spread of 1 is agreement"
        )
        out.say(columns(("checkpoint", "mean z", "spread of z", "questions"), rows))
        with out.file("check.csv") as path, whole(path) as unfinished:
            lines = ("model,mean_z,spread,questions", *map(",".join, rows))
            unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return out.finish(0, {"checks": answer})
