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

/* --- functions of one number: polynomials are minimax fits; at most 2 ulp over the whole range, erfc 2.9 --- */

#ifdef DOUBLE
typedef int64_t Int;
typedef uint64_t Unsigned;
#define MATH(name) name
#define OF(single, twice) twice
#else
typedef int32_t Int;
typedef uint32_t Unsigned;
#define MATH(name) name##f
#define OF(single, twice) single
#endif
#define FMA MATH(fma)

static inline Int bits(REAL a) { Int i; memcpy(&i, &a, sizeof a); return i; }
static inline REAL real(Int i) { REAL a; memcpy(&a, &i, sizeof a); return a; }
static inline REAL two_to(Int k) { return real((Int)((Unsigned)(k + OF(127, 1023)) << OF(23, 52))); }

/* The nearest integer, by a number at which numbers are 1 apart; its bits count from those of that number. */
#define SHIFTER OF(12582912.0f, 6755399441055744.0)
static inline REAL nearest(REAL a, REAL times) { return FMA(a, times, SHIFTER) - SHIFTER; }
static inline Int whole(REAL n) { return bits(n + SHIFTER) - bits(SHIFTER); }

/* A polynomial in x goes on with three coefficients. */
static inline REAL on(REAL r, REAL x, REAL a, REAL b, REAL c) { return FMA(FMA(FMA(r, x, a), x, b), x, c); }

/* b = n ln 2 + f, |f| < 0.35 */
#define LOG2E OF(1.44269502f, 1.4426950408889634)
static inline REAL rest_of(REAL b, REAL n) {
    return FMA(n, OF(-1.42860677e-6f, -2.3190468138462996e-17), FMA(n, OF(-0.693145752f, -0.6931471805599453), b));
}

/* (exp(f) - 1 - f) / f**2 */
static inline REAL curve(REAL f) {
#ifdef DOUBLE
    REAL r = on(2.510038549551032e-8, f, 2.7620088445409746e-7, 2.7557268459997064e-6, 2.4801521295954376e-5);
    r = on(r, f, 1.9841269863053618e-4, 1.3888888917213717e-3, 8.333333333330062e-3);
    return on(r, f, 4.166666666662413e-2, 0.16666666666666669, 0.5);
#else
    const REAL r = on(1.97350979e-4f, f, 1.39309070e-3f, 8.33343994e-3f, 4.16668020e-2f);
    return FMA(FMA(r, f, 0.166666716f), f, 0.499999970f);
#endif
}

/* exp(a) 2**by: the power of two in two factors, so that neither overflows before the product does. */
static inline REAL expo(REAL a, int by) {
    const REAL low = OF(-104.0f, -746.0), high = OF(90.0f, 711.0);
    const REAL b = a < low ? low : a > high ? high : a; /* NaN stays */
    const REAL n = nearest(b, LOG2E), f = rest_of(b, n);
    const Int k = whole(n) + by, half = k >> 1;
    return FMA(FMA(curve(f), f, 1), f, 1) * two_to(half) * two_to(k - half);
}
static inline REAL exp_(REAL a) { return expo(a, 0); }

static inline REAL expm1_(REAL a) {
    const REAL low = OF(-25.0f, -45.0), high = OF(89.0f, 710.0), b = a < low ? low : a > high ? high : a;
    const REAL n = nearest(b, LOG2E), f = rest_of(b, n);
    /* 2**n (exp(f) - 1) + (2**n - 1), all halved, for n is up to 128 */
    const REAL v = FMA(curve(f), f * f, n == 1 ? f + OF(0.5f, 0.5) : f);
    const REAL t = two_to(whole(n) - 1), y = t - OF(0.5f, 0.5), low_part = (t - y) - OF(0.5f, 0.5);
    REAL e = FMA(v, t, low_part) + y;
    e = n == 0 ? v : n == 1 ? v + v : e + e;
    return a == 0 ? a : e;
}

/* Larger angles are libm's: up to here n times each part of pi / 2 is exact enough. */
#define TURNS OF(71476.0f, 1e6)

