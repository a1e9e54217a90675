"""Wrong answers of a checkpoint: how likely the strongest ones are, on which votes and verifiers depend."""

from typing import Any

import numpy as np

from t2jax.testbed.sweep.measure import logits_at, scored_places
from t2jax.testbed.sweep.model import Shape
from t2jax.testbed.text.questions import Questions
from t2jax.typing import Float

BEAMS = 16


def wrong_answers(
    shape: Shape, params: Any, questions: Questions, beams: int = BEAMS
) -> Float[np.ndarray, "questions beams-1"]:
    """Computes the probabilities of each question's strongest wrong answers, in falling order.

    Answers with as many tokens as the right one are searched with `beams` beams. The probabilities are exact, but an
    answer that begins with unlikely tokens may be missed. The share of the first one among all wrong answers is the
    parameter of `t2.laws.MajorityVote`.

    Args:
        shape: Shape of the model.
        params: Parameters of the model.
        questions: The questions.
        beams: Beginnings that are kept after every token.

    Returns:
        Probabilities, 0 where there are fewer wrong answers.
    """
    places, length = scored_places(questions), questions.answer.sum(axis=1)
    rows = np.repeat(questions.tokens[:, None], beams, axis=1)
    log_p = np.full(rows.shape[:2], -np.inf)
    log_p[:, 0] = 0.0
    for place in range(places.shape[1]):
        asked = np.flatnonzero(place < length)
        at = places[asked, place]
        live = np.argwhere(np.isfinite(log_p[asked]))
        question, beam = live.T
        logits = logits_at(shape, params, rows[asked[question], beam], at[question])
        logits = logits.astype(np.float64)
        after = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        scores = np.full((len(asked), beams, logits.shape[-1]), -np.inf)
        scores[question, beam] = log_p[asked[question], beam][:, None] + after
        flat = scores.reshape(len(asked), -1)
        best = np.argsort(-flat, axis=1, kind="stable")[:, :beams]
        parent, token = np.divmod(best, logits.shape[-1])
        chosen = rows[asked[:, None], parent]
        np.put_along_axis(chosen, np.broadcast_to(at[:, None, None], (*best.shape, 1)), token[..., None], axis=2)
        rows[asked] = chosen
        log_p[asked] = np.take_along_axis(flat, best, axis=1)
    right = np.all((rows == questions.tokens[:, None]) | ~questions.answer[:, None], axis=-1)
    wrong = np.where(right, 0.0, np.exp(log_p))
    return -np.sort(-wrong, axis=1)[:, :-1]
