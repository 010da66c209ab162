// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.cli.EpochLook.Parity;
import io.cairn.image.EpochRecord;
import io.cairn.image.FileOperations;
import io.cairn.store.ErasureCode;
import io.cairn.tier.Encoding;
import io.cairn.tier.ParityCheck;
import io.cairn.tier.ParityCheck.Mismatch;
import io.cairn.tier.RedundancySet;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * Proves that parity is that of the images. The one thing of the tool that takes native code, which
 * is loaded when there is something to prove.
 */
final class ParityProof {
  private final FileOperations files;
  private final Supplier<ErasureCode> loader;
  private Optional<ErasureCode> code = Optional.empty();
  private Optional<String> obstacle = Optional.empty();

  ParityProof(Surroundings surroundings) {
    files = surroundings.files();
    loader = surroundings.erasureCode();
  }

  /** Why nothing could be proved, if there was something to prove. */
  Optional<String> obstacle() {
    return obstacle;
  }

  private Optional<ErasureCode> code() {
    if (code.isEmpty() && obstacle.isEmpty()) {
      try {
        code = Optional.of(loader.get());
      } catch (UnsatisfiedLinkError | UncheckedIOException e) {
        obstacle = Optional.of(String.valueOf(e.getMessage()));
      }
    }
    return code;
  }

  /** Shards of one stripe of one encoding, by row. */
  private record Stripe(Encoding encoding, int number, Map<Integer, Parity> rows) {}

  /**
   * Compares what can be compared; returns how many shards that were.
   *
   * @param shards those that are sound
   * @param images those that are sound, and where
   */
  int prove(
      List<Parity> shards,
      Map<EpochRecord.Image, Path> images,
      Progress progress,
      List<Finding> findings) {
    Map<String, Stripe> stripes = new LinkedHashMap<>();
    for (Parity parity : shards) {
      stripes
          .computeIfAbsent(
              parity.encoding().key() + " " + parity.id().stripe(),
              key -> new Stripe(parity.encoding(), parity.id().stripe(), new TreeMap<>()))
          .rows()
          .putIfAbsent(parity.id().row(), parity);
    }
    int proved = 0;
    for (Stripe stripe : stripes.values()) {
      List<Path> data = new ArrayList<>();
      RedundancySet set = stripe.encoding().set().set();
      for (int shard = 0; shard < set.dataShards(); shard++) {
        Path image =
            images.get(stripe.encoding().set().members().get(set.position(stripe.number(), shard)));
        if (image != null) {
          data.add(image);
        }
      }
      if (data.size() == set.dataShards() && code().isPresent()) {
        proved += stripe.rows().size();
        compare(stripe, data, progress, findings);
      }
    }
    return proved;
  }

  private void compare(Stripe stripe, List<Path> data, Progress progress, List<Finding> findings) {
    Map<Integer, Path> shards = new TreeMap<>();
    stripe.rows().forEach((row, parity) -> shards.put(row, parity.file()));
    try {
      new ParityCheck(files, code().orElseThrow())
          .compare(stripe.encoding().set(), stripe.number(), data, shards, progress::advance)
          .forEach((row, mismatch) -> findings.add(finding(stripe, shards.get(row), mismatch)));
    } catch (IOException e) {
      findings.add(Finding.of(stripe.rows().values().iterator().next().file(), e));
    }
  }

  private static Finding finding(Stripe stripe, Path file, Mismatch mismatch) {
    String found = "0x%02x".formatted(mismatch.found());
    String expected = "0x%02x".formatted(mismatch.expected());
    return new Finding(
        Finding.Kind.INCONSISTENT,
        file,
        mismatch.offset(),
        "parity",
        found,
        expected,
        "%s at offset %d: parity: found %s, expected %s, which the images of redundancy set %s give"
            .formatted(
                file, mismatch.offset(), found, expected, stripe.encoding().set().set().members()));
  }
}
