// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import static io.cairn.tier.DamageModel.NODES;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.cairn.capture.Registry;
import io.cairn.coordinate.Group;
import io.cairn.image.EpochId;
import io.cairn.image.FaultHook;
import io.cairn.natives.NativeErasureCode;
import io.cairn.restore.Choice;
import io.cairn.restore.NoUsableEpochException;
import io.cairn.restore.RestoreAgreement;
import io.cairn.restore.RestoredImage;
import io.cairn.restore.Restorer;
import io.cairn.store.JobDirectory;
import io.cairn.store.Launch;
import io.cairn.store.StoreSettings;
import io.cairn.testing.LocalTransport;
import io.cairn.testing.NodesJob;
import io.cairn.testing.TestPages;
import io.cairn.testing.ThreadGroupWorld;
import io.cairn.testing.UnsyncedFiles;
import io.cairn.tier.DamageModel.Damage;
import io.cairn.tier.DamageModel.From;
import io.cairn.tier.DamageModel.Scheme;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two epochs are committed and protected on six nodes; then files are erased, corrupted or
 * truncated on up to three of them, and the next launch restores. What it must come to says {@link
 * DamageModel}; docs/damage.md is rendered from it.
 *
 * <p>One part of the cases is run, another one each time: {@code -Ddamage.seed=N} repeats it,
 * {@code -Ddamage.all=true} runs all. {@code -Ddocs.update=true} writes the document.
 */
