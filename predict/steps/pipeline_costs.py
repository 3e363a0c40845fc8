"""The costs of a pipeline, and of the naive schedule, as the event model takes them."""

from dataclasses import replace
from statistics import fmean

from predict.costs.beside import message_factor, slowdowns
from predict.costs.calibrated import Calibrated
from predict.costs.host import HostTimes
from predict.costs.layers import PACES, LayerTimes
from predict.costs.links import collective_s, link_of, queues_of
from predict.costs.power_limit.pace import Pace
from predict.costs.shapes import output_bytes
from predict.costs.shared import shared_weights
from predict.costs.updates import update_s
from predict.costs.work import NOTHING
from predict.orders.action import Kind
from predict.simulation.costs import ActionSeconds, Costs, Ending, Host
from predict.steps.stages import Stages
from study.case import Case
from study.schedules import SCHEDULES

# A pipeline's GPU waits for a message from where it was made; the copies of a naive step do not.
OF_PIPELINES, OF_COPIES = ("relay", "in a row", "from idle"), ("in a row", "relay", "from idle")


class PipelineCosts:
    """The costs of a case, as the simulation takes them.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.
    """

    def __init__(self, case: Case, calibrated: Calibrated, nodes: int) -> None:
        self.case, self.calibrated, self.nodes = case, calibrated, nodes
        takes_turns = case.schedule == "naive" and case.gpus > 1
        is_cool = takes_turns and not calibrated.layers.loaded
        times = LayerTimes(case, calibrated.layers, PACES[::-1] if is_cool else PACES)
        self.stages = Stages(times, calibrated.model)
        self.launches = case.execution == "eager"  # else it is one CUDA graph, launched at once
        self.host_times = HostTimes.of(case, calibrated.everything)
        self._work = {
            kind: [
                tuple(self.stages.work(kind, stage, is_first=first) for first in (True, False))
                for stage in range(len(self.stages.layers))
            ]
            for kind in self.stages.kinds()
        }

    @property
    def actions(self) -> int:
        """The number of actions of all GPUs of a replica in a step."""
        return len(self.stages.layers) * len(self._work) * self.case.micro_batches

    def costs(self, paces: list[Pace]) -> Costs:
        """Return the costs if each GPU computes at its pace."""
        places = self.stages.gpu_of_stage
        work: dict[Kind, list[ActionSeconds]] = {
            kind: [
                ActionSeconds(*(each.at(paces[places[stage]]) for each in both))
                for stage, both in enumerate(of_stage)
            ]
            for kind, of_stage in self._work.items()
        }
        costs = Costs(
            work=work,
            queues="none",
            host=self._host(),
            endings=[self._ending(gpu) for gpu in range(self.case.pipeline_gpus)],
        )
        return costs if self.case.pipeline_gpus == 1 else self._with_messages(costs)

    def _with_messages(self, costs: Costs) -> Costs:
        case = self.case
        lasts = [layers[-1] for layers in self.stages.layers[:-1]]
        sizes = [output_bytes(case, self.calibrated.model, layer) for layer in lasts]
        ways = OF_COPIES if case.schedule == "naive" else OF_PIPELINES
        size = fmean(sizes)
        link = link_of(self.calibrated.between(1), size, 1, ways)
        far = {
            pair: link_of(self.calibrated.between(self.nodes), size, 2, ways)
            for pair in self._pairs_over_nodes()
        }
        if case.schedule == "naive":  # one process copies, and nothing waits meanwhile
            return replace(costs, boundary_bytes=sizes, link=link, links=far)
        environment = self.calibrated.one.environment
        waiting = ("pending receive", "receive", "send")
        pair, rows = self.calibrated.pair_record, self.stages.times.rows
        beside = slowdowns(pair, waiting, rows)
        rate = link.bytes_per_s / message_factor(pair, rows)
        return replace(
            costs,
            boundary_bytes=sizes,
            link=replace(link, bytes_per_s=rate),
            links=far,
            queues=queues_of(None if environment is None else environment.torch),
            slowdown=beside,
        )

    def _pairs_over_nodes(self) -> list[tuple[int, int]]:
        """Return the pairs of places in the pipeline that lie on two nodes."""
        a_node = self.case.gpus // self.nodes
        node = [
            place * self.case.data_parallel // a_node for place in range(self.case.pipeline_gpus)
        ]
        return [(a, b) for a in range(len(node)) for b in range(len(node)) if node[a] != node[b]]

    def _host(self) -> Host:
        if self.host_times is None or self.case.schedule == "naive" or not self.launches:
            return Host()
        of_gpu = [len(self.stages.of_gpu(gpu)) for gpu in range(self.case.pipeline_gpus)]
        launching = None if self.case.kind == "linear" else self.stages.launching_s
        of_stage = [len(each) for each in self.stages.layers]
        puts_off = self.stages.puts_off
        return self.host_times.of_pipeline(of_stage, of_gpu, launching, puts_off=puts_off)

    def _ending(self, gpu: int) -> Ending:
        size = self.stages.parameter_bytes(gpu)
        is_scaled = SCHEDULES[self.case.schedule].is_pipeline and self.case.parts > 1
        times = self.calibrated.layers
        return Ending(
            update_s(times, "scaling", size) if is_scaled else 0.0,
            self._all_reduce_s(gpu, size) + self._shared_s(gpu),
            update_s(times, "optimizer", size),
        )

    def _all_reduce_s(self, gpu: int, size: float) -> float:
        """Return the seconds of the all-reduce of a place's replicas, which may lie on nodes."""
        replicas = self.case.data_parallel
        if replicas == 1:
            return 0.0
        a_node = self.case.gpus // self.nodes
        nodes = len({(gpu * replicas + replica) // a_node for replica in range(replicas)})
        between = self.calibrated.between(nodes)
        return collective_s(between, "all_reduce", size, replicas, nodes)

    def _shared_s(self, gpu: int) -> float:
        """Return the seconds of adding up gradients of weights that places in a pipeline share."""
        if self.case.schedule == "naive":  # whose layers may share on one GPU alone
            return 0.0
        held = [{*self.stages.of_gpu(place)} for place in range(self.case.pipeline_gpus)]
        seconds = 0.0
        for shared in shared_weights(self.case, self.calibrated.model):
            places = [place for place, its in enumerate(held) if its & {*shared.layers}]
            if len(places) > 1 and gpu in places:
                a_node = self.case.gpus // self.nodes
                nodes = len({place * self.case.data_parallel // a_node for place in places})
                between = self.calibrated.between(nodes)
                seconds += collective_s(between, "all_reduce", shared.bytes, len(places), nodes)
        return seconds

    @property
    def doubt(self) -> float:
        """Half of the 90 % interval of what the fullest GPU computes, as a share of it."""
        of_gpu = [NOTHING] * self.case.pipeline_gpus
        for of_stage in self._work.values():
            for stage, (first, later) in enumerate(of_stage):
                place = self.stages.gpu_of_stage[stage]
                rest = later.times(self.case.micro_batches - 1)
                of_gpu[place] = of_gpu[place] + first + rest
        fullest = max(of_gpu, key=lambda work: work.seconds)
        return fullest.half_width_s / fullest.seconds
