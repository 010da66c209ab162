// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.image.Ancestor;
import io.cairn.image.EpochId;
import io.cairn.image.EpochRecord;
import io.cairn.image.FaultHook;
import io.cairn.image.FaultPoint;
import io.cairn.image.FileOperations;
import io.cairn.image.ImageReader;
import io.cairn.store.ErasureCode;
import io.cairn.store.JobDirectory;
import io.cairn.store.SharedStore;
import io.cairn.store.Standing;
import io.cairn.store.Together;
import io.cairn.store.Transport;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongSupplier;

/**
 * Gets an epoch's images to where their ranks run now, when they aren't there, or aren't sound:
 * from other stores, from the shared tier, or by decoding redundancy sets. All ranks do it
 * together, before the restore, on the application's thread. Adds files and replaces damaged ones;
 * nothing else is changed.
 */
public final class Recovery {
  private static final String INCOMING = "pending-recovered-";
  private static final String SOUND = "sound ";

  private final JobDirectory directory;
  private final Exchange exchange;
  private final Transport group;
  private final ErasureCode code;
  private final FileOperations files;
  private final FaultHook faults;

  /**
   * What became of an epoch.
   *
   * @param sound whether every rank has its image now
   * @param jobDigest the epoch's job-wide digest, if it is sound
   * @param notes what was done for which rank; what couldn't be done, where it isn't sound
   */
  public record Outcome(boolean sound, long jobDigest, List<String> notes) {
    public Outcome {
      notes = List.copyOf(notes);
    }
  }

  public Recovery(
      JobDirectory directory,
      Transport transport,
      ErasureCode code,
      FileOperations files,
      FaultHook faults,
      LongSupplier nanoClock,
      long stallMillis) {
    this.directory = directory;
    exchange = new Exchange(transport, nanoClock, stallMillis);
    group = transport;
    this.code = code;
    this.files = files;
    this.faults = faults;
  }

  /**
   * Tries to make an epoch whole, with all images that its own take bytes from; all ranks come to
   * the same end.
   */
  public Outcome recover(EpochId epoch, Standing standing) throws Exception {
    Outcome outcome = new Attempt(epoch, standing, Map.of()).run();
    if (!outcome.sound()) {
      return outcome;
    }
    List<String> notes = new ArrayList<>(outcome.notes());
    boolean sound = true;
    for (Map.Entry<EpochId, Map<Integer, EpochRecord.Image>> older : ancestors(epoch).entrySet()) {
      Outcome ancestor = new Attempt(older.getKey(), Standing.COMMITTED, older.getValue()).run();
      ancestor.notes().forEach(note -> notes.add(older.getKey() + ", " + note));
      sound &= ancestor.sound();
    }
    return new Outcome(sound, outcome.jobDigest(), notes);
  }

  /** By epoch, which ranks need which image of it. */
  private Map<EpochId, Map<Integer, EpochRecord.Image>> ancestors(EpochId epoch) throws Exception {
    Map<EpochId, Map<Integer, EpochRecord.Image>> needed = new TreeMap<>();
    List<String> texts =
        Together.runText(
            group,
            () -> {
              StringBuilder text = new StringBuilder();
              try (ImageReader image =
                  ImageReader.open(files, directory.view().imageFile(epoch, group.rank()))) {
                for (Ancestor ancestor : image.ancestors()) {
                  text.append(ancestor.epoch().epoch()).append(' ');
                  text.append(ancestor.lengthBytes()).append(' ');
                  text.append(ancestor.digest()).append(' ');
                }
              }
              return text.toString();
            });
    for (int rank = 0; rank < texts.size(); rank++) {
      String[] words = texts.get(rank).split(" ", -1);
      for (int i = 0; i + 2 < words.length; i += 3) {
        needed
            .computeIfAbsent(
                new EpochId(epoch.generation(), Long.parseLong(words[i])), e -> new TreeMap<>())
            .put(
                rank,
                new EpochRecord.Image(
                    rank, Long.parseLong(words[i + 1]), Long.parseLong(words[i + 2])));
      }
    }
    return needed;
  }

