"""Final losses of the Chinchilla runs, extracted by Epoch AI."""

from pathlib import Path
from typing import TYPE_CHECKING

from t2jax.datasets.files import DataFile, Dataset

if TYPE_CHECKING:
    import pandas as pd

EPOCH = (
    "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e/"
)


def _chinchilla_epoch(csv: Path, *, outliers: bool = False) -> "pd.DataFrame":
    """Reads the losses of Chinchilla's Figure 4, taken from the published picture: 240 rows.

    The columns are `params`, `tokens`, `loss` and `flops`. Tokens follow from training FLOP = 6ND.
    The published fit leaves out the five highest losses, 3.45 to 5.01; the next is 3.41.
    With `outliers=True` the table has all 245 rows. No cell is empty and no (params, tokens) is repeated.
    """
    import numpy as np
    import pandas as pd

    raw = pd.read_csv(csv, dtype=str)
    # As Python reads numbers, exact to the last bit: not every pandas does.
    columns = ("Model Size", "Training FLOP", "loss")
    params, flops, loss = (np.array([float(cell) for cell in raw[column]]) for column in columns)
    frame = pd.DataFrame({"params": params, "tokens": flops / (6 * params), "loss": loss, "flops": flops})
    highest = np.argsort(-loss)[: 0 if outliers else 5]
    return frame.loc[~frame.index.isin(highest)]


CHINCHILLA_EPOCH = Dataset(
    name="chinchilla-epoch",
    description="final losses of the Chinchilla runs, read off Figure 4 of Hoffmann et al. 2022 by Epoch AI",
    citation="Besiroglu, Erdil, Barnett and You 2024, Chinchilla Scaling: A Replication Attempt, 2404.10102",
    licence="none stated",
    files=(
        DataFile(
            place="chinchilla-epoch/svg_extracted_data.csv",
            url=EPOCH + "data/svg_extracted_data.csv",
            sha256="193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
        ),
    ),
    load=_chinchilla_epoch,
)
