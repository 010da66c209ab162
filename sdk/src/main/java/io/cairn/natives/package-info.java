// SPDX-License-Identifier: Apache-2.0

/** Every native method, and the loader. Thin: each method converts and calls. */
package io.cairn.natives;
