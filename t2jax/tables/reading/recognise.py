"""Finds the columns of t2jax among those of a file, and asks where two could be meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from t2jax.tables.columns import NUMBERS, REQUIRED, RESPONSES, TEXTS
from t2jax.tables.place import Place, TableError, suggestion
from t2jax.tables.reading.headers import Meaning, exact, folded, meaning_of
from t2jax.tables.reading.synonyms import COMPUTE, COUNTS, SPREADS


@dataclass(frozen=True)
class Recognised:
    """The columns of a file by their names in t2jax.

    Attributes:
        names: Names of all columns of the file, in order, in t2jax.
        units: Units that stand in names, by column.
        loss_units: Units of losses that stand in names, by column.
        notes: Sentences on what was recognised.
    """

    names: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)
    loss_units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def recognise(names: Sequence[str], given: Mapping[str, str], place: Place) -> Recognised:
    """Finds the columns of t2jax among the columns of a file.

    Args:
        names: Names of the columns in the file, without blanks around them, each once.
        given: Names in t2jax that the user gives, by names in the file.
        place: Names the file in messages.

    Returns:
        The columns by their names in t2jax. A name that is one of t2jax is taken as it is.

    Raises:
        TableError: A given name is not there or is taken, or two columns could be meant.
    """
    _check_given(names, given, place)
    renamed = [given.get(name, name) for name in names]
    ours = exact(renamed)
    meanings = [meaning_of(name) for name in names]
    # what the user named keeps the units of its header
    recognised = [
        Meaning(name, given[name], meaning.unit if meaning.column == given[name] else "", meaning.loss_unit)
        for name, meaning in zip(names, meanings, strict=True)
        if name in given and meaning is not None and (meaning.column == given[name] or meaning.loss_unit)
    ]
    others = [
        meaning for name, meaning in zip(names, meanings, strict=True) if name not in given and meaning is not None
    ]
    others = [meaning for meaning in others if meaning.name not in ours]
    others += _counts(names, given, ours)
    notes: list[str] = []
    for column in dict.fromkeys(meaning.column for meaning in others):
        candidates = [meaning for meaning in others if meaning.column == column]
        if column in ours:
            notes.append(_passed_over(column, candidates))
            continue
        chosen = _choose(column, candidates, ours, {meaning.column for meaning in others}, place)
        if isinstance(chosen, str):
            notes += [chosen] if chosen else []
        else:
            recognised.append(chosen)
    taken = {meaning.name: meaning.column for meaning in recognised if meaning.name not in given}
    result = tuple(taken.get(name, new) for name, new in zip(names, renamed, strict=True))
    if "compute" not in given.values():
        _ask_about_compute(result, place)
        result, note = _compute_alone(result)
        notes += [note] if note else []
    if read := [str(meaning) for meaning in recognised if meaning.name not in given]:
        notes.insert(0, f"column {', '.join(read)} (other names: columns={{...}}, in commands --columns)")
    if "loss" in result and "loss_se" not in result:
        notes += [_spread(name) for name in result if folded(name) in SPREADS]
    return Recognised(
        result,
        {meaning.column: meaning.unit for meaning in recognised if meaning.unit},
        {meaning.column: meaning.loss_unit for meaning in recognised if meaning.loss_unit},
        tuple(notes),
    )


def _check_given(names: Sequence[str], given: Mapping[str, str], place: Place) -> None:
    """Raises TableError for a given column that is not there, and for a new name that is taken."""
    for name, column in given.items():
        if name not in names:
            reverse = column in names and (name in NUMBERS or name in TEXTS)
            hint = f"; did you mean {column}={name}?" if reverse else suggestion(name, names)
            present = ", ".join(map(repr, names)) or "none"
            raise TableError(
                f"{place.name}: column {name!r}, which is to be read as {column!r}, is not there; columns there:"
                f" {present}{hint}"
            )
        if column in names and column != name and column not in given:
            raise TableError(
                f"{place.name}: column {name!r} is to be read as {column!r}, but a column of that name is there too:"
                f" give that one another name, such as {column}={column}_before"
            )


def _counts(names: Sequence[str], given: Mapping[str, str], ours: set[str]) -> list[Meaning]:
    """Returns n and c as trials and correct, where both are there, and the question that they are of."""
    others = [name for name in names if name not in given]
    recognised = []
    if set(COUNTS) <= set(others) and not {"trials", "correct"} & ours:
        recognised = [Meaning(name, column) for name, column in COUNTS.items()]
    counted = recognised or {"trials", "correct"} & ours
    if counted and "question" not in ours and not any(folded(name) == "question_id" for name in others):
        recognised += [Meaning(name, "question") for name in others if folded(name) == "task_id"]
    return recognised


def _choose(column: str, candidates: list[Meaning], ours: set[str], columns: set[str], place: Place) -> Meaning | str:
    """Returns the column that is meant, or a sentence, empty where nobody needs to know, on why none is taken.

    It raises TableError if a column that every table needs could be two.
    """
    others = (ours | columns) & set(RESPONSES) - {column}
    direct = [meaning for meaning in candidates if not meaning.loss_unit]
    if column == "error" and not direct and others:
        return ""  # an accuracy beside another measurement
    candidates = direct or candidates
    if len(candidates) == 1:
        return candidates[0]
    quoted = " and ".join(repr(meaning.name) for meaning in candidates)
    first = candidates[0].name
    remedy = f"name one with columns={{{first!r}: {column!r}}}, in commands --columns {shown(first)}={column}"
    if column not in REQUIRED:
        return f"columns {quoted} could each be {column}, so neither is read as that: {remedy}"
    which = ""
    qualifiers = {word for meaning in candidates for word in meaning.qualifiers}
    if "active" in qualifiers or "activated" in qualifiers:
        which = "; of a mixture of experts take the active ones, which 6ND and 2Nk count"
    elif qualifiers:
        which = "; take the one that your budget counts, with or without embeddings"
    raise TableError(f"{place.name}: columns {quoted} could each be {column}: {remedy}{which}")


def shown(name: str) -> str:
    """Returns a name as a shell takes it."""
    return name if all(letter.isalnum() or letter in "_.-/@,=" for letter in name) else f'"{name}"'


def _passed_over(column: str, candidates: list[Meaning]) -> str:
    """Writes a sentence on other columns of that meaning, which are not read."""
    names = ", ".join(repr(meaning.name) for meaning in candidates)
    return f"{column} is read, and {names} {'is' if len(candidates) == 1 else 'are'} not"


def _spread(name: str) -> str:
    """Writes why a spread of losses is not read, and what makes it the standard error of a row."""
    return (
        f"column {name!r} is not read, since it may be the spread of single seeds: if it is the standard error of each"
        f" loss, say so with columns={{{name!r}: 'loss_se'}}, in commands --columns {shown(name)}=loss_se"
    )


def _compute_alone(names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Returns the names with the one column of compute as `compute`, where neither params nor tokens are there."""
    compute = [name for name in names if folded(name) in COMPUTE or name == "C"]
    if any(name in names for name in REQUIRED) or len(compute) != 1 or compute[0] == "compute":
        return names, ""
    note = f"column {compute[0]!r} is read as compute, since there are no params and tokens"
    return tuple("compute" if name == compute[0] else name for name in names), note


def _ask_about_compute(names: Sequence[str], place: Place) -> None:
    """Raises TableError where params or tokens follow from compute, if that is 6ND."""
    absent = [name for name in REQUIRED if name not in names]
    compute = [name for name in names if folded(name) in COMPUTE or name == "C"]
    if len(absent) != 1 or len(compute) != 1:
        return
    other = "params" if absent[0] == "tokens" else "tokens"
    raise TableError(
        f"{place.name}: column {absent[0]!r}, needed by every table, is missing; if {compute[0]!r} is 6 times params"
        f" times tokens, {absent[0]} are {compute[0]} / (6 {other}): say so with"
        f" columns={{{compute[0]!r}: 'compute'}}, in commands --columns {shown(compute[0])}=compute"
    )
