"""Names of layers in a sentence: runs of those that are numbered, the ends of many."""

from collections.abc import Sequence

from report.answers.phrases import listed
from report.wording.layers import runs_of_names, short_name
from report.wording.units import count_of

MOST = 3  # runs of names; of more, the first name and the last


def layers_words(names: Sequence[str]) -> str:
    """Return `embedding and blocks 0–5`, or of many kinds of names the first, the last and a count.

    The names are a run of a model's layers, in order.
    """
    runs = runs_of_names(names, MOST)
    if runs is None:
        return f"{short_name(names[0])} to {short_name(names[-1])}, {count_of(len(names), 'layer')}"
    return listed(runs)
