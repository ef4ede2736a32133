/* The native engine: an interpreter of bytecode over blocks, and optimisers in one pass.

   Compiled twice, with REAL float and with REAL double and DOUBLE defined. Loops are written for a compiler that
   vectorises; no result depends on how it does: no operation is reassociated, and fused ones are asked for by name. */

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 512, LANES = 16, WORDS = 5 };

/* The order is that of primitives/lowering/bytecode/opcodes.py. */
enum {
    ADD, SUB, MUL, DIV, POW, MAX, MIN,
    GT, GE, LT, LE,
    SELECT, SELECT_GT, SELECT_GE, SELECT_LT, SELECT_LE,
    NEG, RECIPROCAL, ABS, SIGN, FLOOR, SQRT,
    EXP, EXPM1, LOG, LOG1P, SIN, COS, ATAN,
    SINH, COSH, TANH, ASINH, ERF, ERFC,
    SIGMOID, SOFTPLUS, LOG_SIGMOID,
    SIGMOID_SLOPE, TANH_SLOPE, ELU_SLOPE,
    TANH_SOFTPLUS
};

typedef struct {
    const int32_t *code; /* (length, 5): opcode, destination, three operands */
    int32_t length;
    const double *constants;
    int32_t constant_count, parameter_count, register_count;
    const int32_t *outputs;
    int32_t output_count;
} Program;

#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* libm's functions stay scalar */
#define VECTORISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define VECTORISE _Pragma("GCC ivdep")
#endif

/* --- functions of one number --- */

#ifdef DOUBLE

#define MATH(name) name

#else

#define MATH(name) name##f

static inline int32_t bits(float a) { int32_t i; memcpy(&i, &a, 4); return i; }
static inline float real(int32_t i) { float a; memcpy(&a, &i, 4); return a; }
static inline float two_to(int32_t k) { return real((int32_t)((uint32_t)(k + 127) << 23)); }

/* The nearest integer, by a number at which floats are 1 apart; its bits count from those of that number. */
#define SHIFTER 12582912.0f
static inline int32_t whole(float n) { return bits(n + SHIFTER) - 0x4b400000; }

/* exp(a) 2**by: a = n ln 2 + f, and the power of two in two factors, so that neither overflows before the product does.
   The polynomials of this file are minimax fits; the worst errors of the functions are 0.9 to 2 ulp. */
static inline float expo(float a, int by) {
    const float b = a < -104.0f ? -104.0f : a > 90.0f ? 90.0f : a; /* NaN stays */
    const float n = fmaf(b, 1.44269502f, SHIFTER) - SHIFTER;
    const float f = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, b));
    float r = fmaf(1.37805939e-3f, f, 8.37312452e-3f);
    r = fmaf(r, f, 4.16695364e-2f);
    r = fmaf(r, f, 0.166664720f);
    r = fmaf(r, f, 0.499999851f);
    r = fmaf(r, f, 1.0f);
    r = fmaf(r, f, 1.0f);
    const int32_t k = whole(n) + by, half = k >> 1;
    return r * two_to(half) * two_to(k - half);
}
static inline float exp_(float a) { return expo(a, 0); }

static inline float expm1_(float a) {
    const float b = a < -25.0f ? -25.0f : a > 89.0f ? 89.0f : a;
    const float n = fmaf(b, 1.44269502f, SHIFTER) - SHIFTER;
    const float f = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, b));
    float r = fmaf(1.97350979e-4f, f, 1.39309070e-3f);
    r = fmaf(r, f, 8.33343994e-3f);
    r = fmaf(r, f, 4.16668020e-2f);
    r = fmaf(r, f, 0.166666716f);
    r = fmaf(r, f, 0.499999970f);
    /* 2**n (f + f*f*r) + (2**n - 1), all halved, for n is up to 128 */
    const float v = fmaf(r, f * f, n == 1.0f ? f + 0.5f : f);
    const float t = two_to(whole(n) - 1);
    const float y = t - 0.5f, low = (t - y) - 0.5f;
    float e = fmaf(v, t, low) + y;
    e = n == 0.0f ? v : n == 1.0f ? v + v : e + e;
    return a == 0.0f ? a : e;
}

