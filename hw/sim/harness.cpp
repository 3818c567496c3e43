// The loop around a Verilated design with one input and one output stream; a C interface for ctypes (stream.py).
//
// One call of sim_run streams a whole batch. Each clock cycle is two evaluations: with the clock low the inputs of the cycle
// settle and the handshakes are read; with the clock high the registers step. Data is copied only when a word moves.
// "ports.h" is written per design: PORT_<role> are the port names, IN_BITS and OUT_BITS the widths.
#include "ports.h"

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Wave = VerilatedFstC;
#elif VM_TRACE_VCD
#include "verilated_vcd_c.h"
using Wave = VerilatedVcdC;
#endif

#include <unistd.h>
#include <fcntl.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

constexpr size_t kInBytes = (IN_BITS + 7) / 8;
constexpr size_t kOutBytes = (OUT_BITS + 7) / 8;
constexpr uint8_t kInTopMask = IN_BITS % 8 ? (1 << IN_BITS % 8) - 1 : 0xff;
constexpr int kResetCycles = 8;
constexpr uint64_t kLoadPatience = 1 << 16;  // cycles from the last word of a load to the chain's end, at most

// Same layout as stream.Job.
struct Job {
    const uint8_t* in;        // words, kInBytes each, element 0 in the lowest bits
    uint64_t in_words;
    uint64_t in_frame;        // words per frame; TLAST is driven on the last one
    uint8_t* out;             // words, kOutBytes each
    uint64_t out_words;       // how many to expect
    uint64_t out_frame;       // words per frame; TLAST is expected on the last one, and only there
    const int64_t* arrivals;  // null, or the first cycle in which each input word may be offered
    int64_t* in_cycles;       // null, or where to note the cycle each input word was taken in
    int64_t* out_cycles;      // null, or likewise for output words
    int64_t* first_in;        // null, or per frame: cycle its first input word was taken in
    int64_t* last_out;        // null, or per frame: cycle its last output word was taken in
    uint64_t in_stall;        // probability * 2^32 that an idle source stays idle for a cycle
    uint64_t out_stall;       // probability * 2^32 that the sink is not ready in a cycle
    uint64_t seed;
    uint64_t watchdog;        // give up after so many cycles without a handshake
    uint64_t drain;           // cycles to watch for surplus words after the last expected one
    uint64_t strict;          // also prove that valid and data do not depend combinationally on ready
    // Progress, readable while running, and results.
    volatile uint64_t sent;
    volatile uint64_t received;
    volatile uint64_t cycles;  // simulated cycles, drain included
    volatile uint64_t stop;    // set from outside to end the run early
    uint64_t in_valid, in_ready, out_valid, out_ready;  // handshakes in the last cycle
    char message[512];
};

enum Status : int { kDone, kStopped, kDeadlock, kLastEarly, kLastMissing, kSurplus, kUnstable, kCombinational, kRtlStopped };

struct Sim {
    VerilatedContext context;
    Vtop* top = nullptr;
    uint64_t time = 0;
#if VM_TRACE
    Wave* wave = nullptr;
#endif
    std::string error;
};

// What the RTL reports ($stop, $fatal, a memory image that is missing) ends the run, not the process.
static void raise(const char* file, int line, const char* text) {
    throw std::runtime_error(std::string(file ? file : "") + (line ? ":" + std::to_string(line) : "") + ": " + text);
}
void vl_stop(const char* file, int line, const char*) { raise(file, line, "the RTL executed $stop or an assertion failed"); }
void vl_fatal(const char* file, int line, const char*, const char* text) { raise(file, line, text); }
void vl_warn(const char* file, int line, const char*, const char* text) { raise(file, line, text); }

static inline void eval(Sim* sim, int clock) {
    sim->top->clk_i = clock;
    sim->top->eval();
#if VM_TRACE
    if (sim->wave) sim->wave->dump(sim->time);
    sim->time += 5;
#endif
}

