/*
 * Preloaded into a process with a journal: logs every write and sync of the file named by CRASH_SHIM_DATA, in the order in which they
 * ended, together with what the process itself says to the file named by CRASH_SHIM_ACKS. Fails or slows them as the
 * file named by CRASH_SHIM_FAULT says at the moment: "enospc" (writes beyond the end of the file), "short" (writes of data pages write
 * nothing), "readonly" (writes of data pages, and access(2) says so), "enospc-meta", "eio-meta", "readonly-meta" (writes of LMDB's two meta
 * pages), "eio-meta-written" (as "eio-meta", but the page is written all the same), "eio-sync", "slow MS", or nothing.
 *
 * A record of the log: op (1 byte), offset (8, little-endian), length (4), bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OP_WRITE = 1, OP_WRITE_SYNCED = 2, OP_SYNC = 3, OP_TRUNCATE = 4, OP_SAID = 5 };
enum { OTHER, DATA, ACKS };
/* LMDB's two meta pages. */
enum { META_END = 8192 };
/* Instead of an error: nothing is written. */
enum { SHORT = -1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static ssize_t plain_write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return real(fd, bytes, length);
}

static int kind_of(int fd) {
  char link[64], path[4096];
  const char *data = getenv("CRASH_SHIM_DATA"), *acks = getenv("CRASH_SHIM_ACKS");
  if (!data || !acks || fd == log_fd) return OTHER;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return OTHER;
  path[n] = 0;
  if (strcmp(path, data) == 0) return DATA;
  return strcmp(path, acks) == 0 ? ACKS : OTHER;
}

static void note(int op, off_t offset, const struct iovec *parts, int count, size_t length) {
  unsigned char head[13];
  const char *name = getenv("CRASH_SHIM_LOG");
  if (!name) return;
  pthread_mutex_lock(&lock);
  if (log_fd < 0) log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
  head[0] = (unsigned char)op;
  uint64_t at = (uint64_t)offset;
  uint32_t size = (uint32_t)length;
  memcpy(head + 1, &at, 8);
  memcpy(head + 9, &size, 4);
  plain_write(log_fd, head, sizeof head);
  for (int i = 0; i < count && length > 0; i++) {
    size_t n = parts[i].iov_len < length ? parts[i].iov_len : length;
    plain_write(log_fd, parts[i].iov_base, n);
    length -= n;
  }
  pthread_mutex_unlock(&lock);
}

/* What CRASH_SHIM_FAULT says now. */
static void fault_text(char *text, size_t size) {
  const char *name = getenv("CRASH_SHIM_FAULT");
  text[0] = 0;
  if (!name) return;
  int fd = open(name, O_RDONLY);
  if (fd < 0) return;
  ssize_t n = read(fd, text, size - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
}

/* 0, the error with which a write at this place is to fail, or SHORT. */
static int write_fault(int fd, off_t at, size_t length) {
  char text[64];
  struct stat file;
  fault_text(text, sizeof text);
  int for_meta = strstr(text, "-meta") != NULL;
  if (text[0] == 0 || for_meta != (at < META_END)) return 0;
  if (strcmp(text, "enospc") == 0 && fstat(fd, &file) == 0 && at + (off_t)length <= file.st_size) return 0;
  if (strncmp(text, "enospc", 6) == 0) return ENOSPC;
  if (strncmp(text, "readonly", 8) == 0) return EROFS;
  if (strncmp(text, "short", 5) == 0) return SHORT;
  return strncmp(text, "eio-meta", 8) == 0 ? EIO : 0;
}

/* Whether a write that fails reaches the file all the same. */
static int is_written(void) {
  char text[64];
  fault_text(text, sizeof text);
  return strncmp(text, "eio-meta-written", 16) == 0;
}

/* 0, or the error with which a sync is to fail; waits where it is to be slow. */
static int sync_fault(void) {
  char text[64];
  fault_text(text, sizeof text);
  if (strncmp(text, "slow ", 5) == 0) usleep((useconds_t)atoi(text + 5) * 1000);
  return strncmp(text, "eio-sync", 8) == 0 ? EIO : 0;
}

static size_t total(const struct iovec *parts, int count) {
  size_t sum = 0;
  for (int i = 0; i < count; i++) sum += parts[i].iov_len;
  return sum;
}

static int write_op(int fd) { return fcntl(fd, F_GETFL) & O_DSYNC ? OP_WRITE_SYNCED : OP_WRITE; }

#define FAIL_IF(error) \
  do { int e = (error); if (e == SHORT) return 0; if (e) { errno = e; return -1; } } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
  int kind = kind_of(fd);
  off_t at = kind == DATA ? lseek(fd, 0, SEEK_CUR) : 0;
  if (kind == DATA) FAIL_IF(write_fault(fd, at, length));
  ssize_t done = plain_write(fd, bytes, length);
  struct iovec part = {(void *)bytes, length};
  if (done > 0 && kind == DATA) note(write_op(fd), at, &part, 1, (size_t)done);
  if (done > 0 && kind == ACKS) note(OP_SAID, 0, &part, 1, (size_t)done);
  return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  int kind = kind_of(fd);
  off_t at = kind == DATA ? lseek(fd, 0, SEEK_CUR) : 0;
  if (kind == DATA) FAIL_IF(write_fault(fd, at, total(parts, count)));
  ssize_t done = real(fd, parts, count);
  if (done > 0 && kind == DATA) note(write_op(fd), at, parts, count, (size_t)done);
  return done;
}

