"""`python -m mp --inspect`: measure a model's layers here, and say how it would be cut and run."""

import argparse
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

from mp.activations import parts_of
from mp.families.factory import count_layers
from mp.families.registry import workload_of
from mp.inspection.refusals import find_refusals
from mp.inspection.text import describe
from mp.profiling.profile import measure_profile
from mp.workload import Workload
from study.case import Case
from study.command_line.case_options import parse_case

MOST_BYTES = 2**30  # of all activations, so that every machine can hold them
MOST_FLOPS = 2e11  # of forward, a few seconds of a CPU
PROBE_ROWS = 2


def inspect(arguments: argparse.Namespace, program: str) -> str:
    """Return what is known of the model of the command line, for a person.

    The arguments may lack depth and gpus. Errors name the program.

    Raises:
        ConfigError: the arguments are no case.
        CaseError: the model breaks its contract.
    """
    case = _case_of(arguments, program)
    workload = workload_of(case)
    device = _device_of(arguments.device)
    rows = _rows_of(workload)
    print(f"measuring {case.layers} layers with {rows} rows on {device} ...", file=sys.stderr)
    profile = measure_profile(workload, device, rows)
    print("checking ...", file=sys.stderr)
    refusals, of_check = find_refusals(case)
    notes = [note for note in getattr(workload, "notes", []) if note not in of_check]
    notes += [note for note in of_check if note not in profile.notes]
    return describe(case, profile, device, refusals, notes)


def _case_of(arguments: argparse.Namespace, program: str) -> Case:
    """Return the case, on one GPU unless said otherwise, and of as many layers as there are."""
    if arguments.gpus is None:
        arguments.gpus = "1"
    if arguments.depth is None and arguments.factory is not None:
        model = {"factory": arguments.factory, "arg": arguments.arg, "seed": arguments.seed}
        nothing = dict.fromkeys(vars(arguments)) | model | {"depth": "1", "gpus": "1"}
        found = count_layers(parse_case(argparse.Namespace(**nothing), program))
        arguments.depth = str(found)
    return parse_case(arguments, program)


def _device_of(policy: str) -> torch.device:
    on_gpu = policy != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", 0) if on_gpu else torch.device("cpu")


def _rows_of(workload: Workload) -> int:
    """Return how many rows are measured: a micro-batch, or as many of it as any machine holds."""
    case = workload.case
    rows = case.batch_size // case.parts
    probed = min(rows, PROBE_ROWS)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        activations = workload.activations(probed)
    size = sum(part.nbytes for x in activations for part in parts_of(x)) / probed
    flops = counter.get_total_flops() / probed
    fits = min(MOST_BYTES / max(1, size), MOST_FLOPS / max(1, flops))
    return max(probed, min(rows, int(fits)))
