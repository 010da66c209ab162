// SPDX-License-Identifier: Apache-2.0
#include "file/space.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cairn {

namespace {

// Opens, calls, closes; what the call returns is 0 or an errno.
template <class Call>
int withFile(const char* file, int flags, Call call) {
  int fd;
  do fd = open(file, flags | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  int result;
  do result = call(fd);
  while (result == EINTR);
  close(fd);
  return result;
}

}  // namespace

int reserveSpace(const char* file, int64_t bytes) {
  int result = withFile(file, O_WRONLY,
                        [&](int fd) { return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ? 0 : errno; });
  return result == EOPNOTSUPP || result == ENOSYS ? ENOTSUP : result;
}

int releaseSpace(const char* file) {
  return withFile(file, O_WRONLY, [](int fd) {
    struct stat now;
    // To its own length: what lies behind that is given back.
    return fstat(fd, &now) == 0 && ftruncate(fd, now.st_size) == 0 ? 0 : errno;
  });
}

int forgetPages(const char* file) {
  return withFile(file, O_RDONLY, [](int fd) { return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); });
}

}  // namespace cairn
