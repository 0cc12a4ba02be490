import pytest
import torch

from vitron_ros.errors import ModelError
from vitron_ros.model.kv_cache import KVCache


def cache(rows: int = 2, capacity: int = 8) -> KVCache:
    return KVCache(
        layers=1,
        rows=rows,
        kv_heads=1,
        capacity=capacity,
        head_dim=1,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )


def write(cache: KVCache, span, values, row: int = 0):
    """Writes values (B, Q) as keys and values; returns what attention is given, (B, length)."""
    new = torch.tensor(values, dtype=torch.float32)[:, :, None, None]
    keys, _ = cache.update(0, new, new, span, row)
    return keys[:, 0, :, 0].tolist()


def test_a_new_cache_is_empty_and_fully_allocated():
    new = cache(rows=2, capacity=8)
    assert new.lengths == [0, 0]
    assert new.nbytes == 2 * 2 * 9 * 4  # keys and values, rows, slots with the scrap slot, float32


def test_prefill_writes_one_row_and_leaves_the_others():
    full = cache()
    seen = write(full, full.prefill(1, 3), [[1, 2, 3]], row=1)
    full.advance(1, 3)
    assert seen == [[1, 2, 3]]
    assert full.lengths == [0, 3]
    assert full.keys[0][0].abs().sum() == 0


def test_a_second_prefill_continues_the_row_and_looks_only_back():
    full = cache()
    write(full, full.prefill(0, 2), [[1, 2]])
    full.advance(0, 2)
    span = full.prefill(0, 2)
    assert span.positions.tolist() == [[2, 3]]
    assert span.mask.tolist() == [[[[True, True, True, False], [True, True, True, True]]]]
    assert write(full, span, [[3, 4]]) == [[1, 2, 3, 4]]


def test_decode_of_equal_rows_needs_no_mask_for_one_token():
    full = cache()
    span = full.decode([1, 1])
    assert (span.start, span.length, span.mask) == (0, 1, None)


def test_rows_of_different_lengths_write_each_to_its_own_end():
    full = cache()
    for row, count in enumerate((3, 1)):
        write(full, full.prefill(row, count), [[7] * count], row)
        full.advance(row, count)
    span = full.decode([1, 2])
    assert span.positions.tolist() == [[3, 0], [1, 2]]
    assert write(full, span, [[8, 99], [9, 10]]) == [[7, 7, 7, 8], [7, 9, 10, 0]]
    # The padding of row 0 may look somewhere, so that its softmax is defined, and is written where nobody looks.
    assert span.mask[0, 0].tolist() == [[True] * 4, [True, False, False, False]]
    assert full.keys[0][0, 0, full.capacity, 0] == 99


def test_fixed_shapes_give_the_same_result_as_tight_ones():
    full = cache(rows=1)
    span = full.decode([1], width=2, length=8)
    assert span.slots.tolist() == [[0, full.capacity]]
    assert span.mask.shape == (1, 1, 2, 8)


def test_a_full_cache_says_what_to_do():
    full = cache(rows=1, capacity=4)
    full.advance(0, 3)
    with pytest.raises(ModelError, match=r"3 tokens and 2 more exceed its 4; .*larger capacity"):
        full.decode([2])
    with pytest.raises(ModelError, match="context is full"):
        full.prefill(0, 2)
    full.decode([1])


def test_truncate_forgets_the_end_and_cannot_invent_it():
    full = cache(rows=1)
    full.advance(0, 3)
    full.truncate(0, 1)
    assert full.lengths == [1]
    with pytest.raises(ModelError, match="holds 1 tokens"):
        full.truncate(0, 2)


def test_copy_prefix_lends_a_row_to_another():
    full = cache()
    write(full, full.prefill(0, 3), [[1, 2, 3]])
    full.advance(0, 3)
    full.copy_prefix(0, 1, 2)
    assert full.lengths == [3, 2]
    assert full.keys[0][1, 0, :3, 0].tolist() == [1, 2, 0]


def test_reset_empties_a_full_cache():
    full = cache(rows=1, capacity=4)
    full.advance(0, 4)
    full.reset()
    assert full.decode([1]).start == 0


@pytest.mark.parametrize(("kind", "limit"), [("int8", 1 / 254), ("fp8", 1 / 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_cache_in_bytes_gives_back_what_was_written(kind, limit, dtype):
    """To half a step of the largest number of each head, or to the 3 bits of a float of 8; a scale in 16 bits adds."""
    small = KVCache(
        layers=2, rows=3, kv_heads=2, capacity=9, head_dim=8, dtype=dtype, device=torch.device("cpu"), kind=kind
    )
    generator = torch.Generator().manual_seed(0)
    new = (torch.randn(1, 5, 2, 8, generator=generator) * torch.tensor([1e-3, 1, 30, 1, 1])[None, :, None, None]).to(
        dtype
    )
    keys, values = small.update(1, new, -new, small.prefill(1, 5), 1)
    small.advance(1, 5)
    span = small.decode([0, 2, 0])
    late = torch.randn(3, 2, 2, 8, generator=generator).to(dtype)
    after, _ = small.update(1, late, late, span)
    written = torch.cat([new[0], late[1]]).transpose(0, 1).float()
    largest = written.abs().amax(-1, keepdim=True)
    allowed = (limit + (0 if dtype == torch.float32 else 0.012)) * largest
    assert keys.dtype == dtype
    assert ((after[1, :, :7].float() - written).abs() <= allowed).all()
    assert ((values[0].float() + written[:, :5]).abs() <= allowed[:, :5]).all()
    assert not torch.equal(after[1, :, :7].float(), written), "a byte cannot hold it all"
    small.copy_prefix(1, 0, 5)
    again, _ = small.update(1, late[:1, :1], late[:1, :1], small.prefill(0, 1), 0)
    assert torch.equal(again[0, :, :5], keys[0])


def test_a_kind_that_does_not_exist():
    with pytest.raises(ModelError, match="there is no cache of kind 'int2'; choose full, int8 or fp8"):
        KVCache(
            layers=1, rows=1, kv_heads=1, capacity=1, head_dim=1, dtype=torch.float32, device=torch.device("cpu"),
            kind="int2",
        )  # fmt: skip
