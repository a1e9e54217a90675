"""Commands that a launcher starts on several hosts at once, here as two processes of one machine."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from t2jax.cli.process.hosts import launched_together


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_NTASKS": "8"}, False),  # a batch script that has not called srun
        ({"SLURM_STEP_NUM_TASKS": "8"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1"}, True),
    ],
)
def test_launchers(environment, expected):
    assert launched_together(environment) == expected


def test_a_command_under_slurm_prints_and_writes_once(tmp_path):
    rng = np.random.default_rng(0)
    n, d = np.logspace(7, 10, 30), np.logspace(9, 11, 30)[rng.permutation(30)]
    rows = np.column_stack([n, d, 1.8 + 480 / n**0.35 + 2100 / d**0.37])
    np.savetxt(tmp_path / "runs.csv", rows, delimiter=",", header="params,tokens,loss", comments="", fmt="%.17g")
    fixed = ["E=1.8", "A=480", "B=2100"]
    args = ["fit", "runs.csv", "--law", "chinchilla", "--fixed", *fixed, "--draws", "40", "--figures", "none", "--json"]
    # the port is made of the job's number
    job = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
    pair = [
        subprocess.Popen(
            [sys.executable, "-m", "t2jax", *args, "-o", "out"],
            cwd=tmp_path,
            env={**os.environ, **job, "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    (first, _), (second, _) = (process.communicate(timeout=300) for process in pair)
    assert [process.returncode for process in pair] == [0, 0]
    answer = json.loads(first)
    assert second == ""
    assert answer["parameters"]["alpha"]["value"] == pytest.approx(0.35, rel=1e-9)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "runs.csv"]
