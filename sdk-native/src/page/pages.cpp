// SPDX-License-Identifier: Apache-2.0
#include "pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

size_t hugePageBytes(const void* address, size_t bytes) {
  FILE* maps = std::fopen("/proc/self/smaps", "re");
  if (!maps) return 0;
  uintptr_t from = reinterpret_cast<uintptr_t>(address), to = from + bytes;
  size_t huge = 0;
  bool ours = false;
  char line[512];
  while (std::fgets(line, sizeof line, maps)) {
    uintptr_t begin, end;
    size_t kibibytes;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
      ours = begin < to && end > from;
    } else if (ours && std::sscanf(line, "AnonHugePages: %zu kB", &kibibytes) == 1) {
      huge += kibibytes * 1024;
    }
  }
  std::fclose(maps);
  return huge < bytes ? huge : bytes;  // neighbours may share the mapping
}

void copyPages(void* destination, const void* source, size_t bytes) { std::memcpy(destination, source, bytes); }

#ifdef __SSE2__

namespace {

constexpr size_t kStreamFrom = 64u << 10;  // less may as well stay in the cache
constexpr size_t kLine = 64;

// The lines of the destination aren't read first, as a plain store does, and push nothing of the program's out of the
// cache.
void streamLines(char* to, const char* from, size_t lines) {
  for (size_t i = 0; i < lines; i++, to += kLine, from += kLine) {
    __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16));
    __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 32));
    __m128i d = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 48));
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), a);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + 16), b);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + 32), c);
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + 48), d);
  }
  _mm_sfence();  // before another thread is told that the copy is there
}

}  // namespace

void dumpPages(void* destination, const void* source, size_t bytes) {
  if (bytes < kStreamFrom || reinterpret_cast<uintptr_t>(destination) % 16) {
    copyPages(destination, source, bytes);
    return;
  }
  size_t lines = bytes / kLine;
  char* to = static_cast<char*>(destination);
  const char* from = static_cast<const char*>(source);
  streamLines(to, from, lines);
  std::memcpy(to + lines * kLine, from + lines * kLine, bytes % kLine);
}

#else

void dumpPages(void* destination, const void* source, size_t bytes) { copyPages(destination, source, bytes); }

#endif

}  // namespace cairn
