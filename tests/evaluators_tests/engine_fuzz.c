/* Random valid programs through the engine, for a build with sanitizers: every block has exactly the size that the
   contract names. Arguments: how many programs, and a seed. */

#include "fuzz.h"

static REAL *scratch_for(int32_t registers) {
    return aligned_alloc(64, (registers + 1) * BLOCK * sizeof(REAL));
}

/* The program over a whole stack, and again slice by slice: bits must be the same. */
static int one(void) {
    Program p = random_program(1 + below(5), 0);
    const int64_t inner = 1 + below(4), channels = 1 + below(5), groups = 1 + below(below(6) ? 12 : 80);
    const int64_t slices = 1 + below(3), elements = inner * channels * groups;
    uint8_t per_channel[4];
    REAL *values[4], *out[5], *again[5];
    for (int k = 0; k < p.parameter_count; k++) {
        per_channel[k] = below(2);
        values[k] = numbers(slices * (per_channel[k] ? channels : 1));
    }
    for (int k = 0; k < p.output_count; k++) {
        out[k] = block(slices * elements, sizeof(REAL));
        again[k] = block(elements, sizeof(REAL));
    }
    REAL *x = numbers(slices * elements), *scratch = scratch_for(p.register_count), factor = number();
    const Program *programs[] = {&p};
    const int64_t start = 0;
    interpret_shares(1, programs, &start, &slices, elements, x, (const REAL *const *)values, per_channel, channels, inner,
                     &factor, out, scratch);
    int wrong = 0;
    for (int64_t s = 0; s < slices && inner == 1; s++) {
        const REAL *own[4];
        for (int k = 0; k < p.parameter_count; k++) own[k] = values[k] + s * (per_channel[k] ? channels : 1);
        interpret(&p, x + s * elements, elements, own, per_channel, channels, factor, again, scratch);
        for (int k = 0; k < p.output_count; k++) wrong |= !same(out[k] + s * elements, again[k], elements);
    }
    for (int k = 0; k < p.parameter_count; k++) free(values[k]);
    for (int k = 0; k < p.output_count; k++) {
        free(out[k]);
        free(again[k]);
    }
    free(x);
    free(scratch);
    release(&p);
    return wrong;
}

/* A step with a gradient whose last two dimensions may be transposed. */
static void steps(void) {
    const int64_t rows = 1 + below(4), outer = 1 + below(9), inner = below(below(9) ? 70 : 1100);
    const int64_t size = rows * outer * inner, turned = below(2);
    const int64_t layout[] = {rows, outer, inner, outer * inner, turned ? 1 : inner, turned ? outer : 1};
    REAL *pointers[] = {numbers(size), numbers(size), numbers(size), numbers(size), numbers(rows)};
    const Adam settings = {0.9, 0.999, 1e-8, below(2) ? 0.1 : 0, -0.5, below(2)};
    adam(1, &settings, layout, pointers);
    for (int k = 0; k < 5; k++) free(pointers[k]);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    state = strtoull(arguments[2], NULL, 10);
    for (int64_t left = strtoll(arguments[1], NULL, 10); left; left--) {
        if (one()) {
            printf("other bits in other company, %lld programs before the end\n", (long long)left);
            return 1;
        }
        if (left % 16 == 0) steps();
    }
    return 0;
}
