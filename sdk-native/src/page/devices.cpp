// SPDX-License-Identifier: Apache-2.0
#include "page/devices.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cairn {

namespace {

constexpr const char* kWriting[] = {"/nvidia", "/kfd", "/dri/", "/vfio/", "/uio", "/accel/", "/habanalabs/", "/cxl/"};

bool writes(const std::string& path, const std::string& devices) {
  if (path.compare(0, devices.size(), devices) != 0) return false;
  for (const char* begin : kWriting) {
    if (path.compare(devices.size(), strlen(begin), begin) == 0) return true;
  }
  return false;
}

}  // namespace

std::string writingDevice(const char* descriptors, const std::string& devices) {
  DIR* open = opendir(descriptors);
  if (!open) return std::string("an unknown device (") + descriptors + ": " + strerror(errno) + ")";
  std::string found;
  while (const dirent* entry = readdir(open)) {
    // Most are files and sockets, whose names needn't be known.
    struct stat status;
    if (fstatat(dirfd(open), entry->d_name, &status, 0) != 0 || !S_ISCHR(status.st_mode)) continue;
    char path[PATH_MAX];
    ssize_t length = readlinkat(dirfd(open), entry->d_name, path, sizeof path);
    if (length <= 0) continue;  // Closed meanwhile.
    std::string name(path, static_cast<size_t>(length));
    if (writes(name, devices)) {
      found = name;
      break;
    }
  }
  closedir(open);
  return found;
}

}  // namespace cairn
