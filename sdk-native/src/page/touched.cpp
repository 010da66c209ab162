// SPDX-License-Identifier: Apache-2.0
#include "touched.hpp"

#include <algorithm>
#include <memory>
#include <mutex>

#include "pages.hpp"

namespace cairn {

TouchedHull touchedHull;

namespace {

std::atomic<const std::vector<MemoryRange>*> tracked{nullptr};
std::atomic<uint64_t> anywhere{0};
volatile unsigned char nothing = 0;  // a constant would let the compiler turn the write into a look

void touch(uintptr_t from, uintptr_t to) {
  uintptr_t page = pageSize();
  for (uintptr_t at = from; at < to; at = (at / page + 1) * page) {
    // Atomic: the program, or another adapter, may be writing next to it.
    __atomic_fetch_or(reinterpret_cast<unsigned char*>(at), nothing, __ATOMIC_RELAXED);
  }
}

}  // namespace

void setTouched(std::vector<MemoryRange> ranges) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<const std::vector<MemoryRange>>>* kept =
      new std::vector<std::unique_ptr<const std::vector<MemoryRange>>>;
  std::lock_guard<std::mutex> guard(mutex);
  ranges.erase(std::remove_if(ranges.begin(), ranges.end(), [](const MemoryRange& r) { return r.from >= r.to; }),
               ranges.end());
  std::sort(ranges.begin(), ranges.end(), [](const MemoryRange& a, const MemoryRange& b) { return a.from < b.from; });
  uintptr_t from = UINTPTR_MAX, to = 0;
  for (MemoryRange& range : ranges) {
    from = std::min(from, range.from);
    to = std::max(to, range.to);
    range.to = to;  // ascending, too, where they overlap
  }
  kept->push_back(std::make_unique<const std::vector<MemoryRange>>(std::move(ranges)));
  tracked.store(kept->back().get(), std::memory_order_release);
  touchedHull.from.store(from, std::memory_order_relaxed);
  touchedHull.to.store(to, std::memory_order_release);
}

void touchWritten(const void* address, uintptr_t bytes) {
  const std::vector<MemoryRange>* ranges = tracked.load(std::memory_order_acquire);
  uintptr_t from = reinterpret_cast<uintptr_t>(address), to = from + bytes;
  if (!ranges || to <= from) return;
  auto at = std::upper_bound(ranges->begin(), ranges->end(), from,
                             [](uintptr_t value, const MemoryRange& range) { return value < range.to; });
  for (; at != ranges->end() && at->from < to; ++at) touch(std::max(from, at->from), std::min(to, at->to));
}

void writtenAnywhere() { anywhere.fetch_add(1, std::memory_order_release); }

uint64_t timesWrittenAnywhere() { return anywhere.load(std::memory_order_acquire); }

}  // namespace cairn
