"""The same runs as people write them down: the forms that are read as they are, and those that need one option."""

import gzip
import json
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """A way to write the runs down that needs an answer.

    Attributes:
        name: What is unusual.
        content: The file.
        options: Arguments of `read_table` that answer the question.
        question: Part of the sentence that asks.
    """

    name: str
    content: str | bytes
    options: dict[str, Any]
    question: str


PARAMS = [20_000_000, 1_234_567_000, 320_000_000, 1_600_000_000]
TOKENS = [8_500_000_000, 5_400_000_000, 12_345_678_000, 67_000_000_000]
LOSS = [3.724, 3.6293, 3.25, 2.75]
ROWS = list(zip(PARAMS, TOKENS, LOSS, strict=True))


def csv(header, rows=ROWS, separator=","):
    return "\n".join([header, *(separator.join(map(str, row)) for row in rows)]) + "\n"


PLAIN = csv("params,tokens,loss")
MILLIONS = [(n / 1e6, d / 1e9, loss) for n, d, loss in ROWS]
QUOTED = [(f'"{n:,}"', f'"{d:,}"', loss) for n, d, loss in ROWS]
DECIMAL = [(n, d, str(loss).replace(".", ",")) for n, d, loss in ROWS]
SUFFIXED = [(f"{n / 1e6:.10g}M", f"{d / 1e9:.9g} b", loss) for n, d, loss in ROWS]
WANDB = [(f"run-{i}", "finished", n, d, loss, 1000) for i, (n, d, loss) in enumerate(ROWS)]
JSON = [json.dumps({"config": {"model": {"n_params": n}, "tokens": d}, "eval/loss": loss}) for n, d, loss in ROWS]
LINES = PLAIN.splitlines(keepends=True)
WITH_EMPTY = "".join([*LINES[:3], "30000000,400000000,{}\n", *LINES[3:]])

AS_THEY_ARE = {
    "plain": PLAIN,
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "Windows lines": PLAIN.replace("\n", "\r\n"),
    "blank lines at the end": PLAIN + "\n\n",
    "empty rows at the end": PLAIN + ",,\n,,\n",
    "comment": '# my runs, of "May\n' + PLAIN,
    "comment between rows": "".join([*LINES[:2], "# the next was run again\n", *LINES[2:]]),
    "empty columns": PLAIN.replace("\n", ",,\n"),
    "UTF-16": PLAIN.encode("utf-16"),
    "upper case": PLAIN.replace("params,tokens,loss", " PARAMS , TOKENS , LOSS "),
    "symbols": csv("N,D,loss"),
    "synonyms": csv("n_params,num_tokens,val_loss"),
    "camel case": csv("numParams,trainTokens,evalLoss"),
    "units in names": csv("params_M,tokens_B,loss", MILLIONS),
    "units in brackets": csv("Params (M),Tokens (B),Val loss", MILLIONS),
    "units in words": csv("params in millions,N tokens [billions],loss (nats/token)", MILLIONS).replace(
        "N tok", "n tok"
    ),
    "suffixes": csv("params,tokens,loss", SUFFIXED),
    "thousands": csv("params,tokens,loss", QUOTED),
    "semicolons": csv("params;tokens;loss", ROWS, ";"),
    "decimal commas": csv("params;tokens;loss", DECIMAL, ";"),
    "tabs": csv("params\ttokens\tloss", ROWS, "\t"),
    "vertical bars": csv("params|tokens|loss", ROWS, "|"),
    "W&B": csv("Name,State,config.model.n_params,config.tokens,eval/loss,_step", WANDB),
    "index": csv(",params,tokens,loss", [(i, *row) for i, row in enumerate(ROWS)]),
    "more columns": csv("params,tokens,loss,note,date", [(*row, "hello", "2024-01-01") for row in ROWS]),
    "n/a": WITH_EMPTY.format("n/a"),
    "perplexity": csv("params,tokens,ppl", [(n, d, math.exp(loss)) for n, d, loss in ROWS]),
    "nats beside bits": csv("params,tokens,bpb,val_loss", [(n, d, loss / 3, loss) for n, d, loss in ROWS]),
}

OTHER_FORMATS = {
    "runs.csv.gz": gzip.compress(PLAIN.encode(), mtime=0),
    "runs.tsv": csv("params\ttokens\tloss", ROWS, "\t"),
    "runs.txt": PLAIN,
    "runs.jsonl": "\n".join(JSON),
    "runs.jsonl.gz": gzip.compress(("\n\n".join(JSON)).encode(), mtime=0),
}
"""Files of other suffixes, which are read as they are."""

WITH_ONE_OPTION = (
    Form(
        "a name of one's own",
        csv("size,tokens,loss"),
        {"columns": {"size": "params"}},
        "column 'params', needed by every table, is missing",
    ),
    Form(
        "millions and billions",
        csv("params,tokens,loss", MILLIONS),
        {"units": {"params": "M", "tokens": "B"}},
        "raw counts, not millions",
    ),
    Form(
        "FLOPs instead of tokens",
        csv("params,flops,loss", [(n, 6 * n * d, x) for n, d, x in ROWS]),
        {"columns": {"flops": "compute"}},
        "=compute",
    ),
    Form(
        "FLOPs instead of params",
        csv("flops,D,loss", [(6 * n * d, d, x) for n, d, x in ROWS]),
        {"columns": {"flops": "compute"}},
        "params are flops",
    ),
    Form(
        "bits per byte",
        csv("bpb,N,D", [(x / math.log(2) / 4, n, d) for n, d, x in ROWS]),
        {"bytes_per_token": 4},
        "--bytes-per-token 4.4",
    ),
    Form(
        "bits per character",
        csv("bits_per_char,N,D", [(x / math.log(2) / 5, n, d) for n, d, x in ROWS]),
        {"characters_per_token": 5.0},
        "--characters-per-token 4.4",
    ),
    Form(
        "perplexities as losses",
        csv("N,D,loss", [(n, d, math.exp(x)) for n, d, x in ROWS]),
        {"loss_unit": "perplexity"},
        "--loss-unit perplexity",
    ),
    Form("an empty loss", WITH_EMPTY.format(""), {"missing": ("",)}, '--missing ""'),
    Form("nan as a loss", WITH_EMPTY.format("nan"), {"missing": ("nan",)}, "--missing nan"),
    Form("a word as a loss", WITH_EMPTY.format("diverged"), {"missing": ("Diverged",)}, "--missing diverged"),
    Form("empty losses of rows not wanted", WITH_EMPTY.format(""), {"where": {"loss": LOSS}}, "found an empty cell"),
    Form(
        "Latin letters of Windows",
        csv("params,tokens,loss,model", [(*r, f"modèle{i}") for i, r in enumerate(ROWS)]).encode("cp1252"),
        {"encoding": "cp1252"},
        "cp1252",
    ),
    Form(
        "decimal commas in quotes",
        csv("params,tokens,loss", [(n, d, f'"{x:.3f}"'.replace(".", ",")) for n, d, x in ROWS]),
        {"decimal": ","},
        "decimal",
    ),
    Form(
        "active and total params",
        csv("active_params,total_params,D,loss", [(n, 8 * n, d, x) for n, d, x in ROWS]),
        {"columns": {"active_params": "params"}},
        "mixture of experts",
    ),
)
"""Forms that are refused with a question, which one option answers."""
