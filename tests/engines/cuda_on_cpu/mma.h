// Tensor-core tiles. Every thread of a warp holds the whole tile, and all of them write the same values.
#pragma once
#include "cuda_bf16.h"
#include "cuda_fp16.h"

namespace nvcuda::wmma {
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum Layout { mem_row_major };

inline float wide(__half x) { return __half2float(x); }
inline float wide(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename Kind, int M, int N, int K, typename T, typename Order = row_major> struct fragment {
    float values[16][16];
};

template <typename F> void fill_fragment(F &fragment, float value) {
    for (auto &row : fragment.values)
        for (float &each : row)
            each = value;
}

template <typename Kind, typename T>
void load_matrix_sync(fragment<Kind, 16, 16, 16, T, row_major> &out, const T *place, int pitch) {
    for (int r = 0; r < 16; ++r)
        for (int c = 0; c < 16; ++c)
            out.values[r][c] = wide(place[r * pitch + c]);
}

template <typename Kind, typename T>
void load_matrix_sync(fragment<Kind, 16, 16, 16, T, col_major> &out, const T *place, int pitch) {
    for (int r = 0; r < 16; ++r)
        for (int c = 0; c < 16; ++c)
            out.values[r][c] = wide(place[c * pitch + r]);
}

template <typename D, typename A, typename B> void mma_sync(D &out, const A &a, const B &b, const D &c) {
    D sum = c;
    for (int i = 0; i < 16; ++i)
        for (int k = 0; k < 16; ++k)
            for (int j = 0; j < 16; ++j)
                sum.values[i][j] += a.values[i][k] * b.values[k][j];
    out = sum;
}

template <typename F> void store_matrix_sync(float *place, const F &tile, int pitch, Layout) {
    for (int r = 0; r < 16; ++r)
        for (int c = 0; c < 16; ++c)
            place[r * pitch + c] = tile.values[r][c];
}
} // namespace nvcuda::wmma
