/* Random valid chains through the trainer, for a build with sanitizers: every block has exactly the size that the
   contract names, and within the scratch memory all between two parts is poisoned. The products are the engine's own.
   Arguments: how many chains, and a seed. */

#include "fuzz.h"

#include <sanitizer/asan_interface.h>

enum { MOST = 16, STEPS = 3, EXAMPLES = 9 };

/* A chain under construction, and what it points to. */
typedef struct {
    Chain chain;
    Step steps[MOST];
    Activation activations[MOST];
    int64_t value_sizes[MOST + 1], tensor_sizes[MOST * 4], widths[MOST + 1];
    uint8_t needs_gradient[MOST + 1], is_trained[MOST * 4];
    double decays[MOST * 4];
    int64_t rows;
    int activation_count;
} Made;

static int tensor(Made *made, int64_t size) {
    const int t = made->chain.tensor_count++;
    made->tensor_sizes[t] = size;
    made->is_trained[t] = below(4) != 0;
    made->decays[t] = below(2) ? 0.01 : 0;
    return t;
}

static int value(Made *made, int64_t width) {
    const int v = made->chain.value_count++;
    made->widths[v] = width;
    made->value_sizes[v] = made->rows * width;
    return v;
}

/* A new one, or one that stands elsewhere, too. */
static int activation(Made *made, int64_t width) {
    const int last = made->activation_count - 1;
    if (last >= 0 && made->activations[last].channels == width && below(4) == 0) return last;
    Activation *own = made->activations + made->activation_count;
    own->program = random_program(2, 1);
    own->channels = width;
    own->factor = below(2) ? 1 : 1.5;
    int32_t *tensors = block(own->program.parameter_count, sizeof *tensors);
    uint8_t *per_channel = block(own->program.parameter_count, 1);
    for (int p = 0; p < own->program.parameter_count; p++) {
        per_channel[p] = below(2);
        tensors[p] = tensor(made, per_channel[p] ? width : 1);
    }
    own->tensors = tensors;
    own->per_channel = per_channel;
    return made->activation_count++;
}

/* A value of a width: the last one, or another. */
static int of_width(const Made *made, int64_t width) {
    int v;
    do v = below(made->chain.value_count);
    while (made->widths[v] != width);
    return v;
}

static void add_step(Made *made, int kind) {
    Chain *chain = &made->chain;
    const int source = below(6) ? chain->value_count - 1 : below(chain->value_count);
    const int64_t in = made->widths[source], out = kind == LINEAR ? 1 + below(45) : in;
    Step step = {.kind = kind, .source = source, .other = -1, .weight = -1, .bias = -1, .activation = -1};
    step.rows = made->rows, step.inputs = in, step.outputs = out, step.epsilon = 1e-5, step.scale = 1;
    if (kind == SUM) step.other = of_width(made, in), step.scale = below(2) ? 1 : -0.5;
    if (kind == LINEAR) step.weight = tensor(made, in * out), step.is_turned = below(2);
    if (kind == NORM && below(3)) step.weight = tensor(made, in);
    if (kind == BIAS || (kind <= NORM && below(2))) step.bias = tensor(made, out);
    if (kind == ACTIVATION) step.activation = activation(made, in);
    step.target = value(made, out);
    made->steps[chain->step_count++] = step;
}

static int trains(const Made *made, const Step *step) {
    int found = made->needs_gradient[step->source] || (step->other >= 0 && made->needs_gradient[step->other]);
    found |= step->weight >= 0 && made->is_trained[step->weight];
    found |= step->bias >= 0 && made->is_trained[step->bias];
    for (int p = 0; step->kind == ACTIVATION && p < made->activations[step->activation].program.parameter_count; p++)
        found |= made->is_trained[made->activations[step->activation].tensors[p]];
    return found;
}

