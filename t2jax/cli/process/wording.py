"""Messages of the library in the words of the command line, where the argument `Budget.total` is the option --total."""

import re

ARGUMENTS = (
    *("train", "inference", "params_min", "params_max", "tokens_max", "total", "queries", "target", "latency"),
    *("tokens_min", "samples_min", "samples_max", "unique_tokens", "tokens_per_param", "sizes", "whole_samples"),
    *("total_per_active", "first_token", "between_tokens", "model_config", "model_params", "shared_prompt"),
    *("flops", "bandwidth", "memory"),
    *("prompt", "generated", "context", "accelerator", "price", "batch", "devices", "utilisation"),
    *("device_hours", "bandwidth_utilisation", "kv_share", "weight_bytes", "scale"),
)
"""Arguments of budgets, prices and `next_runs` that are options of the same name, with hyphens."""
READING = ("columns", "units", "decimal", "encoding", "sheet", "missing", "where", "best_of", "loss_unit")
READING += ("bytes_per_token", "characters_per_token")
"""Arguments of `read_table` that are options of the same name, with hyphens."""
_ATOM = r"""(?:\{[^{}]*\}|\[[^\[\]]*\]|'[^']*'|"[^"]*"|[^;:?{}\[\]])"""
_PYTHON = rf"\b[a-z_][\w.]*[=(]{_ATOM}*?"
_NAMES = "|".join(sorted(ARGUMENTS, key=len, reverse=True))
_BOUNDS = "(?:params|tokens|samples)_(?:min|max)"
_REPLACEMENTS = (
    # "units={'params': 1}, in commands --units params=1" has both forms
    (rf"{_PYTHON} ?\(in commands ([^()]*)\)", r"\1"),
    (rf"{_PYTHON},? in commands ", ""),
    (r"\bt2\.[\w.]+ \((t2jax \w+)\)", r"`\1`"),
    (r"(?<![-\w])(accept|draws|chains|warmup)=(?=[\d.])", r"--\1 "),
    (r",? or your own t2\.Accelerator\(\.\.\.\)", ""),
    (r"a Serving on an accelerator, such as on=t2\.accelerator\('(\w+)'\)", r"a device, such as --accelerator \1"),
    (r"give Serving an accelerator, such as on=t2\.accelerator\('(\w+)'\)", r"give a device, such as --accelerator \1"),
    (r"\b(?:Budget|Serving|Training)\((\w+)=\.\.\.\)", r"\1="),
    (r" \([^()]*(?:`law|\bt2\.)[^()]*\)", ""),  # examples in Python
    (r"\bBudget: ", ""),
    (r"\bBudget\.inputs\b", "--hold"),
    (r"\ba Budget\b", "a budget"),
    (rf"\b(?:Budget|Serving|Training|Shape|Accelerator)\.({_NAMES})\b=?", r"--\1 "),
    (rf"(?<![-\w])({_BOUNDS})=(?=[\d.])", r"--\1 "),
    (rf"(?<![-\w])({_NAMES})=(?=[\s,;.)]|$)", r"--\1"),
    (rf"(?<![-\w])({_BOUNDS})\b(?!')", r"--\1"),
    (r"^separator(?=: found)", "--sep"),
    (rf"(?:^|(?<=: ))({'|'.join(READING)})(?=: found|: \d| is given)", r"--\1"),
    (r"(--\w+)  ", r"\1 "),
)


def in_option_names(message: str) -> str:
    """Writes a message of the library with the names of options in place of arguments.

    A message that has both forms, "..., in commands --units params=1", keeps the second.

    Examples:
        >>> in_option_names("Budget.total needs Budget.queries too")
        '--total needs --queries too'
    """
    message = re.sub(r"\b(\w+) \(--([\w-]+)\)", _one_form, message)
    for pattern, replacement in _REPLACEMENTS:
        message = re.sub(pattern, replacement, message)
    arguments = "|".join((*ARGUMENTS, *READING))
    return re.sub(rf"--(?:{arguments})(?![\w-])", lambda option: option[0].replace("_", "-"), message)


def _one_form(both: re.Match[str]) -> str:
    """Returns the option of "best_of (--best-of)"."""
    argument, option = both.groups()
    return f"--{option}" if argument.replace("_", "-") == option else both[0]
