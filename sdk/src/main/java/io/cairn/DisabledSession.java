// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.CheckpointListener;
import io.cairn.capture.Pages;
import net.openhft.chronicle.bytes.BytesMarshallable;

/** Runs the program as if Cairn weren't there: memory, and nothing else. */
final class DisabledSession extends Session {

  private final Pages pages;

  DisabledSession(Pages pages) {
    this.pages = pages;
  }

  @Override
  MemoryRegion region(String name, long lengthBytes) {
    return new MemoryRegion(pages, name, lengthBytes);
  }

  @Override
  void state(String name, BytesMarshallable state) {}

  @Override
  void array(String name, Object array) {}

  @Override
  boolean restore() {
    return false;
  }

  @Override
  void safePoint() {}

  @Override
  void beginWaiting() {}

  @Override
  void goOnWaiting() {}

  @Override
  void requestCheckpoint() {}

  @Override
  void addListener(CheckpointListener listener) {}

  @Override
  boolean isEnabled() {
    return false;
  }

  @Override
  int rank() {
    return JavaMpi.rank();
  }

  @Override
  int size() {
    return JavaMpi.size();
  }

  @Override
  void done() {}

  @Override
  void close() {}

  @Override
  void abort() {
    JavaMpi.abort();
  }
}
