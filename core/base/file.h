/* file: whole files, read with a limit and replaced so that a crash leaves the old or the new one.
 * All functions take an open directory descriptor (AT_FDCWD allowed) and a relative name. */
#ifndef TP_BASE_FILE_H
#define TP_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A span of bytes for gathered writes. */
typedef struct file_part {
	const void *data;
	size_t size;
} file_part;

/* Writes dir/name durably: temporary file, write, fsync, rename, fsync of the directory. On any
 * failure the previous file is intact and the temporary one is gone; a failed fsync is never
 * retried. ENOSPC is TP_NOSPACE. */
tp_status file_replace(int dirfd, const char *name, const file_part *part, size_t parts,
                       tp_err *err) TP_MUST_CHECK;
/* The same without fsync, for caches that carry their own checksum and can be made again:
 * whole after SIGKILL, possibly lost after a power cut. */
tp_status file_replace_cache(int dirfd, const char *name, const file_part *part, size_t parts,
                             tp_err *err) TP_MUST_CHECK;

/* Reads a regular file of at most `limit` bytes into a malloc'ed block (one extra zero byte
 * behind it); the caller frees. Larger: TP_INVALID, absent: TP_NOTFOUND. */
tp_status file_read(int dirfd, const char *name, size_t limit, void **ret_data, size_t *ret_size,
                    tp_err *err) TP_MUST_CHECK;

/* Renames within one file system, durably: the file's bytes, then both directories. */
tp_status file_move(int dirfd, const char *from, const char *to, tp_err *err) TP_MUST_CHECK;

/* Creates the directory and its parents (mode 0750); an existing one is fine. */
tp_status file_mkdirs(const char *path, tp_err *err) TP_MUST_CHECK;
/* Removes a directory and all in it; an absent one is fine. Never follows links. */
tp_status file_remove_tree(int dirfd, const char *name, tp_err *err) TP_MUST_CHECK;

/* Lower-case hex SHA-256 of memory or of a file (64 characters and a zero). */
void sha256_hex(const void *data, size_t size, char ret_hex[65]);
tp_status sha256_file(int dirfd, const char *name, char ret_hex[65], tp_err *err) TP_MUST_CHECK;

/* 64-bit checksum for caches and records (FNV-1a over 8-byte words, then bytes). No cipher. */
uint64_t checksum64(uint64_t seed, const void *data, size_t size);

#endif
