"""FER+ (Barsoum et al. 2016, arXiv:1608.01041): join its votes to faces, turn them into labels."""

from pathlib import Path

import numpy as np

from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.read_ferplus import VOTES, read_votes
from fer_jax.errors import UserError, suggest

CLASSES = (*EMOTIONS, "contempt")

# FER+ calls the emotions by their nouns: where each of CLASSES stands among VOTES.
VOTE_NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
COLUMNS = np.array([VOTES.index(name) for name in VOTE_NAMES])
IN_FILE = np.argsort(COLUMNS)  # the class of each of the file's first eight columns
N_EMOTIONS = len(COLUMNS)  # the file's columns after these are unknown and NF

# The most-voted emotion is FER2013's own label on 62.6 % of all faces; always the most frequent
# label would be right on 25 %.
LEAST_AGREEMENT = 0.4
ENOUGH_TO_JUDGE = 100  # faces


def join_votes(faces: Faces, path: Path) -> tuple[Faces, list[str]]:
    """Join the votes of fer2013new.csv to the faces by `source_row`.

    Row i of the file belongs to row i of fer2013.csv. The faces may be fewer than the rows.

    Returns:
      The faces with `ferplus`, and remarks for the user.

    Raises:
      UserError: the file is not FER+'s, or the source has no row numbers, or rows that do not fit
        those of the file; the message names the row.
    """
    rows = faces.source_row
    if (rows < 0).any():
        raise UserError(
            f"{path} cannot be joined: FER+ tells faces by their row in fer2013.csv, and "
            f"{np.sum(rows < 0):,} of the {len(rows):,} faces of this source have no row number. "
            "Prepare from fer2013.csv, or leave --ferplus out."
        )
    votes, usages = read_votes(path)
    if rows.size and rows.max() >= len(votes):
        raise UserError(
            f"{path} has {len(votes):,} rows, and the source has a face of row {rows.max()} "
            "(counted from 0). The votes must be those of the whole fer2013.csv, and numbers in "
            "file names must be its rows."
        )
    usages = usages[rows]
    agrees = (usages == faces.usage) | ((faces.usage == "Test") & (usages != "Training"))
    if not agrees.all():
        first = np.flatnonzero(~agrees)[np.argmin(rows[~agrees])]
        raise UserError(
            f"{path}, row {rows[first]} (counted from 0): its Usage is {usages[first]}, and the "
            f"face of that row is in {faces.usage[first]} (so it is with {np.sum(~agrees):,} "
            "faces). The votes and the faces are not in the same order: take the fer2013new.csv "
            "that belongs to this source."
        )
    joined = faces._replace(ferplus=votes[rows])
    return joined, _remarks(joined, path, rows_read=len(votes))


def _remarks(faces: Faces, path: Path, *, rows_read: int) -> list[str]:
    remarks = []
    if rows_read != len(faces.ferplus):
        remarks.append(
            f"{path.name} has votes of {rows_read:,} rows, the source {len(faces.ferplus):,} "
            "faces: joined by row number"
        )
    voted = faces.ferplus[:, :N_EMOTIONS].any(axis=1)
    right = most_voted(faces.ferplus[:, COLUMNS])[voted] == faces.emotion[voted]
    if voted.sum() >= ENOUGH_TO_JUDGE and right.mean() < LEAST_AGREEMENT:
        remarks.append(
            f"the most-voted emotion is the face's label on only {right.mean():.1%} of the faces, "
            "expected about 63 %: are the rows of both files in the same order?"
        )
    return remarks


def rules_by_split(protocol: str) -> dict[str, str] | None:
    """Read `ferplus:RULE[:TEST]`: the rule of "train", "validation" and "test"; None for others.

    TEST names the test set where it is not the one that RULE itself leaves.

    Raises:
      UserError: an unknown rule or test set; the known ones are listed.
    """
    name, _, options = protocol.partition(":")
    if name != "ferplus":
        return None
    rule, colon, test = options.partition(":")
    for kind, value, known in (("rule", rule, TRAINED), ("test set", test, RULES)):
        if value not in known and (kind == "rule" or colon):
            raise UserError(
                f"protocol {protocol!r}: FER+ has no {kind} {value!r}. {suggest(value, known)} "
                "Write it like ferplus:majority or ferplus:crossentropy:no-nf."
            )
    return {"train": rule, "validation": rule, "test": test or rule}