/* log(1 + f) of -1/3 < f < 1/3, plus i ln 2 */
static inline float log_near(float f, float i) {
    const float s = f * f;
    float r = fmaf(-0.130310059f, s, -0.121484190f), t = fmaf(0.140869141f, s, 0.139814854f);
    r = fmaf(r, s, -0.166846126f);
    t = fmaf(t, s, 0.200120345f);
    r = fmaf(r, s, -0.249996200f);
    r = fmaf(t, f, r);
    r = fmaf(r, f, 0.333331972f);
    r = fmaf(r, f, -0.500000000f);
    r = fmaf(r, s, f);
    return fmaf(i, 0.693147182f, r);
}

static inline float log_(float a) {
    const int small = a < 1.17549435e-38f;
    const float b = small ? a * 8388608.0f : a;
    const int32_t e = (int32_t)((uint32_t)(bits(b) - 0x3f2aaaab) & 0xff800000u);
    const float i = fmaf((float)e, 1.19209290e-7f, small ? -23.0f : 0.0f);
    float r = log_near(real(bits(b) - e) - 1.0f, i);
    r = a < INFINITY ? r : a; /* NaN stays */
    r = a < 0.0f ? NAN : r;
    return a == 0.0f ? -INFINITY : r;
}

static inline float log1p_(float a) {
    const float u = a + 1.0f;
    const int32_t e = (int32_t)((uint32_t)(bits(u) - 0x3f400000) & 0xff800000u);
    /* (1 + a) 2**-e - 1, without rounding */
    const float m = real(bits(a) - e) + fmaf(0.25f, real(0x40800000 - e), -1.0f), s = m * m;
    float r = fmaf(-4.50748019e-2f, s, -0.131611943f), t = fmaf(0.104630224f, s, 0.144783944f);
    r = fmaf(r, s, -0.166473120f);
    t = fmaf(t, s, 0.199908614f);
    r = fmaf(r, s, -0.250000954f);
    r = fmaf(t, m, r);
    r = fmaf(r, m, 0.333334506f);
    r = fmaf(r, m, -0.500000000f);
    r = fmaf(r, s, m);
    r = fmaf((float)e * 1.19209290e-7f, 0.693147182f, r);
    r = a < INFINITY ? r : a;
    r = a < -1.0f ? NAN : r;
    r = a == -1.0f ? -INFINITY : r;
    return a == 0.0f ? a : r;
}

/* Larger angles are libm's: three parts of pi / 2 are exact up to here. */
#define TURNS 71476.0f

static inline float wave(float a, int quarter) {
    const float n = fmaf(a, 0.636619747f, SHIFTER) - SHIFTER;
    float f = fmaf(n, -1.57079601f, a);
    f = fmaf(n, -3.13916473e-7f, f);
    f = fmaf(n, -5.39030253e-15f, f);
    const int32_t i = whole(n) + quarter;
    const float s = f * f;
    float c = fmaf(2.44677067e-5f, s, -1.38877297e-3f);
    c = fmaf(c, s, 4.16666567e-2f);
    c = fmaf(c, s, -0.5f);
    c = fmaf(c, s, 1.0f);
    float r = fmaf(2.86567956e-6f, s, -1.98559923e-4f);
    r = fmaf(r, s, 8.33338592e-3f);
    r = fmaf(r, s, -0.166666672f);
    r = fmaf(r, f * s, f);
    r = i & 1 ? c : r;
    return i & 2 ? 0.0f - r : r;
}
static inline float sin_(float a) { return a == 0.0f ? a : wave(a, 0); }
static inline float cos_(float a) { return wave(a, 1); }

static inline float tanh_(float a) {
    const float t = fabsf(a), s = a * a;
    float r = fmaf(1.57394409e-2f, s, -5.23025580e-2f);
    r = fmaf(r, s, 0.133152470f);
    r = fmaf(r, s, -0.333327681f);
    r = fmaf(r * s, a, a);
    const float far = copysignf(1.0f - 2.0f / (exp_(t + t) + 1.0f), a);
    return t < 0.55f ? r : far; /* NaN is far */
}