static ssize_t noted_pwrite(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *bytes, size_t length, off_t at) {
  int kind = kind_of(fd);
  int failure = kind == DATA ? write_fault(fd, at, length) : 0;
  if (failure && is_written()) real(fd, bytes, length, at);
  FAIL_IF(failure);
  ssize_t done = real(fd, bytes, length, at);
  struct iovec part = {(void *)bytes, length};
  if (done > 0 && kind == DATA) note(write_op(fd), at, &part, 1, (size_t)done);
  return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  return noted_pwrite(real, fd, bytes, length, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
  return noted_pwrite(real, fd, bytes, length, at);
}

static ssize_t noted_pwritev(ssize_t (*real)(int, const struct iovec *, int, off_t), int fd, const struct iovec *parts, int count, off_t at) {
  int kind = kind_of(fd);
  if (kind == DATA) FAIL_IF(write_fault(fd, at, total(parts, count)));
  ssize_t done = real(fd, parts, count, at);
  if (done > 0 && kind == DATA) note(write_op(fd), at, parts, count, (size_t)done);
  return done;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
  return noted_pwritev(real, fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off_t);
  return noted_pwritev(real, fd, parts, count, at);
}

static int noted_sync(int (*real)(int), int fd) {
  int kind = kind_of(fd);
  if (kind == DATA) FAIL_IF(sync_fault());
  int done = real(fd);
  if (done == 0 && kind == DATA) note(OP_SYNC, 0, NULL, 0, 0);
  return done;
}
int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return noted_sync(real, fd);
}
int fsync(int fd) {
  REAL(int, "fsync", int);
  return noted_sync(real, fd);
}

static int noted_truncate(int (*real)(int, off_t), int fd, off_t length) {
  int kind = kind_of(fd);
  if (kind == DATA) FAIL_IF(write_fault(fd, META_END, (size_t)length));
  int done = real(fd, length);
  if (done == 0 && kind == DATA) note(OP_TRUNCATE, length, NULL, 0, 0);
  return done;
}
int ftruncate(int fd, off_t length) {
  REAL(int, "ftruncate", int, off_t);
  return noted_truncate(real, fd, length);
}
int ftruncate64(int fd, off64_t length) {
  REAL(int, "ftruncate64", int, off_t);
  return noted_truncate(real, fd, length);
}
int access(const char *path, int mode) {
  REAL(int, "access", const char *, int);
  const char *data = getenv("CRASH_SHIM_DATA");
  char text[64];
  fault_text(text, sizeof text);
  if (data && (mode & W_OK) && strcmp(path, data) == 0 && strcmp(text, "readonly") == 0) FAIL_IF(EROFS);
  return real(path, mode);
}
