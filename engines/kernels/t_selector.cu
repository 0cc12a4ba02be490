// The T-Selector of Elysium (arXiv 2403.16558) in one launch: scores of all patches, softmax, the top K in raster order,
// their tokens gathered and cast to what the projector takes.
//
//   T frames, N <= 1024 patches of C channels, K <= N selected, H hidden channels of the gate.
//
// A block scores ROWS patches of one frame. The block that finishes a frame last selects and gathers for it, so there is
// no second launch and no wait between blocks. Features are read from memory once; the selected rows are read again, from
// the L2 cache. Written are the selected tokens, their indices and 4 N bytes of scores a frame.
//
// Gates (one kernel each, for float, half and bfloat16):
//   scores     logits are given: the gate ran elsewhere
//   published  x . w + b, then an N x N map over the patches (the last block does it)
//   gated      LayerNorm, Linear, GELU, Linear. With the norm's gain folded into the first weights, W' = W g,
//                W (LayerNorm x) + b  =  (W' x - mean sum W') / std + (b + W beta),
//              so mean and deviation are found while W' x is computed, on tensor cores for the 16 bit types.
//
// Selection orders by the logit, of which softmax is a monotone function. Of equal logits the patch that comes first
// stays. NaN counts as the greatest, as in torch's sort. Sums are in a fixed order: the same input gives the same bits.

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

// Mirrored by selector.py. Pointers are to device memory; tensors are contiguous, but for the features' frames.
struct Arguments {
    const void *features;     // (T, N, C), the patches of a frame contiguous
    int64_t frame_stride;     // elements from one frame's features to the next: a class token may lie between them
    void *tokens;             // (T, K, C) in out_type
    int64_t *indices;         // (T, K), ascending
    float *probabilities;     // (T, K) softmax over all N; may be null
    float *logits;            // (T, N): input of `scores`, scratch of the others
    int32_t *finished;        // (T,) zeros, and zeros again afterwards; not used by `scores`
    const void *weight;       // published: (C,); gated: W' (H, C), padded with zero rows to a multiple of 16
    const void *map;          // published: (N, N), entry [i, j] from patch i to j
    const float *map_bias;    // published: (N,)
    const float *weight_sums; // gated: (H,) sums of the rows of W'
    const float *biases;      // gated: (H,) b + W beta
    const float *out_weight;  // gated: (H,) of the second linear layer
    float out_bias;           // published: of x . w; gated: of the second linear layer
    float epsilon;            // gated: of the norm
    int32_t patches, channels, selected, hidden; // hidden: padded, at most 256; channels: a multiple of 8
    int32_t out_type;                        // 0 float, 1 half, 2 bfloat16
};

