// SPDX-License-Identifier: Apache-2.0
// A systematic Reed-Solomon code over GF(2^8), by ISA-L: how one shard comes out of others.
//
// The generator is the identity above a Cauchy matrix, so any k of its k+m rows can be inverted. With one parity shard
// that matrix is a row of ones instead: XOR, which keeps the property.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn {

class Recipe {
 public:
  static constexpr int kMaxShards = 255;

  // `available` are dataShards distinct shard numbers. Throws std::invalid_argument.
  Recipe(int dataShards, int parityShards, const std::vector<int>& available, int wanted);

  // `sources` in the order of `available`, all of this length, none overlapping the destination. Threads may share it.
  void combine(const uint8_t* const* sources, uint8_t* destination, int length) const;

 private:
  std::vector<size_t> used_;         // positions of the sources whose coefficient isn't 0
  std::vector<uint8_t> tables_;      // ISA-L's, 32 bytes for each used source
  bool onlyOnes_ = false;
};

}  // namespace cairn
