"""Values of options that hold several: NAME=VALUE pairs, and lists with commas."""

import itertools

Pairs = tuple[tuple[str, ...], ...]
"""NAME=VALUE pairs of an option, which takes several and may be repeated."""


def pairs(option: str, options: Pairs) -> dict[str, str]:
    """Returns NAME=VALUE pairs as texts by name. It raises ValueError with the option for anything else."""
    texts = {}
    for pair in itertools.chain.from_iterable(options):
        name, equals, value = pair.rpartition("=") if option == "--columns" else pair.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option}: found {pair!r}, expected NAME=VALUE")
        if name in texts:
            raise ValueError(f"{option}: {name} is given twice, as {texts[name]} and as {value}")
        texts[name] = value
    return texts


def numbers(option: str, options: Pairs) -> dict[str, float]:
    """Returns NAME=NUMBER pairs as numbers by name. It raises ValueError with the option for anything else."""
    numbers_by_name = {}
    for name, text in pairs(option, options).items():
        try:
            numbers_by_name[name] = float(text)
        except ValueError:
            raise ValueError(f"{option}: found {name}={text!r}, expected a number") from None
    return numbers_by_name


def items(option: str, text: str | None) -> tuple[str, ...]:
    """Returns the items of a list with commas, none for None. It raises ValueError for an empty item."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ValueError(f"{option}: found {text!r}, expected names with commas between them, such as lr,batch")
    return names
