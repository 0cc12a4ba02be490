// A block of CUDA threads as fibers of one CPU thread: enough of CUDA to run a kernel's source as it is, and to find a
// missing barrier by running the threads in another order. Blocks run one after the other.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <ucontext.h>
#include <vector>

#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)

struct Index {
    unsigned x, y, z;
};
inline Index blockIdx, gridDim;

struct Barrier {
    int size = 0, count = 0, generation = 0;
};

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(256 * 1024);
    bool is_done = false;
    int thread = 0;
};

inline std::vector<Fiber> fibers;
inline Fiber *current;
inline ucontext_t scheduler;
inline Barrier block_barrier;
inline std::vector<Barrier> warp_barriers;
inline std::vector<int> exchanged;
inline std::function<void()> body;

struct ThreadIndex {
    struct X {
        operator unsigned() const { return current->thread; }
    } x;
};
inline ThreadIndex threadIdx;

inline void enter() {
    body();
    current->is_done = true;
    swapcontext(&current->context, &scheduler);
}

inline void wait(Barrier &barrier) {
    const int generation = barrier.generation;
    if (++barrier.count == barrier.size) {
        barrier.count = 0;
        ++barrier.generation;
        return;
    }
    while (barrier.generation == generation)
        swapcontext(&current->context, &scheduler);
}

// Runs one block of `threads`; false: threads wait for ones that have ended, or for each other. Seed 0 runs them in
// order; with another, whole warps are held back at random, so that some run ahead as far as barriers let them.
inline bool run_block(int threads, unsigned seed, std::function<void()> kernel) {
    body = kernel;
    fibers = std::vector<Fiber>(threads);
    block_barrier = {threads};
    warp_barriers.assign(threads / 32, Barrier{32});
    exchanged.assign(threads, 0);
    for (int i = 0; i < threads; ++i) {
        getcontext(&fibers[i].context);
        fibers[i].context.uc_stack = {fibers[i].stack.data(), 0, fibers[i].stack.size()};
        fibers[i].context.uc_link = &scheduler;
        fibers[i].thread = i;
        makecontext(&fibers[i].context, enter, 0);
    }
    std::minstd_rand random(seed);
    for (int rounds = 0, left = threads; left > 0; ++rounds) {
        if (rounds > 1000000)
            return false;
        const int first = seed ? random() % (threads / 32) : 0;
        for (int i = 0; i < threads; ++i) {
            if (seed && i % 32 == 0 && random() % 4) {
                i += 31;
                continue;
            }
            current = &fibers[(32 * first + i) % threads];
            if (current->is_done)
                continue;
            swapcontext(&scheduler, &current->context);
            left -= current->is_done;
        }
    }
    return true;
}

inline void __syncthreads() { wait(block_barrier); }
inline void __syncwarp() { wait(warp_barriers[threadIdx.x / 32]); }
inline void __threadfence() {}

inline int __shfl_up_sync(unsigned, int value, int step) {
    const int thread = threadIdx.x;
    exchanged[thread] = value;
    __syncwarp();
    const int result = thread % 32 >= step ? exchanged[thread - step] : value;
    __syncwarp();
    return result;
}

inline int __reduce_add_sync(unsigned, int value) {
    const int thread = threadIdx.x;
    exchanged[thread] = value;
    __syncwarp();
    int sum = 0;
    for (int i = 0; i < 32; ++i)
        sum += exchanged[thread / 32 * 32 + i];
    __syncwarp();
    return sum;
}

inline int32_t atomicAdd(int32_t *place, int32_t value) {
    const int32_t before = *place;
    *place += value;
    return before;
}

template <typename T> inline T __ldcg(const T *place) { return *place; }

inline uint32_t __float_as_uint(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline int min(int a, int b) { return a < b ? a : b; }
