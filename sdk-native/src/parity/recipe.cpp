// SPDX-License-Identifier: Apache-2.0
#include "parity/recipe.hpp"

#include <isa-l.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace cairn {

namespace {

using Matrix = std::vector<uint8_t>;  // row after row

constexpr uintptr_t kXorAlignment = 32;

void requireShards(int dataShards, int parityShards, const std::vector<int>& available, int wanted) {
  if (dataShards < 1 || parityShards < 1 || dataShards > Recipe::kMaxShards - parityShards) {
    throw std::invalid_argument("found " + std::to_string(dataShards) + " data and " + std::to_string(parityShards) +
                                " parity shards; expected at least 1 of each and at most " +
                                std::to_string(Recipe::kMaxShards) + " in all");
  }
  int shards = dataShards + parityShards;
  auto require = [&](int shard, const char* what) {
    if (shard < 0 || shard >= shards) {
      throw std::invalid_argument(std::string(what) + " shard " + std::to_string(shard) + "; expected 0 to " +
                                  std::to_string(shards - 1));
    }
  };
  require(wanted, "wanted");
  if (available.size() != static_cast<size_t>(dataShards)) {
    throw std::invalid_argument("found " + std::to_string(available.size()) + " available shards; expected " +
                                std::to_string(dataShards) + ", as many as there are data shards");
  }
  std::vector<bool> seen(static_cast<size_t>(shards));
  for (int shard : available) {
    require(shard, "available");
    if (seen[static_cast<size_t>(shard)]) {
      throw std::invalid_argument("available shard " + std::to_string(shard) + " is there twice; expected " +
                                  std::to_string(dataShards) + " distinct ones");
    }
    seen[static_cast<size_t>(shard)] = true;
  }
}

// Row i tells shard i from the data shards.
Matrix generator(int dataShards, int parityShards) {
  int rows = dataShards + parityShards;
  Matrix matrix(static_cast<size_t>(rows) * static_cast<size_t>(dataShards));
  gf_gen_cauchy1_matrix(matrix.data(), rows, dataShards);
  if (parityShards == 1) std::fill(matrix.end() - dataShards, matrix.end(), uint8_t{1});
  return matrix;
}

// The wanted row as a combination of the available ones.
Matrix coefficients(int dataShards, int parityShards, const std::vector<int>& available, int wanted) {
  size_t k = static_cast<size_t>(dataShards);
  Matrix all = generator(dataShards, parityShards);
  Matrix given;
  for (int shard : available) {
    auto row = all.begin() + shard * dataShards;
    given.insert(given.end(), row, row + dataShards);
  }
  Matrix inverse(k * k);
  if (gf_invert_matrix(given.data(), inverse.data(), dataShards) != 0) {
    throw std::logic_error("these rows of a Cauchy matrix can't be inverted; this is a bug");
  }
  const uint8_t* row = all.data() + static_cast<size_t>(wanted) * k;
  Matrix result(k);
  for (size_t source = 0; source < k; source++) {
    for (size_t i = 0; i < k; i++) result[source] ^= gf_mul(row[i], inverse[i * k + source]);
  }
  return result;
}

bool aligned(const void* address) { return reinterpret_cast<uintptr_t>(address) % kXorAlignment == 0; }

}  // namespace

Recipe::Recipe(int dataShards, int parityShards, const std::vector<int>& available, int wanted) {
  requireShards(dataShards, parityShards, available, wanted);
  Matrix all = coefficients(dataShards, parityShards, available, wanted);
  Matrix used;
  for (size_t i = 0; i < all.size(); i++) {
    if (all[i] == 0) continue;
    used_.push_back(i);
    used.push_back(all[i]);
  }
  onlyOnes_ = std::all_of(used.begin(), used.end(), [](uint8_t c) { return c == 1; });
  tables_.resize(32 * used.size());
  ec_init_tables(static_cast<int>(used.size()), 1, used.data(), tables_.data());
}

void Recipe::combine(const uint8_t* const* sources, uint8_t* destination, int length) const {
  if (length == 0) return;
  // Sources, then the destination; ISA-L takes them without const and leaves the sources alone.
  uint8_t* vectors[kMaxShards + 1];
  size_t count = 0;
  bool allAligned = aligned(destination);
  for (size_t position : used_) {
    vectors[count++] = const_cast<uint8_t*>(sources[position]);
    allAligned = allAligned && aligned(sources[position]);
  }
  if (onlyOnes_ && count == 1) {
    std::memcpy(destination, vectors[0], static_cast<size_t>(length));
  } else if (onlyOnes_ && allAligned) {
    vectors[count] = destination;
    if (xor_gen(static_cast<int>(count) + 1, length, reinterpret_cast<void**>(vectors)) != 0) {
      throw std::logic_error("xor_gen refused " + std::to_string(count) + " sources; this is a bug");
    }
  } else {
    ec_encode_data(length, static_cast<int>(count), 1, const_cast<uint8_t*>(tables_.data()), vectors, &destination);
  }
}

}  // namespace cairn
