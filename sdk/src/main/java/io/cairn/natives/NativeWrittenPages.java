// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.capture.WrittenPages;
import java.util.Optional;

/** {@link WrittenPages} by userfaultfd and {@code PAGEMAP_SCAN}, or by soft-dirty bits. */
public final class NativeWrittenPages implements WrittenPages {

  private static final String[] NAMES = {"none", "userfaultfd and PAGEMAP_SCAN", "soft-dirty bits"};

  private final Runnable pending;
  private final long handle;
  private final int tracking;

  /** Without MPI, whose receives would have to be known. */
  public NativeWrittenPages() {
    this(() -> {});
  }

  /**
   * @param pending touches what is being received, such as {@link Shim#touchPending}
   */
  public NativeWrittenPages(Runnable pending) {
    NativeLibraries.loadCore();
    this.pending = pending;
    handle = open();
    tracking = tracking(handle);
  }

  @Override
  public boolean available() {
    return tracking != 0;
  }

  @Override
  public String describe() {
    String reason = reason(handle);
    return available()
        ? NAMES[tracking] + (reason.isEmpty() ? "" : " (" + reason + ")")
        : "the system doesn't tell which were written: " + reason;
  }

  @Override
  public void mayAsk(long[] bounds) {
    touched(bounds);
  }

  @Override
  public Region region(long address, long lengthBytes) {
    return new NativeRegion(create(handle, address, lengthBytes));
  }

  @Override
  public Optional<String> unnoticed() {
    String device = writingDevice();
    return device.isEmpty() ? Optional.empty() : Optional.of(device);
  }

  @Override
  public void beginCut() {
    pending.run();
  }

  @Override
  public void endCut() {
    endCut0(handle);
  }

  @Override
  public void close() {
    close0(handle);
  }

  private static final class NativeRegion implements Region {
    private final long region;

    private NativeRegion(long region) {
      this.region = region;
    }

    @Override
    public boolean begin(int every) {
      return NativeWrittenPages.begin(region, every);
    }

    @Override
    public void end() {
      NativeWrittenPages.end(region);
    }

    @Override
    public long scan() {
      return NativeWrittenPages.scan(region);
    }

    @Override
    public void clear() {
      NativeWrittenPages.clear(region);
    }

    @Override
    public long watchedPages() {
      return watched(region);
    }

    @Override
    public long pageCount() {
      return pages(region);
    }

    @Override
    public long firstAddress() {
      return first(region);
    }

    @Override
    public String problem() {
      return NativeWrittenPages.problem(region);
    }

    @Override
    public int runs(long from, long[] bounds) {
      return NativeWrittenPages.runs(region, from, bounds);
    }

    @Override
    public void close() {
      destroy(region);
    }
  }

  private static native long open();

  private static native void close0(long tracker);

  private static native int tracking(long tracker);

  private static native String reason(long tracker);

  private static native String writingDevice();

  private static native void endCut0(long tracker);

  private static native void touched(long[] bounds);

  private static native long create(long tracker, long address, long bytes);

  private static native void destroy(long region);

  private static native boolean begin(long region, int every);

  private static native void end(long region);

  private static native long scan(long region);

  private static native void clear(long region);

  private static native long watched(long region);

  private static native long pages(long region);

  private static native long first(long region);

  private static native String problem(long region);

  private static native int runs(long region, long from, long[] bounds);
}