static inline float erf_(float a) {
    const float t = fabsf(a), s = a * a;
    float r = fmaf(-1.72853470e-5f, t, 3.83197126e-4f);
    r = fmaf(r, s, fmaf(-3.88396438e-3f, t, 2.42546219e-2f));
    r = fmaf(r, t, -0.106777877f);
    r = fmaf(r, t, -0.634846687f);
    r = fmaf(r, t, -0.128717512f);
    r = fmaf(r, t, -t);
    r = copysignf(1.0f - exp_(t < 4.0f ? r : -20.0f), a);
    float q = fmaf(-5.96761703e-4f, s, 4.99119423e-3f);
    q = fmaf(q, s, -2.67681349e-2f);
    q = fmaf(q, s, 0.112819925f);
    q = fmaf(q, s, -0.376125336f);
    q = fmaf(q, s, 0.128379166f);
    q = fmaf(q, a, a);
    return t > 0.927734375f ? r : q; /* NaN is near */
}

/* exp(-a*a) p(q) / (1 + 2a), with what rounding takes from q, from the quotient and from the square put back. */
static inline float erfc_(float a) {
    const float t = fabsf(a), above = t + 2.0f, r = 1.0f / above, near = fmaf(-4.0f, r, 1.0f);
    const float q = fmaf(r, fmaf(-t, near, fmaf(near + 1.0f, -2.0f, t)), near); /* (t - 2) / (t + 2) */
    float p = fmaf(-4.01091617e-4f, q, -1.23080833e-3f);
    p = fmaf(p, q, 1.31361524e-3f);
    p = fmaf(p, q, 8.63240100e-3f);
    p = fmaf(p, q, -8.05975124e-3f);
    p = fmaf(p, q, -5.42044863e-2f);
    p = fmaf(p, q, 0.164055318f);
    p = fmaf(p, q, -0.166031405f);
    p = fmaf(p, q, -9.27639753e-2f);
    p = fmaf(p, q, 0.276978403f);
    const float d = 1.0f / fmaf(2.0f, t, 1.0f), f = fmaf(p, d, d);
    const float g = fmaf(fmaf(fmaf(f, -t, 0.5f), 2.0f, p - f), d, f);
    const float s = t * t, e = exp_(-s), whole_g = fmaf(g * e, fmaf(-t, t, s), g * e);
    const float far = t > 10.0546875f ? 0.0f : whole_g; /* NaN is near */
    return a < 0.0f ? 2.0f - far : far;
}

static inline float sinh_(float a) {
    const float t = fabsf(a), s = a * a, h = expo(t, -1);
    float r = fmaf(2.81695135e-6f, s, 1.98361595e-4f);
    r = fmaf(r, s, 8.33334960e-3f);
    r = fmaf(r, s, 0.166666672f);
    r = fmaf(r * s, a, a);
    return t < 1.0f ? r : copysignf(h - 0.25f / h, a);
}
static inline float cosh_(float a) { const float h = expo(fabsf(a), -1); return h + 0.25f / h; }

static inline float asinh_(float a) {
    const float t = fabsf(a), s = t * t;
    const float near = log1p_(t + s / (1.0f + sqrtf(1.0f + s))), far = log_(t) + 0.693147182f;
    return copysignf(t < 1e18f ? near : far, a);
}

/* atan(t) of 0 <= t <= 1, or of 1 / t */
static inline float atan_(float a) {
    const float t = fabsf(a), b = t > 1.0f ? 1.0f / t : t, s = b * b;
    float r = fmaf(2.78569828e-3f, s, -1.58660226e-2f);
    r = fmaf(r, s, 4.24722321e-2f);
    r = fmaf(r, s, -7.49753043e-2f);
    r = fmaf(r, s, 0.106448799f);
    r = fmaf(r, s, -0.142070308f);
    r = fmaf(r, s, 0.199934542f);
    r = fmaf(r, s, -0.333331466f);
    r = fmaf(r * s, b, b);
    return copysignf(t > 1.0f ? 1.57079637f - (r + 4.37113883e-8f) : r, a);
}

