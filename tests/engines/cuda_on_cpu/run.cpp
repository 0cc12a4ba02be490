// The kernels of t_selector.cu as functions of a shared library.
#include "t_selector.cu"
#include <string>

extern "C" int run(const char *name, int grid_x, int grid_y, unsigned seed, const Arguments *arguments) {
    const std::string wanted(name);
    void (*kernel)(Arguments) = nullptr;
#define FIND(each)                                                                                                     \
    if (wanted == #each)                                                                                               \
        kernel = each;
    FIND(t_selector_scores_float32)
    FIND(t_selector_scores_float16)
    FIND(t_selector_scores_bfloat16)
    FIND(t_selector_published_float32)
    FIND(t_selector_published_float16)
    FIND(t_selector_published_bfloat16)
    FIND(t_selector_gated_float32)
    FIND(t_selector_gated_float16)
    FIND(t_selector_gated_bfloat16)
    if (kernel == nullptr)
        return 1;
    gridDim = {static_cast<unsigned>(grid_x), static_cast<unsigned>(grid_y), 1};
    for (int block = 0; block < grid_x * grid_y; ++block) {
        const int at = seed % 2 ? grid_x * grid_y - 1 - block : block;
        blockIdx = {static_cast<unsigned>(at % grid_x), static_cast<unsigned>(at / grid_x), 0};
        if (!run_block(THREADS, seed, [&] { kernel(*arguments); }))
            return 2;
    }
    return 0;
}

extern "C" int size_of_arguments() { return sizeof(Arguments); }
