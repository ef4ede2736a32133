/* The native engine: an interpreter of bytecode over blocks, optimisers in one pass, and training of chains.

   Compiled twice, with REAL float and with REAL double and DOUBLE defined. Loops are written for a compiler that
   vectorises; no result depends on how it does: no operation is reassociated, and fused ones are asked for by name. */

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 512, LANES = 16, WORDS = 5, SIDE = 64 };

/* The order is that of primitives/lowering/bytecode/opcodes.py. */
enum {
    ADD, SUB, MUL, DIV, POW, MAX, MIN, GT, GE, LT, LE, SELECT, SELECT_GT, SELECT_GE, SELECT_LT, SELECT_LE,
    NEG, RECIPROCAL, ABS, SIGN, FLOOR, SQRT, EXP, EXPM1, LOG, LOG1P, SIN, COS, ATAN, SINH, COSH, TANH, ASINH, ERF, ERFC,
    SIGMOID, SOFTPLUS, LOG_SIGMOID, SIGMOID_SLOPE, TANH_SLOPE, ELU_SLOPE, TANH_SOFTPLUS
};

typedef struct {
    const int32_t *code; int32_t length; /* words (length, 5): opcode, destination, three operands */
    const double *constants; int32_t constant_count, parameter_count, register_count;
    const int32_t *outputs; int32_t output_count;
} Program;

#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* libm's functions stay scalar */
#define VECTORISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define VECTORISE _Pragma("GCC ivdep")
#endif

/* --- functions of one number ---

   Reductions are the textbook's (Cody and Waite 1980), polynomials our own: benchmarks/polynomials.py fits them, and
   measures the functions. Worst errors over 2**24 float32 numbers, in ulp: exp 0.9, expm1 1.5, log 1.0, log1p 1.4, sin
   and cos 1.5, tanh 1.4, erf 1.1, erfc 2.3, sinh 1.6, cosh 1.3, asinh 1.7, atan 1.4. In float64 exp, expm1, log1p, sin,
   cos and tanh are our own, to 2.4 ulp: libm's are no vectors. */

#ifdef DOUBLE
#define MATH(name) name
#define OF(single, twice) twice
#else
#define MATH(name) name##f
#define OF(single, twice) single
#endif
#define FMA MATH(fma)
#define OWN(name) OF(name##_, name) /* libm's in float64 */
typedef OF(int32_t, int64_t) Int;
typedef OF(uint32_t, uint64_t) Unsigned;
static inline Int bits(REAL a) { Int i; memcpy(&i, &a, sizeof a); return i; }
static inline REAL real(Int i) { REAL a; memcpy(&a, &i, sizeof a); return a; }
static inline Int at_exponent(Int k) { return (Int)((Unsigned)k << OF(23, 52)); }
static inline REAL two_to(Int k) { return real(at_exponent(k + OF(127, 1023))); }

/* The nearest integer: numbers of the shifter's size are 1 apart, and count by their bits. */
#define SHIFTER OF(12582912.0f, 6755399441055744.0)
static inline REAL nearest(REAL a, REAL times) { return FMA(a, times, SHIFTER) - SHIFTER; }
static inline Int whole(REAL n) { return bits(n + SHIFTER) - bits(SHIFTER); }

/* A polynomial in x goes on with three coefficients. */
static inline REAL on(REAL r, REAL x, REAL a, REAL b, REAL c) { return FMA(FMA(FMA(r, x, a), x, b), x, c); }

/* b = n ln 2 + f, |f| < 0.35; n has 8 bits (float64: 11), so that its product with the first part is exact. */
#define LOG2E OF(1.44269504f, 1.4426950408889634)
static inline REAL rest_of(REAL b, REAL n) {
    return FMA(n, OF(-1.42860677e-06f, -5.497923018708371e-14), FMA(n, OF(-0.693145752f, -0.6931471805598903), b));
}

/* (exp(f) - 1 - f) / f**2 */
static inline REAL curve(REAL f) {
#ifdef DOUBLE
    REAL r = on(2.0886628566207795e-9, f, 2.5109150342499663e-8, 2.7557361878452151e-7, 2.7557243859914046e-6);
    r = on(r, f, 2.4801587227582338e-5, 1.9841269886508979e-4, 1.3888888888928335e-3);
    r = on(r, f, 8.3333333333214573e-3, 4.1666666666666602e-2, 0.16666666666666677);
    return FMA(r, f, 0.5);
#else
    return FMA(on(1.38624478e-3f, f, 8.36668257e-3f, 4.16675247e-2f, 0.166665420f), f, 0.499999970f);
#endif
}

/* exp(a) 2**by; the power of two in two factors, so that neither overflows or is 0 before the product. */
static inline REAL expo(REAL a, int by) {
    const REAL low = OF(-105.0f, -746.0), high = OF(90.0f, 711.0), b = a < low ? low : a > high ? high : a;
    const REAL n = nearest(b, LOG2E), f = rest_of(b, n); /* NaN stays */
    const Int k = whole(n) + by, half = k >> 1;
    return FMA(FMA(curve(f), f, 1), f, 1) * two_to(half) * two_to(k - half);
}
static inline REAL exp_(REAL a) { return expo(a, 0); }

/* 2**n (exp(f) - 1) + (2**n - 1): half of it, as n is up to 128 */
static inline REAL expm1_(REAL a) {
    const REAL low = OF(-20.0f, -40.0), high = OF(89.0f, 710.0), b = a < low ? low : a > high ? high : a;
    const REAL n = nearest(b, LOG2E), f = rest_of(b, n), p = FMA(curve(f), f * f, f), h = two_to(whole(n) - 1);
    const REAL half = FMA(h, p, h - OF(0.5f, 0.5)), r = n == 0 ? p : half + half;
    return a == 0 ? a : r;
}

