/* profile: where the time of a training step goes, layer by layer, measured while a run trains.
 *
 * The clock is read at every border: before and after each node of a network (through exec's probe,
 * core itself has no clock) and between the parts around it. The time since the last reading goes to
 * exactly one place, so the places add up to the step. Two readings a node cost 0.1 us where a node
 * takes a millisecond: every step is measured, and nothing that is computed depends on it. Steps that
 * fail or are stopped do not count.
 *
 * Threads: the trainer measures into memory of its own and publishes a finished step under the lock;
 * profile_read may be called from any thread. */
#ifndef TPLDD_PROFILE_H
#define TPLDD_PROFILE_H

#include <pthread.h>

#include "net/exec.h"
#include "store/store.h"

/* What a step does outside of the networks, in the order of a step. */
typedef enum profile_part {
	PROFILE_WAITING,   /* for the loader */
	PROFILE_PREPARING, /* batch norms folded, gradients zeroed, labels counted */
	PROFILE_LOSS,      /* losses and resizing, everything between the passes */
	PROFILE_OPTIMISER, /* gradients checked, weights updated */
	PROFILE_SAVING,    /* metrics and checkpoints */
	PROFILE_PARTS,
} profile_part;

/* What is measured. */
typedef struct profile_stage {
	int64_t run, stage, round; /* round -1: the source model */
	const char *phase, *kernels; /* static */
	size_t crop_h, crop_w, threads;
	double sgemm_gflops; /* profile_sgemm_gflops, 0: not known */
} profile_stage;

typedef struct profile_time {
	double seconds[2]; /* forward, backward */
	double flop;       /* of both, as exec_node_flop counts */
} profile_time;

/* A measured step, or the sum of many. */
typedef struct profile_sum {
	double part[PROFILE_PARTS]; /* seconds */
	profile_time *layer;        /* owned */
} profile_sum;

typedef struct profile_layer {
	char name[96], algorithm[48];
} profile_layer;

typedef double profile_clock(void); /* monotonic seconds */

/* The probe's view of one network: its nodes are layers `first`, ... */
typedef struct profile_net {
	struct profile *profile;
	const exec *net;
	size_t first;
} profile_net;

typedef struct profile {
	pthread_mutex_t lock; /* guards stage, layer, layers, steps, sum */
	profile_stage stage;  /* run 0: nothing to read */
	profile_layer *layer;
	size_t layers, steps;
	profile_sum sum;
	/* The trainer's alone. */
	profile_clock *clock;
	profile_net net[2]; /* the network, the discriminator */
	profile_sum now;
	double last;        /* the clock's last reading */
	bool passed;        /* a node was computed in this step */
} profile;

void profile_init(profile *p, profile_clock *clock);
void profile_done(profile *p);

/* ---- trainer thread ---- */

/* A training stage begins: forgets the one before and sets the probes of its networks, which must
 * live until the last step's end. discriminator: NULL for none. */
tp_status profile_begin(profile *p, const profile_stage *s, exec *net, exec *discriminator,
                        tp_err *err) TP_MUST_CHECK;
void profile_step_begin(profile *p);
/* The time since the last border belongs to `part`. */
void profile_mark(profile *p, profile_part part);
/* What is left is PROFILE_SAVING; the step counts now. */
void profile_step_end(profile *p);
/* The run computes no more; its profile lies in the database. */
void profile_end(profile *p);

/* The rate of matrix products (core/op/gemm.h) of all threads of the pool together, in 1e9 floating
 * point operations a second: the best of about 40 ms. 0: no memory to measure with. */
double profile_sgemm_gflops(pool *pool, profile_clock *clock);

/* ---- any thread ---- */

/* The mean of the measured steps as a row. round < -1: whichever is there. TP_NOTFOUND: another run or
 * round is measured, or none, or no step has ended. The caller frees with profile_row_done. */
tp_status profile_read(profile *p, int64_t run, int64_t round, profile_row *ret,
                       tp_err *err) TP_MUST_CHECK;

#endif
