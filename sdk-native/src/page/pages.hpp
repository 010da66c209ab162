// SPDX-License-Identifier: Apache-2.0
// Page-aligned memory: allocation and the raw copy that a capture waits for.
#pragma once
#include <cstddef>

namespace cairn {

size_t pageSize();
// Zeroed memory, huge pages where the system gives them; null if the system refuses.
void* allocatePages(size_t bytes);
void freePages(void* address, size_t bytes);
// Touches every page, so that the first copy doesn't fault. Keeps the contents.
void prefaultPages(void* address, size_t bytes);
void dumpPages(void* destination, const void* source, size_t bytes);

}  // namespace cairn
