// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.FileOperations;
import io.cairn.store.ErasureCode;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/** Proves that parity shards are the parity of the images: encodes these once more. No launch. */
public final class ParityCheck {
  private static final int PIECE_BYTES = 256 << 10;

  private final FileOperations files;
  private final ErasureCode code;

  public ParityCheck(FileOperations files, ErasureCode code) {
    this.files = files;
    this.code = code;
  }

  /**
   * Where a parity shard isn't what it should be.
   *
   * @param offset of the first such byte in the file
   * @param found the byte
   * @param expected what the images give
   */
  public record Mismatch(long offset, byte found, byte expected) {}

  /** A stripe's open files, and what they are compared by. */
  private static final class Stripe implements Closeable {
    private final List<Closeable> opened = new ArrayList<>();
    private final List<Outflow.Source> data = new ArrayList<>(); // null where there is nothing
    private final Map<Integer, Outflow.Source> parity = new TreeMap<>(); // by row
    private final Map<Integer, ErasureCode.Recipe> recipes = new TreeMap<>();

    <T extends Closeable> T opened(T file) {
      opened.add(file);
      return file;
    }

    @Override
    public void close() throws IOException {
      for (Closeable file : opened) {
        file.close();
      }
    }
  }

  /**
   * Compares a stripe's parity shards.
   *
   * @param images files of the images that have the data shards, in order; they and the shards are
   *     sound each by itself
   * @param shards the files of the parity shards to compare, by row
   * @param progress told of bytes that were read
   * @return for each row that isn't right, where
   */
  public Map<Integer, Mismatch> compare(
      ProtectionRecord.EncodedSet encoded,
      int stripe,
      List<Path> images,
      Map<Integer, Path> shards,
      LongConsumer progress)
      throws IOException {
    RedundancySet set = encoded.set();
    long chunkBytes = encoded.chunkBytes();
    int[] available = IntStream.range(0, set.dataShards()).toArray();
    long[] present = new long[set.dataShards()];
    Map<Integer, Mismatch> mismatches = new TreeMap<>();
    try (Stripe open = new Stripe()) {
      for (int shard = 0; shard < set.dataShards(); shard++) {
        long imageBytes = encoded.members().get(set.position(stripe, shard)).lengthBytes();
        present[shard] = RedundancySet.present(imageBytes, chunkBytes, shard);
        open.data.add(
            present[shard] == 0
                ? null
                : open.opened(FileSource.open(files, images.get(shard), shard * chunkBytes)));
      }
      for (Map.Entry<Integer, Path> shard : shards.entrySet()) {
        open.parity.put(shard.getKey(), open.opened(ShardReader.source(files, shard.getValue())));
        open.recipes.put(
            shard.getKey(),
            code.recipe(
                set.dataShards(),
                set.parityShards(),
                available,
                set.dataShards() + shard.getKey()));
      }
      ByteBuffer[] pieces = new ByteBuffer[set.dataShards()];
      for (int shard = 0; shard < pieces.length; shard++) {
        pieces[shard] = ByteBuffer.allocateDirect(PIECE_BYTES);
      }
      ByteBuffer expected = ByteBuffer.allocateDirect(PIECE_BYTES);
      ByteBuffer found = ByteBuffer.allocateDirect(PIECE_BYTES);
      for (long at = 0; at < chunkBytes; at += PIECE_BYTES) {
        int length = (int) Math.min(PIECE_BYTES, chunkBytes - at);
        for (int shard = 0; shard < pieces.length; shard++) {
          progress.accept(read(open.data.get(shard), at, present[shard], length, pieces[shard]));
        }
        for (int row : open.parity.keySet()) {
          if (!mismatches.containsKey(row)) {
            open.recipes.get(row).combine(pieces, expected.clear().limit(length));
            open.parity.get(row).read(at, found.clear().limit(length));
            int different = found.flip().mismatch(expected.position(0));
            if (different >= 0) {
              mismatches.put(
                  row,
                  new Mismatch(
                      ShardFormat.HEADER_BYTES + at + different,
                      found.get(different),
                      expected.get(different)));
            }
          }
          progress.accept(length);
        }
      }
    }
    return mismatches;
  }

  /** Fills a piece; behind the image's end are zeros. Returns how much was read. */
  private static int read(
      Outflow.Source source, long at, long presentBytes, int length, ByteBuffer piece)
      throws IOException {
    int there = (int) Math.max(0, Math.min(length, presentBytes - at));
    piece.clear().limit(there);
    if (there > 0) {
      source.read(at, piece);
    }
    piece.limit(length).position(there);
    while (piece.hasRemaining()) {
      piece.put((byte) 0);
    }
    piece.flip();
    return there;
  }
}