/* Larger angles are libm's: up to here n times each part of pi / 2 is exact enough. */
#define TURNS OF(1e5f, 1e6)
static inline REAL wave(REAL a, int quarter) {
    const REAL n = nearest(a, OF(0.636619772f, 0.6366197723675814));
    REAL f = FMA(n, OF(-1.57079637f, -1.5707963267948966), a);
    f = FMA(n, OF(4.37113883e-8f, -6.123233995736766e-17), f);
    f = FMA(n, OF(1.71512451e-15f, 1.4973849048591833e-33), f);
    const Int i = whole(n) + quarter;
    const REAL s = f * f;
#ifdef DOUBLE
    REAL c = on(-1.1357417030343166e-11, s, 2.0875679569871039e-9, -2.7557314025142657e-7, 2.480158728832446e-5);
    REAL r = on(1.5895792646295455e-10, s, -2.5050743136013749e-8, 2.7557313614555715e-6, -1.9841269829652813e-4);
    c = FMA(FMA(c, s, -1.3888888888872217e-3), s, 4.1666666666666588e-2);
    r = FMA(FMA(r, s, 8.3333333333223368e-3), s, -0.16666666666666632);
#else
    REAL c = FMA(FMA(2.44314178e-5f, s, -1.38873048e-3f), s, 4.16666456e-2f);
    REAL r = on(2.80355744e-6f, s, -1.98502545e-4f, 8.33337288e-3f, -0.166666672f);
#endif
    c = FMA(FMA(c, s, OF(-0.5f, -0.5)), s, 1);
    r = FMA(r, f * s, f);
    r = i & 1 ? c : r;
    return i & 2 ? -r : r;
}
static inline REAL sin_(REAL a) { return a == 0 ? a : wave(a, 0); }
static inline REAL cos_(REAL a) { return wave(a, 1); }

#ifdef DOUBLE
static inline double tanh_(double a) {
    const double t = fabs(a), e = expm1_(t > 20 ? 40 : t + t);
    return copysign(e / (e + 2), a);
}
static inline double log1p_(double a) {
    const double u = 1 + a, r = log(u) + (a - (u - 1)) / u; /* with what rounding takes from u put back */
    return a == 0 || !(u < INFINITY) ? a : u > 0 ? r : log(u);
}
#else
/* The k of which u 2**-k is from the root of 1/2 to that of 2. */
static inline int32_t scale_of(float u) { return (bits(u) - bits(0.707106781f)) >> 23; }
/* log(1 + f) + k ln 2 */
static inline float log_near(float f, float k) {
    const float s = f * f;
    const float far = on(-7.35529065e-2f, f, 0.126178682f, -0.132042557f, 0.142278269f);
    const float near = on(0.199997723f, f, -0.250008553f, 0.333333552f, -0.5f);
    const float r = fmaf(fmaf(far, f, -0.166212082f), s * s, near);
    return fmaf(k, 0.693147182f, fmaf(r, s, f));
}

static inline float log_(float a) {
    const int small = a < 1.17549435e-38f;
    const float b = small ? a * 33554432.0f : a;
    const int32_t k = scale_of(b);
    const float r = log_near(real(bits(b) - at_exponent(k)) - 1.0f, (float)k - (small ? 25.0f : 0.0f));
    return a > 0.0f ? (a < INFINITY ? r : a) : a == 0.0f ? -INFINITY : NAN;
}

/* f = (1 + a) 2**-k - 1 in one rounding, by 2**(2 - k), for k is up to 128 */
static inline float log1p_(float a) {
    const int32_t k = scale_of(1.0f + a);
    const float s = two_to(2 - k), f = fmaf(0.25f * a, s, fmaf(0.25f, s, -1.0f));
    float r = log_near(f, (float)k);
    r = a < INFINITY ? r : a; /* in one expression the compiler makes no vectors of it */
    r = a < -1.0f ? NAN : r;
    r = a == -1.0f ? -INFINITY : r;
    return fabsf(a) < 1e-20f ? a : r;
}

static inline float tanh_(float a) {
    const float t = fabsf(a), s = a * a, far = copysignf(1.0f - 2.0f / (exp_(t + t) + 1.0f), a);
    const float r = on(1.64639894e-2f, s, -5.26882745e-2f, 0.133210421f, -0.333329648f);
    return t < 0.55f ? fmaf(r * s, a, a) : far; /* NaN is far */
}

static inline float erf_(float a) {
    const float t = fabsf(a), s = a * a;
    const float q = fmaf(fmaf(0.638050795f, t, 1.12714458f), t, 3.28173133e-4f);
    const float p = fmaf(on(-1.87474507e-4f, t, 2.95814429e-3f, -2.18790155e-2f, 0.103190318f), s * t, q);
    const float far = copysignf(1.0f - exp_(t < 4.0f ? -p : -20.0f), a); /* p: -log(1 - erf(t)) */
    const float r = on(7.91330167e-5f, s, -8.02893366e-4f, 5.19056758e-3f, -2.68550646e-2f);
    return t >= 1.0f ? far : fmaf(on(r, s, 0.112836175f, -0.376126289f, 0.128379166f), a, a); /* NaN is near */
}