  /** A parity shard that is sound. */
  private record SoundShard(int holder, Path file) {}

  /** All that concerns one epoch. The same on all ranks, but for {@code opened}. */
  private final class Attempt {
    private final EpochId epoch;
    private final Standing standing;
    private final Map<Integer, EpochRecord.Image> needed;
    private final boolean older;
    private final Path place;
    private final int ranks = group.size();
    private final List<String> notes = new ArrayList<>();
    private final List<Closeable> opened = new ArrayList<>();

    // By the rank that leads a store; of the shared tier by SHARED.
    private final Map<Integer, Holdings> holdings = new TreeMap<>();
    private final String[] faulty = new String[ranks]; // why a rank's image can't be used
    private final Set<Integer> lost = new TreeSet<>();
    private final Set<Integer> recovered = new TreeSet<>();
    private final Map<Integer, Integer> tags = new HashMap<>();
    private ExpectedImages images;

    private static final int SHARED = Integer.MAX_VALUE;

    /**
     * @param needed if it is to be whole for the sake of a newer epoch only, the images that this
     *     takes bytes from, by rank; what other ranks had doesn't matter
     */
    Attempt(EpochId epoch, Standing standing, Map<Integer, EpochRecord.Image> needed) {
      this.needed = needed;
      older = !needed.isEmpty();
      this.epoch = epoch;
      this.standing = standing;
      place = directory.directory(epoch);
    }

    Outcome run() throws Exception {
      gatherHoldings();
      findExpected();
      if (!images.areOneEpoch() && !older) {
        return hopeless();
      }
      if (!lost.isEmpty()) {
        Together.runText(
            group,
            () -> {
              files.createDirectories(place);
              files.syncDirectory(directory.directory());
              return "";
            });
        fetch();
        rebuild();
      }
      boolean broken = false;
      for (int rank : lost) {
        if (!older || needed.containsKey(rank)) {
          notes.add(
              "rank " + rank + ": no sound image, copy or redundancy set is left; " + faulty[rank]);
          broken = true;
        }
      }
      if (broken) {
        return unsound();
      }
      if (images.areOneEpoch() && lost.isEmpty()) {
        writeRecords();
      }
      return new Outcome(true, images.jobDigest(), notes);
    }

    private Outcome hopeless() {
      for (int rank : images.unknown()) {
        notes.add("rank " + rank + ": nothing says what its image is; " + faulty[rank]);
      }
      images.contradiction().ifPresent(notes::add);
      for (int rank = 0; rank < ranks; rank++) {
        if (!images.unknown().contains(rank) && faulty[rank] != null) {
          notes.add("rank " + rank + ": " + faulty[rank]);
        }
      }
      return unsound();
    }

    private Outcome unsound() {
      for (Holdings store : holdings.values()) {
        store.damages().forEach(damage -> notes.add(said(damage.cause())));
      }
      return new Outcome(false, 0, notes);
    }

    private void gatherHoldings() throws Exception {
      List<byte[]> packed =
          Together.run(
              group,
              () ->
                  directory.leader() ? Holdings.pack(files, directory.view(), epoch) : new byte[0]);
      for (int leader : new TreeSet<>(directory.leaders())) {
        holdings.put(leader, Holdings.parse(packed.get(leader), directory.job(), epoch));
      }
      Optional<SharedStore> shared = directory.shared();
      if (shared.isPresent()) {
        byte[] records =
            Together.run(
                    group,
                    () ->
                        group.rank() == 0
                            ? Holdings.pack(files, shared.get().view(), epoch)
                            : new byte[0])
                .get(0);
        holdings.put(SHARED, Holdings.parse(records, directory.job(), epoch));
      }
    }