def most_voted(shares: np.ndarray) -> np.ndarray:
    """Return the class, i32 [n], with most of the shares or votes [n, 8].

    On ties it is the first in the order of FER+'s file, from neutral to contempt, as published
    numbers have it; neutral too where there is no vote for an emotion.
    """
    return IN_FILE[shares[:, IN_FILE].argmax(axis=1)].astype(np.int32)


def majority(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the one emotion that has more than half of the votes u8 [n, 10].

    As in all three rules of the paper, a choice that only one person made is an outlier and
    counts for nothing, and votes for "unknown" and "not a face" count in the whole.

    Returns:
      The distribution over CLASSES, f32 [n, 8], here one-hot, and which faces are kept, bool [n].
      A face is dropped where no choice has more than half, or one that is no emotion has; its
      targets are 0.
    """
    votes, total = _without_outliers(votes)
    return _normalise(votes, 2 * votes > total[:, None])


def crossentropy(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the most-voted emotions until they explain three quarters of the votes u8 [n, 10].

    The choices are taken in falling order of votes, those with equal votes together, until at
    least 75 % of the votes or three choices are taken; "unknown" or "not a face" ends it, without
    being taken itself. A face is dropped where more than three emotions were taken, or no more
    than half of the votes. The paper's "probability" training draws one emotion from the same
    distribution instead of training on it.

    Returns:
      The taken votes as a distribution, f32 [n, 8], and which faces are kept, bool [n], as in
      `majority`.
    """
    votes, total = _without_outliers(votes)
    taken, going = np.zeros(votes.shape, bool), np.ones(len(votes), bool)
    for _ in range(3):
        left = np.where(taken, 0, votes)
        enough = (4 * (votes * taken).sum(axis=1) >= 3 * total) | (taken.sum(axis=1) >= 3)
        going &= ~enough
        most = (left == left.max(axis=1, keepdims=True)) & (left > 0) & going[:, None]
        taken[:, :N_EMOTIONS] |= most[:, :N_EMOTIONS]
        going &= ~most[:, N_EMOTIONS:].any(axis=1)
    explained = (votes * taken).sum(axis=1)
    return _normalise(votes, taken, (taken.sum(axis=1) <= 3) & (2 * explained > total))


def multi_label(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accept every emotion with at least 30 % of the votes u8 [n, 10].

    A face is dropped where all choices with so many votes together have no more than half of
    them, or where one that is no emotion has more votes than every emotion.

    Returns:
      The accepted votes as a distribution, f32 [n, 8], and which faces are kept, bool [n], as in
      `majority`. Training treats all accepted emotions, those above 0, alike.
    """
    votes, total = _without_outliers(votes)
    accepted = (10 * votes >= 3 * total[:, None]) & (votes > 0)
    explained = (votes * accepted).sum(axis=1)
    is_emotion = votes.argmax(axis=1) < N_EMOTIONS  # the first on ties, so an emotion wins them
    return _normalise(votes, accepted, (2 * explained > total) & is_emotion)


def without_nf(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep every face that somebody gave an emotion: those that FER+'s file gives a name.

    Returns:
      All votes u8 [n, 10] for emotions, outliers too, as a distribution f32 [n, 8], and which
      faces are kept, bool [n].
    """
    return _normalise(votes.astype(np.int32), votes > 0)


def every_face(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep all faces; the label of one without a vote for an emotion is neutral.

    Returns:
      What `without_nf` gives, one-hot at neutral where it drops a face, and bool [n], all true.
    """
    targets, kept = without_nf(votes)
    targets[~kept, CLASSES.index("neutral")] = 1.0
    return targets, np.ones_like(kept)


def _without_outliers(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    votes = np.where(votes > 1, votes, 0).astype(np.int32)
    return votes, votes.sum(axis=1)


def _normalise(votes, chosen, kept=True) -> tuple[np.ndarray, np.ndarray]:
    """Turn the votes of the chosen emotions into shares; 0 where a face is not kept."""
    counted = (votes * chosen)[:, COLUMNS].astype(np.float32)
    total = counted.sum(axis=1)
    kept = kept & (total > 0)
    return counted / np.maximum(total, 1)[:, None] * kept[:, None], kept


TRAINED = {"majority": majority, "crossentropy": crossentropy, "multi-label": multi_label}
# PrivateTest has 3,153 faces by the first, then 3,505, 3,472, 3,573 and 3,589.
RULES = {**TRAINED, "no-nf": without_nf, "all": every_face}
