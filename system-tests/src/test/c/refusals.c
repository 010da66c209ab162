// SPDX-License-Identifier: Apache-2.0
// What a system may refuse a rank. Loaded before everything else (LD_PRELOAD); the words of REFUSALS say what:
//   interrupted      every fifth write to an image is interrupted (EINTR)
//   short            every third one takes half of the bytes
//   no-space=FILE    of a file that ends so, nothing is written any more once it has 1 MiB (ENOSPC)
//   io-error=FILE    the same, with EIO
//   direct           files can't be opened for direct I/O (EINVAL)
//   fallocate        nothing can be set aside for a file (EOPNOTSUPP)
//   userfaultfd      the call is forbidden, as in containers (EPERM)
//   huge-pages       there are none
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_WORDS = 16, DIRECT_BYTES = 4096 };

static char words[4096];
static const char* word[MOST_WORDS];
static int word_count;

static int refused(const char* what) {
  for (int i = 0; i < word_count; i++) {
    if (!strcmp(word[i], what)) return 1;
  }
  return 0;
}

static void forbid_userfaultfd(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("userfaultfd can't be forbidden");
    exit(1);
  }
}

__attribute__((constructor)) static void begin(void) {
  const char* list = getenv("REFUSALS");
  if (!list) return;
  snprintf(words, sizeof words, "%s", list);
  for (char* at = strtok(words, " "); at && word_count < MOST_WORDS; at = strtok(NULL, " ")) word[word_count++] = at;
  if (refused("userfaultfd")) forbid_userfaultfd();
  if (refused("huge-pages")) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static int ends_with(const char* text, const char* end) {
  size_t length = strlen(text), wanted = strlen(end);
  return length >= wanted && !strcmp(text + length - wanted, end);
}

// Nothing is refused to other files: programs print, and JVMs write into many.
static int is_image(int file, char path[4096]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, 4095);
  if (length < 0) return 0;
  path[length] = 0;
  return ends_with(path, ".image");
}

static int fails(int file, const char* path, const char* what, int error) {
  struct stat status;
  for (int i = 0; i < word_count; i++) {
    if (strncmp(word[i], what, strlen(what)) || !ends_with(path, word[i] + strlen(what))) continue;
    if (fstat(file, &status) || status.st_size < 1 << 20) continue;
    errno = error;
    return 1;
  }
  return 0;
}

ssize_t write(int file, const void* bytes, size_t length) {
  static ssize_t (*real)(int, const void*, size_t);
  static atomic_int writes;
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "write");
  char path[4096];
  if (!word_count || !is_image(file, path)) return real(file, bytes, length);
  if (fails(file, path, "no-space=", ENOSPC) || fails(file, path, "io-error=", EIO)) return -1;
  int turn = atomic_fetch_add(&writes, 1);
  if (refused("interrupted") && turn % 5 == 4) {
    errno = EINTR;
    return -1;
  }
  size_t half = length / 2;
  if (fcntl(file, F_GETFL) & O_DIRECT) half -= half % DIRECT_BYTES;
  if (refused("short") && turn % 3 == 2 && half) length = half;
  return real(file, bytes, length);
}

static int open_with(const char* name, const char* path, int flags, va_list more) {
  int (*real)(const char*, int, ...);
  *(void**)&real = dlsym(RTLD_NEXT, name);
  if ((flags & O_DIRECT) && refused("direct")) {
    errno = EINVAL;
    return -1;
  }
  return flags & (O_CREAT | __O_TMPFILE) ? real(path, flags, va_arg(more, mode_t)) : real(path, flags);
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int file = open_with("open", path, flags, more);
  va_end(more);
  return file;
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int file = open_with("open64", path, flags, more);
  va_end(more);
  return file;
}

int fallocate(int file, int mode, off_t from, off_t length) {
  static int (*real)(int, int, off_t, off_t);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "fallocate");
  if (!refused("fallocate")) return real(file, mode, from, length);
  errno = EOPNOTSUPP;
  return -1;
}