#endif

#ifdef DOUBLE
#define TURNS INFINITY
#define exp_ exp
#define expm1_ expm1
#define log_ log
#define log1p_ log1p
#define sin_ sin
#define cos_ cos
#define tanh_ tanh
#define erf_ erf
#define erfc_ erfc
#define sinh_ sinh
#define cosh_ cosh
#define asinh_ asinh
#define atan_ atan
#endif

static inline REAL softplus_(REAL a) { return (a != a || a > 0 ? a : 0) + log1p_(exp_(-MATH(fabs)(a))); }
/* tanh(log(1 + e)) of e = exp(a); it is 1 from 20 on */
static inline REAL tanh_softplus_(REAL a) {
    const REAL e = exp_(a > 40 ? 40 : a), n = e * (e + 2);
    return n / (n + 2);
}

/* --- the interpreter --- */

#define EACH(value) \
    { VECTORISE for (int64_t i = 0; i < n; i++) { const REAL u = a[i]; d[i] = (value); } } break
#define EACH_OF_TWO(value) \
    { VECTORISE for (int64_t i = 0; i < n; i++) { const REAL u = a[i], v = b[i]; d[i] = (value); } } break
#define EACH_OF_THREE(value) \
    { VECTORISE for (int64_t i = 0; i < n; i++) { const REAL u = a[i], v = b[i], w = c[i]; d[i] = (value); } } break

/* Sines of large angles one by one; the others are the same with and without such company. */
static void waves(REAL *d, const REAL *a, int64_t n, int quarter) {
#ifdef DOUBLE
    for (int64_t i = 0; i < n; i++) d[i] = quarter ? cos(a[i]) : sin(a[i]);
#else
    int large = 0;
    for (int64_t i = 0; i < n; i++) large |= !(fabsf(a[i]) < TURNS);
    if (large) {
        for (int64_t i = 0; i < n; i++) {
            const float u = a[i];
            if (fabsf(u) < TURNS) d[i] = quarter ? cos_(u) : sin_(u);
            else d[i] = quarter ? cosf(u) : sinf(u);
        }
    } else if (quarter) {
        VECTORISE for (int64_t i = 0; i < n; i++) d[i] = cos_(a[i]);
    } else {
        VECTORISE for (int64_t i = 0; i < n; i++) d[i] = sin_(a[i]);
    }
#endif
}

/* One instruction over n elements, a multiple of LANES. */
static void run(int op, REAL *d, const REAL *a, const REAL *b, const REAL *c, int64_t n) {
    switch (op) {
    case ADD: EACH_OF_TWO(u + v);
    case SUB: EACH_OF_TWO(u - v);
    case MUL: EACH_OF_TWO(u * v);
    case DIV: EACH_OF_TWO(u / v);
    case POW: EACH_OF_TWO(MATH(pow)(u, v));
    case MAX: EACH_OF_TWO(u != u || u > v ? u : v); /* NaN where one is */
    case MIN: EACH_OF_TWO(u != u || u < v ? u : v);
    case GT: EACH_OF_TWO(u > v ? 1 : 0);
    case GE: EACH_OF_TWO(u >= v ? 1 : 0);
    case LT: EACH_OF_TWO(u < v ? 1 : 0);
    case LE: EACH_OF_TWO(u <= v ? 1 : 0);
    case SELECT: EACH_OF_THREE(u != 0 ? v : w);
    case SELECT_GT: EACH_OF_THREE(u > 0 ? v : w);
    case SELECT_GE: EACH_OF_THREE(u >= 0 ? v : w);
    case SELECT_LT: EACH_OF_THREE(u < 0 ? v : w);
    case SELECT_LE: EACH_OF_THREE(u <= 0 ? v : w);
    case NEG: EACH(-u);
    case RECIPROCAL: EACH(1 / u);
    case ABS: EACH(MATH(fabs)(u));
    case SIGN: EACH((u > 0 ? (REAL)1 : 0) - (u < 0 ? (REAL)1 : 0));
    case FLOOR: EACH(MATH(floor)(u));
    case SQRT: EACH(MATH(sqrt)(u));
    case EXP: EACH(exp_(u));
    case EXPM1: EACH(expm1_(u));
    case LOG: EACH(log_(u));
    case LOG1P: EACH(log1p_(u));
    case SIN: waves(d, a, n, 0); break;
    case COS: waves(d, a, n, 1); break;
    case ATAN: EACH(atan_(u));
    case SINH: EACH(sinh_(u));
    case COSH: EACH(cosh_(u));
    case TANH: EACH(tanh_(u));
    case ASINH: EACH(asinh_(u));
    case ERF: EACH(erf_(u));
    case ERFC: EACH(erfc_(u));
    case SIGMOID: EACH(1 / (1 + exp_(-u)));
    case SOFTPLUS: EACH(softplus_(u));
    case LOG_SIGMOID: EACH(-softplus_(-u));
    case SIGMOID_SLOPE: EACH_OF_TWO((1 - v) * v * u);
    case TANH_SLOPE: EACH_OF_TWO(u * MATH(fma)(-v, v, 1));
    case ELU_SLOPE: EACH_OF_TWO(v > 0 ? u : u * (v + 1));
    case TANH_SOFTPLUS: EACH(tanh_softplus_(u));
    }
}

