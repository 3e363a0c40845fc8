"""Figures of each kind of table, imported when they are drawn: matplotlib takes half a second."""

from report.kind import Drawings, Results


def step_time_figures(results: Results) -> Drawings:
    """Return step times along depth, swept keys and GPU counts."""
    from report.figures import depth, scaling, sweep

    drawn = [depth.make_figure(results), *sweep.make_figures(results)]
    return [*drawn, scaling.make_figure(results)]


def layer_map_figures(results: Results) -> Drawings:
    """Return the layers of each GPU."""
    from report.figures import layers

    return [layers.make_figure(results)]


def typical_steps(results: Results) -> Drawings:
    """Return what each GPU does during a step."""
    from report.figures import gantt

    return gantt.make_figures(results)


def memory_figures(results: Results) -> Drawings:
    """Return memory and step times by GPU count."""
    from report.figures import gpus, scaling, sweep

    drawn = [gpus.make_figure(results), *sweep.make_figures(results)]
    return [*drawn, scaling.make_figure(results)]


def memory_details(results: Results) -> Drawings:
    """Return steps as seen on each GPU, and the parts of memory."""
    from report.figures import gantt, memory

    return [*gantt.make_figures(results), memory.make_figure(results)]


def transfer_figures(results: Results) -> Drawings:
    """Return the moves of data between GPUs."""
    from report.figures import moves

    return [moves.make_figure(results)]


def schedule_figures(results: Results) -> Drawings:
    """Return the step time of each schedule, and speed-ups."""
    from report.figures import scaling, schedules

    return [schedules.make_figure(results), scaling.make_figure(results)]


def schedule_details(results: Results) -> Drawings:
    """Return what each GPU does, schedule by schedule."""
    from report.figures import schedule_gantt

    return [schedule_gantt.make_figure(results)]


def model_figures(results: Results) -> Drawings:
    """Return those of schedules, and step times along swept keys."""
    from report.figures import sweep

    return [*schedule_figures(results), *sweep.make_figures(results)]


def model_details(results: Results) -> Drawings:
    """Return those of schedules, and the parts of memory."""
    from report.figures import memory

    return [*schedule_details(results), memory.make_figure(results)]


def program_figures(results: Results) -> Drawings:
    """Return step times along swept keys and GPU counts."""
    from report.figures import scaling, sweep

    return [*sweep.make_figures(results), scaling.make_figure(results)]
