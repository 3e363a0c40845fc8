"""A training step as one CUDA graph: recorded once, then launched as a whole."""

import torch

from mp.hardware.devices import Devices
from mp.single.step import TrainingStep
from mp.timing.capture import capture

WARMUP_STEPS = 3  # on the side stream, as torch's documentation of CUDA graphs asks for


class GraphedStep:
    """The same step, with all its kernels launched by one call; it computes what eager steps do.

    The first gradients are written, not added to, since they are None while the step is recorded.

    Raises:
        NotCapturable: the step asks for what a graph cannot hold.
    """

    def __init__(self, step: TrainingStep, devices: Devices) -> None:
        self.eager = step
        step.last_loss = None  # its autograd graph would tie the parameters to another stream
        with torch.cuda.device(devices.real[0]):
            side = torch.cuda.Stream()
            self._warm_up(side)
            step.optimizer.zero_grad(set_to_none=True)
            self.graph = capture(step, side)

    def _warm_up(self, side: torch.cuda.Stream) -> None:
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP_STEPS):
                self.eager()
        torch.cuda.current_stream().wait_stream(side)

    def __call__(self) -> None:
        """Train one step."""
        self.graph.replay()

    @property
    def loss(self) -> float:
        """The mean over the batch in the step that ran last."""
        return self.eager.loss
