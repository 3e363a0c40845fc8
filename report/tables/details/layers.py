"""Table of a model's layers as measured: equal neighbours are one row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.wording.layers import layer_words, short_name
from report.wording.names import key_name, key_text
from report.wording.quantities import Cell, in_words, rate_cell, size_cell, time_cell
from report.wording.units import UNKNOWN
from study.results.layers import LayerProfile, ModelProfile

CAPTION = (
    "Layers of the model, each measured alone with one micro-batch; a row of several layers shows "
    "one of them, the row of all layers their sums"
)
MOST_MODELS = 4  # that differ
MOST_RUNS = 40  # of equal layers; of more, those in the middle are one row
Run = list[int]  # numbers of neighbouring layers


@dataclass(frozen=True)
class Sizes:
    """The sizes that make two layers equal: all but their names and times."""

    parameters: int
    parameter_bytes: int
    output_bytes: int
    kept_bytes: int
    flops: int | None


def make_table(results: list[MeasuredCase]) -> Table:
    """Return the rows of each model and size of micro-batch that was measured, and their sums."""
    models = models_of(results)
    names = differing(models, "gpus", "schedule", "micro_batches", "chunks_per_gpu", "balance")
    if not names:
        models.sort(key=lambda result: 0 if result.model is None else result.model.rows)
    made = [
        (_label(result, names, len(models) > 1), cells)
        for result in models[:MOST_MODELS]
        for cells in _rows(result)
    ]
    words = in_words(cells for _, cells in made)
    rows = zip(made, words, strict=True)
    return known_rows(CAPTION, (join_cells(label, cells) for (label, _), cells in rows))


def models_of(results: Sequence[MeasuredCase]) -> list[MeasuredCase]:
    """Return one case for each model and size of micro-batch of which layers were measured."""
    found: dict[tuple[Sizes, ...], MeasuredCase] = {}
    for result in results:
        if result.model is not None and result.layer_names is not None:
            found.setdefault(tuple(map(sizes, result.model.layers)), result)
    return list(found.values())


def sizes(layer: LayerProfile) -> Sizes:
    """Return what a layer has and does, but for the time it takes."""
    return Sizes(
        layer.parameters,
        layer.parameter_bytes,
        layer.output_bytes,
        layer.kept_bytes,
        _flops(layer),
    )


def _label(result: MeasuredCase, keys: Sequence[str], several: bool) -> dict[str, str]:
    label = {key_name(key): key_text(result.case, key) for key in keys}
    rows = {"rows": str(result.model.rows)} if several and result.model is not None else {}
    return label | rows


def _rows(result: MeasuredCase) -> Iterator[dict[str, Cell]]:
    model = result.model
    assert model is not None
    runs = list(_runs(model))
    left_out = runs[MOST_RUNS // 2 : -MOST_RUNS // 2] if len(runs) > MOST_RUNS else []
    names = result.layer_names
    for at, run in enumerate(runs):
        if left_out and at == MOST_RUNS // 2:
            count = sum(map(len, left_out))
            yield {"layers": f"{count} more", "count": str(count)}
        if run not in left_out or not left_out:
            layers = [model.layers[number] for number in run]
            yield _cells(layer_words(names, run), len(run), layers[0], _mean_s(layers))
    yield _cells(short_name(model.loss.name), 1, model.loss, _mean_s([model.loss]))
    yield _sum(model)


def _runs(model: ModelProfile) -> Iterator[Run]:
    run: Run = []
    for number, layer in enumerate(model.layers):
        if run and sizes(layer) != sizes(model.layers[run[-1]]):
            yield run
            run = []
        run.append(number)
    yield run


def _cells(
    name: str, count: int, layer: LayerProfile, times_s: tuple[float | None, float | None]
) -> dict[str, Cell]:
    flops = _flops(layer)
    return {
        "layers": name,
        "count": str(count),
        "parameters": rate_cell(layer.parameters, ""),
        "size of parameters": size_cell(layer.parameter_bytes),
        "output": size_cell(layer.output_bytes),
        "kept for backward": size_cell(layer.kept_bytes),
        "operations": UNKNOWN if flops is None else rate_cell(flops, "FLOP"),
        "forward": time_cell(times_s[0]),
        "backward": time_cell(times_s[1]),
    }


def _sum(model: ModelProfile) -> dict[str, Cell]:
    """Return the sums over all layers and the loss."""
    layers = (*model.layers, model.loss)
    flops = [_flops(layer) for layer in layers]
    known = [f for f in flops if f is not None]
    forward, backward = (_total([x[at] for x in map(_times, layers)]) for at in (0, 1))
    return {
        "layers": "all",
        "count": str(len(model.layers)),
        "parameters": rate_cell(sum(layer.parameters for layer in layers), ""),
        "size of parameters": size_cell(sum(layer.parameter_bytes for layer in layers)),
        "output": UNKNOWN,
        "kept for backward": size_cell(sum(layer.kept_bytes for layer in layers)),
        "operations": rate_cell(sum(known), "FLOP") if len(known) == len(flops) else UNKNOWN,
        "forward": time_cell(forward),
        "backward": time_cell(backward),
    }


def _flops(layer: LayerProfile) -> int | None:
    """Return the operations of forward and backward; None where one is not counted."""
    parts = (layer.forward_flops, layer.input_gradient_flops, layer.weight_gradient_flops)
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _mean_s(layers: Sequence[LayerProfile]) -> tuple[float | None, float | None]:
    forward, backward = (_total([x[at] for x in map(_times, layers)]) for at in (0, 1))
    count = len(layers)
    return (
        None if forward is None else forward / count,
        None if backward is None else backward / count,
    )


def _times(layer: LayerProfile) -> tuple[float | None, float | None]:
    return layer.forward_s, layer.backward_s


def _total(times_s: Sequence[float | None]) -> float | None:
    known = [time_s for time_s in times_s if time_s is not None]
    return sum(known) if len(known) == len(times_s) else None
