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
import io.cairn.image.ImageReader;
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
import io.cairn.testing.SimulatedRank;
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
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two epochs are committed and protected on six nodes, or three of which each takes bytes from
 * those before; then files are erased, corrupted or truncated on up to three of them, and the next
 * launch restores. What it must come to says {@link DamageModel}; docs/damage.md is rendered from
 * it.
 *
 * <p>One part of the cases is run, another one each time: {@code -Ddamage.seed=N} repeats it,
 * {@code -Ddamage.all=true} runs all. {@code -Ddocs.update=true} writes the document.
 */
@Tag("one-jdk") // takes long, and asks nothing of the JDK
final class DamageMatrixTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "damage.md");
  private static final int PARTS = 21;
  private static final int AT_ONCE = 3;
  private static final int LARGE = 25; // one case of so many has images of several pieces
  private static final int BLOCK = SimulatedRank.BLOCK_BYTES;

  private static final String MESSAGES =
      """
      ## What is said

      For each image that was brought to where its rank runs, how and why; for each record that was written anew, why:

      ```
      epoch 2 of generation 1, rank 3: copied from the store of rank 4, as <file>: missing
      epoch 2 of generation 1, rank 3: rebuilt from redundancy set [1, 3, 5], as <file> at offset 812: checksum ...
      epoch 2 of generation 1, the record in the store of rank 3: written anew, as <file>: missing
      epoch 3 of generation 1, epoch 2 of generation 1, rank 3: copied from the store of rank 4, as <file>: missing
      ```

      The last one is of an older epoch, which epoch 3 takes bytes from.

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

  /** What the job has written. */
  private enum Job {
    /** Two epochs of full images. */
    SMALL(2),
    /** The same, of several pieces each. */
    LARGE(2),
    /** Three epochs: the second takes bytes from the first, the third from both. */
    CHAIN(3);

    private final long newest;

    Job(long newest) {
      this.newest = newest;
    }

    /** What an epoch takes bytes from, itself among it. */
    private List<Long> chain(long epoch) {
      return this == CHAIN ? LongStream.rangeClosed(1, epoch).boxed().toList() : List.of(epoch);
    }

    private int stateBytes(int rank) {
      return switch (this) {
        case SMALL -> 700 + rank * 2_500;
        case LARGE -> 400_000 + rank * 130_001;
        case CHAIN -> (6 + rank) * BLOCK + 700;
      };
    }
  }

  /** Which epochs are damaged, all alike. */
  private enum When {
    NEWEST,
    ALL,
    OLDEST,
    MIDDLE;

    private boolean hits(Job job, long epoch) {
      return switch (this) {
        case NEWEST -> epoch == job.newest;
        case ALL -> true;
        case OLDEST -> epoch == 1;
        case MIDDLE -> epoch == 2;
      };
    }
  }

  /** One case. */
  private record Case(Scheme scheme, Job job, What what, How how, List<Integer> nodes, When when) {

    private Damage damage(long epoch) {
      return when.hits(job, epoch) ? what.on(nodes) : new Damage();
    }
  }

  /** A job's files, as they are after its protected epochs. */
  private record Sample(Map<String, byte[]> files, long[][] imageBytes, NodesJob job) {

    /** With all that it takes bytes from. */
    private boolean isRestorable(Case which, long epoch) {
      return which.job().chain(epoch).stream().noneMatch(one -> outcome(which, one).isEmpty());
    }

    /** Of an epoch's own images. */
    private List<From> outcome(Case which, long epoch) {
      return new DamageModel(which.scheme(), imageBytes[(int) epoch - 1], which.damage(epoch))
          .outcome();
    }

    /** The epoch that is restored; 0 if none is. */
    private long epoch(Case which) {
      long epoch = which.job().newest;
      while (epoch > 0 && !isRestorable(which, epoch)) {
        epoch--;
      }
      return epoch;
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
            for (When when : List.of(When.NEWEST, When.ALL)) {
              Job job = cases.size() % LARGE == 0 ? Job.LARGE : Job.SMALL;
              cases.add(new Case(scheme, job, what, how, nodes, when));
            }
          }
        }
        for (List<Integer> nodes : nodeSets()) {
          for (When when : When.values()) {
            How how = How.values()[cases.size() % How.values().length];
            cases.add(new Case(scheme, Job.CHAIN, what, how, nodes, when));
          }
        }
      }
    }
    return cases;
  }

  private static TierSettings tiers(Scheme scheme, Job job) {
    return NodesJob.keeping(
        scheme == Scheme.PARTNER
            ? NodesJob.partner()
            : NodesJob.sets(scheme.dataShards, scheme.parityShards),
        (int) job.newest);
  }

  private Sample sample(Scheme scheme, Job kind) throws Exception {
    Path place = base.resolve(scheme + "-" + kind);
    NodesJob job = new NodesJob(place, NODES, kind::stateBytes).keeping((int) kind.newest);
    if (kind == Job.CHAIN) {
      job.chained((int) kind.newest);
    }
    String tier = scheme == Scheme.PARTNER ? "partner" : "set";
    job.launch(IntUnaryOperator.identity())
        .with(tiers(scheme, kind))
        .run(
            (rank, state) -> {
              assertNull(rank.restore());
              assertEquals(List.of(), rank.shortcomings());
              for (long epoch = 1; epoch <= kind.newest; epoch++) {
                job.epoch(rank, state, epoch);
                rank.news.await("protected " + tier + " " + epoch);
              }
            });
    Map<String, byte[]> files = new TreeMap<>();
    long[][] imageBytes = new long[(int) kind.newest][NODES];
    try (Stream<Path> all = Files.walk(place)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(place.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    for (int rank = 0; rank < NODES; rank++) {
      for (int epoch = 1; epoch <= kind.newest; epoch++) {
        Path image = job.epoch(rank, epoch).resolve("rank-" + rank + ".image");
        imageBytes[epoch - 1][rank] = Files.size(image);
        assertEquals(kind.chain(epoch).size() - 1, ancestors(image), image::toString);
      }
    }
    return new Sample(files, imageBytes, job);
  }

  private static int ancestors(Path image) throws IOException {
    try (ImageReader reader = ImageReader.open(new UnsyncedFiles(), image)) {
      return reader.ancestors().size();
    }
  }

  /** Whether a file is damaged. */
  private static boolean isHit(Case which, String name) {
    String[] parts = name.split("/", -1);
    int node = Integer.parseInt(parts[0].substring("node".length()));
    if (parts.length == 3) {
      return which.what() == What.NODE
          && which.when() == When.ALL
          && which.nodes().contains(node)
          && !parts[2].equals("lock");
    }
    Damage damage = which.damage(Long.parseLong(parts[2].substring("epoch-1-".length())));
    return switch (parts[3]) {
      case "record" -> damage.records.contains(node);
      case "partner-record", "set-record" -> damage.tierRecords.contains(node);
      default ->
          (parts[3].equals("rank-" + node + ".image") ? damage.images : damage.protections)
              .contains(node);
    };
  }

  private static byte[] damaged(byte[] sound, Case which, String name, Random random) {
    if (which.how() == How.TRUNCATE) {
      return Arrays.copyOf(sound, random.nextInt(sound.length));
    }
    byte[] bytes = sound.clone();
    int at = random.nextInt(bytes.length);
    if (which.job() == Job.CHAIN && name.endsWith(".image")) {
      // Not a block that a newer epoch has changed, nor messages of an older one: nobody reads them
      // again. Header and first block, then: every epoch needs them of all its images.
      at = random.nextInt(2 * BLOCK);
    }
    bytes[at] ^= (byte) (1 << random.nextInt(8));
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
      Files.write(
          path, hit ? damaged(file.getValue(), which, file.getKey(), random) : file.getValue());
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
                        which.job().stateBytes(rank)))) {
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
    for (long epoch = which.job().newest; epoch > result.epoch(); epoch--) {
      // Only once its own images are whole, those that they take bytes from are looked for.
      boolean own = sample.outcome(which, epoch).isEmpty();
      for (long one : own ? List.of(epoch) : which.job().chain(epoch)) {
        if (sample.outcome(which, one).isEmpty()) {
          assertNamed(which, epoch, one, result.reasons(), place);
        }
      }
    }
    if (result.epoch() == 0) {
      assertTrue(result.reasons().get(0).startsWith("no committed epoch can be restored"));
      return;
    }
    for (long epoch : which.job().chain(result.epoch())) {
      checkRecovered(sample, which, result, epoch);
    }
  }

  /** What is said of the images of the epoch that is restored, or of one that it needs. */
  private static void checkRecovered(Sample sample, Case which, Result result, long epoch) {
    List<From> froms = sample.outcome(which, epoch);
    Damage damage = which.damage(epoch);
    String begin = title(result.epoch(), epoch);
    // Nobody looks at the records of an epoch that is only needed while all images are sound.
    boolean looked =
        epoch == result.epoch()
            || !which.damage(result.epoch()).records.isEmpty()
            || which.job().chain(result.epoch()).stream()
                .anyMatch(one -> !which.damage(one).images.isEmpty());
    for (int rank = 0; rank < NODES; rank++) {
      String beginOfRank = begin + "rank " + rank + ": ";
      String place = "/node" + rank + "/job/epoch-1-" + epoch;
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
                  line ->
                      line.startsWith(beginOfRank + "copied")
                          || line.startsWith(beginOfRank + "rebuilt"))
              .toList();
      assertEquals(source == null ? 0 : 1, lines.size(), () -> result.toString());
      if (source != null) {
        assertTrue(lines.get(0).startsWith(beginOfRank + source), lines.get(0));
        assertTrue(lines.get(0).contains(place + "/rank-" + rank), lines.get(0));
      } else if (looked && damage.records.contains(rank)) {
        assertSaid(result.recovered(), begin + "the record in the store of rank " + rank);
        assertSaid(result.recovered(), place + "/record");
      }
    }
  }

  /** How what is said of an epoch begins, for the sake of another or its own. */
  private static String title(long wanted, long epoch) {
    String title = "epoch " + wanted + " of generation 1, ";
    return epoch == wanted ? title : title + "epoch " + epoch + " of generation 1, ";
  }

  /** An epoch that isn't used: the reasons name what is damaged and would have been of use. */
  private static void assertNamed(
      Case which, long wanted, long epoch, List<String> all, Path place) {
    Damage damage = which.damage(epoch);
    // What could be recovered for the sake of a newer epoch, in vain, was said there.
    String title = title(epoch, epoch);
    List<String> reasons = all.stream().filter(line -> line.contains(title)).toList();
    boolean sets = which.scheme() != Scheme.PARTNER;
    for (int node = 0; node < NODES; node++) {
      Path there = place.resolve("node" + node).resolve("job").resolve("epoch-1-" + epoch);
      if (damage.images.contains(node)) {
        assertSaid(reasons, there + "/rank-" + node + ".image");
      }
      // What an older epoch's images are, the newer one says: a record that isn't there isn't
      // missed.
      if (damage.records.contains(node) && (epoch == wanted || which.how() != How.ERASE)) {
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

            Six nodes with a rank each have committed two epochs, or three of which each takes bytes from those before, and
            each epoch is protected. Then files are erased, or truncated, or a bit of them is flipped, on one to three of the
            nodes, and the job is launched again. It restores the newest epoch that can be made whole: from the rank's own image,
            from its partner copy, or rebuilt from its redundancy set. Each file counts as lost, however it was damaged; the
            state is the epoch's, to the bit, or there is none. In the tables, *comes back* is the share of the sets of nodes of that kind after whose damage the epoch is
            whole again. That of a set is more than its k+m promises where images differ in size: beyond the end of a short one
            are zeros, which can't be lost.

            - If the damaged epoch is the newest only, and it doesn't come back, the older one is restored, and why is said.
            - If all are damaged alike, and none comes back, the launch is refused, with every reason.
            - An epoch that takes bytes from older ones (`cairn.full.every`) comes back if these do, too, each by what is left
              of its own files. If one doesn't, all that take bytes from it are passed over, and the newest that doesn't is
              restored. A block of an older image that a newer one has replaced isn't missed.
            - A store that has lost everything, or has been replaced by an empty one, is filled again. The same goes for its
              records, wherever any sound record says what they said.

            """);
    for (Scheme scheme : Scheme.values()) {
      text.append("## ").append(capital(scheme.words)).append("\n\n");
      text.append("| damaged | on | comes back | from |\n|---|---|---|---|\n");
      Sample sample = sample(scheme, Job.SMALL);
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
              sample.outcome(new Case(scheme, Job.SMALL, what, How.ERASE, nodes, When.ALL), 2);
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
      for (Job job : Job.values()) {
        samples.put(scheme + " " + job, sample(scheme, job));
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
                  run(samples.get(which.scheme() + " " + which.job()), which, place, random);
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