/* exp(-t*t) p(v) / w, w = t + 2, v = 1 - 4 / w; low is what rounding takes from p, the quotient and t*t. */
static inline float erfc_(float a) {
    const float t = fabsf(a), s = t * t, e = exp_(-s), w = t + 2.0f, x = 1.0f / w;
    const float off = fmaf(-w, x, 1.0f) - (t - (w - 2.0f)) * x; /* of x, relatively */
    const float v = fmaf(-4.0f * x, off, fmaf(-4.0f, x, 1.0f));
    float q = on(-4.88892219e-5f, v, -5.29842218e-4f, -7.22725352e-4f, 3.04338476e-3f);
    q = on(q, v, 6.43290952e-3f, -2.15027146e-2f, -3.64353172e-2f);
    q = fmaf(fmaf(q, v, 0.279471427f), v, -0.687160969f);
    const float p = fmaf(q, v, 1.02158272f), g = p * x;
    const float low = fmaf(fmaf(q, v, 1.02158272f - p), x, fmaf(p, x, -g)) + g * (off + fmaf(-t, t, s));
    const float r = t > 10.1f ? 0.0f : fmaf(e, g, e * low); /* NaN is near */
    return a < 0.0f ? 2.0f - r : r;
}

static inline float sinh_(float a) {
    const float t = fabsf(a), s = a * a, h = expo(t, -1);
    const float r = on(2.78849484e-6f, s, 1.98419060e-4f, 8.33331421e-3f, 0.166666672f);
    return t < 1.0f ? fmaf(r * s, a, a) : copysignf(h - 0.25f / h, a);
}
static inline float cosh_(float a) { const float h = expo(fabsf(a), -1); return h + 0.25f / h; }

static inline float asinh_(float a) {
    const float t = fabsf(a), s = t * t;
    const int large = t > 1e18f; /* s would overflow */
    const float r = log1p_(large ? t : t + s / (1.0f + sqrtf(1.0f + s)));
    return copysignf(large ? r + 0.693147182f : r, a);
}

