// SPDX-License-Identifier: Apache-2.0
#include "page_tracker.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pages.hpp"
#include "touched.hpp"

// Linux 6.7; the headers may be older than the kernel.
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace cairn {

namespace {

struct PageRange {  // struct page_region
  uint64_t start, end, categories;
};

struct PageScan {  // struct pm_scan_arg
  uint64_t size, flags, start, end, walkEnd, ranges, rangeCount, mostPages, inverted, all, any, returned;
};

constexpr unsigned long kPagemapScan = _IOWR('f', 16, PageScan);
constexpr uint64_t kWritten = 1u << 1, kPresent = 1u << 3;           // PAGE_IS_WRITTEN, PAGE_IS_PRESENT
constexpr uint64_t kHuge = 1u << 6;                                  // PAGE_IS_HUGE
constexpr uint64_t kProtectFound = 1u << 0, kCheckAsync = 1u << 1;   // PM_SCAN_WP_MATCHING, PM_SCAN_CHECK_WPASYNC

// Entries of /proc/self/pagemap.
constexpr uint64_t kEntrySoftDirty = 1ull << 55, kEntrySwapped = 1ull << 62, kEntryPresent = 1ull << 63;

std::string failed(const char* call, int error) {
  return std::string(call) + ": " + std::strerror(error) + " (" + std::to_string(error) + ')';
}

// A page that is written in a way that the compiler doesn't leave out.
void touch(void* page) { ++*static_cast<volatile char*>(page); }

}  // namespace

// --- what the kernel can do ------------------------------------------------------------------------------------------

PageTracker::PageTracker() : pid_(getpid()) {
  if (tryUserfaultfd()) return;
  std::string first = reason_;
  close();
  if (trySoftDirty()) return;
  reason_ = first + "; " + reason_;
  close();
}

PageTracker::PageTracker(Tracking only, Files files) : tracking_(only), files_(files), pid_(getpid()) {
  if (only == Tracking::USERFAULTFD && !openUserfaultfd()) tracking_ = Tracking::NONE;
  if (only == Tracking::SOFT_DIRTY) pagemap_ = open(files_.pagemap, O_RDONLY | O_CLOEXEC);
}

PageTracker::~PageTracker() { close(); }

void PageTracker::close() {
  if (uffd_ >= 0) ::close(uffd_);
  if (pagemap_ >= 0) ::close(pagemap_);
  uffd_ = pagemap_ = -1;
  tracking_ = Tracking::NONE;
}

bool PageTracker::openUserfaultfd() {
  // Faults of the kernel on our behalf are resolved by the kernel here, too: no privilege is needed.
  uffd_ = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY));
  if (uffd_ < 0) {
    reason_ = failed("userfaultfd", errno);
    return false;
  }
  constexpr uint64_t needed = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED;
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = needed | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
  if (ioctl(uffd_, UFFDIO_API, &api) != 0) {
    reason_ = failed("userfaultfd has no asynchronous write protection, which Linux has since 6.7: UFFDIO_API", errno);
    return false;
  }
  pagemap_ = open(files_.pagemap, O_RDONLY | O_CLOEXEC);
  if (pagemap_ < 0) {
    reason_ = failed(files_.pagemap, errno);
    return false;
  }
  tracking_ = Tracking::USERFAULTFD;
  return true;
}

