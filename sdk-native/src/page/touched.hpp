// SPDX-License-Identifier: Apache-2.0
// Memory whose written pages are asked for, and that others may write without a page fault: a network adapter by DMA,
// another process through a mapping of its own. Who knows of such a write touches the pages after it: a write of nothing
// by this process, which is noticed as any other.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "channel/export.hpp"

namespace cairn {

struct MemoryRange {
  uintptr_t from, to;
};

// Where any such memory is: one look tells for nearly all. Empty at first: a program without it pays for that look only.
struct alignas(64) TouchedHull {
  std::atomic<uintptr_t> from{UINTPTR_MAX}, to{0};
};
extern CAIRN_API TouchedHull touchedHull;

// From now on these, for ever: nothing is freed that another thread may look at.
CAIRN_API void setTouched(std::vector<MemoryRange> ranges);

inline bool mayBeTouched(const void* address, uintptr_t bytes) {
  uintptr_t from = reinterpret_cast<uintptr_t>(address);
  return __builtin_expect(from < touchedHull.to.load(std::memory_order_relaxed), false) &&
         from + bytes > touchedHull.from.load(std::memory_order_relaxed);
}
inline bool anyTouched() { return __builtin_expect(touchedHull.to.load(std::memory_order_relaxed) != 0, false); }

// Touches those of the pages that are in the memory above.
CAIRN_API void touchWritten(const void* address, uintptr_t bytes);

// For what may have been written anywhere: all of that memory counts as written in the next cut. How often that was.
CAIRN_API void writtenAnywhere();
uint64_t timesWrittenAnywhere();

}  // namespace cairn
