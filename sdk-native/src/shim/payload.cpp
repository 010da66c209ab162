// SPDX-License-Identifier: Apache-2.0
// The bytes of messages: taken out of typed buffers, counted beyond 2 GiB.
#include <climits>
#include <cstring>

#include "shim.hpp"

namespace cairn {

bool seekPlain(MPI_Datatype type) {
  Shim& s = shim();
  for (MPI_Datatype named : s.named) {
    if (named != type) continue;
    s.lastPlain = type;
    return true;
  }
  int integers, addresses, types, combiner;
  PMPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner);
  if (combiner != MPI_COMBINER_NAMED) return false;
  MPI_Count size, lower, extent;
  PMPI_Type_size_x(type, &size);
  PMPI_Type_get_extent_x(type, &lower, &extent);
  if (lower != 0 || size != extent) return false;  // MPI_DOUBLE_INT has a gap
  s.named[s.namedNext++ % 8] = type;
  s.lastPlain = type;
  return true;
}

uint64_t receivedBytes(const MPI_Status& status) {
  MPI_Count bytes = 0;
  PMPI_Get_elements_x(&status, MPI_BYTE, &bytes);
  return bytes == MPI_UNDEFINED ? 0 : static_cast<uint64_t>(bytes);
}

PayloadRef gather(const void* buffer, MPI_Datatype type, uint64_t bytes) {
  Shim& s = shim();
  bool plain;
  {
    Guard guard(s.ledger->lock);
    plain = isPlain(s, type);
  }
  return gather(buffer, type, bytes, plain);
}

PayloadRef gather(const void* buffer, MPI_Datatype type, uint64_t bytes, bool plain) {
  auto payload = std::make_shared<Payload>(bytes);
  if (bytes == 0) return payload;
  if (plain) {
    std::memcpy(payload->data.get(), buffer, bytes);
    return payload;
  }
  // Pack counts in int: whole elements, so many at a time that they fit. The last one may be partial (MPI lets a
  // message end within an element); it is packed whole and cut.
  MPI_Count size, lower, extent;
  PMPI_Type_size_x(type, &size);
  PMPI_Type_get_extent_x(type, &lower, &extent);
  if (size <= 0 || size > INT_MAX) return nullptr;
  uint64_t unit = static_cast<uint64_t>(size);
  uint64_t elements = (bytes + unit - 1) / unit;
  uint64_t most = std::max<uint64_t>(1, (1u << 28) / unit);
  std::vector<char> packed;
  for (uint64_t done = 0; done < elements;) {
    int now = static_cast<int>(std::min(most, elements - done));
    packed.resize(static_cast<size_t>(now) * unit);
    int position = 0;
    const char* from = static_cast<const char*>(buffer) + static_cast<int64_t>(done) * extent;
    if (PMPI_Pack(from, now, type, packed.data(), static_cast<int>(packed.size()), &position, shim().self) !=
            MPI_SUCCESS ||
        static_cast<size_t>(position) != packed.size()) {
      return nullptr;
    }
    uint64_t offset = done * unit;
    std::memcpy(payload->data.get() + offset, packed.data(), std::min<uint64_t>(packed.size(), bytes - offset));
    done += static_cast<uint64_t>(now);
  }
  return payload;
}

ByteType::ByteType(uint64_t bytes) {
  constexpr uint64_t chunk = 1u << 30;
  if (bytes <= INT_MAX) {
    type = MPI_BYTE;
    count = static_cast<int>(bytes);
    return;
  }
  MPI_Datatype whole;
  PMPI_Type_contiguous(static_cast<int>(chunk), MPI_BYTE, &whole);
  int lengths[2] = {static_cast<int>(bytes / chunk), static_cast<int>(bytes % chunk)};
  MPI_Aint offsets[2] = {0, static_cast<MPI_Aint>(bytes / chunk * chunk)};
  MPI_Datatype types[2] = {whole, MPI_BYTE};
  PMPI_Type_create_struct(2, lengths, offsets, types, &type);
  PMPI_Type_commit(&type);
  PMPI_Type_free(&whole);
  count = 1;
}

ByteType::~ByteType() {
  if (type != MPI_BYTE) PMPI_Type_free(&type);  // pending communication keeps it alive
}

}  // namespace cairn