    /** Which image each rank must get, and who hasn't it. */
    private void findExpected() throws Exception {
      List<Optional<EpochRecord.Image>> own = gatherOwn();
      images =
          ExpectedImages.of(
              ranks, holdings.values(), rank -> own.get(rank).stream().toList(), needed);
      for (int rank = 0; rank < ranks; rank++) {
        if (images.unknown().contains(rank) || own.get(rank).equals(images.image(rank))) {
          continue;
        }
        lost.add(rank);
        if (own.get(rank).isPresent()) {
          faulty[rank] =
              "its image is another than the one recorded: found "
                  + own.get(rank).get().text()
                  + ", expected "
                  + expected(rank).text();
        }
      }
    }

    private EpochRecord.Image expected(int rank) {
      return images.image(rank).orElseThrow();
    }

    /** Each rank's image as it is in its own store, if it is sound. */
    private List<Optional<EpochRecord.Image>> gatherOwn() throws Exception {
      List<Optional<EpochRecord.Image>> own = new ArrayList<>();
      for (String text : Together.runText(group, this::checkOwn)) {
        if (text.startsWith(SOUND)) {
          String[] words = text.substring(SOUND.length()).split(" ", -1);
          own.add(
              Optional.of(
                  new EpochRecord.Image(
                      own.size(), Long.parseLong(words[0]), Long.parseLong(words[1]))));
        } else {
          faulty[own.size()] = text;
          own.add(Optional.empty());
        }
      }
      return own;
    }

    private String checkOwn() {
      try (ImageReader image =
          ImageReader.open(files, directory.view().imageFile(epoch, group.rank()))) {
        image.requireIdentity(directory.job(), epoch, group.rank());
        image.verify();
        return SOUND + image.lengthBytes() + " " + image.digest();
      } catch (IOException e) {
        return said(e);
      }
    }

    private String said(IOException e) {
      return e instanceof NoSuchFileException missing
          ? missing.getFile() + ": missing"
          : "" + e.getMessage();
    }

    private Path incoming() {
      return place.resolve(INCOMING + group.rank());
    }

    private FileSink sink() throws IOException {
      FileSink sink = FileSink.create(files, incoming());
      opened.add(sink);
      return sink;
    }

    private void closeAll() {
      for (Closeable file : opened) {
        try {
          file.close();
        } catch (IOException e) {
          // What it holds is checked before it is used.
        }
      }
      opened.clear();
    }

    /** Copies from other stores, in turns, until no lost rank knows of another. */
    private void fetch() throws Exception {
      Map<Integer, List<Integer>> sources = new TreeMap<>();
      for (int rank : lost) {
        List<Integer> stores = new ArrayList<>();
        holdings.forEach(
            (leader, store) -> {
              // What an epoch in the shared tier takes bytes from may be there without a record.
              if ((store.images().contains(expected(rank)) || (older && leader == SHARED))
                  && leader != (int) directory.leaders().get(rank)) {
                stores.add(leader);
              }
            });
        sources.put(rank, stores);
      }
      while (true) {
        Map<Integer, Integer> round = new TreeMap<>();
        sources.forEach(
            (rank, stores) -> {
              if (lost.contains(rank) && !stores.isEmpty()) {
                round.put(rank, stores.remove(0));
              }
            });
        if (round.isEmpty()) {
          return;
        }
        List<Stream> streams = new ArrayList<>();
        round.forEach((rank, source) -> fetchOne(rank, source, streams));
        Map<Integer, String> how = new HashMap<>();
        round.forEach(
            (rank, source) ->
                how.put(
                    rank,
                    source == SHARED
                        ? "fetched from the shared tier"
                        : "copied from the store of rank " + source));
        flowAndCheck(streams, how);
      }
    }

    private int tag(int source, int destination) {
      return tags.merge(source * ranks + destination, 1, Integer::sum) % Transport.MAX_TAG;
    }

