/* commands: the one table of everything tpldctl can do. Parsing, help and completion read it. */
#ifndef TPLDCTL_COMMANDS_H
#define TPLDCTL_COMMANDS_H

#include "args.h"

extern const ctl_option global_options[];
const ctl_command *command_table(size_t *ret_count);
/* verb NULL: a command of one word. NULL: there is none. */
const ctl_command *command_find(const char *noun, const char *verb);
bool command_has_noun(const char *noun);

/* server.c */
ctl_handler server_status, server_info, server_health, server_metrics, server_schema,
	server_openapi, server_events, preset_ls, preset_show, class_set_ls;
/* runs.c, run_data.c, run_rounds.c, run_features.c, run_profile.c, watch.c */
ctl_handler run_create, run_validate, run_ls, run_show, run_config_show, run_watch, run_pause,
	run_resume, run_cancel, run_rm, run_metrics, run_iou, run_confusion, run_rounds,
	run_audit, run_features, run_profile;
/* experiments.c */
ctl_handler experiment_run, experiment_list, experiment_show, experiment_watch, experiment_cancel,
	experiment_delete;
/* images.c */
ctl_handler image_ls, image_show, image_get, image_probabilities;
/* checkpoints.c */
ctl_handler checkpoint_ls, checkpoint_show, checkpoint_get, checkpoint_infer;
/* weights.c */
ctl_handler weights_ls, weights_show, weights_add, weights_infer;
/* datasets.c */
ctl_handler dataset_ls, dataset_show, dataset_add, dataset_rm, dataset_images;
/* completion.c, help.c: need no daemon */
ctl_handler completion_print, help_show;

#endif
