"""Sizes of a GPT's layers on a CUDA GPU: what a job measures there, as closed forms.

u is a vector for every token, (rows, seq_len, dim). Attention is torch's fused one, which keeps a
sum for each head and token. In float32 another kernel than in bfloat16 runs it, which is taken to
hold as much.
"""

from predict.memory.kernels import BLOCK, rounded
from predict.memory.kinds.entry import cross_entropy, layer_of, model_of
from predict.memory.kinds.gpt_sizes import GptSizes
from predict.memory.parts import ELEMENT_BYTES
from study.case import Case, given
from study.results.layers import LayerProfile, ModelProfile
from study.schedules import IN_TWO_PARTS

_UNSORTED = 3072  # torch sorts more tokens than these for an embedding's gradient
_PART = 10  # tokens that one block of threads adds up
_WARP = 32


def gpt_profile(case: Case) -> ModelProfile:
    """Return the sizes of the layers with one part of the batch.

    Args:
        case: of a GPT.
    """
    rows = case.batch_size // case.parts
    sizes = GptSizes(
        tokens=rows * given(case.seq_len),
        length=given(case.seq_len),
        dim=case.dim,
        heads=given(case.heads),
        vocab=given(case.vocab),
        element=ELEMENT_BYTES[case.dtype],
        is_fused=case.gradients == "fused",
        is_again=case.recompute == "layers",
        in_two_parts=case.schedule in IN_TWO_PARTS,
    )
    block = _block(sizes)
    layers = [_embedding(sizes), *[block] * case.depth, _head(sizes, given(case.tied))]
    loss = cross_entropy(sizes.tokens * sizes.vocab, sizes.element)
    batch = 8 * sizes.tokens
    return model_of(layers, loss, rows=rows, x=batch, target=batch, item="token")


def _embedding(s: GptSizes) -> LayerProfile:
    positions, places = s.length * s.dim * s.element, 8 * s.length
    sorting = 0
    if s.tokens > _UNSORTED:
        parts = s.tokens // _PART + min(s.tokens, s.vocab)
        wide = -(-s.dim // _WARP) * _WARP
        sorting = 4 * wide * parts + rounded(8 * parts) + 5 * 8 * s.tokens + 2 * BLOCK
    forward = 2 * s.unit + positions + places
    again = s.unit + s.table + sorting + BLOCK - places
    made = forward if s.is_again else 0
    peaks = max(made, again + positions), max(made, again)
    put_off = (
        {"input_peak_bytes": peaks[0], "input_again_peak_bytes": peaks[1]}
        if s.in_two_parts and s.is_fused
        else {}
    )
    return layer_of(
        "embedding",
        backward=(s.unit, *peaks),
        parameters=(s.vocab + s.length) * s.dim,
        parameter_bytes=s.table + positions,
        kept_bytes=0 if s.is_again else places,
        forward_peak_bytes=forward,
        **put_off,
    )


def _block(s: GptSizes) -> LayerProfile:
    u, sums, stats = s.unit, 4 * s.heads * s.tokens, 16 * s.tokens  # of attention, of both norms
    kept = 15 * u + sums + stats + 16
    made = kept if s.is_again else 0
    weights, rest = 12 * s.square, 13 * s.dim * s.element  # of which 9 dim are biases
    # Down, up, attended and qkv: what is there besides, and the new weight gradients up to there.
    moments = ((5 * u, 4, 4, 1), (-2 * u, 8, 4, 4), (-8 * u, 9, 1, 1), (-9 * u, 12, 3, 3))
    first = max(at + total * s.square + s.sum_of(width) for at, total, _, width in moments)
    again = max(
        at + (0 if s.is_fused else own) * s.square + s.sum_of(width)
        for at, _, own, width in moments
    )
    flops = 2 * s.tokens * (12 * s.dim**2 + 2 * s.length * s.dim)
    return layer_of(
        "block",
        backward=(u, made + first + 2 * BLOCK, made + again + 2 * BLOCK),
        parameters=12 * s.dim**2 + 13 * s.dim,
        parameter_bytes=weights + rest,
        kept_bytes=0 if s.is_again else kept,
        forward_peak_bytes=13 * u if s.is_again else kept + 2 * u + 2 * BLOCK,
        forward_flops=flops,
        input_gradient_flops=flops,
        weight_gradient_flops=24 * s.tokens * s.dim**2,
        **_block_in_two_parts(s, made),
    )


def _block_in_two_parts(s: GptSizes, made: int) -> dict[str, int | bool]:
    """Return the fields of a backward in two parts.

    Args:
        s: the sizes.
        made: bytes that forward makes again.
    """
    u, sums = s.unit, 4 * s.heads * s.tokens + 2 * BLOCK
    if not s.in_two_parts:
        return {}
    if not s.is_fused:
        of_qkv = s.sum_of(3) - u - 16 * s.tokens + 5 * s.square + 8 * s.dim * s.element
        return {
            "deferred_bytes": 11 * u,
            "keeps_output_gradient": True,
            "input_peak_bytes": 13 * u + sums,
            "weight_peak_bytes": max(0, of_qkv),
        }
    peak = made + 9 * u + sums
    return {
        "deferred_bytes": 15 * u,
        "keeps_output_gradient": True,
        "input_peak_bytes": peak,
        "input_again_peak_bytes": peak,
        "weight_peak_bytes": max(s.sum_of(1), s.sum_of(4) - 4 * u, s.sum_of(3) - 11 * u),
        "later_gradient_bytes": 12 * s.square + 9 * s.dim * s.element,
        "keeps_input_later": False,
    }


def _head(s: GptSizes, is_tied: bool) -> LayerProfile:
    u, scores = s.unit, s.tokens * s.vocab * s.element
    norm, kept = 2 * s.dim * s.element, s.unit + 8 * s.tokens
    made = kept if s.is_again else 0
    first, again = s.table + u + norm, (0 if s.is_fused else s.table) + u
    if s.is_again and s.is_fused:  # the product runs again
        first, again = max(first, scores), max(again, scores)
    own = {"parameter_bytes": s.table + norm, "parameters": (s.vocab + 2) * s.dim}
    if is_tied:
        own = {"parameter_bytes": norm, "parameters": 2 * s.dim, "shared_bytes": s.table}
        own["shares_with"] = 0
    two_parts: dict[str, int | bool] = {}
    if s.in_two_parts:
        peak = made + scores + 2 * u + 2 * BLOCK
        copied = s.table + scores - 2 * u - 8 * s.tokens + 2 * norm
        two_parts = {"keeps_output_gradient": True, "input_peak_bytes": peak}
        two_parts |= (
            {
                "deferred_bytes": u,
                "input_again_peak_bytes": peak,
                "weight_peak_bytes": 0,
                "later_gradient_bytes": s.table,
                "keeps_input_later": False,
            }
            if s.is_fused
            else {"deferred_bytes": 2 * u, "weight_peak_bytes": max(0, copied)}
        )
    flops = 2 * s.tokens * s.dim * s.vocab
    return layer_of(
        "head",
        backward=(scores, made + scores + first + BLOCK, made + scores + again + BLOCK),
        kept_bytes=0 if s.is_again else kept,
        forward_peak_bytes=scores + (u if s.is_again else kept),
        forward_flops=flops,
        input_gradient_flops=flops,
        weight_gradient_flops=flops,
        **own,
        **two_parts,
    )
