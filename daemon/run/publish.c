#include "run/publish.h"

#include <stdio.h>

#include "base/file.h"
#include "ckpt/weights.h"
#include "store/run_files.h"

tp_status publish(job *j, tp_err *err)
{
	const stage *s = job_stage(j);
	char dir[RUN_FILE_MAX], file[2 * RUN_FILE_MAX], sha[65];
	net_meta meta;
	net_meta_fill(&meta, &j->setup.spec, &j->setup.norm);
	run_checkpoint_dir(j->run, dir);
	if (s->phase == PHASE_NORM_ALIGNMENT)
		(void)snprintf(file, sizeof file, "%s/aligned.safetensors", dir);
	else if (s->phase == PHASE_ENTROPY_TRAINING)
		(void)snprintf(file, sizeof file, "%s/entropy.safetensors", dir);
	else if (s->round == ROUND_SOURCE)
		(void)snprintf(file, sizeof file, "%s/source.safetensors", dir);
	else
		(void)snprintf(file, sizeof file, "%s/round-%d.safetensors", dir, s->round);
	tp_status st = weights_save(j->state_dirfd, file, &j->setup.net, train_state_model(&j->state),
	                            meta.pair, NET_META_PAIRS, err);
	if (st == TP_OK)
		st = sha256_file(j->state_dirfd, file, sha, err);
	if (st != TP_OK)
		return st;
	checkpoint_row row = {.run = j->run,
	                      .round = s->round,
	                      .stage = (int64_t)j->at,
	                      .step = job_global_step(j, j->at) + (int64_t)j->state.step,
	                      .phase = (char *)phase_name(s->phase),
	                      .file = file,
	                      .bytes = job_file_bytes(j, file),
	                      .sha256 = sha};
	int64_t id;
	return store_checkpoint_add(j->store, &row, &id, err);
}
