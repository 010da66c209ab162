// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/** The protocol's time; {@code System::nanoTime} outside of tests. */
@FunctionalInterface
public interface Clock {

  /** Nanoseconds since an arbitrary moment, never running backwards. Any thread. */
  long nanoTime();
}
