// SPDX-License-Identifier: Apache-2.0
// The 64-bit mixing that tables and fingerprints use. Not cryptographic: it guards against bugs, not against forgers.
#pragma once
#include <cstdint>

namespace cairn {

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which each input bit flips each output bit
// with probability close to one half.
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

constexpr uint64_t mix(uint64_t a, uint64_t b) { return mix(mix(a) ^ b); }

// PRF_epoch(channel), protocol.md "Commit": odd, so that no count is multiplied to zero by it alone.
constexpr uint64_t channelKey(uint64_t epoch, uint64_t communicator, int source, int destination, int tag) {
  return mix(mix(mix(epoch, communicator), (uint64_t(uint32_t(source)) << 32) | uint32_t(destination)), uint32_t(tag)) |
         1;
}

// PRF_epoch(communicator, count). The counts are hashed, not multiplied: 5, 4, 6, 5 would cancel otherwise.
constexpr uint64_t collectiveKey(uint64_t epoch, uint64_t communicator, uint64_t count) {
  return mix(mix(epoch, communicator), count);
}

// The id of the n-th communicator with a key (parent and members).
constexpr uint64_t communicatorId(uint64_t key, uint64_t n) { return mix(key, n); }

}  // namespace cairn
