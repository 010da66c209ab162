// SPDX-License-Identifier: Apache-2.0
#include "file/space.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

using namespace cairn;

namespace {

struct File {
  std::string name = testing::TempDir() + "space-" + std::to_string(getpid());
  File() {
    int fd = open(name.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    EXPECT_EQ(5, write(fd, "hello", 5));
    close(fd);
  }
  ~File() { unlink(name.c_str()); }
  struct stat now() const {
    struct stat result {};
    EXPECT_EQ(0, stat(name.c_str(), &result));
    return result;
  }
};

}  // namespace

TEST(Space, shouldSetAsideWithoutAChangeOfLengthAndGiveBack) {
  File file;
  int64_t bytes = 8 << 20;
  int result = reserveSpace(file.name.c_str(), bytes);
  if (result == ENOTSUP) GTEST_SKIP() << "no fallocate on the file system of " << file.name;
  ASSERT_EQ(0, result);
  EXPECT_EQ(5, file.now().st_size);
  EXPECT_GE(file.now().st_blocks * 512, bytes);
  ASSERT_EQ(0, releaseSpace(file.name.c_str()));
  EXPECT_EQ(5, file.now().st_size);
  EXPECT_LT(file.now().st_blocks * 512, bytes);
}

TEST(Space, shouldSayWhatIsWrong) {
  File file;
  EXPECT_EQ(ENOENT, reserveSpace((file.name + "-no").c_str(), 1));
  EXPECT_EQ(ENOENT, releaseSpace((file.name + "-no").c_str()));
  EXPECT_EQ(ENOENT, forgetPages((file.name + "-no").c_str()));
  EXPECT_EQ(EINVAL, reserveSpace(file.name.c_str(), 0));
  // More than any disk has.
  EXPECT_NE(0, reserveSpace(file.name.c_str(), int64_t{1} << 60));
  EXPECT_EQ(5, file.now().st_size);
}

TEST(Space, shouldForgetPages) {
  File file;
  EXPECT_EQ(0, forgetPages(file.name.c_str()));
}
