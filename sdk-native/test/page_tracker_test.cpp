// SPDX-License-Identifier: Apache-2.0
#include "page/page_tracker.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "page/pages.hpp"
#include "page/touched.hpp"

using namespace cairn;

namespace {

class Memory {
 public:
  explicit Memory(size_t pages, bool huge = false) : bytes(pages * pageSize()) {
    at = static_cast<char*>(allocatePages(bytes));
    if (!huge) madvise(at, bytes, MADV_NOHUGEPAGE);
    prefaultPages(at, bytes);
  }
  ~Memory() { freePages(at, bytes); }
  uintptr_t address(size_t page = 0) const { return reinterpret_cast<uintptr_t>(at) + page * pageSize(); }
  void write(size_t page, size_t offset = 0) { ++static_cast<volatile char*>(at)[page * pageSize() + offset]; }

  char* at;
  size_t bytes;
};

std::set<size_t> written(const TrackedRegion& region) {
  std::set<size_t> pages;
  uint64_t bounds[6];  // few, so that it is asked again and again
  for (size_t from = 0;;) {
    size_t count = region.runs(from, 3, bounds);
    for (size_t i = 0; i < count; i++) {
      EXPECT_LT(bounds[2 * i], bounds[2 * i + 1]);
      for (size_t page = bounds[2 * i]; page < bounds[2 * i + 1]; page++) EXPECT_TRUE(pages.insert(page).second);
    }
    if (count < 3) return pages;
    from = bounds[2 * count - 1];
  }
}

std::set<size_t> all(size_t pages) {
  std::set<size_t> set;
  for (size_t i = 0; i < pages; i++) set.insert(i);
  return set;
}

using Set = std::set<size_t>;

class Tracked : public testing::Test {
 protected:
  void SetUp() override {
    if (tracker.tracking() != Tracking::USERFAULTFD) GTEST_SKIP() << tracker.reason();
  }
  // Everything is saved: from here on only what is written now counts.
  static void save(TrackedRegion& region) {
    region.scan();
    region.clear();
  }
  PageTracker tracker;
};

}  // namespace

TEST_F(Tracked, shouldCountEverythingAsWrittenAtFirst) {
  Memory memory(70);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  EXPECT_EQ(all(70), written(region));
  ASSERT_TRUE(region.begin(1)) << region.problem();
  EXPECT_EQ(0u, region.scan());
  EXPECT_EQ(all(70), written(region));
  region.clear();
  EXPECT_EQ(Set(), written(region));
  region.end();
  EXPECT_EQ(all(70), written(region));
  memory.write(3);  // and nothing is left behind
}

TEST_F(Tracked, shouldFindWhatWasWrittenAsAModelDoes) {
  constexpr size_t pages = 300;
  Memory memory(pages);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  region.clear();
  std::mt19937 random(7);
  Set model;
  for (int cut = 0; cut < 400; cut++) {
    size_t writes = random() % 4 ? random() % 20 : random() % 600;
    Set now;
    for (size_t i = 0; i < writes; i++) {
      size_t page = random() % pages;
      memory.write(page, random() % pageSize());
      now.insert(page);
    }
    ASSERT_EQ(now.size(), region.scan()) << "cut " << cut;
    model.insert(now.begin(), now.end());
    ASSERT_EQ(model, written(region)) << "cut " << cut;
    if (random() % 3) {  // committed; otherwise its pages stay
      region.clear();
      model.clear();
    }
  }
}

TEST_F(Tracked, shouldTrackOnlyTheWholePagesInside) {
  Memory memory(6);
  TrackedRegion region(tracker, memory.address() + 100, 4 * pageSize());
  EXPECT_EQ(memory.address(1), region.first());
  EXPECT_EQ(3u, region.pages());
  ASSERT_TRUE(region.begin(1));
  region.clear();
  memory.write(0);
  memory.write(4);
  memory.write(2);
  EXPECT_EQ(1u, region.scan());
  EXPECT_EQ(Set({1}), written(region));
  TrackedRegion tiny(tracker, memory.address() + 100, pageSize());
  EXPECT_EQ(0u, tiny.pages());
  EXPECT_FALSE(tiny.begin(1));
  EXPECT_NE("", tiny.problem());
}

