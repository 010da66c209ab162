// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.store.ErasureCode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** The images of each redundancy set are encoded together. */
final class SetTask extends ProtectionTask {
  private static final String INCOMING = "pending-shard-";

  private final ErasureCode code;
  private final Optional<RedundancySet> set;
  private final Map<Integer, ShardWriter> shards = new HashMap<>(); // by row

  SetTask(Protector.Context context, EpochId epoch, long jobDigest) {
    super(context, epoch, jobDigest);
    code = context.code();
    set = layout.setOf(directory.rank());
  }

  @Override
  Tier tier() {
    return Tier.SET;
  }

  private long chunkBytes(RedundancySet of) {
    long longest =
        of.members().stream().mapToLong(rank -> images.get(rank).lengthBytes()).max().orElseThrow();
    return RedundancySet.chunkBytes(longest, of.dataShards());
  }

  private int position() {
    return set.orElseThrow().members().indexOf(directory.rank());
  }

  @Override
  long incomingBytes() {
    return set.map(of -> chunkBytes(of) * of.parityShards()).orElse(0L);
  }

  private ShardId id(int row) {
    return new ShardId(
        directory.job().jobUuid(),
        epoch,
        directory.generation(),
        set.orElseThrow().index(),
        set.orElseThrow().stripeOfParity(position(), row),
        row);
  }

  private Path incoming(int row) {
    return place.resolve(INCOMING + directory.rank() + "-" + row);
  }

  @Override
  List<Path> incomingFiles() {
    return IntStream.range(0, set.map(RedundancySet::parityShards).orElse(0))
        .mapToObj(this::incoming)
        .toList();
  }

  /** Between two ranks there is at most one stream for each row: it is the tag. */
  @Override
  List<Stream> streams() {
    List<Stream> streams = new ArrayList<>();
    if (set.isEmpty()) {
      return streams;
    }
    RedundancySet of = set.get();
    long chunkBytes = chunkBytes(of);
    for (int row = 0; row < of.parityShards(); row++) {
      streams.add(receive(of, row, chunkBytes));
    }
    long own = images.get(directory.rank()).lengthBytes();
    for (int chunk = 0; chunk < of.dataShards(); chunk++) {
      int stripe = of.stripeOf(position(), chunk);
      long present = RedundancySet.present(own, chunkBytes, chunk);
      long from = chunk * chunkBytes;
      for (int row = 0; row < of.parityShards() && present > 0; row++) {
        streams.add(
            new Outflow(
                exchange,
                "chunk " + chunk + " of the image of " + epoch,
                () -> FileSource.open(files, ownImage(), from),
                present,
                of.holder(stripe, of.dataShards() + row),
                1 + row));
      }
    }
    return streams;
  }

  private Stream receive(RedundancySet of, int row, long chunkBytes) {
    int stripe = of.stripeOfParity(position(), row);
    List<Inflow.Source> sources = new ArrayList<>();
    for (int shard = 0; shard < of.dataShards(); shard++) {
      int member = of.holder(stripe, shard);
      sources.add(
          new Inflow.Source(
              member,
              1 + row,
              RedundancySet.present(images.get(member).lengthBytes(), chunkBytes, shard)));
    }
    int[] data = IntStream.range(0, of.dataShards()).toArray();
    return new Inflow(
        exchange,
        "parity of " + epoch,
        sources,
        code.recipe(of.dataShards(), of.parityShards(), data, of.dataShards() + row),
        chunkBytes,
        () -> {
          files.delete(incoming(row));
          ShardWriter writer =
              new ShardWriter(files, incoming(row), id(row), chunkBytes, Exchange.PIECE_BYTES);
          opened.add(writer);
          shards.put(row, writer);
          return writer;
        },
        true);
  }

  @Override
  List<String> keep() throws IOException {
    List<String> kept = new ArrayList<>();
    for (int row = 0; set.isPresent() && row < set.get().parityShards(); row++) {
      ShardId id = id(row);
      ShardWriter writer = shards.get(row);
      try (ShardReader shard = ShardReader.open(files, incoming(row))) {
        shard.verify();
        if (shard.digest() != writer.digest()) {
          throw new IOException(incoming(row) + ": it isn't what was written");
        }
      }
      accept(incoming(row), place.resolve(id.fileName()));
      kept.add(
          id.set()
              + " "
              + id.stripe()
              + " "
              + row
              + " "
              + writer.lengthBytes()
              + " "
              + EpochRecord.hex(writer.digest()));
    }
    return kept;
  }

  @Override
  ProtectionRecord record(List<List<String>> kept) {
    Map<Integer, List<ProtectionRecord.Shard>> bySet = new LinkedHashMap<>();
    kept.forEach(
        lines ->
            lines.forEach(
                line -> {
                  String[] words = line.split(" ", -1);
                  bySet
                      .computeIfAbsent(Integer.parseInt(words[0]), s -> new ArrayList<>())
                      .add(
                          new ProtectionRecord.Shard(
                              Integer.parseInt(words[1]),
                              Integer.parseInt(words[2]),
                              Long.parseLong(words[3]),
                              Long.parseUnsignedLong(words[4], 16)));
                }));
    List<ProtectionRecord.EncodedSet> sets = new ArrayList<>();
    bySet.forEach(
        (index, held) -> {
          RedundancySet of = layout.sets().get(index);
          sets.add(
              new ProtectionRecord.EncodedSet(
                  of, chunkBytes(of), of.members().stream().map(images::get).toList(), held));
        });
    return record(List.of(), sets);
  }

  @Override
  boolean isOfTier(String name) {
    return name.startsWith(INCOMING) || ShardId.encodedBy(name).isPresent();
  }

  @Override
  List<String> named(ProtectionRecord record) {
    return record.sets().stream()
        .flatMap(of -> of.shards().stream().map(shard -> record.id(of, shard).fileName()))
        .toList();
  }

  @Override
  boolean holds(ProtectionRecord record) {
    if (set.isEmpty()) {
      return true;
    }
    RedundancySet of = set.get();
    List<EpochRecord.Image> members = of.members().stream().map(images::get).toList();
    for (int row = 0; row < of.parityShards(); row++) {
      int wantedRow = row;
      int stripe = of.stripeOfParity(position(), row);
      boolean held =
          record.sets().stream()
              .filter(s -> s.set().equals(of) && s.members().equals(members))
              .anyMatch(
                  s ->
                      s.shards().stream()
                          .filter(h -> h.stripe() == stripe && h.row() == wantedRow)
                          .anyMatch(h -> isWhole(record, s, h)));
      if (!held) {
        return false;
      }
    }
    return true;
  }

  private boolean isWhole(
      ProtectionRecord record, ProtectionRecord.EncodedSet of, ProtectionRecord.Shard shard) {
    ShardId id = record.id(of, shard);
    try (ShardReader reader = ShardReader.open(files, place.resolve(id.fileName()))) {
      return reader.id().equals(id) && reader.digest() == shard.digest();
    } catch (IOException e) {
      return false;
    }
  }
}
