// SPDX-License-Identifier: Apache-2.0
#include "page/pages.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

using namespace cairn;

TEST(Pages, shouldBeZeroAlignedAndWritableToTheLastByte) {
  for (size_t bytes : {size_t{0}, size_t{1}, pageSize(), pageSize() + 1, size_t{2} << 20, (size_t{5} << 20) + 3}) {
    char* memory = static_cast<char*>(allocatePages(bytes));
    ASSERT_NE(nullptr, memory) << bytes;
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(memory) % pageSize());
    for (size_t i = 0; i < bytes; i += 4096) ASSERT_EQ(0, memory[i]);
    std::memset(memory, 1, bytes);
    freePages(memory, bytes);
  }
}

TEST(Pages, shouldKeepTheContentsWhenPrefaulted) {
  size_t bytes = (size_t{3} << 20) + 17;
  char* memory = static_cast<char*>(allocatePages(bytes));
  memory[0] = 1;
  memory[bytes - 1] = 2;
  prefaultPages(memory, bytes);
  prefaultPages(memory + 5, 1);
  prefaultPages(memory, 0);
  EXPECT_EQ(1, memory[0]);
  EXPECT_EQ(2, memory[bytes - 1]);
  freePages(memory, bytes);
}

TEST(Pages, shouldDumpExactly) {
  size_t bytes = pageSize() * 3;
  char* from = static_cast<char*>(allocatePages(bytes));
  char* to = static_cast<char*>(allocatePages(bytes));
  for (size_t i = 0; i < bytes; i++) from[i] = static_cast<char>(i * 31);
  dumpPages(to, from, bytes - 1);
  EXPECT_EQ(0, std::memcmp(from, to, bytes - 1));
  EXPECT_EQ(0, to[bytes - 1]);
  freePages(from, bytes);
  freePages(to, bytes);
}

TEST(Pages, shouldDumpExactlyWhateverTheLengthAndAlignment) {
  size_t bytes = (size_t{64} << 10) + 200;  // from where on copies go past the cache
  char* from = static_cast<char*>(allocatePages(2 * bytes));
  char* to = static_cast<char*>(allocatePages(2 * bytes));
  for (size_t i = 0; i < 2 * bytes; i++) from[i] = static_cast<char>(i * 131 >> 3);
  for (size_t at : {0, 1, 16, 64}) {
    for (size_t length : {bytes - 201, bytes - 200, bytes - 199, bytes - 137, bytes}) {
      std::memset(to, 0x55, 2 * bytes);
      dumpPages(to + 128 + at, from + 3 * at, length);
      ASSERT_EQ(0, std::memcmp(to + 128 + at, from + 3 * at, length)) << at << ' ' << length;
      ASSERT_EQ(0x55, to[127 + at]);
      ASSERT_EQ(0x55, to[128 + at + length]);
    }
  }
  freePages(from, 2 * bytes);
  freePages(to, 2 * bytes);
}

TEST(Pages, shouldTellHugePagesFromOthers) {
  size_t bytes = size_t{8} << 20;
  char* memory = static_cast<char*>(allocatePages(bytes));
  EXPECT_EQ(0u, hugePageBytes(memory, bytes));  // nothing is touched yet
  prefaultPages(memory, bytes);
  size_t huge = hugePageBytes(memory, bytes);
  EXPECT_EQ(0u, huge % (2u << 20));
  EXPECT_LE(huge, bytes);
  freePages(memory, bytes);
}

TEST(Pages, shouldSayNoToTheImpossible) { EXPECT_EQ(nullptr, allocatePages(SIZE_MAX - 5)); }