    private void fetchOne(int rank, int source, List<Stream> streams) {
      String name = "image of rank " + rank + " of " + epoch;
      if (source == SHARED) {
        if (rank == group.rank()) {
          streams.add(copyFromShared(name));
        }
        return;
      }
      int tag = tag(source, rank);
      if (source == group.rank()) {
        Path file = directory.view().imageFile(epoch, rank);
        streams.add(
            new Outflow(
                exchange,
                name,
                () -> FileSource.open(files, file, 0),
                expected(rank).lengthBytes(),
                rank,
                tag));
      }
      if (rank == group.rank()) {
        streams.add(
            new Inflow(
                exchange,
                name,
                List.of(new Inflow.Source(source, tag, expected(rank).lengthBytes())),
                null,
                expected(rank).lengthBytes(),
                this::sink,
                true));
      }
    }

    /** Lets it flow, then checks what came; who has a sound image now isn't lost any more. */
    private void flowAndCheck(List<Stream> streams, Map<Integer, String> how) throws Exception {
      List<String> ends =
          Together.runText(
              group,
              () -> {
                String failure = "";
                try {
                  exchange.run(streams);
                } catch (IOException e) {
                  failure = said(e);
                } finally {
                  closeAll();
                }
                // What it was to send may have failed, and what it got be sound all the same.
                return (how.containsKey(group.rank()) ? accept(failure) : "") + "\n" + failure;
              });
      for (int rank = 0; rank < ranks; rank++) {
        String[] end = ends.get(rank).split("\n", 2);
        if (how.containsKey(rank) && end[0].isEmpty()) {
          lost.remove(rank);
          recovered.add(rank);
          notes.add("rank " + rank + ": " + how.get(rank) + ", as " + faulty[rank]);
        } else if (how.containsKey(rank)) {
          notes.add("rank " + rank + ": in vain " + how.get(rank) + ": " + end[0]);
        }
        if (!end[1].isEmpty() && !end[1].equals(end[0])) {
          notes.add("rank " + rank + ": " + end[1]);
        }
      }
    }

    private Stream copyFromShared(String name) {
      Path file = directory.shared().orElseThrow().view().imageFile(epoch, group.rank());
      return new CopyFlow(
          exchange,
          name + " from " + file,
          () -> FileSource.open(files, file, 0),
          expected(group.rank()).lengthBytes(),
          this::sink);
    }

    /** Returns why what came is of no use; empty if it is in its place. */
    private String accept(String failure) {
      try {
        try (ImageReader image = ImageReader.open(files, incoming())) {
          image.requireIdentity(directory.job(), epoch, group.rank());
          image.requireRecorded(expected(group.rank()));
          image.verify();
        }
        files.rename(incoming(), directory.view().imageFile(epoch, group.rank()));
        files.syncDirectory(place);
        faults.reached(FaultPoint.AFTER_RECOVERED_IMAGE);
        return "";
      } catch (IOException e) {
        discardIncoming();
        return failure.isEmpty() ? said(e) : failure;
      }
    }

    private void discardIncoming() {
      try {
        files.delete(incoming());
      } catch (IOException e) {
        // It is replaced by what comes next, or goes with the epoch.
      }
    }

    /** Decodes redundancy sets, until none can give another image. */
    private void rebuild() throws Exception {
      List<Encoding> ways = Encoding.of(holdings.values(), images, lost);
      Map<ShardId, SoundShard> shards = lost.isEmpty() ? Map.of() : soundShards(ways);
      Set<String> tried = new HashSet<>();
      while (!lost.isEmpty()) {
        List<Stream> streams = new ArrayList<>();
        Map<Integer, String> how = new TreeMap<>();
        for (int rank : lost) {
          for (Encoding way : ways) {
            if (!how.containsKey(rank)
                && !tried.contains(rank + " " + way.key())
                && decode(rank, way, shards, streams)) {
              tried.add(rank + " " + way.key());
              how.put(rank, "rebuilt from redundancy set " + way.set().set().members());
            }
          }
        }
        if (how.isEmpty()) {
          return;
        }
        flowAndCheck(streams, how);
      }
    }

