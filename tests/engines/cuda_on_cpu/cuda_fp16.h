#pragma once
#include "fibers.h"
#include <immintrin.h>

struct __half {
    uint16_t bits;
};

__attribute__((target("f16c"))) inline float __half2float(__half x) { return _cvtsh_ss(x.bits); }
__attribute__((target("f16c"))) inline __half __float2half(float x) {
    return {static_cast<uint16_t>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT))};
}