static void fill(REAL *row, REAL value) {
    for (int i = 0; i < BLOCK; i++) row[i] = value;
}

/* Values of channels for elements from `first` on, each for `inner` neighbours. */
static void spread(REAL *row, const REAL *values, int64_t n, int64_t first, int64_t channels, int64_t inner) {
    int64_t channel = first / inner % channels, left = inner - first % inner;
    for (int64_t i = 0; i < n; i++) {
        row[i] = values[channel];
        if (--left == 0) {
            left = inner;
            channel = channel + 1 == channels ? 0 : channel + 1;
        }
    }
}

static void fill_constants(const Program *program, REAL *scratch) {
    REAL *rows = scratch + (1 + program->parameter_count) * BLOCK;
    for (int k = 0; k < program->constant_count; k++) fill(rows + k * BLOCK, (REAL)program->constants[k]);
}

/* Where the constants are in the scratch already: count elements that share parameters. */
static void run_slice(const Program *program, const REAL *x, int64_t count, const REAL *const *parameters,
                      const uint8_t *per_channel, int64_t channels, int64_t inner, REAL factor, REAL *const *out,
                      REAL *scratch) {
    REAL *row[256], *spare = scratch + program->register_count * BLOCK;
    for (int k = 0; k < program->register_count; k++) row[k] = scratch + k * BLOCK;
    for (int p = 0; p < program->parameter_count; p++)
        if (!per_channel[p]) fill(row[1 + p], parameters[p][0]);
    for (int64_t first = 0; first < count; first += BLOCK) {
        const int64_t here = count - first < BLOCK ? count - first : BLOCK;
        const int64_t n = (here + LANES - 1) / LANES * LANES;
        row[0] = (REAL *)x + first; /* never written */
        if (n != here) {
            memcpy(spare, x + first, here * sizeof(REAL));
            for (int64_t i = here; i < n; i++) spare[i] = 0;
            row[0] = spare;
        }
        for (int p = 0; p < program->parameter_count; p++)
            if (per_channel[p]) spread(row[1 + p], parameters[p], n, first, channels, inner);
        for (int k = 0; k < program->length; k++) {
            const int32_t *word = program->code + k * WORDS;
            run(word[0], row[word[1]], row[word[2]], row[word[3]], row[word[4]], n);
        }
        for (int k = 0; k < program->output_count; k++) {
            const REAL *from = row[program->outputs[k]];
            REAL *to = out[k] + first;
            VECTORISE for (int64_t i = 0; i < here; i++) to[i] = from[i] * factor;
        }
    }
}

/* x: count values. parameters[p]: one value, or `channels` values that belong to x[i % channels] where per_channel[p].
   Output k of element i, times `factor`, goes to out[k][i]; out[0] may be x, other overlaps must not be.
   scratch: 64-byte aligned, (register_count + 1) * 512 REALs. */