    /** The parity shards that concern these sets, after their holders have read all of them. */
    private Map<ShardId, SoundShard> soundShards(List<Encoding> ways) throws Exception {
      Set<String> wanted = new HashSet<>();
      ways.forEach(way -> wanted.add(way.key()));
      Map<ShardId, SoundShard> sound = new HashMap<>();
      List<String> checked =
          Together.runText(
              group,
              () -> directory.leader() ? checkShards(wanted, holdings.get(group.rank())) : "");
      for (int leader = 0; leader < ranks; leader++) {
        for (String line : checked.get(leader).split("\n", -1)) {
          if (line.startsWith(SOUND)) {
            String[] words = line.substring(SOUND.length()).split(" ", -1);
            ShardId id =
                new ShardId(
                    directory.job().jobUuid(),
                    epoch,
                    Long.parseLong(words[0]),
                    Integer.parseInt(words[1]),
                    Integer.parseInt(words[2]),
                    Integer.parseInt(words[3]));
            sound.putIfAbsent(id, new SoundShard(leader, place.resolve(id.fileName())));
          } else if (!line.isEmpty()) {
            notes.add("rank " + leader + ": " + line);
          }
        }
      }
      return sound;
    }

    private String checkShards(Set<String> wanted, Holdings own) {
      StringBuilder lines = new StringBuilder();
      for (Holdings.Held held : own.protections()) {
        ProtectionRecord record = held.record();
        for (ProtectionRecord.EncodedSet set : record.sets()) {
          for (ProtectionRecord.Shard shard : set.shards()) {
            if (!wanted.contains(new Encoding(record, set).key())) {
              continue;
            }
            ShardId id = record.id(set, shard);
            try (ShardReader reader = ShardReader.open(files, place.resolve(id.fileName()))) {
              reader.require(id, set.chunkBytes(), shard.digest());
              reader.verify();
              lines.append(SOUND).append(id.encodedBy()).append(' ').append(id.set()).append(' ');
              lines.append(id.stripe()).append(' ').append(id.row());
            } catch (IOException e) {
              lines.append(said(e));
            }
            lines.append('\n');
          }
        }
      }
      return lines.toString();
    }

    /** A shard that takes part in decoding: where it is, and how much of it there is. */
    private record Part(int shard, int holder, long lengthBytes, Outflow.Opener opener) {}

    /** Adds this rank's ends of the decoding of a lost image, if it is possible that way. */
    private boolean decode(
        int rank, Encoding way, Map<ShardId, SoundShard> shards, List<Stream> streams) {
      if (!way.decodes(rank, lost, shards::containsKey)) {
        return false;
      }
      int position = way.set().set().members().indexOf(rank);
      long chunkBytes = way.set().chunkBytes();
      List<List<Part>> chunks = new ArrayList<>();
      for (int chunk = 0; chunk * chunkBytes < expected(rank).lengthBytes(); chunk++) {
        chunks.add(parts(way, position, chunk, shards));
      }
      List<Stream> inflows = new ArrayList<>();
      long imageBytes = expected(rank).lengthBytes();
      FileSink[] shared = new FileSink[1];
      for (int chunk = 0; chunk < chunks.size(); chunk++) {
        long length = RedundancySet.present(imageBytes, chunkBytes, chunk);
        boolean last = chunk == chunks.size() - 1;
        decodeChunk(rank, way, chunk, length, last, chunks.get(chunk), shared, streams, inflows);
      }
      if (!inflows.isEmpty()) {
        streams.add(new Sequence(inflows));
      }
      return true;
    }

    private void decodeChunk(
        int rank,
        Encoding way,
        int chunk,
        long length,
        boolean last,
        List<Part> parts,
        FileSink[] shared,
        List<Stream> streams,
        List<Stream> inflows) {
      RedundancySet set = way.set().set();
      String name = "chunk " + chunk + " of the image of rank " + rank + " of " + epoch;
      List<Inflow.Source> sources = new ArrayList<>();
      for (Part part : parts) {
        int tag = tag(part.holder(), rank);
        long sent = Math.min(length, part.lengthBytes());
        if (part.holder() == group.rank() && sent > 0) {
          streams.add(new Outflow(exchange, name, part.opener(), sent, rank, tag));
        }
        sources.add(new Inflow.Source(part.holder(), tag, sent));
      }
      if (rank != group.rank()) {
        return;
      }
      int[] available = parts.stream().mapToInt(Part::shard).toArray();
      inflows.add(
          new Inflow(
              exchange,
              name,
              sources,
              code.recipe(set.dataShards(), set.parityShards(), available, chunk),
              length,
              () -> {
                if (shared[0] == null) {
                  shared[0] = sink();
                }
                return shared[0];
              },
              last));
    }