namespace {

constexpr int THREADS = 256, WARPS = THREADS / 32, ROWS = 64, TILE = 16, MAX_PATCHES = 1024;
constexpr int PER_THREAD = MAX_PATCHES / THREADS, COLUMN_TILES = 2, MAX_HIDDEN = COLUMN_TILES * WARPS * TILE;
constexpr int SLOTS = 16; // partial sums of a row's logit, added in a fixed order
constexpr unsigned ALL = 0xffffffffu;

enum Gate { SCORES, PUBLISHED, GATED };

__device__ float to_float(float x) { return x; }
__device__ float to_float(__half x) { return __half2float(x); }
__device__ float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ void from_float(float x, float *out) { *out = x; }
__device__ void from_float(float x, __half *out) { *out = __float2half(x); }
__device__ void from_float(float x, __nv_bfloat16 *out) { *out = __float2bfloat16(x); }

__device__ float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

// 16 bytes of a row at once; zeros beyond its end.
template <typename T> struct alignas(16) Pack {
    static constexpr int SIZE = 16 / sizeof(T);
    T values[SIZE];
};

template <typename T> __device__ Pack<T> load(const T *row, int first, int count) {
    Pack<T> pack;
    if (first < count)
        return *reinterpret_cast<const Pack<T> *>(row + first);
    for (int i = 0; i < Pack<T>::SIZE; ++i)
        from_float(0.0f, &pack.values[i]);
    return pack;
}

// ---- the gated scores of ROWS patches ----

template <typename T> struct Chunk { // channels that are staged in shared memory at a time, and padding of a row
    static constexpr int SIZE = sizeof(T) == 2 ? 32 : 16, PITCH = SIZE + (sizeof(T) == 2 ? 8 : 4);
};

template <typename T> struct GatedMemory {
    alignas(16) T features[ROWS][Chunk<T>::PITCH];
    alignas(16) T weights[MAX_HIDDEN][Chunk<T>::PITCH];
    alignas(32) float tiles[WARPS][TILE][TILE];
    float partial[SLOTS][ROWS];
    float sums[THREADS], squares[THREADS];
    float mean[ROWS], scale[ROWS];
};

// What a thread adds to the logit of a row for one hidden channel.
__device__ float hidden_term(const Arguments &a, float product, float mean, float scale, int column) {
    return a.out_weight[column] * gelu(scale * (product - mean * a.weight_sums[column]) + a.biases[column]);
}

// Products of the staged chunk. Warps share the 16-bit types' columns in tiles of 16 x 16 on tensor cores.
template <typename T> struct Products {
    template <typename Kind, typename Layout>
    using Fragment = nvcuda::wmma::fragment<Kind, TILE, TILE, TILE, T, Layout>;
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, TILE, TILE, TILE, float> sums[COLUMN_TILES][ROWS / TILE];

    __device__ Products() {
#pragma unroll
        for (int t = 0; t < COLUMN_TILES; ++t)
            for (int r = 0; r < ROWS / TILE; ++r)
                nvcuda::wmma::fill_fragment(sums[t][r], 0.0f);
    }

    __device__ void add(const GatedMemory<T> &shared, int hidden) {
        const int warp = threadIdx.x / 32;
        for (int step = 0; step < Chunk<T>::SIZE; step += TILE)
#pragma unroll
            for (int t = 0; t < COLUMN_TILES; ++t) {
                const int column = (warp + t * WARPS) * TILE;
                if (column >= hidden)
                    continue;
                Fragment<nvcuda::wmma::matrix_b, nvcuda::wmma::col_major> weights;
                nvcuda::wmma::load_matrix_sync(weights, &shared.weights[column][step], Chunk<T>::PITCH);
#pragma unroll
                for (int r = 0; r < ROWS / TILE; ++r) {
                    Fragment<nvcuda::wmma::matrix_a, nvcuda::wmma::row_major> rows;
                    nvcuda::wmma::load_matrix_sync(rows, &shared.features[r * TILE][step], Chunk<T>::PITCH);
                    nvcuda::wmma::mma_sync(sums[t][r], rows, weights, sums[t][r]);
                }
            }
    }

    __device__ void finish(const Arguments &a, GatedMemory<T> &shared) {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row = lane / 2, half = lane % 2;
#pragma unroll
        for (int r = 0; r < ROWS / TILE; ++r) {
            float term = 0.0f;
#pragma unroll
            for (int t = 0; t < COLUMN_TILES; ++t) {
                const int column = (warp + t * WARPS) * TILE;
                if (column >= a.hidden)
                    continue;
                nvcuda::wmma::store_matrix_sync(&shared.tiles[warp][0][0], sums[t][r], TILE, nvcuda::wmma::mem_row_major);
                __syncwarp();
                const float mean = shared.mean[r * TILE + row], scale = shared.scale[r * TILE + row];
                for (int c = half * TILE / 2; c < (half + 1) * TILE / 2; ++c)
                    term += hidden_term(a, shared.tiles[warp][row][c], mean, scale, column + c);
                __syncwarp();
            }
            shared.partial[2 * warp + half][r * TILE + row] = term;
        }
    }
};

// float: plain multiplications, 4 x 16 products a thread. TF32 would keep 10 of 23 bits.
template <> struct Products<float> {
    static constexpr int DOWN = ROWS / 16, ACROSS = MAX_HIDDEN / 16;
    float sums[DOWN][ACROSS];

    __device__ Products() {
#pragma unroll
        for (int r = 0; r < DOWN; ++r)
            for (int c = 0; c < ACROSS; ++c)
                sums[r][c] = 0.0f;
    }

    __device__ void add(const GatedMemory<float> &shared, int hidden) {
        const int row = threadIdx.x / 16 * DOWN, column = threadIdx.x % 16;
        for (int step = 0; step < Chunk<float>::SIZE; ++step) {
            float rows[DOWN];
#pragma unroll
            for (int r = 0; r < DOWN; ++r)
                rows[r] = shared.features[row + r][step];
#pragma unroll
            for (int c = 0; c < ACROSS; ++c) {
                if (16 * c >= hidden)
                    break;
                const float weight = shared.weights[column + 16 * c][step];
#pragma unroll
                for (int r = 0; r < DOWN; ++r)
                    sums[r][c] = fmaf(rows[r], weight, sums[r][c]);
            }
        }
    }

    __device__ void finish(const Arguments &a, GatedMemory<float> &shared) {
        const int row = threadIdx.x / 16 * DOWN, column = threadIdx.x % 16;
#pragma unroll
        for (int r = 0; r < DOWN; ++r) {
            float term = 0.0f;
#pragma unroll
            for (int c = 0; c < ACROSS; ++c) {
                if (16 * c >= a.hidden)
                    break;
                term += hidden_term(a, sums[r][c], shared.mean[row + r], shared.scale[row + r], column + 16 * c);
            }
            shared.partial[column][row + r] = term;
        }
    }
};

template <typename T> __device__ void score_gated(const Arguments &a, const T *frame, float *logits, int first) {
    __shared__ GatedMemory<T> shared;
    constexpr int SIZE = Pack<T>::SIZE, PACKS = Chunk<T>::SIZE / SIZE; // packs of a row in a chunk: 4
    static_assert(THREADS == ROWS * PACKS, "one pack of the features a thread");
    const int tid = threadIdx.x, row = tid / PACKS, place = tid % PACKS * SIZE;
    const T *own = frame + static_cast<int64_t>(first + row) * a.channels;
    const T *weight = static_cast<const T *>(a.weight);
    const int own_channels = first + row < a.patches ? a.channels : 0;
    Products<T> products;
    float sum = 0.0f, square = 0.0f;
    for (int chunk = 0; chunk < a.channels; chunk += Chunk<T>::SIZE) {
        const Pack<T> pack = load(own, chunk + place, own_channels);
        *reinterpret_cast<Pack<T> *>(&shared.features[row][place]) = pack;
        for (int h = row; h < a.hidden; h += ROWS)
            *reinterpret_cast<Pack<T> *>(&shared.weights[h][place]) =
                load(weight + static_cast<int64_t>(h) * a.channels, chunk + place, a.channels);
        for (int i = 0; i < SIZE; ++i) {
            const float x = to_float(pack.values[i]);
            sum += x;
            square = fmaf(x, x, square);
        }
        __syncthreads();
        products.add(shared, a.hidden);
        __syncthreads();
    }
    shared.sums[tid] = sum;
    shared.squares[tid] = square;
    for (int slot = tid / ROWS; slot < SLOTS; slot += THREADS / ROWS) // columns that no warp has
        shared.partial[slot][tid % ROWS] = 0.0f;
    __syncthreads();
    if (tid < ROWS) {
        float total = 0.0f, squares = 0.0f;
        for (int i = 0; i < PACKS; ++i) {
            total += shared.sums[tid * PACKS + i];
            squares += shared.squares[tid * PACKS + i];
        }
        const float mean = total / a.channels;
        shared.mean[tid] = mean;
        shared.scale[tid] = rsqrtf(fmaxf(squares / a.channels - mean * mean, 0.0f) + a.epsilon);
    }
    __syncthreads();
    products.finish(a, shared);
    __syncthreads();
    if (tid < ROWS && first + tid < a.patches) {
        float logit = a.out_bias;
        for (int slot = 0; slot < SLOTS; ++slot)
            logit += shared.partial[slot][tid];
        logits[first + tid] = logit;
    }
}

// ---- the published scores ----

template <typename T> __device__ void score_published(const Arguments &a, const T *frame, float *logits, int first) {
    __shared__ float sums[THREADS];
    constexpr int SIZE = Pack<T>::SIZE, SHARERS = THREADS / ROWS;
    const int tid = threadIdx.x, patch = first + tid / SHARERS;
    const int channels = patch < a.patches ? a.channels : 0;
    const T *row = frame + static_cast<int64_t>(patch) * a.channels, *weight = static_cast<const T *>(a.weight);
    float sum = 0.0f;
    for (int c = tid % SHARERS * SIZE; c < channels; c += SHARERS * SIZE) {
        const Pack<T> x = load(row, c, channels), w = load(weight, c, channels);
        for (int i = 0; i < SIZE; ++i)
            sum = fmaf(to_float(x.values[i]), to_float(w.values[i]), sum);
    }
    sums[tid] = sum;
    __syncthreads();
    if (tid < ROWS && first + tid < a.patches) {
        float score = a.out_bias;
        for (int i = 0; i < SHARERS; ++i)
            score += sums[tid * SHARERS + i];
        logits[first + tid] = score;
    }
}

// The map over the patches, in place, by the block that finishes the frame.
template <typename T> __device__ void mix_published(const Arguments &a, float *logits) {
    __shared__ float scores[MAX_PATCHES];
    const T *map = static_cast<const T *>(a.map);
    for (int i = threadIdx.x; i < a.patches; i += THREADS)
        scores[i] = __ldcg(&logits[i]);
    __syncthreads();
    for (int j = threadIdx.x; j < a.patches; j += THREADS) {
        float sum = 0.0f;
        for (int i = 0; i < a.patches; ++i)
            sum = fmaf(scores[i], to_float(map[static_cast<int64_t>(i) * a.patches + j]), sum);
        logits[j] = sum + a.map_bias[j];
    }
    __syncthreads();
}

// ---- selection ----

// An unsigned number in the order of a float: NaN is the greatest, and the two zeros are equal.
__device__ uint32_t ordered(float x) {
    if (x != x)
        return ALL;
    const uint32_t bits = __float_as_uint(x + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

__device__ int warp_inclusive(int value) {
    for (int step = 1; step < 32; step *= 2) {
        const int other = __shfl_up_sync(ALL, value, step);
        if (static_cast<int>(threadIdx.x % 32) >= step)
            value += other;
    }
    return value;
}

// Sum over the threads before this one, and over all of them. `sums` is of WARPS.
__device__ int exclusive(int value, int *sums, int *total) {
    const int warp = threadIdx.x / 32, inclusive = warp_inclusive(value);
    if (threadIdx.x % 32 == 31)
        sums[warp] = inclusive;
    __syncthreads();
    int before = inclusive - value;
    *total = 0;
    for (int w = 0; w < WARPS; ++w) {
        before += w < warp ? sums[w] : 0;
        *total += sums[w];
    }
    __syncthreads();
    return before;
}

struct SelectionMemory {
    int16_t places[MAX_PATCHES];
    int counts[2][WARPS];
    float values[THREADS];
};

__device__ float block_reduce(float value, float *values, bool is_maximum) {
    values[threadIdx.x] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (static_cast<int>(threadIdx.x) < half) {
            const float other = values[threadIdx.x + half];
            values[threadIdx.x] = is_maximum ? fmaxf(values[threadIdx.x], other) : values[threadIdx.x] + other;
        }
        __syncthreads();
    }
    const float result = values[0];
    __syncthreads();
    return result;
}

// Fills places[0 .. selected) with the patches of the highest logits, ascending.
__device__ void select(const Arguments &a, const float *logits, int frame, SelectionMemory &shared) {
    const int tid = threadIdx.x, first = tid * PER_THREAD; // a thread owns neighbours, so that its order is the raster's
    float own[PER_THREAD];
    uint32_t keys[PER_THREAD];
    for (int i = 0; i < PER_THREAD; ++i) {
        const bool is_patch = first + i < a.patches;
        own[i] = is_patch ? __ldcg(&logits[first + i]) : 0.0f;
        keys[i] = is_patch ? ordered(own[i]) : 0; // 0 is the key of no number
    }
    // The K-th greatest key, bit by bit: the largest number that at least K keys reach.
    uint32_t threshold = 0;
    for (int bit = 31; bit >= 0; --bit) {
        const uint32_t candidate = threshold | 1u << bit;
        int count = 0;
        for (int i = 0; i < PER_THREAD; ++i)
            count += keys[i] >= candidate;
        int *counts = shared.counts[bit % 2]; // two in turn, so that one barrier a bit is enough
        count = __reduce_add_sync(ALL, count);
        if (tid % 32 == 0)
            counts[tid / 32] = count;
        __syncthreads();
        count = 0;
        for (int w = 0; w < WARPS; ++w)
            count += counts[w];
        if (count >= a.selected)
            threshold = candidate;
    }
    int greater = 0, equal = 0;
    for (int i = 0; i < PER_THREAD; ++i) {
        greater += keys[i] > threshold;
        equal += keys[i] == threshold;
    }
    __syncthreads();
    int total;
    const int packed = exclusive(equal << 16 | greater, shared.counts[0], &total);
    const int wanted = a.selected - (total & 0xffff); // of the equal ones, the first
    int greater_before = packed & 0xffff, equal_before = packed >> 16;
    for (int i = 0; i < PER_THREAD; ++i) {
        const bool is_kept = keys[i] > threshold || (keys[i] == threshold && equal_before < wanted);
        if (is_kept)
            shared.places[greater_before + min(equal_before, wanted)] = static_cast<int16_t>(first + i);
        greater_before += keys[i] > threshold;
        equal_before += keys[i] == threshold;
    }
    __syncthreads();
    for (int k = tid; k < a.selected; k += THREADS)
        a.indices[static_cast<int64_t>(frame) * a.selected + k] = shared.places[k];
    if (a.probabilities == nullptr)
        return;
    float greatest = -INFINITY, sum = 0.0f;
    for (int i = 0; i < PER_THREAD; ++i)
        if (first + i < a.patches)
            greatest = fmaxf(greatest, own[i]);
    greatest = block_reduce(greatest, shared.values, true);
    for (int i = 0; i < PER_THREAD; ++i)
        if (first + i < a.patches)
            sum += expf(own[i] - greatest);
    sum = block_reduce(sum, shared.values, false);
    for (int k = tid; k < a.selected; k += THREADS)
        a.probabilities[static_cast<int64_t>(frame) * a.selected + k] =
            expf(__ldcg(&logits[shared.places[k]]) - greatest) / sum;
}

// ---- gather and cast ----

template <typename T, typename Out>
__device__ void gather(const Arguments &a, const T *frame, int index, const int16_t *places) {
    constexpr int SIZE = Pack<T>::SIZE;
    Out *tokens = static_cast<Out *>(a.tokens) + static_cast<int64_t>(index) * a.selected * a.channels;
    for (int k = threadIdx.x / 32; k < a.selected; k += WARPS) {
        const T *row = frame + static_cast<int64_t>(places[k]) * a.channels;
        Out *out = tokens + static_cast<int64_t>(k) * a.channels;
        for (int c = threadIdx.x % 32 * SIZE; c < a.channels; c += 32 * SIZE) {
            const Pack<T> pack = load(row, c, a.channels);
            struct alignas(SIZE * sizeof(Out) < 16 ? SIZE * sizeof(Out) : 16) {
                Out values[SIZE];
            } cast;
            for (int i = 0; i < SIZE; ++i)
                from_float(to_float(pack.values[i]), &cast.values[i]);
            *reinterpret_cast<decltype(cast) *>(out + c) = cast;
        }
    }
}

template <typename T, Gate GATE> __device__ void t_selector(const Arguments &a) {
    __shared__ SelectionMemory shared;
    __shared__ bool is_last;
    const int frame = blockIdx.y;
    const T *features = static_cast<const T *>(a.features) + frame * a.frame_stride;
    float *logits = a.logits + static_cast<int64_t>(frame) * a.patches;
    if (GATE != SCORES) {
        if (GATE == GATED)
            score_gated<T>(a, features, logits, blockIdx.x * ROWS);
        else
            score_published<T>(a, features, logits, blockIdx.x * ROWS);
        __threadfence(); // logits must be seen before the ticket
        __syncthreads();
        if (threadIdx.x == 0)
            is_last = atomicAdd(&a.finished[frame], 1) == static_cast<int>(gridDim.x) - 1;
        __syncthreads();
        if (!is_last)
            return;
        __threadfence();
        if (threadIdx.x == 0)
            a.finished[frame] = 0;
        if (GATE == PUBLISHED)
            mix_published<T>(a, logits);
    }
    select(a, logits, frame, shared);
    if (a.out_type == 0)
        gather<T, float>(a, features, frame, shared.places);
    else if (a.out_type == 1)
        gather<T, __half>(a, features, frame, shared.places);
    else
        gather<T, __nv_bfloat16>(a, features, frame, shared.places);
}

} // namespace

#define KERNEL(name, type, gate)                                                                                       \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) name(const Arguments arguments) {                            \
        t_selector<type, gate>(arguments);                                                                             \
    }

KERNEL(t_selector_scores_float32, float, SCORES)
KERNEL(t_selector_scores_float16, __half, SCORES)
KERNEL(t_selector_scores_bfloat16, __nv_bfloat16, SCORES)
KERNEL(t_selector_published_float32, float, PUBLISHED)
KERNEL(t_selector_published_float16, __half, PUBLISHED)
KERNEL(t_selector_published_bfloat16, __nv_bfloat16, PUBLISHED)
KERNEL(t_selector_gated_float32, float, GATED)
KERNEL(t_selector_gated_float16, __half, GATED)
KERNEL(t_selector_gated_bfloat16, __nv_bfloat16, GATED)