/* Of numbers above 1 it is pi / 2, in two parts, less that of their reciprocals. */
static inline float atan_(float a) {
    const float t = fabsf(a), b = t > 1.0f ? 1.0f / t : t, s = b * b;
    float r = on(2.91001308e-3f, s, -1.63322557e-2f, 4.31675874e-2f, -7.54988566e-2f);
    r = on(r, s, 0.106657468f, -0.142112628f, 0.199938431f);
    r = fmaf(fmaf(r, s, -0.333331585f) * s, b, b);
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
    { VECTORISE for (int64_t i = 0; i < n; i++) { const REAL u = a[i]; d[i] = (value); } break; }
#define EACH_OF_TWO(value) \
    { VECTORISE for (int64_t i = 0; i < n; i++) { const REAL u = a[i], v = b[i]; d[i] = (value); } break; }
#define EACH_OF_THREE(value) \
    { VECTORISE for (int64_t i = 0; i < n; i++) { const REAL u = a[i], v = b[i], w = c[i]; d[i] = (value); } break; }

/* An angle is too large, or is none: then all are taken one by one, the others with the same bits. */
static int has_large(const REAL *a, int64_t n) {
    int found = 0;
    for (int64_t i = 0; i < n; i++) found |= !(MATH(fabs)(a[i]) < TURNS);
    return found;
}

/* One instruction over n elements, a multiple of LANES. */
static void run(int op, REAL *d, const REAL *a, const REAL *b, const REAL *c, int64_t n) {
    switch (op) {
    case ADD: EACH_OF_TWO(u + v); case SUB: EACH_OF_TWO(u - v);
    case MUL: EACH_OF_TWO(u * v); case DIV: EACH_OF_TWO(u / v);
    case GT: EACH_OF_TWO(u > v ? 1 : 0); case GE: EACH_OF_TWO(u >= v ? 1 : 0);
    case LT: EACH_OF_TWO(u < v ? 1 : 0); case LE: EACH_OF_TWO(u <= v ? 1 : 0);
    case MAX: EACH_OF_TWO(u != u || u > v ? u : v); case MIN: EACH_OF_TWO(u != u || u < v ? u : v); /* NaN stays */
    case SELECT_GT: EACH_OF_THREE(u > 0 ? v : w); case SELECT_GE: EACH_OF_THREE(u >= 0 ? v : w);
    case SELECT_LT: EACH_OF_THREE(u < 0 ? v : w); case SELECT_LE: EACH_OF_THREE(u <= 0 ? v : w);
    case SELECT: EACH_OF_THREE(u != 0 ? v : w); case POW: EACH_OF_TWO(MATH(pow)(u, v));
    case NEG: EACH(-u); case RECIPROCAL: EACH(1 / u); case FLOOR: EACH(MATH(floor)(u)); case SQRT: EACH(MATH(sqrt)(u));
    case ABS: EACH(MATH(fabs)(u)); case SIGN: EACH((u > 0 ? (REAL)1 : 0) - (u < 0 ? (REAL)1 : 0));
    case EXP: EACH(exp_(u)); case EXPM1: EACH(expm1_(u)); case LOG: EACH(OWN(log)(u)); case LOG1P: EACH(log1p_(u));
    case SIN: if (has_large(a, n)) EACH(MATH(fabs)(u) < TURNS ? sin_(u) : MATH(sin)(u)); EACH(sin_(u));
    case COS: if (has_large(a, n)) EACH(MATH(fabs)(u) < TURNS ? cos_(u) : MATH(cos)(u)); EACH(cos_(u));
    case SINH: EACH(OWN(sinh)(u)); case COSH: EACH(OWN(cosh)(u)); case TANH: EACH(tanh_(u));
    case ASINH: EACH(OWN(asinh)(u)); case ATAN: EACH(OWN(atan)(u));
    case ERF: EACH(OWN(erf)(u)); case ERFC: EACH(OWN(erfc)(u));
    case SIGMOID: EACH(1 / (1 + exp_(-u))); case SOFTPLUS: EACH(softplus_(u)); case LOG_SIGMOID: EACH(-softplus_(-u));
    case SIGMOID_SLOPE: EACH_OF_TWO((1 - v) * v * u); case TANH_SLOPE: EACH_OF_TWO(u * FMA(-v, v, 1));
    case ELU_SLOPE: EACH_OF_TWO(v > 0 ? u : u * (v + 1)); case TANH_SOFTPLUS: EACH(tanh_softplus_(u));
    }
}

static void fill(REAL *row, REAL value) { for (int i = 0; i < BLOCK; i++) row[i] = value; }
/* Values of channels for elements from `first` on, each for `inner` neighbours. */
static void spread(REAL *row, const REAL *values, int64_t n, int64_t first, int64_t channels, int64_t inner) {
    int64_t channel = first / inner % channels, left = inner - first % inner;
    for (int64_t i = 0; i < n; i++) {
        row[i] = values[channel];
        if (--left == 0) left = inner, channel = channel + 1 == channels ? 0 : channel + 1;
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
    const int first_own = 1 + program->parameter_count + program->constant_count;
    REAL *row[256], *spare = scratch + program->register_count * BLOCK;
    for (int k = 0; k < program->register_count; k++) row[k] = scratch + k * BLOCK;
    for (int p = 0; p < program->parameter_count; p++) if (!per_channel[p]) fill(row[1 + p], parameters[p][0]);
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
        for (int k = 0; k < program->output_count; k++) { /* what is computed for an output is written there */
            const int register_ = program->outputs[k];
            if (register_ >= first_own) row[register_] = here == BLOCK ? out[k] + first : scratch + register_ * BLOCK;
        }
        for (int k = 0; k < program->length; k++) {
            const int32_t *word = program->code + k * WORDS;
            run(word[0], row[word[1]], row[word[2]], row[word[3]], row[word[4]], n);
        }
        for (int k = 0; k < program->output_count; k++) {
            const REAL *from = row[program->outputs[k]];
            REAL *to = out[k] + first;
            if (from == to && factor == 1) continue;
            VECTORISE for (int64_t i = 0; i < here; i++) to[i] = from[i] * factor;
        }
    }
}

/* x: count values. parameters[p]: one value, or `channels` values that belong to x[i % channels] where per_channel[p].
   Output k of element i, times `factor`, goes to out[k][i]; no output may overlap x or another.
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
        const REAL *values[256]; REAL *to[256];
        fill_constants(program, scratch);
        for (int64_t k = 0; k < runs; k++) {
            for (int p = 0; p < own; p++) values[p] = parameters[p] + k * (per_channel[p] ? channels : 1);
            for (int o = 0; o < program->output_count; o++) to[o] = out[o] + k * count;
            run_slice(program, x + starts[s] * elements + k * count, count, values, per_channel, channels, inner,
                      factors[s], to, scratch);
        }
        parameters += own, per_channel += own, out += program->output_count;
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
        const REAL t = tensor[i] * shrink, g = add != 0 ? FMA(t, add, gradient[i]) : gradient[i];
        const REAL m = FMA(move, g - first[i], first[i]), v = FMA(fresh * g, g, second[i] * keep);
        first[i] = m, second[i] = v;
        tensor[i] = FMA(m / (MATH(sqrt)(v) + epsilon), step, t);
    }
}

/* A step of `count` tensors, each of shape (rows, outer, inner) with a rate for each row. layouts[6 t ...]: these
   sizes, and the gradient's strides, which are often those of a transposed matrix; the others are contiguous.
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
                for (int64_t i = 0; step != 1 && i < n; i++) taken[i] = gradient[(start + i) * step];
                const REAL *from = step == 1 ? gradient + start : taken;
                adam_row(adams, pointers[4][line / outer], n, tensor, from, first, second);
                tensor += n, first += n, second += n;
            }
        }
    }
}

/* --- training of chains, slice after slice ---

   A chain is a network of linear layers, activations, layer normalisation and sums. What flows are values: for each
   example a row of numbers; value 0 are the inputs. All of a slice lies in scratch memory, each part at a multiple of
   64 bytes: a product's bits depend on the place of its buffers within 64 bytes. Tensors are a network's parameters,
   then those of its activation. */

enum { LINEAR, BIAS, NORM, SUM, ACTIVATION };
enum { CROSS_ENTROPY, SQUARED_ERROR }; enum { SGD, ADAM }; enum { MOST_PARAMETERS = 16 };

typedef struct {
    int32_t kind, source, other, target; /* values; other: the second summand */
    int32_t weight, bias;                /* tensors; -1: none */
    int32_t activation;                  /* which */
    int32_t is_turned;                   /* the weight has a row an input, as in x @ w */
    int64_t rows, inputs, outputs;       /* of an example: rows, numbers of each before and after */
    double epsilon, scale;               /* scale: of the second summand */
} Step;
typedef struct {
    Program program;            /* value, slope by x, slopes by the parameters */
    const int32_t *tensors;     /* of the parameters */
    const uint8_t *per_channel; /* a value for each number of a row, or one for all */
    int64_t channels;
    double factor;
} Activation;
typedef struct {
    const Step *steps;
    const Activation *activations;
    const int64_t *value_sizes, *tensor_sizes; /* numbers; of a value those of an example */
    const uint8_t *needs_gradient, *is_trained; /* of values; of tensors */
    const double *decays;                       /* of tensors */
    int32_t step_count, value_count, tensor_count, output, loss;
    double loss_scale; /* of a squared error: what the sum over an example is multiplied by */
} Chain;
typedef struct {
    int32_t kind, is_decoupled, is_nesterov, accumulate;
    double beta1, beta2, epsilon, momentum, clip; /* clip: infinite for none */
    const double *factors;                        /* of the rate, by step */
} Optimiser;
/* Moments are NULL where there are none. */
typedef struct { REAL *const *tensors, *const *first, *const *second; double rate; } Slice;
typedef struct {
    const REAL *inputs;   /* a row an example */
    const void *targets;  /* int64_t labels, or REAL rows */
    const int64_t *order; /* batch after batch */
    int64_t batch;
} Data;

/* The sum of a, or of its products with b, in LANES parts: their order is no compiler's choice. */
static REAL total(const REAL *a, const REAL *b, int64_t n) {
    REAL lanes[LANES] = {0}, sum = 0;
    const int64_t whole_lanes = n / LANES * LANES;
    for (int64_t i = 0; i < whole_lanes; i += LANES)
        for (int64_t l = i; l < i + LANES; l++) lanes[l - i] += a[l] * (b ? b[l] : 1);
    for (int64_t l = whole_lanes; l < n; l++) lanes[l - whole_lanes] += a[l] * (b ? b[l] : 1);
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

/* Fortran's product by columns: c = alpha op(a) op(b) + beta c. */
typedef void Gemm(const char *, const char *, const int *, const int *, const int *, const REAL *, const REAL *,
                  const int *, const REAL *, const int *, const REAL *, REAL *, const int *);
static Gemm *gemm;
/* Take the products of a BLAS; NULL: our own. */
void use_gemm(Gemm *given) { gemm = given; }

/* What stands in for a BLAS. A part of a is turned round into a block in cache; rows behind it count for nothing. */
static void own_product(char ta, char tb, int m, int n, int k, const REAL *a, const REAL *b, REAL *c, int adds) {
    const int64_t row = ta == 'N' ? 1 : k, column = ta == 'N' ? m : 1; /* from one to the next in a */
    const int64_t down = tb == 'N' ? 1 : n, across = tb == 'N' ? k : 1;
    REAL block[SIDE * SIDE] = {0};
    for (int l0 = 0; l0 < k; l0 += SIDE, adds = 1)
        for (int i0 = 0; i0 < m; i0 += SIDE) {
            const int depth = k - l0 < SIDE ? k - l0 : SIDE, rows = m - i0 < SIDE ? m - i0 : SIDE;
            for (int l = 0; l < depth; l++)
                for (int i = 0; i < rows; i++) block[i + l * SIDE] = a[(i0 + i) * row + (l0 + l) * column];
            for (int64_t j = 0; j < n; j++) {
                REAL sums[SIDE] = {0};
                for (int l = 0; l < depth; l++)
                    for (int i = 0; i < SIDE; i++) sums[i] += b[(l0 + l) * down + j * across] * block[i + l * SIDE];
                for (int i = 0; i < rows; i++) c[i0 + i + j * m] = sums[i] + (adds ? c[i0 + i + j * m] : 0);
            }
        }
}

static void product(char ta, char tb, int m, int n, int k, const REAL *a, const REAL *b, REAL *c, int adds) {
    const int lda = ta == 'N' ? m : k, ldb = tb == 'N' ? k : n;
    const REAL one = 1, beta = adds ? 1 : 0;
    if (gemm) gemm(&ta, &tb, &m, &n, &k, &one, a, &lda, b, &ldb, &beta, c, &m);
    else own_product(ta, tb, m, n, k, a, b, c, adds);
}

typedef struct {
    REAL **tensors, **gradients, **first, **second; /* by tensor */
    REAL **values, **upstream, **kept;              /* by value; kept: what the way back takes */
    uint8_t *is_open, *has_upstream;                /* by tensor, by value: its gradient has something */
    REAL *registers, *losses;
    const int64_t *rows; int64_t batch; /* numbers of the batch's examples, and how many */
} Work;
typedef struct { char *memory; int64_t used; } Arena;

static void *take(Arena *arena, int64_t bytes) {
    void *place = arena->memory ? arena->memory + arena->used : NULL;
    arena->used += (bytes + 127) / 64 * 64;
    return place;
}

/* Rows of so many numbers, one for each of `count` sizes that is wanted. Without memory only the use is counted. */
static REAL **rows_of(Arena *arena, int count, const int64_t *sizes, int64_t times, const uint8_t *wanted, int used) {
    REAL **rows = take(arena, count * (int64_t)sizeof(REAL *));
    for (int r = 0; r < count; r++) {
        REAL *place = used && (!wanted || wanted[r]) ? take(arena, times * sizes[r] * (int64_t)sizeof(REAL)) : NULL;
        if (arena->memory) rows[r] = place;
    }
    return rows;
}

/* How many numbers of an example a step keeps for the way back. */
static int64_t kept_by(const Chain *chain, const Step *step) {
    const int64_t size = chain->value_sizes[step->target];
    if (step->kind != ACTIVATION) return step->kind == NORM ? size + step->rows : 0;
    return size * (chain->activations[step->activation].program.output_count - 1);
}

static Work divided(Arena *arena, const Chain *chain, int64_t batch, int trains) {
    const int tensors = chain->tensor_count, values = chain->value_count;
    Work work = {.batch = batch};
    REAL ***moved[] = {&work.gradients, &work.first, &work.second};
    int64_t registers = 1;
    work.tensors = rows_of(arena, tensors, chain->tensor_sizes, 1, NULL, 1);
    for (int i = 0; i < 3; i++) *moved[i] = rows_of(arena, tensors, chain->tensor_sizes, 1, chain->is_trained, trains);
    work.values = rows_of(arena, values, chain->value_sizes, batch, NULL, 1);
    work.upstream = rows_of(arena, values, chain->value_sizes, batch, chain->needs_gradient, trains);
    work.kept = take(arena, values * (int64_t)sizeof(REAL *));
    for (const Step *step = chain->steps; step < chain->steps + chain->step_count; step++) {
        REAL *place = take(arena, batch * kept_by(chain, step) * (int64_t)sizeof(REAL));
        const int64_t own = step->kind == ACTIVATION ? chain->activations[step->activation].program.register_count : 0;
        if (arena->memory) work.kept[step->target] = place;
        registers = own > registers ? own : registers;
    }
    work.is_open = take(arena, tensors), work.has_upstream = take(arena, values);
    work.losses = take(arena, batch * (int64_t)sizeof(REAL));
    work.registers = take(arena, (registers + 1) * BLOCK * (int64_t)sizeof(REAL));
    return work;
}

/* Bytes of scratch memory that `train` needs, or `outputs_of`. */
int64_t scratch_size(const Chain *chain, int64_t batch, int32_t trains) {
    Arena arena = {NULL, 0};
    divided(&arena, chain, batch, trains);
    return arena.used;
}

static REAL *tensor_of(const Work *work, int tensor) { return tensor < 0 ? NULL : work->tensors[tensor]; }
static void linear(const Step *step, const Work *work) {
    const int64_t rows = work->batch * step->rows, in = step->inputs, out = step->outputs;
    const REAL *w = work->tensors[step->weight], *bias = tensor_of(work, step->bias);
    REAL *y = work->values[step->target];
    for (int64_t r = 0; bias && r < rows; r++) memcpy(y + r * out, bias, out * sizeof(REAL));
    product(step->is_turned ? 'N' : 'T', 'N', out, rows, in, w, work->values[step->source], y, bias != NULL);
}

static void layer_norm(const Step *step, const Work *work) {
    const int64_t rows = work->batch * step->rows, width = step->inputs;
    REAL *normed = work->kept[step->target], *scales = normed + rows * width, *y = work->values[step->target];
    const REAL *weight = tensor_of(work, step->weight), *bias = tensor_of(work, step->bias);
    for (int64_t r = 0; r < rows; r++) {
        const REAL *x = work->values[step->source] + r * width;
        REAL *own = normed + r * width, mean = total(x, NULL, width) / width;
        for (int64_t i = 0; i < width; i++) own[i] = x[i] - mean;
        scales[r] = 1 / MATH(sqrt)(total(own, own, width) / width + (REAL)step->epsilon);
        for (int64_t i = 0; i < width; i++) {
            own[i] *= scales[r];
            y[r * width + i] = own[i] * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
        }
    }
}

static void activate(const Chain *chain, const Step *step, const Work *work, int trains) {
    const Activation *own = chain->activations + step->activation;
    const int64_t count = work->batch * chain->value_sizes[step->target];
    const REAL *values[MOST_PARAMETERS];
    REAL *out[MOST_PARAMETERS + 2] = {work->values[step->target]};
    Program program = own->program;
    for (int p = 0; p < program.parameter_count; p++) values[p] = work->tensors[own->tensors[p]];
    for (int k = 1; k < program.output_count; k++) out[k] = work->kept[step->target] + (k - 1) * count;
    if (!trains) program.output_count = 1;
    interpret(&program, work->values[step->source], count, values, own->per_channel, own->channels, (REAL)own->factor,
              out, work->registers);
}

/* The values of the batch's examples. */
static void forward(const Chain *chain, const REAL *inputs, const Work *work, int trains) {
    const int64_t size = chain->value_sizes[0];
    for (int64_t b = 0; b < work->batch; b++)
        memcpy(work->values[0] + b * size, inputs + work->rows[b] * size, size * sizeof(REAL));
    for (const Step *step = chain->steps; step < chain->steps + chain->step_count; step++) {
        const int64_t count = work->batch * chain->value_sizes[step->target], width = step->outputs;
        const REAL *x = work->values[step->source], *other = step->other < 0 ? NULL : work->values[step->other];
        REAL *y = work->values[step->target];
        if (step->kind == LINEAR) linear(step, work);
        else if (step->kind == NORM) layer_norm(step, work);
        else if (step->kind == ACTIVATION) activate(chain, step, work, trains);
        else if (step->kind == SUM) for (int64_t i = 0; i < count; i++) y[i] = x[i] + (REAL)step->scale * other[i];
        else
            for (int64_t r = 0; r < count; r += width)
                for (int64_t i = 0; i < width; i++) y[r + i] = x[r + i] + work->tensors[step->bias][i];
    }
}

/* Losses of the examples, and the gradient of their mean by the outputs. */
static void cross_entropy(const int64_t *labels, const Work *work, const REAL *y, REAL *upstream, int64_t classes) {
    for (int64_t b = 0; b < work->batch; b++, y += classes) {
        REAL *own = upstream + b * classes, most = y[0];
        for (int64_t i = 1; i < classes; i++) most = y[i] > most ? y[i] : most;
        for (int64_t i = 0; i < classes; i++) own[i] = y[i] - most;
        work->losses[b] = -own[labels[work->rows[b]]];
    }
    VECTORISE for (int64_t i = 0; i < work->batch * classes; i++) upstream[i] = exp_(upstream[i]);
    for (int64_t b = 0; b < work->batch; b++) {
        REAL *own = upstream + b * classes, sum = 0;
        for (int64_t i = 0; i < classes; i++) sum += own[i];
        work->losses[b] += OWN(log)(sum);
        for (int64_t i = 0; i < classes; i++) own[i] /= sum * (REAL)work->batch;
        own[labels[work->rows[b]]] -= 1 / (REAL)work->batch;
    }
}

static void squared_error(const REAL *targets, const Work *work, const REAL *y, REAL *up, int64_t size, REAL scale) {
    for (int64_t b = 0; b < work->batch; b++, y += size, up += size) {
        for (int64_t i = 0; i < size; i++) up[i] = y[i] - targets[work->rows[b] * size + i];
        work->losses[b] = total(up, up, size) * scale;
        for (int64_t i = 0; i < size; i++) up[i] *= 2 * scale / (REAL)work->batch;
    }
}

/* The gradient of a tensor that is added to, 0 at first; NULL where it is not trained. */
static REAL *opened(const Chain *chain, const Work *work, int tensor) {
    REAL *own = tensor < 0 ? NULL : work->gradients[tensor];
    if (own && !work->is_open[tensor]) memset(own, 0, chain->tensor_sizes[tensor] * sizeof(REAL));
    if (own) work->is_open[tensor] = 1;
    return own;
}

/* Scale times a gradient, times slopes where there are any, goes on to a value. */
static void pass(const Work *work, int value, const REAL *gradient, const REAL *slopes, REAL scale, int64_t count) {
    REAL *own = work->upstream[value];
    const int adds = work->has_upstream[value];
    for (int64_t i = 0; own && i < count; i++)
        own[i] = gradient[i] * (slopes ? slopes[i] : scale) + (adds ? own[i] : 0);
    work->has_upstream[value] = 1;
}

/* Sums over rows, of numbers or of their products with others. */
static void add_rows(REAL *sums, const REAL *x, const REAL *factors, int64_t count, int64_t width) {
    for (int64_t r = 0; sums && r < count; r += width)
        for (int64_t i = 0; i < width; i++) sums[i] += x[r + i] * (factors ? factors[r + i] : 1);
}

static void linear_back(const Step *step, const Work *work) {
    const int64_t rows = work->batch * step->rows, in = step->inputs, out = step->outputs;
    const REAL *dy = work->upstream[step->target], *x = work->values[step->source], *w = work->tensors[step->weight];
    REAL *dw = work->gradients[step->weight], *dx = work->upstream[step->source];
    if (dw && step->is_turned) product('N', 'T', out, in, rows, dy, x, dw, work->is_open[step->weight]);
    else if (dw) product('N', 'T', in, out, rows, x, dy, dw, work->is_open[step->weight]);
    if (dx) product(step->is_turned ? 'T' : 'N', 'N', in, rows, out, w, dy, dx, work->has_upstream[step->source]);
    work->is_open[step->weight] = work->has_upstream[step->source] = 1;
}

static void layer_norm_back(const Chain *chain, const Step *step, const Work *work) {
    const int64_t rows = work->batch * step->rows, width = step->inputs;
    const REAL *normed = work->kept[step->target], *scales = normed + rows * width;
    const REAL *weight = tensor_of(work, step->weight);
    REAL *dy = work->upstream[step->target];
    add_rows(opened(chain, work, step->weight), dy, normed, rows * width, width);
    for (int64_t r = 0; r < rows; r++) {
        const REAL *own = normed + r * width;
        REAL *g = dy + r * width;
        for (int64_t i = 0; weight && i < width; i++) g[i] *= weight[i];
        const REAL mean = total(g, NULL, width) / width, along = total(g, own, width) / width;
        for (int64_t i = 0; i < width; i++) g[i] = (g[i] - mean - own[i] * along) * scales[r];
    }
    pass(work, step->source, dy, NULL, 1, rows * width);
}

static void activation_back(const Chain *chain, const Step *step, const Work *work) {
    const Activation *own = chain->activations + step->activation;
    const int64_t count = work->batch * chain->value_sizes[step->target];
    const REAL *dy = work->upstream[step->target], *slopes = work->kept[step->target];
    for (int p = 0; p < own->program.parameter_count; p++) {
        REAL *sums = opened(chain, work, own->tensors[p]);
        if (own->per_channel[p]) add_rows(sums, dy, slopes + (p + 1) * count, count, own->channels);
        else if (sums) sums[0] += total(dy, slopes + (p + 1) * count, count);
    }
    pass(work, step->source, dy, slopes, 1, count);
}

static void backward(const Chain *chain, const Work *work) {
    for (int s = chain->step_count - 1; s >= 0; s--) {
        const Step *step = chain->steps + s;
        const int64_t count = work->batch * chain->value_sizes[step->target];
        const REAL *dy = work->upstream[step->target];
        if (!dy || !work->has_upstream[step->target]) continue;
        if (step->kind != ACTIVATION) add_rows(opened(chain, work, step->bias), dy, NULL, count, step->outputs);
        if (step->kind == LINEAR) linear_back(step, work);
        else if (step->kind == NORM) layer_norm_back(chain, step, work);
        else if (step->kind == ACTIVATION) activation_back(chain, step, work);
        else pass(work, step->source, dy, NULL, 1, count);
        if (step->kind == SUM) pass(work, step->other, dy, NULL, (REAL)step->scale, count);
    }
}

/* Add the gradients of the mean loss of a batch; returns that loss. */
static REAL add_gradients(const Chain *chain, const Data *data, const Work *work) {
    const int64_t batch = data->batch, size = chain->value_sizes[chain->output];
    REAL *y = work->values[chain->output], *upstream = work->upstream[chain->output];
    memset(work->has_upstream, 0, chain->value_count);
    forward(chain, data->inputs, work, 1);
    if (chain->loss == CROSS_ENTROPY) cross_entropy(data->targets, work, y, upstream, size);
    else squared_error(data->targets, work, y, upstream, size, (REAL)chain->loss_scale);
    work->has_upstream[chain->output] = 1;
    backward(chain, work);
    return total(work->losses, NULL, batch) / (REAL)batch;
}

/* The gradient of a step: the mean over its batches; returns the mean loss. */
static REAL step_gradients(const Chain *chain, const Optimiser *optimiser, const Data *data, Work *work, int64_t step) {
    const int batches = optimiser->accumulate;
    REAL loss = 0;
    memset(work->is_open, 0, chain->tensor_count);
    for (int b = 0; b < batches; b++) {
        work->rows = data->order + (step * batches + b) * data->batch;
        loss += add_gradients(chain, data, work);
    }
    for (int t = 0; t < chain->tensor_count; t++) {
        REAL *own = opened(chain, work, t); /* what no loss reaches is 0 */
        for (int64_t i = 0; own && batches > 1 && i < chain->tensor_sizes[t]; i++) own[i] /= batches;
    }
    return loss / batches;
}

static void clip(const Chain *chain, const Work *work, REAL limit) {
    REAL squares = 0, *const *g = work->gradients;
    for (int t = 0; t < chain->tensor_count; t++) if (g[t]) squares += total(g[t], g[t], chain->tensor_sizes[t]);
    const REAL scale = limit / (MATH(sqrt)(squares) + (REAL)1e-6);
    if (scale >= 1) return; /* NaN goes on, and spoils all */
    for (int t = 0; t < chain->tensor_count; t++)
        for (int64_t i = 0; g[t] && i < chain->tensor_sizes[t]; i++) g[t][i] *= scale;
}

static void descend(const Optimiser *own, REAL *x, const REAL *g, REAL *velocity, int64_t n, REAL rate, REAL decay) {
    const REAL momentum = (REAL)own->momentum;
    for (int64_t i = 0; i < n; i++) {
        const REAL gradient = decay != 0 ? g[i] + decay * x[i] : g[i];
        velocity[i] = momentum * velocity[i] + gradient;
        x[i] -= rate * (own->is_nesterov ? gradient + momentum * velocity[i] : velocity[i]);
    }
}

static void update(const Chain *chain, const Optimiser *optimiser, const Work *work, double rate, int64_t step) {
    const double factor = optimiser->factors[step], root = sqrt(1 - pow(optimiser->beta2, (double)(step + 1)));
    const double correction = 1 - pow(optimiser->beta1, (double)(step + 1));
    Adam own = {optimiser->beta1, optimiser->beta2, optimiser->epsilon * root, 0, -factor * root / correction,
                optimiser->is_decoupled};
    for (int t = 0; t < chain->tensor_count; t++) {
        REAL *x = work->tensors[t], *g = work->gradients[t];
        const int64_t count = chain->is_trained[t] ? chain->tensor_sizes[t] : 0;
        own.decay = chain->decays[t] * (optimiser->is_decoupled ? factor : 1);
        if (optimiser->kind == ADAM) adam_row(&own, (REAL)rate, count, x, g, work->first[t], work->second[t]);
        else descend(optimiser, x, g, work->first[t], count, (REAL)(rate * factor), (REAL)chain->decays[t]);
    }
}

/* From the slice's tensors to scratch memory, or back what has changed. */
static void carry(const Chain *chain, const Slice *slice, const Work *work, int is_back) {
    REAL *const *const outside[] = {slice->tensors, slice->first, slice->second};
    REAL *const *const inside[] = {work->tensors, work->first, work->second};
    for (int i = 0; i < 3 * chain->tensor_count; i++) {
        const int t = i / 3;
        REAL *out = outside[i % 3][t], *in = inside[i % 3][t];
        if (!out || !in || (is_back && !chain->is_trained[t])) continue;
        memcpy(is_back ? out : in, is_back ? in : out, chain->tensor_sizes[t] * sizeof(REAL));
    }
}

/* Take the steps from `from` to before `to`; losses has one number for each. */
void train(const Chain *chain, const Slice *slice, const Optimiser *optimiser, const Data *data, int64_t from,
           int64_t to, REAL *losses, void *scratch) {
    Arena arena = {scratch, 0};
    Work work = divided(&arena, chain, data->batch, 1);
    carry(chain, slice, &work, 0);
    for (int64_t step = from; step < to; step++) {
        losses[step - from] = step_gradients(chain, optimiser, data, &work, step);
        if (!isinf(optimiser->clip)) clip(chain, &work, (REAL)optimiser->clip);
        update(chain, optimiser, &work, slice->rate, step);
    }
    carry(chain, slice, &work, 1);
}

/* Outputs of a slice for some examples, named by their numbers. */
void outputs_of(const Chain *chain, const Slice *slice, const REAL *inputs, const int64_t *rows, int64_t batch,
                REAL *outputs, void *scratch) {
    Arena arena = {scratch, 0};
    Work work = divided(&arena, chain, batch, 0);
    carry(chain, slice, &work, 0);
    work.rows = rows;
    forward(chain, inputs, &work, 0);
    memcpy(outputs, work.values[chain->output], batch * chain->value_sizes[chain->output] * sizeof(REAL));
}