void interpret(const Program *program, const REAL *x, int64_t count, const REAL *const *parameters,
               const uint8_t *per_channel, int64_t channels, REAL factor, REAL *const *out, REAL *scratch) {
    fill_constants(program, scratch);
    run_slice(program, x, count, parameters, per_channel, channels, 1, factor, out, scratch);
}

/* All shares of a stack: x is (slices, elements), and program s is for the slices starts[s] to stops[s].
   parameters, per_channel: of each share in turn those of its program, values of shape (own slices,) or
   (own slices, channels); a channel has `inner` neighbouring elements. factors: one for each share.
   out: of each share in turn its outputs, of shape (own slices, elements). scratch: as for the largest program. */
void interpret_shares(int32_t shares, const Program *const *programs, const int64_t *starts, const int64_t *stops,
                      int64_t elements, const REAL *x, const REAL *const *parameters, const uint8_t *per_channel,
                      int64_t channels, int64_t inner, const REAL *factors, REAL *const *out, REAL *scratch) {
    for (int s = 0; s < shares; s++) {
        const Program *program = programs[s];
        const int32_t own = program->parameter_count;
        /* without parameters all slices are as one; a program has at most 255 registers, so as many parameters */
        const int64_t runs = own ? stops[s] - starts[s] : 1, count = own ? elements : (stops[s] - starts[s]) * elements;
        const REAL *values[256];
        REAL *to[256];
        fill_constants(program, scratch);
        for (int64_t k = 0; k < runs; k++) {
            for (int p = 0; p < own; p++) values[p] = parameters[p] + k * (per_channel[p] ? channels : 1);
            for (int o = 0; o < program->output_count; o++) to[o] = out[o] + k * count;
            run_slice(program, x + starts[s] * elements + k * count, count, values, per_channel, channels, inner,
                      factors[s], to, scratch);
        }
        parameters += own;
        per_channel += own;
        out += program->output_count;
    }
}

/* --- optimisers --- */

typedef struct {
    double beta1, beta2, epsilon; /* epsilon times the root of the second moment's correction */
    double decay;                 /* decoupled: times the schedule's factor */
    double scale;                 /* of the rates: minus that root over the first moment's correction */
    int32_t decoupled;
} Adam;

/* One row, or a part of one: Adam, or AdamW where decoupled. */
static void adam_row(const Adam *adam, REAL rate, int64_t n, REAL *tensor, const REAL *gradient, REAL *first,
                     REAL *second) {
    const REAL keep = (REAL)adam->beta2, fresh = (REAL)(1 - adam->beta2), move = (REAL)(1 - adam->beta1);
    const REAL epsilon = (REAL)adam->epsilon, step = rate * (REAL)adam->scale, decay = (REAL)adam->decay;
    const REAL shrink = adam->decoupled ? 1 - rate * decay : 1, add = adam->decoupled ? 0 : decay;
    VECTORISE for (int64_t i = 0; i < n; i++) {
        const REAL t = tensor[i] * shrink, g = MATH(fma)(t, add, gradient[i]);
        const REAL m = MATH(fma)(move, g - first[i], first[i]), v = MATH(fma)(fresh * g, g, second[i] * keep);
        first[i] = m;
        second[i] = v;
        tensor[i] = MATH(fma)(m / (MATH(sqrt)(v) + epsilon), step, t);
    }
}

/* A step of `count` tensors, each of shape (shapes[2 t], shapes[2 t + 1]), with a rate for each row; of tensor t
   adams[t] has the numbers, and pointers[5 t ...] are tensor, gradient, first and second moment, and rates. */
void adam(int32_t count, const Adam *adams, const int64_t *shapes, REAL *const *pointers) {
    for (int t = 0; t < count; t++, pointers += 5) {
        const int64_t n = shapes[2 * t + 1];
        for (int64_t k = 0; k < shapes[2 * t]; k++)
            adam_row(adams + t, pointers[4][k], n, pointers[0] + k * n, pointers[1] + k * n, pointers[2] + k * n,
                     pointers[3] + k * n);
    }
}
