// SPDX-License-Identifier: Apache-2.0
// What libcairn-core shows to libcairn; everything else is hidden.
#pragma once
#define CAIRN_API __attribute__((visibility("default")))