final class DamageMatrixTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "damage.md");
  private static final int PARTS = 12;
  private static final int AT_ONCE = 3;
  private static final int LARGE = 25; // one case of so many has images of several pieces

  private static final String MESSAGES =
      """
      ## What is said

      For each image that was brought to where its rank runs, how and why; for each record that was written anew, why:

      ```
      epoch 2 of generation 1, rank 3: copied from the store of rank 4, as <file>: missing
      epoch 2 of generation 1, rank 3: rebuilt from redundancy set [1, 3, 5], as <file> at offset 812: checksum ...
      epoch 2 of generation 1, the record in the store of rank 3: written anew, as <file>: missing
      ```

      For an epoch that isn't used, every damaged file that would have been of use:

      ```
      epoch 2 of generation 1, rank 3: in vain copied from the store of rank 4: <file> at offset 812: checksum ...
      epoch 2 of generation 1, rank 3: no sound image, copy or redundancy set is left; <file>: missing
      epoch 2 of generation 1, rank 3: nothing says what its image is; <file>: missing
      ```

      If no epoch is left, these lines are the launch's error, which also says how to start afresh.
      """;

  @TempDir Path base;

  /** What is done to a file. */
  private enum How {
    ERASE,
    CORRUPT,
    TRUNCATE
  }

  /** Which files of a node. */
  private enum What {
    IMAGE("image"),
    PROTECTION("what it holds for others"),
    RECORD("record"),
    TIER_RECORD("the tier's record"),
    RECORDS("both records"),
    IMAGE_AND_PROTECTION("image and what it holds for others"),
    IMAGE_AND_NEXT_TIER_RECORD("image, and the next node's record of the tier"),
    NODE("everything");

    private final String words;

    What(String words) {
      this.words = words;
    }

    private Damage on(List<Integer> nodes) {
      Damage damage = new Damage();
      for (int node : nodes) {
        switch (this) {
          case IMAGE -> damage.images.add(node);
          case PROTECTION -> damage.protections.add(node);
          case RECORD -> damage.records.add(node);
          case TIER_RECORD -> damage.tierRecords.add(node);
          case RECORDS -> {
            damage.records.add(node);
            damage.tierRecords.add(node);
          }
          case IMAGE_AND_PROTECTION -> {
            damage.images.add(node);
            damage.protections.add(node);
          }
          case IMAGE_AND_NEXT_TIER_RECORD -> {
            damage.images.add(node);
            damage.tierRecords.add((node + 1) % NODES);
          }
          case NODE -> {
            damage.images.add(node);
            damage.protections.add(node);
            damage.records.add(node);
            damage.tierRecords.add(node);
          }
        }
      }
      return damage;
    }
  }

  /** Which nodes. */
  private enum Where {
    ONE("one node"),
    ADJACENT("two adjacent nodes"),
    APART("two nodes apart"),
    THREE("three nodes");

    private final String words;

    Where(String words) {
      this.words = words;
    }

    private static Where of(List<Integer> nodes) {
      if (nodes.size() != 2) {
        return nodes.size() == 1 ? ONE : THREE;
      }
      int distance = nodes.get(1) - nodes.get(0);
      return distance == 1 || distance == NODES - 1 ? ADJACENT : APART;
    }
  }

  /** One case; both epochs are damaged alike, or the newest only. */
  private record Case(
      Scheme scheme, boolean large, What what, How how, List<Integer> nodes, boolean both) {}

  /** A job's files, as they are after two protected epochs. */
  private record Sample(Map<String, byte[]> files, long[][] imageBytes, NodesJob job) {

    private boolean isRestorable(Case which, long epoch) {
      return !outcome(which, epoch).isEmpty();
    }

    private List<From> outcome(Case which, long epoch) {
      Damage damage = epoch == 2 || which.both() ? which.what().on(which.nodes()) : new Damage();
      return new DamageModel(which.scheme(), imageBytes[(int) epoch - 1], damage).outcome();
    }

    /** The epoch that is restored; 0 if none is. */
    private long epoch(Case which) {
      if (isRestorable(which, 2)) {
        return 2;
      }
      return isRestorable(which, 1) ? 1 : 0;
    }
  }

  private static List<List<Integer>> nodeSets() {
    List<List<Integer>> sets = new ArrayList<>();
    for (int bits = 1; bits < 1 << NODES; bits++) {
      if (Integer.bitCount(bits) <= 3) {
        List<Integer> nodes = new ArrayList<>();
        for (int node = 0; node < NODES; node++) {
          if ((bits >> node & 1) == 1) {
            nodes.add(node);
          }
        }
        sets.add(List.copyOf(nodes));
      }
    }
    return sets;
  }

  private static List<Case> allCases() {
    List<Case> cases = new ArrayList<>();
    for (Scheme scheme : Scheme.values()) {
      for (What what : What.values()) {
        for (How how : How.values()) {
          for (List<Integer> nodes : nodeSets()) {
            for (boolean both : List.of(false, true)) {
              cases.add(new Case(scheme, cases.size() % LARGE == 0, what, how, nodes, both));
            }
          }
        }
      }
    }
    return cases;
  }

  private static int stateBytes(boolean large, int rank) {
    return large ? 400_000 + rank * 130_001 : 700 + rank * 2_500;
  }

  private static TierSettings tiers(Scheme scheme) {
    return NodesJob.keeping(
        scheme == Scheme.PARTNER
            ? NodesJob.partner()
            : NodesJob.sets(scheme.dataShards, scheme.parityShards),
        2);
  }

  private Sample sample(Scheme scheme, boolean large) throws Exception {
    Path place = base.resolve(scheme + (large ? "-large" : "-small"));
    NodesJob job = new NodesJob(place, NODES, rank -> stateBytes(large, rank)).keeping(2);
    String tier = scheme == Scheme.PARTNER ? "partner" : "set";
    job.launch(IntUnaryOperator.identity())
        .with(tiers(scheme))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              assertEquals(List.of(), rank.shortcomings());
              for (long epoch = 1; epoch <= 2; epoch++) {
                job.epoch(rank, state, epoch);
                rank.news.await("protected " + tier + " " + epoch);
              }
            });
    Map<String, byte[]> files = new TreeMap<>();
    long[][] imageBytes = new long[2][NODES];
    try (Stream<Path> all = Files.walk(place)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(place.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    for (int rank = 0; rank < NODES; rank++) {
      for (int epoch = 1; epoch <= 2; epoch++) {
        imageBytes[epoch - 1][rank] =
            Files.size(job.epoch(rank, epoch).resolve("rank-" + rank + ".image"));
      }
    }
    return new Sample(files, imageBytes, job);
  }

  /** A file's place in the damage; null if it isn't damaged whatever the case. */
  private static boolean isHit(Case which, String name) {
    String[] parts = name.split("/", -1);
    int node = Integer.parseInt(parts[0].substring("node".length()));
    if (parts.length == 3) {
      return which.what() == What.NODE
          && which.both()
          && which.nodes().contains(node)
          && !parts[2].equals("lock");
    }
    if (!which.both() && parts[2].equals("epoch-1-1")) {
      return false;
    }
    Damage damage = which.what().on(which.nodes());
    return switch (parts[3]) {
      case "record" -> damage.records.contains(node);
      case "partner-record", "set-record" -> damage.tierRecords.contains(node);
      default ->
          (parts[3].equals("rank-" + node + ".image") ? damage.images : damage.protections)
              .contains(node);
    };
  }

  private static byte[] damaged(byte[] sound, How how, Random random) {
    if (how == How.TRUNCATE) {
      return Arrays.copyOf(sound, random.nextInt(sound.length));
    }
    byte[] bytes = sound.clone();
    bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
    return bytes;
  }

  /**
   * Makes the place have the sample's files but for the damage. Writes over what another case has
   * left: some file systems are slow with names that come and go.
   */
  private static void lay(Sample sample, Case which, Path place, Random random) throws IOException {
    Set<Path> left = new HashSet<>();
    try (Stream<Path> all = Files.walk(place)) {
      all.filter(Files::isRegularFile).forEach(left::add);
    }
    int hits = 0;
    for (Map.Entry<String, byte[]> file : sample.files().entrySet()) {
      boolean hit = isHit(which, file.getKey());
      hits += hit ? 1 : 0;
      if (hit && which.how() == How.ERASE) {
        continue;
      }
      Path path = place.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      Files.write(path, hit ? damaged(file.getValue(), which.how(), random) : file.getValue());
      left.remove(path);
    }
    for (Path path : left) {
      Files.delete(path);
      for (Path empty = path.getParent(); isEmpty(empty); empty = empty.getParent()) {
        Files.delete(empty);
      }
    }
    assertTrue(hits >= which.nodes().size(), "nothing was damaged");
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.findAny().isEmpty();
    }
  }

  /** How a rank's start ended. */
  private record Result(long epoch, List<String> reasons, List<String> recovered) {}

  /** What a start does before the application's turn. */
  private static Result start(
      Sample sample, Path place, Group group, LocalTransport transport, int stateBytes)
      throws Exception {
    UnsyncedFiles files = new UnsyncedFiles();
    Launch launch = new Launch("here", 4711, "2026-01-01T00:00:00Z", UUID.randomUUID());
    StoreSettings settings = new StoreSettings(place.resolve("node" + group.rank()), "job");
    try (JobDirectory directory =
        JobDirectory.open(settings, 4096, group, files, launch, System::nanoTime)) {
      Recovery recovery =
          new Recovery(
              directory,
              transport,
              new NativeErasureCode(),
              files,
              FaultHook.NONE,
              System::nanoTime,
              20_000);
      Choice choice;
      try {
        choice =
            new RestoreAgreement(directory, group, files, Optional.of(recovery)).choose("afresh");
      } catch (NoUsableEpochException e) {
        return new Result(0, e.getMessage().lines().toList(), List.of());
      }
      EpochId epoch = choice.epoch().orElseThrow();
      TestPages pages = new TestPages();
      Registry registry = new Registry();
      long address = pages.allocate(stateBytes);
      registry.region("u", address, stateBytes);
      try (RestoredImage restored =
          new Restorer(pages, registry, files, FaultHook.NONE).restore(directory, epoch, group)) {
        assertEquals(epoch, restored.epoch());
        assertEquals(
            -1,
            pages
                .view(address, stateBytes)
                .mismatch(ByteBuffer.wrap(sample.job().state(group.rank(), epoch.epoch()))),
            "wrong state");
      }
      // All is where it belongs now: what comes next needs no recovery.
      Choice again =
          new RestoreAgreement(directory, group, files, Optional.empty()).choose("afresh");
      assertEquals(choice.epoch(), again.epoch(), () -> again.reasons().toString());
      return new Result(epoch.epoch(), choice.reasons(), choice.recovered());
    }
  }

  private static void run(Sample sample, Case which, Path place, Random random) throws Exception {
    lay(sample, which, place, random);
    ThreadGroupWorld world = new ThreadGroupWorld(NODES);
    LocalTransport.World transports = new LocalTransport.World(NODES, Duration.ofSeconds(30));
    List<Result> results = new ArrayList<>();
    for (ThreadGroupWorld.Outcome<Result> outcome :
        ThreadGroupWorld.run(
            NODES,
            rank ->
                () ->
                    start(
                        sample,
                        place,
                        world.group(rank),
                        transports.transport(rank),
                        stateBytes(which.large(), rank)))) {
      results.add(outcome.get());
    }
    assertEquals(0, transports.unreceived(), "messages are left");
    for (Result result : results) {
      assertEquals(results.get(0), result, "the ranks don't agree");
    }
    check(sample, which, results.get(0), place);
  }

  private static void check(Sample sample, Case which, Result result, Path place) {
    assertEquals(sample.epoch(which), result.epoch(), () -> result.toString());
    for (long epoch = 2; epoch > result.epoch(); epoch--) {
      assertNamed(which, epoch, result.reasons(), place);
    }
    if (result.epoch() == 0) {
      assertTrue(result.reasons().get(0).startsWith("no committed epoch can be restored"));
      return;
    }
    List<From> froms = sample.outcome(which, result.epoch());
    boolean damaged = which.both() || result.epoch() == 2;
    Damage damage = damaged ? which.what().on(which.nodes()) : new Damage();
    for (int rank = 0; rank < NODES; rank++) {
      String begin = "epoch " + result.epoch() + " of generation 1, rank " + rank + ": ";
      String image = "/node" + rank + "/job/epoch-1-" + result.epoch() + "/rank-" + rank;
      String source =
          switch (froms.get(rank)) {
            case OWN -> null;
            case COPY -> "copied from the store of rank " + DamageModel.partner(rank);
            case REBUILT ->
                "rebuilt from redundancy set " + DamageModel.setOf(which.scheme(), rank);
          };
      List<String> lines =
          result.recovered().stream()
              .filter(
                  line -> line.startsWith(begin + "copied") || line.startsWith(begin + "rebuilt"))
              .toList();
      assertEquals(source == null ? 0 : 1, lines.size(), () -> result.toString());
      if (source != null) {
        assertTrue(lines.get(0).startsWith(begin + source), lines.get(0));
        assertTrue(lines.get(0).contains(image), lines.get(0));
      } else if (damage.records.contains(rank)) {
        assertSaid(result.recovered(), "the record in the store of rank " + rank);
        assertSaid(
            result.recovered(), "/node" + rank + "/job/epoch-1-" + result.epoch() + "/record");
      }
    }
  }

  /** An epoch that isn't used: the reasons name what is damaged and would have been of use. */
  private static void assertNamed(Case which, long epoch, List<String> reasons, Path place) {
    Damage damage = which.what().on(which.nodes());
    boolean sets = which.scheme() != Scheme.PARTNER;
    for (int node = 0; node < NODES; node++) {
      Path there = place.resolve("node" + node).resolve("job").resolve("epoch-1-" + epoch);
      if (damage.images.contains(node)) {
        assertSaid(reasons, there + "/rank-" + node + ".image");
      }
      if (damage.records.contains(node)) {
        assertSaid(reasons, there + "/record");
      }
      if (damage.tierRecords.contains(node)) {
        if (which.how() != How.ERASE) {
          assertSaid(reasons, there + (sets ? "/set-record" : "/partner-record"));
        }
      } else if (damage.protections.contains(node)) {
        if (sets) {
          assertSaid(reasons, there + "/set-");
        } else if (damage.images.contains(Math.floorMod(node - 1, NODES))) {
          assertSaid(reasons, "from the store of rank " + node);
        }
      }
    }
  }

  private static void assertSaid(List<String> lines, String text) {
    assertTrue(
        lines.stream().anyMatch(line -> line.contains(text)),
        () -> "not said: " + text + "\n" + String.join("\n", lines));
  }

  @Test
  void shouldBeDocumentedAsTheModelHasIt() throws Exception {
    String rendered = render();
    if (Boolean.getBoolean("docs.update")) {
      Files.writeString(DOCUMENT, rendered);
    }
    assertEquals(
        rendered,
        Files.readString(DOCUMENT),
        "docs/damage.md is behind DamageModel; run this test with -Ddocs.update=true");
  }

  private String render() throws Exception {
    StringBuilder text =
        new StringBuilder(
            """
            # What comes back after damage

            <!-- Rendered from DamageModel by DamageMatrixTest; change it there. -->

            Six nodes with a rank each have committed two epochs, and each epoch is protected. Then files are erased, or
            truncated, or a bit of them is flipped, on one to three of the nodes, and the job is launched again. It restores
            the newest epoch that can be made whole: from the rank's own image, from its partner copy, or rebuilt from its
            redundancy set. Each file counts as lost, however it was damaged; the state is the epoch's, to the bit, or there is
            none. In the tables, *comes back* is the share of the sets of nodes of that kind after whose damage the epoch is
            whole again. That of a set is more than its k+m promises where images differ in size: beyond the end of a short one
            are zeros, which can't be lost.

            - If the damaged epoch is the newest only, and it doesn't come back, the older one is restored, and why is said.
            - If both are damaged alike, and neither comes back, the launch is refused, with every reason.
            - A store that has lost everything, or has been replaced by an empty one, is filled again. The same goes for its
              records, wherever any sound record says what they said.

            """);
    for (Scheme scheme : Scheme.values()) {
      text.append("## ").append(capital(scheme.words)).append("\n\n");
      text.append("| damaged | on | comes back | from |\n|---|---|---|---|\n");
      Sample sample = sample(scheme, false);
      for (What what : What.values()) {
        rows(scheme, what, sample, text);
      }
      text.append('\n');
    }
    return text.append(MESSAGES).toString();
  }

  private static String capital(String words) {
    return words.substring(0, 1).toUpperCase(Locale.ROOT) + words.substring(1);
  }

  /** Kinds of damage that come to the same share one row. */
  private static void rows(Scheme scheme, What what, Sample sample, StringBuilder text) {
    Map<Where, String> rows = new EnumMap<>(Where.class);
    for (Where where : Where.values()) {
      int whole = 0;
      int total = 0;
      Set<From> froms = EnumSet.noneOf(From.class);
      for (List<Integer> nodes : nodeSets()) {
        if (Where.of(nodes) == where) {
          List<From> outcome =
              sample.outcome(new Case(scheme, false, what, How.ERASE, nodes, true), 2);
          total++;
          whole += outcome.isEmpty() ? 0 : 1;
          froms.addAll(outcome);
        }
      }
      String share = whole == total ? "always" : whole == 0 ? "never" : whole + " of " + total;
      rows.put(where, "| " + share + " | " + source(froms) + " |");
    }
    String name = "| " + what.words + " | ";
    if (rows.values().stream().distinct().count() == 1) {
      text.append(name).append("up to three nodes ").append(rows.get(Where.ONE)).append('\n');
      return;
    }
    rows.forEach(
        (where, end) -> text.append(name).append(where.words).append(' ').append(end).append('\n'));
  }

  private static String source(Set<From> froms) {
    if (froms.contains(From.COPY)) {
      return "partner copies";
    }
    if (froms.contains(From.REBUILT)) {
      return "the other members";
    }
    return froms.isEmpty() ? "" : "own images";
  }

  @Test
  void shouldRestoreWhatTheTiersPromiseWhateverIsDamaged() throws Exception {
    long seed = Long.getLong("damage.seed", System.nanoTime() & 0xffffff);
    boolean all = Boolean.getBoolean("damage.all");
    System.out.println("-Ddamage.seed=" + seed + (all ? " -Ddamage.all=true" : ""));
    Map<String, Sample> samples = new ConcurrentHashMap<>();
    for (Scheme scheme : Scheme.values()) {
      for (boolean large : List.of(false, true)) {
        samples.put(scheme + " " + large, sample(scheme, large));
      }
    }
    List<Case> cases = allCases();
    BlockingQueue<Path> places = new LinkedBlockingQueue<>();
    for (int i = 0; i < AT_ONCE; i++) {
      places.add(Files.createDirectory(base.resolve("place" + i)));
    }
    ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
    Map<Case, Future<?>> running = new LinkedHashMap<>();
    Collections.shuffle(cases, new Random(seed));
    for (Case which : cases.subList(0, all ? cases.size() : cases.size() / PARTS)) {
      Random random = new Random(seed + running.size());
      running.put(
          which,
          threads.submit(
              () -> {
                Path place = places.take();
                try {
                  run(samples.get(which.scheme() + " " + which.large()), which, place, random);
                } finally {
                  places.add(place);
                }
                return null;
              }));
    }
    threads.shutdown();
    int failed = 0;
    for (Map.Entry<Case, Future<?>> one : running.entrySet()) {
      try {
        one.getValue().get();
      } catch (java.util.concurrent.ExecutionException e) {
        failed++;
        System.out.println(one.getKey() + ", seed " + seed);
        e.getCause().printStackTrace(System.out);
      }
    }
    System.out.println(running.size() + " of " + cases.size() + " cases, " + failed + " failed");
    if (failed > 0) {
      fail(failed + " of " + running.size() + " cases failed, see the output; seed " + seed);
    }
  }
}