TEST_F(Tracked, shouldTellNeighboursApart) {
  Memory memory(8);
  // They share page 3, which neither tracks.
  TrackedRegion left(tracker, memory.address(), 3 * pageSize() + 50);
  TrackedRegion right(tracker, memory.address(3) + 50, 5 * pageSize() - 50);
  ASSERT_TRUE(left.begin(1));
  ASSERT_TRUE(right.begin(1));
  save(left);
  save(right);
  memory.write(2);
  memory.write(3);
  memory.write(4);
  left.scan();
  EXPECT_EQ(Set({2}), written(left));
  left.end();
  right.scan();
  EXPECT_EQ(Set({0}), written(right));
}

TEST_F(Tracked, shouldSeeWritesOfTheKernelAndOfOtherProcesses) {
  Memory memory(8);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  region.clear();
  int ends[2];
  ASSERT_EQ(0, pipe(ends));
  ASSERT_EQ(5, write(ends[1], "bytes", 5));
  ASSERT_EQ(5, read(ends[0], memory.at + 2 * pageSize() - 2, 5));  // over a border
  ::close(ends[0]);
  ::close(ends[1]);
  char word[] = "cma";
  iovec from{word, 3}, to{memory.at + 5 * pageSize(), 3};
  ASSERT_EQ(3, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
  region.scan();
  EXPECT_EQ(Set({1, 2, 5}), written(region));
}

TEST_F(Tracked, shouldCountPagesThatWereGivenBackAsWritten) {
  Memory memory(8);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  save(region);
  ASSERT_EQ(0, madvise(memory.at + 2 * pageSize(), 2 * pageSize(), MADV_DONTNEED));
  EXPECT_EQ(0, memory.at[2 * pageSize()]);  // read again, as zeros
  region.scan();
  EXPECT_EQ(Set({2, 3}), written(region));
  region.clear();
  EXPECT_EQ(0, memory.at[3 * pageSize()]);
  memory.write(3);
  region.scan();
  EXPECT_EQ(Set({3}), written(region));
}

TEST_F(Tracked, shouldTrackMemoryInHugePages) {
  Memory memory(2048, true);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  save(region);
  EXPECT_EQ(0u, region.scan());
  memory.write(700);
  memory.write(1500);
  region.scan();
  EXPECT_EQ(Set({700, 1500}), written(region));
  region.clear();
  memory.write(701);
  region.scan();
  EXPECT_EQ(Set({701}), written(region));
}

TEST_F(Tracked, shouldCountEverythingAsWrittenOnceMemoryIsMappedAnew) {
  Memory memory(8);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  save(region);
  void* again = mmap(memory.at + 3 * pageSize(), pageSize(), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  ASSERT_NE(MAP_FAILED, again);
  EXPECT_EQ(8u, region.scan());
  EXPECT_EQ(all(8), written(region));
  EXPECT_NE("", region.problem());
  // It began anew.
  region.clear();
  memory.write(3);
  EXPECT_EQ(1u, region.scan());
  EXPECT_EQ("", region.problem());
  EXPECT_EQ(Set({3}), written(region));
}

TEST_F(Tracked, shouldCountEverythingAsWrittenOnceMemoryIsUnmapped) {
  Memory memory(8);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  save(region);
  ASSERT_EQ(0, munmap(memory.at + 3 * pageSize(), pageSize()));
  EXPECT_EQ(8u, region.scan());
  EXPECT_EQ(all(8), written(region));
  EXPECT_NE(std::string::npos, region.problem().find("unmapped")) << region.problem();
  void* again = mmap(memory.at + 3 * pageSize(), pageSize(), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  ASSERT_NE(MAP_FAILED, again);
  region.scan();
  EXPECT_EQ(all(8), written(region));
}

TEST_F(Tracked, shouldGoOnAfterAForkAndKnowNothingInTheChild) {
  Memory memory(8);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  save(region);
  memory.write(1);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    memory.write(5);
    bool knowsNothing = region.scan() == 8 && written(region) == all(8) && !region.begin(1);
    _exit(knowsNothing ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  memory.write(2);  // a copy on write, now
  region.scan();
  EXPECT_EQ(Set({1, 2}), written(region));
}

TEST_F(Tracked, shouldNeedNoPrivilege) {
  if (geteuid() != 0) GTEST_SKIP() << "this process has none to give up";
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr unsigned nobody = 65534;
    if (setresgid(nobody, nobody, nobody) || setresuid(nobody, nobody, nobody)) _exit(2);
    prctl(PR_SET_DUMPABLE, 1);  // as after the start of any program: /proc/self is its own
    PageTracker mine;
    _exit(mine.tracking() == Tracking::USERFAULTFD ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
}

TEST_F(Tracked, shouldSayThatTheCallIsForbidden) {
  for (int error : {EPERM, ENOSYS}) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      sock_filter filter[] = {
          BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      };
      sock_fprog program = {sizeof filter / sizeof *filter, filter};
      if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(2);
      PageTracker mine;
      Memory memory(2);
      TrackedRegion region(mine, memory.address(), memory.bytes);
      std::string expected = std::string("userfaultfd: ") + std::strerror(error);
      bool said = mine.reason().compare(0, expected.size(), expected) == 0;
      bool other = mine.tracking() == Tracking::SOFT_DIRTY ? region.begin(1) : !region.begin(1);
      _exit(said && mine.tracking() != Tracking::USERFAULTFD && other ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status) << std::strerror(error);
  }
}

TEST_F(Tracked, shouldWatchAPartToGuessTheWhole) {
  constexpr size_t pages = 5 * 512 + 100;  // stretches 0, 2 and 4 and the rest
  Memory memory(pages);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(2));
  EXPECT_EQ(3u * 512, region.watched());
  save(region);
  memory.write(0);
  memory.write(512);   // not looked at
  memory.write(1024);
  EXPECT_EQ(2u, region.scan());
  EXPECT_EQ(pages, written(region).size()) << "of the others nothing is known";
}

TEST_F(Tracked, shouldSeeWhatIsTouchedAfterAWriteThatDidNotFault) {
  Memory memory(16);
  Memory other(4);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  setTouched({{memory.address(), memory.address(10)}, {memory.address(12), memory.address(16)}});
  ASSERT_TRUE(region.begin(1));
  save(region);
  EXPECT_FALSE(mayBeTouched(memory.at - 10, 10));
  EXPECT_TRUE(mayBeTouched(memory.at - 10, 11));
  EXPECT_TRUE(mayBeTouched(memory.at + memory.bytes - 1, 1));
  EXPECT_FALSE(mayBeTouched(memory.at + memory.bytes, 1));
  touchWritten(memory.at + 2 * pageSize() - 1, 2);
  touchWritten(memory.at + 9 * pageSize() + 5, 3 * pageSize());  // page 10 and 11 are nobody's
  touchWritten(memory.at + 14 * pageSize(), 0);
  touchWritten(other.at, other.bytes);
  region.scan();
  EXPECT_EQ(Set({1, 2, 9, 12}), written(region));
  region.clear();
  setTouched({});
  EXPECT_FALSE(mayBeTouched(memory.at, memory.bytes));
  touchWritten(memory.at, memory.bytes);
  EXPECT_EQ(0u, region.scan());
  writtenAnywhere();
  EXPECT_EQ(16u, region.scan());
  EXPECT_EQ(all(16), written(region));
  region.clear();
  EXPECT_EQ(0u, region.scan());
}

TEST_F(Tracked, shouldTouchWithoutAChange) {
  Memory memory(2);
  for (size_t i = 0; i < memory.bytes; i++) memory.at[i] = static_cast<char>(i * 7);
  setTouched({{memory.address(), memory.address(2)}});
  for (size_t i = 0; i < memory.bytes; i += 511) touchWritten(memory.at + i, 700);
  for (size_t i = 0; i < memory.bytes; i++) ASSERT_EQ(static_cast<char>(i * 7), memory.at[i]);
  setTouched({});
}

TEST_F(Tracked, shouldMakeHugePagesWholeAgainAtTheEnd) {
  constexpr size_t huge = 512, pages = 8 * huge;  // of 2 MiB
  Memory memory(pages, true);
  if (hugePageBytes(memory.at, memory.bytes) != memory.bytes) GTEST_SKIP() << "no huge pages here";
  if (madvise(memory.at, memory.bytes, 25 /* MADV_COLLAPSE */) != 0) GTEST_SKIP() << "they can't be asked for";
  for (size_t i = 0; i < memory.bytes; i += 8) memory.at[i] = static_cast<char>(i * 7 >> 3);
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  for (unsigned every : {1u, 2u}) {
    ASSERT_TRUE(region.begin(every));
    save(region);
    for (size_t page = 3; page < pages; page += huge) memory.write(page, 4);
    ASSERT_EQ(region.watched() / huge, region.scan());
    ASSERT_EQ(memory.bytes - region.watched() * pageSize(), hugePageBytes(memory.at, memory.bytes)) << "split";
    region.end();
    EXPECT_EQ(memory.bytes, hugePageBytes(memory.at, memory.bytes)) << "every " << every;
  }
  for (size_t i = 0; i < memory.bytes; i += 8) ASSERT_EQ(static_cast<char>(i * 7 >> 3), memory.at[i]) << i;
}

TEST_F(Tracked, shouldLeaveAloneWhatWasNotInHugePages) {
  Memory memory(2048, true);
  madvise(memory.at, memory.bytes, MADV_DONTNEED);
  madvise(memory.at, memory.bytes, MADV_NOHUGEPAGE);
  memory.write(700);
  madvise(memory.at, memory.bytes, MADV_HUGEPAGE);  // from here on, but what is touched is touched
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  save(region);
  memory.write(700);
  region.end();
  EXPECT_EQ(0u, hugePageBytes(memory.at, memory.bytes));
}

// --- soft-dirty bits, by files as the kernel makes them ---------------------------------------------------------------

namespace {

constexpr uint64_t kSoftDirty = 1ull << 55, kSwapped = 1ull << 62, kPresent = 1ull << 63;

class SoftDirty : public testing::Test {
 protected:
  SoftDirty() {
    std::snprintf(directory, sizeof directory, "%s/cairn-test-XXXXXX", testing::TempDir().c_str());
    EXPECT_NE(nullptr, mkdtemp(directory));
    pagemap = std::string(directory) + "/pagemap";
    clear = std::string(directory) + "/clear_refs";
    std::ofstream(pagemap).put(0);
    std::ofstream(clear).put(0);
  }
  ~SoftDirty() override {
    unlink(pagemap.c_str());
    unlink(clear.c_str());
    rmdir(directory);
  }
  void entry(size_t page, uint64_t value) {
    std::fstream file(pagemap, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(memory.address(page) / pageSize() * sizeof value));
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string cleared() {
    std::string text;
    std::ifstream(clear) >> text;
    return text;
  }

  static constexpr size_t kPages = 5000;  // more than one read's
  Memory memory{kPages};
  char directory[256];
  std::string pagemap, clear;
};

}  // namespace

TEST_F(SoftDirty, shouldReadTheBitsAndClearThemOncePerCut) {
  PageTracker tracker(Tracking::SOFT_DIRTY, {pagemap.c_str(), clear.c_str()});
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  for (size_t i = 0; i < kPages; i++) entry(i, kPresent | kSoftDirty);
  ASSERT_TRUE(region.begin(1)) << region.problem();
  EXPECT_EQ(kPages, region.scan()) << "before anything was cleared";
  EXPECT_EQ("", cleared().substr(1));
  tracker.endCut();
  EXPECT_EQ('4', cleared()[0]);
  region.clear();
  for (size_t i = 0; i < kPages; i++) entry(i, kPresent);
  entry(7, kPresent | kSoftDirty);
  entry(8, kSwapped);
  entry(9, kSwapped | kSoftDirty);
  entry(10, 0);  // given back
  entry(4999, kPresent | kSoftDirty);
  EXPECT_EQ(4u, region.scan());
  EXPECT_EQ(Set({7, 9, 10, 4999}), written(region));
}

TEST_F(SoftDirty, shouldCountEverythingAsWrittenWhereBitsCannotBeReadOrCleared) {
  PageTracker tracker(Tracking::SOFT_DIRTY, {pagemap.c_str(), "/proc/self/no-such-file"});
  TrackedRegion region(tracker, memory.address(), memory.bytes);
  ASSERT_TRUE(region.begin(1));
  tracker.endCut();
  region.clear();
  EXPECT_EQ(kPages, region.scan());
  EXPECT_EQ(kPages, written(region).size());
  PageTracker blind(Tracking::SOFT_DIRTY, {pagemap.c_str(), clear.c_str()});
  TrackedRegion unread(blind, memory.address(), memory.bytes);
  ASSERT_TRUE(unread.begin(1));
  blind.endCut();
  unread.clear();
  EXPECT_EQ(kPages, unread.scan()) << "the file is shorter than that";
  EXPECT_NE("", unread.problem());
}

TEST(PageTracker, shouldSayWhyThereIsNothing) {
  PageTracker none(Tracking::NONE, {});
  Memory memory(3);
  TrackedRegion region(none, memory.address(), memory.bytes);
  EXPECT_FALSE(region.begin(1));
  EXPECT_EQ(3u, region.scan());
  EXPECT_EQ(all(3), written(region));
  PageTracker best;
  EXPECT_EQ(best.tracking() == Tracking::USERFAULTFD, best.reason().empty());
}
