"""The grounds of a recommendation in plain sentences, with how far chance alone could have made them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kmosaic.evaluate.table import Spread, SweepTableRow

# Half way between chance and the same clusters every time. Few clusters are nearly always more stable than
# many, so stability only rules numbers out; it does not rank them.
MIN_STABILITY = 0.5

# Which column counts the images an accuracy is a share of.
_IMAGES_OF = {"accuracy_test": "n_test", "accuracy_train": "n_train"}


def standard_error(row: SweepTableRow, basis: str) -> float | None:
    """Give the standard error of a mean score, as far as it is known; None where nothing of it is.

    An accuracy p on n images is binomial, p (1 - p) / n, and as all seeds are scored on the same images, more
    seeds do not lessen that; their own part is their variance over their number. The silhouette has only
    the seeds' part.
    """
    score = row.measured(basis)
    n_images = _n_images(row, basis)
    if n_images is None and score.count < 2:
        return None
    variance = score.std**2 / score.count
    if n_images is not None:
        # Half an image away from none and all, where the formula would claim certainty.
        share = min(max(score.mean, 0.5 / n_images), 1 - 0.5 / n_images)
        variance += share * (1 - share) / n_images
    return math.sqrt(variance)


def _n_images(row: SweepTableRow, basis: str) -> int | None:
    images = row[_IMAGES_OF[basis]] if basis in _IMAGES_OF else None
    return None if images is None else int(images.min)


def as_good_as(best: SweepTableRow, rows: Sequence[SweepTableRow], basis: str) -> list[SweepTableRow]:
    """Return those of ``rows`` whose score is less than two standard errors of the difference from the best.

    The two errors are added as if independent. Scores on the same images go up and down together, so
    this rather calls two alike than apart. A row's own error counts up to that of the best: scores that
    scatter over the seeds are no reason to call it as good.
    """
    best_error = standard_error(best, basis)
    if best_error is None:
        return []
    as_good = []
    for row in rows:
        error = min(standard_error(row, basis) or 0.0, best_error)
        difference = best.measured(basis).mean - row.measured(basis).mean
        if row is not best and difference <= 2 * math.hypot(best_error, error):
            as_good.append(row)
    return as_good


@dataclass(frozen=True)
class Grounds:
    """Why ``chosen`` is recommended: the fewest whose mean ``basis`` is nearly that of the ``best``.

    ``tried`` are all rows by rising n_clusters, ``measured`` those that have the basis, ``compared`` those of
    them that were chosen from.
    """

    tried: Sequence[SweepTableRow]
    measured: Sequence[SweepTableRow]
    compared: Sequence[SweepTableRow]
    chosen: SweepTableRow
    best: SweepTableRow
    basis: str

    def sentences(self, tolerance: float) -> list[str]:
        """Say what was chosen and why, and then every doubt about it."""
        sentences = [self._chosen_sentence(tolerance), *self._error_sentences(), self._seeds_sentence()]
        if len(self.compared) > 1:
            sentences += self._rival_sentences()
        if self.basis == "accuracy_train":
            sentences.append(
                "On images fitted on, accuracy can only gain from ever smaller clusters, so this leans to "
                "too many."
            )
        if self.basis == "silhouette":
            sentences += [_silhouette_sentence(self._score(self.chosen).mean), self._stability_sentence()]
        elif self.best is self.tried[-1] and len(self.tried) > 1:
            sentences.append(f"{self.best.n_clusters} is the most that was tried; more may do better still.")
        return sentences

    def as_good_as_best(self) -> list[SweepTableRow]:
        """Give the other rows that cannot be told from the best."""
        return as_good_as(self.best, self.compared, self.basis)

    def _score(self, row: SweepTableRow) -> Spread:
        return row.measured(self.basis)

    def _chosen_sentence(self, tolerance: float) -> str:
        n_clusters, what = self.chosen.n_clusters, self._what()
        score, best_score = self._score(self.chosen).mean, self._score(self.best).mean
        if len(self.compared) == 1:
            return f"{self._alone()} Its mean {what} is {score:.3f}."
        among = ""
        if len(self.compared) < len(self.measured):
            among = f"Among the numbers of clusters that are stable over seeds ({MIN_STABILITY} or more), "
        clusters = "1 cluster is" if n_clusters == 1 else f"{n_clusters} clusters are"
        if self.chosen in self.as_good_as_best():
            return (
                f"{among}{clusters} the fewest that cannot be told from the best, {self.best.n_clusters}: "
                f"their mean {what}, {score:.3f} and {best_score:.3f}, differs by less than two standard "
                f"errors{self._over_seeds()}."
            )
        if self.chosen is not self.best:
            return (
                f"{among}{clusters} the fewest whose mean {what}, {score:.3f}, is within {tolerance:g} of "
                f"the best, {best_score:.3f} with {self.best.n_clusters}."
            )
        if self.chosen is self.compared[0]:
            smaller = "none of those compared is smaller"
        else:
            smaller = f"no smaller number compared comes within {tolerance:g} of it"
        has = "1 cluster has" if n_clusters == 1 else f"{n_clusters} clusters have"
        return f"{among}{has} the best mean {what}, {score:.3f}; {smaller}."

    def _alone(self) -> str:
        n_clusters = self.chosen.n_clusters
        if len(self.tried) == 1:
            return f"Only one number of clusters was tried, {n_clusters}; nothing to compare."
        if len(self.measured) == 1:
            return (
                f"Only {n_clusters}, of the numbers of clusters tried, could be scored; nothing to compare."
            )
        return (
            f"Only {n_clusters}, of the numbers of clusters tried, is stable over seeds "
            f"({MIN_STABILITY} or more)."
        )

    def _what(self) -> str:
        if self.basis != "silhouette":
            return {"accuracy_test": "accuracy on the test set", "accuracy_train": "accuracy in training"}[
                self.basis
            ]
        sampled, images = self.chosen["n_sampled"], self.chosen["n_train"]
        if sampled is None or images is None or sampled.min >= images.max:
            return "silhouette"
        return f"silhouette of {sampled.min:,.0f} images drawn from {images.max:,.0f}"

    def _error_sentences(self) -> list[str]:
        """How sure the chosen score is, by the images it was measured on."""
        error, n_images = standard_error(self.chosen, self.basis), _n_images(self.chosen, self.basis)
        if self.basis not in _IMAGES_OF:
            return []
        kind = "test" if self.basis == "accuracy_test" else "training"
        if error is None or n_images is None:
            return [f"On how many {kind} images is not known, and so neither is its standard error."]
        images = f"{n_images:,} {kind} image" + ("s" if n_images != 1 else "")
        seeds = " and the spread over seeds" if self._score(self.chosen).count > 1 else ""
        accuracy = f"The standard error of {self._score(self.chosen).mean:.3f}"
        return [f"{accuracy}, from {images}{seeds}, is {error:.3f}."]

    def _seeds_sentence(self) -> str:
        score, n_seeds = self._score(self.chosen), self.chosen.n_seeds
        if n_seeds == 1:
            return "The score is that of one seed, so how much of it is that seed's luck is not known."
        if score.count == 1:
            return f"Only one seed of {n_seeds} could be scored, so how much of it is luck is not known."
        lowest, highest = f"{score.min:.3f}", f"{score.max:.3f}"
        if lowest == highest:
            return f"{'Both' if score.count == 2 else f'All {score.count}'} seeds give {lowest}."
        return (
            f"Over {score.count} seeds the score runs from {lowest} to {highest}, with a standard deviation "
            f"of {score.std:.3f}."
        )

    def _rival_sentences(self) -> list[str]:
        """Which further ones do as well as the best for all that is known."""
        rivals = self.as_good_as_best()
        subject = "It" if self.chosen is self.best else f"The best, {self.best.n_clusters},"
        further = _listed([row.n_clusters for row in rivals if row is not self.chosen])
        if self.chosen in rivals:
            return [f"Nor can the best be told from {further}."] if further else []
        if rivals:
            differ = "the difference is" if len(rivals) == 1 else "the differences are"
            return [
                f"{subject} cannot be told from {further}: {differ} less than two standard errors"
                f"{self._over_seeds()}."
            ]
        if self._over_seeds():
            return []
        uncounted = "" if self._score(self.best).count > 1 else ", chance between seeds not counted"
        return [f"{subject} differs from every other by more than two standard errors{uncounted}."]

    def _over_seeds(self) -> str:
        """What the standard errors count, where that is the spread over seeds alone."""
        return "" if _n_images(self.best, self.basis) else " over the seeds"

    def _stability_sentence(self) -> str:
        stability = self.chosen["stability"]
        if stability is None:
            return "Stability over seeds is not measured; it takes two seeds or more."
        scale = "adjusted Rand index: 1 is the same clusters, 0 is chance"
        agreement = f"Two seeds agree to {stability.mean:.2f} ({scale})"
        if stability.mean >= MIN_STABILITY:
            return f"{agreement}."
        if len(self.compared) == 1:
            return f"{agreement}, which is little."
        return f"{agreement}, and no number of clusters compared is more stable than {MIN_STABILITY}."


def _silhouette_sentence(silhouette: float) -> str:
    """The bands of Kaufman and Rousseeuw 1990, "Finding groups in data", chapter 2, table 4."""
    of_it = f"A silhouette of {silhouette:.2f} is"
    if silhouette > 0.7:
        return f"{of_it} a strong structure."
    if silhouette > 0.5:
        return f"{of_it} a reasonable structure."
    if silhouette > 0.25:
        return f"{of_it} a weak structure, and may be artificial."
    return f"{of_it} no substantial structure: take the number as a matter of taste."


def _listed(numbers: Sequence[int]) -> str:
    texts = [str(number) for number in numbers]
    return "".join(texts) if len(texts) < 2 else f"{', '.join(texts[:-1])} and {texts[-1]}"
