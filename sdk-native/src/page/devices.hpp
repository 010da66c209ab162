// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace cairn {

// The path of a device that this process has open and that may write to its memory by itself: a GPU, or another that is
// driven without the kernel; empty if there is none. Such devices go by physical addresses, so the marks in the page
// tables by which written pages are found know nothing of it. Network adapters aren't among them: the program uses those
// by MPI, whose receives are known. Where it can't be known, what is returned says so.
std::string writingDevice(const char* descriptors = "/proc/self/fd", const std::string& devices = "/dev");

}  // namespace cairn
