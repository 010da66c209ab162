// SPDX-License-Identifier: Apache-2.0
#include "parity/recipe.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>

using namespace cairn;

namespace {

using Bytes = std::vector<uint8_t>;

// Memory that ends where touching more is a fault: sanitizers don't see what assembly reads.
class Fenced {
 public:
  explicit Fenced(size_t bytes) : bytes_(bytes) {
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + page;
    base_ = static_cast<uint8_t*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + mapped_ - page, page, PROT_NONE) != 0) std::abort();
    data_ = base_ + mapped_ - page - bytes;
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { munmap(base_, mapped_); }
  uint8_t* data() { return data_; }
  Bytes bytes() const { return Bytes(data_, data_ + bytes_); }

 private:
  size_t bytes_, mapped_;
  uint8_t *base_, *data_;
};

Bytes random(size_t length, unsigned seed) {
  std::minstd_rand chance(seed);
  Bytes bytes(length);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(chance() >> 8);
  return bytes;
}

Bytes combine(const Recipe& recipe, const std::vector<const Bytes*>& sources) {
  size_t length = sources[0]->size();
  std::vector<std::unique_ptr<Fenced>> memory;
  std::vector<const uint8_t*> from;
  for (const Bytes* source : sources) {
    memory.push_back(std::make_unique<Fenced>(length));
    if (length) std::memcpy(memory.back()->data(), source->data(), length);
    from.push_back(memory.back()->data());
  }
  Fenced to(length);
  recipe.combine(from.data(), to.data(), static_cast<int>(length));
  return to.bytes();
}

std::vector<int> firstShards(int k) {
  std::vector<int> shards(static_cast<size_t>(k));
  std::iota(shards.begin(), shards.end(), 0);
  return shards;
}

// Data shards, then parity shards.
std::vector<Bytes> encode(int k, int m, size_t length, unsigned seed) {
  std::vector<Bytes> shards;
  std::vector<const Bytes*> data;
  for (int i = 0; i < k; i++) shards.push_back(random(length, seed + static_cast<unsigned>(i)));
  for (const Bytes& shard : shards) data.push_back(&shard);
  std::vector<Bytes> parity;
  for (int i = 0; i < m; i++) parity.push_back(combine(Recipe(k, m, firstShards(k), k + i), data));
  shards.insert(shards.end(), parity.begin(), parity.end());
  return shards;
}

// All subsets of that size of 0 to n-1.
void subsets(int n, int size, const std::function<void(const std::vector<int>&)>& body) {
  std::vector<int> chosen;
  std::function<void(int)> choose = [&](int from) {
    if (static_cast<int>(chosen.size()) == size) return body(chosen);
    for (int i = from; i < n; i++) {
      chosen.push_back(i);
      choose(i + 1);
      chosen.pop_back();
    }
  };
  choose(0);
}

std::string refusal(int k, int m, const std::vector<int>& available, int wanted) {
  try {
    Recipe(k, m, available, wanted);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "accepted";
}

struct Shape {
  int k, m;
};

}  // namespace

class RecipeOfShape : public testing::TestWithParam<Shape> {};

