"""Names that other people give to the columns of a table.

A name here is in lower case with `_` between words, without prefixes such as `config.model.` and without a unit.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SYMBOLS = {"N": "params", "D": "tokens", "k": "samples"}
"""Symbols of papers, in their case."""
COUNTS = {"n": "trials", "c": "correct"}
"""Symbols of counts, which mean that only where a table has both."""

SYNONYMS: dict[str, frozenset[str]] = {
    "params": _words(
        "params n_params num_params nparams param_count params_count parameters n_parameters num_parameters "
        "parameter_count number_of_parameters number_of_params model_params model_parameters model_size"
    ),
    "tokens": _words(
        "tokens n_tokens num_tokens ntokens token_count tokens_count number_of_tokens train_tokens training_tokens "
        "n_train_tokens num_train_tokens n_training_tokens num_training_tokens tokens_seen tokens_trained "
        "trained_tokens total_tokens"
    ),
    "samples": _words("samples k"),
    "unique_tokens": _words("unique_tokens n_unique_tokens num_unique_tokens"),
    "loss": _words(
        "loss val_loss valid_loss validation_loss eval_loss test_loss train_loss training_loss final_loss ce_loss "
        "cross_entropy cross_entropy_loss nll val_nll final_val_loss loss_val loss_eval loss_train"
    ),
    "loss_se": _words(
        "loss_se se_loss val_loss_se eval_loss_se loss_stderr val_loss_stderr eval_loss_stderr loss_sem "
        "loss_standard_error"
    ),
    "task": _words("task task_name"),
    "model": _words("model model_name"),
    "question": _words("question question_id problem problem_id"),
    "trials": _words("trials n_trials num_trials"),
    "correct": _words("correct n_correct num_correct"),
    "pass_at_k": _words("pass_at_k pass_k"),
    "neg_log_pass": _words("neg_log_pass"),
    "error": _words("error error_rate"),
    "weight": _words("weight"),
}
"""Names of each column that no other quantity has."""

OTHER_UNITS: dict[str, str] = {
    **dict.fromkeys(_words("ppl perplexity val_ppl val_perplexity valid_ppl eval_ppl eval_perplexity"), "perplexity"),
    **dict.fromkeys(_words("bpb bits_per_byte val_bpb val_bits_per_byte eval_bpb loss_bpb"), "bits-per-byte"),
    **dict.fromkeys(_words("bpc bits_per_character bits_per_char val_bpc"), "bits-per-character"),
    "bits_per_token": "bits-per-token",
    **dict.fromkeys(_words("accuracy acc val_acc val_accuracy"), "accuracy"),
}
"""Names of a loss, or of an accuracy, in another unit."""
LOSS_ENDINGS = {
    **dict.fromkeys(_words("nats nat nats_per_token nats_token"), "nats"),
    **dict.fromkeys(_words("bits_per_token bits_token"), "bits-per-token"),
    **dict.fromkeys(_words("bits_per_byte bits_byte bpb"), "bits-per-byte"),
    **dict.fromkeys(_words("bits_per_character bits_per_char bpc"), "bits-per-character"),
    **dict.fromkeys(_words("ppl perplexity"), "perplexity"),
}
"""Units at the end of the name of a loss, as in `loss (bits/byte)`."""

COMPUTE = _words("compute flops flop train_flops training_flops total_flops training_compute c_flops")
"""Names of training compute, which is 6ND only if a convention holds, so it is never taken without being told."""
SPREADS = _words("loss_std std_loss val_loss_std eval_loss_std loss_err loss_error")
"""Names of a spread of a row's loss, which may be a standard error, or that of one seed of several."""

PREFIXES = _words("config cfg args hparams hyperparameters model summary run")
"""Words that exports put before a name, as in `config.model.n_params`."""
QUALIFIERS = _words(
    "active activated total all embedding embeddings embed emb nonembedding non no without excluding excl with "
    "including incl trainable"
)
"""Words that tell one count of parameters from another."""
EMBEDDING = _words("embedding embeddings embed emb")
"""Without another qualifier these name the parameters of embeddings alone."""

UNIT_WORDS = {
    **dict.fromkeys(_words("k thousand thousands"), "K"),
    **dict.fromkeys(_words("m million millions mio"), "M"),
    **dict.fromkeys(_words("b billion billions bn"), "B"),
    **dict.fromkeys(_words("t trillion trillions"), "T"),
}
"""Units at the end of a name, as in `params_M` or `Tokens (B)`."""
SETTINGS = _words(
    "lr learning_rate learningrate max_lr peak_lr batch batch_size batchsize bs global_batch_size weight_decay wd "
    "warmup warmup_steps schedule scheduler lr_schedule optimizer optimiser dropout beta1 beta2 momentum"
)
"""Names of settings that are tuned: rows of one size that differ in them are a sweep, not seeds."""
SETTING_WORDS = (("lr",), ("learning", "rate"), ("batch", "size"))
"""Words of a longer name that make it a setting, as in `peak_learning_rate`."""
TASK_WORDS = _words("benchmark dataset domain split subset eval_set")
"""Names of columns whose values may be tasks. No such column is read as one without being told."""
