// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

/** What copying, storing and noticing a page takes, as measured. Application's thread. */
final class PageCosts {
  // Before anything is known: a slow copy, a fault of a virtual machine.
  private static final double FIRST_COPY_NANOS = 0.2;
  private static final double FIRST_FAULT_NANOS = 1_000;

  // The application doesn't wait for the store, but its epochs can't follow each other faster, and
  // others use it too.
  private static final double STORE_WEIGHT = 0.1;

  private static final double MEMORY = 4;

  private double copyNanosPerByte = FIRST_COPY_NANOS;
  private double storeNanosPerByte;
  private double faultNanos = FIRST_FAULT_NANOS;

  /** Measured: what the first write to a page whose writes are noticed takes more. */
  void fault(double nanos) {
    faultNanos = nanos;
  }

  double faultNanos() {
    return faultNanos;
  }

  /** The application waited that long for a copy. */
  void copied(long bytes, long nanos) {
    if (bytes >= 1 << 20) {
      copyNanosPerByte += ((double) nanos / bytes - copyNanosPerByte) / MEMORY;
    }
  }

  /** An image's regions took that long to be stored, in the background. */
  void stored(long bytes, long nanos) {
    if (bytes >= 1 << 20) {
      double rate = (double) nanos / bytes;
      storeNanosPerByte += (rate - storeNanosPerByte) / (storeNanosPerByte == 0 ? 1 : MEMORY);
    }
  }

  /** Time of the application that it is worth not to copy and store a byte. */
  double worthOfByte() {
    return copyNanosPerByte + STORE_WEIGHT * storeNanosPerByte;
  }
}