/* The last step is a linear layer that is trained, for a loss that nothing is trained by has no gradient. */
static Made *random_chain(void) {
    Made *made = block(1, sizeof *made);
    memset(made, 0, sizeof *made);
    made->rows = 1 + below(below(3) ? 1 : 3);
    value(made, 1 + below(45));
    for (int64_t left = below(MOST); left > 0; left--) add_step(made, below(5));
    add_step(made, LINEAR);
    made->is_trained[made->steps[made->chain.step_count - 1].weight] = 1;
    for (int s = 0; s < made->chain.step_count; s++)
        made->needs_gradient[made->steps[s].target] = trains(made, made->steps + s);
    Chain *chain = &made->chain;
    chain->steps = made->steps, chain->activations = made->activations, chain->decays = made->decays;
    chain->value_sizes = made->value_sizes, chain->tensor_sizes = made->tensor_sizes;
    chain->needs_gradient = made->needs_gradient, chain->is_trained = made->is_trained;
    chain->output = chain->value_count - 1;
    chain->loss = below(2) ? CROSS_ENTROPY : SQUARED_ERROR;
    chain->loss_scale = 1.0 / (double)made->value_sizes[chain->output];
    return made;
}

static void release_chain(Made *made) {
    for (int a = 0; a < made->activation_count; a++) {
        release(&made->activations[a].program);
        free((void *)made->activations[a].tensors);
        free((void *)made->activations[a].per_channel);
    }
    free(made);
}

static void open_rows(REAL *const *rows, int count, const int64_t *sizes, int64_t times) {
    ASAN_UNPOISON_MEMORY_REGION(rows, count * sizeof *rows);
    for (int r = 0; r < count; r++)
        if (rows[r]) ASAN_UNPOISON_MEMORY_REGION(rows[r], times * sizes[r] * sizeof(REAL));
}

/* Scratch memory of which nothing but the parts can be touched. */
static char *scratch_of(const Chain *chain, int64_t batch, int is_training) {
    const int64_t size = scratch_size(chain, batch, is_training);
    char *memory = aligned_alloc(64, size);
    if (!memory) exit(3);
    memset(memory, 0xff, size); /* NaN */
    Arena arena = {memory, 0};
    const Work work = divided(&arena, chain, batch, is_training);
    int64_t kept[MOST + 1] = {0}, registers = 1;
    for (int s = 0; s < chain->step_count; s++) {
        const Step *step = chain->steps + s;
        kept[step->target] = kept_by(chain, step);
        const int64_t own = step->kind == ACTIVATION ? chain->activations[step->activation].program.register_count : 1;
        registers = own > registers ? own : registers;
    }
    REAL **rows[] = {work.tensors, work.gradients, work.first, work.second, work.values, work.upstream, work.kept};
    work.kept[0] = NULL;
    ASAN_POISON_MEMORY_REGION(memory, size);
    for (int i = 0; i < 4; i++) {
        ASAN_UNPOISON_MEMORY_REGION(rows[i], chain->tensor_count * sizeof(REAL *));
        open_rows(rows[i], chain->tensor_count, chain->tensor_sizes, 1);
    }
    for (int i = 4; i < 7; i++) {
        ASAN_UNPOISON_MEMORY_REGION(rows[i], chain->value_count * sizeof(REAL *));
        open_rows(rows[i], chain->value_count, i == 6 ? kept : chain->value_sizes, batch);
    }
    ASAN_UNPOISON_MEMORY_REGION(work.is_open, chain->tensor_count);
    ASAN_UNPOISON_MEMORY_REGION(work.has_upstream, chain->value_count);
    ASAN_UNPOISON_MEMORY_REGION(work.losses, batch * sizeof(REAL));
    ASAN_UNPOISON_MEMORY_REGION(work.registers, (registers + 1) * BLOCK * sizeof(REAL));
    return memory;
}

static void close_scratch(char *memory, int64_t size) {
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    free(memory);
}

static REAL small(void) { return ((REAL)drawn() / 1073741824 - 1) / 4; }

