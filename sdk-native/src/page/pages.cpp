// SPDX-License-Identifier: Apache-2.0
#include "pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace cairn {

namespace {

constexpr size_t kHugePage = 2u << 20;

size_t rounded(size_t bytes) {
  size_t page = pageSize();
  return (bytes + page - 1) / page * page;
}

}  // namespace

size_t pageSize() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

void* allocatePages(size_t bytes) {
  size_t length = rounded(bytes ? bytes : 1);
  if (length < bytes) return nullptr;
  // Huge pages need their own alignment: map more, keep the aligned part.
  size_t slack = length >= kHugePage ? kHugePage : 0;
  if (length + slack < length) return nullptr;
  void* mapped = mmap(nullptr, length + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  if (!slack) return mapped;
  uintptr_t start = reinterpret_cast<uintptr_t>(mapped);
  uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned > start) munmap(mapped, aligned - start);
  size_t tail = start + slack - aligned;
  if (tail) munmap(reinterpret_cast<void*>(aligned + length), tail);
  madvise(reinterpret_cast<void*>(aligned), length, MADV_HUGEPAGE);  // advice: an error changes nothing
  return reinterpret_cast<void*>(aligned);
}

void freePages(void* address, size_t bytes) {
  if (address) munmap(address, rounded(bytes ? bytes : 1));
}

void prefaultPages(void* address, size_t bytes) {
  if (!bytes) return;
  uintptr_t page = pageSize();
  uintptr_t start = reinterpret_cast<uintptr_t>(address) / page * page;
  size_t length = reinterpret_cast<uintptr_t>(address) + bytes - start;
  if (madvise(reinterpret_cast<void*>(start), length, MADV_POPULATE_WRITE) == 0) return;
  volatile char* at = static_cast<volatile char*>(address);
  for (size_t i = 0; i < bytes; i += page) at[i] = at[i];
  at[bytes - 1] = at[bytes - 1];
}

void dumpPages(void* destination, const void* source, size_t bytes) { std::memcpy(destination, source, bytes); }

}  // namespace cairn
