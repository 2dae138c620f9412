#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_out(void *arg, const char *data, size_t size)
{
	FILE *f = arg;
	if (fwrite(data, 1, size, f) == size)
		return true;
	ctl_error("cannot write the file: %s", strerror(errno));
	return false;
}

/* As open() would have made it: mkstemp is stricter than the user's umask. */
static void usual_mode(int fd)
{
	mode_t mask = umask(0);
	(void)umask(mask);
	(void)fchmod(fd, 0666 & ~mask);
}

static ctl_exit to_stdout(ctl *c, client_call *call)
{
	call->sink_arg = stdout;
	call->what = NULL;
	client_answer answer;
	ctl_exit rc = client_call_reported(c->client, call, &answer);
	client_answer_free(&answer);
	return rc;
}

static ctl_exit to_file(ctl *c, client_call *call, const char *file)
{
	buffer temporary = {0};
	buffer_printf(&temporary, "%s.part-XXXXXX", file);
	int fd = mkstemp(temporary.data);
	FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (f == NULL) {
		ctl_error("cannot create %s: %s", temporary.data, strerror(errno));
		if (fd >= 0) {
			(void)close(fd);
			(void)unlink(temporary.data);
		}
		buffer_free(&temporary);
		return CTL_FAILED;
	}
	call->sink_arg = f;
	client_answer answer;
	ctl_exit rc = client_call_reported(c->client, call, &answer);
	client_answer_free(&answer);
	usual_mode(fd);
	bool written = fclose(f) == 0;
	if (rc == CTL_OK && (!written || rename(temporary.data, file) != 0))
		rc = ctl_fail(CTL_FAILED, "cannot write %s: %s", file, strerror(errno));
	if (rc != CTL_OK)
		(void)unlink(temporary.data);
	buffer_free(&temporary);
	return rc;
}

ctl_exit transfer_download(ctl *c, const ctl_args *a, client_call *call)
{
	const char *file = args_value(a, "output-file");
	call->sink = write_out;
	if (file == NULL && isatty(STDOUT_FILENO))
		return ctl_fail(CTL_USAGE, "this is no text: name a file with -O FILE");
	if (file == NULL || strcmp(file, "-") == 0)
		return to_stdout(c, call);
	return to_file(c, call, file);
}

ctl_exit transfer_open(const char *file, FILE **ret, uint64_t *ret_size)
{
	struct stat st;
	FILE *f = fopen(file, "rbe");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		ctl_error("cannot read %s: %s", file, strerror(errno));
		if (f != NULL)
			(void)fclose(f);
		return CTL_FAILED;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		(void)fclose(f);
		return ctl_fail(CTL_FAILED, "%s is %s", file,
		                S_ISREG(st.st_mode) ? "empty" : "no regular file");
	}
	*ret = f;
	*ret_size = (uint64_t)st.st_size;
	return CTL_OK;
}

/* By its first bytes; the server trusts neither this nor the name. */
static const char *picture_type(FILE *f)
{
	unsigned char head[4] = {0};
	size_t n = fread(head, 1, sizeof head, f);
	rewind(f);
	if (n == 4 && memcmp(head, "\x89PNG", 4) == 0)
		return "image/png";
	return n == 4 && head[0] == 0xff && head[1] == 0xd8 ? "image/jpeg" : NULL;
}

ctl_exit transfer_infer(ctl *c, const ctl_args *a, const char *path, const char *image)
{
	client_call call = {.method = "POST",
	                    .path = path,
	                    .accept = args_has(a, "npy") ? "application/x-npy" : "image/png"};
	ctl_exit rc = transfer_open(image, &call.upload, &call.upload_size);
	if (rc != CTL_OK)
		return rc;
	call.content_type = picture_type(call.upload);
	rc = call.content_type == NULL ? ctl_fail(CTL_FAILED, "%s is neither PNG nor JPEG", image)
	                               : transfer_download(c, a, &call);
	(void)fclose(call.upload);
	return rc;
}
