/* transfer: files from and to the daemon, streamed. */
#ifndef TPLDCTL_TRANSFER_H
#define TPLDCTL_TRANSFER_H

#include "args.h"
#include "client.h"

/* Makes `call` and puts the body into the file of --output-file: written next to it under another
 * name and renamed when complete. "-" is standard output; without the option a terminal is refused.
 */
ctl_exit transfer_download(ctl *c, const ctl_args *a, client_call *call);
/* Opens a regular file for call->upload. */
ctl_exit transfer_open(const char *file, FILE **ret, uint64_t *ret_size);
/* POST of a picture to `path`; the answer (palette PNG or --npy) is downloaded. */
ctl_exit transfer_infer(ctl *c, const ctl_args *a, const char *path, const char *image);

#endif
