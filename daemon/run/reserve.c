#include "run/reserve.h"

#include <fcntl.h>
#include <unistd.h>

/* Some pages of the write-ahead log: a state, its history row and its event. */
enum { RESERVE_BYTES = 1 << 20 };
static const char name[] = "reserve";

void reserve_hold(int state_dirfd)
{
	int fd = openat(state_dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	int rc = posix_fallocate(fd, 0, RESERVE_BYTES);
	(void)close(fd);
	if (rc != 0)
		(void)unlinkat(state_dirfd, name, 0);
}

bool reserve_release(int state_dirfd)
{
	return unlinkat(state_dirfd, name, 0) == 0;
}