/* Mostly numbers that a network takes: one special number makes NaN of all that comes behind. */
static REAL *examples(int64_t count) {
    if (below(8) == 0) return numbers(count);
    REAL *made = block(count, sizeof(REAL));
    for (int64_t i = 0; i < count; i++) made[i] = 4 * small();
    return made;
}

/* Tensors, first and second moments of a slice; moments of what is trained, the second ones for Adam alone. */
static void draw_slice(const Chain *chain, REAL **rows, int which, int is_adam) {
    for (int t = 0; t < chain->tensor_count; t++) {
        const int is_there = which == 0 || (chain->is_trained[t] && (which == 1 || is_adam));
        rows[t] = is_there ? block(chain->tensor_sizes[t], sizeof(REAL)) : NULL;
        for (int64_t i = 0; is_there && i < chain->tensor_sizes[t]; i++)
            rows[t][i] = which ? 0 : small();
    }
}

static Optimiser random_optimiser(const double *factors) {
    Optimiser made = {below(2) ? ADAM : SGD, below(2), below(2), 1 + below(3), 0.9, 0.999, 1e-8, 0.9, INFINITY, factors};
    if (below(2)) made.clip = 0.1;
    if (made.kind == SGD && below(2)) made.momentum = 0, made.is_nesterov = 0;
    return made;
}

/* Three steps at once and one after the other, then outputs: bits must be the same. */
static int one(void) {
    Made *made = random_chain();
    const Chain *chain = &made->chain;
    const double factors[STEPS] = {1, 0.5, 0.25};
    const Optimiser optimiser = random_optimiser(factors);
    const int64_t batch = 1 + below(EXAMPLES), size = chain->value_sizes[chain->output];
    const int64_t count = STEPS * optimiser.accumulate * batch;
    int64_t *order = block(count, sizeof *order), *labels = block(EXAMPLES, sizeof *labels);
    for (int64_t i = 0; i < count; i++) order[i] = below(EXAMPLES);
    for (int64_t i = 0; i < EXAMPLES; i++) labels[i] = below(size);
    REAL *inputs = examples(EXAMPLES * chain->value_sizes[0]), *targets = examples(EXAMPLES * size);
    const Data data = {inputs, chain->loss == CROSS_ENTROPY ? (void *)labels : targets, order, batch};
    REAL *rows[2][3][MOST * 4], *found[2];
    const int64_t bytes = scratch_size(chain, batch, 1);
    const uint64_t before = state;
    for (int way = 0; way < 2; way++) {
        state = before;
        for (int k = 0; k < 3; k++) draw_slice(chain, rows[way][k], k, optimiser.kind == ADAM);
        const Slice slice = {rows[way][0], rows[way][1], rows[way][2], 0.01};
        char *scratch = scratch_of(chain, batch, 1);
        REAL *losses = block(STEPS, sizeof(REAL));
        for (int64_t from = 0, step = way ? 1 : STEPS; from < STEPS; from += step)
            train(chain, &slice, &optimiser, &data, from, from + step, losses + from, scratch);
        close_scratch(scratch, bytes);
        free(losses);
        scratch = scratch_of(chain, batch, 0);
        found[way] = block(batch * size, sizeof(REAL));
        outputs_of(chain, &slice, inputs, order, batch, found[way], scratch);
        close_scratch(scratch, scratch_size(chain, batch, 0));
    }
    int wrong = !same(found[0], found[1], batch * size);
    for (int way = 0; way < 2; way++) {
        for (int k = 0; k < 3 * chain->tensor_count; k++) free(rows[way][k / chain->tensor_count][k % chain->tensor_count]);
        free(found[way]);
    }
    free(order), free(labels), free(inputs), free(targets);
    release_chain(made);
    return wrong;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    state = strtoull(arguments[2], NULL, 10);
    for (int64_t left = strtoll(arguments[1], NULL, 10); left; left--)
        if (one()) {
            printf("other bits step by step, %lld chains before the end\n", (long long)left);
            return 1;
        }
    return 0;
}