static inline uint64_t next_random(uint64_t& state) {  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

// While valid is low the data is rubbish on purpose: a design that looks at it fails.
static inline void drive_rubbish(Vtop* top) {
    uint8_t rubbish[kInBytes];
    memset(rubbish, 0xa5, kInBytes);
    rubbish[kInBytes - 1] &= kInTopMask;
    memcpy(&top->PORT_IN_DATA, rubbish, kInBytes);
}

// A word of the load chain (sf_memory.sv), or none with rubbish in its place.
static inline void drive_load([[maybe_unused]] Vtop* top, [[maybe_unused]] bool valid, [[maybe_unused]] uint32_t word) {
#ifdef PORT_LOAD_IN
    top->PORT_LOAD_IN = (uint64_t)valid << 32 | word;
#endif
}

static inline void drive_last([[maybe_unused]] Vtop* top, [[maybe_unused]] bool last) {
#ifdef PORT_IN_LAST
    top->PORT_IN_LAST = last;
#endif
}

static void reset(Sim* sim) {
    Vtop* top = sim->top;
    top->rst_ni = 0;
    top->PORT_IN_VALID = 0;
    top->PORT_OUT_READY = 0;
    drive_rubbish(top);
    drive_load(top, false, 0xa5a5a5a5);
    for (int i = 0; i < kResetCycles; i++) eval(sim, 0), eval(sim, 1);
    top->rst_ni = 1;
}

// Fill the memories through the load chain: of the words and one more, that one must come out at the end, and no other.
static void load([[maybe_unused]] Sim* sim, [[maybe_unused]] const uint32_t* words, [[maybe_unused]] uint64_t count) {
#ifdef PORT_LOAD_IN
    uint64_t out = 0;
    bool came = false;
    for (uint64_t i = 0; i <= count || (i <= count + kLoadPatience && !(out && !came)); i++) {
        drive_load(sim->top, i <= count, i < count ? words[i] : 0xa5a5a5a5);
        eval(sim, 0);
        came = sim->top->PORT_LOAD_OUT >> 32;
        eval(sim, 1);
        out += came;
    }
    if (out == 1) return;
    const std::string sent = "of " + std::to_string(count) + " words on the load chain ";
    throw std::runtime_error(sent + (out ? std::to_string(out - 1) + " were too many" : "were too few"));
#else
    throw std::runtime_error("the design has no load chain");
#endif
}

static int run(Sim* sim, Job* job) {
    Vtop* const top = sim->top;
    uint64_t random = job->seed * 2 + 1;
    uint64_t sent = 0, received = 0, quiet = 0, drained = 0;
    uint64_t in_place = 0, out_place = 0, in_number = 0, out_number = 0;  // position within the frame, frame number
    bool valid = false, held = false;
    uint8_t held_data[kOutBytes], seen_data[kOutBytes];
    const bool stalls = job->in_stall || job->out_stall;
    int status = -1;
    for (int i = 0; i < 8; i++) next_random(random);
    int64_t cycle = 0;
    for (; status < 0; cycle++) {
        const uint64_t dice = stalls ? next_random(random) : 0;
        const bool due = sent < job->in_words && (!job->arrivals || job->arrivals[sent] <= cycle);
        if (!valid && due && (!job->in_stall || (dice & 0xffffffff) >= job->in_stall)) {
            valid = true;
            memcpy(&top->PORT_IN_DATA, job->in + sent * kInBytes, kInBytes);
            drive_last(top, in_place + 1 == job->in_frame);
        }
        const bool ready = !job->out_stall || (dice >> 32) >= job->out_stall;
        top->PORT_IN_VALID = valid;
        if (job->strict) {
            top->PORT_OUT_READY = !ready;
            eval(sim, 0);
            const bool seen = top->PORT_OUT_VALID;
            memcpy(seen_data, &top->PORT_OUT_DATA, kOutBytes);
            top->PORT_OUT_READY = ready;
            eval(sim, 0);
            const bool changed = seen && memcmp(seen_data, &top->PORT_OUT_DATA, kOutBytes);
            if (seen != (bool)top->PORT_OUT_VALID || changed) status = kCombinational;
        } else {
            top->PORT_OUT_READY = ready;
            eval(sim, 0);
        }
        const bool taken = valid && top->PORT_IN_READY;
        const bool out_valid = top->PORT_OUT_VALID;
        if (held && (!out_valid || memcmp(held_data, &top->PORT_OUT_DATA, kOutBytes))) status = kUnstable;
        held = out_valid && !ready;
        if (held) memcpy(held_data, &top->PORT_OUT_DATA, kOutBytes);
        quiet++;
        if (out_valid && ready) {
            if (received == job->out_words) {
                status = kSurplus;
                break;
            }
            const bool last = out_place + 1 == job->out_frame;
#ifdef PORT_OUT_LAST
            if ((bool)top->PORT_OUT_LAST != last) status = last ? kLastMissing : kLastEarly;
#endif
            memcpy(job->out + received * kOutBytes, &top->PORT_OUT_DATA, kOutBytes);
            if (job->out_cycles) job->out_cycles[received] = cycle;
            if (last && job->last_out) job->last_out[out_number] = cycle;
            out_number += last;
            out_place = last ? 0 : out_place + 1;
            job->received = ++received;
            quiet = 0;
        }
        const bool final_word = taken && sent + 1 == job->in_words;
        if (status >= 0) break;
        eval(sim, 1);
        if (taken) {
            if (job->in_cycles) job->in_cycles[sent] = cycle;
            if (in_place == 0 && job->first_in) job->first_in[in_number] = cycle;
            const bool last = in_place + 1 == job->in_frame;
            in_number += last;
            in_place = last ? 0 : in_place + 1;
            job->sent = ++sent;
            quiet = 0;
            valid = false;
            const bool soon = !final_word && !job->in_stall && (!job->arrivals || job->arrivals[sent] <= cycle + 1);
            if (!soon) drive_rubbish(top);
        } else if (!valid && sent < job->in_words) {
            quiet = 0;  // the source itself is waiting
        }
        if (sent == job->in_words && received == job->out_words && drained++ == job->drain) status = kDone;
        if (quiet > job->watchdog && drained == 0) status = kDeadlock;
        if ((cycle & 0xfff) == 0) {
            job->cycles = cycle;
            if (job->stop) status = kStopped;
        }
    }
    job->cycles = cycle;
    job->in_valid = valid;
    job->in_ready = top->PORT_IN_READY;
    job->out_valid = top->PORT_OUT_VALID;
    job->out_ready = top->PORT_OUT_READY;
    top->PORT_IN_VALID = 0;
    return status;
}

#define EXPORT extern "C" __attribute__((visibility("default")))

// Load memory images relative to `folder` (they are read in the first evaluation), reset, fill the memories with `count` words
// through the load chain unless `words` is null, and open the wave file if named.
EXPORT Sim* sim_new(const char* folder, uint64_t seed, const char* wave, const char* scope, const uint32_t* words,
                    uint64_t count, char* message, size_t size) {
    Sim* sim = new Sim;
    const int home = open(".", O_RDONLY | O_DIRECTORY);
    try {
        if (*folder && chdir(folder)) throw std::runtime_error(std::string("cannot enter the folder ") + folder);
        sim->context.randReset(2);
        sim->context.randSeed((int)(seed & 0x7fffffff) + 1);
#if VM_TRACE
        sim->context.traceEverOn(true);
#endif
        sim->top = new Vtop(&sim->context, "TOP");
        sim->top->clk_i = 0;
        sim->top->rst_ni = 0;
        sim->top->eval();
        if (home >= 0 && fchdir(home)) throw std::runtime_error("cannot return to the previous folder");
        reset(sim);
        if (words) load(sim, words, count);
#if VM_TRACE
        sim->time = 0;
        if (*wave) {
            sim->wave = new Wave;
            sim->top->trace(sim->wave, 99);
            sim->wave->set_time_unit("1ns");  // a cycle is drawn as 10 ns
            sim->wave->set_time_resolution("1ns");
            if (*scope) sim->wave->dumpvars(99, scope);
            sim->wave->open(wave);
            reset(sim);
        }
#endif
    } catch (const std::exception& error) {
        if (home >= 0 && fchdir(home)) {}
        snprintf(message, size, "%s", error.what());
        sim = nullptr;  // the half-made model is left alone: its state is unknown
    }
    if (home >= 0) close(home);
    return sim;
}

EXPORT int sim_reset(Sim* sim) {
    reset(sim);
    return 0;
}

EXPORT int sim_run(Sim* sim, Job* job) {
    try {
        return run(sim, job);
    } catch (const std::exception& error) {
        snprintf(job->message, sizeof job->message, "%s", error.what());
        return kRtlStopped;
    }
}

EXPORT void sim_delete(Sim* sim) {
#if VM_TRACE
    if (sim->wave) {
        sim->wave->close();
        delete sim->wave;
    }
#endif
    delete sim->top;
    delete sim;
}