    /** What a lost chunk is decoded from. */
    private List<Part> parts(
        Encoding way, int position, int chunk, Map<ShardId, SoundShard> shards) {
      RedundancySet set = way.set().set();
      long chunkBytes = way.set().chunkBytes();
      int stripe = set.stripeOf(position, chunk);
      List<Part> parts = new ArrayList<>();
      for (int number : way.left(position, chunk, lost, shards::containsKey)) {
        if (number < set.dataShards()) {
          int member = set.holder(stripe, number);
          long present = RedundancySet.present(expected(member).lengthBytes(), chunkBytes, number);
          long from = number * chunkBytes;
          Path image = directory.view().imageFile(epoch, member);
          parts.add(new Part(number, member, present, () -> FileSource.open(files, image, from)));
        } else {
          SoundShard shard = shards.get(way.parity(stripe, number - set.dataShards()));
          parts.add(
              new Part(
                  number,
                  shard.holder(),
                  chunkBytes,
                  () -> ShardReader.source(files, shard.file())));
        }
      }
      return parts;
    }

    /** Each store's record names the images that its ranks have now. */
    private void writeRecords() throws Exception {
      List<String> written = Together.runText(group, () -> directory.leader() ? writeRecord() : "");
      for (int leader = 0; leader < ranks; leader++) {
        if (!written.get(leader).isEmpty()) {
          notes.add(
              "the record in the store of rank "
                  + leader
                  + ": written anew, as "
                  + written.get(leader));
        }
      }
    }

    /** The epochs that the images of this store's ranks take bytes from, oldest first. */
    private List<EpochId> refersTo() throws IOException {
      Set<EpochId> epochs = new TreeSet<>();
      for (int rank : directory.storeRanks()) {
        try (ImageReader image = ImageReader.open(files, directory.view().imageFile(epoch, rank))) {
          image.ancestors().forEach(ancestor -> epochs.add(ancestor.epoch()));
        }
      }
      return List.copyOf(epochs);
    }

    /** Returns what was wrong with it; empty if it is as it was. */
    private String writeRecord() throws IOException {
      Map<Integer, EpochRecord.Image> named = new TreeMap<>();
      Path file = directory.view().recordFile(epoch);
      String wrong = "it names other images";
      try {
        EpochRecord old = EpochRecord.read(files, file);
        old.requireIdentity(file, directory.job(), epoch);
        old.images().forEach(image -> named.put(image.rank(), image));
        if (directory.storeRanks().stream()
            .allMatch(rank -> expected(rank).equals(named.get(rank)))) {
          return "";
        }
      } catch (IOException e) {
        wrong =
            e instanceof NoSuchFileException
                ? place.resolve(EpochRecord.COMMITTED) + ": missing"
                : said(e);
      }
      directory.storeRanks().forEach(rank -> named.put(rank, expected(rank)));
      EpochRecord record =
          new EpochRecord(
              directory.job().jobId(),
              directory.job().jobUuid(),
              ranks,
              epoch,
              images.jobDigest(),
              refersTo(),
              List.copyOf(named.values()));
      String name = standing == Standing.COMMITTED ? EpochRecord.COMMITTED : EpochRecord.PENDING;
      files.publish(place.resolve(name), record.encode());
      // With an image that wasn't there, that its record wasn't is no news.
      return directory.storeRanks().stream().anyMatch(recovered::contains) ? "" : wrong;
    }
  }
}