static inline REAL wave(REAL a, int quarter) {
    const REAL n = nearest(a, OF(0.636619747f, 0.6366197723675814));
    REAL f = FMA(n, OF(-1.57079601f, -1.5707963267948966), a);
    f = FMA(n, OF(-3.13916473e-7f, -6.123233995736766e-17), f);
    f = FMA(n, OF(-5.39030253e-15f, 1.4973849048591833e-33), f);
    const Int i = whole(n) + quarter;
    const REAL s = f * f;
#ifdef DOUBLE
    REAL c = on(-1.13596475577881948e-11, s, 2.08757232129817483e-9, -2.75573143513906633e-7, 2.48015872894767294e-5);
    REAL r = on(1.58969099521155010e-10, s, -2.50507602534068634e-8, 2.75573137070700677e-6, -1.98412698298579493e-4);
    c = FMA(FMA(c, s, -1.38888888888741096e-3), s, 4.16666666666666019e-2);
    r = FMA(FMA(r, s, 8.33333333332248946e-3), s, -0.166666666666666324);
#else
    REAL c = FMA(FMA(2.44677067e-5f, s, -1.38877297e-3f), s, 4.16666567e-2f);
    REAL r = on(2.86567956e-6f, s, -1.98559923e-4f, 8.33338592e-3f, -0.166666672f);
#endif
    c = FMA(FMA(c, s, OF(-0.5f, -0.5)), s, 1);
    r = FMA(r, f * s, f);
    r = i & 1 ? c : r;
    return i & 2 ? 0 - r : r;
}
static inline REAL sin_(REAL a) { return a == 0 ? a : wave(a, 0); }
static inline REAL cos_(REAL a) { return wave(a, 1); }

#ifdef DOUBLE

static inline REAL tanh_(REAL a) {
    const REAL t = fabs(a), e = expm1_(t > 30 ? 60 : t + t);
    return copysign(e / (e + 2), a);
}
static inline double log1p_(double a) {
    const double u = 1 + a, r = log(u) + (a - (u - 1)) / u; /* with what rounding takes from u put back */
    return a == 0 || !(u < INFINITY) ? a : u > 0 ? r : log(u);
}
#define log_ log
#define erf_ erf
#define erfc_ erfc
#define sinh_ sinh
#define cosh_ cosh
#define asinh_ asinh
#define atan_ atan

#else

static inline float log_(float a) {
    const int small = a < 1.17549435e-38f;
    const float b = small ? a * 8388608.0f : a;
    const int32_t e = (int32_t)((uint32_t)(bits(b) - 0x3f2aaaab) & 0xff800000u);
    const float i = fmaf((float)e, 1.19209290e-7f, small ? -23.0f : 0.0f), f = real(bits(b) - e) - 1.0f, s = f * f;
    float r = on(-0.130310059f, s, -0.121484190f, -0.166846126f, -0.249996200f);
    r = fmaf(fmaf(fmaf(0.140869141f, s, 0.139814854f), s, 0.200120345f), f, r);
    r = fmaf(fmaf(fmaf(r, f, 0.333331972f), f, -0.5f), s, f);
    r = fmaf(i, 0.693147182f, r);
    r = a < INFINITY ? r : a; /* NaN stays */
    r = a < 0.0f ? NAN : r;
    return a == 0.0f ? -INFINITY : r;
}

static inline float log1p_(float a) {
    const float u = a + 1.0f;
    const int32_t e = (int32_t)((uint32_t)(bits(u) - 0x3f400000) & 0xff800000u);
    /* (1 + a) 2**-e - 1, without rounding */
    const float m = real(bits(a) - e) + fmaf(0.25f, real(0x40800000 - e), -1.0f), s = m * m;
    float r = on(-4.50748019e-2f, s, -0.131611943f, -0.166473120f, -0.250000954f);
    r = fmaf(fmaf(fmaf(0.104630224f, s, 0.144783944f), s, 0.199908614f), m, r);
    r = fmaf(fmaf(fmaf(r, m, 0.333334506f), m, -0.5f), s, m);
    r = fmaf((float)e * 1.19209290e-7f, 0.693147182f, r);
    r = a < INFINITY ? r : a;
    r = a < -1.0f ? NAN : r;
    r = a == -1.0f ? -INFINITY : r;
    return a == 0.0f ? a : r;
}

static inline float tanh_(float a) {
    const float t = fabsf(a), s = a * a, far = copysignf(1.0f - 2.0f / (exp_(t + t) + 1.0f), a);
    const float r = on(1.57394409e-2f, s, -5.23025580e-2f, 0.133152470f, -0.333327681f);
    return t < 0.55f ? fmaf(r * s, a, a) : far; /* NaN is far */
}

static inline float erf_(float a) {
    const float t = fabsf(a), s = a * a;
    float r = fmaf(fmaf(-1.72853470e-5f, t, 3.83197126e-4f), s, fmaf(-3.88396438e-3f, t, 2.42546219e-2f));
    r = fmaf(on(r, t, -0.106777877f, -0.634846687f, -0.128717512f), t, -t);
    r = copysignf(1.0f - exp_(t < 4.0f ? r : -20.0f), a);
    float q = on(-5.96761703e-4f, s, 4.99119423e-3f, -2.67681349e-2f, 0.112819925f);
    q = fmaf(fmaf(q, s, -0.376125336f), s, 0.128379166f);
    return t > 0.927734375f ? r : fmaf(q, a, a); /* NaN is near */
}

