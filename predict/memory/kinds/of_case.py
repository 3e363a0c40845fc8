"""The layers of a case's model before it runs, where closed forms have them."""

from predict.memory.fit import Layers
from predict.memory.kinds.conv import conv_profile
from predict.memory.kinds.gpt import gpt_profile
from study.case import Case

OFF = 0.1  # what the figure of a ResNet may be too high, as a share


def layers_of(case: Case) -> Layers | None:
    """Return the layers of a built-in model; None of one's own, of which no closed form knows.

    Args:
        case: of any kind but a program; its rows are those of one part of its batch.
    """
    if case.kind == "linear":
        return Layers()
    if case.kind == "gpt":
        return Layers(gpt_profile(case))
    if case.kind == "conv":
        return Layers(conv_profile(case), off=OFF)
    return None