// Every k of the k+m shards give all shards, in whatever order they come.
TEST_P(RecipeOfShape, shouldGiveBackEveryShardFromAnyOthers) {
  auto [k, m] = GetParam();
  std::vector<Bytes> shards = encode(k, m, 131, 7);
  std::minstd_rand chance(11);
  subsets(k + m, k, [&, k = k, m = m](const std::vector<int>& some) {
    std::vector<int> available = some;
    std::shuffle(available.begin(), available.end(), chance);
    std::vector<const Bytes*> sources;
    for (int shard : available) sources.push_back(&shards[static_cast<size_t>(shard)]);
    for (int wanted = 0; wanted < k + m; wanted++) {
      ASSERT_EQ(shards[static_cast<size_t>(wanted)], combine(Recipe(k, m, available, wanted), sources))
          << "shard " << wanted << " from " << testing::PrintToString(available);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, RecipeOfShape,
                         testing::Values(Shape{1, 1}, Shape{1, 3}, Shape{2, 1}, Shape{2, 2}, Shape{3, 2}, Shape{4, 1},
                                         Shape{4, 4}, Shape{6, 3}, Shape{8, 2}, Shape{5, 5}),
                         [](const auto& info) {
                           return std::to_string(info.param.k) + "and" + std::to_string(info.param.m);
                         });

// Around the widths of the vector instructions; the memory ends at a fence, so most addresses are odd.
TEST(Recipe, shouldTakeAllLengthsAndAddresses) {
  for (Shape shape : {Shape{3, 1}, Shape{3, 2}}) {
    for (size_t length : {0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 127, 128, 129, 255, 257, 511, 1000, 4095,
                          4096, 4097, 65'535, 65'536, 65'537}) {
      std::vector<Bytes> shards = encode(shape.k, shape.m, length, 3);
      std::vector<int> available{3, 0, 2};
      ASSERT_EQ(shards[1], combine(Recipe(shape.k, shape.m, available, 1), {&shards[3], &shards[0], &shards[2]}))
          << length << " bytes, " << shape.m << " parity shards";
    }
  }
}

TEST(Recipe, shouldTakeEachVectorAtAnAddressOfItsOwn) {
  constexpr size_t kLength = 1000;
  for (int m : {1, 2}) {
    Recipe recipe(2, m, {0, 1}, 2);
    Bytes first = random(kLength, 1), second = random(kLength, 2);
    Bytes expected = combine(recipe, {&first, &second});
    alignas(64) uint8_t memory[3][kLength + 152];  // rows of a multiple of 64
    for (size_t i = 0; i < 64; i++) {
      size_t shift[3] = {i, i * 7 % 64, i * 13 % 64};
      std::memset(memory[2], 0xA5, sizeof memory[2]);
      std::memcpy(memory[0] + shift[0], first.data(), kLength);
      std::memcpy(memory[1] + shift[1], second.data(), kLength);
      const uint8_t* from[] = {memory[0] + shift[0], memory[1] + shift[1]};
      uint8_t* to = memory[2] + shift[2];
      recipe.combine(from, to, kLength);
      ASSERT_EQ(expected, Bytes(to, to + kLength)) << "shift " << i;
      for (uint8_t* at = memory[2]; at < to; at++) ASSERT_EQ(0xA5, *at);
      for (uint8_t* at = to + kLength; at < memory[2] + sizeof memory[2]; at++) ASSERT_EQ(0xA5, *at);
    }
  }
}

// What is on disks must be read by later versions. By hand: row i of the Cauchy matrix has 1 / (i ^ j) in column j,
// over x^8 + x^4 + x^3 + x^2 + 1.
TEST(Recipe, shouldKeepTheCodeThatIsOnDisks) {
  Bytes zero{0, 1, 2, 0xFF}, one{0x10, 0x20, 0, 0x80};
  EXPECT_EQ((Bytes{0x10, 0x21, 0x02, 0x7F}), combine(Recipe(2, 1, {0, 1}, 2), {&zero, &one}));
  // 1/2 = 0x8E and 1/3 = 0xF4; then 1/3 and 1/2.
  Bytes unit{1}, none{0};
  EXPECT_EQ(Bytes{0x8E}, combine(Recipe(2, 2, {0, 1}, 2), {&unit, &none}));
  EXPECT_EQ(Bytes{0xF4}, combine(Recipe(2, 2, {0, 1}, 2), {&none, &unit}));
  EXPECT_EQ(Bytes{0xF4}, combine(Recipe(2, 2, {0, 1}, 3), {&unit, &none}));
  EXPECT_EQ(Bytes{0x8E}, combine(Recipe(2, 2, {0, 1}, 3), {&none, &unit}));
  EXPECT_EQ((Bytes{0xFB, 0x65, 0x01, 0x7A}), combine(Recipe(2, 2, {0, 1}, 2), {&zero, &one}));
}

TEST(Recipe, shouldTakeAsManyShardsAsThereMayBe) {
  for (Shape shape : {Shape{254, 1}, Shape{1, 254}, Shape{128, 127}, Shape{253, 2}}) {
    auto [k, m] = shape;
    std::vector<Bytes> shards = encode(k, m, 40, 5);
    std::vector<int> available(static_cast<size_t>(k));
    std::vector<const Bytes*> sources;
    for (int i = 0; i < k; i++) {
      available[static_cast<size_t>(i)] = k + m - 1 - i;  // as much parity as there is
      sources.push_back(&shards[static_cast<size_t>(k + m - 1 - i)]);
    }
    EXPECT_EQ(shards[0], combine(Recipe(k, m, available, 0), sources)) << k << " and " << m;
  }
}

TEST(Recipe, shouldRefuseWhatIsNoCode) {
  EXPECT_EQ("found 0 data and 1 parity shards; expected at least 1 of each and at most 255 in all",
            refusal(0, 1, {}, 0));
  EXPECT_NE("accepted", refusal(2, 0, {0, 1}, 0));
  EXPECT_NE("accepted", refusal(-1, 3, {0}, 0));
  EXPECT_NE("accepted", refusal(255, 1, firstShards(255), 0));
  EXPECT_NE("accepted", refusal(2147483647, 2147483647, {0}, 0));
  EXPECT_EQ("wanted shard 3; expected 0 to 2", refusal(2, 1, {0, 1}, 3));
  EXPECT_EQ("wanted shard -1; expected 0 to 2", refusal(2, 1, {0, 1}, -1));
  EXPECT_EQ("available shard 3; expected 0 to 2", refusal(2, 1, {0, 3}, 0));
  EXPECT_EQ("available shard -1; expected 0 to 2", refusal(2, 1, {-1, 0}, 0));
  EXPECT_EQ("available shard 1 is there twice; expected 2 distinct ones", refusal(2, 1, {1, 1}, 0));
  EXPECT_EQ("found 1 available shards; expected 2, as many as there are data shards", refusal(2, 1, {0}, 1));
  EXPECT_NE("accepted", refusal(2, 1, {0, 1, 2}, 1));
}
