/* What both fuzzers take: the engine, random numbers, blocks of exact sizes, and random valid programs. ENGINE: its file. */

#include ENGINE

#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

static uint32_t drawn(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static int64_t below(int64_t bound) { return drawn() % bound; }

static REAL number(void) {
    static const REAL special[] = {0,      -0.0f,  1,     -1,     0.5f,     88,        -104,
                                   1e-40f, -1e-40f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN};
    if (below(8) == 0) return special[below(sizeof special / sizeof *special)];
    return ((REAL)drawn() / 1073741824 - 1) * (below(4) ? 4 : 1000);
}

static void *block(int64_t count, size_t size) {
    void *made = malloc(count > 0 ? count * size : 1);
    if (!made) exit(3);
    return made;
}

static REAL *numbers(int64_t count) {
    REAL *made = block(count, sizeof(REAL));
    for (int64_t i = 0; i < count; i++) made[i] = number();
    return made;
}

/* Registers that hold something are read, those behind the inputs written. */
static Program random_program(int32_t output_count, int32_t more_by_parameter) {
    Program p = {0};
    p.parameter_count = below(4);
    p.constant_count = below(4);
    const int inputs = 1 + p.parameter_count + p.constant_count, temporaries = 1 + below(below(20) ? 12 : 255 - inputs);
    p.register_count = inputs + temporaries;
    double *constants = block(p.constant_count, sizeof(double));
    for (int k = 0; k < p.constant_count; k++) constants[k] = below(20) ? number() : 1e300;
    p.constants = constants;
    p.length = below(24);
    int32_t *code = block(p.length * WORDS, 4);
    int written = inputs;
    for (int k = 0; k < p.length; k++) {
        const int reach = written < p.register_count ? written + 1 : written;
        code[k * WORDS] = below(TANH_SOFTPLUS + 1);
        code[k * WORDS + 1] = inputs + below(reach - inputs);
        for (int word = 2; word < WORDS; word++) code[k * WORDS + word] = below(written);
        if (code[k * WORDS + 1] == written) written++;
    }
    p.code = code;
    p.output_count = output_count + more_by_parameter * p.parameter_count;
    int32_t *outputs = block(p.output_count, 4);
    for (int k = 0; k < p.output_count; k++) outputs[k] = below(written);
    p.outputs = outputs;
    return p;
}

static void release(Program *p) {
    free((void *)p->code);
    free((void *)p->constants);
    free((void *)p->outputs);
}

static int same(const REAL *a, const REAL *b, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(a[i] != a[i] && b[i] != b[i]) && memcmp(a + i, b + i, sizeof(REAL))) return 0;
    return 1;
}