namespace {

// Two pages of our own: the second one is written.
class Sample {
 public:
  Sample() : page_(pageSize()) {
    void* mapped = mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    at_ = mapped == MAP_FAILED ? nullptr : static_cast<char*>(mapped);
    if (!at_) return;
    touch(at_);
    touch(at_ + page_);
  }
  ~Sample() {
    if (at_) munmap(at_, 2 * page_);
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  // Whether a write, and nothing but it, is seen.
  bool works(PageTracker& tracker, std::string& reason) {
    if (!at_) {
      reason = failed("mmap", errno);
      return false;
    }
    TrackedRegion region(tracker, reinterpret_cast<uintptr_t>(at_), 2 * page_);
    bool begun = region.begin(1);
    tracker.endCut();
    region.clear();
    touch(at_ + page_);
    uint64_t run[2] = {0, 0};
    size_t found = begun ? region.scan() : 0;
    reason = region.problem();
    if (!begun || !reason.empty()) return false;
    if (found == 1 && region.runs(0, 1, run) == 1 && run[0] == 1 && run[1] == 2) return true;
    reason = "a page was written, and " + std::to_string(found) + " pages of two were seen to be";
    return false;
  }

 private:
  size_t page_;
  char* at_;
};

}  // namespace

bool PageTracker::tryUserfaultfd() {
  if (!openUserfaultfd()) return false;
  std::string wrong;
  if (Sample().works(*this, wrong)) return true;
  reason_ = "userfaultfd: " + wrong;
  return false;
}

bool PageTracker::trySoftDirty() {
  pagemap_ = open(files_.pagemap, O_RDONLY | O_CLOEXEC);
  if (pagemap_ < 0) {
    reason_ = failed(files_.pagemap, errno);
    return false;
  }
  tracking_ = Tracking::SOFT_DIRTY;
  std::string wrong;
  if (Sample().works(*this, wrong)) return true;
  reason_ = "soft-dirty bits: " + wrong;
  return false;
}

bool PageTracker::forked() const { return getpid() != pid_; }

void PageTracker::endCut() {
  if (tracking_ != Tracking::SOFT_DIRTY) return;
  cuts_++;
  int clear = open(files_.clear, O_WRONLY | O_CLOEXEC);
  clearFailed_ = clear < 0 || write(clear, "4", 1) != 1;
  if (clear >= 0) ::close(clear);
}

// --- a region --------------------------------------------------------------------------------------------------------

TrackedRegion::TrackedRegion(PageTracker& tracker, uintptr_t address, size_t bytes) : tracker_(tracker) {
  uintptr_t page = pageSize();
  uintptr_t from = (address + page - 1) / page * page, to = (address + bytes) / page * page;
  first_ = from;
  pages_ = to > from ? (to - from) / page : 0;
}

TrackedRegion::~TrackedRegion() { release(); }

template <class EACH>
bool TrackedRegion::stretches(EACH each) const {
  uintptr_t end = first_ + pages_ * pageSize();
  if (every_ == 1) return each(first_, end);
  for (uintptr_t at = first_; at < end; at += every_ * kStretch) {
    if (!each(at, std::min(at + kStretch, end))) return false;
  }
  return true;
}

bool TrackedRegion::begin(unsigned every) {
  problem_.clear();
  every_ = std::max(1u, every);
  active_ = false;
  if (pages_ == 0) {
    problem_ = "no whole page is in it";
  } else if (tracker_.tracking_ == Tracking::NONE) {
    problem_ = tracker_.reason_;
  } else if (tracker_.forked()) {
    problem_ = "this process was forked";
  } else {
    active_ = tracker_.tracking_ == Tracking::SOFT_DIRTY || protect();
  }
  if (!active_) {
    end();
    return false;
  }
  watched_ = 0;
  stretches([&](uintptr_t from, uintptr_t to) {
    watched_ += (to - from) / pageSize();
    return true;
  });
  begunAt_ = tracker_.cuts_ + 1;
  anywhere_ = timesWrittenAnywhere();
  setAll();
  return true;
}

bool TrackedRegion::protect() {
  if (!registered_) findHuge();
  uffdio_register all{};
  all.range = {first_, pages_ * pageSize()};
  all.mode = UFFDIO_REGISTER_MODE_WP;
  if (ioctl(tracker_.uffd_, UFFDIO_REGISTER, &all) != 0) {
    problem_ = failed("UFFDIO_REGISTER", errno);
    return false;
  }
  registered_ = true;
  return stretches([&](uintptr_t from, uintptr_t to) {
    uffdio_writeprotect range{};
    range.range = {from, to - from};
    range.mode = UFFDIO_WRITEPROTECT_MODE_WP;
    int result = 0;
    for (int attempt = 0; attempt < 100; attempt++) {  // EAGAIN while another thread changes its mappings
      result = ioctl(tracker_.uffd_, UFFDIO_WRITEPROTECT, &range);
      if (result == 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    if (result != 0) problem_ = failed("UFFDIO_WRITEPROTECT", errno);
    return result == 0;
  });
}

// Memory that isn't in huge pages stays so: the kernel would take more of it than the program has touched.
void TrackedRegion::findHuge() {
  huge_.clear();
  PageRange ranges[64];
  for (uintptr_t from = first_, to = first_ + pages_ * pageSize(); from < to;) {
    PageScan scan{};
    scan.size = sizeof scan;
    scan.start = from;
    scan.end = to;
    scan.ranges = reinterpret_cast<uintptr_t>(ranges);
    scan.rangeCount = sizeof ranges / sizeof *ranges;
    scan.all = kHuge;
    scan.returned = kHuge;
    int count = ioctl(tracker_.pagemap_, kPagemapScan, &scan);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || scan.walkEnd <= from) return;
    for (int i = 0; i < count; i++) huge_.push_back({ranges[i].start, ranges[i].end});
    from = scan.walkEnd;
  }
}

void TrackedRegion::end() {
  release();
  // The first write to a protected huge page has split it, and the kernel alone takes minutes to notice.
  for (const Range& range : huge_) {
    madvise(reinterpret_cast<void*>(range.from), range.to - range.from, MADV_COLLAPSE);
  }
  huge_ = {};
}

void TrackedRegion::release() {
  active_ = false;
  watched_ = 0;
  written_ = {};
  if (!registered_) return;
  registered_ = false;
  if (tracker_.forked()) return;  // what the descriptor speaks of is the parent's
  uffdio_range all{first_, pages_ * pageSize()};
  ioctl(tracker_.uffd_, UFFDIO_UNREGISTER, &all);  // fails if it is unmapped, which unregisters too
}

void TrackedRegion::setAll() { written_.assign((pages_ + 63) / 64, ~uint64_t{0}); }

void TrackedRegion::clear() { std::fill(written_.begin(), written_.end(), 0); }

size_t TrackedRegion::lost(std::string why) {
  bool anew = begin(every_);  // the next cut may be luckier
  problem_ = anew ? why : why + "; " + problem_;
  return watched_ ? watched_ : pages_;
}

size_t TrackedRegion::scan() {
  if (!active_) return pages_;
  problem_.clear();
  if (tracker_.forked()) return lost("this process was forked");
  if (!mapped()) return lost("a part of it was unmapped");
  bool soft = tracker_.tracking_ == Tracking::SOFT_DIRTY;
  if (soft && tracker_.clearFailed_) return lost("soft-dirty bits could not be cleared");
  if (soft && tracker_.cuts_ < begunAt_) return watched_;  // the bits are of before it began: all is set
  size_t found = 0;
  bool well = stretches([&](uintptr_t from, uintptr_t to) {
    return soft ? scanPagemap(from, to, found) : scanStretch(from, to, found);
  });
  if (!well) return lost(problem_);
  uint64_t anywhere = timesWrittenAnywhere();
  if (anywhere == anywhere_) return found;
  anywhere_ = anywhere;
  setAll();
  return watched_;
}

// Asks for nothing: says ENOMEM where there is nothing mapped. A scan would pass over it.
bool TrackedRegion::mapped() const {
  return msync(reinterpret_cast<void*>(first_), pages_ * pageSize(), MS_ASYNC) == 0 || errno != ENOMEM;
}

bool TrackedRegion::scanStretch(uintptr_t from, uintptr_t to, size_t& found) {
  PageRange ranges[512];
  while (from < to) {
    PageScan scan{};
    scan.size = sizeof scan;
    scan.flags = kProtectFound | kCheckAsync;
    scan.start = from;
    scan.end = to;
    scan.ranges = reinterpret_cast<uintptr_t>(ranges);
    scan.rangeCount = sizeof ranges / sizeof *ranges;
    // Written, or not there: what the program has given back (MADV_DONTNEED) reads as zeros, which is a change.
    scan.inverted = kPresent;
    scan.any = kWritten | kPresent;
    scan.returned = kWritten | kPresent;
    int count = ioctl(tracker_.pagemap_, kPagemapScan, &scan);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      problem_ = failed("PAGEMAP_SCAN", errno);
      return false;
    }
    for (int i = 0; i < count; i++) found += mark(ranges[i].start, ranges[i].end);
    if (scan.walkEnd <= from) {
      problem_ = "PAGEMAP_SCAN went no further";
      return false;
    }
    from = scan.walkEnd;
  }
  return true;
}

bool TrackedRegion::scanPagemap(uintptr_t from, uintptr_t to, size_t& found) {
  uint64_t entries[4096];
  size_t page = pageSize();
  while (from < to) {
    size_t count = std::min(sizeof entries / sizeof *entries, (to - from) / page);
    ssize_t got = pread(tracker_.pagemap_, entries, count * sizeof *entries,
                        static_cast<off_t>(from / page * sizeof *entries));
    if (got < 0 && errno == EINTR) continue;
    if (got < static_cast<ssize_t>(sizeof *entries)) {
      problem_ = got < 0 ? failed(tracker_.files_.pagemap, errno) : std::string(tracker_.files_.pagemap) + " ends early";
      return false;
    }
    size_t read = static_cast<size_t>(got) / sizeof *entries;
    for (size_t i = 0; i < read; i++, from += page) {
      bool there = entries[i] & (kEntryPresent | kEntrySwapped);
      if (!there || (entries[i] & kEntrySoftDirty)) found += mark(from, from + page);
    }
  }
  return true;
}

size_t TrackedRegion::mark(uintptr_t from, uintptr_t to) {
  size_t page = pageSize();
  size_t begin = (from - first_) / page, end = (to - first_) / page;
  for (size_t i = begin; i < end;) {
    size_t bits = std::min<size_t>(64 - i % 64, end - i);
    uint64_t mask = bits == 64 ? ~uint64_t{0} : ((uint64_t{1} << bits) - 1) << (i % 64);
    written_[i / 64] |= mask;
    i += bits;
  }
  return end - begin;
}

size_t TrackedRegion::runs(size_t from, size_t most, uint64_t bounds[]) const {
  if (most == 0 || from >= pages_) return 0;
  if (!active_ || every_ != 1) {  // nothing is known, or not of all
    bounds[0] = from;
    bounds[1] = pages_;
    return 1;
  }
  // The first page from `at` on whose bit is `set`.
  auto next = [&](size_t at, bool set) {
    while (at < pages_) {
      uint64_t word = (set ? written_[at / 64] : ~written_[at / 64]) >> (at % 64);
      if (word) return std::min(pages_, at + static_cast<size_t>(__builtin_ctzll(word)));
      at = (at / 64 + 1) * 64;
    }
    return pages_;
  };
  size_t count = 0;
  for (size_t at = next(from, true); at < pages_ && count < most; count++) {
    bounds[2 * count] = at;
    bounds[2 * count + 1] = at = next(at, false);
    at = next(at, true);
  }
  return count;
}

}  // namespace cairn
