// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import io.cairn.store.ErasureCode;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/** {@link ErasureCode} by ISA-L, on a Cauchy matrix. */
public final class NativeErasureCode implements ErasureCode {

  private static final Cleaner CLEANER = Cleaner.create();

  /** Loads the core library if needed. */
  public NativeErasureCode() {
    NativeLibraries.loadCore();
  }

  @Override
  public Recipe recipe(int dataShards, int parityShards, int[] available, int wanted) {
    return new NativeRecipe(create(dataShards, parityShards, available, wanted), dataShards);
  }

  private static final class NativeRecipe implements Recipe {
    private final long handle;
    private final int sourceCount;

    private NativeRecipe(long handle, int sourceCount) {
      this.handle = handle;
      this.sourceCount = sourceCount;
      CLEANER.register(this, () -> destroy(handle));
    }

    @Override
    public void combine(ByteBuffer[] sources, ByteBuffer destination) {
      if (sources.length != sourceCount) {
        throw new IllegalArgumentException(
            "found %d sources; expected %d, as many as there are data shards"
                .formatted(sources.length, sourceCount));
      }
      int length = destination.remaining();
      int[] offsets = new int[sourceCount + 1];
      for (int i = 0; i < sourceCount; i++) {
        offsets[i] = offset(sources[i], length, i);
      }
      offsets[sourceCount] = offset(destination, length, -1);
      if (destination.isReadOnly()) {
        throw new IllegalArgumentException("the destination is a read-only buffer");
      }
      try {
        NativeErasureCode.combine(handle, sources, destination, offsets, length);
      } finally {
        Reference.reachabilityFence(this);
      }
    }

    /** Where the bytes begin. */
    private static int offset(ByteBuffer buffer, int length, int source) {
      if (!buffer.isDirect() || buffer.remaining() != length) {
        throw new IllegalArgumentException(
            "%s has %d bytes in a %s buffer; expected %d, as in the destination, in a direct one"
                .formatted(
                    source < 0 ? "the destination" : "source " + source,
                    buffer.remaining(),
                    buffer.isDirect() ? "direct" : "heap",
                    length));
      }
      return buffer.position();
    }
  }

  private static native long create(int dataShards, int parityShards, int[] available, int wanted);

  private static native void destroy(long recipe);

  private static native void combine(
      long recipe, ByteBuffer[] sources, ByteBuffer destination, int[] offsets, int length);
}
