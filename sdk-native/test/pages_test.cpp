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

TEST(Pages, shouldSayNoToTheImpossible) { EXPECT_EQ(nullptr, allocatePages(SIZE_MAX - 5)); }
