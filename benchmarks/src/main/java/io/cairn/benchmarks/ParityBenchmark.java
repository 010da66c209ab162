// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.natives.NativeErasureCode;
import io.cairn.store.ErasureCode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * The erasure code through Java. Beside it, ISA-L's own functions in a C++ loop: in the same
 * process, on the same buffers, in turns.
 */
final class ParityBenchmark {

  static final String USAGE =
      """
      usage: ./cairn bench parity [options]
        --runs N    times that each side is measured (100)
        --mib N     data that each run works on, in MiB (64)""";

  private static final double GOAL = 0.8;
  private static final int ALIGNMENT = 64;
  private static final int[] SHARD_BYTES = {64 << 10, 1 << 20, 16 << 20};
  private static final int[][] SHAPES = {{4, 1}, {8, 1}, {4, 2}, {8, 2}};

  private ParityBenchmark() {}

  static void run(List<String> arguments) throws Exception {
    Options options = new Options(USAGE, arguments);
    int runs = options.integer("--runs", 100);
    int mebibytes = options.integer("--mib", 64);
    options.end();
    System.out.println(
        "%d runs of %d MiB of data for each side, in turns, on one thread"
            .formatted(runs, mebibytes));
    measure(runs, mebibytes).print(System.out);
    System.out.println("\n  GB/s of data shards, best of all runs; the goal is the ratio's");
  }

  static Table measure(int runs, int mebibytes) throws Exception {
    loadReference();
    Table table = new Table("of 1 shard", "KiB", "Cairn", "ISA-L", "ratio", "goal");
    for (int[] shape : SHAPES) {
      for (int shardBytes : SHARD_BYTES) {
        Shards shards = new Shards(shape[0], shape[1], shardBytes, mebibytes);
        String name = "%d + %d".formatted(shape[0], shape[1]);
        List<Double> encode = new ArrayList<>();
        List<Double> rebuild = new ArrayList<>();
        List<Double> theirs = new ArrayList<>();
        List<Runnable> sides =
            List.of(
                () -> encode.add(shards.encode()),
                () -> rebuild.add(shards.rebuild()),
                () -> theirs.add(shards.reference()));
        for (int run = 0; run < runs; run++) {
          // Another one begins each time.
          for (int i = 0; i < sides.size(); i++) {
            sides.get((run + i) % sides.size()).run();
          }
        }
        row(table, "parity, " + name, shardBytes, encode, theirs);
        row(table, "rebuild, " + name, shardBytes, rebuild, theirs);
      }
    }
    return table;
  }

  private static void row(
      Table table, String name, int shardBytes, List<Double> mine, List<Double> theirs) {
    double ours = Collections.max(mine);
    double isal = Collections.max(theirs);
    table.row(
        name,
        Integer.toString(shardBytes >> 10),
        Table.number(ours),
        Table.number(isal),
        Table.ratio(ours, isal),
        "%s: %s".formatted(GOAL, ours / isal >= GOAL ? "met" : "missed"));
  }

  private static void loadReference() throws IOException, InterruptedException {
    Path directory = Directories.create();
    try {
      System.load(compileReference(directory).toString());
    } finally {
      Directories.delete(directory);
    }
  }

  private static Path compileReference(Path directory) throws IOException, InterruptedException {
    Path source = NativeSources.unpack("parity.cpp", directory);
    Path library = directory.resolve("libparity.so");
    Path include = Path.of(System.getProperty("java.home"), "include");
    NativeSources.compile(
        "g++",
        "-O2",
        "-std=c++17",
        "-shared",
        "-fPIC",
        "-I" + include,
        "-I" + include.resolve("linux"),
        "-o",
        library,
        source,
        "-lisal");
    return library;
  }

  /** One set of shards, and all that is done with it. */
  private static final class Shards {
    private final int dataShards;
    private final int parityShards;
    private final int shardBytes;
    private final int rounds;
    private final ByteBuffer[] forEncode; // data, then one parity shard
    private final ByteBuffer[] forRebuild; // data but the first, then that parity shard
    private final ByteBuffer rebuilt;
    private final ErasureCode.Recipe encode;
    private final ErasureCode.Recipe rebuild;

    private Shards(int dataShards, int parityShards, int shardBytes, int mebibytes) {
      this.dataShards = dataShards;
      this.parityShards = parityShards;
      this.shardBytes = shardBytes;
      rounds = (int) Math.max(1, ((long) mebibytes << 20) / ((long) dataShards * shardBytes));
      forEncode = new ByteBuffer[dataShards + 1];
      SplittableRandom random = new SplittableRandom(1);
      for (int i = 0; i < forEncode.length; i++) {
        forEncode[i] = aligned();
        byte[] bytes = new byte[shardBytes];
        random.nextBytes(bytes);
        forEncode[i].put(0, bytes);
      }
      forRebuild = Arrays.copyOfRange(forEncode, 1, dataShards + 1);
      rebuilt = aligned();
      ErasureCode code = new NativeErasureCode();
      int[] data = IntStream.range(0, dataShards).toArray();
      encode = code.recipe(dataShards, parityShards, data, dataShards);
      int[] others = IntStream.rangeClosed(1, dataShards).toArray();
      rebuild = code.recipe(dataShards, parityShards, others, 0);
    }

    private ByteBuffer aligned() {
      return ByteBuffer.allocateDirect(shardBytes + ALIGNMENT)
          .alignedSlice(ALIGNMENT)
          .limit(shardBytes)
          .slice();
    }

    private double encode() {
      return rate(loop(encode, Arrays.copyOf(forEncode, dataShards), forEncode[dataShards]));
    }

    /** What it computes is looked at, too: a wrong shard is no fast one. */
    private double rebuild() {
      long nanos = loop(rebuild, forRebuild, rebuilt);
      if (!rebuilt.equals(forEncode[0])) {
        throw new IllegalStateException("the rebuilt shard isn't the lost one");
      }
      return rate(nanos);
    }

    private long loop(ErasureCode.Recipe recipe, ByteBuffer[] sources, ByteBuffer destination) {
      long begin = System.nanoTime();
      for (int round = 0; round < rounds; round++) {
        recipe.combine(sources, destination);
      }
      return System.nanoTime() - begin;
    }

    /** Into another buffer, so that the two sides can be compared. */
    private double reference() {
      ByteBuffer[] shards = forEncode.clone();
      shards[dataShards] = rebuilt;
      long nanos = ParityBenchmark.reference(dataShards, parityShards, shards, shardBytes, rounds);
      if (nanos <= 0 || !rebuilt.equals(forEncode[dataShards])) {
        throw new IllegalStateException("ISA-L computes another parity shard");
      }
      return rate(nanos);
    }

    private double rate(long nanos) {
      return (double) rounds * dataShards * shardBytes / nanos;
    }
  }

  private static native long reference(
      int dataShards, int parityShards, ByteBuffer[] shards, int length, int rounds);
}
