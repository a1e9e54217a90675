"""Samples of the Pythia models on GSM8K."""

from pathlib import Path
from typing import TYPE_CHECKING

from t2jax.datasets.files import DataFile, Dataset

if TYPE_CHECKING:
    import pandas as pd

MONKEYS = "https://raw.githubusercontent.com/SullivanC19/monkeys_revisited/792adf7b47f4cc99a0374d42a6014138ef267d5e/"


def _pythia_gsm8k(passes: Path, models: Path) -> "pd.DataFrame":
    """Reads correct answers of 81 Pythia checkpoints to GSM8K: 10,273 rows, one per checkpoint and question.

    Columns are `model`, `params` (with embeddings), `tokens`, `question` (the source's prompt_idx), `trials`, `correct`
    and `non_embedding_params`. The data have these peculiarities, which are left as they are unless stated:

    - The source repeats each (checkpoint, question) for 24 values of k with the same counts; one of them is used.
      Its pass@k is 1 wherever k exceeds the trials, so it is not read.
    - 78 checkpoints have the same 128 questions. Pythia_12B_2M has 30, Pythia_2.8B_2B also has question 330.
      Pythia_410M_20B also has 330 and 822.
    - Trials differ by question within a checkpoint, from 128 to 2,980,608, always a multiple of 128.
    - No row has more correct answers than trials, and 58 % of rows have none.
      Pythia_12B_2M and Pythia_410M_64M have no correct answer at all.
    - Params and tokens are nominal: "2M" tokens is step 1, and 200B is step 100,000 of 2,097,152 tokens each.
      The nominal 200B is 4.6 % below the tokens of that step.
    - Checkpoints before the last are not annealed, and there is no loss.
    """
    import pandas as pd

    wanted = {"Model Nickname": "model", "prompt_idx": "question", "Num. Samples": "trials"}
    counts = pd.read_parquet(passes, columns=[*wanted, "Num. Samples Correct"])
    counts = counts.rename(columns={**wanted, "Num. Samples Correct": "correct"}).drop_duplicates()
    wanted = {"Model Nickname": "model", "Parameters": "params", "Tokens": "tokens"}
    sizes = pd.read_csv(models, usecols=[*wanted, "Parameters Excluding Embeddings"])
    sizes = sizes.rename(columns={**wanted, "Parameters Excluding Embeddings": "non_embedding_params"})
    # A checkpoint without a size, or counts that differed between values of k, would now be refused by Table.
    joined = counts.merge(sizes, on="model", how="left", validate="many_to_one")
    return joined.loc[:, ["model", "params", "tokens", "question", "trials", "correct", "non_embedding_params"]]


PYTHIA_GSM8K = Dataset(
    name="pythia-gsm8k",
    description="samples drawn and correct for each GSM8K question from 81 Pythia checkpoints",
    citation="GitHub SullivanC19/monkeys_revisited, after Brown et al. 2024, Large Language Monkeys, 2407.21787",
    licence="none stated",
    files=(
        DataFile(
            place="pythia-gsm8k/gsm8k_pass_at_k.parquet",
            url=MONKEYS + "data/raw_data/large_language_monkeys/gsm8k_pass_at_k.parquet",
            sha256="48a79ead300b0ac41db1b8091861ed6d4e3093d100514e6677482ca31e8f5e3d",
        ),
        DataFile(
            place="pythia-gsm8k/models_pythia.csv",
            url=MONKEYS + "data/raw_data/gpt4_gsm8k/models_pythia.csv",
            sha256="99605284fdbe0ba3787a1b4e7bda6d36e10409dc7eb2f6d47c2f6c79987b1f11",
        ),
    ),
    load=_pythia_gsm8k,
)
