// SPDX-License-Identifier: Apache-2.0
// Little-endian encoding of the ledger's records.
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

namespace cairn {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian; swap here for other machines");

template <class T>
void put(std::vector<char>& out, T value) {
  const char* bytes = reinterpret_cast<const char*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

// Reads what put() wrote; past the end it gives zeros and says so by good().
class Cursor {
 public:
  Cursor(const char* bytes, uint64_t length) : start_(bytes), at_(bytes), end_(bytes + length) {}

  template <class T>
  T get() {
    T value{};
    copy(&value, sizeof value);
    return value;
  }

  void copy(void* to, uint64_t bytes) {
    if (bytes > remaining()) {
      good_ = false;
      at_ = end_;
      return;
    }
    if (bytes) std::memcpy(to, at_, bytes);
    at_ += bytes;
  }

  void align() {
    uint64_t pad = (8 - static_cast<uint64_t>(at_ - start_) % 8) % 8;
    if (pad > remaining()) {
      good_ = false;
      pad = remaining();
    }
    at_ += pad;
  }

  uint64_t remaining() const { return static_cast<uint64_t>(end_ - at_); }
  bool good() const { return good_; }

 private:
  const char* start_;
  const char* at_;
  const char* end_;
  bool good_ = true;
};

}  // namespace cairn
