// SPDX-License-Identifier: Apache-2.0
#include "page/devices.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

using namespace cairn;

namespace {

class DevicesTest : public ::testing::Test {
 protected:
  DevicesTest() {
    char name[] = "/tmp/cairn-devices-XXXXXX";
    root = mkdtemp(name);
    for (const char* folder : {"/fd", "/dev/dri", "/dev/infiniband"}) std::filesystem::create_directories(root + folder);
  }
  ~DevicesTest() override { std::filesystem::remove_all(root); }

  // A descriptor of a character device with this path.
  void open(int descriptor, const std::string& device) {
    std::string path = root + "/dev/" + device;
    ASSERT_EQ(0, symlink("/dev/null", path.c_str()));
    ASSERT_EQ(0, symlink(path.c_str(), (root + "/fd/" + std::to_string(descriptor)).c_str()));
  }

  std::string found() { return writingDevice((root + "/fd").c_str(), root + "/dev"); }

  std::string root;
};

TEST_F(DevicesTest, FindsWhatWritesToMemoryByItself) {
  open(0, "null");
  EXPECT_EQ("", found());
  for (const char* device : {"nvidia0", "nvidia-uvm", "kfd", "dri/renderD128"}) {
    open(7, device);
    EXPECT_EQ(root + "/dev/" + device, found());
    unlink((root + "/fd/7").c_str());
  }
  EXPECT_EQ("", found());
}

TEST_F(DevicesTest, LetsOtherFilesBe) {
  open(1, "tty");
  open(2, "infiniband/uverbs0");
  ASSERT_EQ(0, symlink("socket:[17]", (root + "/fd/3").c_str()));
  ASSERT_EQ(0, symlink("/dev/null", (root + "/fd/4").c_str()));
  EXPECT_EQ("", found());
  EXPECT_EQ("", writingDevice());
}

TEST_F(DevicesTest, ExpectsTheWorstWhereNothingCanBeKnown) {
  EXPECT_NE(std::string::npos, writingDevice((root + "/missing").c_str()).find("No such file"));
}

}  // namespace
