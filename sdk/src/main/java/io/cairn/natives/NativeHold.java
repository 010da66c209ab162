// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.coordinate.Hold;

/** The hold of this process's shim. */
final class NativeHold implements Hold {

  @Override
  public native void begin(long limitNanos);

  @Override
  public native void end();

  @Override
  public native String overdue();

  @Override
  public native boolean isWaiting();

  @Override
  public native long waitedNanos();

  @Override
  public native void drain();

  @Override
  public native void announce();

  @Override
  public native boolean synchronousUsed();

  @Override
  public native void synchronousKnown();

  @Override
  public native void stop();
}
