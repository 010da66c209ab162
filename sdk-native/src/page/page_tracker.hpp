// SPDX-License-Identifier: Apache-2.0
// Which pages of the program's memory were written since it was last asked. Two ways, where the kernel has them:
// userfaultfd's asynchronous write protection with PAGEMAP_SCAN (Linux 6.7), or soft-dirty bits. What a kernel can do is
// tried, on a page of our own, not guessed from its version.
//
// In doubt a page counts as written: at first, when the kernel refuses to answer, when memory was unmapped or mapped
// anew, in a forked child. One thread at a time.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "channel/export.hpp"

namespace cairn {

enum class Tracking : int { NONE = 0, USERFAULTFD = 1, SOFT_DIRTY = 2 };

class TrackedRegion;

class PageTracker {
 public:
  // Where soft-dirty bits are read and cleared; other files in tests.
  struct Files {
    const char* pagemap = "/proc/self/pagemap";
    const char* clear = "/proc/self/clear_refs";
  };

  // Opens what works best, or NONE with a reason.
  PageTracker();
  // For tests: only this one, untried.
  PageTracker(Tracking only, Files files);
  ~PageTracker();
  PageTracker(const PageTracker&) = delete;
  PageTracker& operator=(const PageTracker&) = delete;

  Tracking tracking() const { return tracking_; }
  // Why there is nothing, or nothing better.
  const std::string& reason() const { return reason_; }

  // After all regions were scanned for a cut. Soft-dirty bits can only be cleared for the whole process.
  void endCut();

 private:
  friend class TrackedRegion;

  bool openUserfaultfd();
  bool tryUserfaultfd();
  bool trySoftDirty();
  void close();
  bool forked() const;

  Tracking tracking_ = Tracking::NONE;
  std::string reason_;
  Files files_;
  int uffd_ = -1;
  int pagemap_ = -1;
  pid_t pid_;
  uint64_t cuts_ = 1;          // ends of cuts
  bool clearFailed_ = false;   // soft-dirty bits of the last cut are still there
};

// The whole pages inside a piece of memory; what is left of pages that it shares with others isn't tracked, and so always
// counts as written.
class TrackedRegion {
 public:
  static constexpr size_t kStretch = 2u << 20;

  TrackedRegion(PageTracker& tracker, uintptr_t address, size_t bytes);
  ~TrackedRegion();
  TrackedRegion(const TrackedRegion&) = delete;
  TrackedRegion& operator=(const TrackedRegion&) = delete;

  // From here on writes are noticed, in every `every`-th stretch of pages; until clear() every page counts as written.
  // False if the kernel refuses: see problem().
  bool begin(unsigned every);
  // Writes are noticed no more: they cost nothing any more, and every page counts as written. Huge pages that were split
  // to notice writes are made whole again, as far as the kernel (Linux 6.1) and its free memory allow.
  void end();
  bool active() const { return active_; }

  // Adds what was written since the last scan, or begin(), to what counts as written, and notices writes anew. Returns how
  // many pages were found; where it can't be known, all.
  size_t scan();
  // What counted as written is saved: nothing counts as written now but what the next scan finds.
  void clear();

  // Pages that are looked at: all, or those of the stretches.
  size_t watched() const { return watched_; }
  size_t pages() const { return pages_; }
  // Where the first whole page begins.
  uintptr_t first() const { return first_; }
  // Why the last begin() or scan() didn't work; empty if it did.
  const std::string& problem() const { return problem_; }

  // The runs of written pages that begin at page `from` or later, or in which it lies: pairs of the first page and the
  // first page after. Returns the number of pairs, at most `most`.
  size_t runs(size_t from, size_t most, uint64_t bounds[]) const;

 private:
  struct Range {
    uintptr_t from, to;
  };

  bool protect();
  void release();
  void findHuge();
  bool scanStretch(uintptr_t from, uintptr_t to, size_t& found);
  bool scanPagemap(uintptr_t from, uintptr_t to, size_t& found);
  bool mapped() const;
  size_t lost(std::string why);
  size_t mark(uintptr_t from, uintptr_t to);
  void setAll();
  // Calls `each(from, to)` for each stretch while it returns true.
  template <class EACH>
  bool stretches(EACH each) const;

  PageTracker& tracker_;
  uintptr_t first_ = 0;
  size_t pages_ = 0;
  size_t watched_ = 0;
  unsigned every_ = 1;
  bool active_ = false;
  bool registered_ = false;
  std::vector<Range> huge_;  // what was in huge pages when it began
  uint64_t anywhere_ = 0;  // timesWrittenAnywhere() at the last scan
  uint64_t begunAt_ = 0;  // soft-dirty: bits mean something from the end of that cut on
  std::vector<uint64_t> written_;  // a bit for each page; empty while inactive
  std::string problem_;
};

}  // namespace cairn