/* exp(-t*t) p(q) / (1 + 2t), with what rounding takes from q, from the quotient and from the square put back. */
static inline float erfc_(float a) {
    const float t = fabsf(a), above = 1.0f / (t + 2.0f), near = fmaf(-4.0f, above, 1.0f);
    const float q = fmaf(above, fmaf(-t, near, fmaf(near + 1.0f, -2.0f, t)), near); /* (t - 2) / (t + 2) */
    float p = on(-4.01091617e-4f, q, -1.23080833e-3f, 1.31361524e-3f, 8.63240100e-3f);
    p = on(p, q, -8.05975124e-3f, -5.42044863e-2f, 0.164055318f);
    p = on(p, q, -0.166031405f, -9.27639753e-2f, 0.276978403f);
    const float d = 1.0f / fmaf(2.0f, t, 1.0f), f = fmaf(p, d, d);
    const float s = t * t, g = fmaf(fmaf(fmaf(f, -t, 0.5f), 2.0f, p - f), d, f) * exp_(-s);
    const float r = t > 10.0546875f ? 0.0f : fmaf(g, fmaf(-t, t, s), g); /* NaN is near */
    return a < 0.0f ? 2.0f - r : r;
}

static inline float sinh_(float a) {
    const float t = fabsf(a), s = a * a, h = expo(t, -1);
    const float r = on(2.81695135e-6f, s, 1.98361595e-4f, 8.33334960e-3f, 0.166666672f);
    return t < 1.0f ? fmaf(r * s, a, a) : copysignf(h - 0.25f / h, a);
}
static inline float cosh_(float a) { const float h = expo(fabsf(a), -1); return h + 0.25f / h; }

static inline float asinh_(float a) {
    const float t = fabsf(a), s = t * t;
    const float near = log1p_(t + s / (1.0f + sqrtf(1.0f + s))), far = log_(t) + 0.693147182f;
    return copysignf(t < 1e18f ? near : far, a);
}

static inline float atan_(float a) {
    const float t = fabsf(a), b = t > 1.0f ? 1.0f / t : t, s = b * b;
    float r = on(2.78569828e-3f, s, -1.58660226e-2f, 4.24722321e-2f, -7.49753043e-2f);
    r = on(r, s, 0.106448799f, -0.142070308f, 0.199934542f);
    r = fmaf(fmaf(r, s, -0.333331466f) * s, b, b);
    return copysignf(t > 1.0f ? 1.57079637f - (r + 4.37113883e-8f) : r, a);
}

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
    int large = 0;
    for (int64_t i = 0; i < n; i++) large |= !(MATH(fabs)(a[i]) < TURNS);
    if (large) {
        for (int64_t i = 0; i < n; i++) {
            const REAL u = a[i];
            if (MATH(fabs)(u) < TURNS) d[i] = quarter ? cos_(u) : sin_(u);
            else d[i] = quarter ? MATH(cos)(u) : MATH(sin)(u);
        }
    } else if (quarter) {
        VECTORISE for (int64_t i = 0; i < n; i++) d[i] = cos_(a[i]);
    } else {
        VECTORISE for (int64_t i = 0; i < n; i++) d[i] = sin_(a[i]);
    }
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

/* A step of `count` tensors, each of shape (rows, outer, inner) with a rate for each row. layouts[6 t ...]: rows, outer,
   inner, and the gradient's strides, which are often those of a transposed matrix; the others are contiguous.
   pointers[5 t ...]: tensor, gradient, first and second moment, and rates; adams[t]: the numbers. */
void adam(int32_t count, const Adam *adams, const int64_t *layouts, REAL *const *pointers) {
    REAL taken[BLOCK];
    for (; count > 0; count--, adams++, layouts += 6, pointers += 5) {
        const int64_t rows = layouts[0], outer = layouts[1], inner = layouts[2], step = layouts[5];
        REAL *tensor = pointers[0], *first = pointers[2], *second = pointers[3];
        for (int64_t line = 0; line < rows * outer; line++) {
            const REAL *gradient = pointers[1] + line / outer * layouts[3] + line % outer * layouts[4];
            for (int64_t start = 0; start < inner; start += BLOCK) {
                const int64_t n = inner - start < BLOCK ? inner - start : BLOCK;
                const REAL *from = gradient + start * step;
                if (step != 1) {
                    for (int64_t i = 0; i < n; i++) taken[i] = from[i * step];
                    from = taken;
                }
                adam_row(adams, pointers[4][line / outer], n, tensor, from, first, second);
                tensor += n, first += n, second += n;
            }
        }
    }
}
